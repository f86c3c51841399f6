"""The jobs of this process, in a queue per device, served in turns of those who ask."""

import logging
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from workbench.errors import BadInput
from workbench.jobs.fetching import Fetching
from workbench.jobs.held import Held
from workbench.jobs.job import Job
from workbench.jobs.limits import limits
from workbench.jobs.models import Models
from workbench.jobs.placed import Placed
from workbench.progress import Step, Stopped

log = logging.getLogger(__name__)


class Turns:
    """Who waits for one device: who asked for many things lets another's first go before his second."""

    def __init__(self):
        self._lines: OrderedDict[str, deque[tuple[Job, Placed | None]]] = OrderedDict()
        # What the device works on; one that was stopped is here until it ends, though its key may be another's by then.
        self.running: Job | None = None

    def put(self, owner: str, job: Job, placed: Placed | None) -> None:
        """One more job of an owner; of those who share a job each brings it forward."""
        self._lines.setdefault(owner, deque()).append((job, placed))

    def next(self) -> tuple[str, Job, Placed | None] | None:
        """The next job that still waits, in turns of the owners, with who asked; None where there is none."""
        while self._lines:
            owner, line = self._lines.popitem(last=False)
            job, placed = line.popleft()
            if line:
                self._lines[owner] = line
            if job.status == "queued":
                return owner, job, placed
        return None

    @property
    def waited_for(self) -> bool:
        """Whether any job waits that gives way to none."""
        return any(job.status == "queued" and not job.patient for line in self._lines.values() for job, _ in line)


