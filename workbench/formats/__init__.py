"""Circuits to and from files that other tools read: EAP-IG's JSON and .pt, which MIB takes too, and GraphML; and networkx.

A file holds every edge's score, which edges are kept, the title, unit and notes; intervals, curves and the origin stay in the
store. EAP-IG keeps nothing for an edge that was not scored, and reads 0 there: such an edge is left out of the JSON, and in
a .pt `edges_scored` is False at it, so that it is NaN again here. Its graphs read keys and values per query head, and
always have MLPs: those of an attention-only model are there, empty, and `attn_only` in the cfg says so.

Source: the layout of EAP-IG (Hanna et al. 2024, https://github.com/hannamw/EAP-IG, src/eap/graph.py); the keys that its
loader does not know (title, unit, notes, attn_only, edges_scored) are keys that it ignores. Scores of whole nodes, which its
files can hold, are not read; nor are choices of neurons, and then a note says so.
"""

import os
from collections.abc import Callable
from pathlib import Path

from workbench.errors import BadInput, one_of
from workbench.formats.eap_ig import from_json, from_pt, to_json, to_pt
from workbench.formats.networks import from_graphml, to_graphml, to_networkx
from workbench.result import Circuit

__all__ = ["FORMATS", "read_circuit", "to_networkx", "write_circuit"]

FORMATS: dict[str, tuple[Callable[[Circuit], bytes], Callable[[bytes, Path], Circuit]]] = {
    ".json": (to_json, from_json),
    ".pt": (to_pt, from_pt),
    ".graphml": (to_graphml, from_graphml),
}


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
