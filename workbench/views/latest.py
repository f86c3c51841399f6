"""The job that a panel asked for last, and what those before it gave."""

from collections import OrderedDict
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from workbench.jobs import LIVE, Job, Jobs, Placed

KEPT = 24


class Latest:
    """One job at a time; what was asked before is there at once.

    Args:
        jobs: The queues.
        kept: How many answers to keep.
        patient: Whether its jobs give way to all others.
    """

    def __init__(self, jobs: Jobs, kept: int = KEPT, patient: bool = False):
        self._jobs, self._most, self._patient = jobs, kept, patient
        self._job: Job | None = None
        self._kept: OrderedDict[str, Any] = OrderedDict()

    @property
    def live(self) -> bool:
        """Whether a job waits or runs, or has ended and `refresh` has not told."""
        return self._job is not None

    def ask(self, ref: str | Placed, key: str, work: Callable[[Any, Job], Any]) -> Any | None:
        """The answer, if it was given before; else a job is asked for it, see `refresh`. What was asked before is left."""
        before = self._job
        self._job = None
        if key not in self._kept:
            self._job = self._jobs.submit(ref, key, work, "Waiting for the model", lasting=False, patient=self._patient)
        if before is not None:
            before.leave()
        return self._kept.get(key)

    def drop(self) -> None:
        """Wait for the job no longer; it is stopped where nobody else does."""
        if self._job is not None:
            self._job.leave()
        self._job = None

    def refresh(self) -> SimpleNamespace | None:
        """How far the job is, the last time when it has ended; None where there is none."""
        if self._job is None:
            return None
        key, job = self._job.key, self._job.state()
        if job.status not in LIVE:
            self._job = None
        if job.status == "done":
            self._kept[key] = job.result
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return job
