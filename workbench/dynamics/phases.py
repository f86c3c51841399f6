"""Where networks learn in context and where in their weights, over a grid of settings; and whether L = N keeps them from it."""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import xarray as xr

from workbench.dynamics.bursty import Setting
from workbench.dynamics.events import half_ways
from workbench.dynamics.measures import MEASURES
from workbench.dynamics.stack import Recipe
from workbench.dynamics.study import seeded, traces
from workbench.errors import BadInput, at_least, one_of
from workbench.result import Scores

ANSWERS = ("ic", "ic2", "iw")
# Fields of a setting that change no shape, so that a whole grid is trained at once.
Swept = Literal["classes", "burst", "noise", "zipf", "p_burst", "p_novel"]
SWEPT = get_args(Swept)
LEARNED = 0.9


def phases(
    setting: Setting,
    recipe: Recipe,
    *,
    across: Swept = "classes",
    values: str | Sequence[str] = ("128", "512", "2048"),
    down: Swept = "burst",
    rows: str | Sequence[str] = ("1", "2", "4"),
    steps: int = 3000,
    seeds: int = 3,
    seed: int = 0,
    device: str = "cpu",
) -> Scores:
    """How often networks are right from the context and from their weights, over two properties of the task.

    Convention: as in the paper's diagram, the sequences of training are of fixed classes, unless p_novel says otherwise.
    Chance is 1 / labels.

    Args:
        setting: The task; two of its fields are replaced.
        recipe: How networks are trained.
        across: A field: 'classes' (K), 'burst' (B), 'noise' (ε), 'zipf' (α), 'p_burst' or 'p_novel'.
        values: Its values.
        down: Another field.
        rows: Its values.
        steps: Steps of training.
        seeds: Networks per cell, of seeds that follow each other.
        seed: The first.
        device: Where to compute.
    Returns:
        Scores (measure, down, across) in shares right on ic, ic2 and iw, mean ± 1 s.e. over seeds; part seeds has a dim more.
    Raises:
        BadInput: When a field is none of these, both are the same, or a value is none of its own.
    """
    for name, field in (("across", across), ("down", down)):
        one_of(name, field, SWEPT)
    if across == down:
        raise BadInput(f"down must be another field than across; got {down!r} for both.")
    columns, lines = _values(setting, across, values), _values(setting, down, rows)
    cells = [dataclasses.replace(setting, **{down: line, across: column}) for line, column in itertools.product(lines, columns)]
    members = [member for cell in cells for member in seeded(cell, seed, seeds)]
    trace = traces(members, recipe, steps, steps, device)
    each = np.stack([trace.of(name)[:, -1].reshape(len(lines), len(columns), seeds) for name in ANSWERS])
    coords = {"measure": list(ANSWERS), down: lines, across: columns}
    centre = xr.DataArray(each.mean(-1), dims=("measure", down, across), coords=coords)
    band = {}
    if seeds > 1:
        error = each.std(-1, ddof=1) / seeds**0.5
        band = {"lower": centre - error, "upper": centre + error}
    notes = {
        "sign": f"share of test sequences answered right after {steps} steps; chance is {1 / setting.labels:.3f}",
        "range": "positive",
        "interval": f"mean ± 1 s.e. over {seeds} seeds",
        **{name: MEASURES[name] for name in ANSWERS},
    }
    seen = np.arange(seed, seed + seeds)
    parts = {"seeds": xr.DataArray(each, dims=("measure", down, across, "seed"), coords={**coords, "seed": seen})}
    return Scores("In-context and in-weights learning", "share right", centre, **band, parts=parts, notes=notes)


def _values(setting: Setting, field: str, words: str | Sequence[str]) -> list[int] | list[float]:
    """The values that words list for a field."""
    kind = int if isinstance(getattr(setting, field), int) and field in ("classes", "burst") else float
    listed = words.split(",") if isinstance(words, str) else list(words)
    try:
        return [kind(word) for word in listed]
    except ValueError:
        given = ",".join(listed)
        raise BadInput(f"values of {field} must be {'whole ' * (kind is int)}numbers; got {given!r}.") from None


def saddle(
    setting: Setting,
    recipe: Recipe,
    *,
    factors: str | Sequence[str] = ("1", "4"),
    architecture: Literal["attention", "unbiased"] = "attention",
    steps: int = 4000,
    every: int = 100,
    seeds: int = 6,
    seed: int = 0,
    device: str = "cpu",
) -> Scores:
    """Whether networks learn in context where there are as many labels as items (L = N), and where there are more.

    Convention: with L > N a network can first learn which labels are shown, and that opens the way to the rest; with L = N
    this step is missing. One seed says nothing here: compare how many of 6 or more learn. Learnt: ic of .9 or more at the end.
    A network is dead when no unit of its last hidden layer answers to any test sequence; it is stuck for another reason than
    the missing step. The one bias per layer does that with L = N; 'unbiased' networks live.

    Args:
        setting: The task; labels is replaced by items times a factor.
        recipe: How networks are trained.
        factors: L / N, several.
        architecture: The network of 'attention', or the same 'unbiased'.
        steps: Steps of training.
        every: Steps between evaluations.
        seeds: Networks per factor, of seeds that follow each other.
        seed: The first.
        device: Where to compute.
    Returns:
        Scores (labels, seed): share right on new classes at the end. parts learned and dead (labels): how many seeds are;
        transition (labels, seed): the step half-way, NaN where ic did not rise.
    Raises:
        BadInput: When a factor is no whole number, or the classes are no multiple of the labels.
    """
    listed = factors.split(",") if isinstance(factors, str) else list(factors)
    if not all(word.strip().isdigit() for word in listed):
        raise BadInput(f"factors must be whole numbers of 1 or more, as in '1,4'; got {','.join(listed)!r}.")
    for word in listed:
        at_least("a factor", int(word), 1)
    labels = [setting.items * int(word) for word in listed]
    final, moved, living = [], [], []
    for count in labels:
        members = seeded(dataclasses.replace(setting, labels=count), seed, seeds)
        trace = traces(members, recipe, steps, every, device, architecture, label=f"Training with L = {count}")
        final.append(trace.of("ic")[:, -1])
        living.append(trace.of("alive")[:, -1])
        moved.append(half_ways(trace.steps, trace.mean)[list(MEASURES).index("ic")])
    coords = {"labels": labels, "seed": np.arange(seed, seed + seeds)}
    ends = xr.DataArray(np.stack(final), dims=("labels", "seed"), coords=coords)
    learned = (ends >= LEARNED).sum("seed")
    dead = (ends.copy(data=np.stack(living)) == 0).sum("seed")
    told = [f"L={count}: {int(learned[at])} of {seeds} ({int(dead[at])} dead)" for at, count in enumerate(labels)]
    notes = {
        "sign": f"share right on new classes after {steps} steps; by guessing among the labels shown {1 / setting.items:.3f}",
        "range": "positive",
        "learned": f"{', '.join(told)} with {LEARNED} or more; N={setting.items}",
    }
    parts = {"learned": learned, "dead": dead, "transition": ends.copy(data=np.stack(moved))}
    return Scores("Learning with as many labels as items, and with more", "share right", ends, parts=parts, notes=notes)
