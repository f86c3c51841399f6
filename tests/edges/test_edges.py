"""Edges of every family: theory first, then the definition written naively, then the library.

The letters are those of the theory that edge scores must satisfy: sums, limits, signs.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests import families
from tests.conftest import Memory, toy_pairs
from tests.edges.conftest import scores_of
from workbench.edges.estimate import Batch, mean_writes
from workbench.edges.exact import patched
from workbench.edges.gradients import read_gradients
from workbench.edges.run import Circuits, stacked
from workbench.edges.wiring import Wiring
from workbench.errors import BadInput
from workbench.known import known_pairs, wired
from workbench.methods import METHODS
from workbench.metrics import METRICS, answers_of
from workbench.models import load
from workbench.progress import keeping, listening
from workbench.sites import Site

ABLATIONS = ("corrupt", "mean", "zero")
READERS = ("query", "key_value")


def random_mask(graph, share=0.5, seed=0):
    return (np.random.default_rng(seed).random(graph.edges.shape) < share) & graph.edges


@pytest.mark.parametrize("family", families.FAMILIES)
@pytest.mark.parametrize("readers", READERS)
@pytest.mark.parametrize("ablation", ABLATIONS)
def test_g_the_whole_graph_is_the_model_and_no_edge_the_ablated_run(circuits_of, family, readers, ablation):
    circuits = circuits_of(family, readers, ablation)
    edges = circuits.wiring.graph.edges
    whole, none, again = circuits.measure(stacked([edges, np.zeros_like(edges), np.ones_like(edges)]))
    assert torch.allclose(whole, circuits.clean, atol=1e-5)
    assert torch.allclose(again, circuits.clean, atol=1e-5)
    if ablation == "corrupt":
        assert torch.allclose(none, circuits.corrupt, atol=1e-5)
    else:
        assert (none - circuits.clean).abs().max() > 0.01


@pytest.mark.parametrize("family", families.FAMILIES)
@pytest.mark.parametrize("readers", READERS)
def test_an_edge_patched_alone_is_the_whole_graph_without_it(circuits_of, family, readers):
    """The engine's exact patching against the circuits' own forward pass: two ways to the same number."""
    for ablation in ("corrupt", "mean"):
        circuits = circuits_of(family, readers, ablation)
        graph = circuits.wiring.graph
        picked = np.random.default_rng(0).choice(graph.n_edges, 40, replace=False)
        exact = patched(circuits, [int(edge) for edge in picked], "edges")
        masks = np.repeat(graph.edges[None], len(picked), 0)
        masks[np.arange(len(picked)), graph.edge_list[0][picked], graph.edge_list[1][picked]] = False
        naive = (circuits.clean - circuits.measure(stacked(masks))).T.numpy()
        assert np.abs(exact).max() > 0.01
        assert np.abs(exact - naive).max() < 2e-5


@pytest.mark.parametrize("family", families.FAMILIES)
@pytest.mark.parametrize("rules", [None, ("ln", "identity", "half")], ids=["gradient", "relevance"])
def test_d_out_edges_add_up_to_the_node(circuits_of, model_of, family, rules):
    for readers in READERS:
        circuits = circuits_of(family, readers)
        graph, model = circuits.wiring.graph, model_of(family)
        totals = scores_of(circuits, rules).sum(2).double().numpy()
        node = METHODS["relp" if rules else "atp"]
        pairs = toy_pairs(model)
        for layer in range(graph.n_layers):
            mlp = node(model, pairs, sites="mlp_out", by="layer", direction="noise").values.values[layer]
            assert np.allclose(totals[:, graph.mlp(layer)], -mlp, atol=1e-5)
            # Where a norm follows the attention its heads have no effects of their own: together they have.
            added = node(model, pairs, sites="attn_out", by="layer", direction="noise").values.values[layer]
            assert np.allclose(totals[:, graph.heads(layer)].sum(1), -added, atol=1e-5)
            if family != "gemma2":
                heads = node(model, pairs, sites="z", by=("layer", "head"), direction="noise").values.values[layer]
                assert np.allclose(totals[:, graph.heads(layer)], -heads.T, atol=1e-5)


@pytest.mark.parametrize("family", families.FAMILIES)
def test_c_edge_attribution_is_the_gradient_of_the_mask(circuits_of, family):
    for readers in READERS:
        circuits = circuits_of(family, readers)
        masks = torch.ones(1, *circuits.wiring.graph.edges.shape, requires_grad=True)
        with torch.enable_grad():
            values = circuits.run(masks, slice(0, len(circuits.pairs)))
            (gradient,) = torch.autograd.grad(values.sum(), masks)
        expected = scores_of(circuits).sum(0)
        edges = torch.from_numpy(circuits.wiring.graph.edges)
        assert expected.abs().max() > 0.01
        assert torch.allclose(gradient[0][edges], expected[edges], atol=2e-5)


@pytest.mark.parametrize("family", families.FAMILIES)
def test_b_the_sign_is_that_of_exact_patching(circuits_of, family):
    """For a small step the two are the same number: the ablated run is moved next to the clean one."""
    circuits = circuits_of(family)
    near = 1e-3
    circuits.ablated = circuits.clean_writes.each(lambda clean, corrupt: clean + near * (corrupt - clean), circuits.ablated)
    graph = circuits.wiring.graph
    exact = patched(circuits, list(range(graph.n_edges)), "edges")
    estimate = scores_of(circuits)[:, graph.edge_list[0], graph.edge_list[1]].double().numpy()
    assert np.corrcoef(exact.ravel(), estimate.ravel())[0, 1] > 0.98
    assert np.abs(exact - estimate).max() < 0.05 * np.abs(estimate).max()


def test_e_integrated_gradients_complete(model_of):
    """The edges out of the input, with the embedding on the straight way and all else following, sum up to the gap."""
    model = model_of("llama")
    pairs = toy_pairs(model)
    off = []
    for steps in (2, 64):
        result = METHODS["eap_ig"](model, pairs, steps=steps, step_range="1..m")
        from_input = result.values.values[result.values.coords["src"].values == 0].sum()
        gap = float(result.parts["clean"].mean() - result.parts["corrupt"].mean())
        off.append(abs(from_input - gap))
    assert off[1] < 0.05 * max(abs(gap), off[0])


def test_the_two_step_ranges_differ_by_their_ends(model_of):
    model = model_of("llama")
    pairs = toy_pairs(model)
    both = {name: METHODS["eap_ig"](model, pairs, steps=1, step_range=name) for name in ("0..m-1", "1..m")}
    assert np.allclose(both["1..m"].values, METHODS["eap"](model, pairs, gradient_at="clean").values, atol=1e-6)
    at_corrupt = METHODS["eap"](model, pairs, gradient_at="corrupt")
    assert not np.allclose(both["1..m"].values, both["0..m-1"].values, atol=1e-3)
    # At k = 0 the embedding is the corrupt prompt's, and so is all that follows.
    assert np.allclose(both["0..m-1"].values, at_corrupt.values, atol=1e-5)


def test_both_ends_are_the_mean_of_each(model_of):
    model = model_of("gpt2")
    pairs = toy_pairs(model)
    clean, corrupt, both = (METHODS["eap"](model, pairs, gradient_at=at).values for at in ("clean", "corrupt", "both"))
    assert np.allclose(both, (clean + corrupt) / 2, atol=1e-6)


def test_f_relevance_is_conserved_in_a_model_without_biases(model_of):
    """With every rule, what flows into the logits, and out of the input, is the whole of the answer."""
    model = model_of("llama")
    pairs = toy_pairs(model)
    pairs = replace(pairs, right=((3,),) * len(pairs))
    circuits = Circuits(Wiring(model), pairs)
    circuits.ablated = circuits.clean_writes.each(torch.zeros_like)
    scores = scores_of(circuits, ("ln", "identity", "half", "ah"))
    assert circuits.clean.abs().max() > 0.1
    assert torch.allclose(scores[:, :, -1].sum(1), circuits.clean, atol=1e-5)
    assert torch.allclose(scores[:, 0].sum(1), circuits.clean, atol=1e-5)


@pytest.mark.parametrize("family", families.FAMILIES)
def test_a_what_the_sources_write_adds_up_to_the_stream(circuits_of, family):
    """Everything linear is complete: the sources' differences are the last stream's, so their scores there are its score."""
    circuits = circuits_of(family)
    wiring, pairs = circuits.wiring, circuits.pairs
    wrote = wiring.vectors(circuits.clean_writes - circuits.corrupt_writes).sum(1)
    assert torch.allclose(wrote, circuits.last - circuits.base["logits"], atol=1e-5)
    gradients = read_gradients(wiring, pairs.clean, pairs.end, lambda logits: circuits.metric.measure(logits, circuits.answers))
    whole = ((circuits.last - circuits.base["logits"]) * gradients.logits).sum((1, 2))
    assert torch.allclose(scores_of(circuits)[:, :, -1].sum(1), whole, atol=1e-5)


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_positions_add_up_and_masks_by_position_agree(circuits_of, family):
    circuits = circuits_of(family)
    assert torch.allclose(scores_of(circuits, by_position=True).sum(1), scores_of(circuits), atol=1e-5)
    mask = random_mask(circuits.wiring.graph)
    length = circuits.pairs.clean.shape[1]
    plain = circuits.measure(stacked([mask]))
    by_position = circuits.measure(stacked([np.repeat(mask[None], length, 0)]))
    assert torch.allclose(plain, by_position, atol=1e-5)


@pytest.mark.parametrize("family", ["llama", "gemma2", "neox"])
def test_starting_above_the_first_layer_changes_nothing(circuits_of, family):
    circuits = circuits_of(family)
    graph = circuits.wiring.graph
    mask = random_mask(graph)
    mask[:, : 2 * graph.slots_per_layer] = graph.edges[:, : 2 * graph.slots_per_layer]
    assert torch.allclose(circuits.measure(stacked([mask])), circuits.measure(stacked([mask]), from_layer=2), atol=1e-5)


@pytest.mark.parametrize("readers", READERS)
def test_readers_of_a_group_add_up_to_their_key(model_of, readers):
    """What an edge into a shared key carries is the sum over the query heads that share it."""
    model = model_of("llama")
    pairs = toy_pairs(model)
    per_query, per_key = (METHODS["eap"](model, pairs, readers=name) for name in READERS)
    names = dict(zip(per_query.names(), per_query.values.values, strict=True))
    for name, score in zip(per_key.names(), per_key.values.values, strict=True):
        if ".kv" in name.partition("->")[2]:
            source, _, reader = name.partition("->")
            layer, head, slot = reader[1], int(reader[5]), reader[6:]
            parts = [names[f"{source}->a{layer}.h{2 * head + each}{slot}"] for each in (0, 1)]
            assert sum(parts) == pytest.approx(score, abs=1e-5)
        else:
            assert names[name] == pytest.approx(score, abs=1e-5)


def test_the_library_scores_the_same_edges(model_of, monkeypatch):
    """TransformerLens's own edge attribution: gradient at the corrupt run, one score per position."""
    from transformer_lens.tools.analysis.attribution_patching import EdgeAttributionConfig, attribution_patch

    model = model_of("gpt2")
    pairs = toy_pairs(model, n=2)
    ours = METHODS["eap"](model, pairs, gradient_at="corrupt")
    monkeypatch.setattr(model.original_model.transformer.wte.weight, "requires_grad", True)
    expected = dict.fromkeys(ours.names(), 0.0)
    for prompt in range(len(pairs)):
        one = pairs.select([prompt])
        answers = answers_of(one)

        def metric(logits, answers=answers, end=int(one.end)):
            return METRICS["logit_diff"].measure(logits[:, end], answers).sum()

        found = attribution_patch(model, one.clean, one.corrupt, metric, EdgeAttributionConfig(granularity="edge"))
        for (source, destination), score in found.edge_scores.items():
            expected[f"{library_edge(source)}->{library_edge(destination)}"] += float(score) / len(pairs)
    theirs = np.array([expected[name] for name in ours.names()])
    assert np.abs(theirs).max() > 0.01
    assert np.allclose(ours.values.values, theirs, atol=1e-4 * np.abs(theirs).max())


