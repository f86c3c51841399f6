"""Interventions on channels: against sums written out, and hooks against weight edits."""

import pytest
import torch

from tests.conftest import toy_pairs
from workbench.channels.act import changing, channel, edited, exchanged, put, removed, scaled
from workbench.channels.weights import Heads
from workbench.errors import BadInput
from workbench.hooks import read
from workbench.sites import Site

FAMILIES = ("gpt2", "llama", "neox", "qwen3", "gemma2")


def outputs(model, pairs, context=None):
    """attn_out of layer 1, z of layer 1 and the logits."""
    sites = [Site("attn_out", 1), Site("z", 1)]
    if context is None:
        logits, kept = read(model, pairs.clean, pairs.end, sites)
    else:
        with context:
            logits, kept = read(model, pairs.clean, pairs.end, sites)
    return kept[sites[0]], kept[sites[1]], logits


@pytest.fixture(params=FAMILIES)
def case(request, model_of):
    model = model_of(request.param)
    heads = Heads(model)
    return heads, channel(heads, 1, 2, (0, 3)), toy_pairs(model), model


def test_what_is_said_is_the_head_s_output_along_the_directions(case):
    heads, what, pairs, model = case
    base, z, logits = outputs(model, pairs)
    out = heads.wiring.scaled(1, z)[:, :, 2] @ heads.wiring.out[1][2]
    said = out @ what.directions.T
    assert torch.allclose(what.coordinates(heads, z), said, atol=1e-5)
    gone = outputs(model, pairs, changing(heads, what, removed()))[0]
    assert torch.allclose(gone, base - said @ what.directions, atol=1e-5)
    alone = outputs(model, pairs, changing(heads, what, scaled(1), alone=True))[0]
    assert torch.allclose(alone, base - out + said @ what.directions, atol=1e-5)
    same = outputs(model, pairs, changing(heads, what, scaled(1)))
    assert torch.allclose(same[2], logits, atol=1e-5)
    fixed = outputs(model, pairs, changing(heads, what, put(torch.tensor([0.5, -2.0]))))[0]
    assert torch.allclose((fixed - base + said @ what.directions) @ what.directions.T, torch.tensor([0.5, -2.0]), atol=1e-4)
    order = torch.tensor([1, 2, 0])
    other = outputs(model, pairs, changing(heads, what, exchanged(order)))[0]
    assert torch.allclose(other, base + (said[order] - said) @ what.directions, atol=1e-5)


def test_at_one_position_only(case):
    heads, what, pairs, model = case
    base, whole = outputs(model, pairs)[0], outputs(model, pairs, changing(heads, what, scaled(3)))[0]
    some = outputs(model, pairs, changing(heads, what, scaled(3), pairs.end))[0]
    rows = torch.arange(len(pairs))
    assert torch.allclose(some[rows, pairs.end], whole[rows, pairs.end], atol=1e-5)
    some[rows, pairs.end] = base[rows, pairs.end]
    assert torch.allclose(some, base, atol=1e-6)
    assert (whole - base).abs().max() > 1e-3


@pytest.mark.parametrize("family", ["gpt2", "llama", "neox", "qwen3"])
@pytest.mark.parametrize("alpha", [-3, 0, 0.5, 8])
def test_a_weight_edit_is_the_hook(model_of, family, alpha):
    model = model_of(family)
    heads, pairs = Heads(model), toy_pairs(model)
    what = channel(heads, 1, 1, 2)
    before = model.blocks[1].attn.W_O.detach().clone()
    by_hook = outputs(model, pairs, changing(heads, what, scaled(alpha)))[2]
    by_edit = outputs(model, pairs, edited(heads, what, alpha))[2]
    assert torch.allclose(by_hook, by_edit, atol=1e-4)
    assert (by_hook - outputs(model, pairs)[2]).abs().max() > 1e-3
    assert torch.equal(model.blocks[1].attn.W_O, before)


def test_bad_input(model_of, llama):
    heads = Heads(llama)
    for components in (99, -1, (0, 99)):
        with pytest.raises(BadInput, match="component must be from 0 to"):
            channel(heads, 0, 0, components)
    with pytest.raises(BadInput, match="one or several different ones"):
        channel(heads, 0, 0, (1, 1))
    with pytest.raises(BadInput, match="layer must be from 0 to 2"):
        channel(heads, 7, 0, 0)
    for alpha in (float("nan"), float("inf")):
        with pytest.raises(BadInput, match="alpha must be a finite number"):
            scaled(alpha)
        with pytest.raises(BadInput, match="alpha must be a finite number"), edited(heads, channel(heads, 0, 0, 0), alpha):
            pass
    normed = Heads(model_of("gemma2"))
    with pytest.raises(BadInput, match="has a norm there"), edited(normed, channel(normed, 0, 0, 0), 2):
        pass
