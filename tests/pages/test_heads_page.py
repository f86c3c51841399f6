"""The page of heads in headless Chromium, on a tiny model, with no network."""

import csv
import json
import threading
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from tests import families
from tests.pages import conftest
from tests.pages.conftest import EXPECT, open_dark
from workbench.methods import METHODS
from workbench.pages import heads_words as words
from workbench.store.as_json import from_json
from workbench.views.code import code_of
from workbench.views.heads import Heads
from workbench.views.heads_table import HeadsTable

pytestmark = pytest.mark.browser

# What is drawn moves what stands below it.
until = partial(conftest.until, rest=300)
HOSTILE = "<img src=x onerror=window.hacked=1> <script>window.hacked=1</script>"
PROMPTS = ("d h b c f g a", "b h d e f g a", "e d c b h g a")
ROWS = "clean,corrupt,right,wrong\n" + "".join(f"{prompt},i{prompt[1:]},b,d\n" for prompt in PROMPTS)
SMALL = {"examples": 3, "length": 4, "copies": 3}
GROUND = "cell => getComputedStyle(cell).backgroundColor"
COUNT = families.LAYERS * families.HEADS


@pytest.fixture
def url(serve, tiny):
    """The page, served; set to the tiny model and three pairs."""
    return serve("heads", Heads, model=tiny, task="custom", rows=ROWS, params=SMALL)


@pytest.fixture
def button():
    """The button that says the page has loaded."""
    return "Find heads"


def find(tab):
    tab.get_by_role("button", name="Find heads").click()
    tab.get_by_text("Done.", exact=True).wait_for(timeout=2 * EXPECT)
    tab.locator("tbody tr").first.wait_for(timeout=EXPECT)


def names(tab):
    return tab.locator("tbody td.name").all_text_contents()


def head(tab, label):
    return tab.locator("th").filter(has_text=label).first


def named(view, rows):
    return [".".join(map(str, view.table.head(int(row)))) for row in rows]


def test_one_click_gives_the_table_and_columns_sort_it(tab, views):
    find(tab)
    view = views[-1]
    assert names(tab) == named(view, view.order)
    cells = tab.locator("tbody tr").first.locator("td").all_text_contents()
    of = [column.text(float(column.values[view.order[0]])) for column in view.table.columns.values()]
    assert cells[1:] == of
    head(tab, "entropy").click()
    until(tab, lambda: view.sort == "entropy")
    order = np.argsort(-view.table.columns["entropy"].values, kind="stable")
    assert names(tab) == named(view, order)
    assert head(tab, "entropy").get_attribute("aria-sort") == "descending"
    tab.get_by_text("Heads by entropy").wait_for(timeout=EXPECT)
    head(tab, "entropy").click()
    until(tab, lambda: not view.descending)
    assert names(tab)[0] == named(view, order)[-1]
    assert "nats" in head(tab, "entropy").get_attribute("title")
    shaded = tab.locator("tbody tr").last.locator("td").nth(11).evaluate("cell => cell.style.background")
    assert "color-mix" in shaded


@pytest.mark.slow
def test_a_row_opens_its_head_by_mouse_by_keyboard_and_by_the_map(tab, views):
    find(tab)
    view = views[-1]
    tab.locator("tbody tr").nth(2).click()
    first = view.table.head(view.order[2])
    until(tab, lambda: view.head.writes.readout is not None and view.head.attention.scores is not None)
    assert view.head.head == first
    tab.get_by_text(f"Head {first[0]}.{first[1]}", exact=True).wait_for(timeout=EXPECT)
    tab.get_by_text(view.table.said(first)).wait_for(timeout=EXPECT)
    tab.get_by_text(f"Attention in layer {first[0]}, head {first[1]}: clean prompt 1").wait_for(timeout=EXPECT)
    tab.get_by_text(f"What {first[0]}.{first[1]} writes at END: clean prompt 1").wait_for(timeout=EXPECT)
    assert tab.locator("tr.chosen td.name").inner_text() == f"{first[0]}.{first[1]}"
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("Enter")
    until(tab, lambda: view.head.head == view.table.head(view.order[3]))
    tab.keyboard.press("Home")
    tab.keyboard.press("Enter")
    until(tab, lambda: view.head.head == view.table.head(view.order[0]))
    tab.get_by_role("button", name="corrupt").click()
    tab.get_by_text("corrupt prompt 1").nth(1).wait_for(timeout=EXPECT)
    tab.keyboard.press("Escape")
    until(tab, lambda: view.head.head is None)
    tab.get_by_text("Click a row or a cell of the map").wait_for(timeout=EXPECT)
    plot = tab.locator(".js-plotly-plot").filter(has_text="Heads by induction").first
    plot.scroll_into_view_if_needed()
    tab.wait_for_timeout(600)
    box = plot.locator(".nsewdrag").first.bounding_box()
    across, up = 1.5 / families.HEADS, 1 - 2.5 / families.LAYERS
    tab.mouse.click(box["x"] + box["width"] * across, box["y"] + box["height"] * up)
    until(tab, lambda: view.head.head == (2, 1))
    tab.get_by_text("Head 2.1", exact=True).wait_for(timeout=EXPECT)


