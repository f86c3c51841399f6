"""The page of models in headless Chromium: choose, load, let go, and open the model on another page; no network."""

import re

import pytest

from tests.pages.conftest import EXPECT, served
from workbench.views.links import PAGES
from workbench.views.onward import ASKED_OF_MODEL
from workbench.views.shelf import Shelf

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=window.hacked=1>"


@pytest.fixture
def url(jobs, views):
    from workbench.pages.models import page

    def session():
        views.append(Shelf(jobs, ref="tiny:repeat"))
        return page(views[-1])

    with served(session) as made:
        yield made


@pytest.fixture
def button():
    return re.compile("^Load$")


@pytest.mark.slow
def test_a_model_is_loaded_let_go_and_used_on_another_page(tab, views):
    tab.get_by_text("Not in memory.", exact=True).wait_for(timeout=EXPECT)
    tab.get_by_role("button", name="Load", exact=True).click()
    tab.get_by_text("In memory.", exact=True).wait_for(timeout=5 * EXPECT)
    tab.get_by_text("In memory: tiny:repeat", exact=False).wait_for(timeout=EXPECT)
    for name in ASKED_OF_MODEL:
        assert tab.get_by_role("link", name=PAGES[name][0]).get_attribute("href") == f"{name}?model=tiny%3Arepeat"
    tab.get_by_role("button", name="Unload").click()
    tab.get_by_text("Not in memory.", exact=True).wait_for(timeout=EXPECT)
    assert not views[-1].loaded


def test_a_row_is_chosen_and_its_checkpoints_offered_and_hostile_names_are_shown_as_text(tab, views):
    tab.get_by_role("cell", name="trained:attention", exact=True).click()
    tab.wait_for_function("location.search.includes('trained%3Aattention')", timeout=EXPECT)
    tab.get_by_text("Checkpoint", exact=True).first.wait_for(timeout=EXPECT)
    box = tab.get_by_label("Catalogue name, folder, .gguf file or hub name")
    box.fill(HOSTILE)
    box.press("Enter")
    tab.get_by_text("the model must be a name", exact=False).first.wait_for(timeout=EXPECT)
    assert views[-1].ref == "trained:attention"
    assert tab.evaluate("window.hacked") is None
