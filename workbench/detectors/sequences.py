"""Token sequences on which heads show what they do: random tokens that repeat, few tokens in random order, running text."""

import random
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from workbench.errors import BadInput, at_least
from workbench.pairs import encode
from workbench.tasks.words import ordinary_tokens, tokenizer_of, word_list, word_pairs

Tokens = Int[Tensor, "batch pos"]


class Unread(BadInput):
    """A text whose words the tokenizer does not know."""


Counted = Bool[Tensor, "batch pos"]

# Of running text, the share of tokens that may be unknown to the tokenizer.
UNKNOWN = 0.5
# Sentences of running text; slots are words of the lists in data/words.
SENTENCES = (
    "{man} walked to the {place} with a {object} under his arm.",
    "The {noun} near the {place} was older than anyone in the town could say.",
    '"Have you seen the {object}?" asked {woman}.',
    "{woman} had left the {object} on the table, beside the {noun}, before she went to the {place}.",
    "Nobody at the {place} remembered the {event}, but {man} did.",
    "After the {event}, {woman} and {man} met every evening to talk about the {noun}.",
    "It rained, and the {noun} stayed where it was.",
    "In the morning {man} gave the {object} back to {woman}, who put it away without a word.",
    "The {place} was closed that day because of the {event}.",
    "{woman} laughed, and then she told {man} about the {noun} again.",
)


def repeated(model: Any, n: int, seed: int, length: int = 25, copies: int = 4) -> Tokens:
    """Random ordinary tokens, a few times over, behind the tokenizer's BOS where it has one.

    Source: Olsson et al. 2022, https://arxiv.org/abs/2209.11895: 25 tokens, 4 times.

    Raises:
        BadInput: When the sequence is longer than the model's context, or the tokenizer has too few ordinary tokens.
    """
    for name, value, least in (("n", n, 1), ("length", length, 2), ("copies", copies, 2)):
        at_least(name, value, least)
    tokenizer = tokenizer_of(model)
    start = [tokenizer.bos_token_id] if tokenizer.bos_token_id is not None else []
    fits(model, len(start) + length * copies, "a smaller length, or fewer copies")
    rng = random.Random(f"repeated:{seed}")
    pool = ordinary_tokens(tokenizer, "repeated tokens", rng, length)
    return torch.tensor([start + rng.sample(pool, length) * copies for _ in range(n)])


def few(model: Any, n: int, seed: int, alphabet: int = 5, length: int = 96) -> Tokens:
    """A few ordinary tokens drawn at random: what follows two or three of them differs from what follows one."""
    tokenizer = tokenizer_of(model)
    fits(model, length)
    rng = random.Random(f"few:{seed}")
    pool = ordinary_tokens(tokenizer, "few tokens", rng, alphabet)
    return torch.tensor([rng.choices(rng.sample(pool, alphabet), k=length) for _ in range(n)])


def stories(n: int, seed: int, sentences: int = 24) -> list[str]:
    """Texts of this project's own: sentences from templates, about a few people and things each, so that these come again."""
    rng = random.Random(f"stories:{seed}")
    lists = {name: word_list(f"{name}s") for name in ("place", "object", "event")}
    lists |= {"man": word_list("men"), "woman": word_list("women"), "noun": [one for one, _ in word_pairs("nouns")]}
    made = []
    for _ in range(n):
        about = {slot: rng.sample(words, 3) for slot, words in lists.items()}
        chosen = [rng.choice(SENTENCES) for _ in range(sentences)]
        made.append(" ".join(one.format(**{slot: rng.choice(words) for slot, words in about.items()}) for one in chosen))
    return made


def text_tokens(model: Any, texts: list[str], longest: int) -> tuple[Tokens, Counted]:
    """Texts as token ids, cut to `longest` and padded on the right; and which are no padding.

    Raises:
        BadInput: When a text is empty, the tokenizer does not know its words, or the length is more than the model's context.
    """
    tokenizer = tokenizer_of(model)
    fits(model, longest)
    ids = [encode(tokenizer, text)[:longest] for text in texts]
    if not ids or not all(ids):
        raise BadInput("texts must be at least one, and none empty; got an empty one. Give some words.")
    # Tokenizers without a token for unknown words put their padding there.
    unknown = {getattr(tokenizer, name, None) for name in ("unk_token_id", "pad_token_id")} - {None}
    share = np.mean([token in unknown for row in ids for token in row])
    if share > UNKNOWN:
        raise Unread(f"texts must be of words that the tokenizer knows; got {share:.0%} that it does not. Give its own words.")
    pad = getattr(tokenizer, "pad_token_id", None) or 0
    most = max(map(len, ids))
    tokens = torch.tensor([row + [pad] * (most - len(row)) for row in ids])
    counted = torch.arange(most) < torch.tensor([len(row) for row in ids]).unsqueeze(1)
    return tokens, counted


def fits(model: Any, length: int, how: str = "shorter ones") -> None:
    """Raise BadInput where sequences of this length are longer than the model's context."""
    longest = getattr(getattr(model, "cfg", None), "n_ctx", None)
    if longest and length > longest:
        raise BadInput(f"sequences must have at most {longest} tokens, this model's context; got {length}. Use {how}.")
