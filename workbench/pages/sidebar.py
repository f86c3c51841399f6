"""The sidebar: model, task and method with their options; each is set in the view as it is chosen."""

from collections.abc import Mapping, Sequence
from typing import Any

import panel_material_ui as pmui

from workbench.pages.form import FIRST_OF_METHOD, FIRST_OF_TASK, form
from workbench.views.asking import Asking
from workbench.views.circuits import Circuits
from workbench.views.fields import Field
from workbench.views.models import OTHER, offered
from workbench.views.question import CUSTOM
from workbench.views.working import Working

EXAMPLE = "clean,corrupt,right,wrong\nThe cat sat on the,The dog lay by the,mat,rug"
SMALL: dict[str, Any] = {"sizing_mode": "stretch_width", "margin": (4, 0), "size": "small"}


class Settings:
    """The widgets of a dict of settings of a view, in `column`.

    Args:
        view: The view.
        target: The name of the dict.
        first: Which settings are shown at once.
    """

    def __init__(self, view: Working, target: str, first: Sequence[str]):
        self._view, self._target, self._first = view, target, first
        self._of, self._shown = "", None
        self.column = pmui.Column(sizing_mode="stretch_width", margin=0)

    def show(self, of: str, fields: Mapping[str, Field]) -> None:
        """Make the widgets of a task, a method or a study anew, unless it was one of them that changed."""
        values = getattr(self._view, self._target)
        self._of = of
        if (of, values) == self._shown:
            return
        self._shown = (of, dict(values))
        self.column[:] = form(fields, values, self._use, lambda reason: self._view.tell("error", reason), self._first)

    def _use(self, name: str, value: Any) -> None:
        changed = {**getattr(self._view, self._target), name: value}
        self._shown = (self._of, changed)
        self._view.param.update(**{self._target: changed})


class ModelAndTask:
    """Widgets of what every page asks about, in `objects`."""

    def __init__(self, view: Asking):
        self.view = view
        self.groups = offered()
        self.model = pmui.Select(label="Model", groups=self.groups, searchable=False, **SMALL)
        self.ref = pmui.TextInput(label="Folder, .gguf file or hub name", placeholder="org/name", **SMALL)
        self.task = pmui.Select(label="Task", options=_tasks(), **SMALL)
        self.rows = pmui.TextAreaInput(
            label="Your pairs", placeholder=EXAMPLE, rows=6, max_rows=12, max_length=1_000_000, resizable="height",
            description="CSV with a header, or JSON lines: clean, corrupt, right, wrong, and pos:NAME if you like.", **SMALL,
        )  # fmt: skip
        self.file = pmui.FileInput(label="Upload CSV or JSONL", accept=".csv,.jsonl,.json", **SMALL)
        self.options = Settings(view, "options", FIRST_OF_TASK)
        self.objects = [
            self.model, self.ref, pmui.Divider(margin=(10, 0)), self.task, self.rows, self.file, self.options.column,
        ]  # fmt: skip
        self._setting = False
        self.show()
        self._watch()

    def _watch(self) -> None:
        self.model.param.watch(lambda event: self._set(model="" if event.new == OTHER else event.new), "value")
        self.ref.param.watch(lambda event: self._set(model=event.new), "value")
        self.task.param.watch(lambda event: self._set(task=event.new), "value")
        self.rows.param.watch(lambda event: self._set(rows=event.new), "value")
        self.file.param.watch(lambda event: self._upload(event.new), "value")
        self.view.param.watch(lambda *_: self.show(), ["model", "task", "rows", "options"])

    def _set(self, **state: Any) -> None:
        if not self._setting and all(value is not None for value in state.values()):
            self.view.param.update(**state)

    def show(self) -> None:
        """Set every widget to what the view says."""
        view = self.view
        known = {ref for group in self.groups.values() for ref in group.values()}
        self._setting = True
        choice = view.model if view.model in known else OTHER
        self.model.value = choice
        self.ref.param.update(visible=choice == OTHER, value=view.model)
        self.task.value, self.rows.value = view.task, view.rows
        self.rows.visible = self.file.visible = view.task == CUSTOM
        self._setting = False
        self.options.show(view.task, view.task_fields)

    def _upload(self, content: bytes | None) -> None:
        if not content:
            return
        try:
            self.view.rows = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            self.view.tell("error", "The file must be text in UTF-8. If it comes from a spreadsheet, save it as 'CSV UTF-8'.")


class Sidebar:
    """Widgets of a Circuits view, in `column`."""

    def __init__(self, view: Circuits):
        self.view, self.shared = view, ModelAndTask(view)
        self.method = pmui.Select(label="Method", options=_methods(), **SMALL)
        self.params = Settings(view, "params", FIRST_OF_METHOD)
        self.column = pmui.Column(
            *self.shared.objects, pmui.Divider(margin=(10, 0)), self.method, self.params.column,
            sizing_mode="stretch_width", margin=(14, 14),
        )  # fmt: skip
        self._setting = False
        self.show()
        self.method.param.watch(lambda event: self._choose(event.new), "value")
        view.param.watch(lambda *_: self.show(), ["method", "params"])

    def show(self) -> None:
        """Set every widget to what the view says."""
        self.shared.show()
        self._setting = True
        self.method.value = self.view.method
        self._setting = False
        self.params.show(self.view.method, self.view.method_fields)

    def _choose(self, method: str | None) -> None:
        if not self._setting and method is not None:
            self.view.method = method


def _tasks() -> dict[str, str]:
    from workbench.tasks import TASKS

    return {**{task.title: name for name, task in TASKS.items()}, "Your own pairs": CUSTOM}


def _methods() -> dict[str, str]:
    from workbench.methods import METHODS

    return {method.title: name for name, method in METHODS.items() if name != "baseline"} | {"Baseline only": "baseline"}
