"""discover: selection by intervention, what is reported of it on prompts held out, and every scorer it takes."""

import numpy as np
import pytest

from tests.conftest import toy_pairs
from workbench import select
from workbench.edges import search
from workbench.edges.exact import patched
from workbench.edges.measure import Frame, completeness, framed, measured
from workbench.edges.run import Circuits
from workbench.edges.search import smallest
from workbench.edges.wiring import Wiring
from workbench.errors import BadInput
from workbench.known import known_pairs, wired
from workbench.methods import METHODS
from workbench.methods.discover import SCORERS, halves
from workbench.models import load
from workbench.select import Ranking

DISCOVER = METHODS["discover"]


@pytest.fixture(scope="module")
def induction():
    model = load("known:induction", device="cpu")
    return model, known_pairs(model, "induction", n=12, seed=2), wired("induction")


def numbers(result):
    part = result.parts["summary"]
    return dict(zip(part.coords["measure"].values.tolist(), part.values.tolist(), strict=True))


def test_the_whole_is_what_its_pieces_give(induction):
    """Every number of the summary, by hand on the half held out; and the circuit is the known one."""
    model, pairs, known = induction
    found = DISCOVER(model, pairs, n_edges=5, verify=5)
    told, kept = numbers(found), found.parts["kept"].values
    assert (kept == known.mask[known.graph.edge_list]).all()
    finding, reporting = halves(pairs, 0)
    circuits = Circuits(Wiring(model), reporting)
    frame = framed(circuits)
    assert told["faithfulness"] == pytest.approx(float(frame.faithfulness(measured(circuits, [known.mask]))[0]))
    assert told["faithfulness"] == pytest.approx(1, abs=1e-3)
    assert told["faithfulness low"] <= told["faithfulness"] <= told["faithfulness high"]
    assert told["faithfulness of the rest"] == pytest.approx(completeness(circuits, frame, known.mask))
    assert told["edges"] == kept.sum()
    assert told["edges asked for"] >= told["edges"]
    assert told["share of edges"] == pytest.approx(kept.mean())
    assert told["stability"] == pytest.approx(1)
    exact = patched(Circuits(Wiring(model), finding), found.parts["verified"].coords["edge"].values.tolist(), "x").mean(0)
    assert np.allclose(found.parts["verified"].sel(value="exact"), exact, atol=1e-5)
    curve = found.parts["curve"]
    sizes = curve.coords["size"].values
    masks = [select.random(known.graph, int(n), draw) for n in sizes for draw in range(3)]
    drawn = frame.faithfulness(measured(circuits, [known.graph.pruned(mask) for mask in masks])).reshape(-1, 3)
    assert np.allclose(curve.sel(series="random edges"), drawn.mean(1), atol=1e-5)
    assert np.allclose(curve.sel(size=sizes[-1]), 1, atol=1e-4)
    assert told["cpr"] > 0.9
    assert told["cmd"] < 0.1


def test_fewer_edges_than_the_circuit_can_be_enough(induction):
    """Both prompts say the same word twice: where the corrupt run looks, the clean value lies. Faithful is not complete."""
    model, pairs, _ = induction
    found = DISCOVER(model, pairs, target=0.99)
    assert found.names()[found.parts["kept"].values].tolist() == ["input->a1.h3<v>", "a1.h3->logits"]
    assert numbers(found)["faithfulness"] == pytest.approx(1, abs=1e-3)


def test_found_on_one_half_and_reported_on_the_other(induction):
    model, pairs, _ = induction
    finding, reporting = halves(pairs, seed=3)
    ids = {tuple(row) for row in finding.clean.tolist()}
    assert len(finding) == len(reporting) == 6
    assert not ids & {tuple(row) for row in reporting.clean.tolist()}
    found = DISCOVER(model, pairs, seed=3)
    alone = METHODS["eap_ig"](model, finding)
    assert np.allclose(found.values.values, alone.values.values)
    assert found.notes["hold-out"] == "found on 6 pairs, reported on 6 others"
    same = DISCOVER(model, pairs, hold_out=False)
    assert numbers(same)["faithfulness"] == pytest.approx(numbers(same)["faithfulness where found"])


@pytest.mark.parametrize("scorer", sorted(SCORERS))
def test_every_scorer_gives_a_circuit(induction, scorer):
    model, pairs, _ = induction
    found = DISCOVER(model, pairs, scorer=scorer, target=0.5, random=1, resamples=10)
    assert numbers(found)["faithfulness where found"] >= 0.5
    assert found.notes["scorer"] == scorer
    assert ("stability" in numbers(found)) == ("stability" not in found.notes)


def test_a_size_asked_for_is_kept_greedily_and_by_sign(induction):
    model, pairs, known = induction
    greedy = DISCOVER(model, pairs, n_edges=5, rule="greedy", random=0, resamples=0)
    assert greedy.parts["kept"].values.sum() == 5
    assert set(greedy.parts["curve"].coords["series"].values) == {"by size of score", "by signed score"}
    signed = DISCOVER(model, pairs, n_edges=20, absolute=False, random=0, resamples=0)
    scores = signed.values.values
    assert (known.graph.pruned(select.top(known.graph, scores, 20, absolute=False))[known.graph.edge_list]
            == signed.parts["kept"].values).all()  # fmt: skip


@pytest.mark.parametrize("goal", [0.05, 0.3, 0.5, 0.9, 1.0])
def test_the_smallest_size_reaches_the_target_and_no_smaller_one_tried_does(llama, monkeypatch, goal):
    """On a behaviour that comes back in proportion to the edges kept; sizes are bracketed to a share of the step before."""
    circuits = Circuits(Wiring(llama), toy_pairs(llama))
    graph = circuits.wiring.graph
    tried = {}

    def proportion(circuits, masks):
        shares = np.array([mask.sum() / graph.n_edges for mask in masks])
        tried.update({int(mask.sum()): share for mask, share in zip(masks, shares, strict=True)})
        return shares[:, None]

    monkeypatch.setattr(search, "measured", proportion)
    ranking = Ranking(graph, np.random.default_rng(0).permutation(graph.n_edges) + 1.0)
    size = smallest(ranking, circuits, Frame(np.ones(1), np.zeros(1)), goal)
    reached = int(ranking.circuit(size).sum()) / graph.n_edges
    assert reached >= goal
    assert not [share for n, share in tried.items() if n < ranking.circuit(size).sum() and share >= goal]
    assert reached - goal < 0.05


def test_bad_input(induction, llama):
    model, pairs, known = induction
    with pytest.raises(
        BadInput, match=r"target must be a faithfulness that a circuit reaches; got 2, and the whole graph gives 1\.00"
    ):
        DISCOVER(model, pairs, target=2)
    with pytest.raises(BadInput, match="hold_out must have at least 2 pairs to halve; got 1"):
        DISCOVER(model, pairs.select([0]))
    with pytest.raises(BadInput, match=f"n_edges must be at most {known.graph.n_edges}"):
        DISCOVER(model, pairs, n_edges=10**6)
    with pytest.raises(BadInput, match="faithfulness must have a gap"):
        DISCOVER(llama, toy_pairs(llama, n=6), scorer="edge_patch")
