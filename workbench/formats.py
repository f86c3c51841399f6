"""Circuits to and from files that other tools read: EAP-IG's JSON and .pt, which MIB takes too, and GraphML; and networkx.

A file holds every edge's score, which edges are kept, the title, unit and notes; intervals, curves and the origin stay in the
store. EAP-IG keeps nothing for an edge that was not scored, and reads 0 there: such an edge is left out of the JSON, and in
a .pt `edges_scored` is False at it, so that it is NaN again here. Its graphs read keys and values per query head, and
always have MLPs: those of an attention-only model are there, empty, and `attn_only` in the cfg says so.

Source: the layout of EAP-IG (Hanna et al. 2024, https://github.com/hannamw/EAP-IG, src/eap/graph.py); the keys that its
loader does not know (title, unit, notes, attn_only, edges_scored) are keys that it ignores. Scores of whole nodes, which its
files can hold, are not read; nor are choices of neurons, and then a note says so.
"""

import io
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from workbench.edges.estimate import as_circuit, graph_from
from workbench.errors import BadInput, one_of
from workbench.graph import SLOTS, EdgeMask, Graph
from workbench.result import Circuit

EdgeScores = Float[np.ndarray, "src dst"]

# Sources × destinations, at nine bytes each, that a file may ask for; Llama 405B has 0.8 of it.
_MOST = 10**9
_SHAPE = ("n_layers", "n_heads", "n_readers", "mlps", "parallel")


def write_circuit(circuit: Circuit, path: str | os.PathLike) -> Path:
    """Write a circuit for other tools, and return the file's path.

    Args:
        circuit: Scores, and perhaps kept edges; scores by position are summed.
        path: The ending says how: .json and .pt as in EAP-IG and MIB, .graphml for tools that draw or study graphs.
    Raises:
        BadInput: When the ending is another, the format cannot express the circuit, or the file cannot be written.
    """
    path = Path(path)
    one_of("ending of a circuit's file", path.suffix, FORMATS)
    data = FORMATS[path.suffix][0](circuit)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as problem:
        raise BadInput(f"{path} must be a file that can be written; got {problem.strerror or problem}.") from problem
    return path


def read_circuit(path: str | os.PathLike) -> Circuit:
    """The circuit in a file of EAP-IG's, MIB's or our own.

    Convention: the sign is the writer's; EAP-IG's own scores have ours. An edge the file has no score for is NaN.

    Args:
        path: A .json, .pt or .graphml file.
    Returns:
        Circuit over edge, its unit 'unknown' unless the file says; with kept where the file keeps any edge.
    Raises:
        BadInput: When the file is missing, damaged, or holds something else.
    """
    path = Path(path)
    one_of("ending of a circuit's file", path.suffix, FORMATS)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise BadInput(f"the circuit must be a file that exists; got {str(path)!r}.") from None
    except OSError as problem:
        raise BadInput(f"{path} must be a file that can be read; got {problem.strerror or problem}.") from problem
    return FORMATS[path.suffix][1](data, path)


def to_networkx(circuit: Circuit, kept_only: bool = True) -> Any:
    """The circuit as a networkx.MultiDiGraph, for its algorithms.

    Nodes are the boxes of the figure ('input', 'a5.h1', 'm3', 'logits'; 'a5.kv0' where keys and values are read per key-value
    head), with layer (-1 the input's), kind, and head where they have one. Edges are keyed by slot, and carry slot ('q', 'k',
    'v', 'mlp', 'logits'), kept where edges were selected, and score and sign (-1, 0, 1) where there is a score.

    Args:
        circuit: Scores, and perhaps kept edges; scores by position are summed.
        kept_only: Only the edges it keeps; all where none were selected.
    """
    import networkx as nx

    graph, scores, kept = _matrices(circuit)
    made = nx.MultiDiGraph(title=circuit.title, unit=circuit.unit, **{name: getattr(graph, name) for name in _SHAPE})
    shown = kept if kept_only and kept is not None else graph.edges
    boxes = [name.partition("<")[0] for name in graph.destinations]
    touched = {graph.sources[src] for src in np.flatnonzero(shown.any(1))} | {
        boxes[dst] for dst in np.flatnonzero(shown.any(0))
    }
    for box in dict.fromkeys((*graph.sources, *boxes)):
        if box in touched or box in ("input", "logits"):
            layer, kind, head = graph.place(box)
            kind = "kv" if ".kv" in box else kind
            made.add_node(box, layer=layer, kind=kind, **({"head": head} if kind in ("head", "kv") else {}))
    slots = [graph.place(name)[1] for name in graph.destinations]
    for src, dst in np.argwhere(shown):
        about: dict[str, Any] = {"slot": slots[dst]}
        if kept is not None:
            about["kept"] = bool(kept[src, dst])
        if not np.isnan(scores[src, dst]):
            about |= {"score": float(scores[src, dst]), "sign": int(np.sign(scores[src, dst]))}
        made.add_edge(graph.sources[src], boxes[dst], key=slots[dst], **about)
    return made


