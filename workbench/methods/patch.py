"""Activation patching: put one run's activation into another, and see what the answer does. Exact: a run per cell."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from workbench import progress
from workbench.effects import (
    Axis,
    Direction,
    Positions,
    Replacement,
    all_sites,
    answers,
    as_scores,
    grid_shape,
    plan,
    replacing,
)
from workbench.methods.method import Method
from workbench.metrics import MetricName
from workbench.pairs import Pairs
from workbench.result import Scores
from workbench.sites import Site, SiteName
from workbench.sweep import cells_of, first_difference, record, sweep

TITLE = "Activation patching"


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
    normalise: bool = False,
    seed: int = 0,
) -> Scores:
    """The effect of replacing each place of the base run, one exact run per cell.

    Convention: patched minus base. Denoising patches clean into corrupt: + restores the behaviour. Noising patches corrupt
    into clean: - breaks it. Source: Vig et al. 2020; Heimersheim & Nanda 2024, https://arxiv.org/abs/2404.15255.

    Args:
        model: The model.
        pairs: Clean and corrupt prompts.
        sites: One or several of resid_pre, resid_mid, resid_post, attn_out, mlp_out, z, q, k, v, pattern.
        by: The axes of a cell: layer, head, pos; what is left out is patched all at once.
        positions: 'each' position, the task's 'named' ones, or 'auto': each where all prompts have one layout. A pattern's
            position is its query.
        metric: logit_diff, prob_diff, log_prob or kl.
        direction: 'denoise' or 'noise'.
        replacement: The 'other' run's activation, its 'mean' over prompts, 'zero', or a 'resample': another pair's.
        normalise: Divide by the mean gap between clean and corrupt.
        seed: For 'resample'.
    Returns:
        Scores over (site, layer, head, pos, prompt), as far as asked for, in the metric's unit. 0 means no effect; NaN
        where a site has no such head.
    Raises:
        BadInput: When a parameter is none of these, the model lacks a site, or there is no gap to divide by.
    """
    asked = plan(model, pairs, sites, by, positions, metric, direction, replacement, normalise, seed)
    everywhere = all_sites(model, asked.sites)
    base = record(model, asked.base, asked.end, everywhere)
    other = record(model, asked.other, asked.end, everywhere)
    clean_logits = other.logits if direction == "denoise" else base.logits
    compared = answers(asked, clean_logits)
    base_values = asked.metric.measure(base.logits, compared)
    other_values = asked.metric.measure(other.logits, compared)
    clean, corrupt = (other_values, base_values) if direction == "denoise" else (base_values, other_values)
    puts = replacing(asked, other.kept)
    # Only the other prompt is known to agree with the base run before the first token that differs.
    same_before = first_difference(pairs) if replacement == "other" else first_difference(pairs) * 0
    arrays = {site: np.full(grid_shape(model, asked, site), np.nan) for site in asked.sites}

    def so_far() -> Scores:
        return as_scores(model, asked, TITLE, arrays, clean, corrupt, {"nan": "not computed yet"})

    for site in asked.sites:
        cells = cells_of(model, site, asked.by, asked.slots)
        flat = arrays[site].reshape(len(cells), len(pairs))
        by_layer = {layer: puts[Site(site, layer)] for layer in range(model.cfg.n_layers)}
        for index, values in sweep(
            model, base, site, cells, asked.slots, by_layer, same_before, asked.metric, compared, f"Patching {site}"
        ):
            flat[index] = values - base_values.double().cpu().numpy()
            progress.show(so_far)
    return as_scores(model, asked, TITLE, arrays, clean, corrupt, {})


METHOD = Method("patch", TITLE, "Vig et al. 2020; Heimersheim & Nanda 2024, arXiv:2404.15255", run)
