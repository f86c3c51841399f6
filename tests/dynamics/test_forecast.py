"""How long a study will take, against a clock that goes on by known times per step and evaluation."""

import pytest

from workbench.dynamics import STUDIES, forecast, language
from workbench.dynamics.forecast import TRIAL, foreseen
from workbench.dynamics.stack import Stack
from workbench.errors import BadInput
from workbench.home import home
from workbench.progress import Stopped, listening

SMALL = {"classes": 24, "labels": 6, "items": 4, "dim": 5, "longest": 4, "novel": 12, "batch": 16}
STEP, EVALUATION, POINT = 1.0, 10.0, 100.0


class Clock:
    """A clock that stands still but for what is told to it."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(forecast, "time", made)

    def taking(owner, name, seconds):
        true = getattr(owner, name)

        def slowed(self, *given):
            # Networks of other stacks are worked on at the same time.
            made.now += seconds if getattr(self, "first", 0) == 0 else 0
            return true(self, *given)

        monkeypatch.setattr(owner, name, slowed)

    taking(Stack, "advance", STEP)
    taking(Stack, "evaluate", EVALUATION)
    taking(language._Run, "advance", STEP)
    return made


@pytest.mark.parametrize(
    ("study", "params", "seconds"),
    [
        ("reddy", {"steps": 100, "every": 50, "seeds": 1}, 100 * STEP + 3 * EVALUATION),
        ("reddy", {"steps": 200, "every": 50, "seeds": 16}, 200 * STEP + 5 * EVALUATION),
        ("reddy", {"steps": 200, "every": 50, "seeds": 32}, 2 * (200 * STEP + 5 * EVALUATION)),
        ("reddy_events", {"steps": 110, "every": 25, "seeds": 4}, 110 * STEP + 6 * EVALUATION),
        ("reddy_phases", {"steps": 80, "values": "24,48", "rows": "1,2", "seeds": 8}, 2 * (80 * STEP + 2 * EVALUATION)),
        ("reddy_saddle", {"steps": 100, "every": 50, "seeds": 2, "factors": "1,2,3"}, 3 * (100 * STEP + 3 * EVALUATION)),
    ],
)
def test_the_time_of_all_steps_and_evaluations_of_all_networks(clock, study, params, seconds):
    given = SMALL | params
    assert foreseen(study, {name: value for name, value in given.items() if name in STUDIES[study].params}) == pytest.approx(
        seconds
    )
    assert clock.now < (TRIAL + 2) * (STEP + EVALUATION), "it ends after a few steps"


def test_evaluations_as_often_as_the_steps_that_are_timed_are_in_their_time(clock):
    found = foreseen("reddy", SMALL | {"steps": 100, "every": 1, "seeds": 1})
    assert found == pytest.approx(100 * (STEP + EVALUATION))


def test_a_language_model_and_its_checkpoints_and_nothing_is_kept(clock, monkeypatch, tmp_path):
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "home"))

    def measure(folder, steps, *given):
        assert list(steps) == [0]
        clock.now += POINT

    monkeypatch.setattr(forecast, "measured", measure)
    params = {"steps": 60, "every": 20, "seeds": 3, "batch": 2, "d_model": 16, "heads": 2}
    assert foreseen("language", params) == pytest.approx(3 * (60 * STEP + 4 * POINT))
    assert not (home() / "dynamics").exists()


def test_it_ends_when_it_must_and_bad_parameters_are_told(clock):
    def stop():
        raise Stopped

    with pytest.raises(Stopped):
        foreseen("reddy", SMALL | {"steps": 100, "seeds": 1}, stop)
    with pytest.raises(BadInput, match="multiple"):
        foreseen("reddy", SMALL | {"classes": 25})
    for study, params in (
        ("reddy", {"batch": 5000, "dim": 1000, "longest": 500}),
        ("language", {"batch": 5000, "length": 1000}),
    ):
        with pytest.raises(BadInput, match="to be timed beforehand"):
            foreseen(study, params)
    assert clock.now < TRIAL * (STEP + EVALUATION), "nothing was trained for these"
    heard = []
    with listening(heard.append):
        foreseen("reddy", SMALL | {"steps": 100, "seeds": 1})
    assert not heard, "the steps of a trial are none of the training"
