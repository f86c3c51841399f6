"""A job: one piece of work and how far it is, shared by all who ask for the same."""

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import param

from workbench.errors import BadInput
from workbench.progress import Step, Stopped, listening, viewing

log = logging.getLogger(__name__)

LIVE = ("queued", "running")
PARTIAL_EVERY = 0.3
INTERNAL = "Internal error: the log of the server has the details."


class _GaveWay(Exception):
    """Others wait, and this can: raised through the `with` blocks of the work, like Stopped."""


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
    where = param.String(doc="The page and the address that it was begun from; '' where it was none.")
    version = param.Integer(default=0, doc="Grows with each change.")

    def __init__(
        self,
        key: str,
        work: Callable[[Any, "Job"], Any],
        who: Callable[[], str] = str,
        gives_way: Callable[[], bool] | None = None,
        **state: Any,
    ):
        """The job of a key.

        Args:
            key: What is asked, such that equal keys mean equal results.
            work: Called with the model and the job.
            who: Who asks now, where `join` and `leave` are not told.
            gives_way: Whether others go first now: then it ends where it is, waits, and is begun anew. None for a job that
                gives way to none.
            state: Parameters.
        """
        super().__init__(**state)
        self.key, self._work, self._who, self._gives_way = key, work, who, gives_way
        self._stop = threading.Event()
        self._ended = threading.Event()
        self._lock = threading.RLock()
        self._waiting: Counter[str] = Counter()
        self._pace = _Pace()
        self._shown = 0.0

    @property
    def live(self) -> bool:
        """Whether it waits or runs."""
        return self.status in LIVE

    @property
    def patient(self) -> bool:
        """Whether it gives way to others."""
        return self._gives_way is not None

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Ask it to stop, whoever waits for it: at once while it waits, within one layer of the model while it runs."""
        with self._lock:
            self._stop.set()
            if self.status == "queued":
                self._end(status="stopped")

    def join(self, owner: str | None = None) -> None:
        """One more waits for it."""
        with self._lock:
            self._waiting[self._who() if owner is None else owner] += 1

    def leave(self, owner: str | None = None) -> bool:
        """Wait for it no longer; it is stopped where nobody else does. Whether it was."""
        owner = self._who() if owner is None else owner
        with self._lock:
            self._waiting[owner] -= 1
            self._waiting = +self._waiting
            if not self._waiting:
                self.stop()
            return not self._waiting

    def forget(self, owner: str) -> None:
        """Who waited is gone, and did not say that it shall stop."""
        with self._lock:
            self._waiting.pop(owner, None)

    @property
    def wanted(self) -> bool:
        """Whether anybody waits for it."""
        return bool(self._waiting)

    @property
    def owners(self) -> list[str]:
        """Who waits for it."""
        with self._lock:
            return list(self._waiting)

    def asked_by(self, owner: str) -> bool:
        """Whether this one waits for it."""
        return self._waiting[owner] > 0

    def refuse(self, message: str, internal: bool = False) -> None:
        """End it before it begins, with the reason for the user, and whether that is a mistake of ours."""
        self._end(status="failed", message=message, internal=internal)

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
        """Do the work, in the calling thread, on the model that `take` gives; it waits again where it gave way."""
        with self._lock:
            if not self.live:
                return
            self._change(status="running")
        try:
            with listening(self.hear), viewing(self._see):
                model = take()
                self.check()
                with _asking(model, self.check):
                    result = self._work(model, self)
            self._end(status="done", progress=1.0, result=result, partial=None)
        except _GaveWay:
            with self._lock:
                self._change(status="queued")
                if self.stopping:
                    self._end(status="stopped")
        except Stopped:
            self._end(status="stopped")
        except BadInput as problem:
            self._end(status="failed", message=str(problem))
        except Exception:
            log.exception("%s failed", self.label or self.key)
            self._end(status="failed", message=INTERNAL, internal=True)

    def check(self) -> None:
        """Raise Stopped if it was asked to stop, and likewise where it gives way."""
        if self._stop.is_set():
            raise Stopped
        if self._gives_way is not None and self._gives_way():
            raise _GaveWay

    def hear(self, step: Step) -> None:
        """Make known how far it is; Stopped if it was asked to stop."""
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


@contextmanager
def _asking(model: Any, check: Callable[[], None]) -> Iterator[None]:
    """Context in which every layer of the model asks first whether to stop, forward and back: a batch may last for seconds."""

    def ask(block: Any, given: tuple[Any, ...]) -> None:
        check()
        for one in given:
            if getattr(one, "requires_grad", False):
                one.register_hook(lambda gradient: check())

    held = [block.register_forward_pre_hook(ask) for block in getattr(model, "blocks", ())]
    try:
        yield
    finally:
        for handle in held:
            handle.remove()


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
