"""A circuit at other sizes: edges as the graph prunes them, numbers as the curve has them, and none where none was measured."""

import numpy as np
import pytest
import xarray as xr

from tests.plots import samples
from workbench import select
from workbench.edges.estimate import as_circuit
from workbench.errors import BadInput
from workbench.graph import Graph
from workbench.jobs import Jobs
from workbench.methods import METHODS
from workbench.models import load
from workbench.plots import figure
from workbench.result import Origin
from workbench.store import Store
from workbench.tasks import TASKS
from workbench.views.address import restore, written
from workbench.views.cells import Cell, cell_of_place, group_of
from workbench.views.circuit_size import CircuitSize, interval
from workbench.views.circuits import Circuits

GRAPH = Graph(3, 4, 2)
SIZES = [3, 20, 60, GRAPH.n_edges]
SERIES = ["by size of score", "by signed score", "random edges"]
SCORES = np.random.default_rng(4).normal(size=GRAPH.n_edges)


def scored(scores=SCORES, **notes):
    return as_circuit(GRAPH, "Edges", "logits", scores, None, {}, {"sign": "+ helps", **notes})


def pruned(rule, size, absolute):
    return GRAPH.pruned(select.chosen(GRAPH, SCORES, rule, size, absolute))[GRAPH.edge_list]


def found(rule="top", absolute=True, size=20, hold_out=True):
    """A circuit as discover returns it; the numbers of its curve all differ."""
    values = xr.DataArray(
        np.linspace(0.1, 0.95, 12).reshape(3, 4), dims=("series", "size"), coords={"series": SERIES, "size": SIZES}
    )
    kept = pruned(rule, size, absolute)
    summary = {"edges": float(kept.sum()), "edges asked for": float(size), "share of edges": 0.25, "faithfulness": 0.5}
    made = scored(selection=f"{rule}: {size} edges", stability="0.9")
    parts = {
        "kept": xr.DataArray(kept, dims=("edge",)),
        "curve": values,
        "curve_lower": values - 0.0625,
        "curve_upper": values + 0.125,
        "summary": xr.DataArray(list(summary.values()), dims=("measure",), coords={"measure": list(summary)}),
    }
    params = {"rule": rule, "absolute": absolute, "hold_out": hold_out}
    origin = Origin("discover", "tiny:repeat", "f" * 16, "ioi", "a" * 16, {"n": 3}, params)
    return made.replace(title="Circuit of ioi", parts={**made.parts, **parts}, origin=origin)


@pytest.mark.parametrize("absolute", [True, False])
@pytest.mark.parametrize("rule", ["top", "greedy"])
def test_the_edges_of_each_size_are_those_that_the_graph_keeps_of_its_selection(rule, absolute):
    sized = CircuitSize(found(rule, absolute))
    assert sized.sizes == SIZES
    for size in SIZES:
        made = sized.select(size)
        np.testing.assert_array_equal(made.parts["kept"].values, pruned(rule, size, absolute))
        assert f"{size:,} edges asked for, {pruned(rule, size, absolute).sum():,} kept after pruning" in sized.words(size)
        np.testing.assert_array_equal(made.values, sized.circuit.values)
    assert len({int(sized.kept(size).sum()) for size in SIZES}) > 2


@pytest.mark.parametrize(("absolute", "series"), [(True, SERIES[0]), (False, SERIES[1])])
def test_the_numbers_are_the_curves_own(absolute, series):
    sized = CircuitSize(found(absolute=absolute))
    for size in SIZES:
        at = {"series": series, "size": size}
        wanted = [float(sized.circuit.parts[name].sel(at)) for name in ("curve", "curve_lower", "curve_upper")]
        assert list(sized.measured(size)) == wanted
        assert f"faithfulness {wanted[0]:.2f} [{wanted[1]:.2f}, {wanted[2]:.2f}] on held-out prompts" in sized.words(size)
    assert "on the prompts it was found on" in CircuitSize(found(hold_out=False)).words(20)


def test_it_begins_as_it_was_found_and_says_so_elsewhere():
    circuit = found()
    sized = CircuitSize(circuit)
    assert sized.chosen == 20
    assert sized.select(20) is circuit
    other = sized.select(60)
    assert other.title == "Circuit of ioi, 60 edges asked for"
    assert f"60 edges asked for, {pruned('top', 60, True).sum()} kept; the size was chosen by hand" in other.notes["selection"]
    assert not {"summary", "verified"} & set(other.parts), "these were measured of the circuit found"
    assert "stability" not in other.notes
    with pytest.raises(BadInput, match="the size must be one of 3, 20, 60"):
        sized.select(21)


def test_scores_alone_have_sizes_and_no_number():
    sized = CircuitSize(scored())
    assert sized.sizes == [10, 20, 50, 100, GRAPH.n_edges]
    assert sized.chosen == 100
    assert sized.curve is None
    assert sized.said() == []
    for size in sized.sizes:
        assert sized.measured(size) is None
        said = sized.words(size)
        assert said.endswith("faithfulness was not measured: Find a circuit (discover) measures it")
        assert "[" not in said
        assert sized.select(size).parts["kept"].values.sum() == pruned("top", size, True).sum()


