"""What methods return: numbers, the meaning of their axes, their unit, and where they come from. No torch inside.

Every kind shares one shape (labelled arrays of xarray, a unit, notes, an Origin), so that storage, figures and contract
tests are written per kind and not per method.
"""

import dataclasses
import hashlib
import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import xarray as xr

from workbench.errors import BadInput

Rows = Sequence[Mapping[str, Any]]
# How the user's own pairs are read where nothing is said.
_CUSTOM = {"first_token": False, "add_space": True}


@dataclass(frozen=True)
class Origin:
    """Everything that a result depends on. Two equal Origins are one key of the store.

    Attributes:
        method: Id of the method, as in `workbench run METHOD`.
        model: Ref the model was loaded by, with all revisions where results of several are stacked; empty where the networks
            are trained by the method itself (a study of `dynamics`).
        fingerprint: Hash of the model's weights.
        task: Id of the task, or 'custom'.
        pairs: Hash of the prompts, answers and positions.
        task_params: What the task was made with (n, seed, options).
        params: The method's parameters, defaults included.
        device: 'cpu', 'cuda', ….
        dtype: 'float32', ….
        versions: Versions of the libraries that computed.
    """

    method: str
    model: str
    fingerprint: str
    task: str
    pairs: str
    task_params: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    device: str = "cpu"
    dtype: str = "float32"
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """16 hex digits: the name of the result in the store."""
        return hashlib.sha256(canonical(dataclasses.asdict(self)).encode()).hexdigest()[:16]

    def caption(self) -> str:
        """One line for under a figure: method, model, task, parameters, device, dtype, key."""
        given = ", ".join(f"{name}={_plain(value)}" for name, value in self.params.items() if value is not None)
        made = ", ".join(f"{name}={_plain(value)}" for name, value in self.task_params.items() if value is not None)
        task = f" · {self.task}({made})" if self.task else ""
        model = f" · {self.model} [{self.fingerprint[:8]}]" if self.model else ""
        return f"{self.method}({given}){model}{task} · {self.device} {self.dtype} · {self.key}"

    def code(self, rows: Rows = ()) -> str:
        """Python that computes the result again, as pasted into a notebook.

        Args:
            rows: The user's own pairs, for the task 'custom': of these an Origin has only a hash.
        """
        if not self.model:
            return self._study_code()
        params = "".join(f", {name}={_literal(value)}" for name, value in self.params.items())
        name, _, steps = self.model.rpartition("@")
        if "," in steps:
            given = f"device={self.device!r}, dtype={self.dtype!r}"
            make = f"lambda model: {self._pairs_code(rows)}" if self.task else "None  # the weights alone"
            return (
                f"import workbench\n\n{self._rows_code(rows)}"
                f"pairs = {make}\n"
                f"result = workbench.follow({name!r}, {self.method!r}, {steps.split(',')!r}, pairs, {given}{params})\n"
            )
        return f"{self.setting(rows)}result = workbench.METHODS[{self.method!r}](model, pairs{params})\n"

    def setting(self, rows: Rows = ()) -> str:
        """Python that loads the model as `model` and makes the prompts as `pairs`; see `code`."""
        return (
            f"import workbench\n\n{self._rows_code(rows)}"
            f"model = workbench.load({self.model!r}, device={self.device!r}, dtype={self.dtype!r})\n"
            f"pairs = {self._pairs_code(rows)}\n"
        )

    def _rows_code(self, rows: Rows) -> str:
        if self.task != "custom" or not rows:
            return ""
        return "rows = [\n" + "".join(f"    {dict(row)!r},\n" for row in rows) + "]\n"

    def _pairs_code(self, rows: Rows) -> str:
        """What makes the pairs for `model`."""
        if not self.task:
            return "None  # the weights alone"
        if self.task == "custom":
            changed = {name: self.task_params.get(name, usual) for name, usual in _CUSTOM.items()}
            given = "".join(f", {name}={value!r}" for name, value in changed.items() if value != _CUSTOM[name])
            if rows:
                return f"workbench.custom(model, rows{given})"
            return f"workbench.custom(model, PATH_OR_ROWS{given})  # your own pairs: put the file or the rows here"
        given = "".join(f", {name}={_literal(value)}" for name, value in self.task_params.items())
        return f"workbench.TASKS[{self.task!r}](model{given})"

    def _study_code(self) -> str:
        """The same for a study, which trains its networks itself."""
        given = {**self.task_params, **self.params, "device": self.device}
        params = ", ".join(f"{name}={_literal(value)}" for name, value in given.items())
        return f"from workbench.dynamics import STUDIES\n\nresult = STUDIES[{self.method!r}]({params})\n"


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces; tuples read as lists."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _literal(value: Any) -> str:
    """A parameter as Python; a list was a tuple before it was stored."""
    return repr(tuple(value) if isinstance(value, list) else value)


def _plain(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return "+".join(map(str, value))
    return str(value)


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
