"""Logit lens: probabilities and ranks on paper, and TransformerLens's own lens."""

import numpy as np
import pytest
import torch

from tests.conftest import toy_pairs
from tests.methods.conftest import END, prompts
from workbench.errors import BadInput
from workbench.methods import METHODS

lens = METHODS["lens"]


def softmax(values):
    return np.exp(values) / np.exp(values).sum()


def test_probabilities_on_paper(byhand, easy):
    """Before layer 0 the last token reads itself, with logit 5; then itself with 4 and the copied token with 3."""
    read = lens(byhand, easy, prompt=1, top=2)
    last = read.values.isel(pos=-1)
    before, after = softmax(np.array([5.0] + 22 * [0.0])), softmax(np.array([4.0, 3.0] + 21 * [0.0]))
    assert last.sel(layer=0, rank=0).item() == pytest.approx(before[0], abs=1e-6)
    for layer in (1, 2):
        assert np.allclose(last.sel(layer=layer), after[:2], atol=1e-6)
    words = byhand.tokenizer.convert_ids_to_tokens([END, easy.right[1][0]])
    assert read.parts["token"].isel(pos=-1, layer=2).values.tolist() == words
    assert read.parts["answer_rank"].isel(pos=-1).values.tolist() == [1, 1, 1]
    assert read.parts["answer_rank"].sel(pos=1).values.tolist() == [0, 0, 0]
    # From the output to the first layer's reading, in nats.
    assert read.parts["kl"].isel(pos=-1).values == pytest.approx([(after * np.log(after / before)).sum(), 0, 0], abs=1e-5)


def test_the_corrupt_prompt_answers_otherwise(byhand, easy):
    read = lens(byhand, easy, prompt=0, of="corrupt", top=2)
    wrong = byhand.tokenizer.convert_ids_to_tokens([easy.wrong[0][0]])[0]
    assert read.parts["token"].isel(pos=-1, layer=2).values[1] == wrong
    assert read.values.token.values.tolist() == list(easy.corrupt_strings[0])
    # The right answer is written by nothing: it ties with every token but END and the wrong one.
    assert read.parts["answer_rank"].isel(pos=-1, layer=2).item() == 2


def test_padding_is_not_shown(byhand):
    pairs = prompts(byhand, n=2, lengths=(5, 7))
    assert lens(byhand, pairs, prompt=0).values.sizes["pos"] == 5
    assert lens(byhand, pairs, prompt=1).values.sizes["pos"] == 7


def test_no_more_tokens_than_there_are(byhand, easy):
    assert lens(byhand, easy, top=1).values.sizes["rank"] == 1
    every = lens(byhand, easy, top=1000).values
    assert every.sizes["rank"] == 23
    assert np.allclose(every.sum("rank"), 1, atol=1e-6)


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma2"])
def test_numbers_are_those_of_transformer_lens(model_of, family):
    from transformer_lens.tools.analysis.logit_lens import logit_lens

    model = model_of(family)
    pairs = toy_pairs(model, length=5)
    with torch.no_grad():
        told = logit_lens(model, pairs.clean[:1], positions=None).values[:, 0].softmax(-1).sort(-1, descending=True).values
    ours = lens(model, pairs, top=23).values
    assert np.allclose(ours.values, told.numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (dict(prompt=3), "prompt must be from 0 to 2; got 3"),
        (dict(prompt=-1), "prompt must be from 0 to 2; got -1"),
        (dict(top=0), "top must be at least 1; got 0"),
        (dict(of="both"), "lens: of must be one of 'clean', 'corrupt'; got 'both'"),
        (dict(top=True), "lens: top must be int; got True"),
    ],
)
def test_what_it_refuses(byhand, easy, asked, said):
    with pytest.raises(BadInput, match=said):
        lens(byhand, easy, **asked)