def test_a_number_that_is_missing_is_none():
    circuit = found()
    curve = circuit.parts["curve"].copy()
    curve[0, 1] = np.nan
    sized = CircuitSize(circuit.replace(parts={**circuit.parts, "curve": curve}, notes={**circuit.notes, "nan": "no gap"}))
    assert sized.measured(20) is None
    assert "not measured" in sized.words(20)


def test_edges_that_were_not_scored_are_not_asked_for():
    scores = SCORES.copy()
    scores[30:] = np.nan
    sized = CircuitSize(scored(scores, nan="not drawn"))
    assert sized.sizes == [10, 20, 30]
    assert not sized.kept(30)[30:].any()


def test_few_edges_are_one_size():
    few = Graph(1, 1, 1, mlps=False)
    made = as_circuit(few, "Edges", "logits", np.arange(few.n_edges, dtype=float), None, {}, {})
    assert CircuitSize(made).sizes == [few.n_edges]
    assert CircuitSize(made).chosen == few.n_edges


def test_the_summary_is_said_with_names():
    said = dict(CircuitSize(found()).said())
    assert said["edges kept"] == f"{pruned('top', 20, True).sum()} of {GRAPH.n_edges} (25 %)"
    assert said["faithfulness"] == "0.50 on held-out prompts"
    assert set(said) == {"edges kept", "faithfulness"}


def test_intervals_in_words():
    nan = float("nan")
    assert interval(0.842, 0.71, 0.934) == "0.84 [0.71, 0.93]"
    assert interval(1.0, 0.9999, 1.0001) == "1.00"
    assert interval(-0.001, nan, nan) == "0.00"


def test_the_curve_marks_the_size():
    sized = CircuitSize(found())
    made = figure(sized.curve, log=True, mark=60)
    assert [(shape.name, shape.x0, shape.x1) for shape in made.layout.shapes] == [("mark", 60, 60)]
    assert not figure(sized.curve).layout.shapes
    words = samples.curve().values.assign_coords(size=list("abcdef"))
    with pytest.raises(BadInput, match="mark must be None"):
        figure(samples.curve(values=words), mark=1)


def test_what_discover_finds_is_among_its_sizes():
    model = load("tiny:repeat", device="cpu")
    pairs = TASKS["repeated_tokens"](model, n=8)
    circuit = METHODS["discover"](model, pairs, scorer="eap", n_edges=9, resamples=0, random=1)
    sized = CircuitSize(circuit)
    assert sized.chosen == 9
    fresh = CircuitSize(circuit.replace(parts={name: part for name, part in circuit.parts.items() if name != "kept"}))
    counts = circuit.parts["curve_kept"].sel(series="by size of score")
    for size in sized.sizes:
        assert fresh.kept(size).sum() == int(counts.sel(size=size))
    np.testing.assert_array_equal(fresh.kept(9), circuit.parts["kept"].values)
    assert sized.measured(9).value == pytest.approx(sized.summary["faithfulness"])


def test_a_node_or_an_edge_of_the_network_finds_the_head():
    wanted = {
        "input": None, "logits": None, "m1": None, "a1.h2": Cell(1, 2), "a2.kv1": Cell(2, 1, None, "k"),
        "a0.h1->a2.kv1<v>": Cell(2, 1, None, "v"), "a0.h1->m2": Cell(0, 1), "input->a1.h3<q>": Cell(1, 3), "m0->logits": None,
    }  # fmt: skip
    for place, cell in wanted.items():
        assert cell_of_place(GRAPH, place) == cell
    circuit = scored()
    assert group_of(circuit, Cell(2, 1, None, "k")) == (1, 2)
    assert group_of(circuit, Cell(2, 1)) is None


@pytest.fixture
def view(tmp_path):
    """A view that shows a stored circuit."""
    made = Circuits(Jobs(), Store(tmp_path))
    made.open(made.store.put(found()))
    return made


def test_the_view_shows_the_size_chosen_and_forgets_it_with_the_circuit(view):
    assert view.shown is view.result
    view.resize(60)
    assert view.shown.parts["kept"].values.sum() == pruned("top", 60, True).sum()
    assert view.sizes is view.sizes
    with pytest.raises(BadInput, match="the size must be one of"):
        view.resize(61)
    view.open(view.key)
    assert view.size is None
    assert view.shown is view.result


def test_the_size_stands_in_the_url(view):
    assert "size" not in written(view)
    view.resize(60)
    other = Circuits(view.jobs, view.store)
    restore(other, written(view))
    assert (other.size, other.notice) == (60, None)
    restore(other, {**written(view), "size": "61"})
    assert "the size must be one of 3, 20, 60" in other.notice.text


def test_an_unfinished_circuit_has_no_sizes_and_is_shown_as_it_is(view):
    scores = SCORES.copy()
    scores[5:] = np.nan
    partial = scored(scores, nan="not yet")
    view.param.update(result=partial, whole=False)
    assert view.sizes is None
    assert view.shown is partial
    with pytest.raises(BadInput, match="the size must be given for a finished circuit"):
        view.resize(20)