def library_edge(node) -> str:
    """The library's node as ours is named."""
    if node.kind in ("embed", "logits"):
        return {"embed": "input"}.get(node.kind, node.kind)
    if node.kind.startswith("mlp"):
        return f"m{node.layer}"
    slot = f"<{node.kind[0]}>" if node.kind.endswith("_input") else ""
    return f"a{node.layer}.h{node.head}{slot}"


def test_i_circuits_of_another_model_and_metrics_without_a_slope_are_told(circuits_of, model_of):
    circuits = circuits_of("llama")
    other = circuits_of("neox").wiring.graph
    wrong = circuits_of("llama", "key_value").wiring.graph
    assert other.edges.shape == circuits.wiring.graph.edges.shape
    with pytest.raises(BadInput, match="a circuit must be of this model's graph"):
        circuits.measure(stacked([wrong.edges]))
    model = model_of("llama")
    with pytest.raises(BadInput, match="the metric must change with the activations; got 'kl' with no gradient"):
        METHODS["eap"](model, toy_pairs(model), metric="kl")
    with pytest.raises(BadInput, match="by_position must have prompts of one length"):
        METHODS["eap"](model, toy_pairs(model, ragged=True), by_position=True)
    same = toy_pairs(model)
    with pytest.raises(BadInput, match="faithfulness must have a gap"):
        METHODS["discover"](model, replace(same, corrupt=same.clean), metric="logit_diff", hold_out=False)


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma2"])
def test_bfloat16_gives_the_same_scores_to_its_precision(model_of, family, tmp_path):
    whole = model_of(family)
    half = load(str(families.save(family, tmp_path)), device="cpu", dtype="bfloat16")
    pairs = toy_pairs(whole)
    for method, asked in (("eap", {}), ("eap_ig", {}), ("eap_relp", {}), ("edge_patch", {"sample": 60}), ("ifr", {})):
        scores, rough = (METHODS[method](model, pairs, **asked).values.values for model in (whole, half))
        there = np.isfinite(scores)
        # 8 bits of mantissa: a part in 256 per operation, of the largest.
        assert np.corrcoef(scores[there], rough[there])[0, 1] > 0.98
        assert np.abs(scores - rough)[there].max() < 0.2 * np.abs(scores[there]).max()
    circuits = Circuits(Wiring(half), pairs)
    edges = circuits.wiring.graph.edges
    found = circuits.measure(stacked([edges, np.zeros_like(edges)]))
    assert torch.allclose(found, torch.stack([circuits.clean, circuits.corrupt]), atol=0.05)


