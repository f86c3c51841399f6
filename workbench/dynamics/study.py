"""Studies: questions about networks trained for them, whose answers are Results that the store keeps.

A study is to a setting what a method is to a model: `Store().compute(STUDIES["reddy"], None, None, seeds=6)` trains and stores,
or finds what is stored. There is no model to load and there are no pairs: its Origin has neither, and tells the task by the
setting's fields. Networks of a finished group are kept in the run's ledger, so that a study that was killed goes on.
"""

import dataclasses
import inspect
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from typing import Any, Literal

import numpy as np
import xarray as xr

from workbench import progress
from workbench.dynamics.bursty import Setting
from workbench.dynamics.events import before, half_ways, order
from workbench.dynamics.measures import MEASURES
from workbench.dynamics.network import Nudge
from workbench.dynamics.stack import Member, Recipe, Trace
from workbench.dynamics.train import train
from workbench.errors import at_least, one_of
from workbench.params import check
from workbench.result import Curve, Origin, Result, Scores, canonical

SOURCE = "Reddy 2023, arXiv:2312.03002"
# Networks trained at once; a group that is finished survives a kill.
AT_ONCE = 16
# Of the answers on new classes, what a seed that learnt in context has right.
HALF = 0.5
# Measures that are told together: all but the loss, which has another unit, and life, which is a condition.
SHARES = [name for name in MEASURES if name not in ("loss", "alive")]


@dataclass(frozen=True)
class Study:
    """A question that is answered by training; calling it answers it and stamps the Origin on the result.

    Attributes:
        name: Its id.
        title: A few words for menus.
        run: `run(*made, …) -> Result`; the fields of what is made and its keyword-only parameters are its interface.
        kind: Kind of the result it returns.
        source: Where it comes from.
        task: What the first of `made` is a setting of.
        made: What `run` is given, with its defaults: dataclasses, the task's setting first.
        usual: Defaults that differ from those.
    """

    name: str
    title: str
    run: Callable[..., Result]
    kind: str
    source: str = SOURCE
    task: str = "bursty"
    made: tuple[Any, ...] = (Setting.fast(), Recipe.fast())
    usual: Mapping[str, Any] = field(default_factory=dict)

    @property
    def params(self) -> dict[str, inspect.Parameter]:
        """All parameters: the fields of what is made, then the study's own."""
        own = inspect.signature(self.run).parameters.values()
        named = [
            _parameter(one.name, one.type, self.usual.get(one.name, getattr(made, one.name)))
            for made in self.made
            for one in dataclasses.fields(made)
        ]
        return {one.name: one for one in [*named, *own] if one.kind is inspect.Parameter.KEYWORD_ONLY}

    def bind(self, **params: Any) -> dict[str, Any]:
        """All parameters, defaults filled in; BadInput for a name it does not have, or a value it does not take."""
        known = self.params
        for name, value in params.items():
            one_of(f"a parameter of {self.name}", name, known)
            check(f"{self.name}: {name}", value, known[name].annotation)
        return {name: params.get(name, parameter.default) for name, parameter in known.items()}

    def origin(self, model: None = None, pairs: None = None, **params: Any) -> Origin:
        """The Origin of the result that this call would give: no model, and the setting as the task."""
        (setting, *_), _ = self.asked(**params)
        task = json.loads(canonical(dataclasses.asdict(setting)))
        rest = {name: value for name, value in self.bind(**params).items() if name not in task}
        device = rest.pop("device", "cpu")
        return Origin(self.name, "", "", self.task, "", task, json.loads(canonical(rest)), device, "float32", _versions())

    def __call__(self, model: None = None, pairs: None = None, **params: Any) -> Result:
        """Answer the question; there is no model and there are no pairs.

        Raises:
            BadInput: When a parameter is wrong.
            NotFinite: When a network diverges.
        """
        origin = self.origin(**params)
        made, own = self.asked(**params)
        return self.run(*made, **own).replace(origin=origin)

    def asked(self, **params: Any) -> tuple[list[Any], dict[str, Any]]:
        """What is made, and the study's own parameters, defaults filled in; BadInput where they do not go together."""
        bound, made = self.bind(**params), []
        for one in self.made:
            made.append(type(one)(**{each.name: bound.pop(each.name) for each in dataclasses.fields(one)}))
        return made, bound


