"""How the induction circuit of a language model forms: its measures at every checkpoint of a run, and over seeds.

Source: Olsson et al. 2022, https://arxiv.org/abs/2209.11895: the previous-token head, prefix matching and the in-context score
turn together, in one short phase of training. Here the text has phrases that come again (see `text`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float, Int

from workbench import progress
from workbench.channels.weights import Heads
from workbench.detectors.induction import circuits, strongest
from workbench.detectors.loss import surprisals
from workbench.dynamics.events import half_way
from workbench.dynamics.language import Pace, Shape, learn
from workbench.dynamics.text import TEST, Text
from workbench.errors import BadInput, at_least
from workbench.home import home
from workbench.models import load
from workbench.result import Curve

# Test texts; sequences of random tokens, how many, how often they come.
TEXTS, EXAMPLES, LENGTH, COPIES = 256, 10, 25, 4
# Words at the beginning and at the end of a text whose losses the in-context score compares; the very first is left out.
WINDOW = 20
MEASURES = {
    "previous token": "attention of the one head to the token before, on random tokens that repeat",
    "prefix matching": "attention of the induction head to what followed earlier copies of the token",
    "K-composition": "how much of what the induction head's keys read the previous-token head writes",
    "loss on copies": "loss on random tokens that come again, as a share of that when they come first",
}
LOSSES = {
    "loss": "of the mean word of a new text",
    "loss, told again": "of the words of a phrase that was told before, after its first",
    "loss, all others": "of all other words",
    "in-context score": f"loss of the last {WINDOW} words of a text less that of the first",
}


@dataclass(frozen=True, eq=False)
class Point:
    """A model at one step.

    Attributes:
        previous, prefix: Attention of every head, as in `detectors.induction`; means over sequences.
        composition: K-composition of every pair of heads.
        copies: Loss on random tokens that come again over that when they come first.
        losses: The LOSSES, in nats; means over texts.
    """

    previous: Float[np.ndarray, "layer head"]
    prefix: Float[np.ndarray, "layer head"]
    composition: Float[np.ndarray, "layer head layer head"]
    copies: float
    losses: Float[np.ndarray, "loss"]


def point(model: Any, text: Text) -> Point:
    """Measure a model that was trained on such texts; the test texts are the same for all."""
    heads = Heads(model)
    found = circuits(heads, EXAMPLES, LENGTH, COPIES, 0)
    batch = text.batch(0, TEST, TEXTS)
    loss = surprisals(model, batch.tokens, torch.ones_like(batch.again), "losses")[:, 1:].double()
    again = batch.again[:, 1:]
    score = loss[:, -WINDOW:].mean() - loss[:, 1 : WINDOW + 1].mean()
    losses = torch.stack([loss.mean(), loss[again].mean(), loss[~again].mean(), score]).numpy()
    each = (found.previous.mean(0), found.prefix.mean(0), found.composition)
    arrays = [one.double().numpy() for one in each]
    return Point(*arrays, float((found.again / found.first).mean()), losses)


@dataclass(frozen=True, eq=False)
class Formed:
    """Runs of one kind, measured at the same steps.

    Attributes:
        steps: Of the checkpoints.
        seeds: Of the runs.
        heads: The previous-token head and the induction head of every run, as they are in the end: '0.3 > 1.3'.
        shares: The MEASURES of these heads, from the first step on.
        losses: The LOSSES and the in-context score, in nats.
    """

    steps: Int[np.ndarray, "step"]
    seeds: list[int]
    heads: list[str]
    shares: Float[np.ndarray, "measure seed step"]
    losses: Float[np.ndarray, "loss seed step"]


def measured(folder: str | Path, steps: Sequence[int], text: Text, seed: int, device: str = "cpu") -> Formed:
    """Measure the checkpoints of one run, whose folder this is."""
    points = []
    for step in progress.track(list(steps), "Measuring checkpoints"):
        with progress.listening(lambda _: None):
            points.append(point(load(f"{folder}@step{step}", device=device), text))
    one, other = strongest(points[-1].previous, points[-1].prefix)
    shares = [[now.previous[one], now.prefix[other], now.composition[(*one, *other)], now.copies] for now in points]
    losses = [now.losses for now in points]
    name = f"{one[0]}.{one[1]} > {other[0]}.{other[1]}"
    return Formed(np.array(list(steps)), [seed], [name], np.array(shares).T[:, None], np.array(losses).T[:, None])


def joined(runs: Sequence[Formed]) -> Formed:
    """Runs of several seeds as one."""
    each = {name: np.concatenate([getattr(run, name) for run in runs], 1) for name in ("shares", "losses")}
    return Formed(runs[0].steps, [run.seeds[0] for run in runs], [run.heads[0] for run in runs], **each)


def formation(
    text: Text,
    shape: Shape,
    pace: Pace,
    *,
    steps: int = 1500,
    every: int = 50,
    seeds: int = 3,
    device: str = "cpu",
) -> Curve:
    """How an induction circuit forms in a small language model, by step: attention, composition, and what is saved.

    Convention: the heads are those that are the circuit at the end of a seed's run, followed back to its start. The transition
    is the step at which prefix matching is half-way from its first value to its last. Source: Olsson et al. 2022,
    https://arxiv.org/abs/2209.11895 (measures), on text of this project's own.

    Args:
        text: What the models read.
        shape: What they are.
        pace: How they are trained; its seed is that of the first.
        steps: Steps of training.
        every: Steps between checkpoints.
        seeds: Models, of seeds that follow each other.
        device: Where to compute.
    Returns:
        Curve (series, step) in shares, mean ± 1 s.e. over seeds; parts seeds (series, seed, step); transition (seed) in steps,
        NaN where prefix matching did not rise; losses (loss, seed, step) in nats, the in-context score among them.
    """
    for name, value in (("steps", steps), ("every", every), ("seeds", seeds)):
        at_least(name, value, 1)
    at_least("layers, for one head to read another,", shape.layers, 2)
    if text.words < LENGTH:
        raise BadInput(f"words must be at least {LENGTH}, those of the random lists that tell the circuit; got {text.words}.")
    if text.length < 2 * WINDOW + 2:
        raise BadInput(
            f"length must be at least {2 * WINDOW + 2}: the in-context score compares the {WINDOW} first and last words of a "
            f"text; got {text.length}."
        )
    kept = sorted({*range(0, steps + 1, every), steps})
    runs = []
    for seed in range(pace.seed, pace.seed + seeds):
        own = Pace(pace.rate, pace.batch, seed)
        # Weights of another device or version are others.
        named = progress.digest(text, shape, own, device, version("torch"), version("transformers"))
        folder = home() / "dynamics" / f"text-{named}"
        learn(text, shape, own, steps=steps, keep=kept, folder=folder, device=device)
        runs.append(measured(folder, kept, text, seed, device))
        progress.show(lambda: curve_of(joined(runs)))
    return curve_of(joined(runs))


def curve_of(formed: Formed) -> Curve:
    """Runs as a Curve; see `formation`."""
    steps, count = formed.steps, len(formed.seeds)
    moved = np.array([half_way(steps, one) for one in formed.shares[list(MEASURES).index("prefix matching")]])
    risen = moved[~np.isnan(moved)]
    half = f", half-way at step {np.median(risen):.0f} (median; {risen.min():.0f} to {risen.max():.0f})" if len(risen) else ""
    notes = {
        "sign": "shares of attention, of what can be composed, and of the loss that is left",
        "range": "positive",
        "transition": f"{len(risen)} of {count} seeds form an induction head{half}",
        "heads": f"previous-token > induction head, by seed: {', '.join(formed.heads)}",
        **MEASURES,
    }
    by_seed = {"seed": formed.seeds, "step": steps}
    parts = {
        "seeds": xr.DataArray(formed.shares, dims=("series", *by_seed), coords={"series": list(MEASURES), **by_seed}),
        "transition": xr.DataArray(moved, dims=("seed",), coords={"seed": formed.seeds}),
        "losses": xr.DataArray(formed.losses, dims=("loss", *by_seed), coords={"loss": list(LOSSES), **by_seed}),
    }
    return _curve("An induction circuit forms", "share", parts["seeds"], parts=parts, notes=notes)


def losses_of(curve: Curve) -> Curve:
    """The losses and the in-context score that stand beside what `formation` gives."""
    notes = {"transition": curve.notes["transition"], "sign": "nats per word; a score below 0 is learnt in context", **LOSSES}
    each, parts = curve.parts["losses"].rename(loss="series"), {"transition": curve.parts["transition"]}
    made = _curve("What the context saves", "nats", each, notes=notes, parts=parts)
    return made.replace(origin=curve.origin)


def _curve(title: str, unit: str, each: xr.DataArray, *, notes: dict[str, str], **more: Any) -> Curve:
    """The mean over seeds, with the standard error where there are several."""
    centre, count = each.mean("seed"), each.sizes["seed"]
    told = {"x": "steps", "interval": f"mean ± 1 s.e. over {count} seeds" if count > 1 else "one seed: no interval"}
    band = {}
    if count > 1:
        error = each.std("seed", ddof=1) / count**0.5
        band = {"lower": centre - error, "upper": centre + error}
    if np.isnan(centre).any():
        told["nan"] = "in the test texts no phrase came again"
    return Curve(title, unit, centre, **band, notes={**notes, **told}, **more)
