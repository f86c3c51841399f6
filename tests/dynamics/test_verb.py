"""`workbench train`: a line per evaluation, a run that goes on, a Curve in the store."""

import pytest

from workbench import cli
from workbench.dynamics import STUDIES
from workbench.store import Store

SMALL = [
    word
    for given in ("classes=24", "labels=6", "items=4", "dim=5", "longest=4", "novel=12", "batch=16")
    for word in ("--with", given)
]
WORDS = ["train", "--seeds", "2", "--steps", "6", "--every", "2", *SMALL]


@pytest.fixture
def say(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WORKBENCH_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "home"))

    def go(*words):
        code = cli.main(list(words))
        said = capsys.readouterr()
        return code, said.out, said.err

    return go


def evaluated(out):
    return [int(line.split()[0]) for line in out.splitlines() if line[:6].strip().isdigit()]


def test_a_line_per_evaluation_and_a_curve_in_the_store(say, tmp_path):
    code, out, _ = say(*WORDS, "--with", "noise=0.2", "--with", "shifted=true", "--html", str(tmp_path / "curve.html"))
    assert code == 0
    assert evaluated(out) == [0, 2, 4, 6, 6]
    assert "0 of 2 seeds learn in context" in out
    assert (tmp_path / "curve.html").stat().st_size > 1000
    (entry,) = Store().list()
    stored = Store().get(entry.key)
    assert stored.origin.task_params["noise"] == 0.2
    assert stored.origin.task_params["shifted"] is True
    params = {**stored.origin.task_params, **stored.origin.params}
    assert stored.values.equals(STUDIES["reddy"](**params).values)


def test_the_same_command_goes_on(say, tmp_path):
    folder = ("--out", str(tmp_path / "run"))
    say(*WORDS, *folder, "--keep", "0,4")
    code, out, _ = say(*WORDS, "--steps", "10", *folder)
    assert code == 0
    assert evaluated(out) == [8, 10, 10]
    kept = sorted(file.name for file in (tmp_path / "run").glob("step*"))
    assert kept == ["step_000000.safetensors", "step_000004.safetensors"]


def test_the_papers_own_setting_is_a_preset(say):
    code, out, _ = say("train", "--preset", "paper", "--seeds", "1", "--steps", "1", "--with", "batch=2")
    assert code == 0
    assert "optimiser=sgd" in out
    assert "longest=32" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--with", "nois=1"], "Did you mean 'noise'?"),
        (["--with", "noise"], "--with must be NAME=VALUE; got 'noise'."),
        (["--with", "seeds=2"], "--with must be one of"),
        (["--with", "burst=x"], "reddy: burst must be int; got 'x'."),
        (["--with", "architecture=lstm"], "architecture must be one of 'attention', 'unbiased', 'three', 'two'; got 'lstm'."),
        (["--keep", "5,-1"], "keep must be steps, as in '0,500,1000'; got '5,-1'."),
        (["--preset", "quick"], "preset must be one of 'fast', 'paper'; got 'quick'."),
        (["--seeds", "0"], "seeds must be at least 1; got 0."),
    ],
)
def test_what_is_wrong_is_one_line_and_code_2(say, words, said):
    code, _, error = say("train", "--steps", "2", *words)
    assert code == 2
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("name", ["reddy_events", "reddy_phases", "reddy_saddle", "language"])
def test_a_study_is_one_command(say, tmp_path, name):
    """With the settings and figures that the study has in Python; the same command finds it stored."""
    own = {
        "reddy_phases": ("values=12,24", "rows=1,2"),
        "reddy_saddle": ("classes=24", "novel=24", "factors=1,2"),
        "language": ("words=30", "length=52", "batch=4", "d_model=16", "heads=2"),
    }
    given = [] if name == "language" else SMALL
    given = given + [word for one in own.get(name, ()) for word in ("--with", one)]
    words = ("train", "--study", name, "--seeds", "2", "--steps", "4", "--every", "2", *given)
    code, out, err = say(*words, "--html", str(tmp_path / "study.html"))
    assert code == 0, err
    assert STUDIES[name].title in out
    assert (tmp_path / "study.html").stat().st_size > 1000
    (entry,) = Store().list()
    assert entry.origin.method == name
    assert entry.key in out
    code, again, _ = say(*words)
    assert (code, len(Store().list())) == (0, 1)
    assert entry.key in again


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--study", "redy"), "study must be one of"),
        (("--study", "language", "--with", "noise=1"), "--with must be one of 'words'"),
        (("--study", "language", "--keep", "1"), "--keep goes with the study reddy alone; got the study language"),
        (("--study", "language", "--with", "d_model=30"), "d_model must be a multiple of 8, twice the heads; got 30"),
        (("--study", "language", "--with", "longest=90"), "longest must leave room to come twice"),
    ],
)
def test_a_bad_study_is_one_line(say, words, said):
    code, _, err = say("train", *words)
    assert code == 2
    assert said in err
