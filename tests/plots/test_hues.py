"""Heads have one hue each, and it is the same in Python, in the components and on a page."""

import colorsys

import numpy as np
import pytest
import xarray as xr

from workbench.errors import BadInput
from workbench.plots import THEMES, figure
from workbench.plots.hues import TURN, colour, headed, heads_in, hue, square, squared
from workbench.result import Scores
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


def test_heads_are_found_by_their_names_in_sums_graphs_and_lists():
    assert heads_in("L5H1", 8) == [(0, 41)]
    assert heads_in("a5.h1 -> a7.h2<q>, m3.", 8) == [(0, 41), (9, 58)]
    assert heads_in("7.9.3 → 9.1 q", 12, plain=True) == [(0, 93), (8, 109)]
    assert heads_in("head 0.3 and head 1.2.", 4, plain=True) == [(5, 3), (18, 6)]


@pytest.mark.parametrize("text", ["L5 bias", "L5", "a5.kv1<k>", "m5", "XL5H1", "0.82", "5.1", "L0H12"])
def test_what_is_no_head_by_itself_is_not_taken_for_one(text):
    assert heads_in(text, 8) == []


def test_without_the_number_of_heads_no_head_has_a_colour():
    assert heads_in("L5H1", 0) == []
    assert heads_in("5.1", 0, plain=True) == []
    assert heads_in("12.34.56", 8, plain=True) == [], "no head of a layer has this number"


def bars(labels):
    values = xr.DataArray(np.arange(len(labels))[::-1] - 1.0, dims=("component",), coords={"component": labels})
    return figure(Scores("Shares", "logits", values))


@pytest.mark.parametrize("theme", THEMES)
def test_rows_that_are_heads_get_a_square_and_nothing_else_changes(theme):
    labels = ["L1H2", "embedding", "L0 MLP", "L0H0"]
    plain, made = bars(labels), squared(bars(labels), 3, theme)
    said = dict(zip(plain.layout.yaxis.ticktext, made.layout.yaxis.ticktext, strict=True))
    assert said["L1H2"] == f'<span style="color:{colour(5, theme)}">■</span> L1H2'
    assert said["L0H0"] == f'<span style="color:{colour(0, theme)}">■</span> L0H0'
    assert said["embedding"] == "embedding"
    assert said["L0 MLP"] == "L0 MLP"
    assert made.data == plain.data, "bars keep the colours of their signs, and hovers their text"
    made.layout.yaxis.ticktext = plain.layout.yaxis.ticktext
    assert made == plain


def test_a_figure_of_one_head_has_its_square_before_the_title():
    plain, made = bars(["a", "b"]), headed(bars(["a", "b"]), 7, "dark")
    assert made.layout.title.text == square(7, "dark") + plain.layout.title.text
    assert headed(bars(["a", "b"]), None, "dark") == plain