@pytest.mark.parametrize("family", families.FAMILIES)
def test_circuits_that_rest_on_another_are_not_run_below(circuits_of, family):
    """Equal to one another below a layer, they give the same from there as from the start."""
    for ablation in ABLATIONS:
        circuits = circuits_of(family, "query", ablation)
        graph = circuits.wiring.graph
        ground = random_mask(graph)
        above = np.arange(graph.n_destinations) >= graph.slots(1, "q").start
        masks = [np.where(above, random_mask(graph, 0.5, seed), ground) for seed in range(3)]
        whole = circuits.measure(stacked(masks))
        assert torch.allclose(circuits.resting_on(ground).measure(stacked(masks), from_layer=1), whole, atol=1e-5)
        assert (circuits.measure(stacked(masks), from_layer=1) - whole).abs().max() > 1e-3


@pytest.mark.parametrize("method", ["eap_ig", "edge_patch"])
def test_of_a_distance_plus_helps_too(method):
    """The distance from the clean answer rises when a true edge is ablated, and the logit difference falls."""
    model, known = load("known:induction", device="cpu"), wired("induction")
    pairs = known_pairs(model, "induction", n=8)
    for metric in ("logit_diff", "kl"):
        scores = METHODS[method](model, pairs, metric=metric).values.values
        assert (scores[known.mask[known.graph.edge_list]] > 0).all(), metric


