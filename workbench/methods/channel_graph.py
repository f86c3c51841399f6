"""The communication graph of a model: its heads, and the channels between them that count, from the weights alone."""

from typing import Any

import numpy as np
import xarray as xr

from workbench.channels.composition import blocks, robust
from workbench.channels.search import Found, from_weights
from workbench.channels.weights import SLOTS, Heads, Slot, checked
from workbench.edges.estimate import as_circuit
from workbench.errors import BadInput, at_least
from workbench.graph import EdgeMask, Graph, graph_of
from workbench.methods.method import Method
from workbench.pairs import Pairs
from workbench.result import Circuit

TITLE = "Communication graph"


def run(
    model: Any,
    pairs: Pairs | None = None,
    *,
    slots: Slot | tuple[Slot, ...] = SLOTS,
    rate: int | float = 0.01,
    rotations: int = 2,
    top: int = 40,
    seed: int = 0,
) -> Circuit:
    """Heads as nodes, and as edges the channels by which one writes what a later one reads.

    Convention: an edge's number is how far the writer's strongest component stands out of its others in the reader's
    reading, as in `channels`. Kept are the strongest of those that count at the rate of chance findings. Edges of the input,
    of MLPs and into the logits have no number. Source: Merullo et al. 2024, https://arxiv.org/abs/2406.09519.

    Args:
        model: The model.
        pairs: Not used: the weights say it all.
        slots: What later heads read through: q, k, v.
        rate: Rate of chance findings.
        rotations: Random bases of every head in the null.
        top: The most edges to keep, at least 1.
        seed: Of the random bases.
    Returns:
        Circuit in robust deviations, one reader per query head; NaN where an edge joins no two heads. The part counts tells
        which edges count at the rate.
    Raises:
        BadInput: When a parameter is none of these, or the model has one layer.
    """
    at_least("top", top, 1)
    at_least("rotations", rotations, 1)
    if not 0 < rate < 1:
        raise BadInput(f"rate must be between 0 and 1; got {rate}.")
    slots = checked(slots)
    heads, graph = Heads(model), graph_of(model.cfg, "query")
    if heads.n_layers < 2:
        raise BadInput(f"the communication graph must have at least 2 layers; got {heads.n_layers}.")
    counts = _counting(graph, heads, from_weights(heads, slots, rotations, seed), rate)
    strength = np.full(graph.edges.shape, np.nan)
    for block in blocks(heads, slots):
        here = graph.heads(block.writer), graph.slots(block.reader, block.slot)
        strength[here] = robust(block.scores).amax(1).double().cpu().numpy()
    scores, allowed = strength[graph.edge_list], counts[graph.edge_list]
    ranked = np.argsort(-np.where(allowed, scores, -np.inf), kind="stable")[: min(top, int(allowed.sum()))]
    kept = np.zeros(len(scores), bool)
    kept[ranked] = True
    notes = {
        "sign": "+ stands out: robust deviations of the strongest component from its head's others",
        "nan": "the edge joins no two heads, or no slot that was asked for",
        "selection": f"the {len(ranked):,} strongest of {int(allowed.sum()):,} that count at a rate of {rate:g} by chance",
        "pruning": "none: a channel need not lie on a path from the input to the logits",
    }
    made = as_circuit(graph, TITLE, "robust deviations", scores, None, {}, notes)
    parts = {"kept": xr.DataArray(kept, dims=("edge",)), "counts": xr.DataArray(allowed, dims=("edge",))}
    return made.replace(parts={**made.parts, **parts})


def _counting(graph: Graph, heads: Heads, found: Found, rate: int | float) -> EdgeMask:
    """The edges with a component that counts."""
    mask = np.zeros(graph.edges.shape, bool)
    rows = found.rows(found.q <= rate)
    for slot, writer, head, reader, reading in zip(rows.slot, rows.writer, rows.head, rows.reader, rows.reading, strict=True):
        first = graph.slots(int(reader), SLOTS[slot]).start + int(reading)
        # What several heads read alike was tried once.
        together = heads.alike if SLOTS[slot] == "k" else 1
        mask[graph.heads(int(writer)).start + int(head), first : first + together] = True
    return mask


SOURCE = "Merullo et al. 2024, arXiv:2406.09519"
METHOD = Method("channel_graph", TITLE, SOURCE, run, kind="circuit", needs_pairs=False)
