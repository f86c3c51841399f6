"""The menu of a panel in headless Chromium: code, numbers, files, maximise; by mouse and by keyboard, with no network."""

import numpy as np
import pandas as pd
import pytest

from tests.pages.conftest import EXPECT, served_panels
from tests.plots import samples
from workbench.store.as_json import from_json

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=window.hacked=1> <script>window.hacked=1</script>"


@pytest.fixture
def result():
    """Scores whose texts would like to be HTML."""
    made = samples.missing("layer", "pos", reason=HOSTILE)
    return made.replace(title=HOSTILE, notes={**made.notes, "sign": HOSTILE})


@pytest.fixture
def url(result):
    """A page of two panels: a figure, and a canvas with no code."""
    import panel as pn

    from workbench.pages.menu import Menu, Panel, menued
    from workbench.pages.shown import drawn, paper

    class Drawing(pn.custom.JSComponent):
        _esm = """
        export function render() {
          const one = document.createElement("canvas")
          one.width = 200
          one.height = 100
          one.getContext("2d").fillRect(0, 0, 200, 50)
          return one
        }
        """

    def panels():
        first, menu = Panel(), Menu()
        first.show(drawn(result, "light", 600), result)
        menu.show(result.replace(origin=None, title="Drawn"))
        return [paper(first.box), paper(menued(menu, Drawing(width=200, height=100)))]

    with served_panels(panels) as made:
        yield made


@pytest.fixture
def button():
    """The button that says the page has loaded."""
    return "Maximise this panel"


def choose(tab, item, which=0):
    tab.get_by_role("button", name="Menu of this panel").nth(which).click()
    tab.get_by_role("menuitem", name=item).click(timeout=EXPECT)


def saved(tab, item, path, which=0):
    with tab.expect_download(timeout=2 * EXPECT) as info:
        choose(tab, item, which)
    info.value.save_as(path)
    return info.value.suggested_filename


@pytest.fixture
def tab(chromium, url, button):
    """As in the other tests; two panels make two buttons."""
    made = chromium.new_page(viewport={"width": 1400, "height": 900})
    made.context.grant_permissions(["clipboard-read", "clipboard-write"])
    requests, errors = [], []
    made.on("request", lambda request: requests.append(request.url))
    made.on("pageerror", lambda problem: errors.append(str(problem)))
    made.goto(url)
    made.get_by_role("button", name=button).nth(1).wait_for(timeout=EXPECT)
    made.locator(".nsewdrag").first.wait_for(timeout=EXPECT)
    yield made
    made.close()
    assert not [each for each in requests if not each.startswith(("http://127.0.0.1", "data:", "blob:"))]
    assert not errors


def test_code_numbers_and_origin_are_shown_as_text(tab, result):
    choose(tab, "Copy as code")
    tab.get_by_text("Code copied").wait_for(timeout=EXPECT)
    assert tab.evaluate("navigator.clipboard.readText()") == result.origin.code()
    choose(tab, "Numbers as a table")
    rows = tab.locator("dialog[open] tbody tr")
    rows.first.wait_for(timeout=EXPECT)
    assert rows.count() == result.values.size
    assert rows.first.locator("td").last.inner_text() == f"{float(result.values[0, 0]):.6g}"
    tab.locator("dialog[open] th").last.click()
    largest = f"{float(result.values.max()):.6g}"
    assert rows.first.locator("td").last.inner_text() == largest
    tab.keyboard.press("Escape")
    choose(tab, "About")
    told = tab.locator("dialog[open]").inner_text()
    for word in (result.origin.key, "float32", HOSTILE.split()[0], "versions" if result.origin.versions else "device"):
        assert word in told
    tab.keyboard.press("Escape")
    assert tab.locator("dialog[open]").count() == 0
    assert tab.evaluate("window.hacked") is None
    assert tab.locator("img[src=x]").count() == 0
    # Away from localhost a page without https has no clipboard.
    tab.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')) }")
    choose(tab, "Copy as code")
    shown = tab.locator("dialog[open] pre")
    shown.wait_for(timeout=EXPECT)
    assert shown.inner_text().strip() == result.origin.code().strip()


def test_files_hold_what_is_shown(tab, result, chromium, tmp_path):
    name = saved(tab, "Save CSV", tmp_path / "a.csv")
    assert name == f"patch-tiny-ioi-{result.origin.key[:8]}.csv"
    values = pd.read_csv(tmp_path / "a.csv")["value"].to_numpy()
    assert np.array_equal(values, result.values.values.ravel(), equal_nan=True)
    saved(tab, "Save JSON", tmp_path / "a.json")
    assert from_json((tmp_path / "a.json").read_text()).origin == result.origin
    saved(tab, "Save PNG", tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    saved(tab, "Save SVG", tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_text().startswith("<svg")
    saved(tab, "Save PNG", tmp_path / "b.png", which=1)
    assert (tmp_path / "b.png").read_bytes().startswith(b"\x89PNG")
    saved(tab, "Save HTML", tmp_path / "a.html")
    page = chromium.new_page()
    page.context.set_offline(True)
    page.goto(f"file://{tmp_path / 'a.html'}")
    page.locator(".js-plotly-plot .nsewdrag").first.wait_for(timeout=EXPECT)
    assert page.evaluate("window.hacked") is None
    page.close()


def test_what_cannot_be_had_says_why(tab):
    tab.get_by_role("button", name="Menu of this panel").nth(1).click()
    code = tab.get_by_role("menuitem", name="Copy as code")
    assert code.is_disabled()
    assert code.get_attribute("title").startswith("unavailable")
    # This canvas has no script that draws it in vectors; the project's own have, see test_menu_canvas.py.
    svg = tab.get_by_role("menuitem", name="Save SVG")
    assert svg.is_disabled()
    assert "pixels alone" in svg.get_attribute("title")
    tab.mouse.click(5, 500)
    assert tab.get_by_role("menuitem").count() == 0


def test_the_keyboard_reaches_everything_and_escape_returns(tab):
    more = tab.get_by_role("button", name="Menu of this panel").first
    more.focus()
    tab.keyboard.press("Enter")
    tab.keyboard.press("ArrowUp")
    assert tab.get_by_role("menuitem", name="Maximise").evaluate("item => item.matches(':focus')")
    plot = tab.locator(".js-plotly-plot").first
    small = plot.bounding_box()
    tab.keyboard.press("Enter")
    tab.get_by_role("button", name="Make this panel small again").wait_for(timeout=EXPECT)
    tab.wait_for_timeout(200)
    large = plot.bounding_box()
    assert large["width"] > 1.3 * small["width"]
    assert large["width"] <= 1400
    assert large["height"] <= 900
    # Where it is drawn larger, a click still hits its cell.
    plot.evaluate("one => one.on('plotly_click', (event) => { window.hit = [event.points[0].x, event.points[0].y] })")
    box = plot.locator(".nsewdrag").first.bounding_box()
    tab.mouse.click(box["x"] + box["width"] * 5.5 / 7, box["y"] + box["height"] * 0.5 / 3)
    tab.wait_for_function("window.hit", timeout=EXPECT)
    assert tab.evaluate("window.hit") == [5, 2]
    tab.keyboard.press("Escape")
    tab.wait_for_timeout(200)
    again = plot.bounding_box()
    assert again == small
