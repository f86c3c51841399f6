"""The command line: exit codes, one-line errors, flags that follow from signatures, and the store shared with all doors."""

import csv
import json
import re
import subprocess
import sys

import pytest

from tests import families
from tests.tasks.conftest import TWOS, word_level
from workbench import cli
from workbench.cli.printing import print_table
from workbench.methods import METHODS
from workbench.models import load
from workbench.store import Store
from workbench.sweep import engine
from workbench.tasks import custom

ROWS = (
    '{"clean": "a b c d e f", "corrupt": "a b g d e f", "right": "h", "wrong": "i"}\n'
    '{"clean": "j k l m n o", "corrupt": "j k p m n o", "right": "q", "wrong": "r"}\n'
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(families.save("llama", tmp_path_factory.mktemp("cli")))


@pytest.fixture(scope="module")
def wordy(tmp_path_factory):
    return str(families.save("llama", tmp_path_factory.mktemp("wordy"), words=word_level(TWOS, digits=2)))


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
def test_every_method_runs_and_is_stored(run, wordy, name, tmp_path):
    named = tmp_path / "named.jsonl"
    named.write_text(ROWS.replace("c d e f", "h i e f").replace("l m n o", "q r n o"))
    asked = {
        "attention": {"words": ("--text", "c d e c d")},
        "channel_graph": {"words": ("--rate", "0.999", "--rotations", "20")},
        "channel_map": {"source": ("--pairs", str(named)), "words": ("--channel", "0.1.2", "--steps", "3")},
        "channel_scale": {"source": ("--pairs", str(named)), "words": ("--channel", "0.1.2")},
        "direct_paths": {"source": ("--pairs", str(named)), "words": ("--reader", "2.1")},
        "edge_pruning": {"words": ("--steps", "20")},
        "heads": {"words": ("--examples", "2", "--length", "4", "--copies", "2")},
        "induction": {"words": ("--examples", "2", "--length", "5", "--copies", "2")},
        "in_context": {
            "model": wordy,
            "words": ("--examples", "2", "--length", "20", "--early", "3", "--late", "15", "--window", "3"),
        },
        "repeat_surprisal": {"model": wordy, "words": ("--listed", "3", "--examples", "2", "--sentences", "1")},
        "retrieval": {"model": wordy, "words": ("--lengths", "64", "--depths", "1", "--needles", "1")},
        "masking": {"model": wordy, "words": ("--masked", "2", "--lengths", "64", "--depths", "1", "--needles", "1")},
        "list_recall": {"model": wordy, "words": ("--channel", "0.1.2", "--objects", "2,3", "--prompts", "4")},
    }
    how = asked.get(name, {})
    if not METHODS[name].needs_pairs:
        how["source"] = ("--task", "weights")
    code, out, _ = run(name, *how.pop("words", ()), **how)
    assert code == 0
    (entry,) = Store().list()
    assert entry.origin.method == name
    assert entry.key in out
    # discover names what the circuit is of.
    assert ("Circuit of custom" if name == "discover" else METHODS[name].title) in out


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
    ran, real = [], engine._Engine._run
    monkeypatch.setattr(engine._Engine, "_run", lambda self, cells: ran.append(1) or real(self, cells))
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

    monkeypatch.setattr(engine._Engine, "_run", interrupted)
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


def test_circuits_go_to_files_and_come_back(run, say, tmp_path):
    import numpy as np

    from workbench.formats import read_circuit

    run("discover")
    (entry,) = Store().list()
    stored = Store().get(entry.key)
    printed = say("show", entry.key, "--rows", "4")[1].splitlines()
    for ending in ("json", "pt", "graphml"):
        file = tmp_path / "new" / f"one.{ending}"
        assert say("export", entry.key, str(file)) == (0, f"Wrote {file}\n", "")
        np.testing.assert_array_equal(read_circuit(file).parts["kept"].values, stored.parts["kept"].values)
        code, out, err = say("import", str(file), "--rows", "4", "--html", str(tmp_path / f"{ending}.html"))
        assert (code, err) == (0, "")
        lines = out.splitlines()
        assert lines[0] == printed[0] == f"{stored.title} [{stored.unit}]"
        assert f"  source: one.{ending}" in lines
        columns = ["edge", "kept", "value"]
        table = lines[next(place for place, line in enumerate(lines) if line.split() == columns) :]
        top = np.argsort(-abs(stored.values.values), kind="stable")[:4]
        assert [row.split()[0] for row in table[1:5]] == list(stored.names()[top])
        assert "plotly" in (tmp_path / f"{ending}.html").read_text()
    assert say("export", entry.key, str(tmp_path / "one.csv"))[0] == 0
    with (tmp_path / "one.csv").open() as lines:
        assert len(list(csv.DictReader(lines))) == stored.values.size
    assert len(Store().list()) == 1


def test_what_is_no_circuit_is_told(run, say, tmp_path):
    run("dla")
    (entry,) = Store().list()
    for ending in ("pt", "graphml"):
        code, out, err = say("export", entry.key, str(tmp_path / f"one.{ending}"))
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert f"no circuit, must be one of '.html', '.csv', '.json'; got '.{ending}'" in err
    (tmp_path / "one.json").write_text("[]")
    for name, message in (("one.json", "must hold a circuit"), ("no.pt", "must be a file that exists"), ("one", "ending of")):
        code, out, err = say("import", str(tmp_path / name))
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert message in err


def test_lists_hold_every_name(say):
    from workbench.models import CATALOGUE
    from workbench.tasks import TASKS

    for verb, names in (("models", [*CATALOGUE, "tiny:repeat", "known:decoy"]), ("tasks", TASKS), ("methods", METHODS)):
        code, out, _ = say(verb)
        assert code == 0
        assert all(name in out for name in names)


def test_a_figure_can_be_written_at_once(run, tmp_path):
    file = tmp_path / "sub" / "heads.html"
    code, out, _ = run("patch", "--html", str(file))
    assert code == 0
    assert file.is_file()
    assert str(file) in out


@pytest.mark.parametrize("words", [["run"], ["walk"], [], ["run", "patch", "--n", "many"], ["run", "patch", "--nonsense"]])
def test_words_that_are_no_command_end_with_two(words, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    assert ended.value.code == 2
    assert "usage: workbench" in capsys.readouterr().err


def test_a_wrong_method_is_told_whatever_flags_follow(say):
    """Its flags are unknown as long as the method is: the method is what is wrong."""
    code, _, err = say("run", "pach", "--sites", "z", "--by", "layer")
    assert code == 2
    assert err.count("\n") == 1
    assert "got 'pach'. Did you mean 'patch'?" in err


def test_wrong_words_are_told_before_a_model_is_loaded(run, monkeypatch):
    monkeypatch.setattr("workbench.models.load", lambda *_, **__: pytest.fail("a model was loaded"))
    for words in (["pach"], ["patch", "--sites", "z,resid"], ["lens", "--top", "many"], ["relp", "--rules", "ln,lm"]):
        assert run(*words)[0] == 2
    assert run("patch", source=("--task", "ioii"))[0] == 2
    assert run("patch", source=("--pairs", "no.csv"))[0] == 2


@pytest.mark.parametrize(
    ("name", "words", "params"),
    [
        ("patch", [], {}),
        ("patch", ["--sites", "q", "--seed", "3"], {"sites": "q", "seed": 3}),
        ("atp", ["--sites", "q,k", "--qk-correction"], {"sites": ("q", "k"), "qk_correction": True}),
        ("relp", ["--rules", "ln"], {"rules": ("ln",)}),
        ("lens", ["--prompt", "1", "--top", "2"], {"prompt": 1, "top": 2}),
    ],
)
def test_words_give_the_key_and_the_numbers_that_a_notebook_gives(run, folder, tmp_path, name, words, params):
    assert run(name, *words)[0] == 0
    model = load(folder, device="cpu")
    expected = METHODS[name](model, custom(model, tmp_path / "pairs.jsonl"), **params)
    assert Store().get(expected.origin.key).values.identical(expected.values)


def test_a_switch_can_be_turned_off(run):
    run("atp", "--sites", "q", "--qk-correction")
    run("atp", "--sites", "q", "--no-qk-correction")
    assert {entry.origin.params["qk_correction"] for entry in Store().list()} == {True, False}


def test_the_same_words_again_run_no_forward_pass_at_all(run, monkeypatch):
    from transformer_lens.model_bridge import TransformerBridge

    passes, real = [], TransformerBridge.forward
    monkeypatch.setattr(TransformerBridge, "forward", lambda self, *a, **k: passes.append(1) or real(self, *a, **k))
    first = run("patch", "--by", "layer,pos", "--sites", "resid_pre")
    assert passes
    passes.clear()
    assert run("patch", "--by", "layer,pos", "--sites", "resid_pre") == first
    assert not passes
    assert len(Store().list()) == 1


def test_options_reach_the_task(run):
    source = ("--task", "repeated_tokens", "--n", "3", "--seed", "5", "--with", "length=4", "--with", "corruption=copy")
    code, out, _ = run("baseline", source=source)
    assert code == 0
    assert "accuracy: clean" in out
    (entry,) = Store().list()
    told = entry.origin.task_params
    assert entry.origin.task == "repeated_tokens"
    assert (told["n"], told["seed"], told["length"], told["corruption"]) == (3, 5, 4, "copy")
    assert Store().get(entry.key).values.sizes["prompt"] == 3
    for wrong, message in (("lenth=3", "Did you mean 'length'"), ("length=x", "got 'x'"), ("length=1", "must be at least 2")):
        code, _, err = run("baseline", source=("--task", "repeated_tokens", "--with", wrong))
        assert (code, err.count("\n")) == (2, 1)
        assert message in err


def test_our_own_bugs_keep_their_traceback(run, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(engine._Engine, "_run", broken)
    with pytest.raises(ZeroDivisionError):
        run("patch")


def test_show_prints_what_run_printed(run, say):
    printed = run("dla", "--by", "layer")[1]
    run("lens")
    lines = say("show")[1].splitlines()
    assert lines[0].split() == ["key", "method", "model", "task", "params"]
    assert {line.split()[1] for line in lines[1:]} == {"dla", "lens"}
    key = next(entry.key for entry in Store().list() if entry.origin.method == "dla")
    assert say("show", key)[1] == printed
    assert len(say("show", key, "--rows", "1")[1].splitlines()) == len(printed.splitlines()) - 5


def test_keys_that_lead_nowhere_are_told(run, say, tmp_path):
    assert "key must be made of the digits 0-9 and a-f" in say("show", "xyz")[2]
    run("dla")
    (entry,) = Store().list()
    file = Store().path(entry.key)
    whole = file.read_bytes()
    for words in (["show", entry.key], ["export", entry.key, str(tmp_path / "out.csv")]):
        file.write_bytes(whole[:-40])
        with pytest.warns(UserWarning, match="is damaged"):
            code, _, err = say(*words)
        assert (code, err.count("\n")) == (2, 1)
        assert "damaged and is set aside. Run it again." in err


def test_exported_numbers_are_the_stored_ones(run, say, tmp_path):
    import pandas as pd

    run("patch", "--sites", "z,v")
    (entry,) = Store().list()
    values = Store().get(entry.key).values
    for name, read in (("out.csv", pd.read_csv), ("out.json", pd.read_json)):
        file = tmp_path / "new" / name
        assert say("export", entry.key[:8], str(file))[1] == f"Wrote {file}\n"
        rows = read(file)
        assert len(rows) == values.size
        for row in rows.to_dict("records"):
            number = values.sel({dim: row[dim] for dim in values.dims}).item()
            assert row["value"] == pytest.approx(number, nan_ok=True)


def test_what_cannot_be_written_is_told(run, say, tmp_path):
    run("dla")
    (entry,) = Store().list()
    (tmp_path / "file").write_text("")
    for ending in ("csv", "json", "html"):
        (tmp_path / f"folder.{ending}").mkdir()
        for file in (tmp_path / f"folder.{ending}", tmp_path / "file" / f"out.{ending}"):
            code, out, err = say("export", entry.key, str(file))
            assert (code, out, err.count("\n")) == (2, "", 1)
            assert str(file) in err


def test_sizes_stand_beside_the_models(say):
    lines = {line.split()[0]: line for line in say("models")[1].splitlines() if line}
    assert "124 M" in lines["gpt2"]
    assert "0.50 GB" in lines["gpt2"]
    assert "9 (3 kv)" in lines["smollm2-135m"]
    assert lines["gpt2"].endswith("openai-community/gpt2")


def test_options_and_flags_stand_below_tasks_and_methods(say):
    from workbench.tasks import TASKS

    told = say("tasks")[1]
    for task in TASKS.values():
        assert task.source in told
        assert all(f"--with {option}=VALUE" in told for option in set(task.options) - {"n", "seed"})
    told = say("methods")[1]
    for method in METHODS.values():
        assert method.source in told
        assert all(f"--{parameter.replace('_', '-')} " in told for parameter in method.params)
    assert "denoise, noise [denoise]" in told
    assert "(several with commas)" in told


def test_bench_and_serve_ask_for_a_checkout(monkeypatch, tmp_path, say):
    monkeypatch.setattr("workbench.cli.serving.ROOT", tmp_path / "elsewhere")
    for verb in ("serve", "bench"):
        code, _, err = say(verb)
        assert (code, err.count("\n")) == (2, 1)
        assert f"{verb} must be run from a checkout" in err


def test_a_reader_that_has_seen_enough_is_no_error():
    """`workbench tasks | head -1`: the pipe breaks while we print."""
    code = "import sys; from workbench import cli; sys.exit(cli.main(['tasks']))"
    process = subprocess.Popen([sys.executable, "-u", "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=120) == 0
    assert b"Traceback" not in said


def test_tables_are_aligned_and_stay_on_their_lines(capsys):
    print_table([{"a": 1.5, "b": "x\ny"}, {"a": -0.00012345, "c": 3}])
    assert capsys.readouterr().out.splitlines() == ["a           b     c", "+1.5        x\\ny", "-0.0001234        3"]
    print_table([])
    assert not capsys.readouterr().out


def test_a_circuit_is_measured_stored_or_in_a_file(say, tmp_path):
    words = ["--model", "tiny:repeat", "--task", "repeated_tokens", "--device", "cpu", "--n", "12"]
    assert cli.main(["run", "discover", *words, "--n-edges", "40", "--random", "0", "--resamples", "0"]) == 0
    say("show")
    (entry,) = Store().list()
    kept = Store().get(entry.key)
    code, out, _ = say("measure", entry.key, *words, "--seed", "5", "--nodes")
    assert code == 0
    rows = dict(line.rsplit(None, 1) for line in out.splitlines() if re.match(r"(faithfulness|edges|a\d|m\d)", line))
    assert float(rows["edges"]) == kept.parts["kept"].values.sum()
    assert any(name.startswith("a") for name in rows)
    file = tmp_path / "circuit.json"
    say("export", entry.key, str(file))
    again = say("measure", str(file), *words, "--seed", "5")[1]
    assert (
        rows["faithfulness"]
        == dict(line.rsplit(None, 1) for line in again.splitlines() if "faithfulness" in line)["faithfulness"]
    )
    code, _, err = say("measure", str(file), "--model", "tiny:repeat", "--task", "ioix")
    assert (code, err.count("\n")) == (2, 1)
    code, _, err = say("measure", "ffff", *words)
    assert (code, err.splitlines()[-1].startswith("workbench: ")) == (2, True)
