"""What all formats share: a circuit as matrices over its graph, back again, and the checks of what a file says."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from workbench.edges.estimate import as_circuit, graph_from
from workbench.errors import BadInput
from workbench.graph import EdgeMask, Graph
from workbench.result import Circuit

EdgeScores = Float[np.ndarray, "src dst"]

# Sources × destinations, at nine bytes each, that a file may ask for; Llama 405B has 0.8 of it.
_MOST = 10**9
SHAPE = ("n_layers", "n_heads", "n_readers", "mlps", "parallel")


def matrices(circuit: Circuit) -> tuple[Graph, EdgeScores, EdgeMask | None]:
    """The graph, a score per edge (NaN where there is none), and which edges are kept, if any were selected."""
    graph = graph_from(circuit)
    values = circuit.values
    # A sum over positions some of which were not scored is no score.
    total = values.sum("pos", skipna=False) if "pos" in values.dims else values
    place = values.coords["src"].values, values.coords["dst"].values
    scores, kept = np.full(graph.edges.shape, np.nan), np.zeros_like(graph.edges)
    scores[place] = total.values
    if "kept" not in circuit.parts:
        return graph, scores, None
    kept[place] = circuit.parts["kept"].values
    return graph, scores, kept


def circuit_of(
    path: Path, graph: Graph, scores: EdgeScores, kept: EdgeMask | None, about: Any, neurons: bool = False
) -> Circuit:
    """The Circuit of what was read: matrices over the graph, or over the one that it was widened to."""
    import xarray as xr

    wide = graph if scores.shape == graph.edges.shape else widened(graph)
    allowed = put_inside(wide, graph, graph.edges, np.zeros_like(wide.edges))
    chosen = np.zeros_like(allowed) if kept is None else kept
    stray = np.argwhere((chosen | (np.isfinite(scores) & (scores != 0))) & ~allowed)
    if len(stray):
        raise BadInput(f"{path}: only edges of its graph must have a score or be kept; got {wide.name(*stray[0])!r}.")
    endless = np.argwhere(np.isinf(scores) & allowed)
    if len(endless):
        raise BadInput(f"{path}: scores must be finite; got an infinity at {wide.name(*endless[0])!r}.")
    about = about if isinstance(about, Mapping) else {}
    title, unit, notes = (about.get(name) for name in ("title", "unit", "notes"))
    notes = {name: text for name, text in notes.items() if isinstance(text, str)} if isinstance(notes, Mapping) else {}
    edges = scores[allowed]
    if np.isnan(edges).any():
        notes.setdefault("nan", "edges that the file has no score for")
    if neurons:
        notes["neurons"] = "the file chooses neurons of its nodes too; here every node is whole"
    read = as_circuit(
        graph,
        title if isinstance(title, str) else path.stem,
        unit if isinstance(unit, str) else "unknown",
        edges,
        None,
        {},
        {**notes, "source": path.name},
    )
    if kept is None:
        return read
    return read.replace(parts={**read.parts, "kept": xr.DataArray(kept[allowed], dims=("edge",))})


def widened(graph: Graph) -> Graph:
    """The graph that EAP-IG has for this one: it always has MLPs.

    Raises:
        BadInput: When keys and values are read per key-value head.
    """
    if graph.group > 1:
        raise BadInput(
            "keys and values must be read per query head in EAP-IG's formats; got a circuit with readers='key_value'. "
            "Run its method with readers='query', or write .graphml."
        )
    return Graph(graph.n_layers, graph.n_heads, graph.n_heads, parallel=graph.parallel)


def put_inside(wide: Graph, graph: Graph, values: np.ndarray, empty: np.ndarray) -> np.ndarray:
    """Values over a graph's sources [× destinations], put where the wider graph has them."""
    places = [[wide.source(name) for name in graph.sources], [wide.destination(name) for name in graph.destinations]]
    empty[np.ix_(*places[: values.ndim])] = values
    return empty


def about_of(circuit: Circuit) -> dict[str, Any]:
    return {"title": circuit.title, "unit": circuit.unit, "notes": dict(circuit.notes)}


def require(path: Path, document: Any, keys: tuple[str, ...], kind: type = object) -> None:
    if not isinstance(document, Mapping):
        raise BadInput(f"{path} must hold a circuit, with {', '.join(keys)}; got a {type(document).__name__}.")
    missing = [key for key in keys if key not in document or not isinstance(document[key], kind)]
    if missing:
        there = ", ".join(map(str, document)) or "nothing"
        raise BadInput(f"{path} must hold a circuit, with {', '.join(keys)}; got no {', '.join(missing)} among {there:.80}.")


def graph_of(path: Path, layers: Any, heads: Any, readers: Any, mlps: Any, parallel: Any) -> Graph:
    for name, count in (("n_layers", layers), ("n_heads", heads), ("n_readers", readers)):
        if type(count) is not int or count < 1:
            raise BadInput(f"{path}: {name} must be a whole number from 1; got {count!r:.40}.")
    if heads % readers:
        raise BadInput(f"{path}: n_readers must divide the {heads} heads; got {readers}.")
    graph = Graph(layers, heads, readers, flag_of(path, "mlps", mlps), flag_of(path, "parallel", parallel))
    if graph.n_sources * graph.n_destinations > _MOST:
        raise BadInput(f"{path}: n_layers and n_heads must be those of a model; got {layers} and {heads}.")
    return graph


def edge_of(path: Path, graph: Graph, name: str) -> tuple[int, int]:
    try:
        return graph.edge(name)
    except BadInput as problem:
        raise BadInput(f"{path}: {problem}") from None


def number_of(path: Path, what: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise BadInput(f"{path}: {what} must be a number; got {value!r:.40}.")
    try:
        return float(value)
    except OverflowError:
        return float("inf")


def flag_of(path: Path, what: str, value: Any) -> bool:
    if not isinstance(value, (bool, int)) or value not in (0, 1):
        raise BadInput(f"{path}: {what} must be true or false; got {value!r:.40}.")
    return bool(value)


def array_of(path: Path, document: Mapping[str, Any], name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A tensor of the file as an array."""
    import torch

    value, wanted = document[name], "×".join(map(str, shape))
    if not isinstance(value, torch.Tensor) or tuple(value.shape) != shape:
        got = "×".join(map(str, value.shape)) if isinstance(value, torch.Tensor) else type(value).__name__
        raise BadInput(f"{path}: {name} must be a tensor of {wanted}; got {got}. Its cfg says how many layers and heads.")
    if value.is_complex() or value.layout != torch.strided or value.is_meta or value.is_quantized:
        raise BadInput(f"{path}: {name} must be a tensor of plain numbers; got {value.dtype}.")
    return value.detach().double().numpy()
