"""Attribution patching: patching to first order, by the gradient at the base run."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from workbench.batches import in_batches, prompts_at_once
from workbench.effects import (
    Axis,
    Direction,
    Plan,
    Positions,
    Replacement,
    all_sites,
    as_scores,
    attribute,
    differentiated,
    on_grid,
    plan,
)
from workbench.errors import BadInput
from workbench.hooks import read
from workbench.methods.method import Method
from workbench.metrics import MetricName
from workbench.pairs import Pairs
from workbench.qk import CORRECTED, READ, correction, rotated
from workbench.result import Scores
from workbench.sites import SiteName

TITLE = "Attribution patching"


def run(
    model: Any,
    pairs: Pairs,
    *,
    sites: SiteName | Sequence[SiteName] = "z",
    by: Axis | Sequence[Axis] = ("layer", "head"),
    positions: Positions = "auto",
    metric: MetricName = "logit_diff",
    direction: Direction = "denoise",
    replacement: Replacement = "other",
    qk_correction: bool = False,
    normalise: bool = False,
    seed: int = 0,
) -> Scores:
    """An estimate of patching: (replacement - base) · gradient, in 2 forward passes and 1 backward pass.

    Convention: as `patch`: patched minus base; + restores the behaviour when denoising. The gradient is taken at the base
    run. Source: Nanda 2023, https://www.neelnanda.io/mechanistic-interpretability/attribution-patching; the correction:
    Kramár et al. 2024 (AtP*), https://arxiv.org/abs/2403.00745, eqs 7, 9 and 10.

    Args:
        model: The model.
        pairs: Clean and corrupt prompts.
        sites: As for `patch`.
        by: As for `patch`; what is left out is summed.
        positions: As for `patch`.
        metric: As for `patch`.
        direction: As for `patch`.
        replacement: As for `patch`.
        qk_correction: For sites q and k, compute the attention that the patched query or key gives exactly, and take only
            what follows to first order: a saturated softmax has no gradient left to tell. One more forward and backward.
        normalise: Divide by the mean gap between clean and corrupt.
        seed: For 'resample'.
    Returns:
        Scores over (site, layer, head, pos, prompt), as far as asked for, in the metric's unit. 0 means no effect; NaN
        where a site has no such head.
    Raises:
        BadInput: When a parameter is none of these, or the correction cannot be had for this model or replacement.
    """
    asked = plan(model, pairs, sites, by, positions, metric, direction, replacement, normalise, seed)
    arrays, clean, corrupt = attribute(model, asked)
    if qk_correction:
        arrays.update(_corrected(model, asked))
    gathered = {site: on_grid(asked, array) for site, array in arrays.items()}
    return as_scores(model, asked, TITLE, gathered, clean, corrupt, {"correction": "query-key" if qk_correction else "none"})


def _corrected(model: Any, asked: Plan) -> dict[str, Float[np.ndarray, "layer pos head prompt"]]:
    """Effects of q and k through the attention they really give."""
    wanted = tuple(site for site in ("q", "k") if site in asked.sites)
    if not wanted:
        raise BadInput(f"qk_correction must have q or k among the sites; got {', '.join(asked.sites)}.")
    if asked.replacement != "other":
        raise BadInput(f"qk_correction must have replacement='other'; got {asked.replacement!r}.")

    def of(rows: slice) -> dict[str, Float[np.ndarray, "layer pos head prompt"]]:
        part = asked.part(rows)
        with rotated(model) as other_qk:
            other_logits, _ = read(model, part.other, part.end, [])
        with rotated(model) as base_qk:
            base, gradients, _, _ = differentiated(model, part, all_sites(model, READ), other_logits)
        return correction(model, wanted, base, gradients, base_qk, other_qk)

    most = prompts_at_once(model, asked.pairs, CORRECTED, gradient=True)
    parts = in_batches(of, len(asked.pairs), most, "Query-key correction")
    return {site: np.concatenate([part[site] for part in parts], -1) for site in wanted}


METHOD = Method("atp", TITLE, "Nanda 2023; Kramár et al. 2024, arXiv:2403.00745", run)
