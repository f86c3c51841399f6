"""Nodes and edges replaced by hand: against runs of circuits, exact edge patching and plain hooks, in every family."""

import numpy as np
import pytest
import torch

from tests import families
from tests.conftest import toy_pairs
from workbench.edges.exact import patched
from workbench.edges.interventions import Intervention, intervened, recorded
from workbench.edges.run import Circuits, stacked
from workbench.edges.wiring import Wiring
from workbench.effects import mean_of, order_of_others
from workbench.errors import BadInput
from workbench.hooks import read, writing
from workbench.sites import Site

READERS = ("query", "key_value")
ABLATION = {"other": "corrupt", "mean": "mean", "zero": "zero"}


def after(model, pairs, *places, by="other", **given):
    each = [place if isinstance(place, Intervention) else Intervention(place, by) for place in places]
    return intervened(model, pairs, each, **given).after


@pytest.mark.parametrize("family", families.FAMILIES)
@pytest.mark.parametrize("readers", READERS)
@pytest.mark.parametrize("by", ABLATION)
def test_an_edge_is_the_graph_without_it_and_a_node_the_graph_without_its_edges(model_of, family, readers, by):
    model = model_of(family)
    pairs = toy_pairs(model)
    circuits = Circuits(Wiring(model, readers), pairs, ablation=ABLATION[by])
    graph, base = circuits.wiring.graph, recorded(model, pairs, readers=readers)
    rng = np.random.default_rng(0)
    edges = [graph.name(*np.array(graph.edge_list)[:, one]) for one in rng.choice(graph.n_edges, 12, replace=False)]
    edges += [name for name in graph.names(graph.edges) if name.endswith("->logits")][1::4]
    # With no input at all the norms divide rounding errors by next to nothing.
    sources = graph.sources[by == "zero" :]
    without = []
    for place in [*edges, *sources]:
        mask = graph.edges.copy()
        mask[graph.edge(place) if "->" in place else graph.source(place)] = False
        without.append(mask)
    wanted = circuits.measure(stacked(without)).double().numpy()
    found = np.stack([after(model, pairs, place, by=by, base=base) for place in [*edges, *sources]])
    assert np.abs(wanted - circuits.clean.numpy()).max() > 0.01
    np.testing.assert_allclose(found, wanted, atol=2e-5)
    together = after(model, pairs, *graph.sources[1:], *edges, by=by, base=base)
    mask = graph.edges & np.isin(np.arange(graph.n_sources), 0)[:, None]
    for edge in edges:
        mask[graph.edge(edge)] = False
    np.testing.assert_allclose(together, circuits.measure(stacked([mask]))[0].double().numpy(), atol=2e-5)


@pytest.mark.parametrize("family", families.FAMILIES)
def test_every_edge_by_the_other_run_is_the_corrupt_run_and_none_the_clean_one(model_of, family):
    model = model_of(family)
    pairs = toy_pairs(model)
    graph = Wiring(model).graph
    nothing = intervened(model, pairs, [])
    clean, corrupt = (read(model, tokens, pairs.end, [])[0] for tokens in (pairs.clean, pairs.corrupt))
    np.testing.assert_array_equal(nothing.before, nothing.after)
    assert nothing.change == 0
    everything = [Intervention(name, "other") for name in graph.names(graph.edges)]
    found = intervened(model, pairs, everything, top=3)
    circuits = Circuits(Wiring(model), pairs)
    np.testing.assert_allclose(found.after, circuits.corrupt.double().numpy(), atol=2e-5)
    np.testing.assert_array_equal(found.tokens[0], clean.topk(3).indices)
    np.testing.assert_array_equal(found.tokens[1], corrupt.topk(3).indices)
    np.testing.assert_allclose(found.probabilities[1], corrupt.softmax(-1).topk(3).values, atol=1e-5)


