"""Scores of edges: (what the source wrote on clean - on corrupt) · (gradient at the destination), for all edges at once.

Per prompt this is one matrix product per layer over positions and d_model. Only what a few prompts need is ever expanded to
head × d_model, as many as `BUDGET` and the free memory allow.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from workbench.edges.gradients import Gradients
from workbench.edges.wiring import Wiring, Writes

# Bytes that expanded contributions and gradients may take.
BUDGET = {"cpu": 4e8, "cuda": 4e9, "mps": 1e9}
# Scores are kept per prompt, for stability under resampling, up to this many numbers.
KEEP = 4e7


@dataclass
class Tally:
    """Scores of prompts as they come: mean, spread, and every prompt's own while there is room.

    Attributes:
        n_edges: Numbers per prompt.
        total: How many prompts will come.
        keep: Whether to keep every prompt's own, if there is room.
    """

    n_edges: int
    total: int
    keep: bool = True
    count: int = 0
    sums: Float[np.ndarray, "edge"] = field(init=False)
    squares: Float[np.ndarray, "edge"] = field(init=False)
    rows: list[np.ndarray] = field(default_factory=list)

    def __post_init__(self):
        self.sums, self.squares = np.zeros(self.n_edges), np.zeros(self.n_edges)

    def add(self, scores: Float[np.ndarray, "batch edge"]) -> None:
        """Take some prompts' scores."""
        self.count += len(scores)
        self.sums += scores.sum(0, dtype=float)
        for row in scores:
            self.squares += np.square(row, dtype=float)
        if self.keep and self.n_edges * self.total <= KEEP:
            self.rows.append(scores.astype(np.float32, copy=False))

    @property
    def mean(self) -> Float[np.ndarray, "edge"]:
        return self.sums / self.count

    @property
    def error(self) -> Float[np.ndarray, "edge"] | None:
        """Standard error of the mean; None for one prompt."""
        if self.count < 2:
            return None
        variance = np.maximum(self.squares - self.sums**2 / self.count, 0) / (self.count - 1)
        return np.sqrt(variance / self.count)

    @property
    def each(self) -> Float[np.ndarray, "batch edge"] | None:
        """Every prompt's scores, if there was room."""
        return np.concatenate(self.rows) if self.rows else None


def chunk(wiring: Wiring, batch: int, length: int) -> tuple[int, int]:
    """How many prompts and positions to expand at once."""
    graph = wiring.graph
    device = torch.device(wiring.model.cfg.device)
    budget = BUDGET.get(device.type, 4e8)
    if device.type == "cuda":
        budget = min(budget, 0.25 * torch.cuda.mem_get_info(device)[0])
    per_token = 4 * wiring.model.cfg.d_model * (graph.n_sources + 2 * graph.slots_per_layer)
    tokens = max(1, int(budget / per_token))
    return (max(1, min(batch, tokens // length)), min(length, tokens))


def contract(
    wiring: Wiring, difference: Writes, gradients: Sequence[Gradients], by_position: bool = False
) -> Iterator[Float[Tensor, "batch *pos src dst"]]:
    """Yield the scores of all edges for a few prompts at a time, float32; gradients of several runs are averaged.

    With `by_position` the position at which the edge is read is an axis of its own.
    """
    graph = wiring.graph
    batch, length, _ = difference.embed.shape
    prompts, positions = chunk(wiring, batch, length)
    for first in range(0, batch, prompts):
        rows = slice(first, min(batch, first + prompts))
        shape = (rows.stop - first, *((length,) if by_position else ()), graph.n_sources, graph.n_destinations)
        scores = torch.zeros(shape, device=difference.embed.device)
        for start in range(0, length, positions):
            here = slice(start, min(length, start + positions))
            into = scores[:, here] if by_position else scores
            wrote = wiring.vectors(difference, rows, here).float()
            for layer in range(graph.n_layers):
                read = sum(each.vectors(wiring, layer, rows, here) for each in gradients).float() / len(gradients)
                slots = slice(graph.slots(layer, "q").start, graph.slots(layer, "mlp").start)
                heads, mlp = graph.seen_by_heads(layer), graph.seen_by_mlp(layer)
                width = slots.stop - slots.start
                into[..., :heads, slots] += _product(wrote[:, :heads], read[:, :width], by_position)
                if graph.mlps:
                    into[..., :mlp, graph.slots(layer, "mlp")] += _product(wrote[:, :mlp], read[:, width:], by_position)
            logits = sum(each.logits[rows, here] for each in gradients).float().unsqueeze(1) / len(gradients)
            into[..., -1:] += _product(wrote, logits, by_position)
        yield scores


def _product(wrote: Tensor, read: Tensor, by_position: bool) -> Tensor:
    """[batch src pos d_model] · [batch dst pos d_model] summed over d_model, and over positions unless they are kept."""
    if by_position:
        return wrote.transpose(1, 2) @ read.permute(0, 2, 3, 1)
    return wrote.flatten(2) @ read.flatten(2).mT


def on_edges(wiring: Wiring, scores: Float[Tensor, "*batch src dst"]) -> Float[np.ndarray, "*batch edge"]:
    """The scores of real edges only, in the order of `Graph.edge_list`."""
    src, dst = (torch.from_numpy(index).to(scores.device) for index in wiring.graph.edge_list)
    return scores[..., src, dst].cpu().numpy()
