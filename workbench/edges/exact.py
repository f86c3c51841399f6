"""Exact edge patching: one run per edge, from the layer that reads it, with one reader's input changed and all else free.

The input of the edge's destination is the clean stream with the source's contribution replaced by its ablated value. Layers
below the destination, and positions before the first difference, are taken from the clean run. Edges into the logits need
only the unembedding.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from workbench import progress
from workbench.batches import halving
from workbench.edges.run import Circuits
from workbench.graph import Graph
from workbench.hooks import end_logits, hooked, stepping_in
from workbench.sites import Site, hook_point
from workbench.sweep import TOKENS, prefix_cache, tokens_at_once
from workbench.unembed import unembedded


def patched(circuits: Circuits, edges: Sequence[int], label: str) -> Float[np.ndarray, "batch edge"]:
    """How much worse the metric gets, per prompt, when each edge alone carries its ablated value.

    Args:
        circuits: The model, pairs, ablation and metric.
        edges: Places in the graph's list of edges.
        label: Name of the work, for the bar and for what a killed run goes on from.
    Raises:
        Stopped: Within one batch of being asked to.
    """
    made = np.zeros((len(circuits.pairs), len(edges)))
    most = edges_at_once(circuits.wiring.model, len(circuits.pairs), circuits.pairs.clean.shape[1] - circuits.start)
    with progress.bar(label, len(edges), unit="edge") as bar:
        for layer, slot, some in together(circuits.wiring.graph, edges, most):
            work = partial(_run, circuits, layer, slot)
            found = progress.remembered(
                f"{label}/{layer}/{slot}/{progress.digest([cell[1:] for cell in some])}",
                lambda work=work, some=some: halving(work, some).double().cpu().numpy(),
            )
            made[:, [place for place, _, _ in some]] = found.T
            bar.advance(len(some))
    return circuits.metric.worse * (made - circuits.clean.double().cpu().numpy()[:, None])


def edges_at_once(model: Any, batch: int, length: int) -> int:
    """How many edges go through one pass together, on so many prompts and positions."""
    return max(1, tokens_at_once(model, length, TOKENS) // (length * batch))


def together(graph: Graph, edges: Sequence[int], most: int) -> Iterator[tuple[int, str, list[tuple[int, int, int]]]]:
    """Yield what shares a pass: the layer and the slot that read, and of each edge its place in the list, source and reader."""
    src, dst = graph.edge_list
    groups: dict[tuple[int, str], list[tuple[int, int, int]]] = defaultdict(list)
    for place, edge in enumerate(edges):
        layer, slot, reader = graph.place(graph.destinations[dst[edge]])
        groups[layer, slot].append((place, int(src[edge]), reader))
    for (layer, slot), cells in groups.items():
        for first in range(0, len(cells), most):
            yield layer, slot, cells[first : first + most]


@torch.no_grad()
def _run(circuits: Circuits, layer: int, slot: str, cells: list[tuple[int, int, int]]) -> Float[Tensor, "cell batch"]:
    """The metric of each cell on every prompt."""
    wiring, model, here = circuits.wiring, circuits.wiring.model, slice(circuits.start, None)
    batch, count = len(circuits.pairs), len(cells)
    moved = torch.stack([_moved(circuits, src)[:, here] for _, src, _ in cells]).flatten(0, 1)
    prompts = torch.arange(batch, device=circuits.device).repeat(count)
    if slot == "logits":
        last = circuits.last[:, here].repeat(count, 1, 1) + moved
        end = circuits.end.repeat(count) - circuits.start
        logits = unembedded(model, last[torch.arange(len(last), device=last.device), end])
        return circuits.metric.measure(logits, circuits.answers.rows(prompts)).view(count, batch)
    readers = torch.tensor([reader for _, _, reader in cells], device=circuits.device).repeat_interleave(batch)
    rows = torch.arange(count * batch, device=circuits.device)

    def write(activation: Tensor) -> Tensor:
        if slot == "mlp":
            return wiring.norm(layer, "mlp").original_component(circuits.mid(layer)[:, here].repeat(count, 1, 1) + moved)
        entering = circuits.clean_run.stream[layer][:, here].repeat(count, 1, 1) + moved
        normed = wiring.norm(layer, slot).original_component(entering)
        weight, bias = wiring.projections[layer][slot]
        wanted = wiring.graph.n_heads if slot == "q" else wiring.graph.n_readers
        heads = readers // (wanted // len(weight))
        projected = torch.einsum("bpd,bde->bpe", normed, weight[heads])
        if bias is not None:
            projected = projected + bias[heads].unsqueeze(1)
        given = activation.repeat_interleave(wanted // activation.shape[2], 2)
        given[rows, :, readers] = projected
        return wiring.given(slot, given)

    def repeat(activation: Tensor) -> Tensor:
        return wiring.given("k", activation.repeat_interleave(wiring.graph.n_readers // activation.shape[2], 2))

    cache = None
    if circuits.start:
        kept = [(keys[:, :, : circuits.start], values[:, :, : circuits.start]) for keys, values in circuits.clean_run.cache]
        cache = prefix_cache(wiring.repeated(kept), count)
    stream = circuits.clean_run.stream[layer][:, here].repeat(count, 1, 1)
    with wiring.reading(), ExitStack() as stack:
        stack.enter_context(stepping_in(model, layer, stream))
        site = Site("mlp_in" if slot == "mlp" else slot, layer)
        stack.enter_context(hooked(hook_point(model, site), write))
        for each in range(layer, wiring.graph.n_layers):
            for other in ("k", "v"):
                if (each, other) != (layer, slot):
                    stack.enter_context(hooked(hook_point(model, Site(other, each)), repeat))
        logits = end_logits(
            model,
            circuits.pairs.clean.to(circuits.device)[prompts][:, here],
            circuits.end[prompts] - circuits.start,
            past_key_values=cache,
            use_cache=cache is not None,
        )
    return circuits.metric.measure(logits, circuits.answers.rows(prompts)).view(count, batch)


def _moved(circuits: Circuits, src: int) -> Float[Tensor, "batch pos d_model"]:
    """Ablated minus clean contribution of one source."""
    wiring = circuits.wiring
    return wiring.written(circuits.ablated, src) - wiring.written(circuits.clean_writes, src)
