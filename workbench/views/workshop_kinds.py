"""What an exercise may look for in a learner's own run: a closed set of checks, each answering in one computed sentence.

Nothing of a plan is ever executed: a check names what it looks for, and this file looks.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

from workbench.errors import one_of


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


def _named(head: tuple[int, int]) -> str:
    return f"{head[0]}.{head[1]}"


@dataclass(frozen=True)
class Ran:
    """A method was run to its end, and its result is on the page.

    Attributes:
        method: Its id.
        model: On which model; any where None.
        task: On which task; any where None.
        params: Settings that it must have had, by name.
    """

    method: str
    model: str | None = None
    task: str | None = None
    params: Mapping[str, Any] | None = None

    def judge(self, seen: Seen) -> Verdict:
        """Whether such a result is shown."""
        found = results(seen.view).get(self.method)
        if found is None:
            there = ", ".join(results(seen.view)) or "none"
            return Verdict(False, f"No finished result of {self.method} is on this page (there: {there}).")
        wanted = {"model": self.model, "task": self.task}
        has = {"model": found.origin.model, "task": found.origin.task}
        settings = {**found.origin.params, **found.origin.task_params}
        for name, value in (self.params or {}).items():
            wanted[name], has[name] = _plain(value), _plain(settings.get(name))
        for name, value in wanted.items():
            if value is not None and has[name] != value:
                return Verdict(False, f"The result of {self.method} has {name} {_said(has[name])}; it takes {_said(value)}.")
        return Verdict(True, f"{self.method} ran on {has['task'] or 'the weights'} with {has['model']}.")


@dataclass(frozen=True)
class Baseline:
    """The baseline was measured, and the model can do the task.

    Attributes:
        at_least: Least share of clean prompts that are right.
        model: On which model; any where None.
    """

    at_least: float = 0.75
    model: str | None = None

    def judge(self, seen: Seen) -> Verdict:
        """Whether it is right on so many of the clean prompts."""
        found = getattr(seen.view, "baseline", None)
        if found is None:
            return Verdict(False, "The baseline has not been measured on this page yet.")
        if self.model is not None and found.origin is not None and found.origin.model != self.model:
            return Verdict(False, f"The baseline is that of {found.origin.model}; it takes {self.model}.")
        share = float(found.parts["right"].sel(run="clean").mean())
        said = f"It is right on {share:.0%} of {found.values.sizes['prompt']} clean prompts"
        return Verdict(share >= self.at_least, f"{said}: {_enough(share >= self.at_least, f'{self.at_least:.0%}')}.")


@dataclass(frozen=True)
class HeadOpen:
    """One of some heads is open.

    Attributes:
        any_of: Their names, LAYER.HEAD.
    """

    any_of: tuple[str, ...]

    def judge(self, seen: Seen) -> Verdict:
        """Whether the open head is one of them."""
        head = head_of(seen.view)
        if head is None:
            return Verdict(False, "No head is open.")
        return Verdict(_named(head) in self.any_of, f"Head {_named(head)} is open: {_it(_named(head) in self.any_of)}.")


@dataclass(frozen=True)
class HeadHas:
    """The open head stands out in a column of the table of heads.

    Attributes:
        column: A detector, or a method whose scores are joined.
        at_least: Least number it must have.
        within: It must be among so many with the most; with the least where `lowest`.
        lowest: Count from the other end.
    """

    column: str
    at_least: float | None = None
    within: int | None = None
    lowest: bool = False

    def judge(self, seen: Seen) -> Verdict:
        """Whether the number of the open head is such."""
        table, head = heads_table(seen.view), head_of(seen.view)
        if table is None:
            return Verdict(False, "The table of heads is not there yet: press Find heads.")
        if self.column not in table.columns:
            return Verdict(False, f"The table has no column {self.column}: join it first.")
        if head is None:
            return Verdict(False, "No head is open: click a row of the table, or a cell of the map.")
        values = table.columns[self.column].values
        value = float(values[table.row(head)])
        if value != value:
            return Verdict(False, f"Head {_named(head)} has no number in {self.column}.")
        above = int((values < value).sum() if self.lowest else (values > value).sum())
        enough = self.at_least is None or value >= self.at_least
        near = self.within is None or above < self.within
        place = f"place {above + 1} of {len(values)}, from the {'lowest' if self.lowest else 'highest'}"
        takes = [] if self.at_least is None else [f"{self.at_least:g} or more"]
        takes += [] if self.within is None else [f"one of the first {self.within}"]
        said = f"Head {_named(head)} has {value:+.3g} in {self.column}, {place}"
        return Verdict(enough and near, f"{said}: {_enough(enough and near, ' and '.join(takes))}.")


@dataclass(frozen=True)
class TopCell:
    """The cell that was chosen is one of the largest of the map.

    Attributes:
        within: It must be among so many, by size.
        method: The method that the map is of; any where None.
        positive: Count positive cells alone.
    """

    within: int = 3
    method: str | None = None
    positive: bool = False

    def judge(self, seen: Seen) -> Verdict:
        """Whether the chosen cell is among them."""
        from workbench.views.cells import top_cells

        shown = results(seen.view)
        if not shown or (self.method is not None and self.method not in shown):
            return Verdict(False, f"No finished map{f' of {self.method}' if self.method else ''} is on this page yet.")
        result = shown[self.method] if self.method else next(iter(shown.values()))
        head = head_of(seen.view)
        if head is None:
            return Verdict(False, "No cell is chosen: click one.")
        at = {"layer": head[0], "head": head[1], "pos": getattr(seen.view, "pos", None)}
        cells = [row for row in top_cells(result, 10**6) if not self.positive or row["value"] > 0]
        for place, row in enumerate(cells, start=1):
            if all(row[name] == value for name, value in at.items() if name in row):
                said = f"The chosen cell has {row['value']:+.3g}, place {place} of {len(cells)} by size"
                near = place <= self.within
                return Verdict(near, f"{said}: {_enough(near, f'one of the first {self.within}')}.")
        return Verdict(False, "The chosen cell is none of those that count here.")


@dataclass(frozen=True)
class CircuitFound:
    """A circuit is shown that is small and faithful.

    Attributes:
        faithful: Least faithfulness at the size shown.
        edges: Most edges that are kept at that size.
    """

    faithful: float = 0.8
    edges: int = 10**9

    def judge(self, seen: Seen) -> Verdict:
        """Whether the size that is shown is such."""
        sizes = getattr(seen.view, "sizes", None)
        if sizes is None:
            return Verdict(False, "No finished circuit is on this page yet.")
        size = sizes.chosen if seen.view.size is None else seen.view.size
        found, kept = sizes.measured(size), int(sizes.kept(size).sum())
        if found is None:
            return Verdict(False, "The faithfulness of this size was not measured.")
        passed = found.value >= self.faithful and kept <= self.edges
        takes = f"{self.faithful:g} or more" + (f", with at most {self.edges:,} edges" if self.edges < 10**9 else "")
        return Verdict(passed, f"{kept:,} edges give back {found.value:.2f} of the effect: {_enough(passed, takes)}.")


@dataclass(frozen=True)
class Replaced:
    """A node or edge of the circuit was replaced by hand, and the answer measured.

    Attributes:
        any_of: What must be replaced, one of these ('a1.h0', 'm3', …); anything where empty.
        drop: Least share of the metric that must be lost.
    """

    any_of: tuple[str, ...] = ()
    drop: float = 0.0

    def judge(self, seen: Seen) -> Verdict:
        """Whether it was, and how far the metric fell."""
        live = getattr(seen.view, "ablation", None)
        if live is None or not live.replaced:
            return Verdict(False, "Nothing is replaced in the circuit yet: click a node, then choose what replaces it.")
        places = [one.place for one in live.replaced]
        if self.any_of and not set(places) & set(self.any_of):
            return Verdict(False, f"Replaced: {', '.join(places)}; another node is meant.")
        if live.answer is None:
            return Verdict(False, "What is replaced has not been measured yet.")
        before, after = (float(each.mean()) for each in (live.answer.changed.before, live.answer.changed.after))
        lost = 1 - after / before if before else 0.0
        said = f"With {', '.join(places)} replaced the metric goes from {before:+.2f} to {after:+.2f}"
        return Verdict(lost >= self.drop, f"{said}: {_enough(lost >= self.drop, f'a loss of {self.drop:.0%}')}.")


@dataclass(frozen=True)
class Pairs:
    """The table of pairs holds so many that can be used.

    Attributes:
        least: How many.
        own: Whether they must be the user's own.
        checked: Whether each must have its baseline.
    """

    least: int = 1
    own: bool = True
    checked: bool = True

    def judge(self, seen: Seen) -> Verdict:
        """Whether they are there."""
        counts = getattr(seen.view, "counts", None)
        if counts is None:
            return Verdict(False, "There is no table of pairs on this page.")
        usable = counts["read"] - counts["unusable"]
        said = f"{usable} of {counts['lines']} pairs can be used, {len(seen.view.answers)} have their baseline"
        if self.own and not seen.view.own:
            return Verdict(False, f"{said}; they are the task's: change one, or write your own.")
        if self.checked and len(seen.view.answers) < self.least:
            return Verdict(False, f"{said}: press Check pairs.")
        passed = usable >= self.least and not counts["unusable"]
        return Verdict(passed, f"{said}: {_enough(passed, f'{self.least}, and none that cannot be used')}.")


@dataclass(frozen=True)
class Page:
    """The page is set as wanted, as its URL says.

    Attributes:
        says: Names and values of its URL; '*' is any value.
    """

    says: Mapping[str, str]

    def judge(self, seen: Seen) -> Verdict:
        """Whether it is."""
        for name, value in self.says.items():
            has = seen.said.get(name)
            if has is None or (value != "*" and value != has and value not in has.split()):
                return Verdict(False, f"The page has {_about(name)} {_said(has)}; something else is wanted.")
        return Verdict(True, f"The page is set to {', '.join(f'{_about(name)} {seen.said[name]}' for name in self.says)}.")


@dataclass(frozen=True)
class Formed:
    """On the page of dynamics the first checkpoint is shown at which a measure is so large.

    Attributes:
        measure: Its name, as 'prefix matching'.
        at_least: How large.
    """

    measure: str
    at_least: float

    def judge(self, seen: Seen) -> Verdict:
        """Whether the step shown is that one."""
        forming = getattr(seen.view, "forming", None)
        if forming is None:
            return Verdict(False, "There are no checkpoints on this page.")
        one_of("the measure", self.measure, forming.told(forming.step))
        now = forming.told(forming.step)[self.measure]
        first = next((step for step in forming.steps if forming.told(step)[self.measure] >= self.at_least), None)
        said = f"At step {forming.step} {self.measure} is {now:.2f}"
        if now < self.at_least:
            return Verdict(False, f"{said}: less than {self.at_least:g}.")
        passed = forming.step == first
        return Verdict(passed, f"{said}: {'the first' if passed else 'not the first'} step with so much.")


@dataclass(frozen=True)
class Answer:
    """What the learner typed is what their own run says.

    Attributes:
        ask: The question beside the field.
        best: The answer is the head with the most in this column of the table, as LAYER.HEAD.
        count: The answer is how many heads have at least `at_least` in this column.
        at_least: See `count`.
        looks_at: The answer is the token that the open head looks at most, from this position: 'END', or an index.
        any_of: The answer is one of these words.
    """

    ask: str
    best: str | None = None
    count: str | None = None
    at_least: float = 0.5
    looks_at: str | None = None
    any_of: tuple[str, ...] = ()

    def judge(self, seen: Seen) -> Verdict:
        """Whether it is."""
        typed = " ".join(seen.typed.split()).casefold()
        if not typed:
            return Verdict(False, "Type an answer first.")
        right = list(self.any_of)
        column = self.best or self.count
        if column is not None:
            table = heads_table(seen.view)
            if table is None or column not in table.columns:
                return Verdict(False, f"Your own table with {column} is not there yet: press Find heads.")
            values = table.columns[column].values
            finite = [float("-inf") if value != value else float(value) for value in values]
            most = _named(table.head(finite.index(max(finite))))
            right = [most] if self.best else [str(int((values >= self.at_least).sum()))]
        elif self.looks_at is not None:
            scores = getattr(getattr(getattr(seen.view, "head", None), "attention", None), "scores", None)
            if scores is None:
                return Verdict(False, "Open a head first, so that its attention is read.")
            row = scores.values.isel(query=-1 if self.looks_at == "END" else int(self.looks_at))
            right = [str(row["key"].values[int(row.values.argmax())]).strip()]
        passed = typed in [word.casefold() for word in right]
        return Verdict(passed, f"'{seen.typed.strip()[:40]}' {'is' if passed else 'is not'} what your own run says.")


@dataclass(frozen=True)
class All:
    """Several checks hold at once.

    Attributes:
        of: The checks.
    """

    of: tuple[Any, ...]

    def judge(self, seen: Seen) -> Verdict:
        """Whether they do; the first that does not is told."""
        verdicts = [check.judge(seen) for check in self.of]
        failed = next((one for one in verdicts if not one.passed), None)
        return failed or Verdict(True, " ".join(one.says for one in verdicts))


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, (list, tuple)) else value


def _said(value: Any) -> str:
    return "none" if value is None else " and ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _about(name: str) -> str:
    return re.sub(r"^\w+\.", "", name)


def _enough(passed: bool, takes: str) -> str:
    return "enough" if passed else f"it takes {takes}"


def _it(passed: bool) -> str:
    return "that is it" if passed else "another is meant"
