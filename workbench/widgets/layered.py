"""Edges of a Circuit as layers of nodes: what a component is sent once, and what another size of the circuit changes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from workbench.graph import SLOTS, graph_from
from workbench.plots.hues import hue
from workbench.plots.layers import box_of, ordered, placed, row_of, short
from workbench.result import Circuit

# The most edges that are drawn at once.
MOST = 3000
KEPT, REFERENCE = 1, 2
_ROW, _LEAST, _TALLEST = 44, 300, 760


def kept_of(circuit: Circuit) -> Bool[np.ndarray, "edge"]:
    """The edges a Circuit keeps; all that have a score other than 0 where none were selected."""
    if "kept" in circuit.parts:
        return circuit.parts["kept"].values
    scores = circuit.edge_scores.values
    return np.isfinite(scores) & (scores != 0)


def strongest(circuit: Circuit, among: Bool[np.ndarray, "edge"], most: int = MOST) -> Bool[np.ndarray, "edge"]:
    """The edges of largest size among some, at most so many."""
    places = np.flatnonzero(among)
    order = np.argsort(-np.abs(np.nan_to_num(circuit.edge_scores.values[places])), kind="stable")
    drawn = np.zeros_like(among)
    drawn[places[order[:most]]] = True
    return drawn


class Network:
    """Some edges of a circuit, sent once, of which any part is drawn.

    Attributes:
        circuit: Whose edges.
        edges: Which, by their places in the circuit's list.
        nodes: The names of the nodes they join, by row.
    """

    def __init__(self, circuit: Circuit, edges: Int[np.ndarray, "edge"]):
        self.circuit, self.graph = circuit, graph_from(circuit)
        self.edges = edges
        sources, destinations = ([str(name) for name in circuit.parts[name].values] for name in ("sources", "destinations"))
        src, dst = (circuit.values.coords[name].values for name in ("src", "dst"))
        boxes = {sources[one] for one in src[edges]} | {box_of(destinations[other]) for other in dst[edges]}
        self.nodes = sorted(boxes, key=lambda name: (row_of(self.graph, name), self.graph.place(name)[2], name))
        self._rows = np.array([row_of(self.graph, name) for name in self.nodes], int)
        at = {name: index for index, name in enumerate(self.nodes)}
        ends = [(at[sources[one]], at[box_of(destinations[other])]) for one, other in zip(src[edges], dst[edges], strict=True)]
        self._ends = np.array(ends, np.int32).reshape(-1, 2)
        slots = [destinations[other].partition("<")[2].rstrip(">") for other in dst[edges]]
        self._slots = np.array([1 + SLOTS.index(slot) if slot else 0 for slot in slots], np.uint8)
        scores = circuit.edge_scores.values
        self._scores = scores[edges].astype(np.float32)
        out = dict(zip(sources, np.bincount(src, weights=np.nan_to_num(scores), minlength=len(sources)), strict=True))
        self._node_scores = np.array([out.get(name, np.nan) for name in self.nodes], np.float32)
        self._order = ordered(self._rows, self._ends, np.abs(np.nan_to_num(self._scores)))

    @property
    def sent(self) -> dict[str, Any]:
        """What is sent once."""
        rows = len(np.unique(self._rows))
        return {
            "nodes": self.nodes,
            "labels": [short(name) for name in self.nodes],
            "hues": [self._hue(name) for name in self.nodes],
            "node_scores": self._node_scores.tobytes(),
            "ends": self._ends.tobytes(),
            "slots": self._slots.tobytes(),
            "scores": self._scores.tobytes(),
            "unit": self.circuit.unit,
            "title": self.circuit.title,
            "down": int(max(_LEAST, min(_TALLEST, _ROW * rows))),
        }

    def _hue(self, name: str) -> float | None:
        layer, kind, head = self.graph.place(name)
        return hue(layer * self.graph.n_heads + head) if kind == "head" and ".kv" not in name else None

    def holds(self, edges: Bool[np.ndarray, "edge"]) -> bool:
        """Whether all of these edges are among those sent."""
        return bool(edges[self.edges].sum() == edges.sum())

    def sized(
        self, kept: Bool[np.ndarray, "edge"], reference: Bool[np.ndarray, "edge"] | None = None, title: str = ""
    ) -> dict[str, Any]:
        """What another size of the circuit changes.

        Args:
            kept: The edges it keeps.
            reference: Those of a circuit it is compared with, or None.
            title: What that is called.
        """
        shown = KEPT * kept[self.edges].astype(np.uint8)
        if reference is not None:
            shown = shown + REFERENCE * reference[self.edges].astype(np.uint8)
        used = np.zeros(len(self.nodes), bool)
        used[self._ends[shown > 0].ravel()] = True
        places, rows = placed(self.graph, self._rows, self._order, used)
        return {
            "shown": shown.astype(np.uint8).tobytes(),
            "places": places.tobytes(),
            "rows": rows,
            "comparing": reference is not None,
            "said": [_count(int((shown & KEPT > 0).sum()), int(kept.sum()))],
            "meanings": _meanings(self.circuit, title),
        }

    def replaced(self, by: Mapping[str, str]) -> dict[str, Any]:
        """What is replaced by what, by name."""
        return {"replaced": dict(by)}


def _count(drawn: int, kept: int) -> str:
    return f"{kept:,} edges" if drawn == kept else f"the {drawn:,} strongest of {kept:,} edges"


def _meanings(circuit: Circuit, title: str) -> dict[str, str]:
    """What colours and dashes mean."""
    signed = "counts" not in circuit.parts
    return {
        "high": "+ helps" if signed else "width: size of the score",
        "low": "− hurts" if signed else "",
        "both": "in both",
        "here": "only in this circuit",
        "there": f"only in {title}",
    }
