"""What methods return: numbers, the meaning of their axes, their unit, and where they come from. No torch inside.

Every kind shares one shape (labelled arrays of xarray, a unit, notes, an Origin), so that storage, figures and contract
tests are written per kind and not per method.
"""

import dataclasses
import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import xarray as xr

from workbench.errors import BadInput
from workbench.origin import Origin, Rows, canonical

__all__ = ["KINDS", "Circuit", "Curve", "Origin", "Readout", "Result", "Rows", "Scores", "canonical", "kind_of"]


@dataclass(frozen=True, eq=False)
class Result:
    """The shape that all kinds share.

    Attributes:
        title: A few words for the top of a figure.
        unit: Unit of `values` ('logits', 'nats', 'share of the gap', …).
        values: The numbers, with named and labelled dims.
        lower: Lower end of an interval around `values`, over the same dims, or None.
        upper: Upper end, likewise.
        parts: Further labelled arrays that belong to the result (per-prompt baselines, tokens, point clouds).
        notes: Conventions and reasons, by name: 'sign', 'source', 'nan', 'warning', ….
        origin: Where it comes from; stamped by the Method that made it.
    """

    kind: ClassVar[str] = "result"

    title: str
    unit: str
    values: xr.DataArray
    lower: xr.DataArray | None = None
    upper: xr.DataArray | None = None
    parts: Mapping[str, xr.DataArray] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    origin: Origin | None = None

    def __post_init__(self):
        for name in ("lower", "upper"):
            band = getattr(self, name)
            if band is not None and (band.dims != self.values.dims or band.shape != self.values.shape):
                raise ValueError(f"{name} has dims {band.dims} {band.shape}, values {self.values.dims} {self.values.shape}")
        if np.isinf(self.values.values).any():
            raise ValueError(f"{self.title}: values hold an infinity; use NaN with a reason in notes['nan']")
        if np.isnan(self.values.values).any() and "nan" not in self.notes:
            raise ValueError(f"{self.title}: values hold NaN, and notes['nan'] gives no reason")

    def replace(self, **changes: Any) -> "Result":
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    def caption(self) -> str:
        """The line under a figure: the sign convention, then the Origin."""
        lines = [self.notes["sign"]] if "sign" in self.notes else []
        if self.origin is not None:
            lines.append(self.origin.caption())
        return " — ".join(lines)

    def _repr_html_(self) -> str:
        axes = " × ".join(f"{dim} ({size})" for dim, size in self.values.sizes.items())
        rows = "".join(f"<li><b>{html.escape(k)}</b>: {html.escape(v)}</li>" for k, v in self.notes.items())
        return (
            f"<div><b>{html.escape(self.title)}</b> [{html.escape(self.unit)}] over {html.escape(axes)}"
            f"<ul>{rows}</ul><small>{html.escape(self.caption())}</small></div>"
        )


@dataclass(frozen=True, eq=False)
class Scores(Result):
    """A number for each cell of some grid of sites, layers, positions, heads, components or prompts."""

    kind: ClassVar[str] = "scores"

    def mean(self, dim: str = "prompt") -> "Scores":
        """The mean over `dim`, with the standard error of that mean as the interval (mean ± 1 s.e.)."""
        if dim not in self.values.dims:
            return self
        count = self.values.sizes[dim]
        centre = self.values.mean(dim, keep_attrs=True)
        if count < 2:
            return dataclasses.replace(self, values=centre, lower=None, upper=None)
        error = self.values.std(dim, ddof=1) / np.sqrt(count)
        return dataclasses.replace(self, values=centre, lower=centre - error, upper=centre + error)


@dataclass(frozen=True, eq=False)
class Curve(Result):
    """Named series over one axis: `values` has exactly the dims ('series', AXIS); the interval is a band."""

    kind: ClassVar[str] = "curve"

    def __post_init__(self):
        super().__post_init__()
        if len(self.values.dims) != 2 or self.values.dims[0] != "series":
            raise ValueError(f"a Curve has dims ('series', axis); got {self.values.dims}")


