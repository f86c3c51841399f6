"""The command line: exit codes, one-line errors, flags that follow from signatures, and the store shared with all doors."""

import csv
import json
import re

import pytest

from tests import families
from workbench import cli, sweep
from workbench.methods import METHODS
from workbench.store import Store

ROWS = (
    '{"clean": "a b c d e f", "corrupt": "a b g d e f", "right": "h", "wrong": "i"}\n'
    '{"clean": "j k l m n o", "corrupt": "j k p m n o", "right": "q", "wrong": "r"}\n'
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(families.save("llama", tmp_path_factory.mktemp("cli")))


@pytest.fixture
def run(folder, tmp_path, monkeypatch, capsys):
    """Run `workbench run METHOD` on the tiny model and two pairs: exit code, output, errors."""
    monkeypatch.setenv("WORKBENCH_STORE", str(tmp_path / "store"))
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text(ROWS)

    def go(method, *words, model=folder, source=("--pairs", str(pairs))):
        code = cli.main(["run", method, "--model", model, "--device", "cpu", *source, *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return go


@pytest.fixture
def say(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WORKBENCH_STORE", str(tmp_path / "store"))

    def go(*words):
        code = cli.main(list(words))
        said = capsys.readouterr()
        return code, said.out, said.err

    return go


@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_method_runs_and_is_stored(run, name):
    code, out, _ = run(name)
    assert code == 0
    (entry,) = Store().list()
    assert entry.origin.method == name
    assert entry.key in out
    assert METHODS[name].title in out


def test_flags_follow_from_the_signature(run):
    code, _, _ = run("patch", "--sites", "resid_pre,mlp_out", "--by", "layer,pos", "--direction", "noise", "--no-normalise")
    assert code == 0
    (entry,) = Store().list()
    assert entry.origin.params["sites"] == ["resid_pre", "mlp_out"]
    assert entry.origin.params["by"] == ["layer", "pos"]
    assert entry.origin.params["direction"] == "noise"
    assert entry.origin.params["normalise"] is False
    for method in METHODS.values():
        given = {action.dest for action in _actions(["run", method.name])}
        assert {f"p_{name}" for name in method.params if name != "seed"} <= given


def _actions(words):
    parser = cli._parser(words)
    verbs = next(action for action in parser._actions if hasattr(action, "choices") and action.choices)
    return verbs.choices["run"]._actions


def test_a_second_run_is_taken_from_the_store_and_again_computes(run, monkeypatch):
    ran, real = [], sweep._Engine._run
    monkeypatch.setattr(sweep._Engine, "_run", lambda self, cells: ran.append(1) or real(self, cells))
    run("patch")
    first = len(ran)
    assert first
    _, out, _ = run("patch")
    assert len(ran) == first
    _, renewed, _ = run("patch", "--again")
    assert len(ran) == 2 * first
    assert renewed == out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["pach"], "method must be one of .* got 'pach'. Did you mean 'patch'"),
        (["patch", "--sites", "zz"], "patch: sites must be one of"),
        (["patch", "--by", "layer,rows"], "patch: by must be one of"),
        (["patch", "--metric", "loss"], "patch: metric must be one of"),
        (["patch", "--sites", "mlp_out", "--by", "layer,head"], "site must have heads"),
        (["lens", "--prompt", "7"], "prompt must be from 0 to 1; got 7"),
        (["patch", "--dtype", "float8"], "dtype must be one of"),
        (["patch", "--device", "tpu"], "device must be one of"),
    ],
)
def test_wrong_words_are_one_line_and_exit_code_2(run, words, message):
    code, out, err = run(*words)
    assert code == 2
    assert err.count("\n") == 1
    assert re.search(message, err), err
    assert not out


def test_wrong_task_pairs_and_model_are_one_line(run, tmp_path):
    for source, model, message in (
        (("--task", "iou"), None, "Did you mean 'ioi'"),
        (("--task", "ioi", "--with", "order"), None, "--with must be NAME=VALUE"),
        (("--pairs", str(tmp_path / "none.csv")), None, "pairs must be a file that exists"),
        (("--task", "ioi"), "../nowhere", "model must be a name of the catalogue"),
    ):
        code, _, err = run("patch", source=source, **({"model": model} if model else {}))
        assert code == 2
        assert err.count("\n") == 1
        assert message in err


def test_an_interrupt_is_130_and_says_what_is_kept(run, monkeypatch):
    def interrupted(self, cells):
        raise KeyboardInterrupt

    monkeypatch.setattr(sweep._Engine, "_run", interrupted)
    code, _, err = run("patch")
    assert code == 130
    assert "the same command goes on" in err


def test_show_and_export(run, say, tmp_path):
    assert "is empty" in say("show")[1]
    run("patch")
    (entry,) = Store().list()
    assert entry.key in say("show")[1]
    code, out, _ = say("show", entry.key[:6], "--rows", "3")
    assert code == 0
    assert "Activation patching" in out
    for ending in ("csv", "json", "html"):
        assert say("export", entry.key, str(tmp_path / f"out.{ending}"))[0] == 0
    with (tmp_path / "out.csv").open() as lines:
        assert len(list(csv.DictReader(lines))) == 3 * 4 * 2
    assert len(json.loads((tmp_path / "out.json").read_text())) == 3 * 4 * 2
    assert "plotly" in (tmp_path / "out.html").read_text()
    code, _, err = say("export", entry.key, str(tmp_path / "out.docx"))
    assert (code, err.count("\n")) == (2, 1)
    code, _, err = say("show", "ffff")
    assert (code, err.count("\n")) == (2, 1)


def test_lists_hold_every_name(say):
    from workbench.models import CATALOGUE
    from workbench.tasks import TASKS

    for verb, names in (("models", [*CATALOGUE, "tiny:repeat"]), ("tasks", TASKS), ("methods", METHODS)):
        code, out, _ = say(verb)
        assert code == 0
        assert all(name in out for name in names)


def test_a_figure_can_be_written_at_once(run, tmp_path):
    file = tmp_path / "sub" / "heads.html"
    code, out, _ = run("patch", "--html", str(file))
    assert code == 0
    assert file.is_file()
    assert str(file) in out
