"""Studies: Results with an Origin that the store keeps and finds; half-way steps by hand."""

import numpy as np
import pytest

from tests.conftest import Memory
from workbench import progress
from workbench.dynamics import STUDIES, Recipe
from workbench.dynamics.bursty import Setting
from workbench.dynamics.events import before, half_way, half_ways, order
from workbench.dynamics.measures import MEASURES
from workbench.dynamics.stack import Member, Trace
from workbench.dynamics.study import curve_of
from workbench.dynamics.train import train
from workbench.errors import BadInput
from workbench.plots import figure, table
from workbench.result import Curve, Scores
from workbench.store import Store

SMALL = {
    "classes": 24, "labels": 6, "items": 4, "burst": 1, "dim": 5, "longest": 4, "novel": 12, "batch": 16, "seeds": 2,
}  # fmt: skip
SHORT = {**SMALL, "steps": 6, "every": 2}
ASKED = {
    "reddy": SHORT,
    "reddy_events": SHORT,
    "reddy_phases": {**SMALL, "steps": 3, "values": ("12", "24"), "rows": ("1", "2")},
    "reddy_saddle": {**SHORT, "classes": 24, "novel": 24, "factors": ("1", "2", "3")},
    "language": {"words": 30, "length": 52, "batch": 4, "d_model": 16, "heads": 2, "steps": 2, "every": 1, "seeds": 2},
}


@pytest.fixture(autouse=True)
def _own_home(tmp_path, monkeypatch):
    """Runs of language models are kept there."""
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))


def test_half_way_is_found_between_evaluations():
    steps = np.array([0, 10, 20, 30])
    assert half_way(steps, np.array([0.0, 0.2, 0.6, 1.0])) == pytest.approx(17.5)
    # Downward, from a start that is not 0, and the first time counts.
    assert half_way(steps, np.array([3.0, 1.0, 2.5, 1.0])) == pytest.approx(5)
    assert half_way(steps, np.array([0.1, 0.9, 0.9, 0.15])) != half_way(steps, np.array([0.1, 0.9, 0.9, 0.9]))
    assert np.isnan(half_way(steps, np.array([0.1, 0.5, 0.2, 0.15])))
    assert np.isnan(half_way(np.array([0]), np.array([0.1])))


def test_the_order_of_events_is_counted_by_seed():
    steps = np.array([0, 10, 20])
    first, late, never = [0.0, 1.0, 1.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]
    mean = np.array([np.transpose([first, late, never]), np.transpose([late, first, late])])
    moved = half_ways(steps, mean)
    assert moved[:2].tolist() == [[5, 15], [15, 5]]
    assert before(moved).tolist() == [[0, 1, 0], [1, 0, 1], [0, 0, 0]]
    assert order(["a", "b"], np.array([[5.0, 15], [15, 25]])) == "a (10) < b (20)"
    assert order(["a", "b"], np.array([[5.0, 15], [np.nan, np.nan]])) == "a (10)"


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_is_stored_and_found(tmp_path, name):
    store, study = Store(tmp_path / "store"), STUDIES[name]
    result = store.compute(study, None, None, **ASKED[name])
    assert result.kind == study.kind
    assert result.origin == study.origin(None, None, **ASKED[name])
    trained = []
    with progress.listening(trained.append):
        again = store.compute(study, None, None, **ASKED[name])
    assert not trained
    assert again.values.equals(result.values)
    assert again.origin.key == result.origin.key
    assert figure(again).data
    assert len(table(again)) == again.values.size
    assert again.origin.caption().startswith(name)
    assert "[]" not in again.origin.caption()


@pytest.mark.parametrize("name", STUDIES)
def test_its_origin_is_code_that_computes_it_again(name):
    study = STUDIES[name]
    origin = study.origin(**ASKED[name])
    names = {}
    exec(origin.code(), names)
    assert names["result"].origin == origin
    other = study.origin(**{**ASKED[name], "batch": 5})
    assert other.key != origin.key
    assert study.origin(**{**ASKED[name], "device": "cuda"}).device == "cuda"


def test_a_curve_is_the_mean_of_its_seeds():
    result = STUDIES["reddy"](**SHORT)
    assert isinstance(result, Curve)
    setting = Setting.fast(**{name: value for name, value in SMALL.items() if name not in ("batch", "seeds")})
    trace = train([Member(setting, seed) for seed in (0, 1)], Recipe("adam", 1e-3, batch=16), steps=6, every=2).trace
    own = np.stack([trace.of(name) for name in result.values.series.values])
    assert np.allclose(result.values, own.mean(1))
    assert np.allclose(result.upper - result.values, np.abs(own[:, 0] - own[:, 1]) / 2)
    assert np.array_equal(result.parts["seeds"], own)
    assert result.values.step.values.tolist() == [0, 2, 4, 6]
    assert set(result.values.series.values) == set(MEASURES) - {"loss", "alive"}
    assert "warning" not in result.notes
    alone = STUDIES["reddy"](**{**SHORT, "seeds": 1})
    assert alone.lower is None
    assert np.allclose(alone.values, own[:, 0])