@pytest.mark.parametrize("family", families.FAMILIES)
def test_paths_of_activations_start_where_their_sources_are_ablated(model_of, family):
    model = model_of(family)
    pairs, wiring = toy_pairs(model, n=4), Wiring(model)
    mean = mean_writes(wiring, pairs)
    for layer in range(model.cfg.n_layers):
        for name in ("attn_out", "mlp_out"):
            site = Site(name, layer)
            starts = {kind: Batch(wiring, pairs, METRICS["logit_diff"], None, kind, mean).ablated(site) for kind in ABLATIONS}
            corrupt = wiring.record(pairs.corrupt, pairs.end)[0].kept[site]
            assert torch.allclose(starts["corrupt"], corrupt, atol=1e-5)
            if not hasattr(model.blocks[0], "ln1_post"):
                assert torch.allclose(starts["mean"], corrupt.mean((0, 1)).expand_as(corrupt), atol=1e-5)
            # With every source silent the same is left everywhere: a bias, or nothing.
            assert torch.allclose(starts["zero"], starts["zero"][:1, :1].expand_as(corrupt), atol=1e-5)


def test_the_mean_over_ragged_prompts_does_not_depend_on_how_they_are_batched(llama, monkeypatch):
    from workbench.edges import forecast

    pairs = toy_pairs(llama, n=6, ragged=True)
    by_length = pairs.select(sorted(range(6), key=lambda prompt: int(pairs.lengths[prompt])))
    whole = METHODS["eap"](llama, by_length, ablation="mean")
    monkeypatch.setattr(forecast, "TOKENS", {"cpu": 21})
    assert np.allclose(METHODS["eap"](llama, by_length, ablation="mean").values, whole.values, atol=1e-6)
    circuits = Circuits(Wiring(llama), by_length, "logit_diff", "mean")
    assert np.allclose(scores_of(circuits).mean(0)[circuits.wiring.graph.edge_list], whole.values, atol=1e-5)


