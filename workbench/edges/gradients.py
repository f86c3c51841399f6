"""The metric's gradient at every destination, kept as it is after the projections and taken through the norms on demand.

For a query (likewise key, value) of head h with gradient g, the gradient at its own input from the stream is g @ W_Q[h].T
taken back through the norm in closed form. So no input is ever split by head, and no tensor has size head × d_model but for
a few prompts at a time. Exactly what splitting the inputs and hooking each would give.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from workbench.edges.wiring import Stream, Wiring
from workbench.graph import SLOTS
from workbench.hooks import check_finite, end_logits, hooked, writing
from workbench.rules import relevance
from workbench.sites import Site, hook_point
from workbench.unembed import gain, scale_of

Measure = Callable[[Float[Tensor, "batch vocab"]], Float[Tensor, "batch"]]


@dataclass(frozen=True, eq=False)
class Gradients:
    """Of one run: the gradient at each projection and MLP, and the streams that their norms saw.

    Attributes:
        values: The metric per prompt.
        slots: By slot and layer, at queries, keys, values: [batch pos reader d_head]; at the MLP's input, after its norm.
        logits: At the last stream.
        entering, mid: The streams read by attention and by MLP, per layer.
        frozen: Whether the norms' divisors count as constants (relevance).
    """

    values: Float[Tensor, "batch"]
    slots: dict[str, list[Tensor]]
    logits: Stream
    entering: list[Stream]
    mid: list[Stream]
    frozen: bool

    def vectors(self, wiring: Wiring, layer: int, rows: slice, positions: slice) -> Float[Tensor, "batch dst pos d_model"]:
        """The gradient at the input of every destination of a layer, in the graph's order."""
        parts = []
        for slot in SLOTS:
            arriving = wiring.unprojected(layer, slot, self.slots[slot][layer][rows, positions])
            parts.append(_back(wiring.norm(layer, slot), arriving, self.entering[layer][rows, positions], self.frozen))
        if wiring.graph.mlps:
            arriving = self.slots["mlp"][layer][rows, positions].unsqueeze(1)
            parts.append(_back(wiring.norm(layer, "mlp"), arriving, self.mid[layer][rows, positions], self.frozen))
        return torch.cat(parts, 1)


def _back(norm: Any, arriving: Float[Tensor, "batch dst pos d_model"], stream: Stream, frozen: bool) -> Tensor:
    """The gradient before a norm from the gradient after it."""
    scale = scale_of(norm, stream).unsqueeze(1)
    arriving = arriving * gain(norm)
    centred = stream if norm.uses_rms_norm else stream - stream.mean(-1, keepdim=True)
    if not frozen:
        unit = centred.unsqueeze(1) / scale
        arriving = arriving - unit * (arriving * unit).mean(-1, keepdim=True)
    if not norm.uses_rms_norm:
        arriving = arriving - arriving.mean(-1, keepdim=True)
    return arriving / scale


def read_gradients(
    wiring: Wiring,
    tokens: Int[Tensor, "batch pos"],
    end: Int[Tensor, "batch"],
    measure: Measure,
    rules: Sequence[str] | None = None,
    writes: dict[Site, Callable[[Tensor], Tensor]] | None = None,
) -> Gradients:
    """One forward and one backward pass.

    Args:
        wiring: The model.
        tokens: What to run.
        end: Where the metric reads.
        measure: Logits -> the metric per prompt.
        rules: Rules of relevance propagation, or None for the ordinary gradient.
        writes: What to put in place of activations at resid_pre, attn_out or mlp_out.
    Raises:
        NotFinite: When a NaN or an infinity is met.
    """
    model, graph = wiring.model, wiring.graph
    kept: dict[Site, Tensor] = {}
    probes: dict[Site, Tensor] = {}
    layers = range(graph.n_layers)
    last = Site("resid_post", graph.n_layers - 1)
    writes = writes or {}

    def keeper(site: Site) -> Callable[[Tensor], None]:
        def keep(activation: Tensor) -> None:
            kept[site] = activation.detach()

        return keep

    def prober(site: Site) -> Callable[[Tensor], Tensor]:
        def probe(activation: Tensor) -> Tensor:
            if site.name in SLOTS:
                wanted = graph.n_heads if site.name == "q" else graph.n_readers
                activation = activation.repeat_interleave(wanted // activation.shape[2], 2)
            probes[site] = torch.zeros_like(activation, requires_grad=True)
            probed = activation + probes[site]
            return wiring.given(site.name, probed) if site.name in SLOTS else probed

        return probe

    probed = [Site(name, layer) for layer in layers for name in (*SLOTS, *(["mlp_in"] if graph.mlps else []))] + [last]
    streams = [Site(name, layer) for layer in layers for name in ("resid_pre", "attn_out")]
    with torch.enable_grad(), relevance(model, rules) if rules else nullcontext(), wiring.reading(), ExitStack() as stack:
        stack.enter_context(writing(model, writes))
        for site in streams:
            stack.enter_context(hooked(hook_point(model, site), keeper(site)))
        for site in probed:
            stack.enter_context(hooked(hook_point(model, site), prober(site)))
        values = measure(end_logits(model, tokens, end))
        found = torch.autograd.grad(values.sum(), [probes[site] for site in probed], allow_unused=True)
    check_finite(kept, values.detach())
    gradients = {
        site: torch.zeros_like(probes[site]) if gradient is None else gradient
        for site, gradient in zip(probed, found, strict=True)
    }
    entering = [kept[Site("resid_pre", layer)] for layer in layers]
    added = [kept[Site("attn_out", layer)] for layer in layers]
    return Gradients(
        values=values.detach(),
        slots={
            name: [gradients[Site("mlp_in" if name == "mlp" else name, layer)] for layer in layers]
            for name in (*SLOTS, *(["mlp"] if graph.mlps else []))
        },
        logits=gradients[last],
        entering=entering,
        mid=entering if graph.parallel else [one + other for one, other in zip(entering, added, strict=True)],
        frozen=bool(rules) and "ln" in rules,
    )
