"""The page of heads without its layout: the table of what every head does, what is joined to it, and the head that is open.

As on every page nothing here computes: jobs do, and `refresh` takes over how far they are.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import param

from workbench.errors import BadInput, one_of
from workbench.jobs import JOBS, LIVE, Job, Jobs
from workbench.result import Result, Scores
from workbench.store import Store
from workbench.views.asking import IDLE, Asking
from workbench.views.composed import Head, cell_at
from workbench.views.fields import Field, method_fields
from workbench.views.head import OpenHead
from workbench.views.heads_columns import JOINED
from workbench.views.heads_filter import narrowed
from workbench.views.heads_table import HeadsTable
from workbench.views.question import Question, baseline_of
from workbench.views.stored import answers

HEADS, NAME = "heads", "name"
FIRST = "induction"


class Heads(Asking):
    """State of the page of heads."""

    params = param.Dict(default={}, doc="The parameters of `heads`, by name.")
    joined = param.List(default=[], doc="The methods whose scores are joined.")
    results = param.Dict(default={}, doc="What is known, by method.")
    table = param.Parameter(doc="HeadsTable of the results, or None.")

    sort = param.String(default=FIRST, doc="The column that the table is sorted by, or 'name'.")
    descending = param.Boolean(default=True)
    detector = param.String(default=FIRST, doc="The column of the map, and of the threshold.")
    at_least = param.Number(default=None, allow_None=True, doc="Least number of the detector in a head that is shown.")
    only = param.String(default="", doc="The filter, as typed.")
    order = param.List(default=[], doc="The rows shown, from the top.")

    def __init__(self, jobs: Jobs = JOBS, store: Store | None = None, **state: Any):
        super().__init__(**state)
        self.jobs, self.store = jobs, store or Store()
        self.head = OpenHead(jobs)
        self.params = {name: one.default for name, one in self.method_fields.items()} | self.params
        self._jobs: dict[str, Job] = {}
        self._asked: dict[str, Question] = {}
        self._set()
        self.param.watch(lambda *_: self._set(), ["model", "task", "options", "rows", "params"])
        self.param.watch(lambda *_: self._join(), "joined")
        self.param.watch(lambda *_: self._arrange(), ["sort", "descending", "detector", "at_least", "only"])

    @property
    def method_fields(self) -> dict[str, Field]:
        """The fields of the table's own method."""
        return method_fields(HEADS)

    @property
    def live(self) -> bool:
        """Whether anything waits or runs, so that `refresh` has work."""
        return bool(self._jobs) or self.head.live

    @property
    def baseline(self) -> Scores | None:
        """The stored baseline on the prompts of the table, if there is one."""
        found = self.results.get(HEADS)
        return baseline_of(found, self.store) if found is not None else None

    def question(self, method: str = HEADS) -> Question:
        """What a method is asked for the table.

        Raises:
            BadInput: When a setting is out of its range.
        """
        from workbench.methods import METHODS

        asked = self.ask(method, method_fields(method), self.params if method == HEADS else {}, "Find heads")
        # What needs no prompts has one answer whatever the task.
        return asked if METHODS[method].needs_pairs else Question(asked.model, "", method, {}, asked.params)

    def _set(self) -> None:
        """Something else is asked about: show what is stored of it, and nothing of what was asked before."""
        try:
            asked = {method: self.question(method) for method in (HEADS, *JOINED)}
        except BadInput:
            asked = {}
        before, self._asked = self._asked, asked
        new = {method: one for method, one in asked.items() if method not in before or before[method].key != one.key}
        if asked and not new:
            return
        for method in [method for method in self._jobs if method in new or not asked]:
            self._jobs.pop(method).stop()
        self._tell_progress()
        found = {method: one for method, one in self.results.items() if method in asked and method not in new}
        if not (asked and before and asked[HEADS].model == before[HEADS].model):
            self.head.open(None)
        self.head.ask_about(asked.get(HEADS), self.options.get("n", 1))
        self._take(found | answers(self.store, new))
        if self.head.head is not None and self.model in self.jobs.models:
            self.head.look()

    def find(self) -> None:
        """Ask for the table and all that is joined to it; a BadInput becomes a notice."""
        self._ask((HEADS, *self.joined))
        if not self._jobs:
            self.status = "done"

    def _ask(self, methods: tuple[str, ...]) -> None:
        try:
            asked = {method: self.question(method) for method in methods if method not in self.results}
        except BadInput as problem:
            self.tell("error", str(problem))
            return
        store = self.store
        for method, one in asked.items():
            self._jobs[method] = self.jobs.submit(
                one.model, f"run {one.key}", lambda model, job, one=one: one.answer(model, job, store), "Waiting for the model"
            )
        self.refresh()

    def _join(self) -> None:
        """Something is joined or left out: what is not known yet is computed, if the table itself is there or on its way."""
        for method in [method for method in self._jobs if method not in (HEADS, *self.joined)]:
            self._jobs.pop(method).stop()
        if self.detector in JOINED and self.detector not in self.joined:
            self.choose(FIRST)
        if HEADS in self.results or HEADS in self._jobs:
            self._ask(tuple(method for method in self.joined if method not in self._jobs))
        self._tell_progress()
        self._take(self.results)

    def stop(self) -> None:
        """Stop all jobs of the table within one batch; what they finished is kept."""
        for job in self._jobs.values():
            job.stop()
        self.label = "Stopping …"

    def refresh(self) -> None:
        """Take over how far the jobs are; called from the page's own thread."""
        self.head.refresh()
        ended = {}
        for method, job in list(self._jobs.items()):
            state = job.state()
            if "pairs" in state.found:
                self.head.attention.name_prompts(state.found["pairs"])
            if state.status not in LIVE:
                ended[method] = state
                del self._jobs[method]
        done = {method: job.result for method, job in ended.items() if job.status == "done"}
        if done:
            self._take(self.results | done)
        self._tell_progress(next((job.status for job in ended.values()), None))
        for job in ended.values():
            if job.status == "failed":
                self.tell("error", job.message)
        if any(job.status == "stopped" for job in ended.values()) and not self._jobs:
            self.tell("info", "Stopped. What was finished is kept.")

    def _tell_progress(self, ended: str | None = None) -> None:
        """How far the job is that runs, or how the last one ended."""
        if not self._jobs:
            if ended is not None or self.status in LIVE:
                self.param.update(status=ended or IDLE, label="", progress=None, seconds_left=None)
            return
        jobs = [job.state() for job in self._jobs.values()]
        job = next((one for one in jobs if one.status == "running"), jobs[0])
        self.param.update(status=job.status, label=job.label, progress=job.progress, seconds_left=job.seconds_left)

    def _take(self, results: Mapping[str, Result]) -> None:
        """Make the table of what is known."""
        found = results.get(HEADS)
        others = {method: results[method] for method in JOINED if method in self.joined and method in results}
        table = None if found is None else HeadsTable(found, others)
        try:
            if table is not None and self.head.head is not None:
                table.check(self.head.head)
        except BadInput as problem:
            self.head.open(None)
            self.tell("error", str(problem))
        self.param.update(results=dict(results), table=table)
        self._arrange()

    def _arrange(self) -> None:
        """Which rows are shown, in which order; a filter that cannot be read is told and lets all through."""
        if self.table is None:
            self.order = []
            return
        try:
            shown = narrowed(self.table, self.only)
        except BadInput as problem:
            self.tell("error", str(problem))
            shown = np.ones(len(self.table), dtype=bool)
        if self.at_least is not None and self.detector in self.table.columns:
            shown = shown & (self.table.columns[self.detector].values >= self.at_least)
        self.order = self.table.order(self.sort, self.descending, shown)

    def sort_by(self, column: str) -> None:
        """Sort by a column, the largest first, or the other way round where it is sorted so; it becomes the map's too."""
        descending = not self.descending if column == self.sort else column != NAME
        chosen = {} if column in (NAME, self.detector) else {"detector": column, "at_least": None}
        self.param.update(sort=column, descending=descending, **chosen)

    def choose(self, detector: str) -> None:
        """Map another column, and sort by it.

        Raises:
            BadInput: When there is no such column.
        """
        if self.table is not None:
            one_of("the detector", detector, self.table.columns)
        if detector != self.detector:
            self.param.update(detector=detector, at_least=None, sort=detector, descending=True)

    def bound(self, text: str) -> None:
        """Show only heads with this much of the detector or more; '' shows all.

        Raises:
            BadInput: When the text is no number.
        """
        self.at_least = Field("the least number", "fraction", 0.0).read(text) if text.strip() else None

    @property
    def map(self) -> Scores | None:
        """The chosen detector over layer and head; None until it is known."""
        return None if self.table is None or self.detector not in self.table.columns else self.table.grid(self.detector)

    def click(self, figure: Any, point: Mapping[str, Any]) -> None:
        """Open the head of a clicked cell of the map."""
        cell = cell_at(figure, point)
        if cell is not None:
            self.open(cell)

    def open(self, head: Head, look: bool = True) -> None:
        """Open a head, and show where it looks and what it writes; not if that must not load the model.

        Raises:
            BadInput: When the table has no such head.
        """
        if self.table is not None:
            self.table.check(head)
        self.head.open(head)
        if look:
            self.head.look()

    def close(self) -> None:
        """Close the head that is open."""
        self.head.open(None)
