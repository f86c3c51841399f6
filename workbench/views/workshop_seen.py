"""What a check of an exercise looks at, and how it answers: the page's view, its results, its open head, and a sentence."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable


class Seen(NamedTuple):
    """What a check looks at: the page's view, what its URL says, and what the learner typed."""

    view: Any
    said: Mapping[str, str]
    typed: str = ""


class Verdict(NamedTuple):
    """Whether it is solved, and what was found, in a sentence."""

    passed: bool
    says: str


@runtime_checkable
class Check(Protocol):
    """One check."""

    def judge(self, seen: Seen) -> Verdict: ...


def results(view: Any) -> dict[str, Any]:
    """The finished results that a page shows, by method."""
    several = getattr(view, "results", None)
    if isinstance(several, Mapping):
        return dict(several)
    one = getattr(view, "result", None)
    if one is None or not getattr(view, "whole", True) or getattr(one, "origin", None) is None:
        return {}
    return {one.origin.method: one}


def heads_table(view: Any) -> Any | None:
    """The table of heads of a page, or None."""
    table = getattr(view, "table", None)
    return table if hasattr(table, "columns") else None


def head_of(view: Any) -> tuple[int, int] | None:
    """The head that is open on a page, or None."""
    opened = getattr(view, "head", None)
    found = getattr(opened, "head", opened)
    if isinstance(found, tuple) and len(found) == 2:
        return int(found[0]), int(found[1])
    looked = getattr(view, "attention", None)
    if getattr(looked, "layer", None) is None:
        return None
    return int(looked.layer), int(looked.head)


def named(head: tuple[int, int]) -> str:
    """A head as LAYER.HEAD."""
    return f"{head[0]}.{head[1]}"


def enough(passed: bool, takes: str) -> str:
    """The end of a verdict's sentence: that it is enough, or what it takes."""
    return "enough" if passed else f"it takes {takes}"
