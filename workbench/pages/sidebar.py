"""The sidebar: model, task and method with their options; each is set in the view as it is chosen."""

from typing import Any

import panel_material_ui as pmui

from workbench.pages.form import FIRST_OF_METHOD, FIRST_OF_TASK, form
from workbench.views.circuits import Circuits
from workbench.views.models import OTHER, offered
from workbench.views.question import CUSTOM

EXAMPLE = "clean,corrupt,right,wrong\nThe cat sat on the,The dog lay by the,mat,rug"


class Sidebar:
    """Widgets of a Circuits view, in `column`."""

    def __init__(self, view: Circuits):
        self.view = view
        wide: dict[str, Any] = {"sizing_mode": "stretch_width", "margin": (4, 0), "size": "small"}
        self.groups = offered()
        self.model = pmui.Select(label="Model", groups=self.groups, searchable=False, **wide)
        self.ref = pmui.TextInput(label="Folder, .gguf file or hub name", placeholder="org/name", **wide)
        self.task = pmui.Select(label="Task", options=_tasks(), **wide)
        self.method = pmui.Select(label="Method", options=_methods(), **wide)
        self.rows = pmui.TextAreaInput(
            label="Your pairs", placeholder=EXAMPLE, rows=6, max_rows=12, max_length=1_000_000, resizable="height",
            description="CSV with a header, or JSON lines: clean, corrupt, right, wrong, and pos:NAME if you like.", **wide,
        )  # fmt: skip
        self.file = pmui.FileInput(label="Upload CSV or JSONL", accept=".csv,.jsonl,.json", **wide)
        self.options, self.params = pmui.Column(**_bare()), pmui.Column(**_bare())
        self.column = pmui.Column(
            self.model, self.ref, pmui.Divider(margin=(10, 0)),
            self.task, self.rows, self.file, self.options, pmui.Divider(margin=(10, 0)),
            self.method, self.params, sizing_mode="stretch_width", margin=(14, 14),
        )  # fmt: skip
        self._setting = False
        self.show()
        self._watch()

    def _watch(self) -> None:
        view = self.view
        self.model.param.watch(lambda event: self._set(model="" if event.new == OTHER else event.new), "value")
        self.ref.param.watch(lambda event: self._set(model=event.new), "value")
        self.task.param.watch(lambda event: self._set(task=event.new), "value")
        self.method.param.watch(lambda event: self._set(method=event.new), "value")
        self.rows.param.watch(lambda event: self._set(rows=event.new), "value")
        self.file.param.watch(lambda event: self._upload(event.new), "value")
        view.param.watch(lambda *_: self.show(), ["model", "task", "method", "rows"])
        view.param.watch(lambda *_: self._forms(), ["options", "params"])

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
        self.task.value, self.method.value, self.rows.value = view.task, view.method, view.rows
        self.rows.visible = self.file.visible = view.task == CUSTOM
        self._setting = False
        self._forms()

    def _forms(self) -> None:
        """Make the options' widgets anew, unless it was one of them that changed."""
        view = self.view
        state = (view.task, view.method, dict(view.options), dict(view.params))
        if state == getattr(self, "_shown", None):
            return
        self._shown = state
        self.options[:] = form(view.task_fields, view.options, self._use("options"), self._fail, FIRST_OF_TASK)
        self.params[:] = form(view.method_fields, view.params, self._use("params"), self._fail, FIRST_OF_METHOD)

    def _use(self, target: str) -> Any:
        def use(name: str, value: Any) -> None:
            view = self.view
            changed = {**getattr(view, target), name: value}
            options, params = (changed, view.params) if target == "options" else (view.options, changed)
            self._shown = (view.task, view.method, dict(options), dict(params))
            view.param.update(**{target: changed})

        return use

    def _fail(self, reason: str) -> None:
        self.view.tell("error", reason)

    def _upload(self, content: bytes | None) -> None:
        if not content:
            return
        try:
            self.view.rows = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            self.view.tell("error", "The file must be text in UTF-8. If it comes from a spreadsheet, save it as 'CSV UTF-8'.")


def _bare() -> dict[str, Any]:
    return {"sizing_mode": "stretch_width", "margin": 0}


def _tasks() -> dict[str, str]:
    from workbench.tasks import TASKS

    return {**{task.title: name for name, task in TASKS.items()}, "Your own pairs": CUSTOM}


def _methods() -> dict[str, str]:
    from workbench.methods import METHODS

    return {method.title: name for name, method in METHODS.items() if name != "baseline"} | {"Baseline only": "baseline"}
