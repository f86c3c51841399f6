"""How good a circuit is: faithfulness and its curve over sizes, CPR and CMD, completeness, minimality, AUROC.

Faithfulness of a circuit C, per Hanna et al. 2024 and MIB: (m(C) - m(empty)) / (m(model) - m(empty)), m the metric's mean
over prompts and m(empty) that with every edge ablated. It is a ratio of means; where the gap under it is lost in the spread
of the prompts it is undefined, and said to be.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from workbench.edges.run import Circuits, stacked
from workbench.effects import checked_gap
from workbench.errors import BadInput
from workbench.graph import EdgeMask, Graph

RESAMPLES = 1000


@dataclass(frozen=True, eq=False)
class Frame:
    """The two ends between which faithfulness is measured, per prompt.

    Attributes:
        whole: The metric of the whole model.
        empty: The metric with every edge ablated.
    """

    whole: Float[np.ndarray, "batch"]
    empty: Float[np.ndarray, "batch"]

    def faithfulness(self, values: Float[np.ndarray, "*circuit batch"]) -> Float[np.ndarray, "*circuit"]:
        """1 for the whole model, 0 for the ablated one."""
        return np.asarray((values.mean(-1) - self.empty.mean()) / (self.whole.mean() - self.empty.mean()))

    def interval(
        self, values: Float[np.ndarray, "circuit batch"], seed: int
    ) -> tuple[Float[np.ndarray, "circuit"], Float[np.ndarray, "circuit"]]:
        """95 % percentile bootstrap over prompts; the estimate itself where there is one prompt."""
        batch = values.shape[-1]
        centre = self.faithfulness(values)
        if batch < 2:
            return centre, centre
        drawn = np.random.default_rng(seed).integers(0, batch, (RESAMPLES, batch))
        empty, whole = self.empty[drawn].mean(1), self.whole[drawn].mean(1)
        gap = whole - empty
        # A resample whose gap all but vanishes says nothing of the circuit.
        usable = np.abs(gap) > 0.1 * abs(self.whole.mean() - self.empty.mean())
        found = (values[:, drawn].mean(-1)[:, usable] - empty[usable]) / gap[usable]
        low, high = np.percentile(found, [2.5, 97.5], axis=1)
        return np.minimum(low, centre), np.maximum(high, centre)


def framed(circuits: Circuits) -> Frame:
    """The two ends of faithfulness.

    Raises:
        BadInput: When the gap between them is lost in the spread of the prompts.
    """
    checked_gap(
        circuits.clean, circuits.empty, circuits.metric.unit, "faithfulness", "other pairs, a larger n, or another ablation"
    )
    return Frame(_numbers(circuits.clean), _numbers(circuits.empty))


def measured(
    circuits: Circuits, masks: Sequence[EdgeMask], label: str | None = None, from_layer: int = 0
) -> Float[np.ndarray, "circuit batch"]:
    """The metric of circuits, per prompt; all are known to be whole below `from_layer`."""
    return _numbers(circuits.measure(stacked(masks), from_layer, label))


def areas(shares: Sequence[float], signed: Sequence[float], absolute: Sequence[float]) -> dict[str, float]:
    """CPR and CMD as MIB defines them, trapezoids over the share of edges requested.

    Args:
        shares: Shares of all edges, MIB's SHARES.
        signed: Faithfulness of the circuits of highest signed score, for CPR: the area under it, higher is better.
        absolute: Faithfulness of those of largest size, for CMD: the area between it and 1, lower is better.
    """
    axis = np.asarray(shares)
    return {
        "cpr": float(np.trapezoid(np.asarray(signed), axis)),
        "cmd": float(np.trapezoid(np.abs(1 - np.asarray(absolute)), axis)),
    }


def completeness(circuits: Circuits, frame: Frame, mask: EdgeMask) -> float:
    """Faithfulness of everything but the circuit: 0 where nothing of the behaviour runs outside it."""
    return float(frame.faithfulness(measured(circuits, [circuits.wiring.graph.edges & ~mask]))[0])


def minimality(circuits: Circuits, frame: Frame, mask: EdgeMask) -> dict[str, float]:
    """By node of the circuit, how much faithfulness falls when its edges are taken out as well.

    Source: Wang et al. 2022, https://arxiv.org/abs/2211.00593, section 4.2, for single nodes.
    """
    graph = circuits.wiring.graph
    nodes = [int(node) for node in np.flatnonzero(graph.nodes(mask)) if node]
    if not nodes:
        return {}
    without = [graph.pruned(mask & ~_edges_of(graph, node)) for node in nodes]
    values = measured(circuits, [mask, *without], label="minimality")
    found = frame.faithfulness(values)
    return {graph.sources[node]: float(found[0] - value) for node, value in zip(nodes, found[1:], strict=True)}


def _edges_of(graph: Graph, node: int) -> EdgeMask:
    """Every edge out of a node, and into the readers that feed no other node."""
    own = np.zeros_like(graph.edges)
    own[node] = True
    alone = graph.feeds[:, node] & (graph.feeds.sum(1) == 1)
    own[:, alone] = True
    return own & graph.edges


def auroc(scores: Float[np.ndarray, "cell"], truth: Bool[np.ndarray, "cell"]) -> float:
    """Probability that a true cell scores above a false one, ties counted half; scores by size are given as sizes.

    Raises:
        BadInput: When the reference has no true or no false cell.
    """
    from scipy.stats import rankdata

    known = ~np.isnan(scores)
    scores, truth = scores[known], truth[known]
    yes, no = int(truth.sum()), int((~truth).sum())
    if not yes or not no:
        raise BadInput(f"a reference must have cells in and out of the circuit; got {yes} in and {no} out.")
    ranks = rankdata(scores)
    return float((ranks[truth].sum() - yes * (yes + 1) / 2) / (yes * no))


def precision_recall(found: Bool[np.ndarray, "..."], truth: Bool[np.ndarray, "..."]) -> tuple[float, float]:
    """Share of what was found that is true, and share of what is true that was found; NaN for the share of nothing."""
    both = float((found & truth).sum())
    return both / found.sum() if found.any() else float("nan"), both / truth.sum() if truth.any() else float("nan")


def _numbers(values: Tensor) -> np.ndarray:
    return values.double().cpu().numpy()