def test_an_edge_replaced_is_edge_patching_with_the_other_sign(llama):
    pairs = toy_pairs(llama)
    circuits = Circuits(Wiring(llama), pairs)
    graph = circuits.wiring.graph
    picked = [int(one) for one in np.random.default_rng(3).choice(graph.n_edges, 8, replace=False)]
    exact = patched(circuits, picked, "edges")
    src, dst = graph.edge_list
    for place, edge in enumerate(picked):
        found = intervened(llama, pairs, [Intervention(graph.name(src[edge], dst[edge]), "other")])
        np.testing.assert_allclose(found.after - found.before, -exact[:, place], atol=2e-5)
        assert np.isclose(found.change, -exact[:, place].mean(), atol=2e-5)
        assert np.isclose(found.error, exact[:, place].std(ddof=1) / len(pairs) ** 0.5, atol=2e-5)


@pytest.mark.parametrize("by", ["zero", "mean", "resample", "other"])
def test_a_head_replaced_is_a_hook_at_its_output(llama, by):
    pairs = toy_pairs(llama)
    site = Site("z", 1)
    kept = read(llama, pairs.corrupt, pairs.end, [site])[1][site]
    values = {
        "zero": torch.zeros_like(kept), "mean": mean_of(pairs, kept), "other": kept,
        "resample": kept[order_of_others(len(pairs), 7)],
    }  # fmt: skip

    def write(z):
        z = z.clone()
        z[:, :, 2] = values[by][:, :, 2]
        return z

    with torch.no_grad(), writing(llama, {site: write}):
        hooked = read(llama, pairs.clean, pairs.end, [])[0]
    found = intervened(llama, pairs, [Intervention("a1.h2", by)], seed=7, top=2)
    np.testing.assert_array_equal(found.tokens[1], hooked.topk(2).indices)
    np.testing.assert_allclose(found.probabilities[1], hooked.softmax(-1).topk(2).values, atol=1e-5)


def test_several_kinds_at_once_and_the_edges_own_goes_before_its_sources(llama):
    pairs = toy_pairs(llama)
    graph = Wiring(llama).graph
    one, other = "a0.h1", "m1"
    both = after(llama, pairs, Intervention(one, "zero"), Intervention(other, "mean"))
    edges = [name for name in graph.names(graph.edges) if name.startswith(f"{one}->")]
    edge_by_edge = [Intervention(name, "zero") for name in edges]
    np.testing.assert_allclose(both, after(llama, pairs, *edge_by_edge, Intervention(other, "mean")), atol=2e-5)
    assert np.abs(both - after(llama, pairs, Intervention(one, "zero"))).max() > 1e-3
    exempt = after(llama, pairs, Intervention(one, "zero"), Intervention(edges[-1], "other"))
    wanted = after(llama, pairs, *edge_by_edge[:-1], Intervention(edges[-1], "other"))
    np.testing.assert_allclose(exempt, wanted, atol=2e-5)
    last = after(llama, pairs, Intervention(one, "zero"), Intervention(one, "other"))
    np.testing.assert_array_equal(last, after(llama, pairs, Intervention(one, "other")))


def test_what_cannot_be_replaced_says_why(llama):
    pairs = toy_pairs(llama)
    for place, message in (
        ("logits", "must write to the stream"), ("a9.h0", "layer of 'a9.h0'"), ("a2.h0->a1.h0<q>", "computed after its source"),
        ("nonsense", "must be written like"), ("a0.kv1", "must be a node of this graph"),
    ):  # fmt: skip
        with pytest.raises(BadInput, match=message):
            intervened(llama, pairs, [Intervention(place)])
    with pytest.raises(BadInput, match="by must be one of"):
        Intervention("m0", "corrupt")
    for by in ("mean", "resample"):
        with pytest.raises(BadInput, match="at least 2 pairs"):
            intervened(llama, pairs.select([0]), [Intervention("m0", by)])
    assert Intervention("a0.h1->a2.h3<q>").said() == "the edge a0.h1 → a2.h3<q> carries zero"
