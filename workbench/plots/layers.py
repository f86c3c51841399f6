"""Where the boxes of a network stand: a row per sublayer from the input up, and in a row such that few edges cross."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from workbench.graph import Graph

SWEEPS = 6


def box_of(destination: str) -> str:
    """The box that a destination belongs to: 'a5.h1' of 'a5.h1<q>'."""
    return destination.partition("<")[0]


def row_of(graph: Graph, name: str) -> int:
    """The row of a box: -1 for the input, then attention and MLP of each layer, then the logits."""
    layer, kind, _ = graph.place(name)
    return -1 if kind == "input" else 2 * layer + (kind == "mlp")


def row_name(graph: Graph, row: int | float) -> str:
    """What stands beside a row."""
    if row < 0:
        return "input"
    layer, part = divmod(int(row), 2)
    return "logits" if layer == graph.n_layers else (f"MLP {layer}" if part else f"layer {layer}")


def short(name: str) -> str:
    """What stands in a box: '5.1', 'm3', '5.kv1'."""
    layer, dot, head = name.partition(".")
    if not dot:
        return {"input": "in", "logits": "out"}.get(name, name)
    return f"{layer[1:]}.{head[1:]}" if head.startswith("h") else f"{layer[1:]}.{head}"


def shift(graph: Graph, row: int) -> float:
    """How far the only box of a row stands from the middle: each its own way, so that edges past a row miss it."""
    return 2.4 * ((row + 1) * 0.618 % 1 - 0.5) if 0 <= row < 2 * graph.n_layers else 0.0


def ordered(
    rows: Int[np.ndarray, "node"],
    ends: Int[np.ndarray, "edge 2"],
    weights: Float[np.ndarray, "edge"],
) -> Int[np.ndarray, "node"]:
    """The nodes in an order, from left to right in every row, in which strong edges cross less.

    By turns from below and from above every row is sorted by the mean place of what its boxes are joined to. Source: the
    barycentre heuristic, Sugiyama et al. 1981, https://doi.org/10.1109/TSMC.1981.4308636.

    Args:
        rows: The row of every node; nodes that begin equal keep their order.
        ends: Both nodes of every edge, the lower row first.
        weights: How much an edge counts, at least 0.
    """
    count = len(rows)
    order = np.argsort(rows, kind="stable")
    across = np.zeros(count)
    members = [order[rows[order] == row] for row in np.unique(rows)]
    for nodes in members:
        across[nodes] = _centred(len(nodes))
    for sweep in range(SWEEPS):
        here, there = (ends[:, 1], ends[:, 0]) if sweep % 2 == 0 else (ends[:, 0], ends[:, 1])
        total = np.bincount(here, weights=weights, minlength=count)
        for index in range(len(members)) if sweep % 2 == 0 else reversed(range(len(members))):
            nodes = members[index]
            if len(nodes) < 2:
                continue
            mine = np.isin(here, nodes)
            pull = np.bincount(here[mine], weights=weights[mine] * across[there[mine]], minlength=count)[nodes]
            place = np.where(total[nodes] > 0, pull / np.maximum(total[nodes], 1e-12), across[nodes])
            members[index] = nodes = nodes[np.argsort(place, kind="stable")]
            across[nodes] = _centred(len(nodes))
    return np.concatenate(members) if members else order


def placed(
    graph: Graph, rows: Int[np.ndarray, "node"], order: Int[np.ndarray, "node"], shown: Sequence[bool] | np.ndarray
) -> tuple[Float[np.ndarray, "node 2"], list[str]]:
    """Column and row of every node shown, rows without any left out and the rest counted from 0, and the rows' names.

    NaN where a node is not shown; a column is the width of a box and its gap, and 0 the middle.
    """
    places = np.full((len(rows), 2), np.nan, np.float32)
    order = order[np.asarray(shown)[order]]
    kinds, counts = np.unique(rows[order], return_counts=True)
    spread = max(1.0, max(counts, default=1) / 2.4)
    for place, row in enumerate(kinds):
        nodes = order[rows[order] == row]
        places[nodes, 0] = _centred(len(nodes)) + (spread * shift(graph, int(row)) if len(nodes) == 1 else 0.0)
        places[nodes, 1] = place
    return places, [row_name(graph, int(row)) for row in kinds]


def _centred(count: int) -> Float[np.ndarray, "node"]:
    return np.arange(count) - (count - 1) / 2