@dataclass(frozen=True, eq=False)
class Readout(Result):
    """Per cell, the top tokens with their probabilities, or what else ranks them: the unit says it.

    `values` holds these, its last dim is 'rank'; `parts['token']` holds the tokens as text over the same dims.
    """

    kind: ClassVar[str] = "readout"

    def __post_init__(self):
        super().__post_init__()
        if self.values.dims[-1] != "rank" or "token" not in self.parts:
            raise ValueError("a Readout's last dim is 'rank', and parts['token'] holds the tokens")
        if self.parts["token"].shape != self.values.shape:
            raise ValueError(f"tokens have shape {self.parts['token'].shape}, probabilities {self.values.shape}")


@dataclass(frozen=True, eq=False)
class Circuit(Result):
    """Scores of a graph's edges, and which of them a circuit keeps.

    `values` has the dim 'edge' last, and perhaps 'pos' (where the edge is read) before it; the coordinates 'src' and 'dst'
    along it are places in parts['sources'] and parts['destinations'], the names of the nodes. parts['graph'] holds the
    numbers the graph is made from. parts['kept'], if there, is True at the edges of the circuit; parts['curve'], if there,
    its faithfulness over sizes, ('series', 'size').
    """

    kind: ClassVar[str] = "circuit"

    def __post_init__(self):
        super().__post_init__()
        if self.values.dims not in (("edge",), ("pos", "edge")) or not {"src", "dst"} <= set(self.values.coords):
            raise ValueError(f"a Circuit has dims ([pos], edge) with coordinates src and dst; got {self.values.dims}")
        missing = {"sources", "destinations", "graph"} - set(self.parts)
        if missing:
            raise ValueError(f"a Circuit lacks parts {sorted(missing)}")
        kept = self.parts.get("kept")
        if kept is not None and (kept.dims != ("edge",) or kept.dtype != bool or kept.size != self.values.sizes["edge"]):
            raise ValueError("a Circuit's kept is True or False for every edge")

    @property
    def edge_scores(self) -> xr.DataArray:
        """A number per edge: summed over positions."""
        return self.values.sum("pos", skipna=False) if "pos" in self.values.dims else self.values

    def names(self) -> np.ndarray:
        """Every edge's name, 'a5.h1->a7.h9<q>'."""
        sources, destinations = (self.parts[name].values.astype(object) for name in ("sources", "destinations"))
        return sources[self.values.coords["src"].values] + "->" + destinations[self.values.coords["dst"].values]

    def curve(self) -> Curve:
        """The faithfulness by size that stands beside the circuit.

        Raises:
            BadInput: When none was measured.
        """
        if "curve" not in self.parts:
            raise BadInput(f"the circuit must have a curve; got {self.title!r} without one. Use discover.")
        bands = {"lower": self.parts.get("curve_lower"), "upper": self.parts.get("curve_upper")}
        # The notes' own interval is that of the scores.
        notes = {"x": "edges asked for, before pruning", "sign": "1 is the whole model, 0 the ablated one"}
        notes |= {name: note for name, note in self.notes.items() if name in ("nan", "ablation", "hold-out")}
        notes |= {"interval": self.notes["curve interval"]} if "curve interval" in self.notes else {}
        title = "Faithfulness by size"
        return Curve(title, "share of the gap", self.parts["curve"], **bands, notes=notes, origin=self.origin)


KINDS: dict[str, type[Result]] = {kind.kind: kind for kind in (Scores, Curve, Readout, Circuit)}


def kind_of(result: Result) -> str:
    """The name of the result's kind; BadInput for anything else."""
    if not isinstance(result, Result):
        raise BadInput(f"the result must be one of {', '.join(KINDS)}; got {type(result).__name__}.")
    return result.kind