def _parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


@cache
def _versions() -> dict[str, str]:
    """Of what the numbers depend on."""
    return {
        package: version(package) for package in ("circuit-workbench", "numpy", "torch", "transformer-lens", "transformers")
    }


def traces(
    members: Sequence[Member],
    recipe: Recipe,
    steps: int,
    every: int,
    device: str,
    architecture: str = "attention",
    watch: Callable[[Trace], None] | None = None,
    label: str = "Training",
) -> Trace:
    """Measures of networks, trained a group at once; a group that a killed study had finished is found again."""
    made, evaluated = [], np.array(sorted({*range(0, steps + 1, every), steps}))
    for first in range(0, len(members), AT_ONCE):
        some = list(members[first : first + AT_ONCE])
        which = f", networks {first + 1} to {first + len(some)} of {len(members)}" if len(members) > AT_ONCE else ""

        def work(some: list[Member] = some, said: str = label + which) -> np.ndarray:
            given = {"steps": steps, "every": every, "device": device, "architecture": architecture, "watch": watch}
            trace = train(some, recipe, **given, label=said).trace
            return np.stack([trace.mean, trace.error])

        named = progress.digest(some, recipe, steps, every, architecture)
        made.append(progress.remembered(f"dynamics/{named}", work))
    mean, error = np.concatenate(made, 1)
    return Trace(list(members), evaluated, mean, error)


def networks(values: Mapping[str, Any]) -> int:
    """How many networks a study with these values trains: seeds, times the cells of a diagram or the factors."""
    listed = [values[name] for name in ("values", "rows", "factors") if name in values]
    return values["seeds"] * math.prod(len(each.split(",")) if isinstance(each, str) else len(each) for each in listed)


def seeded(setting: Setting, seed: int, seeds: int, nudge: Nudge | None = None) -> list[Member]:
    """So many networks of one setting."""
    at_least("seeds", seeds, 1)
    return [Member(setting, one, nudge or Nudge()) for one in range(seed, seed + seeds)]


def course(
    setting: Setting,
    recipe: Recipe,
    *,
    architecture: Literal["attention", "unbiased", "three", "two"] = "attention",
    to_previous: int | float = 0.0,
    to_labels: int | float = 0.0,
    steps: int = 1500,
    every: int = 50,
    seeds: int = 6,
    seed: int = 0,
    device: str = "cpu",
) -> Curve:
    """The progress measures by step: how far, and how suddenly, in-context learning comes.

    Convention: each measure is the mean over test sequences, then over seeds; see `measures.MEASURES`. The transition is the
    step at which a seed's accuracy on new classes is half-way from its first value to its last; a seed that is not right on
    half of them in the end has none, as it may be no further than to guess among the labels shown.

    Args:
        setting: The task.
        recipe: How networks are trained.
        architecture: The two-layer network of 'attention', the same 'unbiased', or the head of 'three' or 'two' numbers.
        to_previous: Added to the first layer's scores from each token to the one before; see `network.Nudge`.
        to_labels: Added to the second layer's scores of labels.
        steps: Steps of training.
        every: Steps between evaluations.
        seeds: Networks, of seeds that follow each other.
        seed: The first.
        device: Where to compute.
    Returns:
        Curve (series, step) in shares, mean ± 1 s.e. over seeds; parts transition (seed), in steps, NaN where less than
        half of the answers are right in the end; seeds (series, seed, step); loss and alive (seed, step).
    """
    members = seeded(setting, seed, seeds, Nudge(to_previous, to_labels))

    def watch(trace: Trace) -> None:
        progress.show(lambda: curve_of(trace, recipe))

    return curve_of(traces(members, recipe, steps, every, device, architecture, watch), recipe)


