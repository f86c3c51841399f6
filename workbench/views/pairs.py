"""The page of pairs without its layout: a task's pairs or the user's own, how a tokenizer reads them, and what is wrong.

Nothing here computes: jobs read and measure, and `refresh` takes over how far they are.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import param

from workbench.errors import BadInput
from workbench.jobs import JOBS, LIVE, Job, Jobs, Placed
from workbench.result import Scores, canonical
from workbench.store import Store
from workbench.views.asking import ASKED
from workbench.views.expected import Expecting
from workbench.views.pairs_edited import SHOWN, Edited
from workbench.views.pairs_reading import Reader, laid, made, measured, reader_of
from workbench.views.pairs_table import COLUMNS, Line, lines_of, written
from workbench.views.query import ready
from workbench.views.question import Question
from workbench.views.working import IDLE

BUTTON = "Check pairs"


class OwnPairs(Edited, Expecting):
    """State of the page of pairs."""

    answers = param.Dict(default={}, doc="By number of a line: the baseline on it, a number by name.")
    baseline = param.Parameter(doc="Scores of the baseline on the pairs measured last, or None.")
    measured_rows = param.String(default="", doc="The user's own pairs that the baseline is of, as text.")

    def __init__(self, jobs: Jobs = JOBS, store: Store | None = None, **state: Any):
        super().__init__(**state)
        self.jobs, self.store = jobs, store or Store()
        self._readers: dict[Placed, Reader] = {}
        self._reading: Job | None = None
        # By text of a line: its Alignment, and the baseline on it.
        self._known: dict[str, Any] = {}
        self._measured: dict[str, dict[str, float]] = {}
        self._asked: tuple[Any, ...] = ()
        # How many of a task's pairs are other tokens once they are text.
        self._otherwise = 0
        self._expect(self.jobs, self.store, "lines", "layouts", "baseline")
        self._take_up()
        self.param.watch(lambda *_: self._take_up(), list(ASKED))

    @property
    def live(self) -> bool:
        """Whether anything waits or runs, so that `refresh` has work."""
        return self._job is not None or self._reading is not None or self.expected.live

    def unanswered(self) -> list[Question]:
        """What the button would compute; nothing as long as not every pair of one's own can be used."""
        usable = not self.own or (
            bool(self.lines) and all((one := self.layouts.get(line.number)) is not None and one.usable for line in self.lines)
        )
        return [self.ask("baseline", {}, {}, BUTTON)] if usable and self.baseline is None else []

    def _take_up(self) -> None:
        """Something else is asked about: what was read and measured of it before goes."""
        if self._setting:
            return
        asked = (self.placed, self.task, canonical(self.options))
        same, self._asked = asked == self._asked, asked
        if not same:
            self._leave()
            self._known, self._measured = {}, {}
            self.baseline = None
        if self.own:
            if self.rows != written(self.table.lines):
                self._fill()
        elif not same:
            self.table.start(())
            self.layouts = {}
        self._show()
        if not self.own and not same and self.placed in self.jobs.models:
            self.check()

    def _own(self) -> None:
        if not self.own:
            self._known = {}
            self._measured = {} if self._otherwise else self._measured
        super()._own()

    def _leave(self) -> None:
        for job in (self._job, self._reading):
            if job is not None:
                job.leave()
        self._job = self._reading = None
        self.param.update(status=IDLE, label="", progress=None, seconds_left=None)

    def _show(self) -> None:
        """Show the table with what is known of its lines, and ask for the rest where the tokenizer is at hand."""
        lines = self.table.lines
        keys = {line.number: _key(line) for line in lines}
        self.param.update(
            lines=lines,
            layouts={number: self._known[key] for number, key in keys.items() if key in self._known},
            answers={line.number: self._measured[key] for line in lines if (key := _asked(line)) in self._measured},
            first=min(self.first, max(0, len(lines) - 1)) // SHOWN * SHOWN,
        )
        if self.own and self._reading is None and len(self.layouts) < len(lines):
            self._read()

    def _read(self) -> None:
        """Ask for the layouts that are not known."""
        reader = self._readers.get(self.placed)
        if reader is None and not ready(self):
            return
        rows = {key: dict(line.row) for line in self.table.lines if (key := _key(line)) not in self._known}
        options = self._ways

        def work(model: Any, job: Job) -> dict[str, Any]:
            if reader is None:
                job.tell(reader=reader_of(model))
            with_it = reader or job.found["reader"]
            return dict(zip(rows, laid(with_it, list(rows.values()), options, job), strict=True))

        key = f"align {canonical([self.placed, options, list(rows)])}"
        self._reading = self.jobs.submit(None if reader else self.placed, key, work, "Reading pairs")

    @property
    def _ways(self) -> dict[str, Any]:
        """How answers are read."""
        return {name: self.options[name] for name in ("first_token", "add_space") if name in self.options}

    def check(self) -> None:
        """Make or read the pairs, and measure whether the model can do them; a BadInput becomes a notice."""
        try:
            asked = self.ask("baseline", {}, {}, BUTTON)
        except BadInput as problem:
            self.tell("error", str(problem))
            return
        lines, ways, store, own = self.table.lines, self._ways, self.store, self.own

        def work(model: Any, job: Job) -> Scores | None:
            reader = reader_of(model)
            job.tell(reader=reader)
            if not own:
                rows, layouts, otherwise = made(model, asked)
                drawn = lines_of(rows)
                known = {_key(line): one for line, one in zip(drawn, layouts, strict=True)}
                job.tell(drawn=drawn, known=known, otherwise=otherwise, keys=[_asked(line) for line in drawn])
                return measured(model, asked, store, job)
            layouts = laid(reader, [line.row for line in lines], ways, job)
            usable = tuple(line for line, layout in zip(lines, layouts, strict=True) if layout.usable)
            known = {_key(line): one for line, one in zip(lines, layouts, strict=True)}
            job.tell(known=known, keys=[_asked(line) for line in usable])
            if not usable:
                return None
            some = replace(asked, rows=written(usable))
            job.tell(measured_rows=some.rows)
            return measured(model, some, store, job)

        self._begin(self.jobs, asked.placed, _check_key(asked), work, "Waiting for the model")
        self.param.update(status="queued", baseline=None)
        self._measured = {}
        self._show()
        self.refresh()

    def rejoin(self) -> None:
        """Go on with a check of just these pairs that runs already: its page was closed, or another asked for it."""
        try:
            asked = self.ask("baseline", {}, {}, BUTTON)
        except BadInput:
            return
        if self._job is None and self.jobs.running(_check_key(asked)) is not None:
            self.check()

    def refresh(self) -> None:
        """Take over how far the jobs are; called from the page's own thread."""
        self._refresh_reading()
        self.expected.refresh()
        if self._job is None or self._job.version == self._seen:
            return
        job = self._job.state()
        self._seen = job.version
        self._hear(job.found)
        self.param.update(status=job.status, label=job.label, progress=job.progress, seconds_left=job.seconds_left)
        if job.status not in LIVE:
            self._ended(job)

    def _hear(self, found: Mapping[str, Any]) -> None:
        """Take over what was found on the way."""
        if "reader" in found:
            self._readers = {self.placed: found["reader"]}
        if "known" not in found or all(key in self._known for key in found["known"]):
            return
        self._known |= found["known"]
        if "drawn" in found and not self.own:
            self.table.start(found["drawn"])
            self._otherwise = found["otherwise"]
            if self._otherwise:
                said = f"{self._otherwise} of {len(found['drawn'])} prompts would be other tokens if they were typed"
                self.tell("warning", f"{said}: this task draws tokens, not text. Use it as it is rather than edit it.")
        self._show()

    def _refresh_reading(self) -> None:
        if self._reading is None:
            return
        state = self._reading.state()
        if state.status in LIVE:
            return
        self._reading = None
        if state.status == "done":
            self._hear({**state.found, "known": state.result})
        elif state.status == "failed":
            self.tell("error", state.message)

    def _ended(self, job: Any) -> None:
        self._job = None
        if job.status == "failed":
            self.tell("error", job.message.removeprefix("custom: "))
        elif job.status == "stopped":
            self.tell("info", "Stopped.")
        elif job.result is None:
            self.tell("warning", "None of the pairs can be used as it is: see what is wrong with each, and the fixes.")
        else:
            self._measured = _by_key(job.result, job.found["keys"])
            # The table may change; the code is of what was measured.
            self.param.update(baseline=job.result, measured_rows=job.found.get("measured_rows", ""))
            self._show()


def _check_key(asked: Question) -> str:
    return f"pairs {asked.key}"


def _key(line: Line) -> str:
    return canonical(dict(line.row))


def _asked(line: Line) -> str:
    """What the baseline depends on: named positions are none of it, but the end that is read is."""
    return canonical({name: text for name, text in line.row.items() if name in (*COLUMNS, "pos:END")})


def _by_key(scores: Scores, keys: list[str]) -> dict[str, dict[str, float]]:
    """The baseline on each pair: 'metric clean', 'rank corrupt', …"""
    parts = {"metric": scores.values, **scores.parts}
    runs = ("clean", "corrupt")
    return {
        key: {f"{name} {run}": float(one.sel(run=run)[at]) for name, one in parts.items() for run in runs}
        for at, key in enumerate(keys)
    }
