"""How faithful a circuit is that is there already: of a stored result, a file of another tool, or a paper."""

from typing import Any, get_args

import numpy as np
import xarray as xr

from workbench.edges.estimate import kept_mask
from workbench.edges.measure import auroc, framed, minimality, precision_recall
from workbench.edges.run import Ablation, Circuits
from workbench.edges.search import summary
from workbench.edges.wiring import Wiring
from workbench.errors import BadInput
from workbench.graph import Graph, Readers, graph_from, graph_of
from workbench.methods.method import plain, versions
from workbench.metrics import MetricName
from workbench.models.card import card
from workbench.pairs import Pairs
from workbench.references import reference as published
from workbench.result import Circuit, Origin

TITLE = "Faithfulness"


def faithfulness(
    model: Any,
    pairs: Pairs,
    circuit: Circuit,
    *,
    metric: MetricName = "logit_diff",
    ablation: Ablation = "corrupt",
    reference: str | None = None,
    nodes: bool = False,
    seed: int = 0,
) -> Circuit:
    """A circuit with what it gives back of a behaviour, on these prompts.

    Convention: faithfulness is (m(circuit) - m(ablated)) / (m(model) - m(ablated)); minimality of a node is how much it falls
    when the node's edges are taken out too. Source: Hanna et al. 2024, https://arxiv.org/abs/2403.17806; minimality and the
    rest: Wang et al. 2022, https://arxiv.org/abs/2211.00593.

    Args:
        model: The model.
        pairs: Clean and corrupt prompts, best others than the circuit was found on.
        circuit: A circuit of this model, with the part kept.
        metric: logit_diff, prob_diff, log_prob or kl.
        ablation: What the edges outside carry: 'corrupt', 'mean' or 'zero'.
        reference: Id of a published circuit to compare the edges with.
        nodes: Whether to measure the minimality of every node: one run per node.
        seed: Of the bootstrap.
    Returns:
        The circuit with the part summary (measure), and minimality (node) where asked for.
    Raises:
        BadInput: When the circuit is of another model or keeps nothing that was selected, the reference of another graph, or
            the model does not do the task.
    """
    kept, graph = kept_mask(circuit), graph_from(circuit)
    circuits = Circuits(Wiring(model, _readers(model, graph)), pairs, metric, ablation)
    frame = framed(circuits)
    parts, numbers = dict(circuit.parts), summary(circuits, frame, kept, seed)
    if reference is not None:
        numbers |= _compared(circuit, kept, graph, reference)
    if nodes:
        falls = minimality(circuits, frame, kept)
        parts["minimality"] = xr.DataArray(list(falls.values()), dims=("node",), coords={"node": list(falls)})
    parts["summary"] = xr.DataArray(list(numbers.values()), dims=("measure",), coords={"measure": list(numbers)})
    for name in ("curve", "curve_lower", "curve_upper", "curve_kept", "verified"):
        parts.pop(name, None)
    notes = {**circuit.notes, "measured on": f"{len(pairs)} pairs of {pairs.task}", "ablation": ablation}
    params = {"circuit": _key(circuit), "metric": metric, "ablation": ablation, "reference": reference, "seed": seed}
    return circuit.replace(
        title=f"{TITLE} of {circuit.title}", parts=parts, notes=notes, origin=_origin(model, pairs, params | {"nodes": nodes})
    )


def _readers(model: Any, graph: Graph) -> str:
    """Whose keys and values the circuit's edges lead to."""
    for readers in get_args(Readers):
        if graph_of(model.cfg, readers) == graph:
            return readers
    own = graph_of(model.cfg)
    raise BadInput(
        f"the circuit must be of this model's graph, {own.n_layers} layers of {own.n_heads} heads and {own.n_edges:,} edges; "
        f"got one of {graph.n_layers} layers of {graph.n_heads} heads and {graph.n_edges:,} edges."
    )


def _compared(circuit: Circuit, kept: np.ndarray, graph: Graph, name: str) -> dict[str, float]:
    """Against a published circuit."""
    known = published(name)
    if known.graph != graph:
        raise BadInput(f"reference must be a circuit of the same graph; got {name!r}, of {known.model}.")
    precision, recall = precision_recall(kept, known.mask)
    scores = np.abs(circuit.edge_scores.values)
    return {"precision": precision, "recall": recall, "auroc": auroc(scores, known.mask[graph.edge_list])}


def _key(circuit: Circuit) -> str:
    return circuit.origin.key if circuit.origin else circuit.title


def _origin(model: Any, pairs: Pairs, params: dict[str, Any]) -> Origin:
    known = card(model)
    return Origin(
        method="faithfulness",
        model=known.ref,
        fingerprint=known.fingerprint,
        task=pairs.task,
        pairs=pairs.digest(),
        task_params=plain(pairs.params),
        params=plain(params),
        device=known.device,
        dtype=known.dtype,
        versions=versions(),
    )
