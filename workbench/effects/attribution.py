"""First-order effects: what a replacement would do to the metric if that were linear."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from workbench.effects.plans import Plan, all_sites, answers, replacing
from workbench.hooks import read, read_with_grad
from workbench.sites import Site


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
