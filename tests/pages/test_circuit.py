"""The card of a Circuit without a browser: what the slider does, what stays, what goes."""

import numpy as np
import pytest

from tests.views.test_circuit_size import SCORES, found, pruned, scored
from workbench.jobs import Jobs
from workbench.pages import words
from workbench.pages.circuits import CircuitsPage
from workbench.store import Store
from workbench.views.circuits import Circuits

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def view(tmp_path):
    """A view that shows a stored circuit."""
    made = Circuits(Jobs(), Store(tmp_path))
    made.open(made.store.put(found()))
    return made


def test_the_page_keeps_the_size_when_it_is_drawn_again_and_shows_no_network_without_edges(view):
    page = CircuitsPage(view)
    page.size.slider.value = 60
    assert view.size == 60
    page.ruler.pixels = 700
    page.page.dark_theme = True
    assert (view.size, page.size.slider.value) == (60, 60)
    assert "60 edges asked for" in page.map.chart.figure
    assert '"x0":60' in page.size.curve.chart.figure
    assert not pruned("top", 3, True).any()
    page.size.slider.value = 3
    assert not page.map.chart.visible
    assert "3 edges asked for, 0 kept after pruning: none lies on a path" in page.size.says.object


def test_an_unfinished_circuit_is_a_network_without_a_slider(view):
    page = CircuitsPage(view)
    assert page.size.chooser.visible
    scores = SCORES.copy()
    scores[5:] = np.nan
    view.param.update(result=scored(scores, nan="not yet"), whole=False)
    assert not page.size.chooser.visible
    assert not page.size.card.visible
    assert page.map.chart.visible


def test_scores_alone_have_a_slider_and_no_curve(view):
    page = CircuitsPage(view)
    view.result = scored()
    assert page.size.chooser.visible
    assert not page.size.card.visible
    assert "not measured" in page.size.says.object


def test_what_is_noted_of_a_circuit_is_text(view):
    view.result = found().replace(notes={"selection": HOSTILE, "hold-out": HOSTILE})
    said = words.summary(view.sizes)
    assert "<img" not in said
    assert said.count("&lt;img") == 2
