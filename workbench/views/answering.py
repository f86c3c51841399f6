"""What interventions on a circuit changed, measured in a worker's thread; the runs they start from are kept."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from workbench.errors import BadInput
from workbench.graph import Graph
from workbench.jobs import Job
from workbench.plots.text import visible
from workbench.result import Origin, Scores
from workbench.views.question import Question

# The most prompts that are run: a click is to be answered at once.
PROMPTS = 32
BYS = ("zero", "mean", "resample", "other")
SEED = 0
RUN_NAMES = ["before", "after", "change"]


@dataclass(frozen=True)
class Replaced:
    """A node or edge, by its name, and what it is replaced by: 'zero', 'mean', 'resample' or 'other'."""

    place: str
    by: str


@dataclass(frozen=True, eq=False)
class Answer:
    """What interventions changed.

    Attributes:
        asked: The interventions.
        changed: The numbers, see `workbench.edges.interventions.Changed`.
        prompts: The prompts' texts, their blanks visible.
        likeliest: Per prompt the most probable token before and after, likewise.
        of: How many pairs there are, where not all were run.
        origin: Where it comes from.
    """

    asked: tuple[Replaced, ...]
    changed: Any
    prompts: tuple[str, ...]
    likeliest: tuple[tuple[str, str], ...]
    of: int
    origin: Origin | None = None

    def scores(self) -> Scores:
        """The metric before and after and its change, over (run, prompt)."""
        found = self.changed
        values = np.stack([found.before, found.after, found.after - found.before])
        said = "; ".join(f"{each.place.replace('->', ' → ')} by {each.by}" for each in self.asked)
        return Scores(
            f"{found.metric.replace('_', ' ').capitalize()} with {len(self.asked)} replaced",
            found.unit,
            xr.DataArray(values, dims=("run", "prompt"), coords={"run": RUN_NAMES}),
            notes={"sign": "change is after less before, on the clean prompts", "replaced": said},
            origin=self.origin,
        )


def answered(model: Any, job: Job, asked: Question, graph: Graph, metric: str, replaced: tuple[Replaced, ...]) -> Answer:
    """What interventions change.

    Raises:
        BadInput: When the model has another graph, or these prompts do not give what is put in place.
    """
    from workbench.edges.interventions import Intervention, intervened
    from workbench.methods import METHODS
    from workbench.pairs import token_strings

    base, pairs = recorded_runs(model, job, asked, graph, metric)
    job.check()
    job.say("Measuring")
    wanted = [Intervention(each.place, each.by) for each in replaced]
    changed = intervened(model, base.pairs, wanted, metric=metric, readers=graph.readers, seed=SEED, base=base)
    first = [[visible(word) for word in token_strings(model.tokenizer, run[:, 0].tolist())] for run in changed.tokens]
    prompts = tuple(visible("".join(words)) for words in base.pairs.clean_strings)
    params = {
        "replaced": [[each.place, each.by] for each in replaced], "metric": metric, "readers": graph.readers, "seed": SEED,
        "prompts": PROMPTS,
    }  # fmt: skip
    origin = replace(METHODS["baseline"].origin(model, pairs), method="intervened", params=params)
    return Answer(replaced, changed, prompts, tuple(zip(*first, strict=True)), len(pairs), origin)


def recorded_runs(model: Any, job: Job, asked: Question, graph: Graph, metric: str) -> tuple[Any, Any]:
    """The clean and the corrupt run that all interventions on some prompts start from, kept for the next; and all the pairs,
    of which not all were run.

    Raises:
        BadInput: When the model has another graph.
    """
    from workbench.edges.interventions import recorded
    from workbench.graph import graph_of
    from workbench.methods import METHODS

    if graph_of(model.cfg, graph.readers) != graph:
        raise BadInput(f"the circuit must be of this model's graph; got one of another shape than {asked.model}. Run it again.")
    pairs = asked.pairs(model)
    job.tell(pairs=pairs)
    some = pairs if len(pairs) <= PROMPTS else pairs.select(range(PROMPTS))
    key = (METHODS["baseline"].origin(model, some, metric=metric).key, graph.readers)
    base = RUNS.take(key)
    if base is None:
        job.say("Reading the clean and the corrupt run")
        base = RUNS.keep(key, recorded(model, some, metric, graph.readers))
    return base, pairs


class Runs:
    """The runs recorded last, of any session; they hold nothing of a model."""

    def __init__(self, most: int = 4):
        self._most, self._kept, self._lock = most, OrderedDict(), threading.Lock()

    def take(self, key: Any) -> Any | None:
        """The runs of this key, if they are kept."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def keep(self, key: Any, runs: Any) -> Any:
        """Keep them, in place of those not used for longest."""
        with self._lock:
            self._kept[key] = runs
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return runs


RUNS = Runs()
