"""Which edges a circuit keeps, from their scores: the largest, or grown greedily from the logits.

Each returns the edges asked for; `Graph.pruned` then takes away those that lie on no path from the input to the logits,
so that fewer may remain than were asked for: say both counts.
Source: EAP-IG (Hanna et al. 2024, https://arxiv.org/abs/2403.17806) and MIB (https://arxiv.org/abs/2504.13151).
"""

import heapq
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from workbench.errors import BadInput, one_of, within
from workbench.graph import EdgeMask, Graph

Scores = Float[np.ndarray, "edge"]

# The series of a curve of faithfulness.
BY_SIZE, SIGNED, RANDOM = "by size of score", "by signed score", "random edges"

# The sizes at which MIB measures, as shares of all edges.
SHARES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


def top(graph: Graph, scores: Scores, n: int, absolute: bool = True) -> EdgeMask:
    """The `n` edges of largest score, or of largest size; ties go to the earlier edge."""
    within("n", n, 0, graph.n_edges + 1)
    order = np.argsort(-(np.abs(scores) if absolute else scores), kind="stable")[:n]
    return _masked(graph, order)


def greedy(graph: Graph, scores: Scores, n: int, absolute: bool = True) -> EdgeMask:
    """`n` edges grown from the logits: each time the best edge into what is already there."""
    within("n", n, 0, graph.n_edges + 1)
    value = np.full(graph.edges.shape, -np.inf)
    value[graph.edge_list] = np.abs(scores) if absolute else scores
    mask = np.zeros_like(graph.edges)
    opened = np.zeros(graph.n_destinations, dtype=bool)
    heap: list[tuple[float, int, int]] = []

    def open_slots(slots: np.ndarray) -> None:
        for slot in slots:
            if not opened[slot]:
                opened[slot] = True
                for src in np.flatnonzero(graph.edges[:, slot]):
                    heapq.heappush(heap, (-value[src, slot], int(src), int(slot)))

    open_slots(np.array([graph.logits]))
    for _ in range(n):
        if not heap:
            break
        _, src, dst = heapq.heappop(heap)
        mask[src, dst] = True
        open_slots(np.flatnonzero(graph.feeds[:, src]))
    return mask


def chosen(graph: Graph, scores: Scores, rule: str, n: int, absolute: bool = True) -> EdgeMask:
    """A circuit of `n` edges by 'top' or 'greedy', before pruning."""
    one_of("rule", rule, ("top", "greedy"))
    return {"top": top, "greedy": greedy}[rule](graph, scores, n, absolute)


def sizes(graph: Graph, shares: tuple[float, ...] = SHARES) -> list[int]:
    """Numbers of edges at these shares of all, each once."""
    return sorted({int(share * graph.n_edges) for share in shares})


def random(graph: Graph, n: int, seed: int) -> EdgeMask:
    """`n` edges drawn at random."""
    within("n", n, 0, graph.n_edges + 1)
    return _masked(graph, np.random.default_rng(seed).choice(graph.n_edges, n, replace=False))


@dataclass(frozen=True, eq=False)
class Ranking:
    """Scored edges, from which circuits of any size are taken.

    Attributes:
        graph, scores: The edges and their scores; an edge without one (NaN) ranks last.
        rule: The 'top' edges, or 'greedy'.
        absolute: Whether they are ranked by size of the score.
        prune: Whether edges on no path from the input to the logits are taken away.
    """

    graph: Graph
    scores: Scores
    rule: str = "top"
    absolute: bool = True
    prune: bool = True

    def order(self) -> Int[np.ndarray, "edge"]:
        """The edges from the first to the last."""
        return np.argsort(-self._value(self.absolute), kind="stable")

    def circuit(self, n: int, absolute: bool | None = None) -> EdgeMask:
        """The circuit of `n` edges, pruned if that is asked for."""
        value = self._value(self.absolute if absolute is None else absolute)
        made = chosen(self.graph, value, self.rule, n, absolute=False)
        return self.graph.pruned(made) if self.prune else made

    def _value(self, absolute: bool) -> Scores:
        """What the edges are ranked by."""
        value = np.abs(self.scores) if absolute else self.scores
        missing = np.isnan(value)
        return np.where(missing, np.min(value[~missing], initial=0.0) - 1, value) if missing.any() else value

    def said(self, n: int, kept: int) -> str:
        """The selection in words."""
        by = "size of" if self.absolute else "signed"
        return f"{self.rule} by {by} score: {n:,} edges asked for, {kept:,} kept"

    def stability(self, each: Float[np.ndarray, "batch edge"], n: int, resamples: int, seed: int) -> tuple[float, float]:
        """Mean and standard deviation of the Jaccard index of circuits found on bootstraps of the prompts, over their pairs.

        Source: Méloux et al. 2025, https://arxiv.org/abs/2510.00845, who call a mean above 0.8 over 100 resamples stable.
        """
        if len(each) < 2:
            raise BadInput("stability must have at least 2 prompts to resample; got 1. Make more pairs.")
        drawn = np.random.default_rng(seed).integers(0, len(each), (resamples, len(each)))
        weights = np.stack([np.bincount(rows, minlength=len(each)) for rows in drawn]) / len(each)
        again = [replace(self, scores=mean).circuit(n)[self.graph.edge_list] for mean in weights @ each]
        masks = np.stack(again).astype(np.float32)
        both, sizes = masks @ masks.T, masks.sum(1)
        either = sizes[:, None] + sizes - both
        found = np.divide(both, either, out=np.full_like(both, np.nan), where=either > 0)[np.triu_indices(resamples, 1)]
        found = found[np.isfinite(found)]
        return (float(found.mean()), float(found.std())) if len(found) else (float("nan"), float("nan"))


def _masked(graph: Graph, order: np.ndarray) -> EdgeMask:
    src, dst = graph.edge_list
    mask = np.zeros_like(graph.edges)
    mask[src[order], dst[order]] = True
    return mask
