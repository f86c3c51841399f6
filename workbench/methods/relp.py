"""Relevance patching: attribution with the gradient replaced by layer-wise relevance propagation."""

from collections.abc import Sequence
from typing import Any

from workbench.effects import Axis, Direction, Positions, Replacement, as_scores, attribute, on_grid, plan
from workbench.methods.method import Method
from workbench.metrics import MetricName
from workbench.pairs import Pairs
from workbench.result import Scores
from workbench.rules import DEFAULT, Rule, relevance
from workbench.sites import SiteName

TITLE = "Relevance patching"


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
    rules: Sequence[Rule] = DEFAULT,
    normalise: bool = False,
    seed: int = 0,
) -> Scores:
    """An estimate of patching: (replacement - base) · relevance, in 2 forward passes and 1 backward pass.

    Convention: as `patch`: patched minus base; + restores the behaviour when denoising. The relevance coefficients are
    propagated through the base run. Source: Rezaei Jafari et al. 2025, https://arxiv.org/abs/2508.21258, section 3; rules
    as its code applies them, with Identity active also in models where that code left it off by mistake.

    Args:
        model: The model.
        pairs: Clean and corrupt prompts.
        sites: As for `patch`.
        by: As for `patch`; what is left out is summed.
        positions: As for `patch`.
        metric: As for `patch`.
        direction: As for `patch`.
        replacement: As for `patch`.
        rules: Which of ln, identity, half, ah apply. With ah nothing flows to queries and keys: q and k score 0.
        normalise: Divide by the mean gap between clean and corrupt.
        seed: For 'resample'.
    Returns:
        Scores over (site, layer, head, pos, prompt), as far as asked for, in the metric's unit. 0 means no effect; NaN
        where a site has no such head.
    Raises:
        BadInput: When a parameter is none of these, or the model's MLPs are of a make without rules.
    """
    asked = plan(model, pairs, sites, by, positions, metric, direction, replacement, normalise, seed)
    with relevance(model, (rules,) if isinstance(rules, str) else tuple(rules)):
        arrays, clean, corrupt = attribute(model, asked)
    gathered = {site: on_grid(asked, array) for site, array in arrays.items()}
    return as_scores(model, asked, TITLE, gathered, clean, corrupt, {"rules": ", ".join(rules)})


METHOD = Method("relp", TITLE, "Rezaei Jafari et al. 2025, arXiv:2508.21258", run)
