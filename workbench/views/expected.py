"""What Run will take, beside the button: asked of a job once the model is loaded, and said in a few words."""

from collections.abc import Sequence
from typing import Any

import param

from workbench.errors import BadInput
from workbench.forecasts import Forecast, forecast
from workbench.jobs import LIVE, Job, Jobs, limits
from workbench.models.memory import free_memory, gigabytes
from workbench.store import Store
from workbench.store.asked import noted
from workbench.views.asking import ASKED, Asking
from workbench.views.latest import Latest
from workbench.views.question import Question

UNLOADED = "How long it takes is known once the model is loaded."
COUNTING = "How long it takes is being counted."
BEGUN = " A part of it was computed before: it goes on from there, and takes less."


class Expected(param.Parameterized):
    """The forecast of a question."""

    said = param.String(default="", doc="What it takes, as plain text; '' where there is no question.")

    def __init__(self, jobs: Jobs, store: Store):
        super().__init__()
        self._jobs, self._store, self._latest = jobs, store, Latest(jobs, patient=True)
        self._of = ""

    @property
    def live(self) -> bool:
        """Whether a job of this panel waits or runs."""
        return self._latest.live

    def ask_about(self, *asked: Question) -> None:
        """Say what questions to one model take together; no model is loaded for them."""
        if not asked:
            self._latest.drop()
            self.param.update(said="")
            self._of = ""
            return
        placed, key = asked[0].placed, " ".join(one.key for one in asked)
        if placed not in self._jobs.models:
            self._latest.drop()
            # Of what was begun here it was noted which result it will give.
            begun = any(self._store.begun(key) for one in asked if (key := noted(self._store.folder, one.key)))
            self.said, self._of = UNLOADED + BEGUN * begun, ""
            return
        if key == self._of:
            return
        self._of, store = key, self._store

        def work(model: Any, job: Job) -> str:
            from workbench.methods import METHODS

            made, pairs, begun = [], {}, False
            for one in asked:
                job.check()
                if one.pairs_key not in pairs:
                    pairs[one.pairs_key] = one.pairs(model) if one.task else None
                one.check(model)
                made.append(forecast(model, pairs[one.pairs_key], one.method, one.params, store.folder))
                limits().check("cells", made[-1].cells or 0)
                begun |= store.begun(METHODS[one.method].origin(model, pairs[one.pairs_key], **one.params).key)
            return words(together(made), free_memory(str(model.cfg.device))) + BEGUN * begun

        known = self._latest.ask(placed, f"forecast {key}", work)
        if known is not None:
            self.said = known
        else:
            # What stands there is of another question.
            self.said = COUNTING

    def forget(self) -> None:
        """Forget what was said before: something was run, which changes what the next run takes."""
        self._latest.drop()
        self._latest, self._of = Latest(self._jobs, patient=True), ""

    def refresh(self) -> None:
        """Take over how far the job is."""
        job = self._latest.refresh()
        if job is None:
            return
        if job.status == "done":
            self.said = job.result
        elif job.status in ("failed", "stopped"):
            # Without a message it was stopped: its model had been put out of memory before its turn came.
            self.said, self._of = job.message or UNLOADED, ""


class Expecting(Asking):
    """A page that says what its button takes, before it is pressed."""

    expected: Expected

    def unanswered(self) -> Sequence[Question]:
        """What the button would compute.

        Raises:
            BadInput: When a setting is out of its range.
        """
        raise NotImplementedError

    def _expect(self, jobs: Jobs, store: Store, *changing: str) -> None:
        """Say it now, and whenever the page is set to something else or one of these parameters changes."""
        self.expected, self._ran = Expected(jobs, store), False
        self.param.watch(lambda *_: self._ask_expected(), [*ASKED, "status", *changing])
        self._ask_expected()

    def _ask_expected(self) -> None:
        if self.status in LIVE:
            self._ran = True
            return
        if self._ran:
            self._ran = False
            self.expected.forget()
        try:
            self.expected.ask_about(*self.unanswered())
        except BadInput:
            self.expected.ask_about()


def together(found: Sequence[Forecast]) -> Forecast:
    """The forecast of several runs, one after the other: all seconds and cells, the memory of the largest."""
    if len(found) == 1:
        return found[0]
    return Forecast(
        seconds=sum((one.seconds or 0.0 for one in found), 0.0),
        held=max((one.held for one in found if one.held is not None), default=None),
        cells=sum(one.cells or 0 for one in found) or None,
        before=all(one.before for one in found),
        at_most=any(one.at_most for one in found),
        passes=sum(one.passes for one in found),
    )


def words(found: Forecast, free: int | float) -> str:
    """A forecast in a few words: 'About 14 s, 0.30 GB; 270 cells, 36 at once.'"""
    kind = "At most " if found.at_most else "About " if found.seconds >= 1 else ""
    said = f"{kind}{duration(found.seconds)}" + (", as the last run like it" if found.before else "")
    said += f", {memory(found.held)}" if found.held is not None else ""
    said += "".join(f"; {part}" for part in _counts(found)) + "."
    if found.held is not None and found.held > free:
        said += f" That is more than the {gigabytes(free)} that are free: take fewer or shorter prompts."
    return said


def _counts(found: Forecast) -> list[str]:
    """How many cells and how many things at once."""
    if not found.passes:
        return ["no pass of the model: the weights say it all"]
    cells = f"{found.cells:,} cells" if found.cells is not None else ""
    if found.at_once is None:
        return [cells] if cells else []
    together = f"{found.at_once:,} {found.of[:-1] if found.at_once == 1 else found.of} at once"
    return [f"{cells}, {found.at_once:,} at once"] if found.of == "cells" else [part for part in (cells, together) if part]


def memory(held: int) -> str:
    """Bytes for reading: '12 MB', '0.30 GB'."""
    return f"{max(1, round(held / 1e6))} MB" if held < 1e8 else gigabytes(held)


def duration(seconds: float | int) -> str:
    """A time for reading: '14 s', '3 min'."""
    if seconds < 1:
        return "1 s or less"
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
