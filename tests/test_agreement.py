"""Theory as tests: limits in which estimates become exact, and sums that must match."""

import numpy as np
import pytest
import torch

from tests import families
from tests.conftest import toy_pairs
from workbench import effects
from workbench.hooks import read, writing
from workbench.methods import METHODS, agreement
from workbench.pairs import Pairs, pairs_from_ids
from workbench.sites import Site

STREAM = dict(sites=("resid_pre", "attn_out", "mlp_out"), by=("layer", "pos"), positions="each")


def shrunk(monkeypatch, model, size: float):
    """Make the other run a step of `size` from the base run towards it: patching close to its tangent."""
    real = effects.replacing

    def nearer(plan, other):
        _, base = read(model, plan.base, plan.end, list(other))
        return {site: base[site] + size * (value - base[site]) for site, value in real(plan, other).items()}

    monkeypatch.setattr(effects.attribution, "replacing", nearer)
    monkeypatch.setattr("workbench.methods.patch.replacing", nearer)


@pytest.mark.parametrize("family", families.FAMILIES)
def test_attribution_becomes_patching_as_corrupt_nears_clean(model_of, family, monkeypatch):
    model = model_of(family)
    pairs = toy_pairs(model)
    gaps = []
    for size in (0.1, 0.01):
        shrunk(monkeypatch, model, size)
        exact = METHODS["patch"](model, pairs, sites=("z", "q"), by=("layer", "head", "pos")).values.values / size
        linear = METHODS["atp"](model, pairs, sites=("z", "q"), by=("layer", "head", "pos")).values.values / size
        gaps.append(np.abs(exact - linear).max() / np.abs(exact).max())
        monkeypatch.undo()
    assert gaps[1] < 0.03
    assert gaps[1] < gaps[0]


@pytest.mark.parametrize("family", families.FAMILIES)
@pytest.mark.parametrize("site", ["q", "k"])
def test_query_key_correction_is_exact_where_only_attention_stands_between(model_of, family, site):
    """In the last layer, with a metric linear in that layer's z, the corrected effect of a query or key is exact."""
    model = model_of(family)
    pairs = toy_pairs(model, n=2)
    last = model.cfg.n_layers - 1
    direction = torch.randn(model.cfg.n_heads, model.cfg.d_head, generator=torch.Generator().manual_seed(0))
    corrected = _last_layer_effects(model, pairs, site, last, direction)
    expected = _patched_last_layer(model, pairs, site, last, direction)
    assert np.abs(corrected - expected).max() < 1e-4
    assert np.abs(expected).max() > 1e-2


