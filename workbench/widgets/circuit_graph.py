"""The network of a Circuit on canvas: nodes and edges are pointed at, chosen and walked through with the keyboard.

The edges and their scores are sent once, the strongest first; another size of the circuit is another mask over them, with
the places of the nodes it leaves. Nodes and edges are named as in the graph: 'a5.h1', 'a0.h1->a2.h3<q>'.
"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from workbench.errors import BadInput, at_least, one_of
from workbench.graph import graph_from
from workbench.plots.hues import SHADES
from workbench.plots.theme import PALETTES, tone
from workbench.result import Circuit
from workbench.widgets.layered import MOST, Network, kept_of, strongest
from workbench.widgets.widget import Trait, Widget, notebook

USUAL = "blue-orange"

CIRCUIT_GRAPH = Widget(
    "CircuitGraph",
    Path(__file__).with_suffix(".js"),
    (
        Trait("nodes", "list", [], "The nodes' names."),
        Trait("labels", "list", [], "What stands in each node's box."),
        Trait("hues", "list", [], "The hue of each node that is one head, in degrees; null for others."),
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
        Trait("colours", "dict", {}, "Colours of the page and the scale, as #rrggbb, and how strong and light hues are."),
        Trait("across", "int", 760, "Pixels across."),
        Trait("down", "int", 480, "Pixels down."),
    ),
    before=(Path(__file__).with_name("vectors.js"),),
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
        An anywidget; its `selected` is the name of the node or edge that was clicked, and `resize(n)` leaves its n strongest
        edges, as a slider of ipywidgets asks for them.
    Raises:
        BadInput: When nothing is left to draw, or the reference is of another graph.
    """
    at_least("width", width, 320)
    drawn = Drawn(circuit, reference, top)
    return _graph()(drawn, **drawn.state(), **colouring(theme, palette), across=width)


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
    at_least("width", width, 320)
    return Drawn(circuit, reference, top).state() | colouring(theme, palette) | {"across": width}


class Drawn:
    """A circuit's strongest edges, and perhaps a reference's, as they are drawn where no page draws them.

    Args:
        circuit: The circuit.
        reference: Another of the same graph, or None.
        top: The most edges of each.
    Raises:
        BadInput: When nothing is left to draw, or the reference is of another graph.
    """

    def __init__(self, circuit: Circuit, reference: Circuit | None, top: int):
        at_least("top", top, 1)
        self._circuit, self.most = circuit, min(top, MOST)
        self._title = reference.title if reference is not None else ""
        self._kept, self._known = kept_of(circuit), None
        drawn = strongest(circuit, self._kept, self.most)
        if reference is not None:
            if graph_from(reference) != graph_from(circuit):
                raise BadInput(
                    "the reference must be a circuit of the same graph; got one of another. Compare their node names."
                )
            self._known = strongest(reference, kept_of(reference), self.most)
        self._network = Network(circuit, np.flatnonzero(drawn if self._known is None else drawn | self._known))
        if not len(self._network.edges):
            raise BadInput(f"the circuit {circuit.title!r} must keep an edge to be drawn; got none. Keep more edges.")

    def state(self) -> dict[str, Any]:
        """All of it."""
        return self._network.sent | self.sized(self.most)

    def sized(self, size: int) -> dict[str, Any]:
        """What another size changes, see `Network.sized`.

        Args:
            size: How many of its edges the circuit is drawn with, the strongest; from 1 to `most`.
        """
        at_least("size", size, 1)
        return self._network.sized(strongest(self._circuit, self._kept, min(size, self.most)), self._known, self._title)


def colouring(theme: str, palette: str = USUAL) -> dict[str, Any]:
    """The colours of a page, as the component takes them."""
    one_of("palette for signed numbers", palette, [name for name, one in PALETTES.items() if one.kind == "diverging"])
    of, scale = tone(theme), PALETTES[palette]
    chosen = {"light": scale.light, "dark": scale.dark}[theme]
    ring = {"light": "#0b5cad", "dark": "#7db7ee"}[theme]
    named = {name: getattr(of, name) for name in ("paper", "ink", "quiet", "grid", "low", "high")}
    # Lines take the palette's colours next to its ends: the ends are too dark, or too pale, to be told from ink.
    named |= {"low": chosen[1], "high": chosen[-2], "ring": ring, "head": SHADES[theme]}
    return {"colours": {**named, "scale": list(chosen)}}


@cache
def _graph() -> type:
    """The class of the component in a notebook; needs anywidget."""

    class CircuitGraph(notebook(CIRCUIT_GRAPH)):
        """The network of a circuit."""

        def __init__(self, drawn: Drawn, **given: Any):
            super().__init__(**given)
            self._drawn = drawn

        def resize(self, size: int) -> None:
            """Leave so many of the edges drawn at first, the strongest; at least 1.

            Raises:
                BadInput: When it is fewer.
            """
            with self.hold_sync():
                for name, value in self._drawn.sized(size).items():
                    setattr(self, name, value)

    return CircuitGraph
