"""What a model's sources write to the stream and how its destinations read it, as a handful of weights per layer.

A head's contribution is its z times W_O, and where a norm follows the sublayer (Gemma-2) that norm's gain over the divisor
it had in that run: so the contributions of a layer's heads add up to exactly what attention added to the stream, and are
linear in what is kept here. Nothing of size head × d_model is kept; `vectors` makes it for a few prompts at a time.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from workbench.errors import BadInput
from workbench.graph import SLOTS, Graph, graph_of
from workbench.hooks import hooked
from workbench.sites import Site, hook_points
from workbench.sweep import Run, record
from workbench.unembed import gain, scale_of

Stream = Float[Tensor, "batch pos d_model"]


@dataclass(frozen=True, eq=False)
class Writes:
    """What every source wrote in one run, or a linear combination of such runs.

    Attributes:
        embed: The input's contribution: the token embeddings.
        z: Per layer, the heads' outputs before W_O; over the divisor of the norm that follows, where one does.
        mlp: Per layer, the MLP's contribution; empty in models without.
    """

    embed: Stream
    z: tuple[Float[Tensor, "batch pos head d_head"], ...]
    mlp: tuple[Stream, ...]

    def each(self, change: Callable[..., Tensor], *others: "Writes") -> "Writes":
        """`change` of every tensor, together with the tensors at the same place in others."""

        def of(name: str) -> tuple[Tensor, ...]:
            return tuple(change(*tensors) for tensors in zip(*(getattr(one, name) for one in (self, *others)), strict=True))

        return Writes(change(self.embed, *(other.embed for other in others)), of("z"), of("mlp"))

    def __sub__(self, other: "Writes") -> "Writes":
        return self.each(torch.sub, other)


class Wiring:
    """A model and its graph, with the weights by which sources write and destinations read."""

    def __init__(self, model: Any, readers: str = "query"):
        self.model = model
        self.graph: Graph = graph_of(model.cfg, readers)
        if self.graph.mlps and not all(hasattr(block, "mlp") for block in model.blocks):
            raise BadInput(f"a graph must have an MLP in every layer or in none; {model.cfg.model_name} has some.")

    @cached_property
    def out(self) -> list[Float[Tensor, "head d_head d_model"]]:
        """Per layer, what takes z to the heads' contributions."""
        weights = []
        for block in self.model.blocks:
            weight = block.attn.W_O.detach()
            norm = getattr(block, "ln1_post", None)
            if norm is not None:
                weight = (weight if norm.uses_rms_norm else weight - weight.mean(-1, keepdim=True)) * gain(norm).detach()
            weights.append(weight)
        return weights

    @cached_property
    def projections(self) -> list[dict[str, tuple[Tensor, Tensor | None]]]:
        """Per layer and slot, weight [head d_model d_head] and bias [head d_head], as many as the model has of them.

        Several readers in a row share a head's where keys and values are grouped: no weight is repeated for them.
        """
        return [{slot: self._projection(block.attn, slot) for slot in SLOTS} for block in self.model.blocks]

    def _projection(self, attention: Any, slot: str) -> tuple[Tensor, Tensor | None]:
        weight = getattr(attention, f"W_{slot.upper()}").detach()
        bias = getattr(attention, f"b_{slot.upper()}", None)
        return weight, None if bias is None else bias.detach().reshape(-1, weight.shape[-1])

    def norm(self, layer: int, slot: str) -> Any:
        """The norm between the stream and a slot."""
        block = self.model.blocks[layer]
        return block.ln1 if slot != "mlp" or not hasattr(block, "ln2") else block.ln2

    def project(self, layer: int, slot: str, inputs: Float[Tensor, "batch pos reader d_model"]) -> Tensor:
        """Queries, keys or values [batch pos reader d_head] of inputs from the stream, one input per reader."""
        weight, bias = self.projections[layer][slot]
        normed = self.norm(layer, slot).original_component(inputs).unflatten(2, (len(weight), -1))
        projected = torch.einsum("bpgrd,gde->bpgre", normed, weight)
        projected = projected if bias is None else projected + bias.unsqueeze(1)
        return projected.flatten(2, 3)

    def unprojected(self, layer: int, slot: str, gradient: Float[Tensor, "batch pos reader d_head"]) -> Tensor:
        """The gradient after the norm, [batch reader pos d_model], from that of queries, keys or values."""
        weight, _ = self.projections[layer][slot]
        grouped = gradient.unflatten(2, (len(weight), -1))
        return torch.einsum("bpgre,gde->bgrpd", grouped, weight).flatten(1, 2)

    def record(self, tokens: Int[Tensor, "batch pos"], end: Int[Tensor, "batch"]) -> tuple[Run, Writes]:
        """One run, with the stream entering each layer and attn_out kept, and what its sources wrote."""
        graph = self.graph
        names = ["z", "attn_out", *(["mlp_out"] if graph.mlps else [])]
        embedded: list[Tensor] = []

        def keep(value: Tensor) -> None:
            embedded[:] = [value.detach().clone()]

        with hooked(hook_points(self.model)["hook_embed"], keep):
            run = record(self.model, tokens, end, [Site(name, layer) for layer in range(graph.n_layers) for name in names])
        z = tuple(self.scaled(layer, run.kept[Site("z", layer)]) for layer in range(graph.n_layers))
        mlp = tuple(run.kept[Site("mlp_out", layer)] for layer in range(graph.n_layers)) if graph.mlps else ()
        return run, Writes(embedded[0], z, mlp)

    def scaled(self, layer: int, z: Float[Tensor, "batch pos head d_head"]) -> Float[Tensor, "batch pos head d_head"]:
        """z over the divisor of the norm that follows the attention, or as it is where none does."""
        scale = self.divisor(layer, z)
        return z if scale is None else (z / scale.unsqueeze(-1)).to(z.dtype)

    def divisor(self, layer: int, z: Float[Tensor, "batch pos head d_head"]) -> Float[Tensor, "batch pos 1"] | None:
        """What the norm that follows the attention divides by; None where none does."""
        block = self.model.blocks[layer]
        norm = getattr(block, "ln1_post", None)
        if norm is None:
            return None
        added = torch.einsum("bphe,hed->bpd", z, block.attn.W_O.detach())
        bias = getattr(block.attn, "b_O", None)
        added = added if bias is None else added + bias
        scale = scale_of(norm, added)
        if torch.is_grad_enabled():
            # The divisor as read has no gradient; the same number with one.
            power = added.var(-1, keepdim=True, unbiased=False)
            power = added.square().mean(-1, keepdim=True) if norm.uses_rms_norm else power
            scale = (scale.square() + power - power.detach()).sqrt()
        return scale

    def mid(self, run: Run, layer: int) -> Stream:
        """The stream that the MLP of a layer reads, of a recorded run."""
        entering = run.stream[layer]
        return entering if self.graph.parallel else entering + run.kept[Site("attn_out", layer)]

    def last(self, run: Run) -> Stream:
        """The stream that the final norm reads, of a recorded run."""
        last, names = self.graph.n_layers - 1, ("attn_out", "mlp_out")[: 1 + self.graph.mlps]
        return run.stream[last] + sum(run.kept[Site(name, last)] for name in names)

    def vectors(self, writes: Writes, rows: slice = slice(None), positions: slice = slice(None)) -> Tensor:
        """Contributions of all sources as [batch src pos d_model], for some prompts and positions."""
        embed = writes.embed[rows, positions]
        batch, length, width = embed.shape
        made = embed.new_empty(batch, self.graph.n_sources, length, width)
        made[:, 0] = embed
        for layer in range(self.graph.n_layers):
            made[:, self.graph.heads(layer)] = self.heads(layer, writes.z[layer][rows, positions])
            if self.graph.mlps:
                made[:, self.graph.mlp(layer)] = writes.mlp[layer][rows, positions]
        return made

    def written(self, writes: Writes, src: int) -> Stream:
        """The contribution of one source."""
        layer, kind, head = self.graph.place(self.graph.sources[src])
        if kind == "input":
            return writes.embed
        return writes.mlp[layer] if kind == "mlp" else writes.z[layer][:, :, head] @ self.out[layer][head]

    def heads(self, layer: int, z: Float[Tensor, "batch pos head d_head"]) -> Float[Tensor, "batch head pos d_model"]:
        """Contributions of the heads of a layer."""
        return torch.einsum("bphe,hed->bhpd", z, self.out[layer])

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Context in which the model takes as many keys and values as the graph has readers."""
        if self.graph.n_readers == (getattr(self.model.cfg, "n_key_value_heads", None) or self.graph.n_heads):
            yield
            return
        # The library repeats the heads of a group by this number of the underlying module; here they come repeated.
        modules = [block.attn.original_component for block in self.model.blocks]
        before = [module.num_key_value_groups for module in modules]
        try:
            for module in modules:
                module.num_key_value_groups = 1
            yield
        finally:
            for module, groups in zip(modules, before, strict=True):
                module.num_key_value_groups = groups

    def given(self, slot: str, value: Float[Tensor, "batch pos reader d_head"]) -> Tensor:
        """Queries, keys or values as the library takes them from a hook within `reading`."""
        # A flat tensor is taken as it is; one split into heads is refused unless it has as many as the weights.
        return value if slot == "q" else value.flatten(-2)

    def repeated(self, cache: Sequence[tuple[Tensor, Tensor]]) -> list[tuple[Tensor, Tensor]]:
        """Kept keys and values, one per reader."""
        times = self.graph.n_readers // cache[0][0].shape[1]
        if times == 1:
            return list(cache)
        return [(keys.repeat_interleave(times, 1), values.repeat_interleave(times, 1)) for keys, values in cache]
