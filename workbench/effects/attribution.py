"""First-order effects: what a replacement would do to the metric if that were linear."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from workbench.batches import in_batches, prompts_at_once
from workbench.effects.plans import Plan, all_sites, answers, replacing
from workbench.hooks import read, read_with_grad
from workbench.sites import Site

# Made of several prompts: the runs that are read are kept of all of them, before the first is put in place.
OF_SEVERAL = ("mean", "resample")


def attribute(model: Any, plan: Plan) -> tuple[dict[str, np.ndarray], Tensor, Tensor]:
    """First-order effects (replacement - base) · gradient at the base run: 2 forward passes and 1 backward pass, of as many
    prompts at once as memory takes.

    Returns:
        By site an array [layer pos head prompt] of effects per position (head of size 1 where a site has none); the metric
        per prompt on clean and on corrupt.
    """
    sites = all_sites(model, plan.sites)
    whole = _others(model, plan, sites) if plan.replacement in OF_SEVERAL else None

    def of(rows: slice) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        part = plan.part(rows)
        if whole is None:
            other_logits, other = read(model, part.other, part.end, sites)
            replacement = replacing(part, other)
        else:
            other_logits, replacement = whole[0][rows], {site: value[rows] for site, value in whole[1].items()}
        base, gradients, clean, corrupt = differentiated(model, part, sites, other_logits)
        moved = {site: contract(site.name, replacement[site] - base[site], gradients[site]) for site in sites}
        layers = range(model.cfg.n_layers)
        effects = {name: torch.stack([moved[Site(name, layer)] for layer in layers]) for name in plan.sites}
        return effects, clean, corrupt

    most = prompts_at_once(model, plan.pairs, plan.sites, gradient=True)
    parts = in_batches(of, len(plan.pairs), most, "Attribution")
    arrays = {name: torch.cat([effects[name] for effects, _, _ in parts], -1).cpu().numpy() for name in plan.sites}
    clean, corrupt = (torch.cat([part[at] for part in parts]) for at in (1, 2))
    return arrays, clean, corrupt


def _others(model: Any, plan: Plan, sites: list[Site]) -> tuple[Float[Tensor, "batch vocab"], dict[Site, Tensor]]:
    """The logits of all prompts' other runs, and what is put in place, made of these runs together."""
    most = prompts_at_once(model, plan.pairs, plan.sites)
    runs = in_batches(
        lambda rows: read(model, plan.other[rows], plan.end[rows], sites), len(plan.pairs), most, "Reading the other runs"
    )
    together = {site: torch.cat([kept[site] for _, kept in runs]) for site in sites}
    return torch.cat([logits for logits, _ in runs]), replacing(plan, together)


def differentiated(
    model: Any, plan: Plan, sites: list[Site], other_logits: Float[Tensor, "batch vocab"]
) -> tuple[dict[Site, Tensor], dict[Site, Tensor], Float[Tensor, "batch"], Float[Tensor, "batch"]]:
    """The base run's activations, the metric's gradient there, and the metric on clean and on corrupt."""
    denoise = plan.direction == "denoise"
    # Distances are those to the clean run, whichever of the two that is.
    clean_logits = [other_logits] if denoise else []

    def metric(logits: Tensor) -> Tensor:
        if not denoise:
            clean_logits.append(logits.detach())
        return plan.metric.measure(logits, answers(plan, clean_logits[0]))

    base_values, base, gradients = read_with_grad(model, plan.base, plan.end, sites, metric)
    other_values = plan.metric.measure(other_logits, answers(plan, clean_logits[0]))
    return base, gradients, *((other_values, base_values) if denoise else (base_values, other_values))


def contract(site: str, difference: Tensor, gradient: Tensor) -> Float[Tensor, "pos head batch"]:
    """difference · gradient over the feature axis, as [pos head batch]; patterns over keys, by query."""
    product = (difference.double() * gradient.double()).sum(-1)
    if site == "pattern":
        product = product.transpose(1, 2)
    if product.ndim == 2:
        product = product.unsqueeze(-1)
    return product.permute(1, 2, 0)
