"""Find a circuit: score edges, keep as few as reach a target, and verify by intervention on prompts held out.

The one method that is made of others: it scores with a sibling, and adds selection and verification.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr

from workbench import progress, select
from workbench.edges.exact import patched
from workbench.edges.measure import Frame, areas, completeness, framed, measured
from workbench.edges.run import Ablation, Circuits
from workbench.edges.wiring import Wiring
from workbench.errors import BadInput, at_least
from workbench.graph import EdgeMask, Graph, Readers
from workbench.methods import eap, eap_ig, eap_relp, edge_patch
from workbench.methods.method import Method
from workbench.metrics import MetricName
from workbench.pairs import Pairs
from workbench.result import Circuit

TITLE = "Circuit"
SCORERS = {module.METHOD.name: module.run for module in (eap, eap_ig, eap_relp, edge_patch)}
Scorer = Literal["eap", "eap_ig", "eap_relp", "edge_patch"]
Rule = Literal["top", "greedy"]
# Sizes tried between the two of the grid that bracket the target, and how often the bracket is narrowed.
TRIED, ROUNDS = 4, 2


def run(
    model: Any,
    pairs: Pairs,
    *,
    scorer: Scorer = "eap_ig",
    target: int | float = 0.9,
    n_edges: int | None = None,
    rule: Rule = "top",
    absolute: bool = True,
    metric: MetricName = "logit_diff",
    ablation: Ablation = "corrupt",
    readers: Readers = "query",
    hold_out: bool = True,
    verify: int = 0,
    random: int = 3,
    resamples: int = 100,
    seed: int = 0,
) -> Circuit:
    """The fewest edges, by their scores, that give back a share of the behaviour; measured by intervention.

    Convention: + helps; faithfulness is (m(circuit) - m(ablated)) / (m(model) - m(ablated)), 1 for the whole model. Source:
    Hanna et al. 2024, https://arxiv.org/abs/2403.17806; CPR (signed scores) and CMD (sizes of scores): Mueller et al. 2025,
    https://arxiv.org/abs/2504.13151; stability: Méloux et al. 2025, https://arxiv.org/abs/2510.00845.

    Args:
        model: The model.
        pairs: Clean and corrupt prompts.
        scorer: The method that scores the edges: eap, eap_ig, eap_relp or edge_patch.
        target: Faithfulness to reach on the prompts that scored; the smallest size measured that does is kept.
        n_edges: Keep so many edges instead, before pruning.
        rule: The 'top' edges, or 'greedy': grown from the logits.
        absolute: Rank by size of the score, so that edges which hurt are kept too; else by the score.
        metric: logit_diff, prob_diff, log_prob or kl.
        ablation: What the edges outside the circuit carry: 'corrupt', 'mean' or 'zero'.
        readers: Keys and values read per 'query' head, or per 'key_value' head where several share one.
        hold_out: Score on one half of the pairs and report on the other; else all pairs for both.
        verify: Patch so many of the highest-ranked edges exactly and note how far their scores are off.
        random: Random circuits of each size, for comparison.
        resamples: Bootstraps of the prompts for the circuit's stability; 0 for none.
        seed: Of the halves, the random circuits and the bootstraps.
    Returns:
        Circuit over edge in the metric's unit, with parts: kept; curve (series, size) with its interval; summary (measure).
    Raises:
        BadInput: When the model does not do the task, nothing reaches the target, one pair is to be halved, or a parameter
            is none of these.
    """
    at_least("random", random, 0)
    at_least("verify", verify, 0)
    at_least("resamples", resamples, 0)
    finding, reporting = halves(pairs, seed) if hold_out else (pairs, pairs)
    extra = {"gradient_at": "corrupt"} if scorer == "eap" and metric == "kl" else {}
    scored = SCORERS[scorer](model, finding, metric=metric, ablation=ablation, readers=readers, **extra)
    scores = scored.values.values
    wiring = Wiring(model, readers)
    graph = wiring.graph
    found = Circuits(wiring, finding, metric, ablation)
    held = Circuits(wiring, reporting, metric, ablation) if hold_out else found
    ask = _Search(graph, scores, rule, absolute, found, framed(found))
    size = _check_size(graph, n_edges) if n_edges is not None else ask.smallest(float(target))
    kept = graph.pruned(select.chosen(graph, scores, rule, size, absolute))
    shown = _Report(graph, scores, rule, absolute, held, framed(held), random, seed)
    curve, parts = shown.curve(size, kept, hold_out)
    summary = {**shown.summary(size, kept), "faithfulness where found": ask.faithfulness(size)}
    if resamples and "each" in scored.parts:
        summary["stability"], summary["stability sd"] = select.stability(
            graph, scored.parts["each"].values, max(1, size), resamples, seed
        )
    notes = dict(scored.notes) | {"scorer": scorer, "ablation": ablation}
    notes["selection"] = f"{rule} by {'size of' if absolute else 'signed'} score: {size:,} edges asked for, {kept.sum():,} kept"
    notes["hold-out"] = _split_note(hold_out, finding, reporting)
    if not resamples or "each" not in scored.parts:
        notes["stability"] = "not measured: no resamples, or one prompt"
    if verify:
        parts["verified"], notes["verified"] = _verified(found, graph, scores, verify, scored.unit)
    parts |= {
        "kept": xr.DataArray(kept[graph.edge_list], dims=("edge",)),
        "curve": curve,
        "summary": xr.DataArray(list(summary.values()), dims=("measure",), coords={"measure": list(summary)}),
    }
    dropped = {name: part for name, part in scored.parts.items() if name != "each"}
    return scored.replace(title=f"{TITLE} of {pairs.task}", parts={**dropped, **parts}, notes=notes)


def halves(pairs: Pairs, seed: int) -> tuple[Pairs, Pairs]:
    """Two halves of the pairs, drawn at random: one to find the circuit on, one to report on.

    Raises:
        BadInput: When there is one pair.
    """
    if len(pairs) < 2:
        raise BadInput("hold_out must have at least 2 pairs to halve; got 1. Make more pairs, or use hold_out=False.")
    order = np.random.default_rng(seed).permutation(len(pairs))
    half = len(pairs) // 2
    return pairs.select(sorted(order[half:].tolist())), pairs.select(sorted(order[:half].tolist()))


def _check_size(graph: Graph, n_edges: int) -> int:
    at_least("n_edges", n_edges, 1)
    if n_edges > graph.n_edges:
        raise BadInput(f"n_edges must be at most {graph.n_edges}, all there are; got {n_edges}.")
    return n_edges


@dataclass(frozen=True, eq=False)
class _Search:
    """Sizes and their faithfulness on the prompts that scored."""

    graph: Graph
    scores: np.ndarray
    rule: str
    absolute: bool
    circuits: Circuits
    frame: Frame

    def masks(self, sizes: list[int], absolute: bool | None = None) -> list[EdgeMask]:
        absolute = self.absolute if absolute is None else absolute
        return [self.graph.pruned(select.chosen(self.graph, self.scores, self.rule, size, absolute)) for size in sizes]

    def faithfulness(self, *sizes: int) -> float:
        """Of the last of these sizes."""
        return float(self.frame.faithfulness(measured(self.circuits, self.masks(list(sizes))))[-1])

    def smallest(self, target: float) -> int:
        """The smallest size measured that reaches the target: on the grid from below, then between its last two.

        Faithfulness need not rise with size, so a smaller circuit that no size tried hits is possible.
        """
        below, above = 0, None
        for size in progress.track(select.sizes(self.graph), "sizes tried"):
            if size and self.faithfulness(size) >= target:
                above = size
                break
            below = size
        if above is None:
            raise BadInput(
                f"target must be a faithfulness that a circuit reaches; got {target}, and the whole graph gives "
                f"{self.faithfulness(self.graph.n_edges):.2f}. Use a lower target."
            )
        for _ in range(ROUNDS):
            tried = sorted({round(float(size)) for size in np.linspace(below, above, TRIED + 2)[1:-1]} - {below, above})
            if not tried:
                break
            reached = self.frame.faithfulness(measured(self.circuits, self.masks(tried))) >= target
            first = int(np.argmax(reached)) if reached.any() else len(tried)
            below, above = (tried[first - 1] if first else below), (tried[first] if first < len(tried) else above)
        return above


class _Report(_Search):
    """What is reported of a circuit, on the prompts held out."""

    def __init__(self, graph, scores, rule, absolute, circuits, frame, random, seed):
        super().__init__(graph, scores, rule, absolute, circuits, frame)
        object.__setattr__(self, "random", random)
        object.__setattr__(self, "seed", seed)
        object.__setattr__(self, "mib", {})

    def curve(self, size: int, kept: EdgeMask, hold_out: bool) -> tuple[xr.DataArray, dict[str, xr.DataArray]]:
        """Faithfulness over sizes: by size of score, by signed score, and of random edges."""
        sizes = sorted({*select.sizes(self.graph), size} - {0})
        series: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}
        asked = {"by size of score": True, "by signed score": False}
        counts = []
        for name, absolute in asked.items():
            masks = self.masks(sizes, absolute)
            values = measured(self.circuits, masks, label=f"faithfulness {name}")
            series[name] = (self.frame.faithfulness(values), *self.frame.interval(values, self.seed))
            counts.append([int(mask.sum()) for mask in masks])
        if self.random:
            drawn = [select.random(self.graph, n, self.seed + draw) for n in sizes for draw in range(self.random)]
            values = measured(self.circuits, [self.graph.pruned(mask) for mask in drawn], label="random circuits")
            found = self.frame.faithfulness(values).reshape(len(sizes), self.random)
            series["random edges"] = (found.mean(1), found.min(1), found.max(1))
            counts.append([int(self.graph.pruned(drawn[index * self.random]).sum()) for index in range(len(sizes))])
        # A nominal share of a small graph may be no edge at all: there the empty circuit's 0 stands.
        by_size = {name: dict(zip(sizes, found[0].tolist(), strict=True)) | {0: 0.0} for name, found in series.items()}
        at = [int(share * self.graph.n_edges) for share in select.SHARES]
        signed, absolute = ([by_size[name][n] for n in at] for name in ("by signed score", "by size of score"))
        self.mib.update(areas(select.SHARES, signed, absolute))

        def labelled(index: int) -> xr.DataArray:
            return xr.DataArray(
                np.stack([found[index] for found in series.values()]),
                dims=("series", "size"),
                coords={"series": list(series), "size": sizes},
            )

        count = xr.DataArray(np.array(counts), dims=("series", "size"), coords=labelled(0).coords)
        return labelled(0), {"curve_lower": labelled(1), "curve_upper": labelled(2), "curve_kept": count}

    def summary(self, size: int, kept: EdgeMask) -> dict[str, float]:
        """The circuit in numbers."""
        values = measured(self.circuits, [kept])
        low, high = self.frame.interval(values, self.seed)
        return {
            "edges": float(kept.sum()),
            "edges asked for": float(size),
            "share of edges": float(kept.sum()) / self.graph.n_edges,
            "nodes": float(self.graph.nodes(kept).sum()),
            "faithfulness": float(self.frame.faithfulness(values)[0]),
            "faithfulness low": float(low[0]),
            "faithfulness high": float(high[0]),
            "faithfulness of the rest": completeness(self.circuits, self.frame, kept),
            **self.mib,
        }


def _split_note(hold_out: bool, finding: Pairs, reporting: Pairs) -> str:
    if hold_out:
        return f"found on {len(finding)} pairs, reported on {len(reporting)} others"
    return f"none: found and reported on the same {len(finding)} pairs"


def _verified(circuits: Circuits, graph: Graph, scores: np.ndarray, n: int, unit: str) -> tuple[xr.DataArray, str]:
    """The exact effects of the top edges, and in words how far their scores are off."""
    order = np.argsort(-np.abs(scores), kind="stable")[:n]
    exact = patched(circuits, [int(edge) for edge in order], "verify").mean(0)
    made = xr.DataArray(
        np.stack([scores[order], exact]), dims=("value", "edge"), coords={"value": ["score", "exact"], "edge": order}
    )
    same = int((np.sign(exact) == np.sign(scores[order])).sum())
    off = float(np.abs(exact - scores[order]).mean())
    return made, f"top {len(order)} edges patched exactly: {same} of the same sign, off by {off:.3g} {unit} on average"


METHOD = Method("discover", "Find a circuit", "Hanna et al. 2024, arXiv:2403.17806", run, kind="circuit")
