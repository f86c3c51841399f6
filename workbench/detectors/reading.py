"""Measures of all heads of a model on sequences: one pass per few of these, and no pattern kept longer than its layer."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from workbench import progress
from workbench.channels.weights import Heads
from workbench.detectors import attention
from workbench.hooks import Enough, end_logits, hooked
from workbench.models.memory import as_many
from workbench.sites import Site, hook_point
from workbench.sweep import bytes_per_token

# Attention weights (head × query × key) of one layer in one pass.
WEIGHTS = {"cpu": 4e6, "cuda": 2e8, "mps": 2e7}

# Of some sequences at one layer: tokens, which are no padding, pattern, z, layer -> a number per sequence and head.
Measure = Callable[
    [
        Int[Tensor, "batch pos"],
        Bool[Tensor, "batch pos"],
        Float[Tensor, "batch head pos pos"],
        Float[Tensor, "batch pos head d_head"],
        int,
    ],
    Float[Tensor, "batch head"],
]


def share(wanted: attention.Wanted) -> Measure:
    """The mean share of attention on the keys that are wanted."""
    return lambda tokens, counted, pattern, z, layer: attention.share_on(pattern, wanted(tokens), counted)


def at_once(model: Any, length: int) -> int:
    """How many sequences of so many tokens go through one pass together."""
    device, cfg = torch.device(model.cfg.device), model.cfg
    weights = cfg.n_heads * length**2
    return as_many(WEIGHTS.get(device.type, 4e6) / weights, 16 * weights + length * bytes_per_token(model, length), str(device))


def measured(
    heads: Heads,
    tokens: Int[Tensor, "batch pos"],
    counted: Bool[Tensor, "batch pos"],
    measures: Mapping[str, Measure],
    label: str,
) -> dict[str, Float[Tensor, "batch layer head"]]:
    """Every measure of every head on every sequence.

    Raises:
        Stopped: Between two passes.
    """
    model = heads.model
    device = torch.device(model.cfg.device)
    most = at_once(model, tokens.shape[1])
    found: dict[str, list[Tensor]] = {name: [] for name in measures}
    for first in progress.track(range(0, len(tokens), most), label):
        some, which = (one[first : first + most].to(device) for one in (tokens, counted))
        layers = _pass(model, some, which, measures)
        for name in measures:
            found[name].append(torch.stack([layer[name] for layer in layers], 1))
    return {name: torch.cat(parts).cpu() for name, parts in found.items()}


@torch.no_grad()
def _pass(model: Any, tokens: Tensor, counted: Tensor, measures: Mapping[str, Measure]) -> list[dict[str, Tensor]]:
    layers: list[dict[str, Tensor]] = []
    seen: list[Tensor] = []
    last = model.cfg.n_layers - 1

    def keep(pattern: Tensor) -> None:
        seen[:] = [pattern.float()]

    def measure(z: Tensor) -> None:
        layer = len(layers)
        layers.append({name: one(tokens, counted, seen[0], z, layer) for name, one in measures.items()})
        if layer == last:
            raise Enough

    with ExitStack() as stack:
        for layer in range(last + 1):
            stack.enter_context(hooked(hook_point(model, Site("pattern", layer)), keep))
            stack.enter_context(hooked(hook_point(model, Site("z", layer)), measure))
        with suppress(Enough):
            end_logits(model, tokens, counted.sum(1) - 1)
    return layers