def test_filter_and_threshold_narrow_the_table_and_nonsense_is_told(tab, views):
    find(tab)
    view = views[-1]
    field = tab.get_by_label("Filter:")
    field.fill("1.")
    field.press("Enter")
    until(tab, lambda: len(view.order) == families.HEADS)
    assert all(name.startswith("1.") for name in names(tab))
    tab.get_by_text(f"{families.HEADS} of {COUNT} heads").wait_for(timeout=EXPECT)
    field.fill("<b>moon</b>")
    field.press("Enter")
    notice = tab.get_by_role("alert").filter(has_text="the filter must be heads or bounds")
    notice.wait_for(timeout=EXPECT)
    assert notice.locator("b").count() == 0
    field.fill("")
    field.press("Enter")
    until(tab, lambda: len(view.order) == COUNT)
    values = view.table.columns["induction"].values
    least = tab.get_by_label("At least", exact=True)
    least.fill(f"{np.sort(values)[-3]:.3f}")
    least.press("Enter")
    until(tab, lambda: len(view.order) < COUNT)
    assert names(tab) == named(view, [row for row in np.argsort(-values) if values[row] >= view.at_least])
    least.fill("much")
    least.press("Enter")
    tab.get_by_text("at least must be a number").wait_for(timeout=EXPECT)
    assert len(view.order) < COUNT


def test_the_table_has_a_menu_and_fills_the_window_when_maximised(tab, views):
    find(tab)
    view = views[-1]
    menu = tab.get_by_role("button", name="Menu of this panel").first
    menu.click()
    for name in ("Save PNG", "Save SVG"):
        picture = tab.get_by_role("menuitem", name=name)
        assert picture.is_disabled()
        assert picture.get_attribute("title") == "unavailable: no figure is drawn here"
    tab.get_by_role("menuitem", name="Show the code").click()
    code = tab.locator("dialog[open] pre").inner_text()
    assert code.strip() == code_of(view.results["heads"], ROWS).strip()
    tab.keyboard.press("Escape")
    menu.click()
    with tab.expect_download(timeout=2 * EXPECT) as info:
        tab.get_by_role("menuitem", name="Save JSON").click()
    with open(info.value.path(), encoding="utf-8") as file:
        assert from_json(file.read()).origin == view.results["heads"].origin
    sheet, download = tab.locator(".sheet.grows"), tab.get_by_role("button", name="Download CSV")
    over = [one.bounding_box() for one in (menu, download)]
    assert over[0]["y"] + over[0]["height"] <= over[1]["y"], "the menu covers no button"
    sheet.evaluate("box => box.querySelectorAll('td').forEach((cell) => { cell.style.height = '90px' })")
    small = sheet.bounding_box()
    tab.get_by_role("button", name="Maximise this panel").first.click()
    tab.wait_for_timeout(300)
    large = sheet.bounding_box()
    assert large["width"] > 1.2 * small["width"]
    assert large["height"] > 1.2 * small["height"]
    assert large["y"] + large["height"] <= 900
    tab.keyboard.press("Escape")
    tab.wait_for_timeout(300)
    assert sheet.bounding_box() == small


