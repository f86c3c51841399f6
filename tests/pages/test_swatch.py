"""The swatch of a head in words: beside every head that is named, for eyes alone, and harmless in any text."""

from html import escape

import pytest

from workbench.pages.swatch import spots, swatch, swatched
from workbench.plots.hues import colour

HOSTILE = '<img src=x onerror="hacked()"> & L0H1'


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_swatch_has_the_colour_of_its_head_and_is_not_read_aloud(theme):
    made = swatch(7, theme)
    assert f"background:{colour(7, theme)}" in made
    assert 'aria-hidden="true"' in made
    assert made.endswith("></span>"), "it holds no text"
    assert swatch(None, theme) == ""


def test_every_head_that_is_named_has_its_swatch_and_the_text_is_the_same():
    text = "a5.h1 → a7.h2<q>"
    made = swatched(text, 8, "light")
    assert made == f"{swatch(41, 'light')}a5.h1 → {swatch(58, 'light')}a7.h2&lt;q&gt;"
    assert swatched(text, 0, "light") == escape(text)
    assert swatched("0.82 of 5.1", 8, "light") == "0.82 of 5.1", "numbers are no heads"
    assert swatched("5.1", 8, "light", plain=True) == f"{swatch(41, 'light')}5.1"


def test_what_is_not_safe_stays_text():
    made = swatched(HOSTILE, 4, "dark")
    assert made == escape(HOSTILE[:-4]) + swatch(1, "dark") + "L0H1"


def test_a_table_is_told_where_its_swatches_stand():
    assert spots(["7.9.3 → 9.1 q", "none"], 12, "light", plain=True) == [
        [(0, colour(93, "light")), (8, colour(109, "light"))],
        [],
    ]
    assert spots(["7.9"], 0, "light", plain=True) == [[]]
