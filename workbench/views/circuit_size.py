"""A Circuit at each size it can be looked at: its strongest edges selected anew, and what was measured at that size.

Nothing is measured here. A circuit with a curve is looked at where the curve was measured; one of scores alone at a ladder
of sizes, without numbers of faithfulness.
"""

from typing import NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Bool

from workbench import select
from workbench.errors import one_of
from workbench.graph import graph_from
from workbench.result import Circuit, Curve
from workbench.views.code import code_of

LADDER = (1, 2, 5)
FIRST = 100
MEASURED_BY = "Find a circuit (discover) measures it"


class Measured(NamedTuple):
    """A faithfulness with its interval; NaN where there is none."""

    value: float
    low: float
    high: float


class CircuitSize:
    """The sizes of a circuit. A size is the number of edges asked for, before those on no path are pruned.

    Attributes:
        circuit: As it was found.
        sizes: What may be asked for, from the smallest.
        chosen: The size it was found at; where nothing was selected, some hundred edges to begin with.
        curve: Its faithfulness over these sizes, or None.
    """

    def __init__(self, circuit: Circuit):
        self.circuit = circuit
        params = circuit.origin.params if circuit.origin else {}
        self.curve: Curve | None = circuit.curve() if "curve" in circuit.parts else None
        self._graph, self._scores = graph_from(circuit), circuit.edge_scores.values
        # Channels between heads lie on no path from the input, and those that count by chance are none.
        paths = "counts" not in circuit.parts
        if not paths:
            self._scores = np.where(circuit.parts["counts"].values, self._scores, np.nan)
        rule, absolute = str(params.get("rule", "top")), bool(params.get("absolute", paths))
        self.ranking = select.Ranking(self._graph, self._scores, rule, absolute, prune=paths)
        self._kept: dict[int, Bool[np.ndarray, "edge"]] = {}
        self.chosen = 0
        if "kept" in circuit.parts:
            kept = circuit.parts["kept"].values
            asked = self.summary.get("edges asked for")
            self.chosen = int(kept.sum() if asked is None else asked)
            self._kept[self.chosen] = kept
        self.sizes = self._sizes()
        if "kept" not in circuit.parts:
            self.chosen = max(size for size in self.sizes if size <= max(FIRST, self.sizes[0]))

    def _sizes(self) -> list[int]:
        if self.curve is not None:
            return sorted({*self.curve.values["size"].values.tolist(), *self._kept})
        most = int(np.isfinite(self._scores).sum())
        steps = {step * 10**power for power in range(1, len(str(most)) + 1) for step in LADDER}
        return sorted({*(step for step in steps if step < most), most, *self._kept})

    @property
    def summary(self) -> dict[str, float]:
        """What was measured of the circuit as it was found, by name; empty where nothing was."""
        if "summary" not in self.circuit.parts:
            return {}
        part = self.circuit.parts["summary"]
        return dict(zip(map(str, part["measure"].values), part.values.tolist(), strict=True))

    def kept(self, size: int) -> Bool[np.ndarray, "edge"]:
        """The edges kept of so many asked for.

        Raises:
            BadInput: When the size is none of `sizes`.
        """
        one_of("the size", size, self.sizes)
        if size not in self._kept:
            self._kept[size] = self.ranking.circuit(size)[self._graph.edge_list]
        return self._kept[size]

    def select(self, size: int) -> Circuit:
        """The circuit of this size, by the rule it was found with; as it was found, at the size it was found at.

        Raises:
            BadInput: When the size is none of `sizes`.
        """
        kept = self.kept(size)
        if "kept" in self.circuit.parts and size == self.chosen:
            return self.circuit
        said = f"{self.ranking.said(size, int(kept.sum()))}; the size was chosen by hand"
        parts = {name: part for name, part in self.circuit.parts.items() if name not in ("summary", "verified")}
        notes = {name: note for name, note in self.circuit.notes.items() if name not in ("stability", "verified")}
        return self.circuit.replace(
            title=f"{self.circuit.title}, {size:,} edges asked for",
            parts={**parts, "kept": xr.DataArray(kept, dims=("edge",))},
            notes={**notes, "selection": said},
        )

    def code(self, size: int, rows: str) -> str:
        """Python that finds the circuit of this size again.

        Args:
            size: One of `sizes`.
            rows: The user's own pairs as text, for the task 'custom'.
        """
        found = size == self.chosen and "kept" in self.circuit.parts
        then = f"from workbench.views.circuit_size import CircuitSize\n\nresult = CircuitSize(result).select({size})\n"
        return code_of(self.circuit, rows, "" if found else then)

    def measured(self, size: int) -> Measured | None:
        """The faithfulness at this size as the curve has it; None where it was not measured."""
        if self.curve is None:
            return None
        series = select.BY_SIZE if self.ranking.absolute else select.SIGNED
        at = {"series": series, "size": size}
        if series not in self.curve.values["series"].values or size not in self.curve.values["size"].values:
            return None
        bands = (self.curve.values, self.curve.lower, self.curve.upper)
        found = [np.nan if band is None else float(band.sel(at)) for band in bands]
        return Measured(*found) if np.isfinite(found[0]) else None

    def words(self, size: int) -> str:
        """One line on this size: edges asked for and kept, and the faithfulness or why there is none."""
        count = int(self.kept(size).sum())
        if not self.ranking.prune:
            return f"{count:,} edges, the strongest; from the weights alone, so that there is no faithfulness"
        none = "" if count else ": none lies on a path from the input to the logits"
        as_found = size == self.chosen and "kept" in self.circuit.parts and "edges asked for" not in self.summary
        said = (
            f"{count:,} edges, as found · " if as_found else f"{size:,} edges asked for, {count:,} kept after pruning{none} · "
        )
        found = self.measured(size)
        if found is None:
            return said + f"faithfulness was not measured: {MEASURED_BY}"
        return said + f"faithfulness {interval(*found)}{self._prompts}"

    @property
    def _prompts(self) -> str:
        """Which prompts the curve was measured on, as far as the origin says."""
        held = self.circuit.origin.params.get("hold_out") if self.circuit.origin else None
        return "" if held is None else " on held-out prompts" if held else " on the prompts it was found on"

    def said(self) -> list[tuple[str, str]]:
        """The summary in words: name and value of what was measured of the circuit as it was found."""
        has = self.summary
        found = []
        if "edges" in has:
            of = f" of {self._graph.n_edges:,} ({100 * has['share of edges']:.2g} %)" if "share of edges" in has else ""
            found.append(("edges kept", f"{has['edges']:,.0f}{of}"))
        if "nodes" in has:
            found.append(("nodes", f"{has['nodes']:,.0f} of {self._graph.n_sources:,}"))
        if "faithfulness" in has:
            ends = has.get("faithfulness low", np.nan), has.get("faithfulness high", np.nan)
            found.append(("faithfulness", interval(has["faithfulness"], *ends) + self._prompts))
        if "faithfulness where found" in has:
            found.append(("… on the prompts it was found on", number(has["faithfulness where found"])))
        if "faithfulness of the rest" in has:
            found.append(("faithfulness of the rest, without it", number(has["faithfulness of the rest"])))
        if "cpr" in has:
            found.append(("CPR, area under the signed curve", number(has["cpr"])))
        if "cmd" in has:
            found.append(("CMD, area between the curve and 1", number(has["cmd"])))
        if "stability" in has:
            spread = f" ± {has['stability sd']:.2f} s.d." if "stability sd" in has else ""
            found.append(("stability, overlap of resamples", number(has["stability"]) + spread))
        return found


def number(value: float) -> str:
    """Two digits, and no -0.00."""
    return f"{round(value, 2) + 0.0:.2f}"


def interval(value: float, low: float, high: float) -> str:
    """'0.84 [0.71, 0.93]'; without brackets where there is no interval, or none to be seen."""
    if not np.isfinite((low, high)).all() or number(low) == number(high):
        return number(value)
    return f"{number(value)} [{number(low)}, {number(high)}]"
