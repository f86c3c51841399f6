"""How long a study will take on this machine: its first steps are trained and timed, and nothing of them is kept."""

import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from workbench.dynamics.formation import measured
from workbench.dynamics.language import learn
from workbench.dynamics.studies import STUDIES
from workbench.dynamics.study import AT_ONCE, networks
from workbench.errors import BadInput
from workbench.progress import Step, Stopped, listening, viewing

# Steps that are timed, after the first, which pays for what is made once.
TRIAL = 5
# Numbers that one step may hold at once, roughly: nobody pressed Train, and no memory is to be filled for a forecast.
LARGEST = 200_000_000


def foreseen(study: str, params: Mapping[str, Any], check: Callable[[], None] = lambda: None) -> float:
    """Seconds that a study takes here, by its first steps; of a step that comes with an evaluation both are timed.

    Args:
        study: Id of the study.
        params: Its parameters that are not its defaults.
        check: Called at each step; what it raises ends the trial.
    Raises:
        BadInput: When a parameter is wrong.
        NotFinite: When a network diverges at once.
    """
    asked = STUDIES[study].bind(**params)
    trial = _Trial(check)
    _check_size(study, asked)
    if study == "language":
        return _language(params, asked, trial)
    # A saddle's factors are trained one after the other.
    together = min(AT_ONCE, asked["seeds"] if "factors" in asked else networks(asked))
    with listening(trial.hear), viewing(lambda make: None), suppress(_Enough):
        STUDIES[study](**params)
    # A diagram evaluates its networks at the end alone.
    return trial.seconds(asked["steps"], asked.get("every", asked["steps"])) * networks(asked) / together


def _check_size(study: str, asked: Mapping[str, Any]) -> None:
    """Raise BadInput where the first steps are too large to be trained for a forecast."""
    if study == "language":
        per_word = asked["words"] + asked["layers"] * (16 * asked["d_model"] + 2 * asked["d_mlp"])
        held = asked["batch"] * asked["length"] * (per_word + asked["layers"] * asked["heads"] * asked["length"])
    else:
        width = asked["dim"] + 2 * asked["longest"] + 2
        held = min(AT_ONCE, networks(asked)) * asked["batch"] * (2 * asked["items"] + 1) * width
    if held > LARGEST:
        raise BadInput(
            f"the numbers of a step must be at most {LARGEST:,} to be timed beforehand; got about {held:,}. Train all "
            "the same, or take fewer at once."
        )


def _language(params: Mapping[str, Any], asked: Mapping[str, Any], trial: "_Trial") -> float:
    """A language model is trained for some steps in a folder that goes, and one checkpoint of it is measured."""
    (text, shape, pace), _ = STUDIES["language"].asked(**params)
    with tempfile.TemporaryDirectory() as folder:
        with listening(trial.hear), suppress(_Enough):
            learn(text, shape, pace, steps=asked["steps"], keep=[0], folder=folder, device=asked["device"])
        start = time.perf_counter()
        measured(folder, [0], text, pace.seed, asked["device"])
        each = time.perf_counter() - start
    seconds = trial.seconds(asked["steps"], asked["steps"])
    return asked["seeds"] * (seconds + _points(asked["steps"], asked["every"]) * each)


def _points(steps: int, every: int) -> int:
    """Of so many steps one before the first, one at every so many, and one after the last."""
    return -(-steps // every) + 1


class _Enough(Stopped):
    """The trial has seen what it needs."""


class _Trial:
    """When each step of the first bar was done.

    Args:
        check: See `foreseen`.
    """

    def __init__(self, check: Callable[[], None]):
        self._check, self._at = check, []

    def hear(self, step: Step) -> None:
        """Take the time of a step; _Enough when there are enough."""
        self._check()
        if step.done == len(self._at):
            self._at.append(time.perf_counter())
        if step.done > TRIAL:
            raise _Enough

    def seconds(self, steps: int, every: int) -> float:
        """Of so many steps, with an evaluation before the first, after the last, and at every so many between."""
        taken = [after - before for before, after in zip(self._at, self._at[1:], strict=False)]
        first, later = taken[0], taken[1:] or taken
        step = sum(later) / len(later)
        # Where evaluations come as often as the steps that were timed, they are in their time.
        evaluation = max(0.0, first - step) if every > TRIAL else 0.0
        return steps * step + _points(steps, every) * evaluation
