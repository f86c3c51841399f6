"""Interventions on a channel: what a head writes along a few directions, removed, kept alone, scaled, set or exchanged.

A head's contribution to the stream is out = z W_O; its coordinates along orthonormal directions B are c = out B^T. An
intervention puts other coordinates in their place, out + (c' - c) B, at one position or all, as a hook on what attention adds
to the stream. Scaling, and so removing and keeping alone, is linear in z and can be done to W_O for good.

In models with a norm after attention the contribution is after that norm, whose divisor stays what it was; a weight edit
would change it, and is refused there.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from workbench.channels.weights import Heads
from workbench.errors import BadInput
from workbench.hooks import hooked, writing
from workbench.sites import Site, hook_point

Coordinates = Float[Tensor, "batch pos rank"]
Change = Callable[[Coordinates], Tensor]


@dataclass(frozen=True, eq=False)
class Channel:
    """What a head writes along some directions.

    Attributes:
        layer, head: The writer.
        directions: Orthonormal, in the stream.
        label: '7.9.6', or '7.9.6+2' of several components.
    """

    layer: int
    head: int
    directions: Float[Tensor, "rank d_model"]
    label: str

    def coordinates(self, heads: Heads, z: Float[Tensor, "batch pos head d_head"]) -> Coordinates:
        """What it says, given the outputs of the layer's heads before W_O."""
        scaled = heads.wiring.scaled(self.layer, z)[:, :, self.head]
        return scaled @ (heads.wiring.out[self.layer][self.head] @ self.directions.to(z.dtype).mT)


def channel(heads: Heads, layer: int, head: int, components: int | tuple[int, ...]) -> Channel:
    """The channel of one component of a head, or of several.

    Raises:
        BadInput: When there is no such head or component.
    """
    chosen = (components,) if isinstance(components, int) else tuple(components)
    heads.check(layer, head)
    if not chosen or len(set(chosen)) < len(chosen):
        raise BadInput(f"components must be one or several different ones; got {components!r}.")
    made = heads.components(layer).writes[head]
    for component in chosen:
        if not 0 <= component < len(made):
            raise BadInput(f"component must be from 0 to {len(made) - 1}; got {component!r}.")
    return Channel(layer, head, made[list(chosen)], f"{layer}.{head}." + "+".join(map(str, chosen)))


def removed() -> Change:
    """Nothing is said."""
    return torch.zeros_like


def scaled(alpha: int | float) -> Change:
    """α times what is said: 1 changes nothing, -1 says the opposite.

    Raises:
        BadInput: When α is not finite.
    """
    if not torch.isfinite(torch.tensor(float(alpha))):
        raise BadInput(f"alpha must be a finite number; got {alpha!r}.")
    return lambda said: said * alpha


def put(values: Float[Tensor, "batch rank"] | Float[Tensor, "rank"]) -> Change:
    """These coordinates in place of what is said."""
    values = values if values.ndim == 2 else values.unsqueeze(0)
    return lambda said: values.to(said).unsqueeze(1).expand_as(said)


def exchanged(order: Int[Tensor, "batch"]) -> Change:
    """What another prompt of the batch says at the same place."""
    return lambda said: said[order]


@contextmanager
def changing(
    heads: Heads,
    what: Channel,
    change: Change,
    positions: Int[Tensor, "batch"] | None = None,
    alone: bool = False,
) -> Iterator[None]:
    """Context in which a channel says something else.

    Args:
        heads: The heads of the model.
        what: The channel.
        change: Coordinates -> coordinates.
        positions: Where, one position per prompt; None for all.
        alone: Whether the rest of what the head writes is taken away too.
    """
    model, moves = heads.model, []

    def keep(z: Tensor) -> None:
        # Here and not where attention is written: a norm after attention is asked for its divisor, and then writes there too.
        moves.clear()
        said = what.coordinates(heads, z)
        moved = (change(said) - (0 if alone else said)) @ what.directions.to(said.dtype)
        if alone:
            moved = moved - heads.wiring.scaled(what.layer, z)[:, :, what.head] @ heads.wiring.out[what.layer][what.head]
        moves.append(moved)

    def write(added: Tensor) -> Tensor | None:
        if not moves:
            return None
        moved = moves[0]
        if positions is not None:
            here = torch.zeros(moved.shape[:2], dtype=torch.bool, device=moved.device)
            here[torch.arange(len(positions), device=moved.device), positions.to(moved.device)] = True
            moved = moved * here.unsqueeze(-1)
        return added + moved

    with ExitStack() as stack:
        stack.enter_context(hooked(hook_point(model, Site("z", what.layer)), keep))
        stack.enter_context(writing(model, {Site("attn_out", what.layer): write}))
        yield


@contextmanager
def edited(heads: Heads, what: Channel, alpha: int | float) -> Iterator[None]:
    """Context in which W_O itself writes α times as much along a channel: the same as `changing` with `scaled(alpha)`.

    Raises:
        BadInput: When α is not finite, or a norm follows attention: it would scale everything else back.
    """
    block = heads.model.blocks[what.layer]
    if hasattr(block, "ln1_post"):
        raise BadInput(
            f"a weight edit must have nothing between W_O and the stream; {heads.model.cfg.model_name} has a norm there. "
            "Use changing."
        )
    scaled(alpha)
    weight = block.attn.W_O
    if weight.untyped_storage().data_ptr() not in _storages(block.attn):
        raise BadInput(f"a weight edit must reach W_O in place; {heads.model.cfg.model_name} hands out a copy. Use changing.")
    own = weight[what.head]
    directions = what.directions.to(own)
    before = own.detach().clone()
    with torch.no_grad():
        own += (float(alpha) - 1) * (own @ directions.mT) @ directions
    try:
        yield
    finally:
        with torch.no_grad():
            own.copy_(before)


def _storages(attention: torch.nn.Module) -> set[int]:
    return {parameter.untyped_storage().data_ptr() for parameter in attention.original_component.parameters()}
