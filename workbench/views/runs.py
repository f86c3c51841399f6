"""The page of runs without its layout: what the store holds, narrowed; the one that is chosen; files in and out; jobs."""

from pathlib import Path
from typing import Any

import param

from workbench.errors import BadInput, one_of
from workbench.jobs import JOBS, Jobs
from workbench.result import Result
from workbench.store import Entry, Store
from workbench.store.parcels import results_in, zipped
from workbench.views.links import address, page_of, served
from workbench.views.working import Working

ALL = "all"
FILTERS = ("method", "model", "task")


class Runs(Working):
    """State of the page of runs."""

    entries = param.List(default=[], doc="Entries of the store, the newest first.")
    search = param.String(default="", doc="Words that an entry must hold, in any of its columns.")
    method = param.String(default=ALL)
    model = param.String(default=ALL)
    task = param.String(default=ALL)
    chosen = param.String(default="", doc="Key of the entry that is looked at, '' for none.")
    result = param.Parameter(doc="Its Result, or that of a file that is not stored, or None.")
    running = param.List(default=[], doc="The jobs of this process that wait or run: key, and what it says of itself.")
    deleted = param.List(default=[], doc="Keys that were deleted here and can be had back, the last one last.")

    def __init__(self, jobs: Jobs = JOBS, store: Store | None = None, **state: Any):
        super().__init__(**state)
        self.jobs, self.store = jobs, store or Store()
        self._aside: dict[str, bytes] = {}
        # The job whose Stop was pressed once.
        self._doubted = ""
        self.list_stored()
        self.refresh()

    @property
    def live(self) -> bool:
        """Whether any job waits or runs."""
        return bool(self.running)

    def list_stored(self) -> None:
        """Look again what the store holds."""
        self.entries = self.store.list()

    def values(self, name: str) -> list[str]:
        """What a filter offers, 'all' first."""
        one_of("the filter", name, FILTERS)
        return [ALL, *sorted({getattr(entry.origin, name) for entry in self.entries} - {""})]

    @property
    def shown(self) -> list[Entry]:
        """The entries that the search and the filters leave."""
        words = self.search.lower().split()
        return [
            entry
            for entry in self.entries
            if all(getattr(self, name) in (ALL, getattr(entry.origin, name)) for name in FILTERS)
            and all(word in _text(entry) for word in words)
        ]

    def narrow(self, **state: str) -> None:
        """Set the search or a filter.

        Raises:
            BadInput: When a filter has no such value.
        """
        for name, value in state.items():
            if name in FILTERS:
                one_of(f"the {name}", value, self.values(name))
        self.param.update(**state)

    def choose(self, key: str) -> None:
        """Look at a stored result."""
        result = self.read(self.store, key)
        if result is None:
            self.list_stored()
            return
        self.param.update(chosen=result.origin.key, result=result)

    def close(self) -> None:
        """Look at none."""
        self.param.update(chosen="", result=None)

    @property
    def address(self) -> str:
        """Where the chosen result opens with its tools, '' where no page does."""
        return address_of(self.result) if self.chosen and self.result is not None else ""

    def delete(self) -> None:
        """Delete the chosen result; `restore` has it back as long as this page is open."""
        key = self.chosen
        if not key:
            return
        try:
            self._aside[key] = self.store.path(key).read_bytes()
            self.store.delete(key)
        except (BadInput, OSError) as problem:
            self.tell("error", f"The result could not be deleted: {problem}")
        else:
            self.deleted = [*self.deleted, key]
        self.close()
        self.list_stored()

    def restore(self) -> None:
        """Have the last deleted result back."""
        if not self.deleted:
            return
        *left, key = self.deleted
        self.deleted = left
        self.take(f"{key}.npz", self._aside.pop(key))

    def take(self, name: str, data: bytes) -> None:
        """Take up a file: results go into the store, a circuit of another tool is shown; what it is not becomes a notice."""
        try:
            foreign = _circuit(name, data)
            results = [] if foreign is not None else results_in(name, data)
            keys = [self.store.put(one) for one in results]
        except BadInput as problem:
            self.tell("error", str(problem))
            return
        if foreign is not None:
            self.param.update(chosen="", result=foreign)
            self.tell("info", "Shown, not stored: the file does not tell what its numbers depend on.")
            return
        self.list_stored()
        self.choose(keys[-1])
        self.tell("info", f"Taken up: {len(keys)} {'result' if len(keys) == 1 else 'results'}.")

    def exported(self) -> tuple[str, bytes]:
        """A file of the chosen result, or one zip of all that are shown: its name and its content."""
        if self.chosen:
            return f"{self.chosen}.npz", self.store.path(self.chosen).read_bytes()
        files = {f"{entry.key}.npz": self.store.path(entry.key).read_bytes() for entry in self.shown}
        return "runs.zip", zipped(files)

    def stop_job(self, key: str) -> None:
        """Stop a job for everyone; what it finished is kept. One that an open page waits for is stopped when asked twice."""
        job = self.jobs.running(key)
        if job is not None and job.wanted and key != self._doubted:
            self._doubted = key
            self.tell("warning", "A page that is open waits for this job. Press Stop once more to stop it there too.")
        elif job is not None:
            job.stop()
        self.refresh()

    def refresh(self) -> None:
        """Look how far the jobs are; called from the page's own thread."""
        before = {one["key"] for one in self.running}
        found = [
            {
                "key": key, "label": state.label, "status": state.status, "progress": state.progress,
                "left": state.seconds_left, "where": state.where,
            }
            for key, state in self.jobs.states().items()
        ]  # fmt: skip
        if found != self.running:
            self.running = found
        # What has ended may have left a result.
        if before - {one["key"] for one in found}:
            self.list_stored()


def address_of(result: Result | Entry) -> str:
    """Where a stored result opens with its tools, '' where no page that is served does."""
    origin = result.origin
    if origin is None:
        return ""
    page = page_of(origin.method, origin.model)
    if page == "circuits" and page in served():
        return address(page, {"result": origin.key})
    if page == "dynamics" and page in served():
        return address(page, {"part": "train", "result": origin.key})
    return ""


def _circuit(name: str, data: bytes) -> Result | None:
    """The circuit in another tool's file; None for what is no such file."""
    from workbench.formats import FORMATS

    path = Path(name)
    ours = (data.startswith(b"PK") and path.suffix != ".pt") or b'"circuit-workbench result"' in data[:200]
    if path.suffix not in FORMATS or ours:
        return None
    return FORMATS[path.suffix][1](data, path)


def _text(entry: Entry) -> str:
    origin = entry.origin
    said = [entry.key, entry.kind, entry.title, origin.method, origin.model, origin.task, origin.task_params, origin.params]
    return " ".join(map(str, said)).lower()
