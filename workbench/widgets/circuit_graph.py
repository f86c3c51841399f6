"""The network of a Circuit on canvas: nodes and edges are pointed at, chosen and walked through with the keyboard.

The edges and their scores are sent once, the strongest first; another size of the circuit is another mask over them, with
the places of the nodes it leaves. Nodes and edges are named as in the graph: 'a5.h1', 'a0.h1->a2.h3<q>'.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from workbench.errors import BadInput, at_least, one_of
from workbench.graph import SLOTS, graph_from
from workbench.plots.layers import box_of, ordered, placed, row_of, short
from workbench.plots.theme import PALETTES, tone
from workbench.result import Circuit
from workbench.widgets.widget import Trait, Widget, notebook

# The most edges that are drawn at once.
MOST = 3000
USUAL = "blue-orange"
KEPT, REFERENCE = 1, 2
_ROW, _LEAST, _TALLEST = 44, 300, 760

CIRCUIT_GRAPH = Widget(
    "CircuitGraph",
    Path(__file__).with_suffix(".js"),
    (
        Trait("nodes", "list", [], "The nodes' names."),
        Trait("labels", "list", [], "What stands in each node's box."),
        Trait("node_scores", "bytes", b"", "float32 per node: the sum of its edges out; NaN where it writes nothing."),
        Trait("ends", "bytes", b"", "int32 per edge: the node it leaves and the node it enters."),
        Trait("slots", "bytes", b"", "uint8 per edge: where it enters, 1 query, 2 key, 3 value, 0 the box itself."),
        Trait("scores", "bytes", b"", "float32 per edge; NaN where it has none."),
        Trait("shown", "bytes", b"", "uint8 per edge: 0 hidden, 1 kept, 2 of the reference, 3 both."),
        Trait("places", "bytes", b"", "float32 per node: column and row; NaN where it is hidden."),
        Trait("rows", "list", [], "The rows' names from the lowest."),
        Trait("comparing", "flag", False, "Whether edges are drawn by whether the reference has them too."),
        Trait("replaced", "dict", {}, "What nodes and edges are replaced by, by their names."),
        Trait("selected", "text", "", "The name of the node or edge chosen, '' for none."),
        Trait("unit", "text", "", "Unit of the scores."),
        Trait("title", "text", "Circuit", "What it is, for who cannot see it."),
        Trait("said", "list", [], "What is said under it."),
        Trait("meanings", "dict", {}, "What colours and dashes mean."),
        Trait("colours", "dict", {}, "Colours of the page and the scale, as #rrggbb."),
        Trait("across", "int", 760, "Pixels across."),
        Trait("down", "int", 480, "Pixels down."),
    ),
)


def circuit_graph(
    circuit: Circuit,
    *,
    reference: Circuit | None = None,
    top: int = 200,
    theme: str = "light",
    palette: str = USUAL,
    width: int = 760,
) -> Any:
    """The network of a Circuit as a component for JupyterLab: hover, click, zoom, and the keyboard.

    Convention: colours are by sign around 0, widths by size; the score of a node is the sum of all its edges out. Source:
    this project; the order within rows is Sugiyama et al. 1981, https://doi.org/10.1109/TSMC.1981.4308636.

    Args:
        circuit: The circuit: the edges it keeps are drawn, or where none were selected the largest.
        reference: Another circuit of the same graph, to be drawn over it.
        top: The most edges of each to draw, from 1 to 3,000: those of largest size.
        theme: 'light' or 'dark'.
        palette: A diverging palette.
        width: Pixels, 320 or more.
    Returns:
        An anywidget; its `selected` is the name of the node or edge that was clicked.
    Raises:
        BadInput: When nothing is left to draw, or the reference is of another graph.
    """
    return notebook(CIRCUIT_GRAPH)(**state(circuit, reference=reference, top=top, theme=theme, palette=palette, width=width))


def state(
    circuit: Circuit,
    *,
    reference: Circuit | None = None,
    top: int = 200,
    theme: str = "light",
    palette: str = USUAL,
    width: int = 760,
) -> dict[str, Any]:
    """What `circuit_graph` shares with its script; `widgets.static` makes a piece of HTML of it."""
    at_least("top", top, 1)
    at_least("width", width, 320)
    kept = strongest(circuit, kept_of(circuit), min(top, MOST))
    known = None
    if reference is not None:
        if graph_from(reference) != graph_from(circuit):
            raise BadInput("the reference must be a circuit of the same graph; got one of another. Compare their node names.")
        known = strongest(reference, kept_of(reference), min(top, MOST))
    network = Network(circuit, np.flatnonzero(kept if known is None else kept | known))
    if not len(network.edges):
        raise BadInput(f"the circuit {circuit.title!r} must keep an edge to be drawn; got none. Keep more edges.")
    title = reference.title if reference is not None else ""
    return network.sent | network.sized(kept, known, title) | colouring(theme, palette) | {"across": width}


def kept_of(circuit: Circuit) -> Bool[np.ndarray, "edge"]:
    """The edges a Circuit keeps; all that have a score other than 0 where none were selected."""
    if "kept" in circuit.parts:
        return circuit.parts["kept"].values
    scores = circuit.edge_scores.values
    return np.isfinite(scores) & (scores != 0)


def strongest(circuit: Circuit, among: Bool[np.ndarray, "edge"], most: int = MOST) -> Bool[np.ndarray, "edge"]:
    """The edges of largest size among some, at most so many."""
    order = np.argsort(-np.abs(np.nan_to_num(circuit.edge_scores.values)), kind="stable")
    drawn = np.zeros_like(among)
    drawn[order[among[order]][:most]] = True
    return drawn


def colouring(theme: str, palette: str = USUAL) -> dict[str, Any]:
    """The colours of a page, as the component takes them."""
    one_of("palette for signed numbers", palette, [name for name, one in PALETTES.items() if one.kind == "diverging"])
    of, scale = tone(theme), PALETTES[palette]
    chosen = {"light": scale.light, "dark": scale.dark}[theme]
    ring = {"light": "#0b5cad", "dark": "#7db7ee"}[theme]
    named = {name: getattr(of, name) for name in ("paper", "ink", "quiet", "grid", "low", "high")}
    # Lines take the palette's colours next to its ends: the ends are too dark, or too pale, to be told from ink.
    return {"colours": {**named, "low": chosen[1], "high": chosen[-2], "ring": ring, "scale": list(chosen)}}


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
            "node_scores": self._node_scores.tobytes(),
            "ends": self._ends.tobytes(),
            "slots": self._slots.tobytes(),
            "scores": self._scores.tobytes(),
            "unit": self.circuit.unit,
            "title": self.circuit.title,
            "down": int(max(_LEAST, min(_TALLEST, _ROW * rows))),
        }

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
