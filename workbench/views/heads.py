"""The page of heads without its layout: the table of what every head does, what is joined to it, and the head that is open.

As on every page nothing here computes: jobs do, and `refresh` takes over how far they are.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import param

from workbench.errors import BadInput
from workbench.jobs import JOBS, LIVE, Jobs
from workbench.plots.hues import counted
from workbench.result import Result, Scores
from workbench.store import Entry, Store
from workbench.views.arranged import FIRST, Arranged
from workbench.views.asking import ASKED
from workbench.views.code import together
from workbench.views.composed import Head, cell_at
from workbench.views.expected import Expecting
from workbench.views.fields import Field, method_fields
from workbench.views.head import OpenHead
from workbench.views.heads_columns import JOINED
from workbench.views.heads_grid import TableGrid
from workbench.views.heads_table import HeadsTable
from workbench.views.in_circuits import Held, InCircuits
from workbench.views.question import Question, baseline_of
from workbench.views.several import Several, StopsSeveral
from workbench.views.stored import answers

HEADS = "heads"


class Heads(StopsSeveral, Arranged, Expecting):
    """State of the page of heads."""

    params = param.Dict(default={}, doc="The parameters of `heads`, by name.")
    joined = param.List(default=[], doc="The methods whose scores are joined.")
    results = param.Dict(default={}, doc="What is known, by method.")

    def __init__(self, jobs: Jobs = JOBS, store: Store | None = None, **state: Any):
        super().__init__(**state)
        self.jobs, self.store = jobs, store or Store()
        self.head, self.grid = OpenHead(jobs, self.store), TableGrid(jobs, self.store)
        self.circuits = InCircuits(self.store)
        self.params = {name: one.default for name, one in self.method_fields.items()} | self.params
        self._several = Several(jobs)
        self._asked: dict[str, Question] = {}
        self._set()
        self.param.watch(lambda *_: self._set(), [*ASKED, "params"])
        self.param.watch(lambda *_: self._join(), "joined")
        self.grid.tie(self)
        self._expect(self.jobs, self.store, "params", "joined", "results")

    def unanswered(self) -> list[Question]:
        """What 'Find heads' would compute."""
        asked = {method: self.question(method) for method in (HEADS, *self.joined)}
        return [one for method, one in asked.items() if method not in self.results]

    @property
    def method_fields(self) -> dict[str, Field]:
        """The fields of the table's own method."""
        return method_fields(HEADS)

    @property
    def live(self) -> bool:
        """Whether anything waits or runs, so that `refresh` has work."""
        return bool(self._several) or self.head.live or self.grid.live or self.expected.live

    @property
    def baseline(self) -> Scores | None:
        """The stored baseline on the prompts of the table, if there is one."""
        found = self.results.get(HEADS)
        return baseline_of(found, self.store) if found is not None else None

    @property
    def code(self) -> str:
        """The code of the table with what is joined to it; '' where `heads` alone is all of it."""
        if self.table is None or not self.table.others:
            return ""
        lines = f"from workbench.plots import heads_table\n\ntable = heads_table(result, {', '.join(self.table.others)})\n"
        return together([*self.table.others.items(), ("result", self.table.found)], lines, self.rows)

    @property
    def index(self) -> int | None:
        """The open head counted layer after layer; None where there is none, or not known how many heads a layer has."""
        heads = self.table.n_heads if self.table is not None else self.head.attention.heads
        return counted(self.head.head, heads)

    def newest_circuits(self) -> list[tuple[Entry, Held]]:
        """The newest stored circuits of the model and task, with what they keep."""
        known = self.results.get(HEADS)
        return self.circuits.newest(self.placed, self.task, None if known is None else known.origin)

    def question(self, method: str = HEADS) -> Question:
        """What a method is asked for the table.

        Raises:
            BadInput: When a setting is out of its range.
        """
        from workbench.methods import METHODS

        asked = self.ask(method, method_fields(method), self.params if method == HEADS else {}, "Find heads")
        # What needs no prompts has one answer whatever the task.
        return asked if METHODS[method].needs_pairs else replace(asked, task="", options={}, rows="")

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
        # A head that waits for its model was asked for; it is asked for anew.
        waits = self.head.live
        self._several.drop((HEADS, *JOINED) if not asked else new)
        self.param.update(**self._several.progress())
        found = {method: one for method, one in self.results.items() if method in asked and method not in new}
        if not (asked and before and asked[HEADS].placed == before[HEADS].placed):
            self.head.open(None)
        self.head.ask_about(asked.get(HEADS), self.n_asked)
        self._take(found | answers(self.store, new))
        if self.head.head is not None:
            self.head.look(load=waits or self.placed in self.jobs.models)

    def find(self) -> None:
        """Ask for the table and all that is joined to it; a BadInput becomes a notice."""
        self._ask((HEADS, *self.joined))
        if not self._several:
            self.status = "done"

    def rejoin(self) -> None:
        """Go on with what is being computed already of just this question: its page was closed, or another asked for it."""
        asked = self._asked.get(HEADS)
        if asked is not None and HEADS not in self.results and self.jobs.running(f"run {asked.key}") is not None:
            self.find()

    def _ask(self, methods: tuple[str, ...]) -> None:
        try:
            asked = {method: self.question(method) for method in methods if method not in self.results}
        except BadInput as problem:
            self.tell("error", str(problem))
            return
        store = self.store
        for method, one in asked.items():
            self._several.ask(method, one.placed, f"run {one.key}", lambda model, job, one=one: one.answer(model, job, store))
        self.refresh()

    def _join(self) -> None:
        """Something is joined or left out: what is not known yet is computed, if the table itself is there or on its way."""
        self._several.drop(method for method in JOINED if method not in self.joined)
        if self.detector in JOINED and self.detector not in self.joined:
            self.choose(FIRST)
        if HEADS in self.results or HEADS in self._several:
            self._ask(tuple(method for method in self.joined if method not in self._several))
        self._take(self.results)

    def refresh(self) -> None:
        """Take over how far the jobs are; called from the page's own thread."""
        self.head.refresh()
        self.grid.refresh()
        self.expected.refresh()
        if not self._several:
            return
        states = self._several.states()
        for state in states.values():
            if "pairs" in state.found:
                self.head.attention.name_prompts(state.found["pairs"])
        ended = {method: state for method, state in states.items() if state.status not in LIVE}
        done = {method: state.result for method, state in ended.items() if state.status == "done"}
        if done:
            self._take(self.results | done)
        self.param.update(**self._several.progress(next((state.status for state in ended.values()), self.status)))
        for state in ended.values():
            if state.status == "failed":
                self.tell("error", state.message)
        if not self._several and any(state.status == "stopped" for state in ended.values()):
            self.tell("info", "Stopped. What was finished is kept.")

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
        self.arrange()
        if self.head.head is not None and self.head.attention.missing and self.placed in self.jobs.models:
            # The head of a link, whose model was not there.
            self.head.look()

    def click(self, figure: Any, point: Mapping[str, Any]) -> None:
        """Open the head of a clicked cell of the map."""
        cell = cell_at(figure, point)
        if cell is not None:
            self.open(cell)

    def open(self, head: Head, load: bool = True) -> None:
        """Open a head, and show where it looks and what it writes; only what is known, where that must not load the model.

        Raises:
            BadInput: When the table has no such head.
        """
        if self.table is not None:
            self.table.check(head)
        self.head.open(head)
        self.head.look(load)

    def close(self) -> None:
        """Close the head that is open."""
        self.head.open(None)
