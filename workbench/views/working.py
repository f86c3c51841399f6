"""What every page that asks for work has: how far its job is, notices, Stop."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import param

from workbench.errors import BadInput
from workbench.jobs import Job, Jobs, Placed
from workbench.result import Origin, Result
from workbench.store import Store
from workbench.views.opened import opened

IDLE = "idle"
SHARED = "Stopped for you. Somebody else waits for the same result, so its work goes on; Run joins it again."


@dataclass(frozen=True, eq=False)
class Notice:
    """Something to tell the user: `level` is 'error', 'warning' or 'info'. The text is not safe as HTML."""

    level: str
    text: str


class Working(param.Parameterized):
    """How far a page's job is. Nothing here computes."""

    status = param.String(default=IDLE, doc="idle, queued, running, done, stopped or failed.")
    label = param.String(default="")
    progress = param.Number(default=None, allow_None=True)
    seconds_left = param.Number(default=None, allow_None=True)
    notice = param.Parameter(doc="The latest Notice.")

    def __init__(self, **state: Any):
        super().__init__(**state)
        self._job: Job | None = None
        self._stopping: Job | None = None
        self._seen = -1

    def _begin(self, jobs: Jobs, ref: Placed | None, key: str, work: Callable[[Any, Job], Any], label: str) -> None:
        """Ask for the page's own job, see `Jobs.submit`; who asks twice for one, as by a double click, waits for it once."""
        before = jobs.running(key)
        again = before is not None and before.asked_by(jobs.who())
        self._job, self._seen = jobs.submit(ref, key, work, label), -1
        if again and self._job is before:
            self._job.leave()

    def stop(self) -> None:
        """Stop the job; what it finished is kept. A job that others wait for goes on, and this page hears no more of it."""
        if self._job is None or self._job is self._stopping:
            return
        if self._job.leave():
            self._stopping = self._job
            self.label = "Stopping …"
            return
        self._job = None
        self.param.update(status="stopped", label="", progress=None, seconds_left=None)
        self.tell("info", SHARED)

    def read(self, store: Store, key: str) -> Result | None:
        """What is stored under a key; where it cannot be read, None and a notice."""
        try:
            result = opened(store, key)
        except BadInput as problem:
            self.tell("error", str(problem))
            return None
        if result is None:
            self.tell("error", "The stored result is damaged and was moved aside. Run it again.")
        return result

    def tell(self, level: str, text: str) -> None:
        """Give the user a notice."""
        self.notice = Notice(level, text)


def stamped(partial: Result | None, origin: Origin | None) -> Result | None:
    """A partial result with the Origin it will have, so that its figure keeps its size when it is whole."""
    return partial if partial is None or origin is None else partial.replace(origin=origin)
