"""Attribution patching: patching to first order, by the gradient at the base run."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from workbench.effects import (
    Axis,
    Direction,
    Plan,
    Positions,
    Replacement,
    all_sites,
    answers,
    as_scores,
    attribute,
    on_grid,
    plan,
)
from workbench.errors import BadInput
from workbench.hooks import end_logits, hooked, read_with_grad
from workbench.methods.method import Method
from workbench.metrics import MetricName
from workbench.pairs import Pairs
from workbench.result import Scores
from workbench.sites import Site, SiteName, n_heads

TITLE = "Attribution patching"


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
    qk_correction: bool = False,
    normalise: bool = False,
    seed: int = 0,
) -> Scores:
    """An estimate of patching: (replacement - base) · gradient, in 2 forward passes and 1 backward pass.

    Convention: as `patch`: patched minus base; + restores the behaviour when denoising. The gradient is taken at the base
    run. Source: Nanda 2023, https://www.neelnanda.io/mechanistic-interpretability/attribution-patching; the correction:
    Kramár et al. 2024 (AtP*), https://arxiv.org/abs/2403.00745, eqs 7, 9 and 10.

    Args:
        model: The model.
        pairs: Clean and corrupt prompts.
        sites: As for `patch`.
        by: As for `patch`; what is left out is summed.
        positions: As for `patch`.
        metric: As for `patch`.
        direction: As for `patch`.
        replacement: As for `patch`.
        qk_correction: For sites q and k, compute the attention that the patched query or key gives exactly, and take only
            what follows to first order: a saturated softmax has no gradient left to tell. One more forward and backward.
        normalise: Divide by the mean gap between clean and corrupt.
        seed: For 'resample'.
    Returns:
        Scores over (site, layer, head, pos, prompt), as far as asked for, in the metric's unit. 0 means no effect; NaN
        where a site has no such head.
    Raises:
        BadInput: When a parameter is none of these, or the correction cannot be had for this model or replacement.
    """
    asked = plan(model, pairs, sites, by, positions, metric, direction, replacement, normalise, seed)
    arrays, clean, corrupt, _ = attribute(model, asked)
    if qk_correction:
        arrays.update(_corrected(model, asked))
    gathered = {site: on_grid(asked, array) for site, array in arrays.items()}
    return as_scores(model, asked, TITLE, gathered, clean, corrupt, {"correction": "query-key" if qk_correction else "none"})


def _corrected(model: Any, asked: Plan) -> dict[str, Float[np.ndarray, "layer pos head prompt"]]:
    """Effects of q and k through the attention they really give."""
    wanted = [site for site in ("q", "k") if site in asked.sites]
    if not wanted:
        raise BadInput(f"qk_correction must have q or k among the sites; got {', '.join(asked.sites)}.")
    if asked.replacement != "other":
        raise BadInput(f"qk_correction must have replacement='other'; got {asked.replacement!r}.")
    patterns = all_sites(model, ("pattern", "scores"))
    with _rotated(model) as base_qk:

        def metric(logits: Tensor) -> Tensor:
            return asked.metric.measure(logits, answers(asked, logits.detach()))

        _, base, gradients = read_with_grad(model, asked.base, asked.end, patterns, metric)
    with _rotated(model) as other_qk, torch.no_grad():
        end_logits(model, asked.other, asked.end)
    effects: dict[str, list[Tensor]] = {site: [] for site in wanted}
    for layer in range(model.cfg.n_layers):
        scores, pattern = base[Site("scores", layer)], base[Site("pattern", layer)]
        gradient = gradients[Site("pattern", layer)]
        score = _scorer(model, layer, scores, base_qk[layer])
        if "q" in wanted:
            effects["q"].append(_query_effect(score(other_qk[layer][0], base_qk[layer][1]), pattern, gradient))
        if "k" in wanted:
            moved = score(base_qk[layer][0], other_qk[layer][1])
            effects["k"].append(_key_effect(scores, moved, pattern, gradient, n_heads(model, "k")))
    return {site: torch.stack(each).double().cpu().numpy() for site, each in effects.items()}


class _rotated:
    """Context that reads queries and keys as the scores see them: [batch head pos d_head], after norms and rotation."""

    def __init__(self, model: Any):
        self.model = model
        self.seen: list[dict[str, Tensor]] = [{} for _ in range(model.cfg.n_layers)]
        self._stack: list[Any] = []

    def __enter__(self) -> "_rotated":
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


def _scorer(
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


def _query_effect(moved: Tensor, pattern: Tensor, gradient: Tensor) -> Float[Tensor, "pos head batch"]:
    """Eq. 7: for each query, sum over keys of (attention with the patched query - attention) · gradient."""
    return ((moved.softmax(-1) - pattern) * gradient).sum(-1).permute(2, 1, 0)


def _key_effect(
    scores: Tensor, moved: Tensor, pattern: Tensor, gradient: Tensor, kv_heads: int
) -> Float[Tensor, "pos head batch"]:
    """Eqs 9, 10: one key at a time is patched; every query that sees it renormalises.

    With a the attention to the key, r = exp(new score - score) and Z = 1 - a + a·r, the key gets a·r/Z and every other
    key its attention over Z.
    """
    ratio = torch.where(torch.isfinite(moved), (moved - scores).clamp(-60, 60).exp(), 1.0)
    total = 1 - pattern + pattern * ratio
    own = pattern * gradient
    others = (own.sum(-1, keepdim=True) - own) * (1 / total - 1)
    effect = (others + (pattern * ratio / total - pattern) * gradient).sum(2)
    grouped = effect.reshape(effect.shape[0], kv_heads, -1, effect.shape[-1]).sum(2)
    return grouped.permute(2, 1, 0)


METHOD = Method("atp", TITLE, "Nanda 2023; Kramár et al. 2024, arXiv:2403.00745", run)
