"""Heads have one hue each, and it is the same in Python, in the components and on a page."""

import colorsys

import numpy as np
import pytest

from workbench.errors import BadInput
from workbench.plots.hues import TURN, colour, hue
from workbench.widgets.attention_grid import ATTENTION_GRID


def test_neighbours_differ_most_and_each_head_has_its_own():
    found = np.array([hue(index) for index in range(270)])
    assert found.min() >= 0
    assert found.max() < 360
    assert len(set(found)) == 270
    gaps = np.abs(np.diff(found))
    assert np.minimum(gaps, 360 - gaps).min() > 130
    assert found[7] == pytest.approx(7 * TURN - 720, abs=0.05)


@pytest.mark.parametrize(("theme", "lightness"), [("light", 0.40), ("dark", 0.68)])
def test_a_colour_has_the_hue_and_the_lightness_of_its_page(theme, lightness):
    said = colour(11, theme)
    turn, light, _ = colorsys.rgb_to_hls(*(int(said[at : at + 2], 16) / 255 for at in (1, 3, 5)))
    assert 360 * turn == pytest.approx(hue(11), abs=1)
    assert light == pytest.approx(lightness, abs=0.01)


def test_the_grid_takes_its_hues_from_here():
    (trait,) = [trait for trait in ATTENTION_GRID.traits if trait.name == "hues"]
    assert trait.default["turn"] == TURN
    assert "137" not in ATTENTION_GRID.source


def test_what_is_no_head_or_no_page_has_no_colour():
    with pytest.raises(BadInput, match="index must be at least 0"):
        hue(-1)
    with pytest.raises(BadInput, match="theme must be one of"):
        colour(0, "grey")
