"""The matrices by which heads read and write, norms folded in, and the singular components of what a head writes.

A head takes x to x W_V W_O. With the gain of the norm before it folded into W_V, and mean directions taken out where that norm
centres, this is W_OV = sum over components i of s_i a_i b_i^T: it reads along a_i and writes along b_i (unit vectors). What a
later head reads of it goes through its own W_Q, W_K or W_V, folded likewise.

No d_model × d_model product is made: W_V = Q_v R_v and W_O^T = Q_o R_o, and the d_head × d_head matrix R_v R_o^T has the same
singular values.
Source: Elhage et al. 2021 (composition), https://transformer-circuits.pub/2021/framework; Merullo et al. 2024 (components),
https://arxiv.org/abs/2406.09519.
"""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from workbench.edges.wiring import Wiring
from workbench.errors import BadInput, one_of, within
from workbench.unembed import gain

Slot = Literal["q", "k", "v"]
SLOTS = ("q", "k", "v")
# Singular values below this share of the layer's largest are rounding.
DEAD = 1e-6


def checked(slots: str | tuple[str, ...]) -> tuple[str, ...]:
    """The slots, each once, in their order; BadInput for none, or another."""
    several = (slots,) if isinstance(slots, str) else tuple(slots)
    for slot in several:
        one_of("slots", slot, SLOTS)
    if not several:
        raise BadInput(f"slots must be at least one of {', '.join(SLOTS)}; got none.")
    return tuple(slot for slot in SLOTS if slot in several)


@dataclass(frozen=True, eq=False)
class Components:
    """The singular components of the heads of a layer, strongest first; each reads and writes one number along a direction.

    Attributes:
        strength: The singular values.
        reads: Unit directions of the stream, after the norm's division, that are read.
        writes: Unit directions of the stream that are written; the sign is fixed by that of `reads`.
    """

    strength: Float[Tensor, "head component"]
    reads: Float[Tensor, "head component d_model"]
    writes: Float[Tensor, "head component d_model"]

    @property
    def share(self) -> Float[Tensor, "head component"]:
        """Of the squared size of the head's W_OV."""
        square = self.strength.double().square()
        return (square / square.sum(-1, keepdim=True).clamp(min=1e-30)).to(self.strength.dtype)


