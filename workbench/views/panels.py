"""Pages whose panels have a question each: what is stored is shown at once, the rest is asked and fills as its job ends.

As on every page nothing here computes: `show` hands questions to the queue, `refresh` takes over how far their jobs are.
"""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import param
from param.parameterized import batch_call_watchers

from workbench.errors import BadInput
from workbench.jobs import JOBS, LIVE, Jobs, Placed
from workbench.result import Result
from workbench.store import Store
from workbench.views.asking import ASKED
from workbench.views.attention import Attention
from workbench.views.expected import Expecting
from workbench.views.question import CUSTOM, Question, baseline_of
from workbench.views.several import Several, StopsSeveral
from workbench.views.stored import answers


class Panels(StopsSeveral, Expecting):
    """State that these pages share.

    A page names its `panels` in the order in which they are asked, what it is asked by in `asked_by`, and gives `questions`.
    """

    panels: Sequence[str] = ()
    asked_by: Sequence[str] = ()
    button = "Show"

    results = param.Dict(default={}, doc="What is known whole, by panel.")
    reasons = param.Dict(default={}, doc="Why there is nothing in a panel, by panel.")
    baseline = param.Parameter(doc="Scores of the baseline on the same prompts, or None.")
    prompts = param.List(default=[], doc="A label per prompt, as far as known.")

    def __init__(self, jobs: Jobs = JOBS, store: Store | None = None, **state: Any):
        super().__init__(**state)
        self.jobs, self.store = jobs, store or Store()
        self.attention = Attention(jobs, self.store)
        self._several = Several(jobs)
        self._asked: dict[str, Question] = {}
        # Once shown, what else is set for the same model is shown too, also after a field was empty for a moment.
        self._wanted: Placed | None = None
        # How the jobs since then have ended.
        self._ends: set[str] = set()
        self._ready()
        self._set()
        self.param.watch(lambda *_: self._set(), [*ASKED, *self.asked_by])
        self._expect(self.jobs, self.store, "results", *self.asked_by)

    def _ready(self) -> None:
        """What a page needs before it is set for the first time."""

    def questions(self) -> dict[str, Question]:
        """What each panel asks; panels that do not apply are left out, see `unasked`.

        Raises:
            BadInput: When a setting is out of its range.
        """
        raise NotImplementedError

    @property
    def unasked(self) -> dict[str, str]:
        """Why some panels do not apply to what is set."""
        return {}

    def unanswered(self) -> list[Question]:
        """What the button would compute."""
        return [one for panel, one in self.questions().items() if panel not in self.results]

    @property
    def live(self) -> bool:
        """Whether anything waits or runs, so that `refresh` has work."""
        return bool(self._several) or self.attention.live or self.expected.live

    def waits(self, panel: str) -> bool:
        """Whether the job of a panel waits or runs."""
        return panel in self._several

    def _set(self) -> None:
        """Something else is asked about: show what is stored of it, and nothing of what was asked before."""
        # Told at once, when all of it is set: pages draw what they are told, and forecast what is not being computed.
        with batch_call_watchers(self):
            self._set_to(self._askable())

    def _askable(self) -> dict[str, Question]:
        """What is asked; nothing where a setting is out of its range."""
        try:
            return self.questions()
        except BadInput:
            return {}

    def _set_to(self, asked: dict[str, Question]) -> None:
        before, self._asked = self._asked, asked
        new = {panel: one for panel, one in asked.items() if panel not in before or before[panel].key != one.key}
        gone = [panel for panel in self.panels if panel not in asked or panel in new]
        self._several.drop(gone)
        self._follow(next(iter(before.values()), None), next(iter(asked.values()), None))
        self._forget(gone)
        reasons = {panel: why for panel, why in self.reasons.items() if panel not in gone} | self.unasked
        self.param.update(**self._several.progress(), reasons=reasons)
        kept = {panel: one for panel, one in self.results.items() if panel not in gone}
        self._take(kept | (answers(self.store, new) if new else {}))
        if self._wanted != self.placed:
            self._wanted = None
        elif asked and self.placed in self.jobs.models:
            self.show()

    def _follow(self, before: Question | None, asked: Question | None) -> None:
        """What belongs to a model or to prompts that are others now goes."""
        if before is None or asked is None or before.pairs_key != asked.pairs_key:
            self.param.update(prompts=[], baseline=None)
        elif before.params.get("metric") != asked.params.get("metric"):
            self.baseline = None
        self.attention.ask_about(asked, self.count)

    def _forget(self, panels: Sequence[str]) -> None:
        """What a page keeps beside the results of some panels goes."""

    @property
    def count(self) -> int:
        """How many prompts there are, as far as known."""
        # Of the user's own rows only the job knows how many can be read.
        return len(self.prompts) or (1 if self.task == CUSTOM else self.n_asked)

    @property
    def labels(self) -> list[str]:
        """A label per prompt."""
        return self.prompts or [f"prompt {index + 1}" for index in range(self.count)]

    def show(self) -> None:
        """Ask for all panels that are not known; a BadInput becomes a notice."""
        try:
            asked = self.questions()
        except BadInput as problem:
            self.tell("error", str(problem))
            return
        self._wanted = self.placed
        self._ends = set() if not self._several else self._ends
        store = self.store
        missing = {panel: one for panel, one in asked.items() if panel not in self.results and panel not in self._several}
        self.reasons = {panel: why for panel, why in self.reasons.items() if panel not in missing}
        for panel, one in missing.items():
            self._several.ask(panel, one.placed, f"run {one.key}", lambda model, job, one=one: one.answer(model, job, store))
        if not self._several:
            self.status = "done"
        self.refresh()

    def rejoin(self) -> None:
        """Go on with what is being computed already of just this: its page was closed, or another asked for it."""
        if any(self.jobs.running(f"run {one.key}") for panel, one in self._asked.items() if panel not in self.results):
            self.show()

    def refresh(self) -> None:
        """Take over how far the jobs are; called from the page's own thread."""
        self.attention.refresh()
        self.expected.refresh()
        if not self._several:
            return
        states = self._several.states()
        with batch_call_watchers(self):
            self._take_over(states)
        for message in dict.fromkeys(state.message for state in states.values() if state.status == "failed"):
            self.tell("error", message)

    def _take_over(self, states: Mapping[str, SimpleNamespace]) -> None:
        for panel, state in states.items():
            self._hear(panel, state)
        ended = {panel: state for panel, state in states.items() if state.status not in LIVE}
        done = {panel: state.result for panel, state in ended.items() if state.status == "done"}
        failed = {panel: state.message for panel, state in ended.items() if state.status == "failed"}
        stopped = [panel for panel, state in ended.items() if state.status == "stopped"]
        if ended:
            self.reasons = {**self.reasons, **failed, **dict.fromkeys(stopped, f"Stopped. {self.button} goes on from there.")}
            self._take(self.results | done)
        self._ends |= {state.status for state in ended.values()}
        last = next((status for status in ("failed", "stopped", "done") if status in self._ends), self.status)
        self.param.update(**self._several.progress(last))

    def _hear(self, panel: str, state: Any) -> None:
        """Take over what the job of a panel told on its way."""
        if "pairs" in state.found:
            self.attention.name_prompts(state.found["pairs"])
            if self.attention.prompts != self.prompts:
                self.prompts = list(self.attention.prompts)
        if "baseline" in state.found and self.baseline is None:
            self.baseline = state.found["baseline"]

    def _take(self, results: Mapping[str, Result]) -> None:
        """Show what is known whole."""
        if self.baseline is None and results:
            self.baseline = baseline_of(next(iter(results.values())), self.store)
        self.results = dict(results)
