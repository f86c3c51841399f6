"""Widgets of the sidebar, made from the fields of a view."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import panel_material_ui as pmui

from workbench.errors import BadInput
from workbench.views.fields import Field

# What is shown at once; the rest stands under "More options".
FIRST_OF_TASK = ("n", "seed", "corruption")
FIRST_OF_STUDY = ("steps", "seeds", "labels", "items", "burst", "factors", "across", "values", "down", "rows")
FIRST_OF_METHOD = ("sites", "by", "metric", "of", "top", "prompt")


def widget(one: Field, value: Any, use: Callable[[str, Any], None], fail: Callable[[str], None]) -> Any:
    """A widget for a field.

    Args:
        one: The field.
        value: What it is set to.
        use: Called with the name and the new value.
        fail: Called with the reason when what was typed is no value of the field.
    """
    settings: dict[str, Any] = {"label": one.label, "description": one.about or None, "sizing_mode": "stretch_width"}
    settings["margin"], held = (4, 0), _held(one, value)
    if one.kind != "several":
        settings["size"] = "small"
    if one.kind == "choice":
        options = {_word(choice): choice for choice in one.choices}
        made = pmui.Select(options=options if not one.optional else {"auto": None, **options}, value=held, **settings)
    elif one.kind == "several":
        made = pmui.MultiChoice(options=list(one.choices), value=held, **settings)
    elif one.kind == "flag":
        made = pmui.Checkbox(value=held, **settings)
    elif one.kind == "number":
        made = pmui.IntInput(value=held, start=1 if one.name == "n" else None, **settings)
    elif one.kind == "fraction":
        made = pmui.FloatInput(value=held, **settings)
    else:
        hint = " or ".join(["auto", "a number", *one.words]) if one.optional else ""
        made = pmui.TextInput(value=held, placeholder=hint, **settings)

    def changed(event: Any) -> None:
        try:
            use(one.name, one.check(event.new))
        except (BadInput, KeyError) as problem:
            fail(str(problem))

    made.param.watch(changed, "value")
    return made


class Form:
    """The widgets of all fields, in `objects`: those named in `at_once`, and the rest folded away.

    What is folded away is made when it is first opened: most people never do, and a widget costs a page more than a figure.
    """

    def __init__(
        self,
        fields: Mapping[str, Field],
        values: Mapping[str, Any],
        use: Callable[[str, Any], None],
        fail: Callable[[str], None],
        at_once: Sequence[str],
    ):
        self._fields, self._values, self._use, self._fail = fields, dict(values), use, fail
        self._made: dict[str, Any] = {}
        first = [name for name in fields if name in at_once] or list(fields)
        self._rest = [name for name in fields if name not in first]
        self.objects = self._widgets(first)
        if self._rest:
            self._folded = pmui.Column(sizing_mode="stretch_width", margin=0)
            self._more = pmui.Accordion(
                ("More options", self._folded), active=[], title_variant="body2", elevation=0, disable_gutters=True,
                margin=(2, 0), sizing_mode="stretch_width",
            )  # fmt: skip
            self._more.param.watch(lambda event: self._unfold() if event.new else None, "active")
            self._open_for(values)
            self.objects.append(self._more)

    def set(self, values: Mapping[str, Any]) -> None:
        """Set every widget to these values."""
        self._values = dict(values)
        for name, made in self._made.items():
            made.value = _held(self._fields[name], values[name])
        if self._rest:
            self._open_for(values)

    def _open_for(self, values: Mapping[str, Any]) -> None:
        """Unfold the rest when one of it is not at its default."""
        if not self._more.active and any(values[name] != self._fields[name].default for name in self._rest):
            self._more.active = [0]

    def _unfold(self) -> None:
        if not self._folded.objects:
            self._folded[:] = self._widgets(self._rest)

    def _widgets(self, names: Sequence[str]) -> list[Any]:
        for name in names:
            self._made[name] = widget(self._fields[name], self._values[name], self._changed, self._fail)
        return [self._made[name] for name in names]

    def _changed(self, name: str, value: Any) -> None:
        # What was set from outside is known already.
        if value != self._values[name]:
            self._values[name] = value
            self._use(name, value)


def _held(one: Field, value: Any) -> Any:
    """A value as the widget of its field holds it."""
    if one.kind == "several":
        return list(value)
    return one.write(value) if one.kind in ("list", "text") else value


def _word(choice: Any) -> str:
    return str(choice).replace("_", " ")
