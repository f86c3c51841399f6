"""What patching and its approximations share: which run is the base, what replaces what, and the Scores made of it.

Sign: an effect is the metric with the place replaced minus the metric of the base run. Denoising (the default) patches
clean into corrupt, so +1 restores the behaviour by one unit; noising patches corrupt into clean, so -1 breaks it by one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float, Int
from torch import Tensor

from workbench.errors import BadInput, one_of
from workbench.hooks import read, read_with_grad
from workbench.metrics import Answers, Metric, answers_of, metric_named
from workbench.pairs import Pairs
from workbench.result import Scores
from workbench.sites import HEADS, Site, n_heads
from workbench.sweep import Positions, Slots, available, slots_of  # noqa: F401 — Positions belongs to the methods' interface

Direction = Literal["denoise", "noise"]
Replacement = Literal["other", "mean", "zero", "resample"]
Axis = Literal["layer", "head", "pos"]
AXES = get_args(Axis)


@dataclass(frozen=True, eq=False)
class Plan:
    """What one call of a method asks, checked.

    Attributes:
        base, other: Tokens of the run that is patched and of the run that is read.
        sites: Where.
        by: The axes of a cell, in the order of AXES.
        slots: The position axis.
    """

    pairs: Pairs
    base: Int[Tensor, "batch pos"]
    other: Int[Tensor, "batch pos"]
    end: Int[Tensor, "batch"]
    sites: tuple[str, ...]
    by: tuple[str, ...]
    slots: Slots
    metric: Metric
    direction: str
    replacement: str
    normalise: bool
    seed: int


def plan(
    model: Any,
    pairs: Pairs,
    sites: str | Sequence[str],
    by: str | Sequence[str],
    positions: str,
    metric: str,
    direction: str,
    replacement: str,
    normalise: bool,
    seed: int,
) -> Plan:
    """Check the parameters that patch, atp and relp share, and put the tensors on the model's device.

    Raises:
        BadInput: When a site, axis, metric, direction or replacement is none, or a site has no such axis.
    """
    sites = (sites,) if isinstance(sites, str) else tuple(sites)
    by = (by,) if isinstance(by, str) else tuple(by)
    one_of("direction", direction, get_args(Direction))
    one_of("replacement", replacement, get_args(Replacement))
    for axis in by:
        one_of("by", axis, AXES)
    if not sites:
        raise BadInput("sites must name at least one place; got none.")
    for site in sites:
        available(model, site)
        if "head" in by and site not in HEADS:
            raise BadInput(f"site must have heads when by includes 'head'; got {site!r}. Use one of {', '.join(HEADS)}.")
        if site == "pattern" and replacement != "other" and replacement != "zero" and not pairs.same_layout:
            raise BadInput(
                f"replacement of patterns must be 'other' or 'zero' for prompts of several layouts; got {replacement!r}."
            )
    if replacement == "resample" and len(pairs) < 2:
        raise BadInput("resample must have at least 2 pairs to draw from; got 1. Make more pairs.")
    device = model.cfg.device
    clean, corrupt = pairs.clean.to(device), pairs.corrupt.to(device)
    return Plan(
        pairs=pairs,
        base=corrupt if direction == "denoise" else clean,
        other=clean if direction == "denoise" else corrupt,
        end=pairs.end.to(device),
        sites=sites,
        by=tuple(axis for axis in AXES if axis in by),
        slots=slots_of(pairs, positions),
        metric=metric_named(metric),
        direction=direction,
        replacement=replacement,
        normalise=normalise,
        seed=seed,
    )


def all_sites(model: Any, names: Sequence[str]) -> list[Site]:
    """The named sites at every layer."""
    return [Site(name, layer) for layer in range(model.cfg.n_layers) for name in names]


def answers(plan: Plan, clean_logits: Float[Tensor, "batch vocab"]) -> Answers:
    """What the metric compares, with the clean run as the reference of distances."""
    return answers_of(plan.pairs, clean_logits.device, clean_logits)


def replacing(plan: Plan, base: Mapping[Site, Tensor], other: Mapping[Site, Tensor]) -> dict[Site, Tensor]:
    """What is put in at each site: the other run's activation, or zeros, or a mean or a resample of the other run's."""
    if plan.replacement == "other":
        return dict(other)
    if plan.replacement == "zero":
        return {site: torch.zeros_like(value) for site, value in base.items()}
    if plan.replacement == "mean":
        return {site: mean_of(plan.pairs, value) for site, value in other.items()}
    order = order_of_others(len(plan.pairs), plan.seed)
    return {site: value[order] for site, value in other.items()}


def mean_of(pairs: Pairs, value: Tensor) -> Tensor:
    """Mean over prompts at each position; over prompts and positions where the prompts' layouts differ."""
    if pairs.same_layout:
        return value.mean(0, keepdim=True).expand_as(value)
    real = torch.arange(value.shape[1], device=value.device) < pairs.lengths.to(value.device).unsqueeze(1)
    return value[real].mean(0).expand_as(value)


def order_of_others(size: int, seed: int) -> list[int]:
    """A seeded order in which no prompt stands for itself: one cycle through a shuffle."""
    shuffled = torch.randperm(size, generator=torch.Generator().manual_seed(seed)).tolist()
    order = [0] * size
    for place, index in enumerate(shuffled):
        order[index] = shuffled[(place + 1) % size]
    return order


def attribute(model: Any, plan: Plan) -> tuple[dict[str, np.ndarray], Tensor, Tensor, dict[str, dict[Site, Tensor]]]:
    """First-order effects (replacement - base) · gradient at the base run: 2 forward passes and 1 backward pass.

    Returns:
        By site an array [layer pos head prompt] of effects per position (head of size 1 where a site has none); the metric
        per prompt on clean and on corrupt; and the activations and gradients read, by name.
    """
    sites = all_sites(model, plan.sites)
    other_logits, other = read(model, plan.other, plan.end, sites)
    denoise = plan.direction == "denoise"

    def metric(logits: Tensor) -> Tensor:
        return plan.metric.measure(logits, answers(plan, other_logits if denoise else logits.detach()))

    base_values, base, gradients = read_with_grad(model, plan.base, plan.end, sites, metric)
    reference = answers(plan, other_logits)
    other_values = plan.metric.measure(other_logits, reference)
    replacement = replacing(plan, base, other)
    arrays = {}
    for name in plan.sites:
        per_layer = [
            contract(name, replacement[Site(name, layer)] - base[Site(name, layer)], gradients[Site(name, layer)])
            for layer in range(model.cfg.n_layers)
        ]
        arrays[name] = torch.stack(per_layer).double().cpu().numpy()
    clean, corrupt = (other_values, base_values) if denoise else (base_values, other_values)
    return arrays, clean, corrupt, {"base": base, "other": other, "gradient": gradients}


def contract(site: str, difference: Tensor, gradient: Tensor) -> Float[Tensor, "pos head batch"]:
    """difference · gradient over the feature axis, as [pos head batch]; patterns over keys, by query."""
    product = (difference.double() * gradient.double()).sum(-1)
    if site == "pattern":
        product = product.transpose(1, 2)
    if product.ndim == 2:
        product = product.unsqueeze(-1)
    return product.permute(1, 2, 0)


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
