"""Exact edge patching: ablate one edge at a time and see what the answer does. A run per edge."""

from typing import Any

import numpy as np

from workbench.edges.estimate import as_circuit, sign_note
from workbench.edges.exact import patched
from workbench.edges.run import Ablation, Circuits
from workbench.edges.wiring import Wiring
from workbench.errors import at_least
from workbench.graph import Readers
from workbench.methods.method import Method
from workbench.metrics import MetricName
from workbench.pairs import Pairs
from workbench.result import Circuit

TITLE = "Edge patching"


def run(
    model: Any,
    pairs: Pairs,
    *,
    metric: MetricName = "logit_diff",
    ablation: Ablation = "corrupt",
    readers: Readers = "query",
    sample: int | None = None,
    seed: int = 0,
) -> Circuit:
    """The effect of ablating every edge alone, one exact run per edge: what attribution estimates.

    Convention: + helps: the metric of the clean run minus that with the edge ablated. Source: path patching of single
    edges, Goldowsky-Dill et al. 2023, https://arxiv.org/abs/2304.05969; ACT-EAP and 'exact' in EAP-IG and MIB.

    Args:
        model: The model.
        pairs: Clean and corrupt prompts.
        metric: logit_diff, prob_diff, log_prob or kl.
        ablation: What an ablated edge carries: the 'corrupt' prompt's value, its 'mean' over corrupt prompts, or 'zero'.
        readers: Keys and values read per 'query' head, or per 'key_value' head where several share one.
        sample: Patch only so many edges, drawn at random; None for all. A real model has some hundred thousand.
        seed: Of the draw.
    Returns:
        Circuit over edge in the metric's unit, mean ± 1 s.e. over prompts. NaN at edges not in the sample.
    Raises:
        BadInput: When a parameter is none of these.
    """
    circuits = Circuits(Wiring(model, readers), pairs, metric, ablation)
    graph = circuits.wiring.graph
    edges = np.arange(graph.n_edges)
    if sample is not None:
        at_least("sample", sample, 1)
        edges = np.sort(np.random.default_rng(seed).permutation(graph.n_edges)[:sample])
    found = patched(circuits, [int(edge) for edge in edges], TITLE)
    scores, error = np.full((2, graph.n_edges), np.nan)
    scores[edges] = found.mean(0)
    if len(pairs) > 1:
        error[edges] = found.std(0, ddof=1) / np.sqrt(len(pairs))
    notes = {"sign": sign_note(ablation)}
    if len(edges) < graph.n_edges:
        notes["nan"] = f"not among the {len(edges):,} edges drawn of {graph.n_edges:,}"
    runs = {"clean": circuits.clean, "corrupt": circuits.corrupt}
    return as_circuit(
        graph, TITLE, circuits.metric.unit, scores, error if len(pairs) > 1 else None, runs, notes,
        found if len(edges) == graph.n_edges else None,
    )  # fmt: skip


METHOD = Method("edge_patch", TITLE, "Goldowsky-Dill et al. 2023, arXiv:2304.05969", run, kind="circuit")
