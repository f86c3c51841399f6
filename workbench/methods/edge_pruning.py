"""Edge pruning: a mask over all edges, learned by gradient so that few open edges give back the model's answer."""

import math
from typing import Any

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor

from workbench import progress
from workbench.edges.blocks import learned_at_once
from workbench.edges.estimate import as_circuit
from workbench.edges.run import Ablation, Circuits
from workbench.edges.wiring import Wiring
from workbench.errors import BadInput, at_least
from workbench.graph import Readers
from workbench.methods.method import Method
from workbench.metrics import MetricName
from workbench.pairs import Pairs
from workbench.result import Circuit

TITLE = "Edge pruning"
# The hard concrete distribution of Louizos et al. 2018: a sigmoid, stretched past 0 and 1 and cut off there.
TEMPERATURE, LOW, HIGH = 2 / 3, -0.1, 1.1
# Log-odds at which all edges begin: nearly always open.
START = 3.0
# The share of steps in which the wanted density falls from 1 to its end; the rest refines.
FALLING = 0.6
# How the price of an open edge follows what is open over what is wanted: slowly, and at once by this power of it.
DUAL_RATE, AT_ONCE = 0.1, 4
# Steps after which a killed run goes on.
SAVED_EVERY = 10


def run(
    model: Any,
    pairs: Pairs,
    *,
    keep: int | float = 0.05,
    steps: int = 100,
    rate: int | float = 0.3,
    batch: int = 8,
    metric: MetricName = "kl",
    ablation: Ablation = "corrupt",
    readers: Readers = "query",
    seed: int = 0,
) -> Circuit:
    """The probability with which a learned mask leaves each edge open.

    Convention: from 0 to 1; kept are edges of more than 1/2, without dangling ones. What is learned is the distance from the
    whole model's answer, under a price for open edges that moves until the wanted share is open. Source: Bhaskar et al. 2024,
    https://arxiv.org/abs/2406.16778, with hard concrete masks (Louizos et al. 2018, https://arxiv.org/abs/1712.01312); the
    price follows the logarithm of the density, where theirs is a Lagrangian, and there are no masks of nodes.

    Args:
        model: The model.
        pairs: Clean and corrupt prompts.
        keep: Share of edges to leave open, above 0, at most 1.
        steps: Steps of Adam, each a differentiable run of one drawn circuit.
        rate: Learning rate of the log-odds.
        batch: Prompts per step.
        metric: kl, or the distance of logit_diff, prob_diff or log_prob from the whole model's.
        ablation: What a closed edge carries: the 'corrupt' prompt's value, its 'mean' over corrupt prompts, or 'zero'.
        readers: Keys and values read per 'query' head, or per 'key_value' head where several share one.
        seed: Of the draws.
    Returns:
        Circuit over edge in probability, with the parts kept and trained (step): the loss as it went.
    Raises:
        BadInput: When a parameter is out of its range, or the ablated model gives the clean answer already.
    """
    at_least("steps", steps, 1)
    at_least("batch", batch, 1)
    if not 0 < keep <= 1:
        raise BadInput(f"keep must be above 0 and at most 1, a share of all edges; got {keep}.")
    if not rate > 0:
        raise BadInput(f"rate must be above 0; got {rate}.")
    circuits = Circuits(Wiring(model, readers), pairs, metric, ablation)
    graph = circuits.wiring.graph
    masks = _Masks(circuits, float(keep), steps, float(rate), seed)
    losses = masks.learned(batch)
    opened = masks.open().double().cpu().numpy()
    kept = np.zeros_like(graph.edges)
    kept[graph.edge_list] = opened > 0.5
    found = graph.pruned(kept)
    notes = {
        "sign": "from 0 to 1: the probability with which the learned mask leaves the edge open",
        "selection": f"probability above 1/2: {kept.sum():,} edges, {found.sum():,} kept; {keep:.3g} of all were asked for",
    }
    made = as_circuit(graph, TITLE, "probability", opened, None, {"clean": circuits.clean, "corrupt": circuits.corrupt}, notes)
    parts = {
        "kept": xr.DataArray(found[graph.edge_list], dims=("edge",)),
        "trained": xr.DataArray(losses, dims=("step",), coords={"step": np.arange(steps)}),
    }
    return made.replace(parts={**made.parts, **parts})


