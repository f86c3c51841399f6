"""The job that a panel asked for last, and what those before it gave, in memory and in the store."""

from collections import OrderedDict
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, TypeAlias

from workbench.jobs import LIVE, Job, Jobs, Placed
from workbench.store import Store
from workbench.views.beside import Beside
from workbench.views.question import CUSTOM, Question

KEPT = 24
# What is asked about: a model with its prompts, a model alone, or neither.
About: TypeAlias = Question | Placed | None
Work: TypeAlias = Callable[[Any, Job], Any]


class Latest:
    """One job at a time; what was asked before is there at once.

    Args:
        jobs: The queues.
        kept: How many answers to keep.
        patient: Whether its jobs give way to all others.
        store: Where answers are kept that are Results, see `Beside`; None where they are not.
    """

    def __init__(self, jobs: Jobs, kept: int = KEPT, patient: bool = False, store: Store | None = None):
        self._jobs, self._most, self._patient = jobs, kept, patient
        self._beside = None if store is None else Beside(store)
        self._job: Job | None = None
        self._kept: OrderedDict[str, Any] = OrderedDict()

    @property
    def live(self) -> bool:
        """Whether a job waits or runs, or has ended and `refresh` has not told."""
        return self._job is not None

    def known(self, asked: About, key: str) -> Any | None:
        """The answer, if it was given before, here or to anyone who shares the store."""
        name = _named(asked, key)
        if name not in self._kept and self._beside is not None and isinstance(asked, Question):
            found = self._beside.find(asked, name)
            if found is not None:
                self._keep(name, found)
        return self._kept.get(name)

    def ask(self, asked: About, key: str, work: Work) -> Any | None:
        """The answer, if it was given before; else a job is asked for it, see `refresh`. What was asked before is left."""
        before, self._job = self._job, None
        known, placed = self.known(asked, key), asked.placed if isinstance(asked, Question) else asked
        if known is None:
            name = _named(asked, key)
            done = self._kept_beside(asked, name, work)
            self._job = self._jobs.submit(placed, name, done, "Waiting for the model", lasting=False, patient=self._patient)
        if before is not None:
            before.leave()
        return known

    def _kept_beside(self, asked: About, key: str, work: Work) -> Work:
        """The work, whose answer is kept in the store."""
        beside = self._beside
        if beside is None or not isinstance(asked, Question):
            return work

        def done(model: Any, job: Job) -> Any:
            answer = work(model, job)
            beside.keep(asked, key, answer)
            return answer

        return done

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
            self._keep(key, job.result)
        return job

    def _keep(self, key: str, answer: Any) -> None:
        self._kept[key] = answer
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)


def _named(asked: About, key: str) -> str:
    """The key, with the pairs that must be the user's own where those of a stored result are asked about."""
    return f"{key} {asked.expected}" if isinstance(asked, Question) and asked.task == CUSTOM and asked.expected else key
