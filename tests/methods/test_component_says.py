"""What components say, against the weights and against what the heads write."""

import numpy as np
import pytest
import torch

from tests import families
from tests.channels.test_evidence import naming_pairs
from tests.conftest import toy_pairs
from workbench.channels.weights import Heads
from workbench.errors import BadInput
from workbench.hooks import read
from workbench.methods import METHODS
from workbench.models import load
from workbench.sites import Site

SAYS, OVER = METHODS["component_tokens"], METHODS["component_text"]


def test_a_direction_made_of_a_token_reads_and_writes_that_token(model_of):
    """W_V and W_O of one head are set so that its first component takes one token's embedding to another's logit."""
    model = model_of("llama")
    heads = Heads(model)
    from workbench.methods.component_tokens import embedding, unembedding

    take, give = embedding(model)[5], unembedding(model)[9]
    attention = model.blocks[1].attn
    kept = [attention.W_V[0].detach().clone(), attention.W_O[0].detach().clone()]
    try:
        with torch.no_grad():
            # The norm's gain is folded into what is read: it is divided out here.
            attention.W_V[0].zero_()[:, 0] = take / heads.wiring.norm(1, "v").weight
            attention.W_O[0].zero_()[0] = give
        found = SAYS(model, None, channel="1.0.0", top=3)
    finally:
        with torch.no_grad():
            for weight, before in zip((attention.W_V[0], attention.W_O[0]), kept, strict=True):
                weight.copy_(before)
    first = dict(zip(found.values.line.values.tolist(), found.parts["token"].values[:, 0].tolist(), strict=True))
    signs = {sign for sign in "+−" if first[f"0 {sign} reads"] == model.tokenizer.decode([5])}
    assert len(signs) == 1
    (sign,) = signs
    assert first[f"0 {sign} writes"] == model.tokenizer.decode([9])
    assert float(found.values.sel(line=f"0 {sign} reads")[0]) == pytest.approx(1.0, abs=1e-4)
    assert float(found.values.sel(line=f"0 {sign} writes")[0]) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2"])
def test_cosines_are_those_of_the_weights(model_of, family):
    model = model_of(family)
    found = SAYS(model, None, channel="1.2", components=2, top=4)
    assert found.values.sizes == {"line": 8, "rank": 4}
    made = Heads(model).components(1)
    vectors = model.W_E - model.W_E.mean(0)
    for line, times in (("1 + reads", 1), ("1 − reads", -1)):
        cosines = torch.nn.functional.cosine_similarity(vectors, times * made.reads[2, 1].unsqueeze(0))
        assert np.allclose(found.values.sel(line=line).values, cosines.topk(4).values.detach(), atol=1e-5)


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2"])
def test_coordinates_over_a_text_rebuild_what_the_head_writes(model_of, family):
    model = model_of(family)
    pairs, heads = toy_pairs(model, ragged=True), Heads(model)
    found = OVER(model, pairs, channel="1.2", components=heads.d_head, prompt=1)
    length = int(pairs.lengths[1])
    assert found.values.sizes["pos"] == length
    assert list(found.values.coords["token"].values) == list(pairs.clean_strings[1])
    _, kept = read(model, pairs.clean[1:2, :length], pairs.end[1:2], [Site("z", 1)])
    wrote = heads.wiring.heads(1, heads.wiring.scaled(1, kept[Site("z", 1)]))[0, 2]
    centred = wrote - wrote.mean(-1, keepdim=True) if not heads.wiring.norm(1, "q").uses_rms_norm else wrote
    again = torch.from_numpy(found.values.values.T).float() @ heads.components(1).writes[2]
    assert torch.allclose(again, centred, atol=1e-4)


def test_a_text_of_ones_own(llama):
    pairs = toy_pairs(llama)
    text = " ".join(pairs.clean_strings[0])
    mine, theirs = (OVER(llama, pairs, channel="1.2.1", **asked) for asked in ({"text": text}, {"prompt": 0}))
    assert np.allclose(mine.values.values, theirs.values.values, atol=1e-5)
    assert "a text" in mine.title


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"channel": "1.99"}, "head must be from 0 to"),
        ({"channel": "1.2.99"}, "component must be from 0 to"),
        ({"channel": "a head"}, "a head must be written LAYER.HEAD"),
        ({"components": 0}, "components must be at least 1"),
    ],
)
@pytest.mark.parametrize("method", ["component_tokens", "component_text"])
def test_bad_input(llama, method, asked, said):
    with pytest.raises(BadInput, match=said):
        METHODS[method](llama, toy_pairs(llama), **asked)


@pytest.mark.parametrize("family", ["llama", "gemma2"])
def test_methods_of_channels_take_narrow_dtypes(family, tmp_path):
    model = load(str(families.save(family, tmp_path)), device="cpu", dtype="bfloat16")
    pairs = naming_pairs(model)
    asked = {
        "component_text": {"channel": "1.2"}, "component_tokens": {"channel": "1.2"}, "component_pairs": {},
        "direct_paths": {"reader": "2.1"}, "channel_map": {"channel": "0.1.2", "reader": "2.1", "steps": 2},
        "channel_scale": {"channel": "0.1.2", "reader": "2.1"}, "composition": {}, "channel_graph": {},
    }  # fmt: skip
    for name, given in asked.items():
        method = METHODS[name]
        found = method(model, pairs if method.needs_pairs else None, **given)
        assert found.values.size, name
    for slot in ("q", "k"):
        assert METHODS["direct_paths"](model, pairs, reader="2.1", slot=slot).values.size
