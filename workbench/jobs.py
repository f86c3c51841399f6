"""Work in the background: one queue and one thread per model, with progress, Stop and sharing; no Panel.

Work that needs no model, such as training networks of its own, has a queue of its own.

Hooks change the model they sit on, so that two forwards of one model at once give wrong numbers: every forward that a
page asks for goes through here. A job's state is set by the worker's thread and read from any other; a page looks at it a
few times a second (`Job.version` grows with each change) and so needs nothing that lives in a browser session. What a
session leaves behind when it ends does not touch the job: it goes on, and its result lands in the store.
"""

import atexit
import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import SimpleNamespace
from typing import Any

import param

from workbench.errors import BadInput
from workbench.progress import Step, Stopped, listening, viewing

log = logging.getLogger(__name__)

LIVE = ("queued", "running")
PARTIAL_EVERY = 0.3
INTERNAL = "Internal error: the log of the server has the details."


class Job(param.Parameterized):
    """One piece of work and how far it is. Watchers are called in the worker's thread."""

    status = param.Selector(default="queued", objects=["queued", "running", "done", "stopped", "failed"])
    label = param.String(doc="What is being done, in a few words.")
    progress = param.Number(default=None, allow_None=True, bounds=(0, 1), doc="Share done; None where unknown.")
    done = param.Number(default=0, doc="Units finished.")
    total = param.Number(default=None, allow_None=True, doc="Units in all, or None.")
    seconds_left = param.Number(default=None, allow_None=True, doc="Time left; None where unknown.")
    partial = param.Parameter(doc="The Result so far.")
    found = param.Dict(default={}, doc="What was found on the way, by name.")
    result = param.Parameter(doc="What the work returned.")
    message = param.String(doc="Why it failed, for the user.")
    internal = param.Boolean(default=False, doc="Whether it failed by a mistake of ours.")
    version = param.Integer(default=0, doc="Grows with each change.")

    def __init__(self, key: str, work: Callable[[Any, "Job"], Any], **state: Any):
        super().__init__(**state)
        self.key, self._work = key, work
        self._stop = threading.Event()
        self._ended = threading.Event()
        self._lock = threading.RLock()
        self._waiting = 0
        self._pace = _Pace()
        self._shown = 0.0

    @property
    def live(self) -> bool:
        """Whether it waits or runs."""
        return self.status in LIVE

    def stop(self) -> None:
        """Ask it to stop: at once while it waits, within one batch while it runs."""
        with self._lock:
            self._stop.set()
            if self.status == "queued":
                self._end(status="stopped")

    def join(self) -> None:
        """One more waits for it."""
        with self._lock:
            self._waiting += 1

    def leave(self) -> None:
        """Wait for it no longer; it is stopped where nobody else does."""
        with self._lock:
            self._waiting -= 1
            if self._waiting <= 0:
                self.stop()

    def wait(self, seconds: float | int | None = None) -> bool:
        """Wait for its end; whether it came."""
        return self._ended.wait(seconds)

    def tell(self, **found: Any) -> None:
        """Make known what was found on the way (called by the work itself)."""
        self._change(found={**self.found, **found})

    def state(self) -> SimpleNamespace:
        """All of its state at one moment; read one by one, values may belong to two."""
        with self._lock:
            return SimpleNamespace(**{name: value for name, value in self.param.values().items() if name != "name"})

    def say(self, label: str) -> None:
        """Make known what is being done (called by the work itself)."""
        self._change(label=label, progress=None)

    def run(self, take: Callable[[], Any]) -> None:
        """Do the work, in the calling thread, on the model that `take` gives."""
        with self._lock:
            if not self.live:
                return
            self._change(status="running")
        try:
            with listening(self._hear), viewing(self._see):
                model = take()
                self.check()
                result = self._work(model, self)
            self._end(status="done", progress=1.0, result=result, partial=None)
        except Stopped:
            self._end(status="stopped")
        except BadInput as problem:
            self._end(status="failed", message=str(problem))
        except Exception:
            log.exception("%s failed", self.label or self.key)
            self._end(status="failed", message=INTERNAL, internal=True)

    def check(self) -> None:
        """Raise Stopped if it was asked to stop."""
        if self._stop.is_set():
            raise Stopped

    def _hear(self, step: Step) -> None:
        self.check()
        share = min(1.0, step.done / step.total) if step.total else None
        left = self._pace.seconds_left(step)
        self._change(label=step.label, done=step.done, total=step.total, progress=share, seconds_left=left)

    def _see(self, make: Callable[[], Any]) -> None:
        now = time.monotonic()
        if now - self._shown >= PARTIAL_EVERY:
            self._shown = now
            self._change(partial=make())

    def _end(self, **state: Any) -> None:
        self._change(**state, seconds_left=None)
        self._ended.set()

    def _change(self, **state: Any) -> None:
        with self._lock:
            try:
                self.param.update(**state, version=self.version + 1)
            except Exception:
                # The values are set by now. A watcher that a session left behind must not end the work of others.
                log.exception("a watcher of %s failed", self.key)


