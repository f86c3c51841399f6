"""How much a model learns from its context: the loss by place in running text, and in random tokens that repeat."""

from typing import Any

import numpy as np
import torch
import xarray as xr

from workbench.detectors import sequences
from workbench.detectors.loss import surprisals
from workbench.errors import BadInput, at_least
from workbench.methods.method import Method
from workbench.pairs import Pairs
from workbench.result import Curve

TITLE = "Loss by place in the context"
SENTENCES = 60


def run(
    model: Any,
    pairs: Pairs | None = None,
    *,
    examples: int = 8,
    length: int = 256,
    early: int = 50,
    late: int = 250,
    window: int = 20,
    seed: int = 0,
) -> Curve:
    """Mean loss of the token at every place: of running text, and of random tokens of which the second half repeats the first.

    Convention: the in-context-learning score is the mean loss of the tokens up to the late place, a window of them, less that
    up to the early one, in nats; the more negative, the more is learned from the context. Text is this project's own stories,
    whose people and things come again. Source: Olsson et al. 2022, https://arxiv.org/abs/2209.11895, who take one token each,
    at 50 and 500 of 512, of many thousand texts: of a few, one token says nothing.

    Args:
        model: The model.
        pairs: Not used: the sequences are made here.
        examples: Sequences of each kind, at least 2.
        length: Tokens of each, at most the model's context; even.
        early: The earlier place of the score, from 1.
        late: The later one, below length.
        window: Tokens that count up to either place, at most early.
        seed: Of the sequences.
    Returns:
        Curve over place in nats, mean ± 1 s.e. over sequences; the scores of every sequence are in the part 'score'
        (series, sequence).
    Raises:
        BadInput: When the places do not fit into the length, or the length into the model's context.
    """
    at_least("examples", examples, 2)
    at_least("length", length, 8)
    if length % 2:
        raise BadInput(f"length must be even, one half to repeat the other; got {length}.")
    if not 1 <= window <= early:
        raise BadInput(f"window must be from 1 to early, {early}; got {window}.")
    if not 1 <= early < late < length:
        raise BadInput(f"early and late must be places in order, from 1 to {length - 1}; got {early} and {late}.")
    sequences.fits(model, length)
    series, unread = {}, ""
    try:
        tokens, counted = sequences.text_tokens(model, sequences.stories(examples, seed, SENTENCES), length)
        if not bool(counted.all()):
            raise BadInput(f"length must be at most {int(counted.sum(1).min())} here, the shortest story; got {length}.")
        series["stories"] = tokens
    except sequences.Unread as problem:
        unread = str(problem)
    series["random tokens, repeated"] = sequences.repeated(model, examples, seed, length // 2, 2)[:, -length:]
    each = np.stack(
        [
            surprisals(model, one, torch.ones_like(one, dtype=torch.bool), f"{TITLE}: {name}")[:, 1:].double().numpy()
            for name, one in series.items()
        ]
    )
    values = each.mean(1)
    error = each.std(1, ddof=1) / np.sqrt(examples)
    names, places = list(series), np.arange(1, length)

    def labelled(numbers: np.ndarray) -> xr.DataArray:
        return xr.DataArray(numbers, dims=("series", "place"), coords={"series": names, "place": places})

    # Place 1 is the first that is expected from something.
    up_to = [each[:, :, place - window : place].mean(-1) for place in (late, early)]
    score = up_to[0] - up_to[1]
    mean, spread = score.mean(1), score.std(1, ddof=1) / np.sqrt(examples)
    told = [f"{name} {one:+.2f} ± {other:.2f}" for name, one, other in zip(names, mean, spread, strict=True)]
    half = length // 2
    gain = each[-1, :, half:].mean() - each[-1, :, : half - 1].mean()
    return Curve(
        TITLE,
        "nats",
        labelled(values),
        lower=labelled(values - error),
        upper=labelled(values + error),
        parts={
            "score": xr.DataArray(score, dims=("series", "sequence"), coords={"series": names, "sequence": np.arange(examples)})
        },
        notes={
            "sign": "loss of the token at a place: less is better known",
            "x": "place in the context",
            "interval": "mean ± 1 s.e. over sequences",
            "in-context score": f"loss up to {late} less that up to {early}, {window} tokens each: {'; '.join(told)}",
            "repeats": f"second copy less first: {gain:+.2f} nats",
            **({"stories": f"not read: {unread}"} if unread else {}),
        },
    )


SOURCE = "Olsson et al. 2022, In-context Learning and Induction Heads, arXiv:2209.11895"
METHOD = Method("in_context", TITLE, SOURCE, run, kind="curve", needs_pairs=False)
