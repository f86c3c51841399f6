"""The panel of one pair of heads: the job that computes what is shown of it, and what was computed before."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import param

from workbench.errors import BadInput, within
from workbench.jobs import LIVE, Job, Jobs
from workbench.plots.text import visible
from workbench.result import Result, Scores, canonical
from workbench.views.code import code_of
from workbench.views.composed import Head
from workbench.views.question import Question

KEPT = 24
# More bars than this do not fit beside each other.
BARS = 10
NOT_AT_END = (
    "Causal effects are computed for queries only: keys and values are read at other places than END, where trials are made."
)


@dataclass
class Known:
    """What was computed of a pair; None where it was not.

    Attributes:
        scores: Of every component, from the weights.
        effects: Of every component on the task, over (component, prompt).
        reason: Why the task says nothing of the pair, or ''.
        scaled: What follows for all α, by component.
        prompts: A label per prompt.
        heads: How many heads a layer of the model has; 0 where that is not known.
    """

    scores: Scores | None = None
    effects: Scores | None = None
    reason: str = ""
    scaled: dict[int, Any] = field(default_factory=dict)
    prompts: list[str] = field(default_factory=list)
    heads: int = 0

    def over(self, before: "Known") -> "Known":
        """This, and what was known before where this says nothing."""
        scores = before.scores if self.scores is None else self.scores
        effects = before.effects if self.effects is None else self.effects
        prompts = self.prompts or before.prompts
        scaled, heads = {**before.scaled, **self.scaled}, self.heads or before.heads
        return replace(self, scores=scores, effects=effects, scaled=scaled, prompts=prompts, heads=heads)

    def best(self) -> int | None:
        """The component with the largest effect, else with the largest score."""
        of = self.effects.mean() if self.effects is not None else self.scores
        return None if of is None else int(of.values.values.argmax())


def computed(model: Any, job: Job, asked: Question, slot: str, pair: tuple[Head, Head], component: int | None) -> Known:
    """All that is shown of a pair; what is known first is told first.

    Raises:
        BadInput: When there are no such heads, or no such component.
    """
    from workbench.channels.evidence import Bench
    from workbench.channels.pair import component_effects, component_scores, scaled
    from workbench.channels.weights import Heads
    from workbench.methods import METHODS

    writer, reader = pair
    params = {"slot": slot, "writer": f"{writer[0]}.{writer[1]}", "reader": f"{reader[0]}.{reader[1]}"}
    job.say("Reading the weights")
    heads = Heads(model)
    origin = METHODS["composition"].origin(model)
    scores = component_scores(heads, slot, writer, reader)
    known = Known(scores.replace(origin=replace(origin, method="component_scores", params=params)), heads=heads.n_heads)
    if component is not None:
        within("component", component, 0, heads.d_head)
    job.tell(known=known)
    if slot != "q":
        return replace(known, reason=NOT_AT_END)
    job.say("Removing one component after the other")
    try:
        pairs = asked.pairs(model)
        bench = Bench(heads, pairs)
        effects = component_effects(bench, writer, reader)
    except BadInput as problem:
        return replace(known, reason=str(problem))
    origin = replace(METHODS["baseline"].origin(model, pairs), method="component_effects", params=params)
    prompts = [f"{at + 1}: {visible(''.join(words))}" for at, words in enumerate(pairs.clean_strings)]
    known = replace(known, effects=effects.replace(origin=origin), prompts=prompts)
    job.tell(known=known)
    job.check()
    chosen = known.best() if component is None else component
    job.say("Scaling the component")
    origin = replace(origin, method="component_scaled", params={**params, "component": chosen})
    return replace(known, scaled={chosen: replace(scaled(bench, writer, reader, chosen), origin=origin)})


class Pair(param.Parameterized):
    """Which pair is looked at, which component of it, its factor α and the prompt; and what is known of them."""

    writer = param.Parameter(default=None, doc="Layer and head, or None.")
    reader = param.Parameter(default=None, doc="Layer and head, or None.")
    component = param.Integer(default=None, allow_None=True, bounds=(0, None), doc="None until one is chosen.")
    alpha = param.Number(default=1.0)
    prompt = param.Integer(default=0, bounds=(0, None))
    prompts = param.List(default=[], doc="A label per prompt.")
    known = param.ClassSelector(class_=Known, default=Known())
    status = param.String(default="", doc="What is going on, or why there is nothing to see.")

    def __init__(self, jobs: Jobs, tell: Callable[[str, str], None]):
        super().__init__()
        self._jobs, self._tell = jobs, tell
        self._question: Question | None = None
        self._slot = "q"
        self._job: Job | None = None
        self._asked, self._seen = "", -1
        self._kept: OrderedDict[str, Known] = OrderedDict()

    @property
    def live(self) -> bool:
        """Whether a job of this panel waits or runs."""
        return self._job is not None

    @property
    def waits(self) -> bool:
        """Whether its job waits for another of the same model."""
        return self._job is not None and self._job.status == "queued"

    @property
    def scaled(self) -> Any | None:
        """What follows for all α of the chosen component, if it is computed."""
        return self.known.scaled.get(self.component)

    def code(self, result: Result, of: str = "") -> str:
        """Python that computes again what is shown of the pair; '' where there is none.

        Args:
            result: What is shown.
            of: 'looks', 'logits', 'answers' or 'leaning' for what follows of a scale; '' for bars of components.
        """
        rows = self._question.rows if self._question is not None else ""
        at = f"{self.alpha!r}, {self.prompt!r}" if of in ("looks", "logits") else ""
        then = f"result = result.{of}({at})\n" if of else ""
        if result.origin is not None and result.origin.method == "channels":
            given = f"{self.writer}, {self.reader}"
            then = f"from workbench.views.search import effects_of\n\nresult = effects_of(result, {given})\n"
        return code_of(result, rows, then)

    def ask_about(self, question: Question | None, slot: str) -> None:
        """Take up a model, its prompts and a slot; what was shown of others goes."""
        before = (self._question and self._question.pairs_key, self._slot)
        self._question, self._slot = question, slot
        if before == (question and question.pairs_key, slot):
            return
        self._leave()
        self.param.update(known=Known(), prompts=[], status="")

    def choose(self, writer: Head | None, reader: Head | None, component: int | None = None) -> None:
        """Choose a pair, and perhaps a component of it, without showing it."""
        if (writer, reader) != (self.writer, self.reader):
            self._leave()
            self.param.update(writer=writer, reader=reader, component=component, known=Known(), status="")
        elif component is not None:
            self.component = component

    def show(self) -> None:
        """Show what is chosen: at once if it was computed before, else by a job."""
        if self.writer is None or self.reader is None or self._question is None:
            return
        asked, slot, pair, component = self._question, self._slot, (self.writer, self.reader), self.component
        self._asked = canonical([asked.pairs_key, slot, *pair])
        known = self._kept.get(self._asked)
        if known is not None and (known.reason or (known.best() if component is None else component) in known.scaled):
            self._leave()
            self._take(known)
            return
        before, self._job = (
            self._job,
            self._jobs.submit(
                asked.placed,
                f"pair {canonical([self._asked, component])}",
                lambda model, job: computed(model, job, asked, slot, pair, component),
                "Waiting for the model",
                lasting=False,
            ),
        )
        if before is not None:
            before.leave()
        self._seen = -1
        self.param.update(known=known or self.known, status=f"{self._job.label} …")

    def _leave(self) -> None:
        """Wait for the job no longer; it is stopped where nobody else does."""
        if self._job is not None:
            self._job.leave()
        self._job = None

    def refresh(self) -> None:
        """Take over how far the job is."""
        if self._job is None or self._job.version == self._seen:
            return
        job = self._job.state()
        self._seen = job.version
        if job.status in LIVE:
            found = job.found.get("known", self.known)
            self._name(found.prompts)
            self.param.update(known=found.over(self.known), status=f"{job.label} …")
            return
        self._job = None
        if job.status == "done":
            self._take(self._keep(job.result))
            return
        self.status = job.message or "Stopped."
        if job.status == "failed":
            # What failed is not asked again by the next press of a button.
            self.component = None
            self._tell("error", job.message)

    def _name(self, prompts: list[str]) -> None:
        if prompts and prompts != self.prompts:
            self.param.update(prompts=prompts, prompt=min(self.prompt, len(prompts) - 1))

    def _keep(self, known: Known) -> Known:
        """Put what was computed to what was known before of the same pair."""
        self._kept[self._asked] = known.over(self._kept.pop(self._asked, Known()))
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return self._kept[self._asked]

    def _take(self, known: Known) -> None:
        component = known.best() if self.component is None else self.component
        self._name(known.prompts)
        self.param.update(known=known, component=component, status="")


def strongest(scores: Scores, chosen: int | None, top: int = BARS) -> Scores:
    """The components that are largest in size, and the chosen one, of scores over component and perhaps prompt."""
    mean = np.abs(scores.mean().values.values)
    order = np.argsort(-mean, kind="stable")
    shown = list(order[:top])
    if chosen is not None and chosen < len(order) and chosen not in shown:
        shown[-1] = chosen
    shown = sorted(shown, key=lambda place: -mean[place])
    if len(shown) == len(order):
        return scores
    values = scores.values.isel(component=shown)
    return scores.replace(values=values, notes={**scores.notes, "shown": f"{len(shown)} of {len(order)} components"})
