"""From the residual stream to logits: the final norm, the unembedding and the soft cap, on any stream and piece by piece."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from workbench.hooks import hooked


def unembedded(model: Any, stream: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch vocab"]:
    """Logits that a stream would give if it were the last layer's: what the logit lens reads."""
    flat = stream.reshape(1, -1, stream.shape[-1])
    logits = model.unembed(model.ln_final(flat))
    cap = soft_cap(model)
    if cap:
        logits = torch.tanh(logits / cap) * cap
    return logits.reshape(*stream.shape[:-1], logits.shape[-1])


def soft_cap(model: Any) -> float | None:
    """The bound of the model's logits (Gemma-2), or None."""
    cap = getattr(model.cfg, "output_logits_soft_cap", None)
    return float(cap) if cap and cap > 0 else None


def gain(norm: Any) -> Float[Tensor, "d_model"]:
    """What a norm multiplies with after dividing; Gemma keeps it as an offset from one."""
    return 1.0 + norm.weight if norm.uses_weight_offset else norm.weight


def folded(model: Any) -> Float[Tensor, "d_model vocab"]:
    """The unembedding with the final norm's gain folded in, and the mean direction taken out where that norm centres."""
    weight = model.W_U.detach().float() * gain(model.ln_final).detach().float().unsqueeze(-1)
    return weight if model.ln_final.uses_rms_norm else weight - weight.mean(0)


def scale_of(norm: Any, stream: Float[Tensor, "batch pos d_model"]) -> Float[Tensor, "batch pos 1"]:
    """What a norm divides this stream by."""
    seen: list[Tensor] = []

    def keep(scale: Tensor) -> None:
        seen.append(scale.detach().clone())

    with torch.no_grad(), hooked(norm.hook_scale, keep):
        norm(stream)
    return seen[0]


def through_norm(
    norm: Any, piece: Float[Tensor, "batch *any d_model"], scale: Float[Tensor, "batch *one"]
) -> Float[Tensor, "batch *any d_model"]:
    """A piece of the stream after a norm whose divisor is held at `scale`: linear, so that the pieces add up.

    The norm's own bias belongs to no piece.
    """
    if not norm.uses_rms_norm:
        piece = piece - piece.mean(-1, keepdim=True)
    return piece / scale * gain(norm)


def answer_direction(
    model: Any, right: tuple[tuple[int, ...], ...], wrong: tuple[tuple[int, ...], ...]
) -> tuple[Float[Tensor, "batch d_model"], Float[Tensor, "batch"]]:
    """Per prompt, unembedding of the right answers minus that of the wrong ones (means over each), and the bias's share."""
    weight = model.W_U.detach()
    bias = model.unembed.bias if getattr(model.unembed, "bias", None) is not None else None

    def mean(ids: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        index = torch.tensor(ids, device=weight.device)
        share = bias.detach()[index].mean() if bias is not None else torch.zeros((), device=weight.device)
        return weight[:, index].mean(-1), share

    pairs = [(mean(yes), mean(no)) for yes, no in zip(right, wrong, strict=True)]
    directions = torch.stack([yes[0] - no[0] for yes, no in pairs])
    return directions, torch.stack([yes[1] - no[1] for yes, no in pairs])
