"""ACDC: try every edge in turn, from the logits down, and leave out those whose loss changes little.

The order of trials is that of the paper; what differs is only how they are run. Edges of a node that nothing kept reads any
more change nothing, and need no run. Of the others several are tried at once, on the guess that all can go: the first that
cannot is put back, and the trials behind it are run again. So the circuit is that of one trial after another.
"""

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import xarray as xr
from jaxtyping import Float

from workbench import progress, select
from workbench.edges.estimate import as_circuit, estimated
from workbench.edges.measure import measured
from workbench.edges.run import Ablation, Circuits
from workbench.edges.wiring import Wiring
from workbench.errors import BadInput, at_least
from workbench.graph import EdgeMask, Readers
from workbench.methods.method import Method
from workbench.metrics import MetricName
from workbench.pairs import Pairs
from workbench.result import Circuit

TITLE = "ACDC"
Order = Literal["late_first", "early_first"]
# Trials guessed at once, at first and at most.
WIDTH, WIDEST = 4, 32


def run(
    model: Any,
    pairs: Pairs,
    *,
    threshold: int | float = 0.01,
    candidates: int | None = None,
    order: Order = "late_first",
    metric: MetricName = "kl",
    ablation: Ablation = "corrupt",
    readers: Readers = "query",
) -> Circuit:
    """Which edges are needed: each left out for good if the metric then gets worse by less than a threshold.

    Convention: the score is how much worse the metric got when the edge was tried, + helps; kept are those of at least the
    threshold, then without dangling edges. It depends on the order of the trials. Source: Conmy et al. 2023,
    https://arxiv.org/abs/2304.14997; on candidates after Syed et al. 2023, https://arxiv.org/abs/2310.10348.

    Args:
        model: The model.
        pairs: Clean and corrupt prompts.
        threshold: In the metric's unit, above 0.
        candidates: Try only so many edges, those of largest first-order score; the others are left out from the start. None
            for all: a run per edge of every node kept.
        order: Which of the edges into a node is tried first: that from the latest source, or from the earliest.
        metric: kl (as the paper's default), logit_diff, prob_diff or log_prob.
        ablation: What an edge left out carries: the 'corrupt' prompt's value, its 'mean' over corrupt prompts, or 'zero'.
        readers: Keys and values read per 'query' head, or per 'key_value' head where several share one.
    Returns:
        Circuit over edge in the metric's unit, with the part kept. NaN at edges that were not tried.
    Raises:
        BadInput: When the threshold is not above 0, or a parameter is none of these.
    """
    if not threshold > 0:
        raise BadInput(f"threshold must be above 0; got {threshold}. With 0 no edge that does nothing would go.")
    circuits = Circuits(Wiring(model, readers), pairs, metric, ablation)
    graph = circuits.wiring.graph
    kept, tried = graph.edges.copy(), graph.edges
    if candidates is not None:
        at_least("candidates", candidates, 1)
        kept = _shortlist(model, pairs, candidates, metric, ablation, readers)
        tried = kept.copy()
    trials = _Trials(circuits if candidates is None else circuits.resting_on(kept), kept)
    # Dead edges score 0: trying them would change nothing.
    scores = np.where(tried, 0.0, np.nan)
    destinations = [dst for dst in reversed(range(graph.n_destinations)) if tried[:, dst].any()]
    with progress.bar(TITLE, int(tried.sum()), unit="edge") as bar:
        for dst in destinations:
            senders = np.flatnonzero(tried[:, dst])
            if dst != graph.logits and not (graph.feeds[dst] & trials.kept.any(1)).any():
                trials.kept[:, dst] = False
                bar.advance(len(senders))
                continue
            for src, harm in trials.of(dst, senders[::-1] if order == "late_first" else senders, threshold):
                scores[src, dst] = harm
                bar.advance()
    found = graph.pruned(trials.kept)
    notes = {
        "sign": f"+ helps: how much worse {metric} got when the edge was tried",
        "selection": f"at least {threshold:g} {circuits.metric.unit} worse: {trials.kept.sum():,} edges, {found.sum():,} kept",
        "trials": f"{trials.runs:,} circuits run for {tried.sum():,} edges",
    }
    if candidates is not None:
        notes["nan"] = f"not among the {tried.sum():,} candidates, left out untried"
    runs = {"clean": circuits.clean, "corrupt": circuits.corrupt}
    made = as_circuit(graph, TITLE, circuits.metric.unit, scores[graph.edge_list], None, runs, notes)
    return made.replace(parts={**made.parts, "kept": xr.DataArray(found[graph.edge_list], dims=("edge",))})


class _Trials:
    """The circuit as far as the trials have come."""

    def __init__(self, circuits: Circuits, kept: EdgeMask):
        self.circuits, self.kept = circuits, kept
        self.width, self.runs = WIDTH, 0
        self.loss = float(self._losses([kept], 0, "whole")[0])

    def of(self, dst: int, senders: np.ndarray, threshold: int | float) -> Iterator[tuple[int, float]]:
        """Try the edges into a destination in this order; yields each with the harm of leaving it out."""
        graph = self.circuits.wiring.graph
        layer = min(graph.place(graph.destinations[dst])[0], graph.n_layers - 1)
        senders = [int(src) for src in senders]
        while senders:
            guess = senders[: self.width]
            masks = []
            for src in guess:
                masks.append((masks[-1] if masks else self.kept).copy())
                masks[-1][src, dst] = False
            # Below the layer of this destination nothing was tried yet.
            losses = self._losses(masks, layer, f"{dst}/{guess[0]}-{len(guess)}")
            harms = np.diff(losses, prepend=self.loss)
            needed = np.flatnonzero(harms >= threshold)
            gone = int(needed[0]) if len(needed) else len(guess)
            if gone:
                self.kept, self.loss = masks[gone - 1], float(losses[gone - 1])
            done = guess[: gone + 1]
            yield from zip(done, harms[: len(done)].tolist(), strict=True)
            senders = senders[len(done) :]
            self.width = min(WIDEST, 2 * self.width) if gone == len(guess) else max(1, (self.width + gone) // 2)

    def _losses(self, masks: list[EdgeMask], from_layer: int, name: str) -> Float[np.ndarray, "circuit"]:
        """What is to stay small, of some circuits; from the ledger of a killed run where it is there."""
        self.runs += len(masks)
        return progress.remembered(
            f"{TITLE}/{name}/{progress.digest(*(np.packbits(mask).tobytes() for mask in masks))}",
            lambda: self.circuits.metric.worse * measured(self.circuits, masks, from_layer=from_layer).mean(-1),
        )


def _shortlist(model: Any, pairs: Pairs, n: int, metric: str, ablation: str, readers: str) -> EdgeMask:
    """The edges of largest first-order score, pruned; of kl the gradient at the clean run is 0, so the corrupt run's."""
    at = "corrupt" if metric == "kl" else "clean"
    scored = estimated(
        model, pairs, lambda batch: [batch.gradients(at)], title="Candidates", readers=readers, metric=metric,
        ablation=ablation, by_position=False,
    )  # fmt: skip
    graph = Wiring(model, readers).graph
    return graph.pruned(select.top(graph, scored.values.values, min(n, graph.n_edges)))


METHOD = Method("acdc", TITLE, "Conmy et al. 2023, arXiv:2304.14997", run, kind="circuit")