def curve_of(trace: Trace, recipe: Recipe) -> Curve:
    """A run as a Curve; see `course`."""
    each = np.stack([trace.of(name) for name in SHARES])
    coords = {"series": SHARES, "step": trace.steps}
    centre = xr.DataArray(each.mean(1), dims=("series", "step"), coords=coords)
    numbers = [member.seed for member in trace.members]
    moved = half_ways(trace.steps, trace.mean)[list(MEASURES).index("ic")]
    moved[trace.of("ic")[:, -1] < HALF] = np.nan
    error = centre.copy(data=each.std(1, ddof=1) / each.shape[1] ** 0.5) if each.shape[1] > 1 else None
    risen = moved[~np.isnan(moved)]
    notes = {
        "sign": "shares of test sequences, or of attention; 1 is all",
        "x": "steps",
        "interval": f"mean ± 1 s.e. over {len(numbers)} seeds",
        "transition": f"{len(risen)} of {len(numbers)} seeds learn in context"
        + (f", half-way at step {np.median(risen):.0f} (median; {risen.min():.0f} to {risen.max():.0f})" if len(risen) else ""),
        "training": f"{recipe.optimiser}, rate {recipe.rate:g}, batch {recipe.batch}",
        **{name: MEASURES[name] for name in SHARES},
    }
    dead = [seed for seed, alive in zip(numbers, trace.of("alive")[:, -1], strict=True) if alive == 0]
    if dead:
        notes["warning"] = f"dead, not slow: the classifier of seeds {', '.join(map(str, dead))} answers to nothing any more"
    parts = {
        "transition": xr.DataArray(moved, dims=("seed",), coords={"seed": numbers}),
        "seeds": xr.DataArray(
            each, dims=("series", "seed", "step"), coords={"series": SHARES, "seed": numbers, "step": trace.steps}
        ),
        **{
            name: xr.DataArray(trace.of(name), dims=("seed", "step"), coords={"seed": numbers, "step": trace.steps})
            for name in ("loss", "alive")
        },
    }
    band = {} if error is None else {"lower": centre - error, "upper": centre + error}
    return Curve("Progress of in-context learning", "share", centre, **band, parts=parts, notes=notes)


def events(
    setting: Setting, recipe: Recipe, *, steps: int = 1500, every: int = 25, seeds: int = 6, seed: int = 0, device: str = "cpu"
) -> Scores:
    """Which measure moves first: the step at which each is half-way from its first value to its last, by seed.

    Args:
        setting: The task.
        recipe: How networks are trained.
        steps: Steps of training.
        every: Steps between evaluations; between two, a measure is taken as straight.
        seeds: Networks, of seeds that follow each other.
        seed: The first.
        device: Where to compute.
    Returns:
        Scores (measure, seed) in steps; NaN where a measure ends within .1 of where it began. parts before (measure, other):
        in how many seeds one is half-way before the other.
    """
    members = seeded(setting, seed, seeds)
    trace = traces(members, recipe, steps, every, device)
    moved = half_ways(trace.steps, trace.mean)[[list(MEASURES).index(name) for name in SHARES]]
    values = xr.DataArray(moved, dims=("measure", "seed"), coords={"measure": SHARES, "seed": [one.seed for one in members]})
    counts = xr.DataArray(before(moved), dims=("measure", "other"), coords={"measure": SHARES, "other": SHARES})
    notes = {
        "sign": "the step at which a measure is half-way from its first value to its last; less is earlier",
        "range": "positive",
        "order": order(SHARES, moved),
        "nan": "the measure ends within .1 of where it began",
        "training": f"{recipe.optimiser}, rate {recipe.rate:g}, batch {recipe.batch}",
    }
    return Scores("Order of events", "steps", values, parts={"before": counts}, notes=notes)
