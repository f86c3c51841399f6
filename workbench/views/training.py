"""The training of small networks without its layout: a study and its settings, the job that trains, what is stored.

What is stored is shown without training. All state is set in the thread that calls these.
"""

from typing import Any

import param

from workbench.errors import BadInput
from workbench.jobs import JOBS, LIVE, Job, Jobs
from workbench.result import Origin, Result
from workbench.store import Store
from workbench.views.asking import kept
from workbench.views.expected import COUNTING, duration
from workbench.views.fields import Field
from workbench.views.latest import Latest
from workbench.views.opened import opened
from workbench.views.study import asked, study_fields
from workbench.views.working import IDLE, Working, stamped

# Where a diagram is trained in groups, those that are finished are kept.
STOPPED = "Stopped. Groups of networks that were finished are kept; the others begin again with the next Train."


class Training(Working):
    """State of the training of a study's networks."""

    study = param.String(default="reddy", doc="Id of a study.")
    params = param.Dict(default={}, doc="The study's parameters, by name.")

    result = param.Parameter(doc="The Result shown, whole or partial, or None.")
    whole = param.Boolean(default=False, doc="Whether it is finished.")
    stored = param.List(default=[], doc="Entries of the store that studies wrote, the newest first.")
    expected = param.String(default="", doc="How long Train will take, as plain text; '' where it is not known.")

    def __init__(self, jobs: Jobs = JOBS, store: Store | None = None, **state: Any):
        super().__init__(**state)
        self.jobs, self.store = jobs, store or Store()
        self._fields: dict[str, Field] = {}
        self._before: tuple[Result | None, bool] = (None, False)
        self._aside = False
        self._foreseeing = Latest(self.jobs, patient=True)
        self.study_changed()
        self.list_stored()

    @property
    def fields(self) -> dict[str, Field]:
        """The fields of the chosen study."""
        return study_fields(self.study)

    @param.depends("study", watch=True)
    def study_changed(self) -> None:
        """Keep what the new study has too, and take its defaults for what stood at the default, and for the rest."""
        before, self._fields = self._fields, self.fields
        changed = {name: value for name, value in self.params.items() if name not in before or value != before[name].default}
        self.params = kept(changed, self._fields)

    @property
    def networks(self) -> int:
        """How many networks Train would train."""
        from workbench.dynamics.study import networks

        return networks(self.params)

    def foresee(self) -> None:
        """Say how long Train will take: some steps are trained for it, when no other training waits."""
        known = None if self.status in LIVE else self._foreseen()
        if known is None:
            self._foreseeing.drop()
        self.expected = known or ""

    def _foreseen(self) -> str | None:
        """What is known of it, or that it is being timed; None where there is nothing to train."""
        try:
            _, params, origin = self.question()
        except BadInput:
            return None
        if origin.key in self.store:
            return None
        study = self.study

        def work(model: None, job: Job) -> str:
            from workbench.dynamics.forecast import foreseen

            job.say("Timing the first steps")
            return f"About {duration(foreseen(study, params, job.check))}, by its first steps."

        return self._foreseeing.ask(None, f"forecast {origin.key}", work) or COUNTING

    def question(self) -> tuple[Any, dict[str, Any], Origin]:
        """What Train would ask: the study, its parameters that are not its defaults, the Origin of the answer.

        Raises:
            BadInput: When a setting is out of its range, or the settings do not go together.
        """
        from workbench.dynamics import STUDIES

        study, params = STUDIES[self.study], asked(self.fields, self.params)
        study.asked(**params)
        return study, params, study.origin(**params)

    @property
    def live(self) -> bool:
        """Whether the training waits or runs."""
        return self._job is not None

    def train(self) -> None:
        """Train the networks of the study, or show what is stored of just this; a BadInput becomes a notice."""
        try:
            study, params, origin = self.question()
        except BadInput as problem:
            self.tell("error", str(problem))
            return
        if origin.key in self.store and self.open(origin.key):
            return
        store = self.store

        def work(model: None, job: Job) -> Result:
            job.tell(origin=origin)
            return store.compute(study, None, None, **params)

        self._begin(self.jobs, None, f"train {origin.key}", work, "Waiting for another training to end")
        self._aside = False
        self._before = (self.result, self.whole)
        self.param.update(result=None, whole=False, status="queued")
        self.refresh()

    def rejoin(self) -> None:
        """Go on with a training of just these settings that runs already: its page was closed, or another asked for it."""
        try:
            origin = self.question()[2]
        except BadInput:
            return
        if self.result is None and self.jobs.running(f"train {origin.key}") is not None:
            self.train()

    def refresh(self) -> None:
        """Take over how far the jobs are; called from the page's own thread."""
        foreseen = self._foreseeing.refresh()
        if foreseen is not None and foreseen.status not in LIVE:
            self.expected = foreseen.result if foreseen.status == "done" else foreseen.message
        if self._job is None or self._job.version == self._seen:
            return
        job = self._job.state()
        self._seen = job.version
        self.param.update(status=job.status, label=job.label, progress=job.progress, seconds_left=job.seconds_left)
        if not self._aside:
            partial = stamped(job.partial, job.found.get("origin"))
            shown = job.result if job.status == "done" else partial if partial is not None else self.result
            self.param.update(result=shown, whole=job.status == "done")
        if job.status not in LIVE:
            self._ended(job)

    def _ended(self, job: Any) -> None:
        self._job = None
        if job.status == "failed":
            self.tell("error", job.message)
            if self.result is None:
                # What failed before it began takes nothing away.
                self.param.update(result=self._before[0], whole=self._before[1])
        if job.status == "stopped":
            self.tell("info", STOPPED)
        if job.status == "done" and self._aside:
            self.tell("info", "The training has ended. Its result is the first of those stored.")
        self.list_stored()

    @property
    def key(self) -> str:
        """The key of the result shown, '' where it is not stored."""
        return self.result.origin.key if self.whole and self.result is not None else ""

    def list_stored(self) -> None:
        """Look again what the store holds of studies."""
        from workbench.dynamics import STUDIES

        self.stored = [entry for entry in self.store.list() if entry.origin.method in STUDIES]

    def open(self, key: str) -> bool:
        """Show what a study stored, and set the form to it; nothing is trained. Whether it could be read.

        A training that runs goes on, and can be stopped.
        """
        from workbench.dynamics import STUDIES

        try:
            result = opened(self.store, key)
        except BadInput as problem:
            self.tell("error", str(problem))
            return False
        if result is None or result.origin.method not in STUDIES:
            self.tell("error", "The stored result is damaged, or is none of a study. Train it again.")
            self.list_stored()
            return False
        origin, self._aside = result.origin, self.live
        self.study = origin.method
        self.params = kept({**origin.task_params, **origin.params, "device": origin.device}, self.fields)
        self.param.update(result=result, whole=True)
        if not self.live:
            self.param.update(status=IDLE, label="", progress=None, seconds_left=None)
        return True
