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
    settings["margin"] = (4, 0)
    if one.kind != "several":
        settings["size"] = "small"
    if one.kind == "choice":
        options = {_word(choice): choice for choice in one.choices}
        made = pmui.Select(options=options if not one.optional else {"auto": None, **options}, value=value, **settings)
    elif one.kind == "several":
        made = pmui.MultiChoice(options=list(one.choices), value=list(value), **settings)
    elif one.kind == "flag":
        made = pmui.Checkbox(value=value, **settings)
    elif one.kind == "number":
        made = pmui.IntInput(value=value, start=1 if one.name == "n" else None, **settings)
    elif one.kind == "fraction":
        made = pmui.FloatInput(value=value, **settings)
    else:
        hint = " or ".join(["auto", "a number", *one.words]) if one.optional else ""
        made = pmui.TextInput(value=one.write(value), placeholder=hint, **settings)

    def changed(event: Any) -> None:
        try:
            use(one.name, one.check(event.new))
        except (BadInput, KeyError) as problem:
            fail(str(problem))

    made.param.watch(changed, "value")
    return made


def form(
    fields: Mapping[str, Field],
    values: Mapping[str, Any],
    use: Callable[[str, Any], None],
    fail: Callable[[str], None],
    at_once: Sequence[str],
) -> list[Any]:
    """The widgets of all fields: those named in `at_once`, and the rest folded away."""
    made = {name: widget(one, values[name], use, fail) for name, one in fields.items()}
    first = [made[name] for name in made if name in at_once]
    rest = [made[name] for name in made if name not in at_once]
    if not rest or not first:
        return first or rest
    changed = any(values[name] != fields[name].default for name in made if name not in at_once)
    more = pmui.Accordion(
        ("More options", pmui.Column(*rest, sizing_mode="stretch_width", margin=0)),
        active=[0] if changed else [], title_variant="body2", elevation=0, disable_gutters=True, margin=(2, 0),
        sizing_mode="stretch_width",
    )  # fmt: skip
    return [*first, more]


def _word(choice: Any) -> str:
    return str(choice).replace("_", " ")
