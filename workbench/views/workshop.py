"""The exercises beside a page: which one is open, its hints, and what the check says of the learner's own run."""

import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import param

from workbench.errors import BadInput
from workbench.views.classroom import LONGEST_NAME, Classroom, Learner
from workbench.views.workshop_kinds import All, Answer, Seen
from workbench.views.workshop_plan import HINTS, Exercise


class Workshop(param.Parameterized):
    """State of the exercises of one session."""

    at = param.Integer(default=0, bounds=(0, None), doc="Index of the exercise.")
    name_typed = param.String(default="", doc="What the learner is called.")
    hints = param.Integer(default=0, bounds=(0, HINTS), doc="Hints that are open.")
    solved = param.List(default=[], doc="Indices of the exercises that are solved.")
    passed = param.Boolean(default=None, allow_None=True, doc="What the last check came to; None before one.")
    says = param.String(default="", doc="What the last check found; not safe as HTML.")
    known = param.Boolean(default=False, doc="Whether the browser has said whose it is.")

    def __init__(self, classroom: Classroom, page: str, view: Any, said: Callable[[], Mapping[str, str]]):
        """The exercises beside a page.

        Args:
            classroom: Of this server.
            page: Name of the page.
            view: Its state.
            said: Gives what its URL says.
        """
        super().__init__()
        self.classroom, self.page, self.view, self._said = classroom, page, view, said
        self.learner: Learner | None = None
        here = [index for index, one in enumerate(classroom.plan.exercises) if one.page == page]
        self.at = here[0] if here else 0

    @property
    def exercise(self) -> Exercise:
        """The one that is open."""
        return self.classroom.plan.exercises[self.at]

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.classroom.plan.exercises)

    @property
    def here(self) -> bool:
        """Whether the exercise is done on this page."""
        return self.exercise.page == self.page

    @property
    def address(self) -> str:
        """Where the exercise is done, set to what it begins with."""
        return f"{self.exercise.page}?{urlencode(self.exercise.opens)}"

    @property
    def question(self) -> str:
        """What is to be typed, '' where nothing is."""
        check = self.exercise.check
        parts = check.of if isinstance(check, All) else (check,)
        return next((one.ask for one in parts if isinstance(one, Answer)), "")

    def meet(self, id: str) -> None:
        """The browser says whose it is: go on where this learner was, unless that is on another page than the one opened."""
        try:
            learner = self.classroom.learner(id)
        except BadInput:
            return
        self.learner = learner
        learner.page = self.page
        learner.does(f"opened {self.page}")
        exercises = self.classroom.plan.exercises
        if exercises[learner.at].page != self.page:
            left = [at for at, one in enumerate(exercises) if one.page == self.page and at not in learner.solved]
            learner.at = left[0] if left else self.at
        self.param.update(known=True, name_typed=learner.name, solved=sorted(learner.solved))
        self._open(learner.at)

    def call(self, name: str) -> None:
        """What the learner wants to be called."""
        self.name_typed = " ".join(name.split())[:LONGEST_NAME]
        if self.learner is not None:
            self.learner.name = self.name_typed
            self.learner.does("gave a name")

    def go(self, at: int) -> None:
        """Open another exercise."""
        if 0 <= at < self.count:
            self._open(at)
            self._note(f"looks at exercise {at + 1}")

    def _open(self, at: int) -> None:
        hints = 0
        if self.learner is not None:
            self.learner.at, hints = at, self.learner.hints.get(at, 0)
        done = at in self.solved
        says = self.classroom.plan.exercises[at].solved if done else ""
        self.param.update(at=at, hints=hints, passed=True if done else None, says=says)

    def hint(self) -> None:
        """Open one more hint."""
        if self.hints < HINTS:
            self.hints += 1
            if self.learner is not None:
                self.learner.hints[self.at] = max(self.hints, self.learner.hints.get(self.at, 0))
            self._note(f"opened hint {self.hints} of exercise {self.at + 1}")

    def check(self, typed: str = "") -> None:
        """Look at the learner's own run, and say what was found."""
        if not self.here:
            self.param.update(passed=False, says=f"This exercise is done on the page {self.exercise.page}: open it there.")
            return
        try:
            passed, says = self.exercise.check.judge(Seen(self.view, self._said(), typed[:200]))
        except BadInput as problem:
            passed, says = False, str(problem)
        if self.learner is not None:
            self.learner.tries[self.at] = self.learner.tries.get(self.at, 0) + 1
        if passed:
            self._solve()
        after = f" {self.exercise.solved}" if passed and self.exercise.solved else ""
        self.param.update(passed=passed, says=f"{says}{after}")
        self._note(f"{'solved' if passed else 'tried'} exercise {self.at + 1}")

    def _solve(self) -> None:
        if self.at not in self.solved:
            self.solved = sorted([*self.solved, self.at])
        if self.learner is not None:
            self.learner.solved.setdefault(self.at, time.time() - self.learner.came)

    def _note(self, what: str) -> None:
        if self.learner is not None:
            self.learner.does(what)

    def look(self) -> None:
        """Note what runs for the learner now, for the teacher."""
        if self.learner is not None and self.learner.page == self.page:
            busy = getattr(self.view, "status", "") in ("queued", "running")
            running = str(getattr(self.view, "label", "")) if busy else ""
            if running != self.learner.running:
                self.learner.running = running
                self.learner.does(f"ran {running}" if running else "a run ended")
