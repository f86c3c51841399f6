"""Agreement of two Scores: how far an estimate follows what is exact, with the cloud to look at."""

from typing import Any

import numpy as np
import xarray as xr

from workbench.errors import BadInput
from workbench.result import Origin, Scores, canonical

TITLE = "Agreement"
MEASURES = ("pearson", "spearman", "slope")
RESAMPLES = 200


def agreement(first: Scores, second: Scores, *, seed: int = 0) -> Scores:
    """Pearson and Spearman correlation of two Scores over their cells, by site, with a bootstrap interval over prompts.

    Convention: 1 is agreement up to a positive scale; `slope` is that of the least-squares line of second on first, 1 if
    the scale agrees too. Effects are averaged over prompts before they are correlated, as in Rezaei Jafari et al. 2025,
    https://arxiv.org/abs/2508.21258. The interval is the 2.5 and 97.5 percentile of 200 resamples of the prompts,
    widened to hold the estimate: a resample has fewer different prompts, so that all of them may agree less.

    Args:
        first: Scores, usually of exact patching.
        second: Scores over the same cells.
        seed: Of the resampling.
    Returns:
        Scores over (site, measure) or (measure), without unit; parts 'first' and 'second' hold the clouds. NaN where a
        site's scores do not vary.
    Raises:
        BadInput: When the two are not over the same cells, or in different units.
    """
    _check_same_cells(first, second)
    names = list(first.values.site.values) if "site" in first.values.dims else [None]
    rows = [_measured(_site(first, name), _site(second, name), seed) for name in names]
    dims = ("site", "measure") if names[0] is not None else ("measure",)
    coords: dict[str, Any] = {"measure": list(MEASURES)}
    if names[0] is not None:
        coords["site"] = names

    def labelled(which: int) -> xr.DataArray:
        array = np.stack([row[which] for row in rows])
        return xr.DataArray(array if names[0] is not None else array[0], dims=dims, coords=coords)

    values = labelled(0)
    notes = {"first": _named(first), "second": _named(second), "unit": first.unit, "sign": "1 is agreement"}
    if np.isnan(values.values).any():
        notes["nan"] = "scores that do not vary have no correlation"
    return Scores(
        title=f"{TITLE}: {notes['second']} against {notes['first']}",
        unit="correlation",
        values=values,
        lower=labelled(1),
        upper=labelled(2),
        parts={"first": first.mean().values, "second": second.mean().values},
        notes=notes,
        origin=_origin(first, second, seed),
    )


def _check_same_cells(first: Scores, second: Scores) -> None:
    for name, scores in (("first", first), ("second", second)):
        if not isinstance(scores, Scores):
            raise BadInput(f"{name} must be Scores; got {type(scores).__name__}.")
    one, other = first.values, second.values
    hint = "Run both with the same sites, by and positions, on the same pairs."
    if one.dims != other.dims or one.shape != other.shape:
        raise BadInput(f"the two Scores must be over the same cells; got {dict(one.sizes)} and {dict(other.sizes)}. {hint}")
    for dim in one.dims:
        labels = [list(each[dim].values) for each in (one, other)]
        # Sites are found by name, in any order.
        if (sorted(labels[0]) != sorted(labels[1])) if dim == "site" else (labels[0] != labels[1]):
            raise BadInput(f"the two Scores must be over the same cells; their {dim}s differ. {hint}")
    if first.unit != second.unit:
        raise BadInput(f"the two Scores must have one unit; got {first.unit!r} and {second.unit!r}.")
    if first.origin and second.origin and first.origin.pairs != second.origin.pairs:
        raise BadInput("the two Scores must be of the same pairs; got two sets of prompts. Use the same task, n and seed.")


def _site(scores: Scores, name: str | None) -> np.ndarray:
    """Effects as [cell prompt]."""
    values = scores.values if name is None else scores.values.sel(site=name)
    if "prompt" not in values.dims:
        return values.values.reshape(-1, 1)
    return values.transpose(..., "prompt").values.reshape(-1, values.sizes["prompt"])


def _measured(first: np.ndarray, second: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    known = ~(np.isnan(first).any(1) | np.isnan(second).any(1))
    first, second = first[known], second[known]
    centre = _correlations(first.mean(1), second.mean(1))
    if first.shape[1] < 2:
        return centre, centre, centre
    drawn = np.random.default_rng(seed).integers(0, first.shape[1], (RESAMPLES, first.shape[1]))
    resampled = np.stack([_correlations(first[:, rows].mean(1), second[:, rows].mean(1)) for rows in drawn])
    if np.isnan(resampled).any():
        return centre, np.full_like(centre, np.nan), np.full_like(centre, np.nan)
    low, high = np.percentile(resampled, [2.5, 97.5], axis=0)
    return centre, np.minimum(low, centre), np.maximum(high, centre)


def _correlations(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    from scipy.stats import rankdata

    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return np.full(len(MEASURES), np.nan)
    pearson = np.corrcoef(first, second)[0, 1]
    spearman = np.corrcoef(rankdata(first), rankdata(second))[0, 1]
    slope = np.cov(first, second)[0, 1] / first.var(ddof=1)
    return np.array([pearson, spearman, slope])


def _named(scores: Scores) -> str:
    return scores.origin.method if scores.origin else scores.title


def _origin(first: Scores, second: Scores, seed: int) -> Origin | None:
    """The origin of the first, with the keys of both as parameters."""
    if not first.origin or not second.origin:
        return None
    from dataclasses import replace
    from json import loads

    params = {"first": first.origin.key, "second": second.origin.key, "seed": seed}
    return replace(first.origin, method="agreement", params=loads(canonical(params)))