class _Masks:
    """Log-odds of all edges, and what moves them."""

    def __init__(self, circuits: Circuits, keep: float, steps: int, rate: float, seed: int):
        self.circuits, self.keep, self.steps, self.seed = circuits, keep, steps, seed
        graph = circuits.wiring.graph
        self.places = tuple(torch.from_numpy(index).to(circuits.device) for index in graph.edge_list)
        self.odds = torch.full((graph.n_edges,), START, device=circuits.device, requires_grad=True)
        self.adam = torch.optim.Adam([self.odds], lr=rate, betas=(0.9, 0.95))
        gap = float(self.distance(circuits.empty, slice(None)))
        if gap < 1e-6:
            raise BadInput(
                f"edge pruning must have something to lose; got ablated runs {gap:.1g} {circuits.metric.unit} from the clean "
                "ones. Use other pairs, another ablation, or another metric."
            )
        # The price of all edges together: at first as much as the whole behaviour is worth.
        self.price = math.log(gap)

    def distance(self, values: Float[Tensor, "*circuit batch"], rows: slice) -> Float[Tensor, ""]:
        """How far from the whole model's answer, averaged."""
        if self.circuits.metric.name == "kl":
            return values.mean()
        return (values - self.circuits.clean[rows]).abs().mean()

    def open(self) -> Float[Tensor, "edge"]:
        """The probability that an edge's mask is not 0."""
        return torch.sigmoid(self.odds.detach() - TEMPERATURE * math.log(-LOW / HIGH))

    def drawn(self, generator: torch.Generator) -> Float[Tensor, "1 src dst"]:
        """One mask, differentiable in the log-odds."""
        graph = self.circuits.wiring.graph
        even = torch.rand(len(self.odds), generator=generator).clamp(1e-6, 1 - 1e-6).to(self.odds.device)
        share = torch.sigmoid((even.logit() + self.odds) / TEMPERATURE) * (HIGH - LOW) + LOW
        mask = torch.zeros(1, *graph.edges.shape, device=self.odds.device)
        return mask.index_put((torch.zeros_like(self.places[0]), *self.places), share.clamp(0, 1))

    def learned(self, batch: int) -> Float[np.ndarray, "step"]:
        """Take all steps; gives the loss of each."""
        ledger, losses = progress.ledger(), np.full(self.steps, np.nan)
        first = self._resume(ledger, losses)
        for step in progress.track(range(first, self.steps), TITLE):
            generator = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
            losses[step] = self._step(self._rows(batch, step), generator, step)
            if ledger is not None and (step + 1) % SAVED_EVERY == 0:
                self._save(ledger, step, losses)
        return losses

    def _rows(self, batch: int, step: int) -> slice:
        """The prompts of a step: all in turn, `batch` at a time."""
        total = len(self.circuits.pairs)
        blocks = -(-total // batch)
        first = (step % blocks) * batch
        return slice(first, min(total, first + batch))

    def _step(self, rows: slice, generator: torch.Generator, step: int) -> float:
        wanted = self.keep ** min(1.0, (step + 1) / (FALLING * self.steps))
        excess = math.log(float(self.open().mean()) / wanted)
        with torch.enable_grad():
            mask, loss, gradient = self.drawn(generator), 0.0, torch.zeros_like(self.odds)
            price = math.exp(self.price + AT_ONCE * excess)
            density = torch.sigmoid(self.odds - TEMPERATURE * math.log(-LOW / HIGH)).mean()
            total = price * density
            for part in self._parts(rows):
                share = (part.stop - part.start) / (rows.stop - rows.start)
                missed = share * self.distance(self.circuits.run(mask, part), part)
                gradient += torch.autograd.grad(missed + total, [self.odds], retain_graph=True)[0]
                loss, total = loss + float(missed.detach()), 0.0
        self.odds.grad = gradient
        self.adam.step()
        self.price += DUAL_RATE * max(-1.0, min(1.0, excess))
        return loss

    def _parts(self, rows: slice) -> list[slice]:
        """The prompts of a step, as many at a time as fit: their gradients add up."""
        length = self.circuits.pairs.clean.shape[1] - self.circuits.start
        most = learned_at_once(self.circuits.wiring, rows.stop - rows.start, length)
        return [slice(first, min(rows.stop, first + most)) for first in range(rows.start, rows.stop, most)]

    def _save(self, ledger: progress.Ledger, step: int, losses: np.ndarray) -> None:
        state = self.adam.state[self.odds]
        kept = torch.stack([self.odds.detach(), state["exp_avg"], state["exp_avg_sq"]]).double().cpu().numpy()
        ledger.put(f"{TITLE}/{step + 1}", np.concatenate([kept.ravel(), [self.price], losses[: step + 1]]))

    def _resume(self, ledger: progress.Ledger | None, losses: np.ndarray) -> int:
        """Take up the last state written; gives the step to go on with."""
        for done in range(self.steps - self.steps % SAVED_EVERY, 0, -SAVED_EVERY):
            found = None if ledger is None else ledger.get(f"{TITLE}/{done}")
            if found is None:
                continue
            size = len(self.odds)
            odds, average, square = torch.from_numpy(found[: 3 * size]).float().to(self.odds.device).view(3, size)
            with torch.no_grad():
                self.odds.copy_(odds)
            self.adam.state[self.odds] = {"step": torch.tensor(float(done)), "exp_avg": average, "exp_avg_sq": square}
            self.price = float(found[3 * size])
            losses[:done] = found[3 * size + 1 :]
            return done
        return 0


METHOD = Method("edge_pruning", TITLE, "Bhaskar et al. 2024, arXiv:2406.16778", run, kind="circuit")
