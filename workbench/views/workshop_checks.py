"""The checks of a plan: each is described by its kind and the attributes of that kind, and read here with care."""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from workbench.errors import BadInput, one_of
from workbench.views.workshop_kinds import (
    All,
    Answer,
    Baseline,
    CircuitFound,
    Formed,
    HeadHas,
    HeadOpen,
    Page,
    Pairs,
    Ran,
    Replaced,
    TopCell,
)

KINDS: dict[str, type] = {
    "ran": Ran, "baseline": Baseline, "head_open": HeadOpen, "head_has": HeadHas, "top_cell": TopCell, "circuit": CircuitFound,
    "replaced": Replaced, "pairs": Pairs, "page": Page, "formed": Formed, "answer": Answer, "all": All,
}  # fmt: skip


def check_of(where: str, given: Any) -> Any:
    """The check that a plan describes.

    Args:
        where: The exercise, for messages.
        given: Its `kind`, and a value of each attribute of that kind.
    Raises:
        BadInput: When there is no such kind, an attribute is unknown or missing, or a value is of another type.
    """
    if not isinstance(given, Mapping) or "kind" not in given:
        raise BadInput(f"{where}: the check must have a kind, one of {', '.join(KINDS)}; got {str(given)[:60]!r}.")
    one_of(f"{where}: the kind of check", given["kind"], KINDS)
    kind = KINDS[given["kind"]]
    known = {one.name: one for one in fields(kind)}
    values = {}
    for name, value in given.items():
        if name != "kind":
            one_of(f"{where}: a setting of the check {given['kind']}", name, known)
            values[name] = _typed(where, name, value, str(known[name].type))
    missing = [name for name, one in known.items() if one.default is MISSING and name not in values]
    if missing:
        got = ", ".join(values) or "nothing"
        raise BadInput(f"{where}: the check {given['kind']} must say {', '.join(missing)}; got {got}.")
    return kind(**values)


def _typed(where: str, name: str, value: Any, annotation: str) -> Any:
    """A value of a plan as the attribute has it."""
    if name == "of":
        if not isinstance(value, list) or not value:
            raise BadInput(f"{where}: {name} must be a list of checks; got {str(value)[:60]!r}.")
        return tuple(check_of(where, one) for one in value)
    if "tuple" in annotation:
        if not isinstance(value, list) or not all(isinstance(one, (str, int, float)) for one in value):
            raise BadInput(f"{where}: {name} must be a list of words; got {str(value)[:60]!r}.")
        return tuple(map(str, value))
    kinds = {"Mapping": Mapping, "bool": bool, "float": (int, float), "int": int, "str": str}
    wanted = next(kind for part, kind in kinds.items() if part in annotation)
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
        said = next(part for part in kinds if part in annotation).replace("Mapping", "a table of names and values")
        raise BadInput(f"{where}: {name} must be {said}; got {str(value)[:60]!r}. Put words that look like numbers in quotes.")
    if isinstance(value, Mapping) and name == "says":
        return {str(key): str(one) for key, one in value.items()}
    return value
