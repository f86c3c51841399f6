"""Retrieval heads: who looks at a needle in a haystack while the model copies it out.

A needle is a sentence that says something odd; it stands at some depth of a text of other matters, and is asked for at the
end. The model answers greedily. Whenever a generated token is one of the needle's and a head's strongest attention is on
that very token in the needle, the head gets 1 / needle tokens; a trial counts where the answer gives the needle back.
Source: Wu et al. 2024, https://arxiv.org/abs/2404.15574; needles, questions and haystacks are this project's own.
"""

import random
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from workbench import progress
from workbench.channels.weights import Heads
from workbench.detectors import sequences
from workbench.errors import BadInput, at_least, whole_numbers
from workbench.hooks import end_logits, hooked
from workbench.pairs import encode
from workbench.sites import Site, hook_point
from workbench.tasks.words import tokenizer_of, word_list

# What is said, asked and begun: {name} hid something somewhere.
NEEDLE = " {name} hid the {colour} {object} under the bridge by the {place}."
QUESTION = "\n\nQuestion: What did {name} hide, and where?\nAnswer: {name} hid the"
COLOURS = ("silver", "purple", "golden", "green", "wooden", "broken")
# Greedy tokens of an answer, at most; the needle's own length where that is less.
LONGEST_ANSWER = 24
# Of the needle's words more must be given back for a trial to count.
RECALLED = 0.5


@dataclass(frozen=True, eq=False)
class Trial:
    """A prompt with a needle.

    Attributes:
        tokens: Its ids.
        needle: Start and end of the needle's tokens.
        words: What the answer should hold.
    """

    tokens: Int[Tensor, "pos"]
    needle: tuple[int, int]
    words: frozenset[str]


def trial(model: Any, length: int, depth: float, seed: int) -> Trial:
    """A haystack of about so many tokens with a needle at a depth from 0 to 1.

    Raises:
        BadInput: When the needle is longer than the haystack, or both than the model's context.
    """
    tokenizer = tokenizer_of(model)
    rng = random.Random(f"needle:{seed}")
    filled = {
        "name": rng.choice(word_list("women")), "colour": rng.choice(COLOURS), "object": rng.choice(word_list("objects")),
        "place": rng.choice(word_list("places")),
    }  # fmt: skip
    needle, question = NEEDLE.format(**filled), QUESTION.format(**filled)
    start = len(encode(tokenizer, ""))
    needle_ids, question_ids = (encode(tokenizer, text)[start:] for text in (needle, question))
    room = length - len(needle_ids) - len(question_ids) - start
    if room < 8:
        raise BadInput(
            f"length must leave a haystack of at least 8 tokens beside the needle and the question; got {length} for "
            f"{len(needle_ids) + len(question_ids)} of these."
        )
    sequences.fits(model, length + LONGEST_ANSWER)
    text = " ".join(sequences.stories(1 + room // 100, rng.randrange(10**6)))
    hay = encode(tokenizer, text)
    hay = hay[: room + start]
    at = start + _sentence_end(tokenizer, hay[start:], round(depth * room))
    ids = hay[:at] + needle_ids + hay[at:] + question_ids
    said = frozenset(_words(needle.split("hid the")[1]))
    return Trial(torch.tensor(ids), (at, at + len(needle_ids)), said)


def _sentence_end(tokenizer: Any, hay: list[int], wanted: int) -> int:
    """The end of a sentence that is nearest to a place; the text's own ends count."""
    ends = [0, len(hay)] + [at + 1 for at, token in enumerate(hay) if tokenizer.decode([token]).strip().endswith(".")]
    return min(ends, key=lambda end: abs(end - wanted))


def _words(text: str) -> list[str]:
    return [word.strip(".,!?\"'").lower() for word in text.split() if word.strip(".,!?\"'")]


@torch.no_grad()
def answered(heads: Heads, one: Trial) -> tuple[Float[Tensor, "layer head"], float, str]:
    """Every head's score in a trial, which share of the needle's words the answer gives back, and the answer.

    The prompt is run but for its last token; then the model answers greedily, token by token.
    """
    from transformers import DynamicCache

    model, tokenizer = heads.model, tokenizer_of(heads.model)
    device = torch.device(model.cfg.device)
    tokens = one.tokens.to(device)
    first, last = one.needle
    needle = tokens[first:last]
    score = torch.zeros(heads.n_layers, heads.n_heads)
    cache = DynamicCache()
    at = torch.tensor([len(tokens) - 2], device=device)
    end_logits(model, tokens[None, :-1], at, past_key_values=cache, use_cache=True)
    looks: dict[int, Tensor] = {}

    def keeper(layer: int):
        def keep(pattern: Tensor) -> None:
            looks[layer] = pattern[0, :, -1].argmax(-1).cpu()

        return keep

    given: list[int] = []
    current, zero = tokens[None, -1:], torch.zeros(1, dtype=torch.long, device=device)
    with ExitStack() as stack:
        for layer in range(heads.n_layers):
            stack.enter_context(hooked(hook_point(model, Site("pattern", layer)), keeper(layer)))
        for _ in range(min(LONGEST_ANSWER, len(needle))):
            logits = end_logits(model, current, zero, past_key_values=cache, use_cache=True)
            token = int(logits[0].argmax())
            if token == tokenizer.eos_token_id:
                break
            given.append(token)
            where = torch.stack([looks[layer] for layer in range(heads.n_layers)])
            inside = (where >= first) & (where < last)
            same = tokens.cpu()[where.clamp(max=len(tokens) - 1)] == token
            score += (inside & same).float() / len(needle)
            current = torch.tensor([[token]], device=device)
    answer = tokenizer.decode(given)
    found = len(one.words & set(_words(answer))) / len(one.words)
    return score, found, answer


def planned(lengths: str, depths: int, needles: int, seed: int) -> list[tuple[int, float, int]]:
    """Length, depth from 0 to 1 and the needle's seed of every trial.

    Raises:
        BadInput: When a number is out of range.
    """
    at_least("depths", depths, 1)
    at_least("needles", needles, 1)
    numbers = whole_numbers("lengths", lengths, 64, 9999)
    places = np.linspace(0, 1, depths) if depths > 1 else np.array([0.5])
    return [(length, float(depth), seed * 1000 + needle) for length in numbers for depth in places for needle in range(needles)]


def scored(
    heads: Heads, asked: list[tuple[int, float, int]], label: str
) -> tuple[Float[np.ndarray, "trial layer head"], Bool[np.ndarray, "trial"]]:
    """Every head's score in every trial, and which trials count; trials of a run that was killed are found again."""

    def work(length: int, depth: float, seed: int) -> np.ndarray:
        score, recalled, _ = answered(heads, trial(heads.model, length, depth, seed))
        return np.concatenate([[float(recalled > RECALLED)], score.double().numpy().ravel()])

    found = np.stack(
        [
            progress.remembered(f"{label}/{progress.digest(*one)}", lambda one=one: work(*one))
            for one in progress.track(asked, label)
        ]
    )
    return found[:, 1:].reshape(len(asked), heads.n_layers, heads.n_heads), found[:, 0] > 0
