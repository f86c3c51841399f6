"""What interventions on a circuit changed, measured in a worker's thread; the runs they start from are kept."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from workbench.errors import BadInput
from workbench.graph import Graph
from workbench.jobs import Job
from workbench.plots.text import visible
from workbench.result import Scores
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
    """What interventions changed, as panels tell it.

    Attributes:
        scores: The metric before and after and its change, over (run, prompt), with what else `answered` puts to it.
    """

    scores: Scores

    @property
    def asked(self) -> tuple[Replaced, ...]:
        """The interventions."""
        return tuple(Replaced(*each) for each in self._params["replaced"])

    @property
    def metric(self) -> str:
        """What is measured."""
        return str(self._params["metric"])

    @property
    def before(self) -> np.ndarray:
        """The metric without them, by prompt."""
        return self.scores.values.sel(run="before").values

    @property
    def after(self) -> np.ndarray:
        """The metric with them, by prompt."""
        return self.scores.values.sel(run="after").values

    @property
    def change(self) -> float:
        """Mean over prompts of after less before."""
        return float(self.scores.values.sel(run="change").mean())

    @property
    def error(self) -> float:
        """One standard error of `change` over prompts; NaN where there is one prompt."""
        moved = self.scores.values.sel(run="change").values
        return float(moved.std(ddof=1) / len(moved) ** 0.5) if len(moved) > 1 else float("nan")

    @property
    def right(self) -> np.ndarray:
        """Probability of the right answers together, before and after, [run prompt]."""
        return self.scores.parts["right"].values

    @property
    def likeliest(self) -> list[tuple[str, str]]:
        """Per prompt the most probable token before and after, its blanks visible."""
        return [(str(before), str(after)) for before, after in self.scores.parts["likeliest"].values.T]

    @property
    def probabilities(self) -> np.ndarray:
        """Theirs, [run prompt]."""
        return self.scores.parts["probability"].values

    @property
    def prompts(self) -> list[str]:
        """The prompts' texts, their blanks visible."""
        return [str(text) for text in self.scores.parts["text"].values]

    @property
    def of(self) -> int:
        """How many pairs there are, of which not all may have been run."""
        return int(self.scores.parts["pairs"])

    @property
    def _params(self) -> Mapping[str, Any]:
        assert self.scores.origin is not None
        return self.scores.origin.params


def answered(model: Any, job: Job, asked: Question, graph: Graph, metric: str, replaced: tuple[Replaced, ...]) -> Scores:
    """What interventions change, as Scores of the metric; see `Answer`.

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
    found = intervened(model, base.pairs, wanted, metric=metric, readers=graph.readers, seed=SEED, base=base)
    first = [[visible(word) for word in token_strings(model.tokenizer, run[:, 0].tolist())] for run in found.tokens]
    both, runs = ("run", "prompt"), {"run": RUN_NAMES[:2]}
    params = {
        "replaced": [[each.place, each.by] for each in replaced], "metric": metric, "readers": graph.readers, "seed": SEED,
        "prompts": PROMPTS,
    }  # fmt: skip
    said = "; ".join(f"{each.place.replace('->', ' → ')} by {each.by}" for each in replaced)
    return Scores(
        f"{metric.replace('_', ' ').capitalize()} with {len(replaced)} replaced",
        found.unit,
        xr.DataArray(np.stack([found.before, found.after, found.after - found.before]), dims=both, coords={"run": RUN_NAMES}),
        parts={
            "right": xr.DataArray(found.right, dims=both, coords=runs),
            "likeliest": xr.DataArray(np.array(first), dims=both, coords=runs),
            "probability": xr.DataArray(found.probabilities[..., 0], dims=both, coords=runs),
            "text": xr.DataArray([visible("".join(words)) for words in base.pairs.clean_strings], dims="prompt"),
            "pairs": xr.DataArray(len(pairs)),
        },
        notes={"sign": "change is after less before, on the clean prompts", "replaced": said},
        origin=replace(METHODS["baseline"].origin(model, pairs), method="intervened", params=params),
    )


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
