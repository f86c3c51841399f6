"""The query-key correction: what a patched query or key does through the attention that it really gives.

A saturated softmax has no gradient left to tell of its queries and keys. So the attention that a patched query or key
gives is computed exactly, and only what follows from it is taken to first order.

Source: Kramár et al. 2024 (AtP*), https://arxiv.org/abs/2403.00745, eqs 7, 9 and 10.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from workbench.errors import BadInput
from workbench.hooks import hooked
from workbench.sites import Site, n_heads

# What is read at the base run, with the metric's gradient at the pattern.
READ = ("pattern", "scores")
# What a correction keeps in all, of both runs.
CORRECTED = ("q", "k", "pattern", "scores", "q", "k")


def correction(
    model: Any,
    names: tuple[str, ...],
    base: Mapping[Site, Tensor],
    gradients: Mapping[Site, Tensor],
    base_qk: "rotated",
    other_qk: "rotated",
) -> dict[str, Float[np.ndarray, "layer pos head prompt"]]:
    """Effects of the queries and keys of one run, put in another run's place.

    Args:
        model: The model.
        names: Which of 'q' and 'k'.
        base: Scores and patterns of the run that is patched.
        gradients: The metric's gradient at those patterns.
        base_qk: Queries and keys of that run.
        other_qk: Queries and keys of the run that is put in.
    Raises:
        BadInput: When the model's scores are no product of queries and keys.
    """
    effects: dict[str, list[Tensor]] = {name: [] for name in names}
    for layer in range(model.cfg.n_layers):
        scores, pattern = base[Site("scores", layer)], base[Site("pattern", layer)]
        gradient = gradients[Site("pattern", layer)]
        score = scorer(model, layer, scores, base_qk[layer])
        if "q" in names:
            moved = score(other_qk[layer][0], base_qk[layer][1])
            effects["q"].append(query_effect(moved, pattern, gradient))
        if "k" in names:
            moved = score(base_qk[layer][0], other_qk[layer][1])
            effects["k"].append(key_effect(scores, moved, gradient, n_heads(model, "k")))
    return {name: torch.stack(each).double().cpu().numpy() for name, each in effects.items()}


class rotated:
    """Context that reads queries and keys as the scores see them: [batch head pos d_head], after norms and rotation."""

    def __init__(self, model: Any):
        self.model = model
        self.seen: list[dict[str, Tensor]] = [{} for _ in range(model.cfg.n_layers)]
        self._stack: list[Any] = []

    def __enter__(self) -> "rotated":
        for layer, block in enumerate(self.model.blocks):
            for name in ("q", "k", "rot_q", "rot_k", "cos", "sin"):
                point = getattr(block.attn, f"hook_{name}", None)
                if point is not None:
                    context = hooked(point, self._keeper(layer, name))
                    context.__enter__()
                    self._stack.append(context)
        return self

    def __exit__(self, *problem):
        for context in reversed(self._stack):
            context.__exit__(None, None, None)

    def _keeper(self, layer: int, name: str) -> Callable[[Tensor], None]:
        def keep(activation: Tensor) -> None:
            self.seen[layer][name] = activation.detach().clone()

        return keep

    def __getitem__(self, layer: int) -> tuple[Tensor, Tensor]:
        seen = self.seen[layer]
        if "rot_q" in seen:
            query, key = seen["rot_q"], seen["rot_k"]
        elif "cos" in seen:
            query, key = (_rotate(seen[name], seen["cos"], seen["sin"]) for name in ("q", "k"))
        else:
            query, key = seen["q"], seen["k"]
        return query.transpose(1, 2), key.transpose(1, 2)


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary embedding of the first dims of [batch pos head d_head], in two halves as GPT-NeoX and Llama rotate."""
    cos, sin = cos.unsqueeze(-2), sin.unsqueeze(-2)
    turned, kept = x[..., : cos.shape[-1]], x[..., cos.shape[-1] :]
    first, second = turned.chunk(2, dim=-1)
    return torch.cat([turned * cos + torch.cat([-second, first], -1) * sin, kept], -1)


def scorer(
    model: Any, layer: int, scores: Float[Tensor, "batch head query key"], qk: tuple[Tensor, Tensor]
) -> Callable[[Tensor, Tensor], Tensor]:
    """The model's own attention scores as a function of queries and keys, checked against the base run's.

    Raises:
        BadInput: When the model's scores are no product of queries and keys (ALiBi and the like).
    """
    attention = model.blocks[layer].attn.original_component
    scaling = getattr(attention, "scaling", None) or model.cfg.d_head**-0.5
    cap = getattr(attention, "attn_logit_softcapping", None)
    seen = scores > torch.finfo(scores.dtype).min / 2

    def score(query: Tensor, key: Tensor) -> Tensor:
        raw = query @ key.repeat_interleave(query.shape[1] // key.shape[1], dim=1).transpose(-1, -2) * scaling
        raw = torch.tanh(raw / cap) * cap if cap else raw
        return raw.masked_fill(~seen, float("-inf"))

    again = score(*qk)
    if not torch.allclose(again[seen], scores[seen], rtol=1e-2, atol=1e-3 * float(scores[seen].abs().max())):
        raise BadInput(
            f"qk_correction must have scores that are products of queries and keys; those of {model.cfg.model_name} are "
            "not. Use qk_correction=False."
        )
    return score


def query_effect(moved: Tensor, pattern: Tensor, gradient: Tensor) -> Float[Tensor, "pos head batch"]:
    """Eq. 7: for each query, sum over keys of (attention with the patched query - attention) · gradient."""
    return ((moved.softmax(-1) - pattern) * gradient).sum(-1).permute(2, 1, 0)


def key_effect(scores: Tensor, moved: Tensor, gradient: Tensor, kv_heads: int) -> Float[Tensor, "pos head batch"]:
    """Eqs 9, 10: one key at a time is patched; every query that sees it renormalises.

    With a the attention to the key, r = exp(new score - score) and Z = 1 - a + a·r, the key gets a·r/Z and every other
    key its attention over Z.
    """
    # In double: of attention that is all but one, 1 - a would keep no digit, and those are the heads this is for.
    pattern, gradient = scores.double().softmax(-1), gradient.double()
    ratio = torch.where(torch.isfinite(moved), (moved.double() - scores.double()).clamp(-60, 60).exp(), 1.0)
    total = 1 - pattern + pattern * ratio
    own = pattern * gradient
    others = (own.sum(-1, keepdim=True) - own) * (1 / total - 1)
    effect = (others + (pattern * ratio / total - pattern) * gradient).sum(2)
    grouped = effect.reshape(effect.shape[0], kv_heads, -1, effect.shape[-1]).sum(2)
    return grouped.permute(2, 1, 0)
