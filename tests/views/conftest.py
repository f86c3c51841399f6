"""What the tests of views share: notices are kept, and jobs are waited for as a page does."""

import time

import pytest

from tests import families
from workbench.jobs import Models

# The user's own pairs, of the tests' 23 words: both prompts differ in the first one.
PROMPTS = ("d h b c f g a", "b h d e f g a", "e d c b h g a")
ROWS = "clean,corrupt,right,wrong\n" + "".join(f"{prompt},i{prompt[1:]},b,d\n" for prompt in PROMPTS)
HOSTILE = "<img src=x onerror=window.hacked=1>"


@pytest.fixture(scope="session")
def ref(tmp_path_factory):
    """A tiny model as a folder."""
    return str(families.save("llama", tmp_path_factory.mktemp("views")))


@pytest.fixture(scope="module")
def models():
    return Models()


@pytest.fixture
def tinted():
    """Turns a page light or dark; afterwards other pages are light again, for what one page is the next ones begin with."""
    import panel as pn

    def turn(page, theme):
        page.page.dark_theme = theme == "dark"

    yield turn
    pn.config.theme = "default"


def opened(view):
    """The view, its notices in `told`."""
    view.told = []
    view.param.watch(lambda event: view.told.append(event.new), "notice")
    return view


def settle(view, seconds=60):
    """Refresh until nothing is live, as the page does, and no forecast either: a test goes on with the same model."""
    end = time.monotonic() + seconds
    jobs = getattr(view, "jobs", None)

    def rests():
        return not view.live and (jobs is None or jobs.idle)

    while True:
        # What ended just now is taken over once more, and may ask for something new.
        rested = rests()
        view.refresh()
        if rested and rests():
            return
        assert time.monotonic() < end, f"still {view.status}: {view.label}"
        time.sleep(0.01)
