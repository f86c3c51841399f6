"""A workshop in headless Chromium: the exercises beside a page, the check of one's own run, and the teacher's page."""

import csv

import pytest

from tests import families
from tests.pages.conftest import EXPECT, served
from tests.tasks.conftest import TWOS, word_level
from workbench.store import Store
from workbench.views.classroom import Classroom
from workbench.views.pairs import OwnPairs
from workbench.views.workshop_plan import plan_of

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=window.hacked=1>"
HINTS = ["a nudge", f"a step {HOSTILE}", "where to click"]


@pytest.fixture(scope="module")
def wordy(tmp_path_factory):
    return str(families.save("llama", tmp_path_factory.mktemp("workshop"), words=word_level(TWOS, digits=2)))


@pytest.fixture
def room(wordy):
    """A classroom of three exercises."""
    one = {"page": "pairs", "goal": f"Measure it. {HOSTILE}", "hints": HINTS, "minutes": 4}
    exercises = [
        {**one, "title": f"Baseline {HOSTILE}", "opens": {"model": wordy, "task": "ioi", "task.n": "3"},
         "check": {"kind": "baseline", "at_least": 0.0}, "solved": "So it is."},
        {**one, "title": "A word", "check": {"kind": "answer", "ask": "Which word", "any_of": ["Mary"]}},
        {**one, "title": "Elsewhere", "page": "heads", "check": {"kind": "head_open", "any_of": ["0.0"]}},
    ]  # fmt: skip
    return Classroom(plan_of({"title": "A class", "models": [wordy], "exercises": exercises}), "sesame")


@pytest.fixture
def url(jobs, views, tmp_path, room, monkeypatch):
    """The page of pairs with the exercises beside it; with a key in the address the teacher's page."""
    import panel as pn

    from workbench.pages import pairs, teacher

    monkeypatch.setattr("workbench.pages.workshop.classroom", lambda: room)

    def session():
        if "key" in pn.state.session_args:
            return teacher.page(room)
        views.append(OwnPairs(jobs, Store(tmp_path / "store")))
        return pairs.page(views[-1])

    with served(session) as made:
        yield made


@pytest.fixture
def button():
    """The button that says the page has loaded."""
    return "Check pairs"


@pytest.mark.slow
def test_an_exercise_is_opened_hinted_checked_and_seen_by_the_teacher(tab, url, views, room, wordy, tmp_path):
    tab.get_by_text("0 of 3 solved").wait_for(timeout=EXPECT)
    assert (views[-1].model, views[-1].options["n"]) == (wordy, 3), "the page begins as the exercise wants it"
    assert tab.get_by_text("about 4 min · easy").is_visible()
    assert tab.get_by_text(f"Measure it. {HOSTILE}").is_visible()
    for number, hint in enumerate(HINTS, start=1):
        assert not tab.get_by_text(f"{number}. {hint}").is_visible()
        tab.get_by_role("button", name=f"Hint {number} of 3").click()
        tab.get_by_text(f"{number}. {hint}").wait_for(timeout=EXPECT)
    tab.get_by_role("button", name="Check", exact=True).click()
    tab.get_by_role("status").filter(has_text="Not yet. The baseline has not been measured").wait_for(timeout=EXPECT)
    tab.get_by_role("button", name="Check pairs").click()
    tab.get_by_text("Done.", exact=True).wait_for(timeout=2 * EXPECT)
    tab.get_by_role("button", name="Check", exact=True).click()
    tab.get_by_role("status").filter(has_text="of 3 clean prompts: enough. So it is.").wait_for(timeout=EXPECT)
    tab.get_by_text("1 of 3 solved").wait_for(timeout=EXPECT)
    name = tab.get_by_label("Your name, if you like")
    name.fill("=Ada")
    name.press("Enter")
    tab.get_by_role("button", name="Next").click()
    answer = tab.get_by_label("Which word")
    answer.wait_for(timeout=EXPECT)
    answer.fill("mary")
    tab.get_by_role("button", name="Check", exact=True).click()
    tab.get_by_text("2 of 3 solved").wait_for(timeout=EXPECT)
    tab.get_by_role("button", name="Next").click()
    link = tab.get_by_role("link", name="Go to the page heads for this exercise")
    link.wait_for(timeout=EXPECT)
    assert link.get_attribute("href") == "heads?"
    tab.goto(url)
    tab.get_by_text("2 of 3 solved").wait_for(timeout=EXPECT)
    assert tab.get_by_label("Your name, if you like").input_value() == "=Ada", "the same browser is the same learner"
    assert len(room.learners) == 1
    tab.goto(f"{url}?key=sesame")
    tab.get_by_text("2 of 3", exact=True).wait_for(timeout=EXPECT)
    assert tab.get_by_text("=Ada").is_visible()
    with tab.expect_download(timeout=EXPECT) as waiting:
        tab.get_by_text("Download CSV").click()
    kept = tmp_path / "kept.csv"
    waiting.value.save_as(kept)
    with open(kept, newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["who"], row["hints"], row["which"]) == ("'=Ada", "3", "1 2"), "no formula for a spreadsheet"
    tab.goto(f"{url}?key=guessed")
    tab.get_by_text("Unavailable: this page opens with the key").wait_for(timeout=EXPECT)
    assert not tab.get_by_text("Ada").is_visible()
    assert tab.evaluate("window.hacked") is None
