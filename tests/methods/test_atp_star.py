"""AtP*: without its two repairs it is |AtP|; an effect that cancels shows; a query and a key are patched exactly."""

import numpy as np
import pytest
import torch

from tests import families
from tests.conftest import toy_pairs
from workbench.errors import BadInput
from workbench.methods import METHODS
from workbench.models import load
from workbench.pairs import pairs_from_ids

atp, atp_star, patch = METHODS["atp"], METHODS["atp_star"], METHODS["patch"]
PLAIN = dict(graddrop=False, qk_correction=False)


def made(folder, layers: int, d_model: int, fill, kv_heads: int = 2, eps: float = 1e-12, gain: float = 1.0):
    """A Llama whose weights are zero but for what `fill(model)` writes; tokens 0..7 are embedded as 2·e_token."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=8, hidden_size=d_model, intermediate_size=5, num_hidden_layers=layers, num_attention_heads=4,
        num_key_value_heads=kv_heads, head_dim=4, max_position_embeddings=32, rms_norm_eps=eps, tie_word_embeddings=False,
        bos_token_id=0, eos_token_id=1, pad_token_id=1,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.fill_(gain if name.endswith("norm.weight") else 0.0)
        model.model.embed_tokens.weight[:, :8] = 2 * torch.eye(8)
        fill(model)
    model.save_pretrained(folder)
    families.tokenizer().save_pretrained(folder)
    return load(str(folder), device="cpu")


def _copies(attention, reads: int, writes: int, head: int, size: float = 1.0) -> None:
    """Head `head` reads four dims from `reads` and writes them from `writes` on."""
    kv_head = head // 2
    attention.v_proj.weight[4 * kv_head : 4 * kv_head + 4, reads : reads + 4] = torch.eye(4)
    attention.o_proj.weight[writes : writes + 4, 4 * head : 4 * head + 4] = size * torch.eye(4)


@pytest.fixture(scope="module")
def cancelling(tmp_path_factory):
    """Layer 0 copies the token into spare dims; layer 1 moves it on to the answer, and layer 2 takes it away again."""

    def fill(model):
        first, second, third = (layer.self_attn for layer in model.model.layers)
        _copies(first, 0, 8, head=1)
        _copies(second, 8, 12, head=0)
        _copies(third, 8, 12, head=3, size=-1.0)
        model.lm_head.weight[:4, 12:16] = torch.eye(4)

    return made(tmp_path_factory.mktemp("cancelling"), 3, 16, fill)


def test_effects_that_cancel_show_with_graddrop_only(cancelling):
    """With no token to copy in the corrupt prompt, both later layers see one and the same stream: they cancel exactly."""
    pairs = pairs_from_ids(cancelling.tokenizer, "cancelling", [[5, 0, 6, 4]], [[5, 7, 6, 4]], right=[[0]], wrong=[[1]])
    assert np.abs(atp(cancelling, pairs).values.sel(layer=0)).max() < 1e-6
    assert np.abs(atp_star(cancelling, pairs, graddrop=False).values.sel(layer=0)).max() < 1e-6
    told = atp_star(cancelling, pairs, sites="z")
    # On paper: a token's norm of 2 in 16 dims is sqrt(4/16); position p copies 1/(p + 1) of it; layer 1 takes a quarter each.
    once = 2 * (4 * (1 / 2 + 1 / 3 + 1 / 4) * 2 / 4)
    assert told.values.sel(layer=0, head=1).item() == pytest.approx((0 + once + once) / 2, rel=1e-5)
    assert np.abs(told.values.sel(layer=0, head=[0, 2, 3])).max() < 1e-6
    assert np.abs(told.parts["signed"].sel(layer=0, head=1)).item() < 1e-6


@pytest.mark.parametrize("family", families.FAMILIES)
@pytest.mark.parametrize("sites", ["z", "q", ("q", "k", "v", "z"), "pattern", "attn_out", "mlp_out"])
def test_without_its_repairs_it_is_the_magnitude_of_atp(model_of, family, sites):
    model = model_of(family)
    pairs = toy_pairs(model)
    by = ("layer", "pos") if sites in ("attn_out", "mlp_out") else ("layer", "head", "pos")
    plain, star = atp(model, pairs, sites=sites, by=by).values, atp_star(model, pairs, sites=sites, by=by, **PLAIN)
    assert np.allclose(star.values, np.abs(plain), atol=1e-6, equal_nan=True)
    assert np.allclose(star.parts["signed"], plain, atol=1e-6, equal_nan=True)
    assert float(np.abs(plain).max()) > 1e-3


@pytest.fixture(scope="module")
def linear_after(tmp_path_factory):
    """One layer of attention with queries and keys, and norms that divide by a constant: linear after the pattern."""

    def fill(model):
        drawn = torch.Generator().manual_seed(0)
        attention = model.model.layers[0].self_attn
        for weight in (*attention.parameters(), model.lm_head.weight):
            weight.copy_(torch.randn(weight.shape, generator=drawn))

    # An epsilon that drowns the stream, undone by the gain: each norm is the identity.
    return made(tmp_path_factory.mktemp("linear"), 1, 16, fill, eps=1e8, gain=1e4)


@pytest.mark.parametrize("site", ["q", "k"])
def test_the_correction_is_exact_where_all_is_linear_after_the_pattern(linear_after, site):
    rows = [[5, 0, 6, 2, 4], [5, 3, 6, 0, 2]]
    pairs = pairs_from_ids(linear_after.tokenizer, "linear", rows, [[5, 7, 1, 2, 4], [5, 4, 6, 1, 3]], [[0], [2]], [[1], [3]])
    asked = dict(sites=site, by=("layer", "head", "pos"), positions="each")
    exact = patch(linear_after, pairs, **asked).values
    exact = exact.isel(head=slice(0, 2)) if site == "k" else exact
    star = atp_star(linear_after, pairs, graddrop=False, **asked)
    assert np.allclose(star.parts["signed"].values, exact.values, atol=2e-4)
    assert np.allclose(star.values, np.abs(exact.values), atol=2e-4)
    assert float(np.abs(exact).max()) > 0.5
    plain = atp(linear_after, pairs, **asked).values
    assert float(np.abs(plain.values - exact.values).max()) > 0.1


def test_a_closed_layer_lets_no_gradient_through_what_it_adds(llama):
    """Pass l by hand: the gradient with the two sublayers of l cut off, as torch sees it when they are detached."""
    from workbench.effects import all_sites
    from workbench.hooks import read, read_with_grad, writing
    from workbench.metrics import METRICS, answers_of
    from workbench.sites import Site

    pairs = toy_pairs(llama)
    places = all_sites(llama, ["z"])
    _, clean = read(llama, pairs.clean, pairs.end, places)

    def metric(logits):
        return METRICS["logit_diff"].measure(logits, answers_of(pairs))

    total = 0
    for layer in range(3):
        with writing(llama, {Site(name, layer): lambda value: value.detach() for name in ("attn_out", "mlp_out")}):
            _, corrupt, gradient = read_with_grad(llama, pairs.corrupt, pairs.end, places, metric)
        effects = [((clean[place] - corrupt[place]) * gradient[place]).sum((1, 3)).T for place in places]
        total = total + torch.stack(effects).abs() / 2
    told = atp_star(llama, pairs, sites="z").values
    assert np.allclose(told.values, total.numpy(), atol=1e-5)
    assert float(np.abs(told - np.abs(atp(llama, pairs).values)).max()) > 1e-3


def test_coarser_cells_are_summed_before_the_magnitude(llama):
    pairs = toy_pairs(llama)
    fine = atp_star(llama, pairs, sites="z", by=("layer", "head", "pos"), positions="each", graddrop=False)
    coarse = atp_star(llama, pairs, sites="z", by=("layer", "head"), graddrop=False)
    assert np.allclose(coarse.values, np.abs(fine.parts["signed"].sum("pos")), atol=1e-6)
    assert (coarse.values <= fine.values.sum("pos") + 1e-6).all()
    assert "magnitudes" in coarse.caption()


def test_noising_starts_from_the_clean_run(llama):
    pairs = toy_pairs(llama)
    signed = atp_star(llama, pairs, direction="noise", sites="z", **PLAIN).parts["signed"]
    assert np.allclose(signed, atp(llama, pairs, direction="noise").values, atol=1e-6)


def test_graddrop_wants_two_layers(linear_after):
    pairs = pairs_from_ids(linear_after.tokenizer, "one", [[5, 0]], [[5, 1]], right=[[0]], wrong=[[1]])
    with pytest.raises(BadInput, match=r"graddrop must have a model of at least 2 layers; got 1. Use graddrop=False"):
        atp_star(linear_after, pairs)