def _to_json(circuit: Circuit) -> bytes:
    graph, scores, kept = _matrices(circuit)
    wide = _widened(graph)
    chosen = np.zeros_like(graph.edges) if kept is None else kept
    unscored = np.argwhere(chosen & np.isnan(scores))
    if len(unscored):
        edge = graph.name(*unscored[0])
        raise BadInput(f"a kept edge must have a score in EAP-IG's JSON; got none for {edge!r}. Write .pt or .graphml.")
    inside = _inside(wide, graph, _nodes(graph, chosen), np.zeros(wide.n_sources, dtype=bool))
    nodes = {name: {"in_graph": bool(there)} for name, there in zip(wide.sources, inside, strict=True)}
    document = {
        "cfg": _cfg(circuit, graph),
        "nodes": {**nodes, "logits": {"in_graph": True}},
        "edges": {
            graph.name(src, dst): {"score": float(scores[src, dst]), "in_graph": bool(chosen[src, dst])}
            for src, dst in np.argwhere(graph.edges & ~np.isnan(scores))
        },
        **_about(circuit),
    }
    return json.dumps(document, allow_nan=False).encode()


def _from_json(data: bytes, path: Path) -> Circuit:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as problem:
        raise BadInput(f"{path} must hold JSON; got {problem}.") from problem
    _require(path, document, ("cfg", "nodes", "edges"), Mapping)
    graph = _graph_of_cfg(path, document["cfg"])
    wide = _widened(graph)
    nodes = {*wide.sources, "logits"}
    for name in document["nodes"]:
        if name not in nodes:
            raise BadInput(f"{path}: nodes must be those of its graph; got {name!r}.")
    scores, kept = np.full(wide.edges.shape, np.nan), np.zeros_like(wide.edges)
    for name, edge in document["edges"].items():
        place = _edge(path, wide, name)
        if not isinstance(edge, Mapping) or not {"score", "in_graph"} <= set(edge):
            raise BadInput(f"{path}: edges must have score and in_graph; got {name!r} with {edge!r:.60}.")
        scores[place] = _number(path, f"score of {name!r}", edge["score"])
        kept[place] = _flag(path, f"in_graph of {name!r}", edge["in_graph"])
    neurons = any("neurons" in node for node in document["nodes"].values() if isinstance(node, Mapping))
    return _circuit(path, graph, scores, kept if kept.any() else None, document, neurons)


def _to_pt(circuit: Circuit) -> bytes:
    import torch

    graph, scores, kept = _matrices(circuit)
    wide = _widened(graph)
    chosen = np.zeros_like(graph.edges) if kept is None else kept
    scored = ~np.isnan(scores)

    def tensor(values: np.ndarray) -> torch.Tensor:
        there = _inside(wide, graph, values, np.zeros(wide.edges.shape if values.ndim == 2 else wide.n_sources, values.dtype))
        return torch.from_numpy(there)

    document = {
        "cfg": _cfg(circuit, graph),
        "src_nodes": list(wide.sources),
        "dst_nodes": list(wide.destinations),
        "edges_scores": tensor(np.where(graph.edges & scored, scores, 0.0)),
        "edges_in_graph": tensor(chosen),
        "nodes_in_graph": tensor(_nodes(graph, chosen)),
        "edges_scored": tensor(graph.edges & scored),
        **_about(circuit),
    }
    written = io.BytesIO()
    torch.save(document, written)
    return written.getvalue()


