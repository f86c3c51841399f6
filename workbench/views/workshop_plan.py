"""The plan of a workshop: which models and pages, and the exercises in their order, read from a YAML file.

    title: Induction heads
    about: How a model goes on with what it saw once.
    models: [tiny:repeat]             # loaded at the start; no others can be asked for
    exercises:
      - title: Find the head
        page: heads                   # a file of apps/
        opens: {model: tiny:repeat, task: repeated_tokens}    # the page's address: what it is set to
        goal: Open the head that …
        minutes: 5
        difficulty: 1                 # 1 to 3
        hints: [A nudge, A concrete step, Where to click]
        check: {kind: head_has, column: induction, at_least: 0.5}    # see `workshop_checks`
        solved: What this shows, said once it is solved.

Nothing in a plan is executed.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import BadInput, one_of
from workbench.models.find import DATA
from workbench.views.workshop_checks import check_of
from workbench.views.workshop_kinds import Check

PLAN, KEY = "WORKBENCH_WORKSHOP", "WORKBENCH_TEACHER"
HINTS = 3
_PLAN = {"title", "about", "models", "pages", "exercises"}
_EXERCISE = {"title", "page", "opens", "goal", "minutes", "difficulty", "hints", "check", "solved"}
_LONGEST = 1_000_000


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    Attributes:
        title: A few words.
        page: The page it is done on.
        opens: What that page's URL says when it is opened for this exercise.
        goal: What to do.
        minutes: How long it takes, about.
        difficulty: 1, 2 or 3.
        hints: A nudge, a concrete step, and where to click.
        check: What the learner's own run is looked at for.
        solved: What it shows, said once it is solved.
    """

    title: str
    page: str
    opens: Mapping[str, str]
    goal: str
    minutes: int
    difficulty: int
    hints: tuple[str, ...]
    check: Check
    solved: str


@dataclass(frozen=True)
class Plan:
    """A workshop.

    Attributes:
        title: Its name.
        about: What it is about.
        models: Refs of the models, loaded at the start.
        pages: The pages that are served.
        exercises: In their order.
    """

    title: str
    about: str
    models: tuple[str, ...]
    pages: tuple[str, ...]
    exercises: tuple[Exercise, ...]


def plan_file(name: str | Path) -> Path:
    """The file of a plan: itself, or one that comes with the workbench by its name, as 'induction'."""
    own = DATA / "workshops" / f"{name}.yaml"
    return own if not Path(name).exists() and Path(name).name == str(name) and own.is_file() else Path(name)


def read_plan(path: str | Path) -> Plan:
    """The plan in a file, or one that comes with the workbench.

    Raises:
        BadInput: When the file cannot be read, is no YAML (with the line), or an exercise (by its number) is not in order.
    """
    import yaml

    file = plan_file(path)
    try:
        if file.stat().st_size > _LONGEST:
            raise BadInput(f"the plan must have at most {_LONGEST:,} bytes; {file.name} has more.")
        given = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as problem:
        raise BadInput(f"the plan must be a text file that can be read; got {str(path)!r} ({problem}).") from problem
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark is not None else ""
        what = getattr(problem, "problem", None) or "it cannot be read"
        raise BadInput(f"the plan must be YAML; {file.name} is not{line}: {what}.") from problem
    return plan_of(given)


def plan_of(given: Any) -> Plan:
    """The plan that read YAML describes; BadInput as `read_plan`."""
    table = _table("the plan", given, _PLAN, ("title", "models", "exercises"))
    models, exercises = _list("models", table["models"]), _list("exercises", table["exercises"])
    made = tuple(_exercise(number, one) for number, one in enumerate(exercises, start=1))
    pages = tuple(dict.fromkeys([*map(str, _list("pages", table.get("pages") or [made[0].page])), *(one.page for one in made)]))
    return Plan(_text("title", table["title"]), str(table.get("about") or ""), tuple(map(str, models)), pages, made)


def _exercise(number: int, given: Any) -> Exercise:
    title = given.get("title", "") if isinstance(given, Mapping) else ""
    where = f"exercise {number}" + (f" ('{title}')" if title else "")
    table = _table(where, given, _EXERCISE, ("title", "page", "goal", "hints", "check"))
    hints = tuple(_text(f"{where}: a hint", hint) for hint in _list(f"{where}: hints", table["hints"]))
    if len(hints) != HINTS:
        raise BadInput(f"{where}: hints must be {HINTS}, from a nudge to where to click; got {len(hints)}.")
    opens = table.get("opens") or {}
    if not isinstance(opens, Mapping):
        raise BadInput(f"{where}: opens must be a table of names and values; got {str(opens)[:60]!r}.")
    page = _text(f"{where}: page", table["page"])
    if not page.isidentifier():
        raise BadInput(f"{where}: the page must be a file of apps/, as heads; got {page[:60]!r}.")
    return Exercise(
        title=_text(f"{where}: title", table["title"]),
        page=page,
        opens={str(name): str(value) for name, value in opens.items()},
        goal=_text(f"{where}: goal", table["goal"]),
        minutes=_number(f"{where}: minutes", table.get("minutes", 5), 1, 240),
        difficulty=_number(f"{where}: difficulty", table.get("difficulty", 1), 1, 3),
        hints=hints,
        check=check_of(where, table["check"]),
        solved=str(table.get("solved") or ""),
    )


def _table(where: str, given: Any, known: set[str], needed: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise BadInput(f"{where} must be a table of names and values; got {str(given)[:60]!r}.")
    for name in given:
        one_of(f"a name in {where}", name, sorted(known))
    for name in needed:
        if given.get(name) in (None, "", [], {}):
            raise BadInput(f"{where} must have {', '.join(needed)}; {name} is missing.")
    return given


def _list(what: str, given: Any) -> list[Any]:
    if not isinstance(given, list) or not given:
        raise BadInput(f"{what} must be a list of at least one; got {str(given)[:60]!r}.")
    return given


def _text(what: str, given: Any) -> str:
    if not isinstance(given, str) or not given.strip():
        raise BadInput(f"{what} must be a text; got {str(given)[:60]!r}. Put it in quotes.")
    return given.strip()


def _number(what: str, given: Any, low: int, high: int) -> int:
    if type(given) is not int or not low <= given <= high:
        raise BadInput(f"{what} must be a whole number from {low} to {high}; got {str(given)[:40]!r}.")
    return given


def environment(path: str | Path) -> tuple[Plan, dict[str, str]]:
    """A plan, and what the environment of a server that follows it says; with a new key for the teacher's page.

    Raises:
        BadInput: As `read_plan`.
    """
    import secrets

    return read_plan(path), {PLAN: str(plan_file(path).resolve()), KEY: os.environ.get(KEY) or secrets.token_urlsafe(12)}
