"""Sites mean what they say: what is read adds up, what is written arrives, and nothing is left behind."""

import pytest
import torch

from tests import families
from tests.conftest import toy_pairs
from workbench.errors import BadInput, NotFinite
from workbench.hooks import check_finite, end_logits, hooked, read, read_with_grad, stepping_in, writing
from workbench.sites import Site, why_missing

LAYER = 1


def seen(model, tokens, end, names, writes=None):
    with writing(model, writes or {}):
        _, kept = read(model, tokens, end, [Site(name, LAYER) for name in names])
    return {site.name: value for site, value in kept.items()}


@pytest.mark.parametrize("family", families.FAMILIES)
def test_the_stream_adds_up(model_of, family):
    model = model_of(family)
    pairs = toy_pairs(model)
    names = [name for name in ("resid_pre", "attn_out", "resid_mid", "mlp_out", "resid_post") if not why_missing(model, name)]
    at = seen(model, pairs.clean, pairs.end, names)
    assert torch.allclose(at["resid_pre"] + at["attn_out"] + at["mlp_out"], at["resid_post"], atol=1e-5)
    if "resid_mid" in at:
        assert torch.allclose(at["resid_pre"] + at["attn_out"], at["resid_mid"], atol=1e-5)


@pytest.mark.parametrize("family", families.FAMILIES)
@pytest.mark.parametrize("name", ["resid_pre", "attn_out", "resid_mid", "mlp_out", "resid_post"])
def test_what_is_written_into_the_stream_goes_on_in_the_stream(model_of, family, name):
    """Writing x in place of the activation: x itself, and not only what a norm makes of it, is part of what follows."""
    model = model_of(family)
    if why_missing(model, name):
        assert (family, name) == ("neox", "resid_mid")
        return
    pairs = toy_pairs(model)
    put = torch.randn(pairs.clean.shape[0], pairs.clean.shape[1], model.cfg.d_model, generator=torch.Generator().manual_seed(1))
    others = [each for each in ("resid_pre", "attn_out", "mlp_out") if each != name]
    at = seen(model, pairs.clean, pairs.end, [*others, "resid_post"], {Site(name, LAYER): lambda _: put})
    expected = {
        "resid_pre": lambda: put + at["attn_out"] + at["mlp_out"],
        "attn_out": lambda: at["resid_pre"] + put + at["mlp_out"],
        "resid_mid": lambda: put + at["mlp_out"],
        "mlp_out": lambda: at["resid_pre"] + at["attn_out"] + put,
        "resid_post": lambda: put,
    }[name]()
    assert torch.allclose(at["resid_post"], expected, atol=1e-4)
    before = seen(model, pairs.clean, pairs.end, ["resid_post"])["resid_post"]
    assert (before - at["resid_post"]).abs().max() > 0.1


@pytest.mark.parametrize("family", families.FAMILIES)
def test_attention_is_made_of_its_sites(model_of, family):
    """pattern = softmax(scores); z = pattern · v; writes at q, k, v and pattern arrive there."""
    model = model_of(family)
    pairs = toy_pairs(model)
    names = ["q", "k", "v", "scores", "pattern", "z"]
    at = seen(model, pairs.clean, pairs.end, names)
    group = at["z"].shape[2] // at["v"].shape[2]
    values = at["v"].repeat_interleave(group, dim=2)
    assert torch.allclose(at["scores"].softmax(-1), at["pattern"], atol=1e-6)
    assert torch.allclose(torch.einsum("bhqk,bkhd->bqhd", at["pattern"], values), at["z"], atol=1e-5)
    for name, reached in (("q", "scores"), ("k", "scores"), ("v", "z"), ("pattern", "z")):
        moved = seen(
            model,
            pairs.clean,
            pairs.end,
            [reached],
            {Site(name, LAYER): lambda value: value * torch.linspace(0.5, 1.5, value.shape[-1])},
        )
        assert (moved[reached] - at[reached]).nan_to_num().abs().max() > 1e-3, name
    halved = seen(model, pairs.clean, pairs.end, ["z"], {Site("pattern", LAYER): lambda value: value * 0.5})["z"]
    assert torch.allclose(halved, at["z"] / 2, atol=1e-6)


