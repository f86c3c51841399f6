"""Results for the tests of figures: dims that all differ, tokens that repeat, text that would like to be HTML."""

import numpy as np
import xarray as xr

from workbench.edges.estimate import as_circuit
from workbench.graph import Graph
from workbench.result import Circuit, Curve, Origin, Readout, Scores

HOSTILE = "<b>b</b> <a href='http://x.y'>a</a> & $x$ $y$"
SAFE = "&lt;b&gt;b&lt;/b&gt; &lt;a href='http://x.y'&gt;a&lt;/a&gt; &amp; &#36;x&#36; &#36;y&#36;"
TOKENS = ["<|bos|>", " the", " cat", " the", "\n", " the", ""]
SHOWN = ["&lt;|bos|&gt;", "·the", "·cat", "·the", "\\n", "·the", "∅"]
ORIGIN = Origin("patch", "tiny", "f" * 16, "ioi", "a" * 16, {"n": 3}, {"scale": 0.1})
SIZES = {"site": 2, "layer": 3, "head": 4, "pos": 7, "prompt": 5, "component": 9, "rank": 2, "series": 2, "size": 6}


def array(*dims: str, seed: int = 0, **sizes: int) -> xr.DataArray:
    shape = [sizes.get(dim, SIZES.get(dim)) for dim in dims]
    values = xr.DataArray(np.random.default_rng(seed).normal(size=shape), dims=dims)
    if "pos" in dims and "pos" not in sizes:
        values = values.assign_coords(token=("pos", TOKENS))
    if "site" in dims:
        values = values.assign_coords(site=[f"site{i}" for i in range(values.sizes["site"])])
    return values


def scores(*dims: str, notes=None, title="Patching", unit="logits", **sizes: int) -> Scores:
    return Scores(title, unit, array(*dims, **sizes), notes={"sign": "+ restores", **(notes or {})}, origin=ORIGIN)


def missing(*dims: str, reason="no such place") -> Scores:
    made = scores(*dims)
    values = made.values.copy()
    values[(1,) * values.ndim] = np.nan
    return made.replace(values=values, notes={**made.notes, "nan": reason})


def curve(**changes) -> Curve:
    values = array("series", "size").assign_coords(series=["exact", "estimate"], size=[1, 2, 4, 8, 16, 32])
    return Curve("Faithfulness", "share", values, notes={"sign": "1 is all"}, origin=ORIGIN).replace(**changes)


def readout(*dims: str) -> Readout:
    dims = (*(dims or ("layer", "pos")), "rank")
    values = -np.sort(-np.abs(array(*dims)) / 10, axis=-1)
    values = array(*dims).copy(data=values)
    words = np.array([f" w{i}" for i in range(values.size)]).reshape(values.shape)
    return Readout("Lens", "probability", values, parts={"token": xr.DataArray(words, dims=dims)}, origin=ORIGIN)


def compared(sites: bool = True) -> Scores:
    lead = ("site",) if sites else ()
    first, second = array(*lead, "layer", "head"), array(*lead, "layer", "head", seed=1)
    values = array(*lead, "measure", measure=3).assign_coords(measure=["pearson", "spearman", "slope"])
    notes = {"first": "patch", "second": "atp", "unit": "logits"}
    parts = {"first": first, "second": second}
    band = {"lower": values - 0.1, "upper": values + 0.2}
    return Scores("Agreement", "correlation", values, parts=parts, notes=notes, origin=ORIGIN, **band)


def circuit(kept: bool = True, notes=None) -> Circuit:
    graph = Graph(3, 4, 2)
    scores = np.random.default_rng(2).normal(size=graph.n_edges)
    made = as_circuit(graph, "Edges", "logits", scores, None, {}, {"sign": "+ helps", **(notes or {})})
    parts = dict(made.parts)
    if kept:
        parts["kept"] = xr.DataArray(np.abs(scores) > 1.5, dims=("edge",))
    return made.replace(parts=parts, origin=ORIGIN)
