"""Every method of circuit discovery by the same measures, on a real model and on circuits that are known.

A method of nodes scores heads. Its circuits are the edges between its best heads, the MLPs and the ends: an edge counts as
much as the lesser of its two heads, and one without a head more than any.
"""

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from workbench.edges.measure import auroc, framed, precision_recall
from workbench.edges.run import Circuits
from workbench.edges.search import curves
from workbench.edges.wiring import Wiring
from workbench.graph import Graph
from workbench.known import known_names, known_pairs, wired
from workbench.methods import METHODS
from workbench.methods.discover import halves
from workbench.models import load
from workbench.pairs import Pairs
from workbench.result import Circuit, Scores
from workbench.select import BY_SIZE, Ranking

SHOWN = (0.01, 0.05, 0.1)


@dataclass(frozen=True)
class Entry:
    """A method as it is asked: parameters everywhere, and those of the real model beside them."""

    method: str
    name: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    real: dict[str, Any] | None = field(default_factory=dict)

    @property
    def label(self) -> str:
        return f"{self.method} {self.name}".strip()


HEADS = {"sites": "z", "by": ("layer", "head")}
ENTRIES = (
    Entry("edge_patch", real=None),
    Entry("eap"),
    Entry("eap_ig"),
    Entry("eap_ig", "activations", {"path": "activations"}),
    Entry("eap_relp"),
    Entry("ifr"),
    Entry("acdc", real={"candidates": 1000, "threshold": 0.003}),
    Entry("edge_pruning", real={"keep": 0.01, "readers": "key_value"}),
    Entry("atp_star", params=HEADS),
    Entry("cdt"),
    Entry("codes"),
)


def on_real_model(model: Any, sets: dict[int, Pairs], say: Any) -> list[dict[str, Any]]:
    """Seconds, CPR, CMD and faithfulness by share of edges, found on one half of the pairs and reported on the other."""
    rows = []
    for seed, pairs in sets.items():
        finding, reporting = halves(pairs, seed)
        reports = {readers: _report(model, reporting, readers) for readers in ("query", "key_value")}
        for entry in ENTRIES:
            if entry.real is None:
                continue
            asked = entry.params | entry.real
            start = time.perf_counter()
            found = METHODS[entry.method](model, finding, **asked)
            seconds = time.perf_counter() - start
            rows.append(_row(entry.label, seed, seconds, as_edges(found, model), *reports[asked.get("readers", "query")]))
            say(f"{rows[-1]}")
        graph = reports["query"][0].wiring.graph
        drawn = np.random.default_rng(seed).standard_normal(graph.n_edges)
        rows.append(_row("random", seed, 0.0, drawn, *reports["query"]))
    return rows


def _report(model: Any, pairs: Pairs, readers: str) -> tuple[Circuits, Any]:
    circuits = Circuits(Wiring(model, readers), pairs)
    return circuits, framed(circuits)


def _row(label: str, seed: int, seconds: float, scores: np.ndarray, circuits: Circuits, frame: Any) -> dict[str, Any]:
    graph = circuits.wiring.graph
    found = curves(Ranking(graph, scores), circuits, frame, [], 0, seed)
    by_size = dict(zip(found.sizes, found.values[BY_SIZE].tolist(), strict=True))
    shares = {f"at {share:g}": by_size[int(share * graph.n_edges)] for share in SHOWN}
    return {"method": label, "seed": seed, "seconds": seconds, **found.mib(graph), **shares}


def as_edges(found: Any, model: Any) -> np.ndarray:
    """A score per edge, of a method of edges or of heads."""
    if isinstance(found, Circuit):
        return found.edge_scores.values
    return edges_between(heads_of(found), Wiring(model).graph)


def heads_of(found: Scores) -> np.ndarray:
    """A score per layer and head, averaged over prompts."""
    values = found.mean().values
    return values.isel(site=0).values if "site" in values.dims else values.values


def edges_between(heads: np.ndarray, graph: Graph) -> np.ndarray:
    """Edges by the lesser of their two heads; those without a head above all."""
    size = np.abs(heads)
    most = size.max() * 2 + 1
    of_source = np.full(graph.n_sources, most)
    for layer in range(graph.n_layers):
        of_source[graph.heads(layer)] = size[layer]
    fed = np.array([np.flatnonzero(row)[0] if row.any() else 0 for row in graph.feeds])
    of_reader = of_source[fed]
    src, dst = graph.edge_list
    return np.minimum(of_source[src], of_reader[dst])


def on_known_models(seeds: list[int], n: int = 16) -> list[dict[str, Any]]:
    """AUROC, and precision at the true size, of edges, or of heads where a method scores heads."""
    rows = []
    for name in known_names():
        model, known = load(f"known:{name}", device="cpu"), wired(name)
        for entry in ENTRIES:
            for seed in seeds:
                found = METHODS[entry.method](model, known_pairs(model, name, n=n, seed=seed), **entry.params)
                scores, truth, what, names = _compared(found, known)
                chosen = np.zeros(len(scores), bool)
                chosen[np.argsort(-scores, kind="stable")[: int(truth.sum())]] = True
                row = {"model": name, "method": entry.label, "of": what, "seed": seed, "auroc": auroc(scores, truth)}
                row["precision"] = precision_recall(chosen, truth)[0]
                row["false"] = [names[index] for index in np.flatnonzero(chosen & ~truth)]
                row["missed"] = [names[index] for index in np.flatnonzero(truth & ~chosen)]
                rows.append(row)
    return rows


def _compared(found: Any, known: Any) -> tuple[np.ndarray, np.ndarray, str, list[str]]:
    """Sizes of scores, what is true of them, and what they are scores of, in a word and each by name."""
    graph = known.graph
    if isinstance(found, Circuit):
        scores = np.abs(np.nan_to_num(found.edge_scores.values))
        return scores, known.mask[graph.edge_list], "edges", found.names().tolist()
    heads = np.concatenate([np.arange(graph.n_sources)[graph.heads(layer)] for layer in range(graph.n_layers)])
    names = [graph.sources[head] for head in heads]
    return np.abs(heads_of(found)).ravel(), graph.nodes(known.mask)[heads], "heads", names


def sampled(graph: Graph, estimates: dict[str, np.ndarray], n: int, seed: int) -> dict[str, np.ndarray]:
    """Edges to patch exactly, three times n: drawn evenly, drawn by their size averaged over the estimates, and the largest."""
    rng = np.random.default_rng(seed)
    weight = sum(np.abs(scores) / np.abs(scores).sum() for scores in estimates.values())
    return {
        "drawn evenly": np.sort(rng.choice(graph.n_edges, n, replace=False)),
        "drawn by size": np.sort(rng.choice(graph.n_edges, n, replace=False, p=weight / weight.sum())),
        "largest": np.sort(np.argsort(-weight)[:n]),
    }