class _Pace:
    """How fast a loop goes, from its last ten seconds: pieces found in the ledger come at once and must not count."""

    def __init__(self):
        self._label, self._seen = "", deque(maxlen=200)

    def seconds_left(self, step: Step) -> float | None:
        now = time.monotonic()
        if step.label != self._label or (self._seen and step.done < self._seen[-1][1]):
            self._label = step.label
            self._seen.clear()
        self._seen.append((now, step.done))
        while len(self._seen) > 2 and now - self._seen[0][0] > 10:
            self._seen.popleft()
        (start, before), (end, done) = self._seen[0], self._seen[-1]
        if not step.total or done <= before or end - start < 0.2:
            return None
        return (step.total - done) * (end - start) / (done - before)


class Models:
    """Loaded models by ref: each is loaded once, and the few used last are kept.

    Args:
        load: ref -> model.
        keep: How many to keep; what else is loaded goes when its last job ends.
    """

    def __init__(self, load: Callable[[str], Any] | None = None, keep: int = 2):
        self._load, self._keep = load, keep
        self._loaded: OrderedDict[str, Any] = OrderedDict()
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def __contains__(self, ref: str) -> bool:
        return ref in self._loaded

    def take(self, ref: str) -> Any:
        """The model of `ref`, loaded now if need be."""
        with self._of(ref):
            with self._lock:
                if ref in self._loaded:
                    self._loaded.move_to_end(ref)
                    return self._loaded[ref]
                while len(self._loaded) >= self._keep:
                    self._loaded.popitem(last=False)
            model = (self._load or _load)(ref)
            with self._lock:
                self._loaded[ref] = model
            return model

    def _of(self, ref: str) -> AbstractContextManager:
        with self._lock:
            return self._locks.setdefault(ref, threading.Lock())


def _load(ref: str) -> Any:
    from workbench.models import load

    return load(ref)


class Jobs:
    """The jobs of this process, in a queue per model.

    Args:
        models: Where models come from.
    """

    def __init__(self, models: Models | None = None):
        self.models = models or Models()
        self._queues: dict[str | None, deque[Job]] = {}
        self._live: dict[str, Job] = {}
        self._changed = threading.Condition()

    def submit(self, ref: str | None, key: str, work: Callable[[Any, Job], Any], label: str = "") -> Job:
        """Ask for `work(model, job)`; a job of the same key that waits or runs is given back instead of a new one.

        Args:
            ref: The model; None for work that needs none, which is called with None.
            key: What is asked, such that equal keys mean equal results.
            work: Called in the model's own thread, or in that of all work without a model. Long loops report through
                `workbench.progress`.
            label: What is said until the work reports something itself.
        """
        with self._changed:
            job = self._live.get(key)
            if job is not None and job.live and not job._stop.is_set():
                job.join()
                return job
            job = self._live[key] = Job(key, work, label=label or "Waiting")
            job.join()
            if ref not in self._queues:
                self._queues[ref] = deque()
                threading.Thread(target=self._serve, args=(ref,), name=f"jobs of {ref or 'no model'}", daemon=True).start()
            self._queues[ref].append(job)
            self._changed.notify_all()
        return job

    def load(self, ref: str) -> Job:
        """A job that loads a model and gives its card."""
        from workbench.models import card

        return self.submit(ref, f"load {ref}", lambda model, job: card(model), f"Loading {ref}")

    def running(self, key: str) -> Job | None:
        """The job of this key, if it waits or runs."""
        job = self._live.get(key)
        return job if job is not None and job.live else None

    def stop_all(self, seconds: float | int = 0) -> None:
        """Stop every job, and wait up to `seconds` for each to end."""
        jobs = list(self._live.values())
        for job in jobs:
            job.stop()
        for job in jobs:
            job.wait(seconds)

    def _serve(self, ref: str | None) -> None:
        queue = self._queues[ref]
        while True:
            with self._changed:
                self._changed.wait_for(lambda: queue)
                job = queue.popleft()
            job.run(lambda job=job: self._model(ref, job))
            with self._changed:
                if self._live.get(job.key) is job:
                    del self._live[job.key]
            # Else the last result would stay in memory until the next question.
            del job

    def _model(self, ref: str | None, job: Job) -> Any:
        if ref is None:
            return None
        if ref not in self.models:
            job.say(f"Loading {ref}")
        return self.models.take(ref)


JOBS = Jobs()
# A thread inside torch while the interpreter goes away may crash it; finished pieces are on disk by then.
atexit.register(JOBS.stop_all, 20.0)