def _from_pt(data: bytes, path: Path) -> Circuit:
    import torch

    try:
        document = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    # What is no archive of tensors shows as a dozen exceptions of zipfile, pickle and torch.
    except Exception as problem:
        raise BadInput(f"{path} must hold tensors and plain values; got something else, or a damaged file.") from problem
    _require(path, document, ("cfg", "src_nodes", "dst_nodes", "edges_scores", "edges_in_graph", "nodes_in_graph"))
    graph = _graph_of_cfg(path, document["cfg"])
    wide = _widened(graph)
    for name, expected in (("src_nodes", wide.sources), ("dst_nodes", wide.destinations)):
        given = document[name]
        if not isinstance(given, (list, tuple)) or tuple(given) != expected:
            raise BadInput(f"{path}: {name} must be the {len(expected)} names of its cfg's graph, in order; got {given!r:.60}.")
    edges = (wide.n_sources, wide.n_destinations)
    scores = _array(path, document, "edges_scores", edges).astype(np.float64)
    kept = _array(path, document, "edges_in_graph", edges)
    _array(path, document, "nodes_in_graph", edges[:1])
    if not np.isin(kept, (0, 1)).all():
        raise BadInput(f"{path}: edges_in_graph must be true or false; got other numbers.")
    kept = kept.astype(bool)
    if "edges_scored" in document:
        # Whoever put a number at an edge that we had none for has scored it.
        scored = _array(path, document, "edges_scored", edges).astype(bool) | (scores != 0)
        scores = np.where(scored, scores, np.nan)
    return _circuit(path, graph, scores, kept if kept.any() else None, document, "neurons_in_graph" in document)


def _to_graphml(circuit: Circuit) -> bytes:
    import networkx as nx

    made = to_networkx(circuit, kept_only=False)
    for index, (_, _, edge) in enumerate(made.edges(data=True)):
        edge["id"] = f"e{index}"
    # Text that XML cannot hold is escaped in JSON.
    made.graph = {name: made.graph[name] for name in _SHAPE} | {"about": json.dumps(_about(circuit))}
    written = io.BytesIO()
    nx.write_graphml_xml(made, written, edge_id_from_attribute="id")
    return written.getvalue()


def _from_graphml(data: bytes, path: Path) -> Circuit:
    import networkx as nx

    try:
        read = nx.read_graphml(io.BytesIO(data), force_multigraph=True)
    # networkx lets through what its parser and its own reading raise.
    except Exception as problem:
        raise BadInput(f"{path} must hold GraphML; got {type(problem).__name__}: {problem!s:.80}.") from problem
    _require(path, read.graph, _SHAPE)
    graph = _graph(path, *(read.graph[name] for name in _SHAPE))
    try:
        about = json.loads(read.graph.get("about", "{}"))
    except (ValueError, TypeError, RecursionError) as problem:
        raise BadInput(f"{path}: about must hold JSON; got {problem}.") from problem
    scores, kept, selected = np.full(graph.edges.shape, np.nan), np.zeros_like(graph.edges), False
    for src, box, edge in read.edges(data=True):
        slot = edge.get("slot")
        name = f"{src}->{box}<{slot}>" if slot in SLOTS else f"{src}->{box}"
        place = _edge(path, graph, name)
        if "score" in edge:
            scores[place] = _number(path, f"score of {name!r}", edge["score"])
        if "kept" in edge:
            selected = True
            kept[place] = _flag(path, f"kept of {name!r}", edge["kept"])
    return _circuit(path, graph, scores, kept if selected else None, about)


FORMATS: dict[str, tuple[Callable[[Circuit], bytes], Callable[[bytes, Path], Circuit]]] = {
    ".json": (_to_json, _from_json),
    ".pt": (_to_pt, _from_pt),
    ".graphml": (_to_graphml, _from_graphml),
}


def _matrices(circuit: Circuit) -> tuple[Graph, EdgeScores, EdgeMask | None]:
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


def _circuit(path: Path, graph: Graph, scores: EdgeScores, kept: EdgeMask | None, about: Any, neurons: bool = False) -> Circuit:
    """The Circuit of what was read: matrices over the graph, or over the one that it was widened to."""
    import xarray as xr

    wide = graph if scores.shape == graph.edges.shape else _widened(graph)
    allowed = _inside(wide, graph, graph.edges, np.zeros_like(wide.edges))
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


def _widened(graph: Graph) -> Graph:
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


