"""EAP-IG's JSON and .pt, which MIB takes too."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from workbench.errors import BadInput
from workbench.formats.matrices import (
    about_of,
    array_of,
    circuit_of,
    edge_of,
    flag_of,
    graph_of,
    matrices,
    number_of,
    put_inside,
    require,
    widened,
)
from workbench.graph import EdgeMask, Graph
from workbench.result import Circuit


def to_json(circuit: Circuit) -> bytes:
    graph, scores, kept = matrices(circuit)
    wide = widened(graph)
    chosen = np.zeros_like(graph.edges) if kept is None else kept
    unscored = np.argwhere(chosen & np.isnan(scores))
    if len(unscored):
        edge = graph.name(*unscored[0])
        raise BadInput(f"a kept edge must have a score in EAP-IG's JSON; got none for {edge!r}. Write .pt or .graphml.")
    inside = put_inside(wide, graph, _nodes(graph, chosen), np.zeros(wide.n_sources, dtype=bool))
    nodes = {name: {"in_graph": bool(there)} for name, there in zip(wide.sources, inside, strict=True)}
    document = {
        "cfg": _cfg(circuit, graph),
        "nodes": {**nodes, "logits": {"in_graph": True}},
        "edges": {
            graph.name(src, dst): {"score": float(scores[src, dst]), "in_graph": bool(chosen[src, dst])}
            for src, dst in np.argwhere(graph.edges & ~np.isnan(scores))
        },
        **about_of(circuit),
    }
    return json.dumps(document, allow_nan=False).encode()


def from_json(data: bytes, path: Path) -> Circuit:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as problem:
        raise BadInput(f"{path} must hold JSON; got {problem}.") from problem
    require(path, document, ("cfg", "nodes", "edges"), Mapping)
    graph = _graph_of_cfg(path, document["cfg"])
    wide = widened(graph)
    nodes = {*wide.sources, "logits"}
    for name in document["nodes"]:
        if name not in nodes:
            raise BadInput(f"{path}: nodes must be those of its graph; got {name!r}.")
    scores, kept = np.full(wide.edges.shape, np.nan), np.zeros_like(wide.edges)
    for name, edge in document["edges"].items():
        place = edge_of(path, wide, name)
        if not isinstance(edge, Mapping) or not {"score", "in_graph"} <= set(edge):
            raise BadInput(f"{path}: edges must have score and in_graph; got {name!r} with {edge!r:.60}.")
        scores[place] = number_of(path, f"score of {name!r}", edge["score"])
        kept[place] = flag_of(path, f"in_graph of {name!r}", edge["in_graph"])
    neurons = any("neurons" in node for node in document["nodes"].values() if isinstance(node, Mapping))
    return circuit_of(path, graph, scores, kept if kept.any() else None, document, neurons)


def to_pt(circuit: Circuit) -> bytes:
    import torch

    graph, scores, kept = matrices(circuit)
    wide = widened(graph)
    chosen = np.zeros_like(graph.edges) if kept is None else kept
    scored = ~np.isnan(scores)

    def tensor(values: np.ndarray) -> torch.Tensor:
        there = put_inside(
            wide, graph, values, np.zeros(wide.edges.shape if values.ndim == 2 else wide.n_sources, values.dtype)
        )
        return torch.from_numpy(there)

    document = {
        "cfg": _cfg(circuit, graph),
        "src_nodes": list(wide.sources),
        "dst_nodes": list(wide.destinations),
        "edges_scores": tensor(np.where(graph.edges & scored, scores, 0.0)),
        "edges_in_graph": tensor(chosen),
        "nodes_in_graph": tensor(_nodes(graph, chosen)),
        "edges_scored": tensor(graph.edges & scored),
        **about_of(circuit),
    }
    written = io.BytesIO()
    torch.save(document, written)
    return written.getvalue()


def from_pt(data: bytes, path: Path) -> Circuit:
    import torch

    try:
        document = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    # What is no archive of tensors shows as a dozen exceptions of zipfile, pickle and torch.
    except Exception as problem:
        raise BadInput(f"{path} must hold tensors and plain values; got something else, or a damaged file.") from problem
    require(path, document, ("cfg", "src_nodes", "dst_nodes", "edges_scores", "edges_in_graph", "nodes_in_graph"))
    graph = _graph_of_cfg(path, document["cfg"])
    wide = widened(graph)
    for name, expected in (("src_nodes", wide.sources), ("dst_nodes", wide.destinations)):
        given = document[name]
        if not isinstance(given, (list, tuple)) or tuple(given) != expected:
            raise BadInput(f"{path}: {name} must be the {len(expected)} names of its cfg's graph, in order; got {given!r:.60}.")
    edges = (wide.n_sources, wide.n_destinations)
    scores = array_of(path, document, "edges_scores", edges).astype(np.float64)
    kept = array_of(path, document, "edges_in_graph", edges)
    array_of(path, document, "nodes_in_graph", edges[:1])
    if not np.isin(kept, (0, 1)).all():
        raise BadInput(f"{path}: edges_in_graph must be true or false; got other numbers.")
    kept = kept.astype(bool)
    if "edges_scored" in document:
        # Whoever put a number at an edge that we had none for has scored it.
        scored = array_of(path, document, "edges_scored", edges).astype(bool) | (scores != 0)
        scores = np.where(scored, scores, np.nan)
    return circuit_of(path, graph, scores, kept if kept.any() else None, document, "neurons_in_graph" in document)


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


def _graph_of_cfg(path: Path, cfg: Any) -> Graph:
    require(path, cfg, ("n_layers", "n_heads", "parallel_attn_mlp"))
    attn_only = flag_of(path, "attn_only", cfg.get("attn_only", False))
    return graph_of(path, cfg["n_layers"], cfg["n_heads"], cfg["n_heads"], not attn_only, cfg["parallel_attn_mlp"])
