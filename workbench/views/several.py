"""Several jobs of one page, told as one: what runs, how the last one ended."""

from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

from workbench.jobs import LIVE, Job, Jobs, Placed
from workbench.views.working import IDLE, SHARED, Working


class Several:
    """Jobs by name.

    Args:
        jobs: The queues.
    """

    def __init__(self, jobs: Jobs):
        self._jobs, self._mine = jobs, {}
        self._stopping: list[Job] = []

    def __contains__(self, name: str) -> bool:
        return name in self._mine

    def __len__(self) -> int:
        return len(self._mine)

    def ask(self, name: str, ref: str | Placed | None, key: str, work: Callable[[Any, Job], Any]) -> None:
        """Ask for a job of the model `ref`, see `Jobs.submit`."""
        before = self._mine.get(name)
        self._mine[name] = self._jobs.submit(ref, key, work, "Waiting for the model")
        if before is not None:
            before.leave()

    def drop(self, names: Iterable[str]) -> None:
        """Hear no more of some; they are stopped where no other page waits for them."""
        for name in [name for name in names if name in self._mine]:
            self._mine.pop(name).leave()

    def stop(self) -> bool:
        """Stop all that no other page waits for, and hear no more of the others. Whether anything stops."""
        for name, job in list(self._mine.items()):
            if job in self._stopping:
                continue
            if job.leave():
                self._stopping.append(job)
            else:
                del self._mine[name]
        self._stopping = [job for job in self._stopping if job.live]
        return bool(self._mine)

    def states(self) -> dict[str, SimpleNamespace]:
        """How far each is; those that have ended are told once."""
        told = {name: job.state() for name, job in self._mine.items()}
        for name, state in told.items():
            if state.status not in LIVE:
                del self._mine[name]
        return told

    def progress(self, ended: str = IDLE) -> dict[str, Any]:
        """The progress of the one that runs, else of the one that waits; where there is none, `ended` is the status."""
        if not self._mine:
            return {"status": ended, "label": "", "progress": None, "seconds_left": None}
        states = [job.state() for job in self._mine.values()]
        state = next((one for one in states if one.status == "running"), states[0])
        # It may have ended since the others were asked; then the next look tells.
        status = state.status if state.status in LIVE else "running"
        return {"status": status, "label": state.label, "progress": state.progress, "seconds_left": state.seconds_left}


class StopsSeveral(Working):
    """Stop, of a page whose jobs are `_several`."""

    _several: Several

    def stop(self) -> None:
        """Stop the jobs; what they finished is kept. Those that others wait for go on, without this page."""
        if self._several.stop():
            self.label = "Stopping …"
            return
        self.param.update(**self._several.progress("stopped"))
        self.tell("info", SHARED)
