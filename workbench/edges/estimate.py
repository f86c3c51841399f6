"""First-order scores of all edges, a few prompts at a time: what EAP, EAP-IG and RelP on edges share.

Sign, for all of them and for exact edge patching: how much worse the metric gets when the edge carries the ablated value, so
that + helps: how much it falls, or for a distance (kl) rises. (EAP-IG writes the loss and corrupt - clean: the same number.)
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor

from workbench import progress
from workbench.batches import counted_from
from workbench.edges.forecast import prompts_at_once
from workbench.edges.gradients import Gradients, read_gradients
from workbench.edges.scores import Tally, contract, on_edges
from workbench.edges.wiring import Wiring, Writes
from workbench.errors import BadInput
from workbench.graph import Graph, graph_from
from workbench.metrics import Answers, Metric, answers_of, metric_named
from workbench.pairs import Pairs
from workbench.result import Circuit
from workbench.sites import Site
from workbench.sweep import Run

GradientAt = Literal["clean", "corrupt", "both"]

# Runs whose gradients are held at once before they are multiplied out.
HELD = 8
# A gradient of the metric this small is none.
FLAT = 1e-7


class Batch:
    """Some prompts' two runs, and gradients on request.

    Attributes:
        moved: What every source writes on clean, less what it writes ablated.
    """

    def __init__(
        self,
        wiring: Wiring,
        pairs: Pairs,
        metric: Metric,
        rules: Sequence[str] | None,
        ablation: str,
        mean: Writes | None,
    ):
        self.wiring, self.pairs, self.metric, self.rules = wiring, pairs, metric, rules
        device = wiring.model.cfg.device
        self.tokens = {"clean": pairs.clean.to(device), "corrupt": pairs.corrupt.to(device)}
        self.end = pairs.end.to(device)
        self.run: dict[str, Run] = {}
        wrote: dict[str, Writes] = {}
        for name, tokens in self.tokens.items():
            self.run[name], wrote[name] = wiring.record(tokens, self.end)
        ablated = {"corrupt": wrote["corrupt"], "zero": None, "mean": mean}[ablation]
        self.moved = wrote["clean"] if ablated is None else wrote["clean"].each(torch.sub, ablated)
        self.answers: Answers = answers_of(pairs, device, self.run["clean"].logits)

    def measure(self, logits: Float[Tensor, "batch vocab"]) -> Float[Tensor, "batch"]:
        """The metric per prompt."""
        return self.metric.measure(logits, self.answers)

    def values(self, name: str) -> Float[Tensor, "batch"]:
        """The metric per prompt of the clean or the corrupt run."""
        return self.measure(self.run[name].logits)

    def ablated(self, site: Site) -> Tensor:
        """What stands at attn_out or mlp_out with its sources ablated; of the input, what the corrupt prompt has."""
        if site.name == "resid_pre":
            # Not zero: there the first norm has no gradient.
            return self.run["corrupt"].stream[0]
        heads = site.name == "attn_out"
        moved = self.wiring.heads(site.layer, self.moved.z[site.layer]).sum(1) if heads else self.moved.mlp[site.layer]
        return self.run["clean"].kept[site] - moved

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
    if ablation == "mean" and len(pairs) < 2:
        raise BadInput("ablation 'mean' must have at least 2 pairs; got 1. Make more pairs, or use 'corrupt'.")
    positions = pairs.clean.shape[1]
    tally = Tally(wiring.graph.n_edges * (positions if by_position else 1), len(pairs), keep=not by_position)
    clean, corrupt, steepest = [], [], 0.0
    mean = mean_writes(wiring, pairs) if ablation == "mean" else None
    with progress.bar(title, len(pairs) * n_passes, unit="pass") as bar:
        for some in batches(wiring, pairs, min(HELD, n_passes), rules, by_position):
            before = bar.done

            def work(some: Pairs = some) -> Float[np.ndarray, "batch number"]:
                batch = Batch(wiring, some, measured, rules, ablation, mean)
                return _scored(batch, passes(batch), tally.n_edges, by_position, partial(bar.advance, len(some)))

            # By the first prompt and not by the batch's number: after a kill other batches may fit into memory.
            with counted_from(tally.count):
                found = progress.remembered(f"{title}/{tally.count}-{len(some)}", work)
            clean.append(torch.from_numpy(found[:, 0]))
            corrupt.append(torch.from_numpy(found[:, 1]))
            steepest = max(steepest, float(found[:, 2].max()))
            tally.add(found[:, 3:])
            bar.advance(before + len(some) * n_passes - bar.done)
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
        tally.each,
    )


def _scored(
    batch: Batch, found: Iterable[Gradients], n_scores: int, by_position: bool, tell: Callable[[], None]
) -> Float[np.ndarray, "batch number"]:
    """Per prompt the metric clean and corrupt, the steepest gradient at the end, and the scores averaged over passes."""
    made = np.zeros((len(batch.pairs), 3 + n_scores), np.float32)
    made[:, 0], made[:, 1] = (batch.values(run).float().cpu().numpy() for run in ("clean", "corrupt"))
    total, count = made[:, 3:], 0
    held: list[Gradients] = []

    def multiply_out() -> None:
        first = 0
        for scores in contract(batch.wiring, batch.moved, held, by_position):
            total[first : first + len(scores)] += len(held) * on_edges(batch.wiring, scores).reshape(len(scores), -1)
            first += len(scores)
        held.clear()

    for gradients in found:
        made[:, 2] = np.maximum(made[:, 2], gradients.logits.abs().amax((1, 2)).float().cpu().numpy())
        held.append(gradients)
        count += 1
        if len(held) == HELD:
            multiply_out()
        tell()
    if held:
        multiply_out()
    total *= -batch.metric.worse / count
    return made


def batches(
    wiring: Wiring, pairs: Pairs, held: int = 1, rules: Sequence[str] | None = None, by_position: bool = False
) -> Iterator[Pairs]:
    """The pairs, as many at once as may be held with the gradients of `held` passes."""
    size = prompts_at_once(wiring, pairs, held, rules, by_position)
    if size >= len(pairs):
        yield pairs
        return
    for first in range(0, len(pairs), size):
        yield pairs.select(range(first, min(len(pairs), first + size)))


def mean_writes(wiring: Wiring, pairs: Pairs) -> Writes:
    """The mean over corrupt prompts of what every source writes: per position where the prompts have one layout."""
    total, count, done = None, 0, 0
    for some in batches(wiring, pairs):
        device = wiring.model.cfg.device
        with counted_from(done):
            _, wrote = wiring.record(some.corrupt.to(device), some.end.to(device))
        done += len(some)
        if pairs.same_layout:
            share = wrote.each(lambda value: value.sum(0, keepdim=True))
            count += len(some)
        else:
            real = torch.arange(some.clean.shape[1], device=device) < some.lengths.to(device).unsqueeze(1)
            share = wrote.each(lambda value, real=real: value[real].sum(0).expand(1, 1, *value.shape[2:]))
            count += int(some.lengths.sum())
        total = share if total is None else total.each(torch.add, share)
    assert total is not None
    return total.each(lambda value: value / count)


def sign_note(ablation: str) -> str:
    """The convention of edges' scores, in words for under a figure."""
    what = {"corrupt": "the corrupt prompt's value", "mean": "its mean over corrupt prompts", "zero": "zero"}[ablation]
    return f"+ helps: how much worse the metric gets when the edge carries {what}"


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
        raise BadInput(f"the circuit must say which edges it keeps; got {circuit.title!r}, scores alone. Use discover.")
    graph = graph_from(circuit)
    mask = np.zeros_like(graph.edges)
    mask[graph.edge_list] = circuit.parts["kept"].values
    return mask
