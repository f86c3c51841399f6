"""Selection: against the definitions, on graphs small enough to read."""

import numpy as np
import pytest

from workbench import select
from workbench.errors import BadInput
from workbench.graph import Graph

GRAPH = Graph(2, 2, 2)


def scores(seed=0):
    return np.random.default_rng(seed).normal(size=GRAPH.n_edges)


def kept(mask):
    return mask[GRAPH.edge_list]


def test_top_takes_the_largest_by_size_or_by_sign():
    values = scores()
    assert set(np.flatnonzero(kept(select.top(GRAPH, values, 5)))) == set(np.argsort(-np.abs(values))[:5])
    assert set(np.flatnonzero(kept(select.top(GRAPH, values, 5, absolute=False)))) == set(np.argsort(-values)[:5])
    assert (select.top(GRAPH, values, GRAPH.n_edges) == GRAPH.edges).all()
    assert not select.top(GRAPH, values, 0).any()


def test_edges_without_a_score_rank_last():
    values = scores()
    values[3] = np.nan
    for absolute in (True, False):
        ranking = select.Ranking(GRAPH, values, absolute=absolute)
        assert ranking.order()[-1] == 3
        assert not kept(ranking.circuit(GRAPH.n_edges - 1))[3]
        expected = GRAPH.pruned(select.top(GRAPH, np.nan_to_num(values, nan=-99 * (not absolute)), 9, absolute))
        assert (ranking.circuit(9) == expected).all()


def test_greedy_is_the_best_edge_into_what_is_there_each_time():
    values = scores(3)
    lookup = np.full(GRAPH.edges.shape, -np.inf)
    lookup[GRAPH.edge_list] = np.abs(values)
    mask = np.zeros_like(GRAPH.edges)
    for count in range(1, 12):
        # Written out: every edge into the logits, or into a slot of a node that already has an edge out.
        into = mask.any(1)[None, :] & GRAPH.feeds
        slots = into.any(1)
        slots[GRAPH.logits] = True
        open_edges = GRAPH.edges & slots[None, :] & ~mask
        best = np.unravel_index(np.argmax(np.where(open_edges, lookup, -np.inf)), mask.shape)
        mask[best] = True
        assert (select.greedy(GRAPH, values, count) == mask).all(), count


def test_greedy_never_leaves_a_node_without_a_way_out():
    mask = select.greedy(GRAPH, scores(1), 15)
    for src, dst in np.argwhere(mask):
        assert dst == GRAPH.logits or mask[GRAPH.feeds[dst]].any(), GRAPH.name(src, dst)


def test_random_draws_so_many_and_the_seed_says_which():
    assert select.random(GRAPH, 7, 0).sum() == 7
    assert (select.random(GRAPH, 7, 0) == select.random(GRAPH, 7, 0)).all()
    assert (select.random(GRAPH, 7, 0) != select.random(GRAPH, 7, 1)).any()


def test_stability():
    same = np.repeat(scores()[None], 6, 0)
    assert select.Ranking(GRAPH, scores()).stability(same, 8, 20, 0) == (1.0, 0.0)
    noise = np.random.default_rng(0).normal(size=(6, GRAPH.n_edges))
    mean, sd = select.Ranking(GRAPH, scores()).stability(noise, 30, 20, 0)
    assert 0 < mean < 0.8
    assert sd > 0
    with pytest.raises(BadInput, match="at least 2 prompts"):
        select.Ranking(GRAPH, scores()).stability(same[:1], 8, 20, 0)


def test_sizes_are_shares_of_all_edges_and_too_many_are_told():
    assert select.sizes(Graph(12, 12, 12))[-1] == 32491
    assert select.sizes(Graph(12, 12, 12))[0] == 32
    with pytest.raises(BadInput, match=f"n must be from 0 to {GRAPH.n_edges}"):
        select.top(GRAPH, scores(), GRAPH.n_edges + 1)
