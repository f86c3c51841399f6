"""Find a circuit: score edges, keep as few as reach a target, and verify by intervention on prompts held out.

The one method that is made of others: it scores with a sibling, and adds selection and verification.
"""

from typing import Any, Literal

import numpy as np
import xarray as xr

from workbench.edges.exact import patched
from workbench.edges.measure import framed, measured
from workbench.edges.run import Ablation, Circuits
from workbench.edges.search import curves, smallest, summary
from workbench.edges.wiring import Wiring
from workbench.errors import BadInput, at_least, one_of
from workbench.graph import Readers
from workbench.methods import acdc, eap, eap_ig, eap_relp, edge_patch, edge_pruning, ifr
from workbench.methods.method import Method
from workbench.metrics import MetricName
from workbench.pairs import Pairs
from workbench.result import Circuit
from workbench.select import Ranking

TITLE = "Circuit"
SCORERS = {module.METHOD.name: module.METHOD for module in (eap, eap_ig, eap_relp, edge_patch, ifr, acdc, edge_pruning)}
Scorer = Literal["eap", "eap_ig", "eap_relp", "edge_patch", "ifr", "acdc", "edge_pruning"]
Rule = Literal["top", "greedy"]


def run(
    model: Any,
    pairs: Pairs,
    *,
    scorer: Scorer = "eap_ig",
    target: int | float = 0.9,
    n_edges: int | None = None,
    threshold: int | float | None = None,
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
        scorer: The method that scores the edges, at its own defaults.
        target: Faithfulness to reach on the prompts that scored; the smallest size measured that does is kept.
        n_edges: Keep so many edges instead, before pruning.
        threshold: Keep the edges of at least this score, or size of score, instead.
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
    wiring = Wiring(model, readers)
    graph = wiring.graph
    # Before the scoring: a task that the model cannot do is told at once.
    found = Circuits(wiring, finding, metric, ablation)
    found_frame = framed(found)
    held = Circuits(wiring, reporting, metric, ablation) if hold_out else found
    frame = framed(held)
    scored = _scored(model, finding, scorer, metric=metric, ablation=ablation, readers=readers, seed=seed)
    ranking = Ranking(graph, scored.values.values, rule, absolute)
    size = _check_size(ranking, n_edges, threshold)
    if size is None:
        size = smallest(ranking, found, found_frame, float(target))
    kept = ranking.circuit(size)
    measured_at = curves(ranking, held, frame, [size], random, seed)
    numbers = {"edges asked for": float(size), **summary(held, frame, kept, seed), **measured_at.mib(graph)}
    numbers["faithfulness where found"] = float(found_frame.faithfulness(measured(found, [kept]))[0])
    notes = dict(scored.notes) | {"scorer": scorer, "ablation": ablation}
    notes["selection"] = ranking.said(size, int(kept.sum()))
    notes["hold-out"] = _split_note(hold_out, finding, reporting)
    notes["curve interval"] = "95 % bootstrap over prompts; random edges: least and largest of the draws"
    parts = {name: part for name, part in scored.parts.items() if name != "each"} | measured_at.parts()
    if resamples and "each" in scored.parts:
        each = scored.parts["each"].values
        numbers["stability"], numbers["stability sd"] = ranking.stability(each, max(1, size), resamples, seed)
    else:
        notes["stability"] = "not measured: no resamples, one prompt, or a scorer that scores all prompts together"
    if verify:
        parts["verified"], notes["verified"] = _verified(found, ranking, verify, scored.unit)
    parts["kept"] = xr.DataArray(kept[graph.edge_list], dims=("edge",))
    parts["summary"] = xr.DataArray(list(numbers.values()), dims=("measure",), coords={"measure": list(numbers)})
    return scored.replace(title=f"{TITLE} of {pairs.task}", parts=parts, notes=notes)


def _scored(model: Any, pairs: Pairs, scorer: str, **asked: Any) -> Circuit:
    """The scores of a sibling, asked what it has of these parameters."""
    one_of("scorer", scorer, SCORERS)
    method = SCORERS[scorer]
    if scorer == "eap" and asked["metric"] == "kl":
        # Its gradient at the clean run is 0.
        asked["gradient_at"] = "corrupt"
    return method.run(model, pairs, **{name: value for name, value in asked.items() if name in method.params})


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


def _check_size(ranking: Ranking, n_edges: int | None, threshold: int | float | None) -> int | None:
    """How many edges were asked for by number or by score; None where by a target.

    Raises:
        BadInput: When both were, or no edge reaches the threshold, or there are not so many edges.
    """
    if n_edges is not None and threshold is not None:
        raise BadInput(f"n_edges and threshold must not both be given; got {n_edges} and {threshold}. Use one of them.")
    if threshold is not None:
        scores = np.abs(ranking.scores) if ranking.absolute else ranking.scores
        size = int((scores >= threshold).sum())
        if not size:
            raise BadInput(
                f"threshold must be a score that an edge reaches; got {threshold}, and the most is {np.nanmax(scores):.3g}."
            )
        return size
    if n_edges is not None:
        at_least("n_edges", n_edges, 1)
        most = ranking.graph.n_edges
        if n_edges > most:
            raise BadInput(f"n_edges must be at most {most}, all there are; got {n_edges}.")
    return n_edges


def _split_note(hold_out: bool, finding: Pairs, reporting: Pairs) -> str:
    if hold_out:
        return f"found on {len(finding)} pairs, reported on {len(reporting)} others"
    return f"none: found and reported on the same {len(finding)} pairs"


def _verified(circuits: Circuits, ranking: Ranking, n: int, unit: str) -> tuple[xr.DataArray, str]:
    """The exact effects of the edges ranked first, and in words how far their scores are off."""
    order = ranking.order()[:n]
    scores, exact = ranking.scores[order], patched(circuits, order.tolist(), "verify").mean(0)
    made = xr.DataArray(np.stack([scores, exact]), dims=("value", "edge"), coords={"value": ["score", "exact"], "edge": order})
    same = int((np.sign(exact) == np.sign(scores)).sum())
    said = f"top {len(order)} edges patched exactly: {same} of the same sign"
    if unit == circuits.metric.unit:
        said += f", off by {float(np.abs(exact - scores).mean()):.3g} {unit} on average"
    return made, said


METHOD = Method("discover", "Find a circuit", "Hanna et al. 2024, arXiv:2403.17806", run, kind="circuit")
