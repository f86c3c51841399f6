"""Squares in the colours of heads, in headless Chromium: seen beside names; not in what is read aloud, saved or clicked."""

import numpy as np
import pytest
import xarray as xr

from tests.pages.conftest import EXPECT, served_panels, until
from tests.pages.test_menu import choose, saved
from workbench.plots.hues import colour, headed, squared
from workbench.result import Origin, Scores

pytestmark = pytest.mark.browser

NAMES = ["L1H2", "embedding", "L0H0"]
CELLS = ["0.1.2 → 1.2 q", "1.0"]


def rgb(index):
    """The colour of a head on a light page, as a browser says it."""
    shown = colour(index, "light")
    return f"rgb({', '.join(str(int(shown[at : at + 2], 16)) for at in (1, 3, 5))})"


@pytest.fixture
def clicked():
    return []


@pytest.fixture
def url(clicked):
    """A page of bars of a head, with squares before two of three names and before the title, and of a table."""
    from workbench.pages.menu import Panel
    from workbench.pages.shown import drawn, paper
    from workbench.pages.swatch import spots
    from workbench.pages.table import Table

    values = xr.DataArray(np.array([3.0, -2.0, 1.0]), dims=("component",), coords={"component": NAMES})
    result = Scores("Shares", "logits", values, origin=Origin("dla", "tiny", "", "ioi", ""))

    def panels():
        panel = Panel(lambda figure, point: clicked.append(point["y"]))
        panel.show(headed(squared(drawn(result, "light", 600), 3, "light"), 4, "light"), result)
        table = Table(clicked.append)
        table.show(["channel", "q"], [[cell, "1"] for cell in CELLS], spots=spots(CELLS, 3, "light", plain=True))
        return [paper(panel.box), paper(table)]

    with served_panels(panels) as made:
        yield made


@pytest.fixture
def button():
    """The button that says the page has loaded."""
    return "Maximise this panel"


def test_squares_are_coloured_beside_names_that_keep_the_colour_of_text(tab):
    ticks = tab.locator(".ytick text")
    ticks.first.wait_for(timeout=EXPECT)
    assert [tick.text_content() for tick in ticks.all()] == ["■ L1H2", "embedding", "■ L0H0"]
    squares = tab.locator(".ytick tspan")
    assert [square.evaluate("one => getComputedStyle(one).fill") for square in squares.all()] == [rgb(5), rgb(0)]
    assert {square.text_content() for square in squares.all()} == {"■"}
    inks = {tick.evaluate("one => getComputedStyle(one).fill") for tick in ticks.all()}
    assert len(inks) == 1
    assert not inks & {rgb(5), rgb(0)}


def test_what_is_read_aloud_or_clicked_has_no_squares(tab, clicked):
    plot = tab.locator(".js-plotly-plot")
    tab.locator(".ytick text").first.wait_for(timeout=EXPECT)
    assert plot.get_attribute("aria-label").startswith("Shares: arrows")
    plot.focus()
    tab.keyboard.press("ArrowRight")
    said = tab.locator(".said").first
    until(tab, lambda: "L1H2" in said.text_content())
    assert not set("■<") & set(said.text_content())
    tab.keyboard.press("Enter")
    until(tab, lambda: clicked == [0])
    cell = tab.locator("tbody td").first
    assert cell.text_content() == CELLS[0]
    swatches = cell.locator(".swatch")
    assert [one.evaluate("one => getComputedStyle(one).backgroundColor") for one in swatches.all()] == [rgb(1), rgb(5)]
    assert [one.get_attribute("aria-hidden") for one in swatches.all()] == ["true", "true"]
    # Each stands before the name of its own head.
    assert swatches.nth(1).evaluate("one => one.nextSibling.textContent") == "1.2 q"
    cell.click()
    until(tab, lambda: clicked == [0, 0])


def test_files_are_those_of_the_result_alone(tab, tmp_path):
    tab.locator(".ytick text").first.wait_for(timeout=EXPECT)
    for item, name in (("Save SVG", "a.svg"), ("Save CSV", "a.csv"), ("Save HTML", "a.html")):
        saved(tab, item, tmp_path / name)
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert "L1H2" in text
        assert "■ " not in text.replace("\u00a0", " "), name
        assert colour(5, "light") not in text
    choose(tab, "Numbers as a table")
    tab.locator("dialog[open] td").first.wait_for(timeout=EXPECT)
    assert "■" not in tab.locator("dialog[open]").inner_text()
    tab.keyboard.press("Escape")
    assert tab.locator(".ytick text").first.text_content() == "■ L1H2", "what is on the page stays as it is"
