"""Parameters as an interface: what a signature's annotations allow, read by the catalogue, the command line and the app.

Choices are annotated with Literal; `str | Sequence[str]` means one or several; bool, int and str mean themselves.
"""

import inspect
from collections.abc import Sequence
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from workbench.errors import BadInput, one_of


def parts(annotation: Any) -> tuple[Any, ...]:
    """The alternatives of an annotation: (str, Sequence[str]) of `str | Sequence[str]`."""
    return get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)


def choices(annotation: Any) -> list[Any]:
    """The values that an annotation lists, also inside `Sequence[Literal[…]]`; empty if it lists none."""
    found: list[Any] = []
    for part in parts(annotation):
        if get_origin(part) is Literal:
            found += [choice for choice in get_args(part) if choice not in found]
        elif takes_several(part):
            found += [choice for inner in get_args(part) for choice in choices(inner) if choice not in found]
    return found


def takes_several(annotation: Any) -> bool:
    """Whether a sequence of values is allowed."""
    return any(inspect.isclass(origin := get_origin(part)) and issubclass(origin, Sequence) for part in parts(annotation))


def check(what: str, value: Any, annotation: Any) -> None:
    """Raise BadInput unless `value` is one that `annotation` allows."""
    listed = choices(annotation)
    if takes_several(annotation) and isinstance(value, (list, tuple)):
        for each in value:
            if listed:
                one_of(what, each, listed)
            elif not isinstance(each, str):
                raise BadInput(f"{what} must be words; got {each!r}.")
        return
    kinds = [part for part in parts(annotation) if get_origin(part) is None]
    # type() and not isinstance: True is an int to isinstance, and n=True is a slip.
    if type(value) in kinds or (value is None and type(None) in kinds) or (listed and value in listed):
        return
    if not kinds:
        one_of(what, value, listed)
        return
    names = ["None" if kind is type(None) else kind.__name__ for kind in kinds] + [repr(choice) for choice in listed]
    raise BadInput(f"{what} must be {' or '.join(names)}; got {value!r}.")


def parse(text: str, annotation: Any) -> Any:
    """What a word of the command line or of a URL means: 'none', numbers, and comma-separated lists."""
    kinds = parts(annotation)
    if takes_several(annotation):
        words = tuple(word for word in text.split(",") if word)
        # One word is itself where it may stand alone: 'z' and ('z',) ask the same, but are two keys of the store.
        alone = [part for part in kinds if not takes_several(part)]
        if len(words) == 1 and (str in alone or words[0] in [choice for part in alone for choice in choices(part)]):
            return words[0]
        return words
    if type(None) in kinds and text.lower() in ("none", ""):
        return None
    if bool in kinds and text.lower() in ("true", "false", "yes", "no"):
        return text.lower() in ("true", "yes")
    if int in kinds and text.lstrip("-").isdigit():
        return int(text)
    if float in kinds:
        try:
            return float(text)
        except ValueError:
            pass
    return text