def _inside(wide: Graph, graph: Graph, values: np.ndarray, empty: np.ndarray) -> np.ndarray:
    """Values over a graph's sources [× destinations], put where the wider graph has them."""
    places = [[wide.source(name) for name in graph.sources], [wide.destination(name) for name in graph.destinations]]
    empty[np.ix_(*places[: values.ndim])] = values
    return empty


def _nodes(graph: Graph, kept: EdgeMask) -> Bool[np.ndarray, "src"]:
    """The nodes that EAP-IG counts in: with a kept edge out, and one in, which the input needs not."""
    fed = kept.any(0) @ graph.feeds
    fed[0] = True
    return kept.any(1) & fed


def _cfg(circuit: Circuit, graph: Graph) -> dict[str, Any]:
    """What EAP-IG makes a graph from. It asks for d_model, and uses it for neurons alone: 0 where it is not known."""
    from workbench.models import CATALOGUE

    known = CATALOGUE.get(circuit.origin.model) if circuit.origin else None
    return {
        "n_layers": graph.n_layers,
        "n_heads": graph.n_heads,
        "parallel_attn_mlp": graph.parallel,
        "d_model": known.d_model if known else 0,
        "attn_only": not graph.mlps,
    }


def _about(circuit: Circuit) -> dict[str, Any]:
    return {"title": circuit.title, "unit": circuit.unit, "notes": dict(circuit.notes)}


def _require(path: Path, document: Any, keys: tuple[str, ...], kind: type = object) -> None:
    if not isinstance(document, Mapping):
        raise BadInput(f"{path} must hold a circuit, with {', '.join(keys)}; got a {type(document).__name__}.")
    missing = [key for key in keys if key not in document or not isinstance(document[key], kind)]
    if missing:
        there = ", ".join(map(str, document)) or "nothing"
        raise BadInput(f"{path} must hold a circuit, with {', '.join(keys)}; got no {', '.join(missing)} among {there:.80}.")


def _graph_of_cfg(path: Path, cfg: Any) -> Graph:
    _require(path, cfg, ("n_layers", "n_heads", "parallel_attn_mlp"))
    attn_only = _flag(path, "attn_only", cfg.get("attn_only", False))
    return _graph(path, cfg["n_layers"], cfg["n_heads"], cfg["n_heads"], not attn_only, cfg["parallel_attn_mlp"])


def _graph(path: Path, layers: Any, heads: Any, readers: Any, mlps: Any, parallel: Any) -> Graph:
    for name, count in (("n_layers", layers), ("n_heads", heads), ("n_readers", readers)):
        if type(count) is not int or count < 1:
            raise BadInput(f"{path}: {name} must be a whole number from 1; got {count!r:.40}.")
    if heads % readers:
        raise BadInput(f"{path}: n_readers must divide the {heads} heads; got {readers}.")
    graph = Graph(layers, heads, readers, _flag(path, "mlps", mlps), _flag(path, "parallel", parallel))
    if graph.n_sources * graph.n_destinations > _MOST:
        raise BadInput(f"{path}: n_layers and n_heads must be those of a model; got {layers} and {heads}.")
    return graph


def _edge(path: Path, graph: Graph, name: str) -> tuple[int, int]:
    try:
        return graph.edge(name)
    except BadInput as problem:
        raise BadInput(f"{path}: {problem}") from None


def _number(path: Path, what: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise BadInput(f"{path}: {what} must be a number; got {value!r:.40}.")
    try:
        return float(value)
    except OverflowError:
        return float("inf")


def _flag(path: Path, what: str, value: Any) -> bool:
    if not isinstance(value, (bool, int)) or value not in (0, 1):
        raise BadInput(f"{path}: {what} must be true or false; got {value!r:.40}.")
    return bool(value)


def _array(path: Path, document: Mapping[str, Any], name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A tensor of the file as an array."""
    import torch

    value, wanted = document[name], "×".join(map(str, shape))
    if not isinstance(value, torch.Tensor) or tuple(value.shape) != shape:
        got = "×".join(map(str, value.shape)) if isinstance(value, torch.Tensor) else type(value).__name__
        raise BadInput(f"{path}: {name} must be a tensor of {wanted}; got {got}. Its cfg says how many layers and heads.")
    if value.is_complex() or value.layout != torch.strided or value.is_meta or value.is_quantized:
        raise BadInput(f"{path}: {name} must be a tensor of plain numbers; got {value.dtype}.")
    return value.detach().double().numpy()
