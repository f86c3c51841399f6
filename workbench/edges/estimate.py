"""First-order scores of all edges, a few prompts at a time: what EAP, EAP-IG and RelP on edges share.

Sign, for all of them and for exact edge patching: how much the metric falls when the edge carries the ablated value; +
helps. (EAP-IG writes the loss -metric and corrupt - clean: the same number.)
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor

from workbench import progress
from workbench.edges.forecast import prompts_at_once
from workbench.edges.gradients import Gradients, read_gradients
from workbench.edges.scores import Tally, contract, on_edges
from workbench.edges.wiring import Wiring, Writes
from workbench.effects import mean_of
from workbench.errors import BadInput
from workbench.graph import Graph, graph_from
from workbench.metrics import Answers, Metric, answers_of, metric_named
from workbench.pairs import Pairs
from workbench.result import Circuit
from workbench.sweep import Run

GradientAt = Literal["clean", "corrupt", "both"]

# Runs whose gradients are held at once before they are multiplied out.
HELD = 8
# A gradient of the metric this small is none.
FLAT = 1e-7


class Batch:
    """Some prompts' two runs, and gradients on request."""

    def __init__(self, wiring: Wiring, pairs: Pairs, metric: Metric, rules: Sequence[str] | None):
        self.wiring, self.pairs, self.metric, self.rules = wiring, pairs, metric, rules
        device = wiring.model.cfg.device
        self.tokens = {"clean": pairs.clean.to(device), "corrupt": pairs.corrupt.to(device)}
        self.end = pairs.end.to(device)
        self.run: dict[str, Run] = {}
        self.wrote: dict[str, Writes] = {}
        for name, tokens in self.tokens.items():
            self.run[name], self.wrote[name] = wiring.record(tokens, self.end)
        self.answers: Answers = answers_of(pairs, device, self.run["clean"].logits)

    def measure(self, logits: Float[Tensor, "batch vocab"]) -> Float[Tensor, "batch"]:
        """The metric per prompt."""
        return self.metric.measure(logits, self.answers)

    def values(self, name: str) -> Float[Tensor, "batch"]:
        """The metric per prompt of the clean or the corrupt run."""
        return self.measure(self.run[name].logits)

    def gradients(self, tokens: str = "clean", writes: dict | None = None) -> Gradients:
        """At every destination, in the clean or corrupt run, perhaps with something written."""
        return read_gradients(self.wiring, self.tokens[tokens], self.end, self.measure, self.rules, writes)


def estimated(
    model: Any,
    pairs: Pairs,
    passes: Callable[[Batch], Iterable[Gradients]],
    *,
    title: str,
    readers: str,
    metric: str,
    ablation: str,
    by_position: bool,
    n_passes: int = 1,
    rules: Sequence[str] | None = None,
    notes: dict[str, str] | None = None,
) -> Circuit:
    """Score every edge by (clean - ablated contribution of its source) · (mean gradient of `passes` at its destination).

    `n_passes` is how many gradients `passes` yields, for the forecast of memory.

    Raises:
        BadInput: When the metric has no gradient, or positions are asked for and the prompts differ in length.
    """
    wiring, measured = Wiring(model, readers), metric_named(metric)
    if by_position and not bool((pairs.lengths == pairs.lengths[0]).all()):
        raise BadInput("by_position must have prompts of one length; got several. Use by_position=False, or fix the template.")
    positions = pairs.clean.shape[1]
    tally = Tally(wiring.graph.n_edges * (positions if by_position else 1), len(pairs))
    clean, corrupt, steepest = [], [], 0.0
    mean = mean_writes(wiring, pairs) if ablation == "mean" else None
    with progress.bar(title, len(pairs), unit="prompt") as bar:
        for some in batches(wiring, pairs, min(HELD, n_passes), rules):
            batch = Batch(wiring, some, measured, rules)
            wrote = batch.wrote["clean"]
            difference = wrote if ablation == "zero" else wrote - (mean_at(mean, wrote) if mean else batch.wrote["corrupt"])
            total, count = np.zeros((len(some), tally.n_edges), np.float32), 0
            found_by = iter(passes(batch))
            while gradients := list(itertools.islice(found_by, HELD)):
                steepest = max([steepest, *(float(each.logits.abs().max()) for each in gradients)])
                first, count = 0, count + len(gradients)
                for scores in contract(wiring, difference, gradients, by_position):
                    total[first : first + len(scores)] += len(gradients) * on_edges(wiring, scores).reshape(len(scores), -1)
                    first += len(scores)
            total /= count
            tally.add(total)
            clean.append(batch.values("clean"))
            corrupt.append(batch.values("corrupt"))
            bar.advance(len(some))
    if steepest <= FLAT:
        raise BadInput(
            f"the metric must change with the activations; got {metric!r} with no gradient. Distances have none where they "
            "are 0: use logit_diff, or the gradient at the corrupt run."
        )
    shape = (positions, -1) if by_position else (-1,)
    error = tally.error
    return as_circuit(
        wiring.graph,
        title,
        measured.unit,
        tally.mean.reshape(shape),
        None if error is None else error.reshape(shape),
        {"clean": torch.cat(clean), "corrupt": torch.cat(corrupt)},
        {"sign": sign_note(ablation), **(notes or {})},
        tally.each if not by_position else None,
    )


