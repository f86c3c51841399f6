"""The run that patched runs start from: one forward pass, and what it leaves behind."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from workbench.hooks import check_finite, end_logits, writing
from workbench.sites import HOOKS, Site


@dataclass(frozen=True, eq=False)
class Run:
    """What one forward pass leaves behind.

    Attributes:
        tokens: What was run.
        end: Where the metric reads each prompt.
        logits: At `end`.
        stream: The residual stream that enters each layer.
        kept: Activations at the sites asked for.
        cache: Every layer's keys (rotated) and values, [batch kv_head pos d_head] each.
    """

    tokens: Int[Tensor, "batch pos"]
    end: Int[Tensor, "batch"]
    logits: Float[Tensor, "batch vocab"]
    stream: list[Float[Tensor, "batch pos d_model"]]
    kept: dict[Site, Tensor]
    cache: list[tuple[Tensor, Tensor]]


def record(model: Any, tokens: Int[Tensor, "batch pos"], end: Int[Tensor, "batch"], sites: Sequence[Site] = ()) -> Run:
    """Run the model once and keep what patched runs will share, and the activations at `sites`.

    Raises:
        NotFinite: When a NaN or an infinity is met, naming the layer and the prompt.
    """
    from transformers import DynamicCache

    cache = DynamicCache()  # made here, without a config: it keeps every position, also of sliding-window layers
    streams = [Site("resid_pre", layer) for layer in range(model.cfg.n_layers)]
    kept: dict[Site, Tensor] = {}

    def keeper(site: Site) -> Callable[[Tensor], None]:
        def keep(activation: Tensor) -> None:
            kept[site] = activation.detach().clone()

        return keep

    with torch.no_grad(), writing(model, {site: keeper(site) for site in {*streams, *sites}}):
        logits = end_logits(model, tokens, end, past_key_values=cache)
    in_order = sorted(kept, key=lambda site: (site.layer, list(HOOKS).index(site.name)))
    check_finite({site: kept[site] for site in in_order}, logits)
    return Run(
        tokens=tokens,
        end=end,
        logits=logits,
        stream=[kept[site] for site in streams],
        kept={site: kept[site] for site in sites},
        cache=[(layer.keys, layer.values) for layer in cache.layers],
    )
