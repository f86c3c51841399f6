"""The page of models without its layout: what there is, what it takes, why it is refused; loading and letting go."""

from dataclasses import dataclass
from typing import Any

import param

from workbench.errors import BadInput
from workbench.jobs import JOBS, LIVE, USUAL, Jobs, Placed, limits
from workbench.jobs.placed import DTYPE
from workbench.models.memory import gigabytes
from workbench.views.asking import check_placed
from workbench.views.models import weights
from workbench.views.working import Working

# Of these the table tells the memory.
DTYPES = ("float32", "bfloat16")


@dataclass(frozen=True)
class Row:
    """One model of the table.

    Attributes:
        ref: What it is loaded by.
        weights: How many, for reading; '' where not known.
        memory: What loading takes, by dtype, for reading; '' where not known.
        here: Whether it is on this disk.
        loaded: The dtypes and devices it is in memory with, for reading.
        refused: Why it would be refused, or ''.
    """

    ref: str
    weights: str
    memory: dict[str, str]
    here: bool
    loaded: str
    refused: str


class Shelf(Working):
    """State of the page of models."""

    ref = param.String(default=USUAL, doc="The model that is chosen; at first one that the server allows.")
    dtype = param.String(default="", doc="Dtype of the weights; '' is the default.")
    device = param.String(default="", doc="Where to load it; '' is the default.")
    rows = param.List(default=[], doc="What there is.")

    def __init__(self, jobs: Jobs = JOBS, **state: Any):
        super().__init__(**{"ref": limits().usual, **state})
        self.jobs = jobs
        self.look()
        self.param.watch(lambda *_: self.look(), ["dtype", "device"])

    @property
    def placed(self) -> Placed:
        """What Load would load."""
        return Placed(self.ref.strip(), self.dtype, self.device)

    @property
    def live(self) -> bool:
        """Whether a job waits or runs, so that `refresh` has work."""
        return self._job is not None

    def look(self) -> None:
        """Look again what there is and what is loaded."""
        self.rows = [self._row(ref) for ref in self._refs()]

    def _refs(self) -> list[str]:
        from workbench.models import CATALOGUE, own_refs

        loaded = [placed.ref for placed in self.jobs.models.loaded()]
        allowed = limits().allow
        named = list(allowed) or [*CATALOGUE, *own_refs()]
        named += [ref for ref in dict.fromkeys(loaded) if ref not in named]
        refs = {ref: (ref not in loaded, not self._here(ref)) for ref in named}
        return sorted(refs, key=lambda ref: refs[ref])

    def _here(self, ref: str) -> bool:
        from workbench.models.refusal import here

        try:
            return here(ref)
        except BadInput:
            return False

    def _row(self, ref: str) -> Row:
        from workbench.models.find import count
        from workbench.models.memory import forecast

        try:
            found = count(ref)
        except BadInput:
            found = None
        memory = {name: "" if found is None else gigabytes(forecast(found, name)) for name in DTYPES}
        loaded = [f"{placed.dtype} on {placed.device}" for placed in self.jobs.models.loaded() if placed.ref == ref]
        said = weights(found) if found is not None else ""
        return Row(ref, said, memory, self._here(ref), ", ".join(loaded), self.refusal(ref))

    def refusal(self, ref: str) -> str:
        """Why a model would be refused with the dtype and device that are set, in one sentence, or ''."""
        from workbench.models.refusal import refusal

        try:
            limits().check_model(ref)
            check_placed(self.dtype, self.device)
            return refusal(ref, self.dtype or DTYPE, self.budget)
        except BadInput as problem:
            return str(problem)

    @property
    def budget(self) -> int:
        """Bytes that models may take on the device that is set.

        Raises:
            BadInput: When there is no such device.
        """
        check_placed("", self.device)
        return self.jobs.models.budget(Placed.of(self.placed).device)

    @property
    def used(self) -> int:
        """Bytes that the models in memory take on the device that is set."""
        return self.jobs.models.used(Placed.of(self.placed).device)

    @property
    def loaded(self) -> bool:
        """Whether just what is set is in memory."""
        return self.placed in self.jobs.models

    def choose(self, ref: str) -> None:
        """Choose a model; what can be none is told."""
        try:
            limits().check_model(ref.strip())
        except BadInput as problem:
            self.tell("error", str(problem))
            return
        self.ref = ref.strip()

    def load(self) -> None:
        """Load what is set; a reason against it becomes a notice."""
        said = self.refusal(self.ref) if self.ref.strip() else "The model must be a name, a folder or a file; got nothing."
        if said:
            self.tell("error", said)
            return
        self._job, self._seen = self.jobs.load(self.placed), -1
        self.status = "queued"
        self.refresh()

    def unload(self) -> None:
        """Let what is set go from memory."""
        self.jobs.models.unload(self.placed)
        self.look()
        self.tell("info", f"{self.placed.words} is no longer in memory.")

    def refresh(self) -> None:
        """Take over how far the loading is; called from the page's own thread."""
        if self._job is None or self._job.version == self._seen:
            return
        job = self._job.state()
        self._seen = job.version
        self.param.update(status=job.status, label=job.label, progress=job.progress, seconds_left=job.seconds_left)
        if job.status in LIVE:
            return
        self._job = None
        if job.status == "failed":
            self.tell("error", job.message)
        if job.status == "stopped":
            self.tell("info", "Stopped. The model is not loaded.")
        self.look()


def written(view: Shelf) -> dict[str, str]:
    """What the URL says: the model chosen, and its dtype and device."""
    return {
        name: value
        for name, value in (("model", view.ref), ("dtype", view.dtype), ("device", view.device))
        if value != Shelf.param[name if name != "model" else "ref"].default
    }


def restore(view: Shelf, query: dict[str, str]) -> None:
    """Set the view to what a URL says; what cannot be used becomes one notice."""
    from workbench.views import query as queries

    asked = queries.Query(query)
    asked.attempt("model", lambda text: view.param.update(ref=queries.model(text)))
    asked.placed(view)
    asked.tell(view)
