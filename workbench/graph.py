"""Nodes and edges of the computational graph, from a config alone: index maps, masks, names; no object per edge.

Sources write to the residual stream: ``input``, every head ``a{layer}.h{head}``, every MLP ``m{layer}``. Destinations read
it: the query, key and value of each head ``a{layer}.h{head}<q|k|v>``, every MLP, and ``logits``. An edge joins a source to
every destination computed after it. Biases and position embeddings belong to no node.

Source: the convention of EAP-IG and MIB (Hanna et al. 2024, https://arxiv.org/abs/2403.17806; Mueller et al. 2025,
https://arxiv.org/abs/2504.13151): GPT-2 small has 157 sources, 445 destinations and 32,491 edges. Where key-value heads
are shared (grouped-query attention) a graph has either one reader per query head, as theirs, or one per key-value head,
named ``a{layer}.kv{head}<k|v>``, which feeds every query head of its group.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Bool, Int

from workbench.errors import BadInput, one_of, within
from workbench.result import Circuit

Readers = Literal["query", "key_value"]
SLOTS = ("q", "k", "v")
NAME = re.compile(
    r"(?:(?P<what>input|logits)|a(?P<layer>\d+)\.(?P<kind>h|kv)(?P<head>\d+)(?:<(?P<slot>[qkv])>)?|m(?P<mlp>\d+))"
)

EdgeMask = Bool[np.ndarray, "src dst"]


@dataclass(frozen=True)
class Graph:
    """The graph of a transformer's shape.

    Attributes:
        n_layers, n_heads: As in the config.
        n_readers: Heads at k and v: n_heads, or the key-value heads where readers are per key-value head.
        mlps: Whether there are MLPs.
        parallel: Whether attention and MLP of a layer read the same stream.
    """

    n_layers: int
    n_heads: int
    n_readers: int
    mlps: bool = True
    parallel: bool = False

    def __post_init__(self):
        if self.n_heads % self.n_readers:
            raise BadInput(f"n_readers must divide the {self.n_heads} heads; got {self.n_readers}.")

    @property
    def group(self) -> int:
        """Query heads that share one reader at k and v."""
        return self.n_heads // self.n_readers

    @property
    def per_layer(self) -> int:
        """Sources in a layer."""
        return self.n_heads + self.mlps

    @property
    def slots_per_layer(self) -> int:
        """Destinations in a layer."""
        return self.n_heads + 2 * self.n_readers + self.mlps

    @property
    def n_sources(self) -> int:
        return 1 + self.n_layers * self.per_layer

    @property
    def n_destinations(self) -> int:
        return self.n_layers * self.slots_per_layer + 1

    @property
    def n_edges(self) -> int:
        return int(self.edges.sum())

    def heads(self, layer: int) -> slice:
        """The sources that are the heads of a layer."""
        first = 1 + layer * self.per_layer
        return slice(first, first + self.n_heads)

    def mlp(self, layer: int) -> int:
        """The source that is the MLP of a layer."""
        return 1 + layer * self.per_layer + self.n_heads

    def slots(self, layer: int, slot: str) -> slice:
        """The destinations of one slot ('q', 'k', 'v', 'mlp') of a layer."""
        sizes = {"q": self.n_heads, "k": self.n_readers, "v": self.n_readers, "mlp": int(self.mlps)}
        names = list(sizes)
        first = layer * self.slots_per_layer + sum(sizes[name] for name in names[: names.index(slot)])
        return slice(first, first + sizes[slot])

    @property
    def logits(self) -> int:
        """The last destination."""
        return self.n_destinations - 1

    def seen_by_heads(self, layer: int) -> int:
        """How many sources, from the first, the attention of a layer reads."""
        return 1 + layer * self.per_layer

    def seen_by_mlp(self, layer: int) -> int:
        """How many sources, from the first, the MLP of a layer reads."""
        return self.seen_by_heads(layer) + (0 if self.parallel else self.n_heads)

    @cached_property
    def edges(self) -> EdgeMask:
        """True where there is an edge."""
        mask = np.zeros((self.n_sources, self.n_destinations), dtype=bool)
        for layer in range(self.n_layers):
            for slot in SLOTS:
                mask[: self.seen_by_heads(layer), self.slots(layer, slot)] = True
            mask[: self.seen_by_mlp(layer), self.slots(layer, "mlp")] = True
        mask[:, self.logits] = True
        return mask

    @cached_property
    def feeds(self) -> Bool[np.ndarray, "dst src"]:
        """True where a destination is an input of a node: the keys of a group feed all its query heads."""
        feeds = np.zeros((self.n_destinations, self.n_sources), dtype=bool)
        for layer in range(self.n_layers):
            heads = np.arange(self.n_heads)
            first = self.heads(layer).start
            feeds[self.slots(layer, "q").start + heads, first + heads] = True
            for slot in ("k", "v"):
                feeds[self.slots(layer, slot).start + heads // self.group, first + heads] = True
            if self.mlps:
                feeds[self.slots(layer, "mlp").start, self.mlp(layer)] = True
        return feeds

    @cached_property
    def sources(self) -> tuple[str, ...]:
        """Names of the sources, in order."""
        names = ["input"]
        for layer in range(self.n_layers):
            names += [f"a{layer}.h{head}" for head in range(self.n_heads)]
            names += [f"m{layer}"] if self.mlps else []
        return tuple(names)

    @cached_property
    def destinations(self) -> tuple[str, ...]:
        """Names of the destinations, in order."""
        names: list[str] = []
        reader = "h" if self.group == 1 else "kv"
        for layer in range(self.n_layers):
            names += [f"a{layer}.h{head}<q>" for head in range(self.n_heads)]
            names += [f"a{layer}.{reader}{head}<{slot}>" for slot in ("k", "v") for head in range(self.n_readers)]
            names += [f"m{layer}"] if self.mlps else []
        return (*names, "logits")

    @cached_property
    def edge_list(self) -> tuple[Int[np.ndarray, "edge"], Int[np.ndarray, "edge"]]:
        """Source and destination of every edge, by source, then destination."""
        src, dst = np.nonzero(self.edges)
        return src, dst

    def name(self, src: int | np.integer, dst: int | np.integer) -> str:
        """'a5.h1->a7.h9<q>'."""
        return f"{self.sources[src]}->{self.destinations[dst]}"

    def source(self, name: str) -> int:
        """Index of a source by name."""
        return self._find("source", name, self._source_index)

    def destination(self, name: str) -> int:
        """Index of a destination by name."""
        return self._find("destination", name, self._destination_index)

    def edge(self, name: str) -> tuple[int, int]:
        """Source and destination of an edge by name.

        Raises:
            BadInput: When there is no such node, or the source is computed after the destination.
        """
        src, arrow, dst = name.partition("->")
        if not arrow:
            raise BadInput(f"an edge must be written SOURCE->DESTINATION; got {name!r}. Write it like 'a0.h1->a2.h3<q>'.")
        found = self.source(src.strip()), self.destination(dst.strip())
        if not self.edges[found]:
            raise BadInput(f"an edge must lead to something computed after its source; got {name!r}.")
        return found

    def mask(self, names: Iterable[str]) -> EdgeMask:
        """The circuit of these edges."""
        mask = np.zeros_like(self.edges)
        for name in names:
            mask[self.edge(name)] = True
        return mask

    def names(self, mask: EdgeMask) -> list[str]:
        """Names of a circuit's edges."""
        return [self.name(src, dst) for src, dst in np.argwhere(mask & self.edges)]

    def nodes(self, mask: EdgeMask) -> Bool[np.ndarray, "src"]:
        """The sources that a circuit runs through: those with a kept edge out, and the nodes of kept edges in."""
        return mask.any(1) | (mask.any(0) @ self.feeds)

    def between(self, nodes: Bool[np.ndarray, "src"]) -> EdgeMask:
        """All edges among these nodes and the logits: the circuit of a set of nodes; the input counts as one of them."""
        nodes = nodes.copy()
        nodes[0] = True
        reads = nodes @ self.feeds.T > 0
        reads[self.logits] = True
        return self.edges & nodes[:, None] & reads[None, :]

    def pruned(self, mask: EdgeMask) -> EdgeMask:
        """The circuit without dangling edges: each kept edge lies on a path from the input to the logits."""
        mask = mask & self.edges
        while True:
            fed = mask.any(0) @ self.feeds > 0
            fed[0] = True
            useful = self.feeds @ mask.any(1) > 0
            useful[self.logits] = True
            kept = mask & fed[:, None] & useful[None, :]
            if (kept == mask).all():
                return kept
            mask = kept

    def place(self, name: str) -> tuple[int, str, int]:
        """Layer, kind ('input', 'head', 'q', 'k', 'v', 'mlp', 'logits') and head of a node, for drawing; head 0 if none."""
        found = NAME.fullmatch(name)
        if not found:
            raise BadInput(f"a node must be written like 'input', 'a0.h1', 'a0.h1<q>', 'm0' or 'logits'; got {name!r}.")
        if found["what"]:
            return (-1, "input", 0) if found["what"] == "input" else (self.n_layers, "logits", 0)
        if found["mlp"]:
            return int(found["mlp"]), "mlp", 0
        return int(found["layer"]), found["slot"] or "head", int(found["head"])

    def _find(self, what: str, name: str, index: dict[str, int]) -> int:
        if name in index:
            return index[name]
        layer, kind, head = self.place(name)
        if kind not in ("input", "logits"):
            within(f"layer of {name!r}", layer, 0, self.n_layers)
        if kind in ("head", "q"):
            within(f"head of {name!r}", head, 0, self.n_heads)
        hint = ""
        if kind in ("k", "v"):
            how = {"key_value": "per key-value head: 'a0.kv0<k>'", "query": "per query head: 'a0.h0<k>'"}[self.readers]
            hint = f" Its keys and values are read {how}."
        raise BadInput(f"{what} must be a node of this graph; got {name!r}.{hint}")

    @property
    def readers(self) -> str:
        """Whose keys and values the destinations are."""
        return "query" if self.group == 1 else "key_value"

    @cached_property
    def _source_index(self) -> dict[str, int]:
        return {name: index for index, name in enumerate(self.sources)}

    @cached_property
    def _destination_index(self) -> dict[str, int]:
        return {name: index for index, name in enumerate(self.destinations)}


def graph_of(cfg: Any, readers: str = "query") -> Graph:
    """The graph of a model's config.

    Args:
        cfg: Anything with n_layers, n_heads, and perhaps n_key_value_heads, attn_only, parallel_attn_mlp.
        readers: Keys and values per 'query' head, as in EAP-IG and MIB, or per 'key_value' head, as they are computed.
    """
    one_of("readers", readers, get_args(Readers))
    shared = getattr(cfg, "n_key_value_heads", None) or cfg.n_heads
    return Graph(
        n_layers=cfg.n_layers,
        n_heads=cfg.n_heads,
        n_readers=cfg.n_heads if readers == "query" else shared,
        mlps=not getattr(cfg, "attn_only", False),
        parallel=bool(getattr(cfg, "parallel_attn_mlp", False)),
    )


def graph_from(circuit: Circuit) -> Graph:
    """The graph of a Circuit."""
    layers, heads, readers, mlps, parallel = (int(value) for value in circuit.parts["graph"].values)
    return Graph(layers, heads, readers, bool(mlps), bool(parallel))
