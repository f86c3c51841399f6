"""What patching and its approximations are asked, checked: which run is the base, and what replaces what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from workbench.errors import BadInput, one_of
from workbench.metrics import Answers, Metric, answers_of, metric_named
from workbench.pairs import Pairs
from workbench.sites import HEADS, Site
from workbench.sweep import Slots, available, slots_of

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

    def part(self, rows: slice) -> "Plan":
        """The same of some prompts in a row."""
        return replace(
            self,
            pairs=self.pairs.part(rows),
            base=self.base[rows],
            other=self.other[rows],
            end=self.end[rows],
            slots=self.slots.part(rows),
        )


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


def replacing(plan: Plan, other: Mapping[Site, Tensor]) -> dict[Site, Tensor]:
    """What is put in at each site: the other run's activation, or zeros, or a mean or a resample of the other run's."""
    if plan.replacement == "other":
        return dict(other)
    if plan.replacement == "zero":
        return {site: torch.zeros_like(value) for site, value in other.items()}
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
