"""What an exercise may look for in a learner's own run: a closed set of checks, each answering in one computed sentence.

Nothing of a plan is ever executed: a check names what it looks for, and these files look: here at what was run and how the
page is set, in `workshop_heads` at its heads.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workbench.errors import one_of
from workbench.views.workshop_heads import Answer, HeadHas, HeadOpen, TopCell
from workbench.views.workshop_seen import Check, Seen, Verdict, enough, head_of, heads_table, results

__all__ = [
    "All", "Answer", "Baseline", "Check", "CircuitFound", "Formed", "HeadHas", "HeadOpen", "Page", "Pairs", "Ran", "Replaced",
    "Seen", "TopCell", "Verdict", "head_of", "heads_table", "results",
]  # fmt: skip


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
        return Verdict(share >= self.at_least, f"{said}: {enough(share >= self.at_least, f'{self.at_least:.0%}')}.")


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
        return Verdict(passed, f"{kept:,} edges give back {found.value:.2f} of the effect: {enough(passed, takes)}.")


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
        before, after = (float(each.mean()) for each in (live.answer.before, live.answer.after))
        lost = 1 - after / before if before else 0.0
        said = f"With {', '.join(places)} replaced the metric goes from {before:+.2f} to {after:+.2f}"
        return Verdict(lost >= self.drop, f"{said}: {enough(lost >= self.drop, f'a loss of {self.drop:.0%}')}.")


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
        return Verdict(passed, f"{said}: {enough(passed, f'{self.least}, and none that cannot be used')}.")


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
