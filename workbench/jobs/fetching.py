"""Files that models need, brought to this disk beside the queues: waiting for the network is no computing."""

import logging
import threading
from collections.abc import Callable

from workbench.errors import BadInput
from workbench.jobs.job import INTERNAL, Job
from workbench.jobs.placed import Placed

log = logging.getLogger(__name__)


class Fetching:
    """What is on its way, once for all who wait for it.

    A job that is stopped waits no longer, at once; what is on its way comes all the same, and is there for the next who asks.

    Args:
        fetch: Called with what is to be loaded, in a thread of its own; returns when its files are on this disk.
        ended: Called when those who waited go on or have failed.
    """

    def __init__(self, fetch: Callable[[Placed], None], ended: Callable[[], None]):
        self._fetch, self._ended = fetch, ended
        self._waiting: dict[Placed, list[tuple[Job, Callable[[], None]]]] = {}
        self._lock = threading.Lock()

    def bring(self, placed: Placed, job: Job, then: Callable[[], None]) -> None:
        """Call `then` when the files are here, if the job still waits; it fails where they cannot be had."""
        job.say(f"Fetching {placed.words}")
        with self._lock:
            first = placed not in self._waiting
            self._waiting.setdefault(placed, []).append((job, then))
        if first:
            threading.Thread(target=self._run, args=(placed,), name=f"fetching {placed.ref}", daemon=True).start()

    def _run(self, placed: Placed) -> None:
        said, internal = "", False
        try:
            self._fetch(placed)
        except BadInput as problem:
            said = str(problem)
        except Exception:
            log.exception("fetching %s failed", placed.ref)
            said, internal = INTERNAL, True
        with self._lock:
            waiting = self._waiting.pop(placed)
        for job, then in waiting:
            if job.status == "queued" and said:
                job.refuse(said, internal)
            elif job.status == "queued":
                then()
        self._ended()
