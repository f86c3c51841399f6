"""The graph: the published counts and order, names there and back, what pruning may and may not take."""

import numpy as np
import pytest

from workbench.errors import BadInput
from workbench.graph import Graph, graph_of

SERIAL, PARALLEL = Graph(3, 4, 4), Graph(3, 4, 4, parallel=True)
GROUPED, BARE = Graph(3, 4, 2), Graph(3, 4, 4, mlps=False)
ALL = {"serial": SERIAL, "parallel": PARALLEL, "grouped": GROUPED, "attention only": BARE}


@pytest.fixture(params=ALL)
def graph(request):
    return ALL[request.param]


def test_gpt2_small_has_the_published_counts():
    graph = Graph(12, 12, 12)
    assert (graph.n_sources, graph.n_destinations, graph.n_edges) == (157, 445, 32491)


def test_indices_follow_the_published_formulas():
    layers, heads = 12, 12
    graph = Graph(layers, heads, heads)
    for layer in range(layers):
        assert graph.mlp(layer) == 1 + layer * (heads + 1) + heads == graph.source(f"m{layer}")
        assert graph.destination(f"m{layer}") == layer * (3 * heads + 1) + 3 * heads
        for head in range(heads):
            assert graph.source(f"a{layer}.h{head}") == 1 + layer * (heads + 1) + head
            for place, slot in enumerate("qkv"):
                assert graph.destination(f"a{layer}.h{head}<{slot}>") == layer * (3 * heads + 1) + place * heads + head
    assert graph.destination("logits") == graph.n_destinations - 1


def test_an_edge_leads_to_what_is_computed_later(graph):
    """Written from the names alone."""
    order = {"q": 0, "k": 0, "v": 0, "head": 1, "mlp": 2, "input": 0, "logits": 0}
    for src, source in enumerate(graph.sources):
        for dst, destination in enumerate(graph.destinations):
            (layer, kind, _), (at, slot, _) = graph.place(source), graph.place(destination)
            later = layer < at or (layer == at and kind == "head" and slot == "mlp" and not graph.parallel)
            assert graph.edges[src, dst] == later, (source, destination)
            assert order[kind] <= 2


def test_names_lead_back(graph):
    src, dst = graph.edge_list
    assert len(src) == graph.n_edges
    for one, other in zip(src, dst, strict=True):
        assert graph.edge(graph.name(one, other)) == (one, other)
    picked = np.random.default_rng(0).random(graph.edges.shape) < 0.2
    assert (graph.mask(graph.names(picked)) == (picked & graph.edges)).all()


def test_a_group_of_query_heads_is_fed_by_one_key():
    key = GROUPED.destination("a1.kv1<k>")
    assert [GROUPED.sources[i] for i in np.flatnonzero(GROUPED.feeds[key])] == ["a1.h2", "a1.h3"]
    assert GROUPED.n_destinations == 3 * (4 + 2 + 2 + 1) + 1


def test_pruning_takes_what_lies_on_no_path(graph):
    path = ["input->a0.h1<v>" if graph.group == 1 else "input->a0.kv0<v>", "a0.h1->logits"]
    dangling = ["a1.h0->logits", "input->a2.h3<q>"]
    assert graph.names(graph.pruned(graph.mask(path + dangling))) == sorted(path, key=graph.edge)
    assert not graph.pruned(graph.mask(dangling)).any()
    assert (graph.pruned(graph.edges) == graph.edges).all()


def test_pruning_a_random_circuit_leaves_paths_only(graph):
    drawn = (np.random.default_rng(1).random(graph.edges.shape) < 0.1) & graph.edges
    kept = graph.pruned(drawn)
    assert (kept <= drawn).all()
    assert (graph.pruned(kept) == kept).all()
    for src, dst in np.argwhere(kept):
        assert src == 0 or kept[:, graph.feeds[:, src]].any()
        assert dst == graph.logits or kept[graph.feeds[dst]].any()


def test_the_circuit_of_all_nodes_is_the_whole_graph(graph):
    assert (graph.between(np.ones(graph.n_sources, bool)) == graph.edges).all()
    only_input = graph.between(np.zeros(graph.n_sources, bool))
    assert graph.names(only_input) == ["input->logits"]
    assert graph.nodes(graph.edges).all()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a0.h1", "SOURCE->DESTINATION"),
        ("a2.h0->a1.h0<q>", "computed after its source"),
        ("m0->a0.h0<q>", "computed after its source"),
        ("a7.h0->logits", "layer of 'a7.h0' must be from 0 to 2"),
        ("a0.h9->logits", "head of 'a0.h9' must be from 0 to 3"),
        ("input->a0.h1<k>", "per key-value head"),
        ("nonsense->logits", "must be written like"),
    ],
)
def test_an_edge_that_does_not_exist_is_told(name, message):
    with pytest.raises(BadInput, match=message):
        GROUPED.edge(name)


def test_the_config_alone_says_the_graph():
    class cfg:
        n_layers, n_heads, n_key_value_heads, parallel_attn_mlp, attn_only = 2, 6, 3, True, False

    assert graph_of(cfg) == Graph(2, 6, 6, parallel=True)
    assert graph_of(cfg, "key_value") == Graph(2, 6, 3, parallel=True)
    with pytest.raises(BadInput, match="readers must be one of"):
        graph_of(cfg, "both")
