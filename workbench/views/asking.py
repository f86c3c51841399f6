"""What the pages that ask a model are set to: the model, the task, the task's options."""

from collections.abc import Mapping
from typing import Any

import param

from workbench.errors import BadInput, one_of
from workbench.jobs import USUAL, Placed, limits
from workbench.models.revisions import parted
from workbench.views.fields import MOST_PROMPTS, Field, given, task_fields
from workbench.views.question import CUSTOM, Question
from workbench.views.working import Working

# Names of what every such page is set to.
ASKED = ("model", "dtype", "device", "task", "options", "rows")


class Asking(Working):
    """State that these pages share. Nothing here computes."""

    model = param.String(default=USUAL, doc="Ref of the model; at first one that the server allows.")
    dtype = param.String(default="", doc="Dtype of the weights; '' is the default.")
    device = param.String(default="", doc="Where the model is; '' is the default.")
    task = param.String(default="ioi", doc="Id of a task, or 'custom'.")
    options = param.Dict(default={}, doc="The task's options, by name.")
    rows = param.String(default="", doc="The user's own pairs, as CSV or JSON text.")

    def __init__(self, **state: Any):
        super().__init__(**{"model": limits().usual, **state})
        self.task_changed()

    @property
    def placed(self) -> Placed:
        """The model as it would be asked for."""
        return Placed(self.model.strip(), self.dtype, self.device)

    @property
    def n_asked(self) -> int:
        """How many prompts are asked for, whatever stands in the form."""
        return min(max(1, int(self.options.get("n", 1))), MOST_PROMPTS)

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
        limits().check_model(self.model.strip())
        # What stands behind an '@' names one checkpoint here.
        parted(self.model.strip())
        check_placed(self.dtype, self.device)
        options = {name: one.check(self.options.get(name, one.default)) for name, one in self.task_fields.items()}
        limits().check("pairs", options.get("n", 1))
        params = {name: one.check(values.get(name, one.default)) for name, one in fields.items()}
        rows = self.rows if self.task == CUSTOM else ""
        if self.task == CUSTOM and not rows.strip():
            raise BadInput(f"your pairs must be at least 1 row; got none. Paste rows or upload a file, then press {button}.")
        return Question(
            self.model.strip(), self.task, method, given(self.task_fields, options), given(fields, params), rows,
            self.dtype, self.device,
        )  # fmt: skip


def check_placed(dtype: str, device: str) -> None:
    """Raise BadInput unless models can be had in this dtype and on this device here; '' is the default."""
    from workbench.models.catalogue import BYTES
    from workbench.models.device import devices

    if dtype:
        one_of("dtype", dtype, BYTES)
    if device:
        one_of("device", device, devices())


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
