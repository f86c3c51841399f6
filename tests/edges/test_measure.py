"""Measures of circuits: by their definitions, and where they are undefined."""

import numpy as np
import pytest

from workbench.edges.measure import Frame, areas, auroc, completeness, framed, measured, minimality, precision_recall
from workbench.edges.run import Circuits
from workbench.edges.search import curves
from workbench.edges.wiring import Wiring
from workbench.errors import BadInput
from workbench.select import SHARES, Ranking
from workbench.tasks import TASKS


def test_faithfulness_is_a_ratio_of_means():
    frame = Frame(np.array([2.0, 4.0]), np.array([0.0, 2.0]))
    assert frame.faithfulness(np.array([[2.0, 4.0], [0.0, 2.0], [1.0, 3.0]])).tolist() == [1.0, 0.0, 0.5]
    low, high = frame.interval(np.array([[1.0, 3.0]]), 0)
    assert low <= 0.5 <= high


def test_areas_are_trapezoids_on_the_nominal_axis():
    """A circuit that is whole at every size has CPR 0.999 and CMD 0; one that rises in proportion, half of each."""
    whole = [1.0] * len(SHARES)
    assert areas(SHARES, whole, whole) == {"cpr": pytest.approx(0.999), "cmd": pytest.approx(0.0)}
    rising = areas(SHARES, SHARES, SHARES)
    assert rising["cpr"] == pytest.approx((1 - 0.001**2) / 2)
    assert rising["cmd"] == pytest.approx((1 - 0.001) ** 2 / 2)
    # Overshooting costs CMD as much as falling short.
    assert areas(SHARES, whole, [2.0] * len(SHARES))["cmd"] == pytest.approx(0.999)


def test_auroc_counts_pairs():
    scores, truth = np.array([3.0, 2.0, 2.0, 1.0, np.nan]), np.array([True, True, False, False, True])
    pairs = [(1.0 if a > b else 0.5 if a == b else 0.0) for a in scores[:2] for b in scores[2:4]]
    assert auroc(scores, truth) == pytest.approx(np.mean(pairs))
    with pytest.raises(BadInput, match="cells in and out"):
        auroc(scores, np.ones(5, bool))


def test_precision_and_recall():
    assert precision_recall(np.array([1, 1, 0], bool), np.array([1, 0, 1], bool)) == (0.5, 0.5)
    assert np.isnan(precision_recall(np.zeros(2, bool), np.ones(2, bool))[0])


def test_of_real_circuits(circuits_of):
    circuits = circuits_of("llama", n=1)
    frame, graph = framed(circuits), circuits.wiring.graph
    assert frame.faithfulness(measured(circuits, [graph.edges, np.zeros_like(graph.edges)])) == pytest.approx([1, 0], abs=1e-4)
    assert completeness(circuits, frame, graph.edges) == pytest.approx(0, abs=1e-4)
    falls = minimality(circuits, frame, graph.edges)
    assert set(falls) == set(graph.sources) - {"input"}
    # A node taken out by hand, edges out and in.
    without = graph.edges.copy()
    node = graph.source("a1.h2")
    without[node] = False
    without[:, graph.feeds[:, node]] = False
    by_hand = 1 - float(frame.faithfulness(measured(circuits, [without]))[0])
    assert falls["a1.h2"] == pytest.approx(by_hand, abs=1e-4)


def test_where_prompts_disagree_faithfulness_is_undefined_and_said_so(circuits_of):
    circuits = circuits_of("llama")
    circuits.clean = circuits.corrupt.clone()
    with pytest.raises(BadInput, match="faithfulness must have a gap between clean and corrupt to divide by; got 0 logits"):
        framed(circuits)


@pytest.mark.slow
def test_h_random_circuits_of_a_trained_model_give_back_nothing_until_most_edges_are_there(smollm):
    """CPR of edges ranked at random: 0.25 to 0.32 on the models of MIB (table 3), the area under a rise from half on."""
    pairs = TASKS["ioi"](smollm, n=4, seed=0)
    circuits = Circuits(Wiring(smollm, "key_value"), pairs)
    graph, frame = circuits.wiring.graph, framed(circuits)
    found = []
    for seed in range(2):
        ranking = Ranking(graph, np.random.default_rng(seed).standard_normal(graph.n_edges))
        found.append(curves(ranking, circuits, frame, [], 0, seed).mib(graph)["cpr"])
    assert 0.2 < np.mean(found) < 0.4
