"""A model known by hand: one head copies what it sees, everything else is zero, and every effect can be had on paper.

Token t is embedded as 10·e_t in 100 dims, so that the norm (whose gain is 1) leaves it as it is. All queries and keys are
zero: attention is uniform over the positions seen. Layer 0's first key-value head reads the tokens 2 to 7; head 1, which
shares it with head 0, writes what was read into the same dims, 3.75 times; the output of every other head and of the MLPs
is zero. The unembedding reads half of dim t as the logit of token t.

A prompt of L tokens that holds the token A once therefore ends in the stream 10·e_end + (3.75·10/L)·e_A. With L = 5 this is
10·e_end + 7.5·e_A, whose length is 12.5: the norm divides by 1.25, and the logit of A is 3, that of END is 4.
"""

import pytest
import torch

from tests import families
from workbench.models import load
from workbench.pairs import pairs_from_ids

LAYERS, HEADS, KV_HEADS, D_HEAD, D_MODEL = 2, 4, 2, 6, 100
HEAD, WRITES, END = 1, 3.75, 12


def logit(length: int) -> float:
    """The logit of the one token that the head copies, in a prompt of that length."""
    ratio = WRITES / length
    return 5 * ratio / (1 + ratio**2) ** 0.5


def _weights(model):
    for weight in model.parameters():
        weight.zero_()
    inner = model.model
    inner.embed_tokens.weight[:, : families.VOCAB] = 10 * torch.eye(families.VOCAB)
    model.lm_head.weight[:, : families.VOCAB] = torch.eye(families.VOCAB) / 2
    for norm in [
        inner.norm,
        *(each for layer in inner.layers for each in (layer.input_layernorm, layer.post_attention_layernorm)),
    ]:
        norm.weight.fill_(1.0)
    attention = inner.layers[0].self_attn
    for slot in range(D_HEAD):
        attention.v_proj.weight[slot, 2 + slot] = 1.0
        attention.o_proj.weight[2 + slot, HEAD * D_HEAD + slot] = WRITES


@pytest.fixture(scope="session")
def byhand(tmp_path_factory):
    """The model known by hand."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=families.VOCAB, hidden_size=D_MODEL, intermediate_size=28, num_hidden_layers=LAYERS,
        num_attention_heads=HEADS, num_key_value_heads=KV_HEADS, head_dim=D_HEAD, max_position_embeddings=64,
        rms_norm_eps=0.0, tie_word_embeddings=False, bos_token_id=0, eos_token_id=1, pad_token_id=1,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        _weights(model)
    folder = tmp_path_factory.mktemp("byhand")
    model.save_pretrained(folder)
    families.tokenizer().save_pretrained(folder)
    return load(str(folder), device="cpu")


def prompts(model, n: int = 3, lengths=(5,)):
    """Prompts that hold one copied token at position 1, another one in the corrupt prompt; the answer is that token."""
    sizes = [lengths[i % len(lengths)] for i in range(n)]
    filler = [13, 0, 14, 15, 16, 17, 18]

    def row(token: int, size: int) -> list[int]:
        return [filler[0], token, *filler[2 : size - 1], END]

    return pairs_from_ids(
        model.tokenizer,
        "byhand",
        clean=[row(2 + i, size) for i, size in enumerate(sizes)],
        corrupt=[row(3 + i, size) for i, size in enumerate(sizes)],
        right=[[2 + i] for i in range(n)],
        wrong=[[3 + i] for i in range(n)],
        positions={"TOKEN": [1] * n, "AFTER": [2] * n},
    )


@pytest.fixture
def easy(byhand):
    """Three prompts of five tokens."""
    return prompts(byhand)
