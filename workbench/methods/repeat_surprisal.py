"""Verbatim memory: how much better a list of words is expected the second time."""

import random
from typing import Any

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float

from workbench.detectors import sequences
from workbench.detectors.loss import surprisals
from workbench.errors import BadInput, at_least, whole_numbers
from workbench.methods.method import Method
from workbench.pairs import Pairs
from workbench.result import Curve
from workbench.tasks.prompts import tokenise
from workbench.tasks.words import tokenizer_of, word_list

TITLE = "Repeat surprisal"
CONDITIONS = ("repeated", "permuted", "novel")
OPENING = "{name} made a list of things to remember: {first}. "
AGAIN = "In the evening {name} read the list out once more: {second}."
MOST = 12
RESAMPLES = 10_000


def run(
    model: Any,
    pairs: Pairs | None = None,
    *,
    listed: str = "3,5,7,10",
    examples: int = 12,
    sentences: int = 4,
    seed: int = 0,
) -> Curve:
    """Surprisal of a list's words when it comes again, in percent of the first time: the same, in another order, or new words.

    Convention: 100 × mean surprisal of the words of the second list over that of the first, the first word of either left
    out, tokens of a word summed; 100 is no memory. Source: Armeni, Honey and Linzen 2022, https://arxiv.org/abs/2210.13569;
    sentences and words are this project's own.

    Args:
        model: The model.
        pairs: Not used: the texts are made here.
        listed: How many words a list has, from 3 to 12, several with commas.
        examples: Texts for each number and condition, at least 2.
        sentences: Sentences between the two lists.
        seed: Of the texts.
    Returns:
        Curve over listed in percent, median with a 95 % bootstrap interval; 'each' is the part with every text's number,
        (series, listed, text).
    Raises:
        BadInput: When a number is out of its range, or a text is longer than the model's context.
    """
    at_least("examples", examples, 2)
    at_least("sentences", sentences, 0)
    counts = whole_numbers("listed", listed, 3, MOST)
    each = np.stack(
        [[_ratios(model, condition, count, examples, sentences, seed) for count in counts] for condition in CONDITIONS]
    )
    values = np.median(each, -1)
    drawn = np.random.default_rng(seed).integers(0, examples, (RESAMPLES, examples))
    low, high = np.percentile(np.median(each[..., drawn], -1), [2.5, 97.5], axis=-1)

    def labelled(numbers: np.ndarray) -> xr.DataArray:
        return xr.DataArray(numbers, dims=("series", "listed"), coords={"series": list(CONDITIONS), "listed": counts})

    texts = {"series": list(CONDITIONS), "listed": counts, "text": np.arange(examples)}
    return Curve(
        TITLE,
        "% of the first time",
        labelled(values),
        lower=labelled(low),
        upper=labelled(high),
        parts={"each": xr.DataArray(each, dims=("series", "listed", "text"), coords=texts)},
        notes={
            "sign": "100 is no memory of the list, less is memory",
            "x": "words listed",
            "interval": "median with a 95 % bootstrap interval over texts",
            "between": f"{sentences} sentences between the two lists",
        },
    )


def _ratios(model: Any, condition: str, count: int, examples: int, sentences: int, seed: int) -> Float[np.ndarray, "text"]:
    """Of every text of a condition: surprisal of the second list in percent of the first."""
    made = [texts_of(condition, count, sentences, seed, index) for index in range(examples)]
    tokenizer = tokenizer_of(model)
    found = []
    for text, first, second in made:
        ids, locate = tokenise(tokenizer, text)
        sequences.fits(model, len(ids))
        tokens = torch.tensor([ids])
        nats = surprisals(model, tokens, torch.ones_like(tokens, dtype=torch.bool), TITLE)[0]
        means = []
        for spans in (first, second):
            words = [float(nats[locate(start) : locate(end - 1) + 1].sum()) for start, end in spans[1:]]
            means.append(float(np.mean(words)))
        found.append(100 * means[1] / means[0])
    return np.array(found)


Spans = list[tuple[int, int]]


def texts_of(condition: str, count: int, sentences: int, seed: int, index: int) -> tuple[str, Spans, Spans]:
    """One text, and where the words of its two lists stand in it.

    Conditions of one index share the first list and the sentences between.
    """
    rng = random.Random(f"repeat_surprisal:{seed}:{index}")
    pool = word_list("objects") + word_list("words")
    drawn = rng.sample(pool, 2 * MOST)
    name = rng.choice(word_list("women"))
    between = sequences.stories(1, rng.randrange(10**6), sentences)[0] if sentences else ""
    first = drawn[:count]
    second = {"repeated": first, "permuted": _permuted(first, rng), "novel": drawn[MOST : MOST + count]}[condition]
    text, spans = "", []
    for part, words in ((OPENING, first), (f"{between} {AGAIN}".lstrip(), second)):
        head, tail = part.replace("{name}", name).replace("{second}", "{first}").split("{first}")
        text += head
        places = []
        for at, word in enumerate(words):
            text += ", " if at else ""
            places.append((len(text), len(text) + len(word)))
            text += word
        text += tail
        spans.append(places)
    return text, spans[0], spans[1]


def _permuted(words: list[str], rng: random.Random) -> list[str]:
    """Another order, in which no word keeps its place."""
    if len(words) < 2:
        raise BadInput(f"listed must be at least 2 to be permuted; got {len(words)}.")
    while True:
        moved = rng.sample(words, len(words))
        if all(one != other for one, other in zip(words, moved, strict=True)):
            return moved


SOURCE = "Armeni, Honey and Linzen 2022, arXiv:2210.13569"
METHOD = Method("repeat_surprisal", TITLE, SOURCE, run, kind="curve", needs_pairs=False)
