"""Trials at END against whole forward passes."""

import pytest
import torch

from tests.conftest import toy_pairs
from workbench.channels.act import changing, channel, put, removed
from workbench.channels.evidence import Bench
from workbench.channels.weights import Heads
from workbench.errors import BadInput
from workbench.hooks import read
from workbench.metrics import answers_of, logit_diff
from workbench.pairs import pairs_from_ids
from workbench.sites import Site


def naming_pairs(model, ragged=False):
    """Prompts that hold their right answer at one place and their wrong one at another."""
    prompts = [[5, 9, 3, 4, 7, 8, 2], [3, 9, 5, 6, 7, 8, 2], [6, 5, 4, 3, 9, 8, 2], [6, 3, 4, 5, 9, 8]]
    prompts = prompts if ragged else prompts[:3]
    corrupt = [[10, *prompt[1:]] for prompt in prompts]
    return pairs_from_ids(model.tokenizer, "named", prompts, corrupt, [[3]] * len(prompts), [[5]] * len(prompts))


@pytest.mark.parametrize("family", ["gpt2", "llama", "neox", "gemma2"])
@pytest.mark.parametrize("ragged", [False, True])
def test_trials_are_whole_runs_with_the_change_at_end(model_of, family, ragged):
    model = model_of(family)
    heads, pairs = Heads(model), naming_pairs(model, ragged)
    bench, readers = Bench(heads, pairs), [(1, 2), (2, 0)]
    answers = answers_of(pairs)
    base = bench.base(readers)
    assert torch.allclose(base.answer[0], bench.answer, atol=1e-4)
    for layer, head in ((0, 1), (0, 3)):
        what = channel(heads, layer, head, tuple(range(heads.d_head)))
        with changing(heads, what, removed(), pairs.end):
            logits, kept = read(model, pairs.clean, pairs.end, [Site("pattern", at) for at, _ in readers])
        # All components together are all that the head writes.
        there = bench.outcome(layer, -bench.out[layer][head].unsqueeze(0), readers)
        assert torch.allclose(there.answer[0], logit_diff(logits, answers), atol=1e-4)
        for place, (at, reader) in enumerate(readers):
            rows = torch.arange(len(pairs))
            pattern = kept[Site("pattern", at)][rows, reader, pairs.end]
            leaning = [
                float(pattern[row, prompt.index(3)] - pattern[row, prompt.index(5)])
                for row, prompt in enumerate(pairs.clean.tolist())
            ]
            assert there.leaning[0, place].tolist() == pytest.approx(leaning, abs=1e-4)
            assert torch.allclose(there.attention[0, place], pattern, atol=1e-4)
        # The answers are 3 and 5; where 3 is named first it is the first item.
        named = torch.tensor([[3, 5] if prompt.index(3) < prompt.index(5) else [5, 3] for prompt in pairs.clean.tolist()])
        assert torch.allclose(there.items[0], logits.gather(1, named), atol=1e-3)
        assert bench.items.right.tolist() == [row.tolist().index(3) for row in named]
        assert (there.answer - base.answer).abs().max() > 1e-3


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2"])
def test_channels_of_two_layers_put_at_once_are_whole_runs(model_of, family):
    model = model_of(family)
    heads, pairs = Heads(model), naming_pairs(model, ragged=True)
    bench = Bench(heads, pairs)
    first, second = channel(heads, 0, 1, 0), channel(heads, 1, 2, 3)
    values = torch.randn(2, len(pairs), 2)
    there = bench.put([first, second], values, [(2, 1)])
    for variant in range(2):
        with (
            changing(heads, first, put(values[variant, :, :1]), pairs.end),
            changing(heads, second, put(values[variant, :, 1:]), pairs.end),
        ):
            logits, kept = read(model, pairs.clean, pairs.end, [Site("pattern", 2)])
        pattern = kept[Site("pattern", 2)][torch.arange(len(pairs)), 1, pairs.end]
        assert torch.allclose(there.answer[variant], logit_diff(logits, answers_of(pairs)), atol=1e-4)
        assert torch.allclose(there.attention[variant, 0], pattern, atol=1e-4)
    assert (there.answer[0] - there.answer[1]).abs().max() > 1e-3


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2"])
def test_what_heads_add_directly_is_the_dla(model_of, family):
    from workbench.methods import METHODS

    model = model_of(family)
    pairs = naming_pairs(model)
    direct = METHODS["dla"](model, pairs, by="head").values.transpose("layer", "head", "prompt").values
    assert torch.allclose(Bench(Heads(model), pairs).direct.double(), torch.from_numpy(direct), atol=1e-4)


def test_where_the_answers_are_named(llama):
    bench = Bench(Heads(llama), naming_pairs(llama, ragged=True))
    assert bench.right.int().argmax(1).tolist() == [2, 0, 3, 1]
    assert bench.right_first.tolist() == [False, True, False, True]
    bench.check_names()


def test_prompts_that_do_not_name_both_answers_are_told(llama):
    pairs = toy_pairs(llama)
    with pytest.raises(BadInput, match="prompts must name both answers"):
        Bench(Heads(llama), pairs).check_names()


def test_a_reader_below_the_writer_is_told(llama):
    bench = Bench(Heads(llama), naming_pairs(llama))
    with pytest.raises(BadInput, match=r"a reader must stand at or after the writer's layer 2; got 0\.1"):
        bench.outcome(2, -bench.out[2], [(0, 1)])