class Jobs:
    """Jobs by key, a thread per device and one for all work without a model.

    Args:
        models: Where models come from.
    """

    def __init__(self, models: Models | None = None):
        self.models = models or Models()
        # Who asks, where `submit` is not told: pages say the browser session.
        self.who: Callable[[], str] = str
        # Where they ask: pages say their own address.
        self.where: Callable[[], str] = str
        self._turns: dict[str | None, Turns] = {}
        self._live: dict[str, Job] = {}
        self._lasting: set[str] = set()
        self._told: dict[str, Callable[[], None]] = {}
        self._held = Held()
        self._changed = threading.Condition()
        self._fetching = Fetching(self.models.fetch, self._drop_ended)

    def submit(
        self,
        ref: str | Placed | None,
        key: str,
        work: Callable[[Any, Job], Any],
        label: str = "",
        owner: str | None = None,
        lasting: bool = True,
        patient: bool = False,
    ) -> Job:
        """Ask for `work(model, job)`; a job of the same key that waits or runs is given back instead of a new one.

        Args:
            ref: The model, perhaps with dtype and device; None for work that needs none, which is called with None.
            key: What is asked, such that equal keys mean equal results.
            work: Called in the device's own thread, or in that of all work without a model. Long loops report through
                `workbench.progress`.
            label: What is said until the work reports something itself.
            owner: Who asks; owners take turns. The session where None.
            lasting: Whether it is done though who asked has gone before its turn came.
            patient: Whether it gives way to whatever else is asked of the device, and is begun anew after it.
        Returns:
            The job; one that has failed already where the owner has more jobs than the server allows.
        """
        owner = self.who() if owner is None else owner
        placed = None if ref is None else Placed.of(ref)
        with self._changed:
            job = self._live.get(key)
            if job is None or not job.live or job.stopping:
                gives_way = (lambda: self._waited_for(placed)) if patient else None
                job = Job(key, work, lambda: self.who(), gives_way, label=label or "Waiting", where=self.where())
                try:
                    self._check(owner)
                except BadInput as problem:
                    job.refuse(str(problem))
                    return job
                self._live[key] = job
            job.join(owner)
            if lasting:
                self._lasting.add(key)
            if job.status == "queued":
                if placed is not None and self.models.lacks(placed):
                    self._fetching.bring(placed, job, lambda: self._line_up(owner, job, placed, "Waiting"))
                else:
                    self._line_up(owner, job, placed)
        return job

    def load(self, ref: str | Placed) -> Job:
        """A job that loads a model and gives its card."""
        from workbench.models import card

        placed = Placed.of(ref)
        return self.submit(placed, f"load {'|'.join(placed)}", lambda model, job: card(model), f"Loading {placed.ref}")

    def running(self, key: str) -> Job | None:
        """The job of this key, if it waits or runs."""
        job = self._live.get(key)
        return job if job is not None and job.live else None

    def states(self) -> dict[str, SimpleNamespace]:
        """How far each job is that waits or runs, by key; but for those that give way, which nobody waits for."""
        with self._changed:
            jobs = list(self._live.items())
        return {key: job.state() for key, job in jobs if job.live and not job.patient}

    def tell(self, owner: str, call: Callable[[], None]) -> None:
        """Call something, in the worker's thread, whenever a job that ran and that this owner waits for has ended."""
        self._told[owner] = call

    def forget(self, owner: str) -> None:
        """An owner has gone: what runs goes on, and so does what he started himself; helpers that wait go with him."""
        self._told.pop(owner, None)
        with self._changed:
            self._held.forget(owner)
            for key, job in list(self._live.items()):
                job.forget(owner)
                if job.status == "queued" and not job.wanted and key not in self._lasting:
                    job.stop()

    def stop_all(self, seconds: float | int = 0) -> None:
        """Stop every job, and wait up to `seconds` for each to end."""
        jobs = self._all()
        for job in jobs:
            job.stop()
        for job in jobs:
            job.wait(seconds)

    @property
    def idle(self) -> bool:
        """Whether nothing waits or runs, nor what was stopped and has not ended yet."""
        return not any(job.live for job in self._all())

    def _all(self) -> list[Job]:
        """Every job that has not ended, and some that have."""
        with self._changed:
            return [*self._live.values(), *(turns.running for turns in self._turns.values() if turns.running is not None)]

    def _line_up(self, owner: str, job: Job, placed: Placed | None, label: str = "") -> None:
        if label:
            job.say(label)
        with self._changed:
            self._turns_of(placed).put(owner, job, placed)
            self._changed.notify_all()

    def _waited_for(self, placed: Placed | None) -> bool:
        with self._changed:
            return self._turns_of(placed).waited_for

    def _check(self, owner: str) -> None:
        most = limits().jobs
        if most is None:
            return
        # What has ended leaves the list in the worker's thread, and what was stopped before its turn with its turn.
        # Nor does one count that gives way: it stands in no list, so that nobody could stop it.
        mine = sum(job.live and not (job.stopping or job.patient) and job.asked_by(owner) for job in self._live.values())
        if mine >= most:
            raise BadInput(f"the jobs of one page must be at most {most} on this server; got one more. Wait, or stop one.")

    def _turns_of(self, placed: Placed | None) -> Turns:
        device = None if placed is None else placed.device
        if device not in self._turns:
            self._turns[device] = Turns()
            threading.Thread(target=self._serve, args=(device,), name=f"jobs of {device or 'no model'}", daemon=True).start()
        return self._turns[device]

    def _serve(self, device: str | None) -> None:
        turns = self._turns[device]
        while True:
            with self._changed:
                while (found := turns.next()) is None:
                    self._changed.wait()
                owner, job, placed = found
                turns.running = job
            job.run(lambda job=job, placed=placed: self._model(placed, job))
            if job.live and (job.wanted or job.key in self._lasting):
                self._line_up(owner, job, placed)
            elif job.live:
                # It gave way, and who asked went while it ran.
                job.stop()
            self._drop_ended()
            if not job.live:
                self._tell(job)
            # Else the last result would stay in memory until the next question.
            turns.running = None
            del job, found

    def _tell(self, job: Job) -> None:
        """Those who wait for it need not look again to know that it has ended."""
        for owner, call in list(self._told.items()):
            if job.asked_by(owner):
                try:
                    call()
                except Exception:
                    # Of a session that is just ending; the work of others goes on.
                    log.exception("who waits for %s could not be told", job.key)

    def _drop_ended(self) -> None:
        with self._changed:
            for key in [key for key, one in self._live.items() if not one.live]:
                del self._live[key]
                self._lasting.discard(key)

    def _model(self, placed: Placed | None, job: Job) -> Any:
        if placed is None:
            return None
        model = self._taken(placed, job)
        if not job.patient:
            with self._changed:
                left = [one for owner in job.owners for one in self._held.ask(owner, placed)]
            for one in left:
                self.models.unload(one)
        return model

    def _taken(self, placed: Placed, job: Job) -> Any:
        if placed in self.models:
            return self.models.take(placed)
        if job.patient:
            # No other model is put out of memory for it.
            raise Stopped
        job.say(f"Loading {placed.words}")
        told = []

        def hear(step: Step | None) -> None:
            job.check()
            if step is not None and step not in told[-1:]:
                told.append(step)
                job.hear(step)

        return self.models.take(placed, hear)
