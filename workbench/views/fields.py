"""Fields of a form, made from the signatures of methods and tasks: what can be chosen, how it reads as text.

Every field writes its value as a short text and reads it back: that text is what stands in the URL.
"""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from workbench import params
from workbench.errors import BadInput, one_of

_AUTO = ""
# Prompts that one form may ask for: what is more is a typing error, and every page lists them.
MOST_PROMPTS = 10_000
# Fields that say how many prompts or sequences are made, or how long.
_MADE = ("n", "prompt", "prompts", "examples", "length", "copies", "sentences", "needles", "depths", "draws", "objects")


@dataclass(frozen=True)
class Field:
    """One setting of a method, a task or a study.

    Attributes:
        name: The parameter's name.
        kind: 'choice', 'several', 'flag', 'number', 'fraction', 'list' (of what one likes) or 'text'.
        default: Its default.
        choices: What can be chosen, for 'choice' and 'several'.
        about: What it means, for a tooltip.
        words: For 'text': words it takes beside a whole number.
        optional: Whether empty means None.
        title: What stands at its widget, where the name alone does not say it.
    """

    name: str
    kind: str
    default: Any
    choices: tuple[Any, ...] = ()
    about: str = ""
    words: tuple[str, ...] = ()
    optional: bool = False
    title: str = ""

    @property
    def label(self) -> str:
        """The name as a person writes it."""
        return self.title or {"n": "Prompts"}.get(self.name, self.name.replace("_", " ").capitalize())

    def write(self, value: Any) -> str:
        """The value as text."""
        if value is None:
            return _AUTO
        if self.kind == "several":
            return "+".join(map(str, [value] if isinstance(value, str) else value))
        if self.kind == "list":
            return ",".join([value] if isinstance(value, str) else value)
        return {True: "yes", False: "no"}[value] if self.kind == "flag" else str(value)

    def read(self, text: str) -> Any:
        """The value of a text.

        Raises:
            BadInput: When the text is no value of this field.
        """
        return _READ[self.kind](self, text.strip())

    def check(self, value: Any) -> Any:
        """The value as this field holds it, or BadInput."""
        return self.read(self.write(value))


def _read_choice(field: Field, text: str) -> Any:
    if field.optional and text == _AUTO:
        return None
    for choice in field.choices:
        if text == str(choice):
            return choice
    return one_of(field.name, text, field.choices)


def _read_several(field: Field, text: str) -> tuple[str, ...]:
    chosen = tuple(part for part in re.split(r"[+, ]", text) if part)
    if not chosen:
        raise BadInput(f"{field.name} must name at least one of {', '.join(field.choices)}; got none.")
    for part in chosen:
        one_of(field.name, part, field.choices)
    return tuple(choice for choice in field.choices if choice in chosen)


def _read_list(field: Field, text: str) -> tuple[str, ...]:
    listed = tuple(part for part in re.split(r"[, ]", text) if part)
    if not listed:
        raise BadInput(f"{field.name} must list at least one value, as in '{field.write(field.default)}'; got none.")
    return listed


def _read_flag(field: Field, text: str) -> bool:
    one_of(field.name, text, ("yes", "no"))
    return text == "yes"


def _read_number(field: Field, text: str) -> int:
    if not re.fullmatch(r"-?\d{1,9}", text, re.ASCII):
        raise BadInput(f"{field.name} must be a whole number; got {text[:40]!r}.")
    return int(text)


def _read_count(field: Field, text: str) -> int:
    number = _read_number(field, text)
    if field.name in _MADE and number > MOST_PROMPTS:
        raise BadInput(f"{field.name} must be at most {MOST_PROMPTS:,}; got {number:,}.")
    return number


def _read_fraction(field: Field, text: str) -> float:
    if not re.fullmatch(r"-?(\d{1,9}(\.\d{1,17})?|\.\d{1,17})(e-?\d{1,2})?", text, re.ASCII):
        raise BadInput(f"{field.name} must be a number; got {text[:40]!r}.")
    return float(text)


def _read_text(field: Field, text: str) -> Any:
    if text == _AUTO and field.optional:
        return None
    if text in field.words:
        return text
    if field.words or field.optional:
        return _read_fraction(field, text) if re.search(r"[.e]", text) else _read_number(field, text)
    return text


_READ: dict[str, Callable[[Field, str], Any]] = {
    "choice": _read_choice,
    "several": _read_several,
    "list": _read_list,
    "flag": _read_flag,
    "number": _read_count,
    "fraction": _read_fraction,
    "text": _read_text,
}


def fields_of(parameters: Mapping[str, inspect.Parameter], doc: str | None = None) -> dict[str, Field]:
    """The fields of a signature, in its order.

    Args:
        parameters: Name -> parameter with annotation and default.
        doc: The docstring whose Args say what each means.
    """
    about = about_of(doc)
    return {name: field_of(name, parameter, about.get(name, "")) for name, parameter in parameters.items()}


def field_of(name: str, parameter: inspect.Parameter, about: str) -> Field:
    """The field of one parameter."""
    annotation, default = parameter.annotation, parameter.default
    kinds, literals = params.parts(annotation), tuple(params.choices(annotation))
    optional = type(None) in kinds
    if params.takes_several(annotation):
        default = (default,) if isinstance(default, str) else tuple(default)
        return Field(name, "several" if literals else "list", default, literals, about)
    if bool in kinds:
        return Field(name, "flag", default, (), about)
    if float in kinds and not optional:
        return Field(name, "fraction", default, (), about)
    if int in kinds and not literals and not optional:
        return Field(name, "number", default, (), about)
    if int in kinds:
        return Field(name, "text", default, (), about, tuple(map(str, literals)), optional)
    if literals:
        return Field(name, "choice", default, literals, about, (), optional)
    return Field(name, "text", default, (), about)


def about_of(doc: str | None) -> dict[str, str]:
    """What the Args or the Attributes of a docstring say, by name."""
    section = re.search(r"^(?:Args|Attributes):\n(.*?)(?:^\S|\Z)", inspect.cleandoc(doc or ""), re.S | re.M)
    if not section:
        return {}
    entries: dict[str, str] = {}
    for entry in re.finditer(r"^    (\w[\w, ]*): (.*(?:\n {5,}.*)*)", section[1], re.M):
        for name in entry[1].split(", "):
            entries[name] = " ".join(entry[2].split())
    return entries


def method_fields(name: str) -> dict[str, Field]:
    """The fields of a method of the catalogue."""
    from workbench.methods import METHODS

    one_of("the method", name, METHODS)
    method = METHODS[name]
    return fields_of(method.params, method.run.__doc__)


def task_fields(name: str) -> dict[str, Field]:
    """The fields of a task of the catalogue, or of 'custom'."""
    from workbench.tasks import TASKS, custom

    one_of("the task", name, [*TASKS, "custom"])
    if name == "custom":
        options = {key: one for key, one in inspect.signature(custom).parameters.items() if key not in ("model", "rows")}
        return fields_of(options, custom.__doc__)
    return fields_of(TASKS[name].options, TASKS[name].make.__doc__)


def given(fields: Mapping[str, Field], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that are not defaults, as the call takes them: one of several alone is a plain name."""
    told = {}
    for name, one in fields.items():
        value = values.get(name, one.default)
        if value != one.default:
            told[name] = value[0] if one.kind in ("several", "list") and len(value) == 1 else value
    return told
