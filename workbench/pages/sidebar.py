"""The sidebar: model, task and method with their options; each is set in the view as it is chosen."""

from collections.abc import Mapping, Sequence
from typing import Any

import panel_material_ui as pmui

from workbench.errors import BadInput
from workbench.models.revisions import parted, several
from workbench.pages.form import FIRST_OF_METHOD, FIRST_OF_TASK, Form
from workbench.pages.upload import FileInput
from workbench.views.asking import Asking
from workbench.views.circuits import Circuits
from workbench.views.fields import Field
from workbench.views.models import OTHER, at, checkpoints, offered
from workbench.views.question import CUSTOM, MOST_ROWS_TEXT, shape_of
from workbench.views.working import Working

EXAMPLE = "clean,corrupt,right,wrong\nThe cat sat on the,The dog lay by the,mat,rug"
# Of a character at most, in UTF-8.
BYTES = 4
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
        self._of, self._fields, self._form = "", None, None
        self.column = pmui.Column(sizing_mode="stretch_width", margin=0)

    def show(self, of: str, fields: Mapping[str, Field]) -> None:
        """Set the widgets of a task, a method or a study; made anew where it is another one, or its fields are others."""
        values = getattr(self._view, self._target)
        if self._form is None or (of, fields) != (self._of, self._fields):
            self._of, self._fields = of, fields
            self._form = Form(fields, values, self._use, lambda reason: self._view.tell("error", reason), self._first)
            self.column[:] = self._form.objects
        else:
            self._form.set(values)

    def _use(self, name: str, value: Any) -> None:
        self._view.param.update(**{self._target: {**getattr(self._view, self._target), name: value}})


class Place:
    """Widgets of the dtype and the device of a view's model, folded away in `folded`."""

    def __init__(self, view: Working):
        from workbench.models.catalogue import BYTES
        from workbench.models.device import devices

        self._view, self._setting = view, False
        here = devices()
        dtypes = {f"{name}, {size} bytes a weight": name for name, size in sorted(BYTES.items(), key=lambda item: -item[1])}
        self.dtype = pmui.Select(label="Dtype", options={"float32 (default)": "", **_without(dtypes, "float32")}, **SMALL)
        first = {f"{here[0]} (default)": ""}
        self.device = pmui.Select(label="Device", options=first | {name: name for name in here[1:]}, **SMALL)
        column = pmui.Column(self.dtype, self.device, margin=0, sizing_mode="stretch_width")
        self.folded = pmui.Accordion(
            ("Dtype and device", column), active=[], title_variant="body2", elevation=0, disable_gutters=True, margin=(2, 0),
            sizing_mode="stretch_width",
        )  # fmt: skip
        for name in ("dtype", "device"):
            getattr(self, name).param.watch(lambda event, name=name: self._choose(name, event.new), "value")
        self.show()

    def show(self) -> None:
        """Set the widgets to what the view says."""
        self._setting = True
        for name in ("dtype", "device"):
            value, widget = getattr(self._view, name), getattr(self, name)
            # The default by its own name is the default too.
            widget.value = value if value in widget.options.values() else ""
            if widget.value and not self.folded.active:
                self.folded.active = [0]
        self._setting = False

    def _choose(self, name: str, value: str | None) -> None:
        if not self._setting and value is not None:
            self._view.param.update(**{name: value})


class Checkpoint:
    """The checkpoints of the model that `name` of a view says, in `select`; hidden where none are known."""

    def __init__(self, view: Working, name: str):
        self._view, self._name, self._setting = view, name, False
        self.select = pmui.Select(label="Checkpoint", **SMALL)
        self.select.param.watch(self._choose, "value")
        self.show()

    def show(self) -> None:
        """Set it to what the view says."""
        ref = getattr(self._view, self._name)
        named, chosen = checkpoints(ref), ref.rpartition("@")[2]
        self._setting = True
        options = {"the last one": "", **{name: name for name in named}}
        self.select.param.update(options=options, value=chosen if chosen in named else "", visible=bool(named))
        self._setting = False

    def _choose(self, event: Any) -> None:
        if not self._setting and event.new is not None:
            self._view.param.update(**{self._name: at(getattr(self._view, self._name), event.new)})


def _without(options: dict[str, str], value: str) -> dict[str, str]:
    return {label: one for label, one in options.items() if one != value}


class ModelAndTask:
    """Widgets of what every page asks about, in `objects`."""

    def __init__(self, view: Asking):
        self.view = view
        self.groups = offered()
        self.model = pmui.Select(label="Model", groups=self.groups, searchable=False, **SMALL)
        self.ref = pmui.TextInput(label="Folder, .gguf file or hub name", placeholder="org/name", **SMALL)
        self.task = pmui.Select(label="Task", options=_tasks(), **SMALL)
        self.rows = pmui.TextAreaInput(
            label="Your pairs", placeholder=EXAMPLE, rows=6, max_rows=12, max_length=MOST_ROWS_TEXT, resizable="height",
            description="CSV with a header, or JSON lines: clean, corrupt, right, wrong, and pos:NAME if you like.", **SMALL,
        )  # fmt: skip
        self.file = FileInput(
            BYTES * MOST_ROWS_TEXT, lambda reason: view.tell("error", reason), label="Upload CSV or JSONL",
            accept=".csv,.jsonl,.json", **SMALL,
        )  # fmt: skip
        self.options = Settings(view, "options", FIRST_OF_TASK)
        self.place, self.checkpoint = Place(view), Checkpoint(view, "model")
        self.objects = [
            self.model, self.ref, self.checkpoint.select, self.place.folded, pmui.Divider(margin=(10, 0)), self.task, self.rows,
            self.file, self.options.column,
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
        self.view.param.watch(lambda *_: self.show(), ["model", "dtype", "device", "task", "rows", "options"])

    def _set(self, **state: Any) -> None:
        if not self._setting and all(value is not None for value in state.values()):
            self.view.param.update(**state)

    def show(self) -> None:
        """Set every widget to what the view says."""
        view = self.view
        known = {ref for group in self.groups.values() for ref in group.values()}
        choice = bare if (bare := _bare(view.model)) in known else OTHER
        self._setting = True
        self.model.value = choice
        self.ref.param.update(visible=choice == OTHER, value=view.model)
        self.place.show()
        self.checkpoint.show()
        self.task.value, self.rows.value = view.task, view.rows
        self.rows.visible = self.file.visible = view.task == CUSTOM
        self._setting = False
        self.options.show(view.task, view.task_fields)

    def _upload(self, content: bytes | None) -> None:
        if not content:
            return
        try:
            text = content.decode("utf-8-sig")
            # What is too long is not shown either: it would be sent back to the browser.
            shape_of(text)
            self.view.rows = text
        except BadInput as problem:
            self.view.tell("error", str(problem))
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


def _bare(ref: str) -> str:
    """A ref without its checkpoint, as it is where that cannot be one."""
    try:
        return parted(ref)[0] if several(ref) is None else ref
    except BadInput:
        return ref


def _tasks() -> dict[str, str]:
    from workbench.tasks import TASKS

    return {**{task.title: name for name, task in TASKS.items()}, "Your own pairs": CUSTOM}


def _methods() -> dict[str, str]:
    from workbench.methods import METHODS

    return {method.title: name for name, method in METHODS.items() if name != "baseline"} | {"Baseline only": "baseline"}
