"""The state of the dynamics page as the query of its URL: flat, short (defaults are left out), read back with care."""

from collections.abc import Mapping

from workbench.errors import BadInput, one_of
from workbench.views.descent import SETTINGS, Nested
from workbench.views.dynamics import PARTS, Dynamics
from workbench.views.example import SEQUENCES
from workbench.views.fields import Field
from workbench.views.query import Query, changed, count


def written(view: Dynamics) -> dict[str, str]:
    """What the URL says: the part that is open, the step looked at, the sliders, the study with its settings and result."""
    said = {"part": view.part} if view.part != PARTS[0] else {}
    said |= {"step": str(view.example.step)} if view.example.step != view.example.steps[-1] else {}
    said |= {"of": view.example.of} if view.example.of != "one" else {}
    said |= changed("nested", nested_fields(), {name: getattr(view.nested, name) for name in SETTINGS})
    said |= {"lm": view.forming.model} if view.forming.model != "attention" else {}
    said |= {"lm.step": str(view.forming.step)} if view.forming.step != view.forming.steps[-1] else {}
    said |= {"study": view.study} if view.study != view.param["study"].default else {}
    said |= changed("train", view.fields, view.params)
    return said | ({"result": view.key} if view.key else {})


def restore(view: Dynamics, query: Mapping[str, str]) -> None:
    """Set the view to what a URL says; what cannot be used becomes one notice, and nothing is trained."""
    asked = Query(query)
    asked.attempt("part", lambda text: (one_of("part", text, PARTS), view.param.update(part=text)))
    asked.attempt("step", lambda text: view.example.look(count("step", text)))
    asked.attempt("of", lambda text: (one_of("of", text, SEQUENCES), view.example.param.update(of=text)))
    for name, field in nested_fields().items():
        asked.attempt(f"nested.{name}", lambda text, field=field: _set(view.nested, field, text))
    asked.attempt("lm", view.forming.choose)
    asked.attempt("lm.step", lambda text: view.forming.look(count("lm.step", text)))
    asked.attempt("study", lambda text: _study(view, text))
    asked.attempt("result", lambda text: _open(view, text))
    asked.fields("train", view.fields, view, "params")
    asked.tell(view)
    view.rejoin()


def nested_fields() -> dict[str, Field]:
    """The sliders as fields."""
    kinds = {name: "number" if isinstance(Nested.param[name].default, int) else "fraction" for name in SETTINGS}
    return {name: Field(name, kind, Nested.param[name].default) for name, kind in kinds.items()}


def _set(nested: Nested, field: Field, text: str) -> None:
    value, (low, high) = field.read(text), Nested.param[field.name].bounds
    if not low <= value <= high:
        raise BadInput(f"{field.name} must be from {low} to {high}; got {text[:40]}.")
    nested.param.update(**{field.name: value})


def _study(view: Dynamics, text: str) -> None:
    from workbench.dynamics import STUDIES

    one_of("the study", text, STUDIES)
    view.study = text


def _open(view: Dynamics, key: str) -> None:
    if key not in view.store:
        raise BadInput(f"the result must be a stored one; got {key!r}. Press Train to compute it.")
    view.open(key)
