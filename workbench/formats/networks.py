"""GraphML, and networkx."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from workbench.errors import BadInput
from workbench.formats.matrices import (
    SHAPE,
    about_of,
    circuit_of,
    edge_of,
    flag_of,
    graph_of,
    matrices,
    number_of,
    require,
)
from workbench.graph import SLOTS
from workbench.result import Circuit


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

    graph, scores, kept = matrices(circuit)
    made = nx.MultiDiGraph(title=circuit.title, unit=circuit.unit, **{name: getattr(graph, name) for name in SHAPE})
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


def to_graphml(circuit: Circuit) -> bytes:
    import networkx as nx

    made = to_networkx(circuit, kept_only=False)
    for index, (_, _, edge) in enumerate(made.edges(data=True)):
        edge["id"] = f"e{index}"
    # Text that XML cannot hold is escaped in JSON.
    made.graph = {name: made.graph[name] for name in SHAPE} | {"about": json.dumps(about_of(circuit))}
    written = io.BytesIO()
    nx.write_graphml_xml(made, written, edge_id_from_attribute="id")
    return written.getvalue()


def from_graphml(data: bytes, path: Path) -> Circuit:
    import networkx as nx

    try:
        read = nx.read_graphml(io.BytesIO(data), force_multigraph=True)
    # networkx lets through what its parser and its own reading raise.
    except Exception as problem:
        raise BadInput(f"{path} must hold GraphML; got {type(problem).__name__}: {problem!s:.80}.") from problem
    require(path, read.graph, SHAPE)
    graph = graph_of(path, *(read.graph[name] for name in SHAPE))
    try:
        about = json.loads(read.graph.get("about", "{}"))
    except (ValueError, TypeError, RecursionError) as problem:
        raise BadInput(f"{path}: about must hold JSON; got {problem}.") from problem
    scores, kept, selected = np.full(graph.edges.shape, np.nan), np.zeros_like(graph.edges), False
    for src, box, edge in read.edges(data=True):
        slot = edge.get("slot")
        name = f"{src}->{box}<{slot}>" if slot in SLOTS else f"{src}->{box}"
        place = edge_of(path, graph, name)
        if "score" in edge:
            scores[place] = number_of(path, f"score of {name!r}", edge["score"])
        if "kept" in edge:
            selected = True
            kept[place] = flag_of(path, f"kept of {name!r}", edge["kept"])
    return circuit_of(path, graph, scores, kept if selected else None, about)
