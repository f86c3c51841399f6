"""The circuits page without its layout: what is asked, the job that answers it, the result shown and the cell chosen.

Nothing here computes: `run` hands a question to the queue of its model, `refresh` takes over how far it is. All state is
set in the thread that calls these; a page calls `refresh` a few times a second while something is `live`.
"""

from typing import Any

import param

from workbench.errors import BadInput, one_of
from workbench.jobs import JOBS, LIVE, Job, Jobs
from workbench.jobs.placed import DTYPE
from workbench.models.revisions import several
from workbench.result import Circuit, Origin, Result
from workbench.store import Store
from workbench.store.asked import noted
from workbench.views.asking import kept
from workbench.views.attention import Attention
from workbench.views.circuit_size import CircuitSize
from workbench.views.compared import Compared
from workbench.views.expected import Expecting
from workbench.views.fields import Field, method_fields
from workbench.views.live import Live
from workbench.views.picking import Picking
from workbench.views.question import CUSTOM, Question, baseline_of, kept_rows
from workbench.views.stored import alike, made_as_now
from workbench.views.working import IDLE, stamped

# Prompts to find a circuit on and to hold out.
ENOUGH = 16


class Circuits(Picking, Expecting):
    """State of the circuits page."""

    method = param.String(default="patch", doc="Id of a method.")
    params = param.Dict(default={}, doc="The method's parameters, by name.")

    whole = param.Boolean(default=False, doc="Whether it is finished.")
    baseline = param.Parameter(doc="Scores of the baseline on the same prompts, or None.")
    size = param.Integer(default=None, allow_None=True, doc="The size a Circuit is looked at; None for that it was found at.")
    stored = param.List(default=[], doc="Entries of the store, the newest first.")

    def __init__(self, jobs: Jobs = JOBS, store: Store | None = None, **state: Any):
        super().__init__(**state)
        self.jobs, self.store = jobs, store or Store()
        self.attention, self.ablation, self.compared = Attention(jobs, self.store), Live(jobs, self.store), Compared(self.store)
        self._question: Question | None = None
        self._sizes: CircuitSize | None = None
        self.method_changed()
        self.list_stored()
        self._expect(jobs, self.store, "method", "params", "whole")

    def unanswered(self) -> list[Question]:
        """What Run would compute: nothing where what is shown answers the form."""
        return [] if self.answered else [self.question()]

    @property
    def method_fields(self) -> dict[str, Field]:
        """The fields of the chosen method."""
        return method_fields(self.method)

    @param.depends("method", watch=True)
    def method_changed(self) -> None:
        """Keep what the new method has too, and take its defaults for the rest."""
        self.params = kept(self.params, self.method_fields)

    def question(self) -> Question:
        """What Run would ask.

        Raises:
            BadInput: When a setting is out of its range.
        """
        return self.ask(self.method, self.method_fields, self.params, "Run")

    @property
    def live(self) -> bool:
        """Whether anything waits or runs, so that `refresh` has work."""
        return self._job is not None or self.attention.live or self.ablation.live or self.expected.live

    @property
    def answered(self) -> bool:
        """Whether the result that is shown answers what is set."""
        shown, result = self._question, self.result
        if not self.whole or shown is None or result is None or result.origin is None:
            return False
        try:
            asked = self.question()
            own = asked.task == CUSTOM and noted(self.store.folder, asked.key) == result.origin.key
            return (own or alike(shown, asked)) and made_as_now(result.origin, asked)
        except BadInput:
            return False

    def run(self) -> None:
        """Ask the question; a BadInput becomes a notice."""
        try:
            asked = self.question()
        except BadInput as problem:
            self.tell("error", str(problem))
            return
        self._submit(asked)

    def _submit(self, asked: Question) -> None:
        store = self.store

        def work(model: Any, job: Job) -> Result:
            return asked.answer(model, job, store)

        self._begin(self.jobs, asked.placed, f"run {asked.key}", work, "Waiting for the model")
        self._question = asked
        self.picked = None
        self.attention.hide()
        self.attention.ask_about(asked, 0)
        self.ablation.ask_about(None, None)
        self.compared.ask_about(None)
        self.param.update(result=None, whole=False, baseline=None, size=None, status="queued")
        self.refresh()

    def rejoin(self) -> None:
        """Go on with what is being computed already of just this question: its page was closed, or another asked for it."""
        try:
            asked = self.question()
        except BadInput:
            return
        if self.result is None and self.jobs.running(f"run {asked.key}") is not None:
            self._submit(asked)

    def find(self) -> None:
        """Find a circuit of what is set, to the target faithfulness of the form; half of the prompts are held out."""
        self.method = "discover"
        # Of fewer the half held out says too little.
        if 0 < self.options.get("n", 0) < ENOUGH:
            self.options = {**self.options, "n": ENOUGH}
        self.run()

    def refresh(self) -> None:
        """Take over how far the jobs are; called from the page's own thread."""
        self.attention.refresh()
        self.ablation.refresh()
        self.expected.refresh()
        if self._job is None or self._job.version == self._seen:
            return
        job = self._job.state()
        self._seen = job.version
        found = job.found
        if "pairs" in found:
            self.attention.name_prompts(found["pairs"])
        partial = stamped(job.partial, found.get("origin"))
        shown = job.result if job.status == "done" else partial if partial is not None else self.result
        self.param.update(
            status=job.status, label=job.label, progress=job.progress, seconds_left=job.seconds_left, result=shown,
            whole=job.status == "done", baseline=found.get("baseline", self.baseline),
        )  # fmt: skip
        if job.status not in LIVE:
            self._ended(job)

    def _ended(self, job: Any) -> None:
        self._job = None
        if job.status == "done":
            self._take_up_circuit()
        if job.status == "failed":
            self.tell("error", job.message)
        if job.status == "stopped":
            self.tell("info", "Stopped. What was finished is kept: Run goes on from there.")
        self.list_stored()

    @property
    def key(self) -> str:
        """The key of the result shown, '' where it is not stored."""
        return self.result.origin.key if self.whole and self.result is not None and self.result.origin else ""

    @property
    def sizes(self) -> CircuitSize | None:
        """The sizes of the Circuit shown; None for other kinds, and until it is finished."""
        if not self.whole or not isinstance(self.result, Circuit):
            return None
        if self._sizes is None or self._sizes.circuit is not self.result:
            self._sizes = CircuitSize(self.result)
        return self._sizes

    @property
    def shown(self) -> Result | None:
        """What the figure shows: the result, a Circuit at the size chosen."""
        sizes = self.sizes
        return self.result if sizes is None else sizes.select(sizes.chosen if self.size is None else self.size)

    def resize(self, size: int) -> None:
        """Look at the Circuit shown at another of its sizes.

        Raises:
            BadInput: When it has no such size, or no Circuit is shown.
        """
        if self.sizes is None:
            raise BadInput(f"the size must be given for a finished circuit; got {size} and none. Run or open one first.")
        one_of("the size", size, self.sizes.sizes)
        self.size = size

    def list_stored(self) -> None:
        """Look again what the store holds."""
        # What asks no model, the studies of small networks, has its own page.
        self.stored = [entry for entry in self.store.list() if entry.origin.model and entry.origin.method != "baseline"]

    def open(self, key: str) -> None:
        """Show a stored result, and set the form to what it answers; needs no model."""
        result = self.read(self.store, key)
        if result is None:
            self.list_stored()
            return
        self._job = None
        # Else the page would draw what it showed before once more, under the new settings.
        with param.parameterized.batch_call_watchers(self):
            self._show_stored(result)

    def _show_stored(self, result: Result) -> None:
        self._adopt(result.origin)
        rows = ""
        if result.origin.task == CUSTOM:
            rows = self.rows = kept_rows(self.store, result.origin) or self.rows
        # One model's attention is none of results at several checkpoints.
        self._question = Question.of(result.origin, rows) if several(result.origin.model) is None else None
        self.picked = None
        self.attention.hide()
        self.attention.ask_about(self._question, result.values.sizes.get("prompt", result.origin.task_params.get("n", 1)))
        self.param.update(
            status=IDLE, label="", progress=None, result=result, whole=True, size=None,
            baseline=baseline_of(result, self.store),
        )  # fmt: skip
        self._take_up_circuit()

    def _take_up_circuit(self) -> None:
        """Nodes and edges of a finished circuit can be replaced, and it can be compared."""
        circuit = self.result if isinstance(self.result, Circuit) else None
        self.ablation.ask_about(self._question, circuit)
        self.ablation.prepare()
        self.compared.ask_about(circuit)

    def _adopt(self, origin: Origin) -> None:
        """Set the form to an Origin, as far as it names what the catalogues have."""
        from workbench.methods import METHODS
        from workbench.tasks import TASKS

        stacked = several(origin.model)
        # Of results at several checkpoints the form names the run.
        self.model = stacked[0] if stacked else origin.model
        self.dtype = "" if origin.dtype == DTYPE else origin.dtype
        if origin.task in (*TASKS, CUSTOM):
            self.task = origin.task
            self.options = kept(origin.task_params, self.task_fields)
        if origin.method in METHODS:
            self.method = origin.method
            self.params = kept(origin.params, self.method_fields)
