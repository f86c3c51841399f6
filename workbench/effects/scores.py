"""Effects as Scores: gathered to the axes that were asked for, in a unit, with their sign in words."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float
from torch import Tensor

from workbench.effects.plans import AXES, Plan
from workbench.errors import BadInput
from workbench.result import Scores
from workbench.sites import n_heads


def on_grid(plan: Plan, array: Float[np.ndarray, "layer pos head prompt"]) -> np.ndarray:
    """Effects per position gathered to the plan's axes: slots picked, the axes not in `by` summed; prompt last."""
    if "pos" in plan.by:
        index = plan.slots.index.numpy()
        array = np.stack([array[..., prompt][:, index[:, prompt]] for prompt in range(array.shape[-1])], axis=-1)
    array = array.transpose(0, 2, 1, 3)
    summed = tuple(axis for axis, name in enumerate(AXES) if name not in plan.by)
    return array.sum(axis=summed)


def grid_shape(model: Any, plan: Plan, site: str) -> tuple[int, ...]:
    """Sizes of the axes in `by`, then of prompt."""
    sizes = {"layer": model.cfg.n_layers, "head": n_heads(model, site), "pos": len(plan.slots.labels)}
    return (*(sizes[axis] for axis in plan.by), len(plan.pairs))


def as_scores(
    model: Any,
    plan: Plan,
    title: str,
    arrays: Mapping[str, np.ndarray],
    clean: Tensor,
    corrupt: Tensor,
    notes: Mapping[str, str],
) -> Scores:
    """Scores over (site, the axes in `by`, prompt) from an array per site.

    Sites with fewer heads than others (k and v of grouped-query models) are filled with NaN, and the notes say so.
    """
    gap = float(clean.mean() - corrupt.mean())
    scale, unit = 1.0, plan.metric.unit
    if plan.normalise:
        hint = "normalise=False, or other pairs"
        scale, unit = checked_gap(clean, corrupt, plan.metric.unit, "normalise", hint), "share of the gap"
    dims = (*plan.by, "prompt")
    most = max(n_heads(model, site) for site in plan.sites) if "head" in plan.by else 0
    padded = [_pad_heads(arrays[site] / scale, dims, most) for site in plan.sites]
    told = dict(notes, sign=sign_note(plan), gap=f"{gap:.4g} {plan.metric.unit} between clean and corrupt")
    if any(np.isnan(array).any() for array in padded):
        told.setdefault("nan", "this site has fewer heads: one for each group of query heads")
    values = xr.DataArray(
        np.stack(padded) if len(padded) > 1 else padded[0],
        dims=("site", *dims) if len(padded) > 1 else dims,
        coords=_coords(model, plan, most, len(padded) > 1),
    )
    prompts = {"prompt": range(len(plan.pairs))}
    return Scores(
        title=title,
        unit=unit,
        values=values,
        parts={
            "clean": xr.DataArray(clean.double().cpu().numpy(), dims=("prompt",), coords=prompts),
            "corrupt": xr.DataArray(corrupt.double().cpu().numpy(), dims=("prompt",), coords=prompts),
        },
        notes=told,
    )


def _coords(model: Any, plan: Plan, heads: int, several: bool) -> dict[str, Any]:
    coords: dict[str, Any] = {"prompt": np.arange(len(plan.pairs))}
    if several:
        coords["site"] = list(plan.sites)
    if "layer" in plan.by:
        coords["layer"] = np.arange(model.cfg.n_layers)
    if "head" in plan.by:
        coords["head"] = np.arange(heads)
    if "pos" in plan.by:
        coords["pos"] = np.arange(len(plan.slots.labels))
        coords["token"] = ("pos", list(plan.slots.labels))
    return coords


def _pad_heads(array: np.ndarray, dims: Sequence[str], most: int) -> np.ndarray:
    if "head" not in dims:
        return array
    axis = list(dims).index("head")
    missing = most - array.shape[axis]
    return np.pad(array, [(0, missing if i == axis else 0) for i in range(array.ndim)], constant_values=np.nan)


def checked_gap(clean: Tensor, corrupt: Tensor, unit: str, what: str, hint: str) -> float:
    """The gap to divide by; BadInput where it is lost in the spread of the prompts."""
    gap = float(clean.mean() - corrupt.mean())
    spread = float((clean - corrupt).std()) / len(clean) ** 0.5 if len(clean) > 1 else 0.0
    if abs(gap) <= max(2 * spread, 1e-3):
        raise BadInput(
            f"{what} must have a gap between clean and corrupt to divide by; got {gap:.3g} {unit} with a standard error of "
            f"{spread:.2g}. The model does not do this task; use {hint}."
        )
    return gap


def sign_note(plan: Plan) -> str:
    """The convention, in words for under a figure."""
    what = {
        "other": "the other prompt's value",
        "mean": "the mean over the other prompts",
        "zero": "zero",
        "resample": "another pair's value",
    }[plan.replacement]
    if plan.direction == "denoise":
        return (
            f"+ restores the behaviour: corrupt run, patched with {what if plan.replacement != 'other' else 'the clean value'}"
        )
    return f"- breaks the behaviour: clean run, patched with {what if plan.replacement != 'other' else 'the corrupt value'}"
