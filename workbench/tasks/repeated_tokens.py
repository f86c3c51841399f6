"""Repeated random tokens: induction without language.

A sequence of random tokens and the beginning of its second copy; the next token is the one that followed in the first
copy.
"""

import random
from typing import Any, Literal

from workbench.errors import at_least, within
from workbench.pairs import Pairs, pairs_from_ids
from workbench.tasks.prompts import draw_distinct
from workbench.tasks.task import Task
from workbench.tasks.words import ordinary_tokens, tokenizer_of


def make(
    model: Any,
    n: int = 8,
    seed: int = 0,
    *,
    length: int = 12,
    stop: int | None = None,
    corruption: Literal["answer", "copy"] = "answer",
    bos: bool = True,
) -> Pairs:
    """Pairs whose right answer continues the second copy as the first went on.

    Convention: positions are A1 (the first copy of the last token), B1 (the token after it, which is the right answer)
    and END. The wrong answer is the token that the corrupt prompt has at B1. All tokens of a copy differ. Source:
    Olsson et al. 2022, https://arxiv.org/abs/2209.11895, repeated random tokens; the corruption is our own.

    Args:
        model: A model with a tokenizer, or a tokenizer.
        n: Pairs.
        seed: Seed of the draw.
        length: Tokens of the first copy, at least 2.
        stop: Tokens of the second copy that the prompt shows, from 1 to length - 1; None is half of them.
        corruption: 'answer' puts another token at B1, so that the corrupt prompt's own answer is that token; 'copy'
            puts other tokens in the place of the whole first copy, so that nothing repeats.
        bos: Begin with the tokenizer's BOS, if it has one.
    Returns:
        Pairs.
    Raises:
        BadInput: When the tokenizer has too few ordinary tokens.
    """
    at_least("repeated_tokens: length", length, 2)
    shown = length // 2 if stop is None else stop
    within("repeated_tokens: stop", shown, 1, length)
    tokenizer = tokenizer_of(model)
    rng = random.Random(f"repeated_tokens:{seed}")
    needed = 2 * length if corruption == "copy" else length + 1
    pool = ordinary_tokens(tokenizer, "repeated_tokens", rng, needed)
    start = [tokenizer.bos_token_id] if bos and tokenizer.bos_token_id is not None else []

    def draw(index: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        drawn = rng.sample(pool, needed)
        first, others = drawn[:length], drawn[length:]
        replaced = others if corruption == "copy" else first[:shown] + others + first[shown + 1 :]
        return tuple(first + first[:shown]), tuple(replaced + first[:shown])

    drawn = draw_distinct(n, draw, key=lambda pair: pair)
    before = len(start)
    return pairs_from_ids(
        tokenizer,
        "repeated_tokens",
        clean=[[*start, *clean] for clean, _ in drawn],
        corrupt=[[*start, *corrupt] for _, corrupt in drawn],
        right=[(clean[shown],) for clean, _ in drawn],
        wrong=[(corrupt[shown],) for _, corrupt in drawn],
        positions={"A1": [before + shown - 1] * n, "B1": [before + shown] * n},
    )


TASK = Task(
    name="repeated_tokens",
    title="Repeated random tokens",
    source="Olsson et al. 2022, https://arxiv.org/abs/2209.11895",
    make=make,
)