def batches(wiring: Wiring, pairs: Pairs, held: int = 1, rules: Sequence[str] | None = None) -> Iterator[Pairs]:
    """The pairs, as many at once as may be held with the gradients of `held` passes."""
    size = prompts_at_once(wiring, pairs, held, rules)
    if size >= len(pairs):
        yield pairs
        return
    for first in range(0, len(pairs), size):
        yield pairs.select(range(first, min(len(pairs), first + size)))


def mean_writes(wiring: Wiring, pairs: Pairs) -> Writes:
    """The mean over corrupt prompts of what every source writes: per position where the prompts have one layout."""
    total, count = None, 0
    for some in batches(wiring, pairs):
        device = wiring.model.cfg.device
        _, wrote = wiring.record(some.corrupt.to(device), some.end.to(device))
        if pairs.same_layout:
            weight = len(some)
            share = wrote.each(lambda value, weight=weight: value.mean(0, keepdim=True) * weight)
        else:
            weight = int(some.lengths.sum())
            share = wrote.each(lambda value, some=some, weight=weight: mean_of(some, value)[:1, :1] * weight)
        total = share if total is None else total.each(torch.add, share)
        count += weight
    assert total is not None
    return total.each(lambda value: value / count)


def mean_at(mean: Writes, like: Writes) -> Writes:
    """The mean, shaped as some prompts' contributions."""
    return like.each(lambda value, centre: centre.expand_as(value), mean)


def sign_note(ablation: str) -> str:
    """The convention of edges' scores, in words for under a figure."""
    what = {"corrupt": "the corrupt prompt's value", "mean": "its mean over corrupt prompts", "zero": "zero"}[ablation]
    return f"+ helps: how much the metric falls when the edge carries {what}"


def as_circuit(
    graph: Graph,
    title: str,
    unit: str,
    scores: Float[np.ndarray, "*pos edge"],
    error: Float[np.ndarray, "*pos edge"] | None,
    runs: dict[str, Tensor],
    notes: dict[str, str],
    each: Float[np.ndarray, "batch edge"] | None = None,
) -> Circuit:
    """A Circuit of a graph's edges, with mean ± 1 s.e. over prompts where there is one, and the runs' metric per prompt."""
    src, dst = graph.edge_list
    coords = {"edge": np.arange(graph.n_edges), "src": ("edge", src.astype(np.int32)), "dst": ("edge", dst.astype(np.int32))}
    dims: tuple[str, ...] = ("edge",)
    if scores.ndim == 2:
        dims, coords = ("pos", "edge"), {"pos": np.arange(len(scores)), **coords}

    def labelled(values: np.ndarray) -> xr.DataArray:
        return xr.DataArray(values, dims=dims, coords=coords)

    parts = graph_parts(graph)
    for name, values in runs.items():
        count = np.arange(len(values))
        parts[name] = xr.DataArray(values.double().cpu().numpy(), dims=("prompt",), coords={"prompt": count})
    if each is not None and len(each) > 1:
        coordinates = {"prompt": np.arange(len(each)), "edge": np.arange(graph.n_edges)}
        parts["each"] = xr.DataArray(each, dims=("prompt", "edge"), coords=coordinates)
    return Circuit(
        title,
        unit,
        labelled(scores),
        lower=None if error is None else labelled(scores - error),
        upper=None if error is None else labelled(scores + error),
        parts=parts,
        notes=notes if error is None else {**notes, "interval": "mean ± 1 s.e. over prompts"},
    )


def graph_parts(graph: Graph) -> dict[str, xr.DataArray]:
    """What a Circuit keeps of its graph."""
    fields = ["n_layers", "n_heads", "n_readers", "mlps", "parallel"]
    return {
        "sources": xr.DataArray(np.array(graph.sources), dims=("source",)),
        "destinations": xr.DataArray(np.array(graph.destinations), dims=("destination",)),
        "graph": xr.DataArray(
            np.array([int(getattr(graph, name)) for name in fields]), dims=("field",), coords={"field": fields}
        ),
    }


def kept_mask(circuit: Circuit) -> np.ndarray:
    """The edges a Circuit keeps, [src dst].

    Raises:
        BadInput: When nothing was selected.
    """
    if "kept" not in circuit.parts:
        raise BadInput(f"the circuit must say which edges it keeps; got {circuit.title!r}, scores alone. Use discover or keep.")
    graph = graph_from(circuit)
    mask = np.zeros_like(graph.edges)
    mask[graph.edge_list] = circuit.parts["kept"].values
    return mask
