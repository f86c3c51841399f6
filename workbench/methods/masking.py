"""What a model still finds in a long context without its retrieval heads, and without as many others."""

from typing import Any, Literal

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from workbench import progress
from workbench.channels.weights import Heads
from workbench.detectors.retrieval import answered, planned, scored, trial
from workbench.errors import at_least, whole_numbers
from workbench.hooks import Write, writing
from workbench.methods.method import Method
from workbench.pairs import Pairs
from workbench.result import Curve
from workbench.sites import Site

TITLE = "Needles without retrieval heads"
# Random heads are drawn from outside the best: so many, or half of all where that is fewer.
BEST = 100
SERIES = ("retrieval heads", "random heads")
# Needles on which the heads are chosen have other seeds than those of the report.
ASIDE = 500


def run(
    model: Any,
    pairs: Pairs | None = None,
    *,
    masked: str = "0,5,10,20",
    how: Literal["zero", "uniform"] = "zero",
    lengths: str = "200",
    depths: int = 3,
    needles: int = 2,
    draws: int = 2,
    seed: int = 0,
) -> Curve:
    """How much of a needle is given back as more and more retrieval heads are masked, and as many random ones.

    Convention: the share of the needle's words that the greedy answer holds. Heads are ranked by `retrieval` on needles of
    their own; random heads are drawn from outside the best 100, or the better half. A masked head writes nothing ('zero'), or
    what it writes when it looks at all tokens alike ('uniform', as in the paper's code, which sets its scores to zero).
    Source: Wu et al. 2024, https://arxiv.org/abs/2404.15574.

    Args:
        model: The model.
        pairs: Not used: the prompts are made here.
        masked: How many heads are masked, several with commas.
        how: What masking does: 'zero' or 'uniform'.
        lengths: Tokens of the prompts, from 64, several with commas.
        depths: Places of the needle, evenly from the beginning to the end, at least 1.
        needles: Different needles at every place, at least 1.
        draws: Draws of random heads, at least 1.
        seed: Of needles, haystacks and draws.
    Returns:
        Curve (series, masked) in share of the needle's words, mean ± 1 s.e. over trials, of random heads over draws first;
        the part 'each' (series, masked, trial) holds all. NaN where no needle was given back when the heads were ranked.
    Raises:
        BadInput: When more heads are to be masked than there are, or the prompts do not fit.
    """
    at_least("draws", draws, 1)
    heads = Heads(model)
    count = heads.n_layers * heads.n_heads
    best = min(BEST, count // 2)
    numbers = whole_numbers("masked", masked, 0, min(best, count - best))
    asked = planned(lengths, depths, needles, seed)
    scores, counts = scored(heads, planned(lengths, depths, needles, seed + ASIDE), "Ranking heads")
    each = np.full((len(SERIES), len(numbers), len(asked)), np.nan)
    order = np.argsort(-scores[counts].sum(0).ravel(), kind="stable")
    if counts.any():
        rng = np.random.default_rng(seed)
        others = [rng.permutation(order[best:]) for _ in range(draws)]
        for at, number in progress.track(list(enumerate(numbers)), TITLE):
            each[0, at] = _recalled(heads, asked, order[:number], how)
            each[1, at] = np.mean(
                [_recalled(heads, asked, one[:number], how) for one in others if number or one is others[0]], 0
            )
    error = each.std(-1, ddof=1) / np.sqrt(len(asked)) if len(asked) > 1 else np.zeros(each.shape[:2])
    coords = {"series": list(SERIES), "masked": numbers}

    def labelled(values: np.ndarray) -> xr.DataArray:
        return xr.DataArray(values, dims=("series", "masked"), coords=coords)

    names = [heads.name(*divmod(int(index), heads.n_heads)) for index in order[: max(numbers)]]
    notes = {
        "sign": "share of the needle's words that the answer gives back; 1 is all",
        "x": "heads masked",
        "interval": f"mean ± 1 s.e. over {len(asked)} trials" + (f", random heads over {draws} draws" if draws > 1 else ""),
        "masking": "a masked head writes nothing" if how == "zero" else "a masked head looks at all tokens alike",
    }
    if counts.any():
        notes["ranked"] = ", ".join(names[:10]) + (", …" if len(names) > 10 else "") + " (on other needles)"
    else:
        notes["nan"] = "in no trial was the needle given back, so that heads cannot be ranked"
    centre = each.mean(-1)
    trials = {"trial": np.arange(len(asked))}
    parts = {"each": xr.DataArray(each, dims=("series", "masked", "trial"), coords={**coords, **trials})}
    band = {"lower": labelled(centre - error), "upper": labelled(centre + error)}
    return Curve(TITLE, "share of the words", labelled(centre), **band, parts=parts, notes=notes)


def _recalled(heads: Heads, asked: list[tuple[int, float, int]], off: np.ndarray, how: str) -> np.ndarray:
    """The share of the needle's words given back in every trial, with some heads masked."""

    def work() -> np.ndarray:
        with writing(heads.model, _masks(heads, off, how)):
            return np.array([answered(heads, trial(heads.model, *one))[1] for one in asked])

    return progress.remembered(f"{TITLE}/{progress.digest(asked, off.tolist(), how)}", work)


def _masks(heads: Heads, off: np.ndarray, how: str) -> dict[Site, Write]:
    """What to write at the layers that have masked heads."""
    writes: dict[Site, Write] = {}
    for layer in sorted({int(index) // heads.n_heads for index in off}):
        gone = torch.zeros(heads.n_heads, dtype=torch.bool)
        gone[[int(index) % heads.n_heads for index in off if int(index) // heads.n_heads == layer]] = True

        def zero(z: Tensor, gone: Tensor = gone) -> Tensor:
            return z.masked_fill(gone.to(z.device).unsqueeze(-1), 0)

        def uniform(pattern: Tensor, gone: Tensor = gone) -> Tensor:
            queries, keys = pattern.shape[-2:]
            # The last query sees all keys, also where the earlier ones are kept from an earlier pass.
            seen = torch.ones(queries, keys, device=pattern.device, dtype=pattern.dtype).tril(keys - queries)
            return torch.where(gone.to(pattern.device)[:, None, None], seen / seen.sum(-1, keepdim=True), pattern)

        writes[Site("z" if how == "zero" else "pattern", layer)] = zero if how == "zero" else uniform
    return writes


METHOD = Method("masking", TITLE, "Wu et al. 2024, Retrieval Head, arXiv:2404.15574", run, kind="curve", needs_pairs=False)