class Heads:
    """The heads of a model as readers and writers; one entry per query head, made layer by layer on demand."""

    def __init__(self, model: Any):
        self.model = model
        self.n_layers, self.n_heads, self.d_head = model.cfg.n_layers, model.cfg.n_heads, model.cfg.d_head
        self._check_sizes()
        self.wiring = Wiring(model)
        self._components: dict[int, Components] = {}

    def _check_sizes(self) -> None:
        """Raise BadInput unless every layer has attention, with heads of the config's number and size."""
        for layer, block in enumerate(self.model.blocks):
            weight = getattr(getattr(block, "attn", None), "W_O", None)
            if weight is None or tuple(weight.shape[:2]) != (self.n_heads, self.d_head):
                has = "no attention" if weight is None else f"{weight.shape[0]} of {weight.shape[1]}"
                raise BadInput(
                    f"heads must be {self.n_heads} of size {self.d_head} in every layer of {self.model.cfg.model_name}; layer "
                    f"{layer} has {has}. Channels are not known for such models."
                )

    @property
    def alike(self) -> int:
        """How many query heads in a row read keys alike: those of a group, where positions turn keys and nothing else joins."""
        return self.n_heads // (getattr(self.model.cfg, "n_key_value_heads", None) or self.n_heads) if self.rotary else 1

    @property
    def rotary(self) -> bool:
        """Whether queries and keys are turned by position, so that W_Q W_K^T is no one matrix."""
        return getattr(self.model.cfg, "positional_embedding_type", "") == "rotary"

    def check(self, layer: int, head: int) -> None:
        """Raise BadInput unless there is such a head."""
        within("layer", layer, 0, self.n_layers)
        within("head", head, 0, self.n_heads)

    def reading(self, layer: int, slot: str) -> Float[Tensor, "head d_model d_head"]:
        """What takes the stream, over the norm's divisor, to queries, keys or values; a group's is repeated per query head."""
        weight, _ = self.wiring.projections[layer][slot]
        norm = self.wiring.norm(layer, slot)
        folded = weight.float() * gain(norm).detach().float().unsqueeze(-1)
        if not norm.uses_rms_norm:
            folded = folded - folded.mean(1, keepdim=True)
        return folded.repeat_interleave(self.n_heads // len(folded), 0)

    def writing(self, layer: int) -> Float[Tensor, "head d_head d_model"]:
        """What takes a head's z to the stream; the mean direction, which no norm that centres lets through, is taken out."""
        weight = self.wiring.out[layer].float()
        centres = not self.wiring.norm(layer, "q").uses_rms_norm
        return weight - weight.mean(-1, keepdim=True) if centres else weight

    def components(self, layer: int) -> Components:
        """The singular components of the heads of a layer."""
        if layer not in self._components:
            values, out = self.reading(layer, "v"), self.writing(layer)
            q_in, r_in = torch.linalg.qr(values)
            q_out, r_out = torch.linalg.qr(out.mT)
            u, strength, vh = torch.linalg.svd(r_in @ r_out.mT)
            # Signs of singular vectors are arbitrary: the largest entry of what is read is positive.
            reads, writes = (q_in @ u).mT, (q_out @ vh.mT).mT
            sign = reads.gather(-1, reads.abs().argmax(-1, keepdim=True)).sign()
            # A component without strength has no direction of its own.
            alive = (strength > DEAD * strength.max()).unsqueeze(-1)
            self._components[layer] = Components(strength, reads * sign * alive, writes * sign * alive)
        return self._components[layer]

    def reader(self, layer: int, slot: str) -> Float[Tensor, "head d_model d_head"]:
        """What a head reads through a slot, of Frobenius norm 1 per head, with all that stands behind the slot in the weights.

        Queries: W_Q W_K^T, keys: W_K W_Q^T, each in a basis of d_head numbers; W_Q or W_K alone where positions turn them.
        Values: W_V W_O.
        """
        one_of("slot", slot, SLOTS)
        weight = self.reading(layer, slot)
        behind = None
        if slot == "v":
            behind = self.writing(layer).mT
        elif not self.rotary:
            behind = self.reading(layer, "k" if slot == "q" else "q")
        if behind is not None:
            # |W B^T| = |W R^T| for B = Q R: the basis that Q stands for changes no length.
            weight = weight @ torch.linalg.qr(behind, mode="r").R.mT
        return weight / weight.flatten(1).norm(dim=1)[:, None, None].clamp(min=1e-30)

    def named(self, what: str, text: str) -> tuple[int, int]:
        """Layer and head of '7.9'; `what` it stands for is told where there is no such head.

        Raises:
            BadInput: When the words name no head of this model.
        """
        place = parsed(text)
        if len(place) != 2:
            raise BadInput(f"{what} must be a head, LAYER.HEAD; got {text!r}.")
        self.check(*place)
        return place[0], place[1]

    def name(self, layer: int, head: int, component: int | None = None) -> str:
        """'7.9', or '7.9.6' of a component."""
        return f"{layer}.{head}" if component is None else f"{layer}.{head}.{component}"


def parsed(name: str) -> tuple[int, ...]:
    """Layer, head and perhaps component of '7.9' or '7.9.6'.

    Raises:
        BadInput: When the words are no such name.
    """
    parts = name.strip().split(".")
    if len(parts) not in (2, 3) or not all(part.isascii() and part.isdecimal() and len(part) <= 4 for part in parts):
        raise BadInput(f"a head must be written LAYER.HEAD, its component LAYER.HEAD.COMPONENT; got {name!r}.")
    return tuple(map(int, parts))