@pytest.mark.slow
def test_a_joined_column_comes_and_all_are_in_the_csv(tab, views, tmp_path):
    find(tab)
    tab.get_by_label("Direct logit attribution").click()
    head(tab, "direct logits").wait_for(timeout=EXPECT)
    table = views[-1].table
    with tab.expect_download(timeout=EXPECT) as info:
        tab.get_by_role("button", name="Download CSV").click()
    info.value.save_as(tmp_path / "heads.csv")
    assert info.value.suggested_filename.endswith("custom.csv")
    with open(tmp_path / "heads.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == COUNT
    for row, number in zip(rows, table.columns["dla"].values, strict=True):
        assert float(row["dla"]) == number
        assert row["name"] == f"{row['layer']}.{row['head']}"
    tab.get_by_label("Direct logit attribution").click()
    until(tab, lambda: "dla" not in views[-1].table.columns)
    assert head(tab, "direct logits").count() == 0


@pytest.mark.slow
def test_stop_ends_what_is_joined_and_the_table_stays(tab, views, monkeypatch):
    find(tab)
    let, true = threading.Event(), METHODS["patch"].run

    def slow(*args, **kwargs):
        let.wait(20)
        return true(*args, **kwargs)

    monkeypatch.setitem(METHODS, "patch", replace(METHODS["patch"], run=slow))
    tab.get_by_label("Activation patching").click()
    tab.get_by_text("Activation patching", exact=True).first.wait_for(timeout=EXPECT)
    tab.locator("tbody tr").first.click()
    tab.get_by_text("Waits until the work above has ended").wait_for(timeout=EXPECT)
    tab.get_by_role("button", name="Stop").click()
    let.set()
    tab.get_by_text("Stopped.", exact=True).wait_for(timeout=EXPECT)
    until(tab, lambda: views[-1].head.writes.readout is not None)
    assert tab.locator("tbody tr").count() == COUNT
    assert "patch" not in views[-1].table.columns


@pytest.mark.slow
def test_the_url_brings_the_state_back_and_nonsense_a_notice(tab, url, views):
    find(tab)
    tab.locator("tbody tr").nth(1).click()
    until(tab, lambda: views[-1].head.writes.readout is not None)
    head(tab, "distance").click()
    tab.wait_for_function("location.search.includes('detector=distance')", timeout=EXPECT)
    name = ".".join(map(str, views[-1].head.head))
    tab.goto(tab.url)
    tab.get_by_text(f"Head {name}", exact=True).wait_for(timeout=EXPECT)
    assert (views[-1].detector, views[-1].sort) == ("distance", "distance")
    tab.goto(f"{url}?head=<b>1</b>&detector=moon&least=x")
    tab.get_by_text("Part of the address could not be used").wait_for(timeout=EXPECT)
    assert tab.get_by_role("alert").locator("b").count() == 0
    find(tab)


@pytest.mark.slow
def test_prompts_without_names_say_so_and_a_hostile_prompt_is_text_everywhere(tab, views):
    row = {"clean": f"d {HOSTILE} c", "corrupt": f"e {HOSTILE} c", "right": "h", "wrong": "g", "note": HOSTILE}
    area = tab.get_by_label("Your pairs")
    area.fill(json.dumps(row))
    area.press("Tab")
    tab.wait_for_timeout(500)
    find(tab)
    view = views[-1]
    tab.get_by_text("name mover, S-inhibition:").wait_for(timeout=EXPECT)
    assert tab.locator("tbody tr").first.locator("td").nth(14).inner_text() == "–"
    tab.locator("tbody tr").first.click()
    until(tab, lambda: view.head.writes.readout is not None)
    view.head.attention.prompts = [f"1: {HOSTILE}"]
    view.head.attention.status = HOSTILE
    made = HeadsTable(view.results["heads"], {})
    # A label is broken at its blanks.
    hostile = {"label": HOSTILE.replace(" ", "/"), "unit": HOSTILE, "about": HOSTILE, "reason": HOSTILE}
    made.columns["name mover"] = replace(made.columns["name mover"], **hostile)
    view.table = made
    tab.get_by_text("onerror").first.wait_for(timeout=EXPECT)
    head(tab, "onerror").wait_for(timeout=EXPECT)
    tab.wait_for_timeout(800)
    assert tab.evaluate("window.hacked") is None
    assert tab.locator("img[src=x]").count() == 0
    for said in (words.counted(view), words.measures(view, "dark"), words.looks(view)):
        assert "<img" not in said
        assert "&lt;img" in said


@pytest.mark.slow
def test_in_a_narrow_window_in_the_dark_everything_is_drawn_and_nothing_sticks_out(tab, views):
    tab.set_viewport_size({"width": 900, "height": 800})
    open_dark(tab)
    tab.wait_for_timeout(500)
    find(tab)
    tab.locator("tbody tr").first.click()
    for title in ("Heads by induction", "Attention in layer", "writes at END"):
        tab.locator(".js-plotly-plot").filter(has_text=title).first.wait_for(timeout=EXPECT)
    assert tab.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    box = tab.locator(".sheet:has(table)").first.bounding_box()
    assert box["x"] + box["width"] <= 900
    until(tab, lambda: tab.locator("td.name").first.evaluate(GROUND) == "rgb(23, 25, 29)")
    assert not tab.get_by_text("Internal error").count()
