"""All heads' attention on the page of heads in headless Chromium: made when asked for, tied to the table both ways."""

import numpy as np
import pytest

from tests import families
from tests.pages.conftest import EXPECT, open_dark, until
from tests.pages.test_attention_page import drawn, spot
from tests.pages.test_heads_page import COUNT, ROWS, SMALL, find, head
from workbench.plots.hues import hue
from workbench.store.as_json import from_json
from workbench.views.heads import Heads

pytestmark = pytest.mark.browser


@pytest.fixture
def url(serve, tiny):
    """The page, served; set to the tiny model and three pairs."""
    return serve("heads", Heads, model=tiny, task="custom", rows=ROWS, params=SMALL)


@pytest.fixture
def button():
    """The button that says the page has loaded."""
    return "Find heads"


def show(tab):
    find(tab)
    assert tab.locator("canvas.base").count() == 0, "the grid is made when it is asked for"
    tab.get_by_role("button", name="Show all attention").click()
    tab.locator("canvas.base").wait_for(timeout=2 * EXPECT)
    drawn(tab)


def below_table(tab):
    """Pixels from the top of the table to that of the grid, once nothing moves any more."""
    read = None
    for _ in range(20):
        before, edges = read, [tab.locator(name).first.bounding_box()["y"] for name in (".sheet:has(table)", "canvas.base")]
        read = edges[1] - edges[0]
        if read == before:
            break
        tab.wait_for_timeout(400)
    return read


def named(row):
    return f"{row // families.HEADS}.{row % families.HEADS}"


def test_of_many_numbers_the_locked_head_is_saved_from_a_menu_of_its_own(tab, views, monkeypatch):
    monkeypatch.setattr("workbench.views.looking.KEPT", 1)
    show(tab)
    view = views[-1]
    assert view.grid.grid.whole is None
    tab.locator("canvas.over").click(position=spot(tab, "1.2"))
    said = tab.get_by_text("as it is drawn large above")
    said.wait_for(timeout=EXPECT)
    until(tab, lambda: view.head.attention.scores is not None)
    # The menu on the same line.
    menus = tab.get_by_role("button", name="Menu of this panel")
    height = said.bounding_box()["y"]
    until(tab, lambda: any(abs(one.bounding_box()["y"] - height) < 20 for one in menus.all()))
    menu = next(one for one in menus.all() if abs(one.bounding_box()["y"] - height) < 20)
    menu.click()
    with tab.expect_download(timeout=2 * EXPECT) as info:
        tab.get_by_role("menuitem", name="Save JSON").click()
    with open(info.value.path(), encoding="utf-8") as file:
        saved = from_json(file.read())
    assert saved.origin == view.grid.exact.origin
    assert np.array_equal(saved.values, view.grid.exact.values)


@pytest.mark.slow
def test_a_row_locks_its_head_a_click_opens_it_and_the_table_orders_and_fades_them(tab, views):
    show(tab)
    view = views[-1]
    drawn(tab, first=named(view.order[0]), left="0")
    tab.locator("tbody tr").nth(1).click()
    drawn(tab, locked=named(view.order[1]), exact="true")
    other = view.order[5]
    # The table above keeps its height when a head is opened here: what is clicked stays under the pointer.
    before = below_table(tab)
    tab.locator("canvas.over").click(position=spot(tab, named(other)))
    drawn(tab, locked=named(other), exact="true")
    until(tab, lambda: view.head.head == divmod(other, families.HEADS))
    tab.locator("tr.chosen td.name").filter(has_text=named(other)).wait_for(timeout=EXPECT)
    assert below_table(tab) == pytest.approx(before, abs=2)
    head(tab, "entropy").click()
    drawn(tab, first=named(int(np.argmax(view.table.columns["entropy"].values))))
    field = tab.get_by_label("Filter:")
    field.fill("1.")
    field.press("Enter")
    drawn(tab, left=str(COUNT - families.HEADS), first=named(view.order[0]))
    tab.get_by_text(f"Faded: the {COUNT - families.HEADS} heads").wait_for(timeout=EXPECT)
    tab.locator("canvas.over").focus()
    tab.keyboard.press("Escape")
    until(tab, lambda: view.head.head is None)
    drawn(tab, locked="")
    tab.get_by_role("button", name="Hide all attention").click()
    tab.locator("canvas.base").wait_for(state="hidden", timeout=EXPECT)


@pytest.mark.slow
def test_the_address_brings_the_grid_back_in_the_dark_with_the_heads_own_colours(tab, views):
    tab.set_viewport_size({"width": 950, "height": 800})
    show(tab)
    tab.get_by_label("Weighted by values").click()
    until(tab, lambda: views[-1].grid.grid is not None and views[-1].grid.grid.unit == "norm")
    tab.locator("canvas.over").click(position=spot(tab, "2.1"))
    tab.wait_for_function("location.search.includes('head=2.1')", timeout=EXPECT)
    open_dark(tab)
    tab.locator("canvas.base").wait_for(timeout=2 * EXPECT)
    drawn(tab, locked="2.1", exact="true", dark="true")
    assert views[-1].grid.weighted
    tab.get_by_text("α‖vW_O‖").wait_for(timeout=EXPECT)
    assert tab.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    find(tab)
    swatch = tab.locator("tbody tr").filter(has_text="2.1").locator(".swatch").first
    wanted = f"hsl({hue(2 * families.HEADS + 1)} 75% 68%)"
    said = (
        "(swatch, colour) => { const one = document.createElement('i'); one.style.color = colour; document.body.append(one); \
        return [getComputedStyle(swatch).backgroundColor, getComputedStyle(one).color] }"
    )
    ground, colour = swatch.evaluate(said, wanted)
    assert ground == colour
