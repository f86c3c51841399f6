"""Retrieval heads: the heads that look at what is copied out of a long context."""

from typing import Any

import numpy as np
import xarray as xr

from workbench.channels.weights import Heads
from workbench.detectors.retrieval import planned, scored
from workbench.methods.method import Method
from workbench.pairs import Pairs
from workbench.result import Scores

TITLE = "Retrieval heads"
# A head with a score above the first is a retrieval head, above the second a strong one.
RETRIEVES, STRONGLY = 0.1, 0.5


def run(
    model: Any,
    pairs: Pairs | None = None,
    *,
    lengths: str = "200,400",
    depths: int = 3,
    needles: int = 3,
    seed: int = 0,
) -> Scores:
    """How often every head's strongest attention is on the very token of a needle that the model then gives back.

    Convention: the mean over trials that count of (generated tokens that stand in the needle and are looked at there) over
    the needle's tokens. A trial counts where the answer gives back more than half of the needle's words. 0.1 and more makes
    a retrieval head, 0.5 a strong one. Source: Wu et al. 2024, https://arxiv.org/abs/2404.15574, on texts of this project's
    own, and far shorter ones.

    Args:
        model: The model.
        pairs: Not used: the prompts are made here.
        lengths: Tokens of the prompts, from 64, several with commas.
        depths: Places of the needle, evenly from the beginning to the end, at least 1.
        needles: Different needles at every place, at least 1.
        seed: Of needles and haystacks.
    Returns:
        Scores over (layer, head) in share of the needle, mean ± 1 s.e. over trials that count; the parts 'each' (trial,
        layer, head) and 'counts' (trial) hold all of them. NaN where no trial counts.
    Raises:
        BadInput: When a needle is longer than its haystack, or a prompt than the model's context.
    """
    heads, asked = Heads(model), planned(lengths, depths, needles, seed)
    scores, which = scored(heads, asked, TITLE)
    some = scores[which]
    values = some.mean(0) if len(some) else np.full(scores.shape[1:], np.nan)
    error = some.std(0, ddof=1) / np.sqrt(len(some)) if len(some) > 1 else np.zeros_like(values)
    grid = {"layer": np.arange(heads.n_layers), "head": np.arange(heads.n_heads)}
    trials = {"trial": np.arange(len(which))}

    def labelled(numbers: np.ndarray) -> xr.DataArray:
        return xr.DataArray(numbers, dims=("layer", "head"), coords=grid)

    notes = {
        "sign": "share of the needle that is given back while the head looks at it",
        "range": "positive",
        "interval": "mean ± 1 s.e. over trials that count",
        "trials": f"{int(which.sum())} of {len(which)} count: the needle is given back",
        "heads": ", ".join(f"{int((values >= least).sum())} at {least} or more" for least in (RETRIEVES, STRONGLY)),
    }
    if not len(some):
        notes["nan"] = "in no trial was the needle given back"
    return Scores(
        TITLE,
        "share of the needle",
        labelled(values),
        lower=labelled(values - error),
        upper=labelled(values + error),
        parts={
            "each": xr.DataArray(scores, dims=("trial", "layer", "head"), coords={**trials, **grid}),
            "counts": xr.DataArray(which, dims=("trial",), coords=trials),
        },
        notes=notes,
    )


METHOD = Method("retrieval", TITLE, "Wu et al. 2024, Retrieval Head, arXiv:2404.15574", run, needs_pairs=False)
