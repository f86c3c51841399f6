"""What every page is set to, and how far the job is that answers it: model, task, the task's options, notices, Stop."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import param

from workbench.errors import BadInput
from workbench.jobs import Job
from workbench.views.fields import Field, given, task_fields
from workbench.views.question import CUSTOM, Question

IDLE = "idle"


@dataclass(frozen=True, eq=False)
class Notice:
    """Something to tell the user: `level` is 'error', 'warning' or 'info'. The text is not safe as HTML."""

    level: str
    text: str


class Asking(param.Parameterized):
    """State that pages share. Nothing here computes."""

    model = param.String(default="smollm2-135m", doc="Ref of the model.")
    task = param.String(default="ioi", doc="Id of a task, or 'custom'.")
    options = param.Dict(default={}, doc="The task's options, by name.")
    rows = param.String(default="", doc="The user's own pairs, as CSV or JSON text.")

    status = param.String(default=IDLE, doc="idle, queued, running, done, stopped or failed.")
    label = param.String(default="")
    progress = param.Number(default=None, allow_None=True)
    seconds_left = param.Number(default=None, allow_None=True)
    notice = param.Parameter(doc="The latest Notice.")

    def __init__(self, **state: Any):
        super().__init__(**state)
        self._job: Job | None = None
        self._seen = -1
        self.task_changed()

    @property
    def task_fields(self) -> dict[str, Field]:
        """The fields of the chosen task."""
        return task_fields(self.task)

    @param.depends("task", watch=True)
    def task_changed(self) -> None:
        """Keep what the new task has too, and take its defaults for the rest."""
        self.options = kept(self.options, self.task_fields)

    def ask(self, method: str, fields: Mapping[str, Field], values: Mapping[str, Any], button: str) -> Question:
        """The question of a method to what is set, with these values of the method's fields.

        Args:
            method: Id of the method.
            fields: Its fields.
            values: A value of each.
            button: What is pressed to ask it.
        Raises:
            BadInput: When a setting is out of its range.
        """
        if not self.model.strip():
            raise BadInput("the model must be a name, a hub name or a folder; got nothing. Choose one.")
        options = {name: one.check(self.options.get(name, one.default)) for name, one in self.task_fields.items()}
        params = {name: one.check(values.get(name, one.default)) for name, one in fields.items()}
        rows = self.rows if self.task == CUSTOM else ""
        if self.task == CUSTOM and not rows.strip():
            raise BadInput(f"your pairs must be at least 1 row; got none. Paste rows or upload a file, then press {button}.")
        return Question(
            self.model.strip(), self.task, method, given(self.task_fields, options), given(fields, params), rows
        )  # fmt: skip

    def stop(self) -> None:
        """Stop the job within one batch; what it finished is kept."""
        if self._job is not None:
            self._job.stop()
            self.label = "Stopping …"

    def tell(self, level: str, text: str) -> None:
        """Give the user a notice."""
        self.notice = Notice(level, text)


def kept(values: Mapping[str, Any], fields: Mapping[str, Field]) -> dict[str, Any]:
    """A value for every field: the one there is, where it fits, else the default."""
    fitting = {}
    for name, one in fields.items():
        fitting[name] = one.default
        if name in values:
            try:
                fitting[name] = one.check(values[name])
            except BadInput:
                continue
    return fitting