@pytest.mark.parametrize("method", ["eap", "eap_ig"])
def test_a_killed_scoring_goes_on_from_its_batches(llama, monkeypatch, method):
    from workbench.edges import estimate, forecast

    pairs, kept, budget, real = toy_pairs(llama, n=6), Memory(), [4], estimate.read_gradients
    monkeypatch.setattr(forecast, "TOKENS", {"cpu": 14})
    whole = METHODS[method](llama, pairs)

    def killed(*args):
        budget[0] -= 1
        if budget[0] < 0:
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(estimate, "read_gradients", killed)
    budget[0] = 2 if method == "eap" else 7
    with keeping(kept), pytest.raises(KeyboardInterrupt):
        METHODS[method](llama, pairs)
    assert 0 < len(kept) < 3
    left = budget[0] = 100
    with keeping(kept):
        again = METHODS[method](llama, pairs)
    assert left - budget[0] == (3 - (2 if method == "eap" else 1)) * (1 if method == "eap" else 5)
    assert np.array_equal(again.values, whole.values)


def test_batches_of_another_size_are_not_taken_for_those_of_a_killed_run(llama, monkeypatch):
    """Six prompts in batches of 4 and 2, and then of 2, 2 and 2: the second batch of both has two prompts, and others."""
    from workbench.edges import forecast

    pairs, kept = toy_pairs(llama, n=6), Memory()
    for tokens in (28, 14):
        monkeypatch.setattr(forecast, "TOKENS", {"cpu": tokens})
        with keeping(kept):
            found = METHODS["eap"](llama, pairs)
    assert np.allclose(found.values, METHODS["eap"](llama, pairs).values, atol=1e-7)


def test_stop_is_heard_after_every_pass(llama):
    steps = []
    with listening(lambda step: steps.append((step.done, step.total))):
        METHODS["eap_ig"](llama, toy_pairs(llama), path="activations", steps=2)
    assert len(steps) == 1 + (2 * llama.cfg.n_layers + 1) * 2 + 1
    assert steps[-1][0] == steps[-1][1]


def test_circuits_remember_what_was_measured(llama, monkeypatch):
    circuits = Circuits(Wiring(llama), toy_pairs(llama))
    masks = stacked([random_mask(circuits.wiring.graph, 0.5, seed) for seed in range(3)])
    kept = Memory()
    with keeping(kept):
        first = circuits.measure(masks, label="curve")
        monkeypatch.setattr(Circuits, "run", None)
        again = circuits.measure(masks, label="curve")
        assert torch.allclose(first, again)
        with pytest.raises(TypeError):
            circuits.measure(masks[:2], label="curve")
