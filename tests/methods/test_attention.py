"""Attention of all heads: shares that add up, weights by values as Kobayashi et al. define them, and what is refused."""

import numpy as np
import pytest
import torch

from tests import families
from tests.conftest import toy_pairs
from workbench.errors import BadInput
from workbench.hooks import read
from workbench.methods import METHODS
from workbench.sites import Site

TEXT = "c d e c d e f g c d"
LENGTH = 10


def attention(model, pairs=None, **asked):
    return METHODS["attention"](model, pairs, **({} if pairs is not None else {"text": TEXT}) | asked)


@pytest.mark.parametrize("family", families.FAMILIES)
def test_a_token_shares_its_attention_among_those_it_sees(model_of, family):
    found = attention(model_of(family))
    assert found.values.dims == ("layer", "head", "query", "key")
    assert found.values.shape == (families.LAYERS, families.HEADS, LENGTH, LENGTH)
    np.testing.assert_allclose(found.values.sum("key"), 1, atol=1e-6)
    assert not np.triu(found.values.values, 1).any()
    assert found.values["query"].values.tolist() == TEXT.split()


def test_a_window_that_slides_leaves_early_keys_out(model_of):
    values = attention(model_of("gemma2")).values
    far = np.tril(np.ones((LENGTH, LENGTH)), -5).astype(bool)
    assert not values.values[0][:, far].any()
    assert values.values[1][:, far].all()


@pytest.mark.parametrize("family", families.FAMILIES)
def test_weighted_by_values_is_the_length_of_what_a_token_adds(model_of, family):
    model = model_of(family)
    found = attention(model, weighted=True)
    tokens = torch.tensor([model.tokenizer(TEXT)["input_ids"]])
    layers = range(families.LAYERS)
    sites = [Site(name, layer) for layer in layers for name in ("pattern", "v", "attn_out")]
    _, kept = read(model, tokens, torch.tensor([LENGTH - 1]), sites)
    for layer in layers:
        attn, pattern, v = model.blocks[layer].attn, kept[Site("pattern", layer)][0], kept[Site("v", layer)][0]
        group = families.HEADS // v.shape[1]
        added = torch.stack([pattern[h, :, :, None] * (v[:, h // group] @ attn.W_O[h]) for h in range(families.HEADS)])
        bias = getattr(attn, "b_O", None)
        whole = added.sum((0, 2)) + (0 if bias is None else bias)
        norm = getattr(model.blocks[layer], "ln1_post", None)
        if norm is not None:
            # What is added to the stream is that over the divisor, times the gain.
            scale = whole.square().mean(-1, keepdim=True).add(model.cfg.eps).sqrt()
            added = added / scale[None, :, None] * (1 + norm.weight)
            whole = added.sum((0, 2))
        torch.testing.assert_close(whole, kept[Site("attn_out", layer)][0], atol=1e-4, rtol=1e-4)
        np.testing.assert_allclose(found.values[layer], added.norm(dim=-1).detach(), atol=1e-5, rtol=1e-4)
    assert found.unit == "norm"


def test_a_layer_and_a_head_are_those_of_the_whole(llama):
    whole = attention(llama)
    for asked in ({"layer": 2}, {"layer": 1, "head": 3}):
        part = attention(llama, **asked)
        assert np.array_equal(part.values, whole.values.isel(asked))
        for name, numbers in part.parts.items():
            assert np.array_equal(numbers, whole.parts[name].isel(asked), equal_nan=True)
    assert part.values.dims == ("query", "key")
    assert part.title == "Attention in layer 1, head 3: your text"


def test_what_a_head_does_on_the_prompt_stands_beside_it_and_is_never_weighted(llama):
    found, weighted = attention(llama), attention(llama, weighted=True)
    values = found.values.values
    np.testing.assert_allclose(found.parts["first token"], values[:, :, 1:, 0].mean(-1), atol=1e-6)
    before = np.stack([values[:, :, at, at - 1] for at in range(1, LENGTH)], -1)
    np.testing.assert_allclose(found.parts["previous token"], before.mean(-1), atol=1e-6)
    for name, numbers in found.parts.items():
        assert np.array_equal(numbers, weighted.parts[name])
    assert np.isnan(attention(llama, text="c d e f g h").parts["duplicate token"]).all()


def test_prompts_of_pairs_are_shown_without_their_padding(llama):
    pairs = toy_pairs(llama, ragged=True, n=4)
    for prompt, of in ((0, "clean"), (1, "corrupt")):
        found = attention(llama, pairs, prompt=prompt, of=of)
        words = pairs.clean_strings if of == "clean" else pairs.corrupt_strings
        assert tuple(found.values["key"].values) == words[prompt]
        assert found.origin.params["prompt"] == prompt


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"text": ""}, "must have a prompt"),
        ({"layer": 9}, "layer must be from 0 to 2"),
        ({"layer": 0, "head": 4}, "head must be from 0 to 3"),
        ({"head": 1}, "layer must be given"),
        ({"text": " "}, "at least 1 token"),
        ({"text": "c " * 4000}, "at most .* tokens"),
    ],
)
def test_what_there_is_not_is_told(llama, asked, said):
    with pytest.raises(BadInput, match=said):
        METHODS["attention"](llama, None, **{"text": TEXT} | asked)


def test_no_pair_of_that_number_is_told(llama):
    with pytest.raises(BadInput, match="prompt must be from 0 to 2"):
        attention(llama, toy_pairs(llama), prompt=3)


def test_a_model_that_looks_ahead_is_refused(llama, monkeypatch):
    from workbench.detectors import looking

    monkeypatch.setattr(looking, "hook_point", lambda model, site: ahead(model, site))
    with pytest.raises(BadInput, match="must look back only"):
        attention(llama)


def ahead(model, site):
    from workbench.sites import hook_point

    point = hook_point(model, site)
    if site.name != "pattern":
        return point

    class Ahead:
        fwd_hooks = point.fwd_hooks

        def add_hook(self, hook):
            return point.add_hook(lambda value, hook_=None, **_: hook(torch.ones_like(value), hook_))

    return Ahead()
