"""A circuit beside another: a published one, another stored one of the same graph, or one of another model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import param
import xarray as xr
from jaxtyping import Bool

from workbench import select
from workbench.edges.measure import precision_recall
from workbench.errors import BadInput, one_of
from workbench.graph import Graph, graph_from
from workbench.references import reference, reference_names
from workbench.result import Circuit, Curve, Origin
from workbench.store import Entry, Store
from workbench.views.circuit_size import CircuitSize, number
from workbench.views.code import together
from workbench.views.opened import opened

PUBLISHED = "published:"


@dataclass(frozen=True, eq=False)
class Other:
    """What a circuit is compared with.

    Attributes:
        title: What it is called.
        model: Its model.
        graph: Its graph.
        kept: Its edges, in the order of the graph's list.
        sizes: Its sizes with their curve; None for a published one.
    """

    title: str
    model: str
    graph: Graph
    kept: Bool[np.ndarray, "edge"]
    sizes: CircuitSize | None = None


class Compared(param.Parameterized):
    """What the circuit shown is compared with. Nothing here computes."""

    against = param.String(default="", doc="'published:ID' or the key of a stored Circuit; '' for nothing.")
    other = param.Parameter(doc="The Other, or None.")

    def __init__(self, store: Store):
        super().__init__()
        self._store = store
        self.circuit: Circuit | None = None
        self._both: Curve | None = None

    def ask_about(self, circuit: Circuit | None) -> None:
        """Take up another circuit, or none; what it was compared with is dropped."""
        self.circuit, self._both = circuit, None
        self.param.update(against="", other=None)

    def choices(self, stored: Sequence[Entry]) -> dict[str, str]:
        """What the circuit can be compared with, by title: published ones of its graph, then what is stored."""
        if self.circuit is None or "counts" in self.circuit.parts:
            return {}
        graph, own = graph_from(self.circuit), self.circuit.origin.key if self.circuit.origin else ""
        known = {name: reference(name) for name in reference_names()}
        found = {f"{one.title} (published)": PUBLISHED + name for name, one in known.items() if one.graph == graph}
        for entry in stored:
            if entry.kind == "circuit" and entry.key != own and entry.origin.task:
                found[f"{entry.title}{_by(entry.origin)} · {entry.origin.model} · {entry.key[:6]}"] = entry.key
        return found

    def choose(self, against: str) -> None:
        """Compare with another circuit, or with none.

        Raises:
            BadInput: When there is no such circuit, or none is shown.
        """
        if against and self.circuit is None:
            raise BadInput(f"a finished circuit must be shown to be compared; got none to compare with {against[:40]!r}.")
        other = self._found(against) if against else None
        self._both = None
        self.param.update(other=other, against=against)

    def _found(self, against: str) -> Other:
        if against.startswith(PUBLISHED):
            name = against.removeprefix(PUBLISHED)
            one_of("the published circuit", name, reference_names())
            known = reference(name)
            return Other(known.title, known.model, known.graph, known.mask[known.graph.edge_list])
        circuit = opened(self._store, against) if against in self._store else None
        if not isinstance(circuit, Circuit) or "counts" in circuit.parts:
            raise BadInput(f"what a circuit is compared with must be a stored circuit; got {against[:40]!r}. Choose one.")
        sizes = CircuitSize(circuit)
        model = circuit.origin.model if circuit.origin else ""
        return Other(f"{circuit.title}{_by(circuit.origin)}", model, graph_from(circuit), sizes.kept(sizes.chosen), sizes)

    @property
    def mask(self) -> Bool[np.ndarray, "edge"] | None:
        """The other's edges where it has the same graph, to be drawn over; None else."""
        same = self.other is not None and self.circuit is not None and self.other.graph == graph_from(self.circuit)
        return self.other.kept if same else None

    def words(self, kept: Bool[np.ndarray, "edge"]) -> str:
        """What the edges kept and the other's have in common, in a sentence or two."""
        other, circuit = self.other, self.circuit
        if other is None or circuit is None:
            return ""
        mask = self.mask
        nodes = [_nodes(graph_from(circuit), kept), _nodes(other.graph, other.kept)]
        both = sorted(nodes[0] & nodes[1], key=_by_layer)
        listed = ", ".join(both[:24]) + (f" and {len(both) - 24} more" if len(both) > 24 else "")
        if mask is None:
            return (
                f"Of another graph ({other.model}): edges cannot be matched. Of {len(nodes[0])} nodes here and "
                f"{len(nodes[1])} there, {len(both)} have the same name, which says where they stand and not that they do "
                f"the same: {listed or 'none'}."
            )
        precision, recall = precision_recall(kept, mask)
        return (
            f"{int((kept & mask).sum()):,} edges are in both. Precision {number(precision)}: the share of the {kept.sum():,} "
            f"edges here that are there too. Recall {number(recall)}: the share of the {mask.sum():,} edges there that are "
            f"here too. {len(both)} nodes are in both, of {len(nodes[0])} here and {len(nodes[1])} there: {listed or 'none'}."
        )

    def curves(self) -> Curve | None:
        """Both curves of faithfulness, over the share of each graph's edges; None where one was not measured."""
        if self.other is None or self.other.sizes is None or self.circuit is None:
            return None
        # Drawn anew at every step of a slider, and the same each time.
        if self._both is None:
            self._both = both_curves(self.circuit, self.other.sizes.circuit)
        return self._both

    def code(self, rows: str) -> str:
        """Python that computes both curves again; '' where there are none.

        Args:
            rows: The user's own pairs as text, for the task 'custom'.
        """
        if self.other is None or self.other.sizes is None or self.circuit is None:
            return ""
        lines = "from workbench.views.compared import both_curves\n\nresult = both_curves(result, other)\n"
        return together([("other", self.other.sizes.circuit), ("result", self.circuit)], lines, rows)


def both_curves(circuit: Circuit, other: Circuit) -> Curve | None:
    """The curves of faithfulness of two circuits, over the share of each graph's edges; None where one was not measured."""
    both = [CircuitSize(circuit), CircuitSize(other)]
    if any(one.curve is None for one in both):
        return None
    rows: list[list[Any]] = []
    for share in select.SHARES:
        found = [one.measured(int(share * one.ranking.graph.n_edges)) for one in both]
        if all(one is not None for one in found):
            rows.append([share, *found])
    if not rows:
        return None
    coords = {"series": ["this circuit", "the other"], "share of edges": [100 * row[0] for row in rows]}

    def array(index: int) -> xr.DataArray:
        return xr.DataArray([[row[at][index] for row in rows] for at in (1, 2)], dims=tuple(coords), coords=coords)

    notes = {"x": "% of the graph's edges asked for", "sign": "1 is the whole model, 0 the ablated one"}
    notes["the other"] = ", ".join([f"{other.title}{_by(other.origin)}", other.origin.model] if other.origin else [other.title])
    return Curve("Faithfulness of both", "share of the gap", array(0), array(1), array(2), notes=notes,
                 origin=circuit.origin)  # fmt: skip


def _by(origin: Origin | None) -> str:
    """How a circuit was found: ' by eap'."""
    return "" if origin is None else f" by {origin.params.get('scorer', origin.method)}"


def _nodes(graph: Graph, kept: Bool[np.ndarray, "edge"]) -> set[str]:
    mask = np.zeros_like(graph.edges)
    mask[graph.edge_list] = kept
    return {graph.sources[node] for node in np.flatnonzero(graph.nodes(mask))} - {"input"}


def _by_layer(name: str) -> tuple[int, str]:
    digits = name[1:].partition(".")[0]
    return (int(digits) if digits.isdecimal() else -1, name)
