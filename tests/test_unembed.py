"""From the stream to logits, whole and piece by piece, in every family."""

import pytest
import torch

from tests import families
from tests.conftest import toy_pairs
from workbench.hooks import end_logits, read
from workbench.sites import Site
from workbench.unembed import answer_direction, gain, scale_of, soft_cap, through_norm, unembedded

END = Site("resid_post", families.LAYERS - 1)


def at_end(model):
    pairs = toy_pairs(model)
    logits, kept = read(model, pairs.clean, pairs.end, [END])
    return pairs, logits, kept[END]


@pytest.mark.parametrize("family", families.FAMILIES)
def test_the_last_stream_unembedded_is_the_models_output(model_of, family):
    model = model_of(family)
    pairs, logits, stream = at_end(model)
    with torch.no_grad():
        assert torch.allclose(unembedded(model, stream), model(pairs.clean), atol=1e-5)
        one = unembedded(model, stream[torch.arange(3), pairs.end])
    assert one.shape == logits.shape
    assert torch.allclose(one, logits, atol=1e-5)


def test_the_soft_cap_is_gemmas_alone(model_of):
    for family in families.FAMILIES:
        assert soft_cap(model_of(family)) == (4.0 if family == "gemma2" else None), family


@pytest.mark.parametrize("family", families.FAMILIES)
def test_pieces_through_the_norm_add_up_to_the_norm_of_the_whole(model_of, family):
    model = model_of(family)
    _, _, stream = at_end(model)
    norm = model.ln_final
    pieces = [torch.randn(stream.shape, generator=torch.Generator().manual_seed(seed)) for seed in range(3)]
    pieces.append(stream - sum(pieces))
    scale = scale_of(norm, stream)
    assert scale.shape == (*stream.shape[:2], 1)
    with torch.no_grad():
        whole, parts = norm(stream), sum(through_norm(norm, piece, scale) for piece in pieces)
    bias = norm.bias if family in ("gpt2", "neox") else 0.0
    assert torch.allclose(parts + bias, whole, atol=1e-4)
    assert not any(point.fwd_hooks for point in model.hook_dict.values())


@pytest.mark.parametrize("family", families.FAMILIES)
def test_the_gain_is_what_the_norm_multiplies_with(model_of, family):
    """A stream of mean zero and mean square one passes the norm as itself times the gain."""
    norm = model_of(family).ln_final
    unit = torch.ones(1, 1, families.D_MODEL if family != "neox" else 32)
    unit[..., ::2] = -1
    with torch.no_grad():
        out = norm(unit)[0, 0] - (norm.bias if family in ("gpt2", "neox") else 0.0)
    assert torch.allclose(out, unit[0, 0] * gain(norm), atol=1e-4)


@pytest.mark.parametrize("family", families.FAMILIES)
def test_the_direction_of_the_answer_reads_its_logit_difference(model_of, family):
    """Normed stream · direction + bias = mean logit of the right answers less that of the wrong, before the cap."""
    model = model_of(family)
    pairs, _, stream = at_end(model)
    right, wrong = ((3, 4), (5,), (6, 7, 8)), ((9,), (10, 11), (12,))
    direction, bias = answer_direction(model, right, wrong)
    normed = model.ln_final(stream)[torch.arange(3), pairs.end].detach()
    logits = model.unembed(model.ln_final(stream)).detach()[torch.arange(3), pairs.end]
    expected = [
        logits[row, list(yes)].mean() - logits[row, list(no)].mean()
        for row, (yes, no) in enumerate(zip(right, wrong, strict=True))
    ]
    assert torch.allclose((normed * direction).sum(-1) + bias, torch.stack(expected), atol=1e-4)
    assert not direction.requires_grad


def test_the_direction_has_the_unembeddings_bias(model_of, monkeypatch):
    """No family here has one; a bias is set for the test."""
    model = model_of("neox")
    bias = torch.arange(float(model.W_U.shape[1]))
    monkeypatch.setattr(type(model.unembed), "bias", property(lambda self: bias), raising=False)
    _, share = answer_direction(model, ((3, 5),), ((7,),))
    assert share.tolist() == [4.0 - 7.0]


def test_reading_a_scale_leaves_the_logits_as_they_are(llama):
    pairs, logits, stream = at_end(llama)
    scale_of(llama.ln_final, stream)
    with torch.no_grad():
        assert torch.equal(end_logits(llama, pairs.clean, pairs.end), logits)
