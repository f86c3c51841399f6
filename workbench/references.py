"""Circuits that papers found by hand, as edges of our graph: what a discovery method is compared with.

They are data, in `data/circuits/`, written by the script beside them. A published circuit is its authors' best account of a
model, not a ground truth: edges that matter can be missing from it, and edges in it need not matter under another corruption.
Circuits that are exact are in `known`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from workbench.errors import one_of
from workbench.graph import EdgeMask, Graph
from workbench.models.find import DATA


@dataclass(frozen=True, eq=False)
class Reference:
    """A published circuit.

    Attributes:
        name: Its id, which is also that of the task.
        title: Its name for reading.
        model: The model it was found in, by its name on the hub or in TransformerLens.
        graph: The graph of that model.
        mask: True at the circuit's edges.
        groups: Nodes by what the authors found they do.
        source: Papers and code, with links.
        convention: Which edges stand for what the authors describe, and how the counts relate.
    """

    name: str
    title: str
    model: str
    graph: Graph
    mask: EdgeMask
    groups: Mapping[str, tuple[str, ...]]
    source: tuple[str, ...]
    convention: str

    @property
    def heads(self) -> tuple[str, ...]:
        """The heads of all groups, by layer."""
        nodes = {node for group in self.groups.values() for node in group if node.startswith("a")}
        return tuple(sorted(nodes, key=self.graph.source))


def reference_names() -> list[str]:
    """Ids of the published circuits that are here."""
    return sorted(file.stem for file in (DATA / "circuits").glob("*.json"))


@cache
def reference(name: str) -> Reference:
    """A published circuit by its id.

    Convention: edges, and which of them stand for an arrow between groups, as in the file's `convention`. Source: named in
    each; the edge lists are those of Conmy et al. 2023, https://arxiv.org/abs/2304.14997, in our graph.

    Args:
        name: 'ioi', 'greater_than' (both GPT-2 small) or 'docstring' (attn-only-4l).
    Returns:
        Reference.
    Raises:
        BadInput: When there is no such circuit.
    """
    one_of("reference circuit", name, reference_names())
    read = json.loads((DATA / "circuits" / f"{name}.json").read_text(encoding="utf-8"))
    graph = Graph(**read["shape"])
    mask = graph.mask(read["edges"])
    # All who ask share it.
    mask.setflags(write=False)
    return Reference(
        name=name,
        title=read["title"],
        model=read["model"],
        graph=graph,
        mask=mask,
        groups={group: tuple(nodes) for group, nodes in read["groups"].items()},
        source=tuple(read["source"]),
        convention=read["convention"],
    )