@pytest.mark.parametrize("family", families.FAMILIES)
def test_gradients_are_those_of_finite_differences(model_of, family):
    model = model_of(family)
    pairs = toy_pairs(model)
    names = [n for n in ("resid_pre", "resid_mid", "attn_out", "z", "q", "k", "v", "pattern") if not why_missing(model, n)]
    sites = [Site(name, LAYER) for name in names]
    _, kept, gradient = read_with_grad(model, pairs.clean, pairs.end, sites, lambda logits: logits[:, 3])
    for site in sites:
        step = torch.randn(kept[site].shape, generator=torch.Generator().manual_seed(2)) * 1e-2
        values = []
        for sign in (1, -1):
            with torch.no_grad(), writing(model, {site: lambda value, sign=sign, step=step: value + sign * step}):
                values.append(end_logits(model, pairs.clean, pairs.end)[:, 3])
        measured = (values[0] - values[1]) / 2
        assert torch.allclose(measured, (gradient[site] * step).flatten(1).sum(1), rtol=0.05, atol=2e-3), site


def test_hooks_come_off_whatever_happens_and_others_stay(llama):
    point = llama.hook_dict["blocks.1.hook_resid_pre"]
    mine = point.add_hook(lambda activation, hook: None)
    try:
        with pytest.raises(ZeroDivisionError), writing(llama, {Site("resid_pre", 1): lambda _: None}):
            raise ZeroDivisionError
        assert point.fwd_hooks == [mine]
        with hooked(point, lambda _: None):
            assert len(point.fwd_hooks) == 2
        assert point.fwd_hooks == [mine]
    finally:
        mine.hook.remove()
        point.fwd_hooks.clear()


@pytest.mark.parametrize("family", families.FAMILIES)
def test_stepping_in_gives_the_same_logits_and_runs_nothing_below(model_of, family):
    model = model_of(family)
    pairs = toy_pairs(model)
    logits, kept = read(model, pairs.clean, pairs.end, [Site("resid_pre", 2)])
    ran = []
    below = model.blocks[1].attn.register_forward_hook(lambda *_: ran.append(1))
    try:
        with torch.no_grad(), stepping_in(model, 2, kept[Site("resid_pre", 2)]):
            again = end_logits(model, pairs.clean, pairs.end)
    finally:
        below.remove()
    assert not ran
    assert torch.allclose(again, logits, atol=1e-5)
    with torch.no_grad():
        assert torch.allclose(end_logits(model, pairs.clean, pairs.end), logits, atol=1e-6)


def test_logits_are_those_of_each_prompts_own_end(llama):
    pairs = toy_pairs(llama, ragged=True)
    with torch.no_grad():
        whole = llama(pairs.clean)
        picked = end_logits(llama, pairs.clean, pairs.end)
    assert len(set(pairs.end.tolist())) > 1
    assert torch.allclose(picked, whole[torch.arange(3), pairs.end], atol=1e-5)


def test_minus_infinity_in_scores_is_a_mask_and_elsewhere_an_error():
    minus = torch.tensor([[[0.0, float("-inf")]]])
    logits = torch.zeros(1, 3)
    check_finite({Site("scores", 0): minus}, logits)
    with pytest.raises(NotFinite, match="z of layer 4, prompt 1"):
        check_finite({Site("z", 4): minus}, logits)
    with pytest.raises(NotFinite, match="the logits, prompt 1"):
        check_finite({}, logits * float("nan"))


def test_prompts_longer_than_the_context_are_told_in_one_sentence(model_of):
    model = model_of("gpt2")
    longest = model.cfg.n_ctx
    tokens = torch.full((1, longest + 1), 3)
    with pytest.raises(BadInput, match=rf"at most {longest} tokens, this model's context; got {longest + 1}"):
        end_logits(model, tokens, torch.tensor([longest]))
    assert end_logits(model, tokens[:, 1:], torch.tensor([longest - 1])).shape == (1, model.cfg.d_vocab)