def _last_layer_effects(model, pairs: Pairs, site, last, direction):
    """The correction's own formula, with the gradient of sum(z · direction) at the pattern."""
    from workbench.hooks import end_logits, read
    from workbench.qk import key_effect, query_effect, rotated, scorer
    from workbench.sites import n_heads

    sites = [Site("scores", last), Site("pattern", last), Site("v", last)]
    with rotated(model) as base:
        _, kept = read(model, pairs.corrupt, pairs.end, sites)
    with rotated(model) as other, torch.no_grad():
        end_logits(model, pairs.clean, pairs.end)
    values = kept[sites[2]].repeat_interleave(model.cfg.n_heads // n_heads(model, "v"), dim=2)
    gradient = torch.einsum("bkhd,hd->bhk", values, direction).unsqueeze(2).expand_as(kept[sites[1]])
    score = scorer(model, last, kept[sites[0]], base[last])
    if site == "q":
        return query_effect(score(other[last][0], base[last][1]), kept[sites[1]], gradient).numpy()
    moved = score(base[last][0], other[last][1])
    return key_effect(kept[sites[0]], moved, gradient, n_heads(model, "k")).numpy()


def _patched_last_layer(model, pairs: Pairs, site, last, direction):
    """The same effects by running the model once per query or key."""
    from workbench.hooks import read

    _, other = read(model, pairs.clean, pairs.end, [Site(site, last)])

    def measured(writes):
        with writing(model, writes):
            _, kept = read(model, pairs.corrupt, pairs.end, [Site("z", last)])
        return torch.einsum("bqhd,hd->bqh", kept[Site("z", last)], direction).sum((1, 2))

    base = measured({})
    put = other[Site(site, last)]
    effects = torch.zeros(put.shape[1], put.shape[2], put.shape[0])
    for pos in range(put.shape[1]):
        for head in range(put.shape[2]):

            def write(value, pos=pos, head=head):
                value = value.clone()
                value[:, pos, head] = put[:, pos, head]
                return value

            effects[pos, head] = measured({Site(site, last): write}) - base
    return effects.numpy()


@pytest.mark.parametrize("name", ["atp", "relp"])
def test_effects_of_coarser_cells_are_sums_of_finer_ones(llama, name):
    """To first order an effect is a sum over positions, heads and layers."""
    pairs = toy_pairs(llama)
    fine = METHODS[name](llama, pairs, sites="z", by=("layer", "head", "pos"), positions="each").values
    for by in (("layer", "head"), ("layer",), ("head",), ("pos",)):
        coarse = METHODS[name](llama, pairs, sites="z", by=by, positions="each").values
        gone = [axis for axis in ("layer", "head", "pos") if axis not in by]
        assert np.allclose(fine.sum(gone).transpose(*coarse.dims).values, coarse.values, atol=1e-6)


def test_heads_add_up_to_the_attention_output(llama):
    """The output projection is linear: attribution over a layer's heads is attribution to what it adds to the stream."""
    pairs = toy_pairs(llama)
    for name in ("atp", "relp"):
        heads = METHODS[name](llama, pairs, sites="z", by=("layer", "pos"), positions="each").values
        out = METHODS[name](llama, pairs, sites="attn_out", by=("layer", "pos"), positions="each").values
        assert np.allclose(heads.values, out.values, atol=1e-5)


def test_relp_without_rules_is_atp(llama):
    pairs = toy_pairs(llama)
    assert np.allclose(
        METHODS["relp"](llama, pairs, rules=()).values.values, METHODS["atp"](llama, pairs).values.values, atol=1e-6
    )


def test_relp_completes_on_a_model_without_biases(llama):
    """With all four rules, relevance patching of the embedding gives (m(clean) - m(corrupt)) of the linearised model."""
    pairs = toy_pairs(llama)
    rules = ("ln", "identity", "half", "ah")
    scores = METHODS["relp"](llama, pairs, sites="resid_pre", by=("layer", "pos"), positions="each", rules=rules).values
    per_layer = scores.sum("pos").transpose("layer", "prompt").values
    zero = METHODS["relp"](
        llama, single(pairs, llama), sites="resid_pre", by=("layer", "pos"), positions="each", rules=rules, replacement="zero"
    )
    corrupt = zero.parts["corrupt"].values
    assert np.allclose(zero.values.sum("pos").transpose("layer", "prompt").values, -corrupt, rtol=1e-4, atol=1e-4)
    assert np.isfinite(per_layer).all()


def single(pairs, model):
    """The same prompts with one right and one wrong answer: the metric is then linear in the logits."""
    return pairs_from_ids(
        model.tokenizer, "toy", pairs.clean.tolist(), pairs.corrupt.tolist(), [[3]] * len(pairs), [[5]] * len(pairs)
    )


@pytest.mark.parametrize("family", families.FAMILIES)
def test_everything_patched_is_the_other_run(model_of, family):
    """The stream that enters layer 0, patched at all positions, is the whole clean run; noising and denoising mirror."""
    model = model_of(family)
    pairs = toy_pairs(model)
    whole = METHODS["patch"](model, pairs, sites="resid_pre", by=("layer",))
    gap = whole.parts["clean"].values - whole.parts["corrupt"].values
    assert np.allclose(whole.values.transpose("layer", "prompt").values, gap, atol=1e-4)
    share = METHODS["patch"](model, pairs, sites="resid_pre", by=("layer",), direction="noise")
    assert np.allclose(share.values.transpose("layer", "prompt").values, -gap, atol=1e-4)


@pytest.mark.slow
def test_normalised_effects_are_shares_of_the_gap(smollm):
    from workbench.tasks import TASKS

    pairs = TASKS["capitals"](smollm, n=2, seed=0)
    whole = METHODS["patch"](smollm, pairs, sites="resid_pre", by=("layer",), normalise=True)
    assert whole.unit == "share of the gap"
    assert np.allclose(whole.mean().values.values, 1, atol=1e-3)


@pytest.mark.parametrize("family", families.FAMILIES)
def test_direct_attribution_adds_up_to_the_logit_difference(model_of, family):
    model = model_of(family)
    pairs = single(toy_pairs(model), model)
    for of in ("clean", "corrupt"):
        tokens = pairs.clean if of == "clean" else pairs.corrupt
        total = METHODS["dla"](model, pairs, by="component", of=of).values.sum("component").values
        with torch.no_grad():
            logits = model(tokens)[torch.arange(3), pairs.end]
        if family == "gemma2":
            cap = model.cfg.output_logits_soft_cap
            logits = torch.atanh(logits / cap) * cap
        assert np.allclose(total, (logits[:, 3] - logits[:, 5]).numpy(), atol=2e-5)
    heads = METHODS["dla"](model, pairs, by="head").values
    whole = METHODS["dla"](model, pairs, by="component").values
    assert np.allclose(heads.sel(layer=1, head=2).values, whole.sel(component="L1H2").values)


@pytest.mark.parametrize("family", families.FAMILIES)
def test_the_lens_ends_in_the_models_own_output(model_of, family):
    model = model_of(family)
    pairs = toy_pairs(model)
    lens = METHODS["lens"](model, pairs, prompt=1, top=3)
    with torch.no_grad():
        best = model(pairs.clean[1:2])[0].softmax(-1).topk(3)
    assert np.allclose(lens.values.values[-1], best.values.numpy(), atol=1e-5)
    told = [[model.tokenizer.decode([i]) for i in row] for row in best.indices.tolist()]
    assert lens.parts["token"].values[-1].tolist() == told
    assert np.allclose(lens.parts["kl"].values[-1], 0, atol=1e-6)
    assert lens.parts["kl"].values[0].max() > 1e-3
    by_layer = METHODS["lens_by_layer"](model, pairs).values
    baseline = METHODS["baseline"](model, pairs).values
    assert np.allclose(by_layer.isel(layer=-1).values, baseline.mean("prompt").values, atol=1e-4)


def test_agreement_of_scores_with_themselves_is_one_and_with_their_negative_minus_one(llama):
    pairs = toy_pairs(llama)
    exact = METHODS["patch"](llama, pairs, **STREAM)
    same = agreement(exact, exact).values
    assert np.allclose(same.values, 1)
    flipped = agreement(exact, exact.replace(values=-2 * exact.values)).values
    assert np.allclose(flipped.sel(measure=["pearson", "spearman"]).values, -1)
    assert np.allclose(flipped.sel(measure="slope").values, -2)


def test_zero_mean_and_resample_are_what_they_say(llama):
    """Replacements against the definition, written out."""
    pairs = toy_pairs(llama, n=4)
    from workbench.hooks import end_logits, read
    from workbench.metrics import METRICS, answers_of

    _, clean = read(llama, pairs.clean, pairs.end, [Site("mlp_out", 1)])
    other = clean[Site("mlp_out", 1)]
    order = effects.order_of_others(4, 0)
    assert sorted(order) == [0, 1, 2, 3]
    assert all(i != j for i, j in enumerate(order))
    real = other.mean((0, 1)).expand_as(other)
    for replacement, put in (("zero", torch.zeros_like(other)), ("mean", real), ("resample", other[order])):
        got = METHODS["patch"](llama, pairs, sites="mlp_out", by=("layer",), replacement=replacement)
        with torch.no_grad(), writing(llama, {Site("mlp_out", 1): lambda _, put=put: put}):
            values = METRICS["logit_diff"].measure(end_logits(llama, pairs.corrupt, pairs.end), answers_of(pairs)).numpy()
        assert np.allclose(got.values.sel(layer=1).values + got.parts["corrupt"].values, values, atol=1e-4), replacement
