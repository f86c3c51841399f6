"""Direct paths into a head against their definition by weights, and against sums that must match."""

import pytest
import torch

from tests.channels.test_evidence import naming_pairs
from workbench.channels.evidence import Bench
from workbench.channels.paths import KINDS, Into, kinds, taken_apart, written
from workbench.channels.weights import Heads
from workbench.errors import BadInput
from workbench.methods import METHODS
from workbench.unembed import scale_of

FAMILIES = ["gpt2", "llama", "neox", "gemma2", "qwen3"]


def sources(bench, layer):
    """Everything in the stream that enters a layer: the heads before it, and the rest in one piece."""
    heads = torch.cat([written(bench, below) for below in range(layer)])
    return torch.cat([heads, (bench.run.stream[layer] - heads.sum(0)).unsqueeze(0)])


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_said_through_values_adds_up(model_of, family):
    model = model_of(family)
    bench = Bench(Heads(model), naming_pairs(model, ragged=True))
    into, direction = Into(bench, 2, 1, "v"), torch.randn(model.cfg.d_model)
    wiring = bench.heads.wiring
    bias = wiring.projections[2]["v"][1]
    norm = wiring.norm(2, "v")
    told = into.said(sources(bench, 2), direction).sum(0)
    # What no source says: the biases of the norm and of the values, the same on every prompt.
    whole = bench.out[2, 1].float() @ direction
    rest = whole - told
    if bias is None and getattr(norm, "bias", None) is None:
        assert torch.allclose(rest, torch.zeros_like(rest), atol=1e-4)
    else:
        assert torch.allclose(rest, rest[:1].expand_as(rest), atol=1e-4)
    assert told.abs().max() > 1e-2


@pytest.mark.parametrize("slot", ["q", "k"])
def test_attention_without_a_writer_is_that_of_changed_queries_or_keys(model_of, slot):
    """By hand, in a model whose attention the weights give at once: GPT-2."""
    model = model_of("gpt2")
    bench = Bench(Heads(model), naming_pairs(model))
    wiring, layer, head = bench.heads.wiring, 2, 3
    into = Into(bench, layer, head, slot)
    wrote = written(bench, 1)
    stream = bench.run.stream[layer]
    norm = wiring.norm(layer, slot)
    scale = scale_of(norm, stream)
    for writer in (0, 2):
        entering = {"q": stream, "k": stream}
        # The norm's divisor stays: what is left is put over it as it was.
        entering[slot] = stream - wrote[writer]
        made = {}
        for name in ("q", "k"):
            x = entering[name]
            normed = (x - x.mean(-1, keepdim=True)) / scale * norm.weight + norm.bias
            weight, bias = wiring.projections[layer][name]
            made[name] = normed @ weight[head] + bias[head]
        scores = made["q"][:, -1:] @ made["k"].mT / model.cfg.d_head**0.5
        found = into.attention_without(wrote)[writer]
        assert torch.allclose(found, scores.softmax(-1)[:, 0], atol=1e-5)
        assert (found - into.attention).abs().max() > 1e-4


@pytest.mark.parametrize("family", ["llama", "gemma2"])
def test_keys_of_which_nothing_is_left_are_all_looked_at_alike(model_of, family):
    model = model_of(family)
    bench = Bench(Heads(model), naming_pairs(model, ragged=True))
    into = Into(bench, 1, 2, "k")
    found = into.attention_without(bench.run.stream[1].unsqueeze(0))[0]
    for row, end in enumerate(bench.end.tolist()):
        assert torch.allclose(found[row, : end + 1], torch.full((end + 1,), 1 / (end + 1)), atol=1e-4)


def test_parts_along_a_basis_add_up_to_what_lies_in_it(llama):
    bench = Bench(Heads(llama), naming_pairs(llama))
    whole = written(bench, 1)[2]
    assert torch.allclose(taken_apart(whole, bench.heads.components(1).writes[2]).sum(0), whole, atol=1e-5)


def test_kinds_by_hand():
    tokens = torch.tensor([[7, 8, 9, 7, 8, 5]])
    pattern = torch.zeros(1, 4, 6, 6)
    # From position 4, the second 8: the token before is 3, its copy 1, what followed that 2.
    for head, place in enumerate((3, 1, 2, 4)):
        pattern[0, head, 4, place] = 1.0
    found = kinds(tokens, pattern, torch.tensor([4]))
    assert KINDS == ("previous", "duplicate", "induction", "itself")
    assert torch.equal(found, torch.eye(4))


@pytest.mark.parametrize("slot", ["q", "k", "v"])
def test_the_method_names_the_strongest_writers(llama, slot):
    pairs = naming_pairs(llama)
    found = METHODS["direct_paths"](llama, pairs, reader="2.1", slot=slot, writers=3)
    heads = found.parts["heads"].values
    assert (heads[2:] != heads[2:]).all()
    flat = sorted(heads[:2].ravel(), reverse=True)[:3]
    assert found.values.coords["head"].values.tolist() == pytest.approx(flat)
    row = found.parts["components"].values[0]
    assert float(found.values[0]) == row.max()
    if slot == "v":
        # Linear: the components of a writer add up to it.
        assert row.sum() == pytest.approx(flat[0], rel=1e-4)


def test_the_reader_is_found(llama):
    bench = Bench(Heads(llama), naming_pairs(llama))
    leanings = {
        (layer, head): float(bench.base([(layer, head)]).leaning[0, 0].mean())
        for layer in range(1, bench.heads.n_layers) for head in range(bench.heads.n_heads)
    }  # fmt: skip
    found = METHODS["direct_paths"](llama, naming_pairs(llama), slot="k")
    best = max(leanings, key=leanings.get)
    assert found.notes["reader"] == f"{best[0]}.{best[1]} through k"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"reader": "0.1"}, r"reader must have heads before it; 0\.1 is in the first layer"),
        ({"reader": "9.1"}, "layer must be from 0 to"),
        ({"reader": "1.1.1"}, "reader must be a head, LAYER.HEAD"),
        ({"reader": "1.1", "component": 99}, "component must be from 0 to"),
        ({"reader": "1.1", "writers": 0}, "writers must be at least 1"),
    ],
)
def test_bad_input(llama, asked, said):
    with pytest.raises(BadInput, match=said):
        METHODS["direct_paths"](llama, naming_pairs(llama), **asked)
