"""Nodes and edges replaced by hand, any number at once and each by its own value: what the metric and the answer become.

A node replaced writes the other value to the residual stream, so that everything after it reads that. An edge replaced hands
its one destination the other value of its source, and every other destination reads the source as it is in this run; where
the source is replaced as well, the edge's own value is what its destination reads. All else is computed anew. The run starts
at the first layer that is touched, from the stream kept of the clean run.

Source: path patching of single edges, Goldowsky-Dill et al. 2023, https://arxiv.org/abs/2304.05969.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from workbench.edges.replaced import Recorded, ReplacedRun
from workbench.edges.wiring import Stream, Wiring
from workbench.effects import mean_of, order_of_others
from workbench.errors import BadInput, at_least, one_of
from workbench.metrics import answers_of, metric_named
from workbench.pairs import Pairs

By = Literal["zero", "mean", "resample", "other"]

# What each puts in place, in words.
REPLACED_BY: dict[str, str] = {
    "zero": "zero",
    "mean": "its mean over the corrupt prompts",
    "resample": "what it is on the corrupt prompt of another pair",
    "other": "what it is on the corrupt prompt",
}


@dataclass(frozen=True)
class Intervention:
    """One node or edge, and what is put in its place.

    Attributes:
        place: A node, 'a5.h1', 'm0' or 'input', or an edge, 'a0.h1->a2.h3<q>'.
        by: 'zero'; its 'mean' over corrupt prompts; 'resample', the corrupt prompt of another pair; 'other', the corrupt run.
    """

    place: str
    by: str = "zero"

    def __post_init__(self):
        one_of("by", self.by, get_args(By))

    @property
    def kind(self) -> str:
        """'node' or 'edge'."""
        return "edge" if "->" in self.place else "node"

    def said(self) -> str:
        """In words, 'the edge a0.h1 → a2.h3<q> carries zero'."""
        verb = "carries" if self.kind == "edge" else "writes"
        return f"the {self.kind} {self.place.replace('->', ' → ')} {verb} {REPLACED_BY[self.by]}"


@dataclass(frozen=True, eq=False)
class Changed:
    """What interventions do, per prompt.

    Attributes:
        metric, unit: What is measured.
        before, after: The metric without and with the interventions.
        tokens: The answers before and after, [run batch rank], run 0 without: token ids, the most probable first.
        probabilities: Theirs.
        right: Probability of the right answers together, [run batch].
    """

    metric: str
    unit: str
    before: Float[np.ndarray, "batch"]
    after: Float[np.ndarray, "batch"]
    tokens: Int[np.ndarray, "2 batch rank"]
    probabilities: Float[np.ndarray, "2 batch rank"]
    right: Float[np.ndarray, "2 batch"]

    @property
    def change(self) -> float:
        """Mean over prompts of after - before."""
        return float((self.after - self.before).mean())

    @property
    def error(self) -> float:
        """One standard error of `change` over prompts; NaN where there is one prompt."""
        moved = self.after - self.before
        return float(moved.std(ddof=1) / len(moved) ** 0.5) if len(moved) > 1 else float("nan")


@torch.no_grad()
def recorded(model: Any, pairs: Pairs, metric: str = "logit_diff", readers: str = "query") -> Recorded:
    """The runs that interventions start from: two forward passes.

    Raises:
        BadInput: When there is no such metric, or `readers` is none.
    """
    wiring, device = Wiring(model, readers), model.cfg.device
    metric_named(metric)
    end = pairs.end.to(device)
    run, clean = wiring.record(pairs.clean.to(device), end)
    _, corrupt = wiring.record(pairs.corrupt.to(device), end)
    return Recorded(pairs, metric, readers, run.stream, clean, corrupt, run.logits, answers_of(pairs, device, run.logits))


def intervened(
    model: Any,
    pairs: Pairs,
    interventions: Sequence[Intervention],
    *,
    metric: str = "logit_diff",
    readers: str = "query",
    seed: int = 0,
    top: int = 5,
    base: Recorded | None = None,
) -> Changed:
    """The metric and the most probable tokens with nodes and edges replaced, beside those of the clean run.

    Convention: `change` is with interventions less without, on the clean prompts; a node is replaced for all that read it, an
    edge for its destination alone, and an edge's own replacement goes before that of its source. Of several at one place the
    last counts. Source: Goldowsky-Dill et al. 2023, https://arxiv.org/abs/2304.05969; an edge replaced by 'other', 'mean' or
    'zero' is `edge_patch` with that ablation, of opposite sign.

    Args:
        model: The model.
        pairs: The prompts.
        interventions: What is replaced by what; none gives the clean run.
        metric: logit_diff, prob_diff, log_prob or kl (to the clean run).
        readers: Keys and values read per 'query' head, or per 'key_value' head, as edges are named.
        seed: Of the draw of other pairs for 'resample'.
        top: Tokens told, at least 1.
        base: The runs of `recorded` for the same model, pairs, metric and readers, where they are at hand.
    Returns:
        Changed.
    Raises:
        BadInput: When a place is no node or edge of this model, or a replacement is not to be had from these pairs.
    """
    at_least("top", top, 1)
    base = base or recorded(model, pairs, metric, readers)
    wiring = Wiring(model, base.readers)
    nodes, edges = _places(wiring, interventions)
    logits = base.logits
    if nodes or edges:
        with torch.no_grad():
            replaced = partial(_replaced, wiring, base, seed)
            values = {src: replaced(src, by) for src, by in nodes.items()}
            carried = {edge: replaced(edge[0], by) for edge, by in edges.items()}
            logits = ReplacedRun(wiring, base, values, carried).logits()
    return _changed(base, logits, top)


def _places(wiring: Wiring, interventions: Sequence[Intervention]) -> tuple[dict[int, str], dict[tuple[int, int], str]]:
    """What replaces which sources and which edges, by their indices."""
    nodes: dict[int, str] = {}
    edges: dict[tuple[int, int], str] = {}
    for each in interventions:
        if each.kind == "edge":
            edges[wiring.graph.edge(each.place)] = each.by
        elif each.place == "logits":
            raise BadInput("a node must write to the stream to be replaced; got 'logits'. Choose one of the edges into it.")
        else:
            nodes[wiring.graph.source(each.place)] = each.by
    return nodes, edges


def _replaced(wiring: Wiring, base: Recorded, seed: int, src: int, by: str) -> Stream:
    """What a source writes when replaced."""
    corrupt = wiring.written(base.corrupt, src)
    if by == "zero":
        return torch.zeros_like(corrupt)
    if by == "other":
        return corrupt
    if len(base.pairs) < 2:
        raise BadInput(f"{by!r} must have at least 2 pairs; got 1. Make more pairs, or use 'other' or 'zero'.")
    if by == "mean":
        return mean_of(base.pairs, corrupt)
    if not bool((base.pairs.lengths == base.pairs.lengths[0]).all()):
        raise BadInput("'resample' must have prompts of one length; got several. Use 'mean', 'other' or 'zero'.")
    return corrupt[order_of_others(len(base.pairs), seed)]


def _changed(base: Recorded, logits: Float[Tensor, "batch vocab"], top: int) -> Changed:
    measured = metric_named(base.metric)
    runs = [base.logits, logits]
    values = [measured.measure(each, base.answers).double().cpu().numpy() for each in runs]
    right = [metric_named("log_prob").measure(each, base.answers).exp().double().cpu().numpy() for each in runs]
    likeliest = [each.float().softmax(-1).topk(min(top, each.shape[-1])) for each in runs]
    return Changed(
        base.metric,
        measured.unit,
        *values,
        tokens=np.stack([each.indices.cpu().numpy() for each in likeliest]),
        probabilities=np.stack([each.values.double().cpu().numpy() for each in likeliest]),
        right=np.stack(right),
    )