def test_a_seed_that_only_guesses_has_no_transition():
    """From 1 / L to 1 / N is a rise of more than .1, and no learning of which label is right."""
    mean = np.zeros((2, 3, len(MEASURES)))
    at = list(MEASURES).index("ic")
    mean[:, :, at] = [[0.03, 0.1, 0.15], [0.03, 0.13, 0.93]]
    members = [Member(Setting.fast(), seed) for seed in (0, 1)]
    curve = curve_of(Trace(members, np.array([0, 100, 200]), mean, mean), Recipe.fast())
    assert curve.parts["transition"].values.tolist() == pytest.approx([np.nan, 143.75], nan_ok=True)
    assert curve.notes["transition"].startswith("1 of 2 seeds learn in context, half-way at step 144")


def test_a_diagram_has_each_cell_where_it_belongs():
    asked = ASKED["reddy_phases"]
    result = STUDIES["reddy_phases"](**asked)
    assert isinstance(result, Scores)
    assert result.values.dims == ("measure", "burst", "classes")
    fields = {name: value for name, value in SMALL.items() if name not in ("batch", "seeds", "burst", "classes")}
    setting = Setting.fast(**fields, p_novel=0.0, classes=12, burst=2)
    trace = train([Member(setting, 1)], Recipe("adam", 1e-3, batch=16), steps=3, every=3).trace
    cell = result.parts["seeds"].sel(burst=2, classes=12, seed=1)
    assert cell.values.tolist() == [trace.of(name)[0, -1] for name in ("ic", "ic2", "iw")]
    assert STUDIES["reddy_phases"].params["p_novel"].default == 0.0


def test_seeds_that_learnt_are_counted():
    result = STUDIES["reddy_saddle"](**ASKED["reddy_saddle"])
    assert result.values.labels.values.tolist() == [4, 8, 12]
    assert result.parts["learned"].values.tolist() == [0, 0, 0]
    assert result.notes["learned"].startswith("L=4: 0 of 2 (0 dead), L=8: 0 of 2 (0 dead)")


def test_dead_networks_are_counted(monkeypatch):
    """Biases that put out the first hidden layer leave nothing alive."""
    from workbench.dynamics import stack

    real = stack.Stack.__init__

    def killed(self, *given):
        real(self, *given)
        parameters = self.parameters()
        parameters["hidden3.bias"].fill_(-100.0)

    monkeypatch.setattr(stack.Stack, "__init__", killed)
    result = STUDIES["reddy_saddle"](**{**ASKED["reddy_saddle"], "factors": ("2",)})
    assert result.parts["dead"].values.tolist() == [2]
    assert "(2 dead)" in result.notes["learned"]
    assert "seeds 0, 1 answers to nothing" in STUDIES["reddy"](**SHORT).notes["warning"]


def test_a_killed_study_keeps_finished_groups(monkeypatch):
    study = STUDIES["reddy_phases"]
    module = __import__("workbench.dynamics.study", fromlist=["AT_ONCE"])
    monkeypatch.setattr(module, "AT_ONCE", 2)
    pieces, heard = Memory(), []
    with progress.keeping(pieces):
        whole = study(**ASKED["reddy_phases"])
    assert len(pieces) == 4
    pieces.pop(next(iter(pieces)))
    with progress.keeping(pieces), progress.listening(heard.append):
        again = study(**ASKED["reddy_phases"])
    assert [step.done for step in heard].count(0.0) == 1 + 1
    assert heard[0].label == "Training, networks 1 to 2 of 8"
    assert again.values.equals(whole.values)


def test_partial_curves_are_shown():
    shown = []
    with progress.viewing(shown.append):
        STUDIES["reddy"](**SHORT)
    assert [len(make().values.step) for make in shown[:3]] == [1, 2, 3]


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("reddy", {"setps": 3}, "a parameter of reddy must be one of .* Did you mean 'steps'"),
        ("reddy", {"steps": "3"}, "reddy: steps must be int; got '3'"),
        ("reddy", {"seeds": 0}, "seeds must be at least 1; got 0"),
        ("reddy", {"burst": 3}, "burst must divide items, 8, and be less; got 3"),
        ("reddy_phases", {"across": "items"}, "across must be one of 'classes', 'burst', .*; got 'items'"),
        ("reddy_phases", {"across": "burst"}, "down must be another field than across; got 'burst' for both"),
        ("reddy_phases", {"values": ("32", "x")}, "values of classes must be whole numbers; got '32,x'"),
        ("reddy_phases", {"values": ("32", "33")}, "classes must be a multiple of labels, 32; got 33"),
        ("reddy_saddle", {"factors": ("1", "1.5")}, "factors must be whole numbers of 1 or more, .*; got '1,1.5'"),
    ],
)
def test_what_cannot_be_studied_is_told(name, given, said):
    with pytest.raises(BadInput, match=said):
        STUDIES[name](**given)
