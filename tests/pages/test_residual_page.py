"""The page of the residual stream in headless Chromium, on a tiny model, with no network."""

import json

import pytest

from tests import families
from tests.pages.conftest import EXPECT, darken
from tests.pages.test_heads_page import until
from workbench.views.residual import PANELS, Residual

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=window.hacked=1> <script>window.hacked=1</script>"
PROMPTS = ("d h b c f g a", "b h d e f g a", "e d c b h g a")
ROWS = "clean,corrupt,right,wrong\n" + "".join(f"{prompt},i{prompt[1:]},b,d\n" for prompt in PROMPTS)
LENGTH = 7
TITLES = ("Residual stream: norms", "Residual stream: cosines", "Logit lens")
PATHS = "Paths of the residual stream"


@pytest.fixture
def url(serve, tiny):
    """The page, served; set to the tiny model and three pairs."""
    return serve("residual", Residual, model=tiny, task="custom", rows=ROWS)


@pytest.fixture
def button():
    """The button that says the page has loaded."""
    return "Show"


def show(tab, views):
    tab.get_by_role("button", name="Show", exact=True).click()
    tab.get_by_text("Done.", exact=True).wait_for(timeout=2 * EXPECT)
    for title in TITLES:
        plot(tab, title).wait_for(timeout=EXPECT)
    assert set(views[-1].results) == set(PANELS)


def under(tab, name):
    """Look at what stands under a name."""
    tab.get_by_role("button", name=name, exact=True).click()


def plot(tab, title):
    return tab.locator(".js-plotly-plot").filter(has_text=title).first


def at(tab, title, layer, pos):
    """Where a cell of a map is in the window, scrolled into sight."""
    plot(tab, title).scroll_into_view_if_needed()
    tab.wait_for_timeout(400)
    box = plot(tab, title).locator(".nsewdrag").first.bounding_box()
    rows = families.LAYERS + 1
    return box["x"] + box["width"] * (pos + 0.5) / LENGTH, box["y"] + box["height"] * (1 - (layer + 0.5) / rows)


def framed(tab, title):
    """Whether the cell chosen is framed in a figure."""
    return plot(tab, title).count() and plot(tab, title).evaluate("plot => (plot.layout?.shapes ?? []).length")


FRAMES = "plots => plots.filter(plot => (plot.layout?.shapes ?? []).length).length"
HOVERS = "plots => plots.map(plot => plot.querySelector('.hoverlayer')?.textContent ?? '')"


def test_one_click_fills_every_panel_and_pointing_at_a_cell_previews_it_in_all(tab, views):
    show(tab, views)
    tab.mouse.move(*at(tab, "Residual stream: norms", 2, 4))
    said = []

    def previewed():
        said[:] = tab.locator(".js-plotly-plot").evaluate_all(HOVERS)
        return sum("layer 2" in one and "pos 4" in one for one in said) == 3

    until(tab, previewed)
    view = views[-1]
    assert view.layer is None, "pointing stays in the browser"


@pytest.mark.slow
def test_a_click_frames_the_cell_in_every_panel_arrow_keys_move_it_and_esc_lets_it_go(tab, views):
    show(tab, views)
    view = views[-1]
    tab.mouse.click(*at(tab, "Residual stream: norms", 2, 4))
    until(tab, lambda: (view.layer, view.pos) == (2, 4))
    tab.get_by_text("Layer 2, position 4").wait_for(timeout=EXPECT)
    until(tab, lambda: tab.locator(".js-plotly-plot").evaluate_all(FRAMES) == 3)
    for name, title in (("Paths", PATHS), ("What writes the answer", "by=layer")):
        under(tab, name)
        until(tab, lambda title=title: framed(tab, title))
    # In a row of buttons the arrows go from button to button.
    tab.get_by_text("Layer 2, position 4").click()
    tab.keyboard.press("ArrowUp")
    until(tab, lambda: view.layer == 3)
    tab.keyboard.press("ArrowLeft")
    until(tab, lambda: view.pos == 3)
    tab.get_by_text("Output, position 3").wait_for(timeout=EXPECT)
    tab.wait_for_function("location.search.includes('layer=3') && location.search.includes('pos=3')", timeout=EXPECT)
    tab.keyboard.press("Escape")
    until(tab, lambda: view.layer is None)
    until(tab, lambda: tab.locator(".js-plotly-plot").evaluate_all(FRAMES) == 0)


@pytest.mark.slow
def test_what_a_panel_shows_is_chosen_above_it_and_the_url_brings_all_back(tab, url, views):
    show(tab, views)
    tab.get_by_role("button", name="rank of answer").click()
    under(tab, "Paths")
    tab.get_by_role("button", name="ends of all prompts").click()
    tab.get_by_text("ends of 3 clean prompts").wait_for(timeout=EXPECT)
    tab.wait_for_function("location.search.includes('part=paths')", timeout=EXPECT)
    under(tab, "Stream and lens")
    tab.get_by_role("button", name="corrupt", exact=True).click()
    plot(tab, "Logit lens").filter(has_text="corrupt prompt 1").wait_for(timeout=EXPECT)
    tab.mouse.click(*at(tab, "Residual stream: cosines", 1, 5))
    until(tab, lambda: (views[-1].layer, views[-1].pos) == (1, 5))
    tab.wait_for_function("location.search.includes('layer=1')", timeout=EXPECT)
    tab.goto(tab.url)
    tab.get_by_role("button", name="Show", exact=True).wait_for(timeout=EXPECT)
    view = views[-1]
    assert (view.of, view.points, view.lens, view.layer, view.pos) == ("corrupt", "ends", "rank of answer", 1, 5)
    # Rows of one's own are in no URL, so that nothing is stored of them.
    show(tab, views)
    until(tab, lambda: tab.locator(".js-plotly-plot").evaluate_all(FRAMES) == 3)
    tab.goto(f"{url}?of=<b>1</b>&layer=x")
    tab.get_by_text("Part of the address could not be used").wait_for(timeout=EXPECT)
    assert tab.get_by_role("alert").locator("b").count() == 0


def test_a_difference_says_what_is_unavailable_and_a_head_opens_its_attention(tab, views):
    tab.get_by_role("button", name="difference").click()
    tab.get_by_role("button", name="Show", exact=True).click()
    tab.get_by_text("Done.", exact=True).wait_for(timeout=2 * EXPECT)
    tab.get_by_text("The lens reads the stream of one prompt").wait_for(timeout=EXPECT)
    under(tab, "Paths")
    tab.get_by_text("Paths are those of one prompt's stream").wait_for(timeout=EXPECT)
    view = views[-1]
    under(tab, "What writes the answer")
    bars = plot(tab, "L1H2")
    bars.scroll_into_view_if_needed()
    tab.wait_for_timeout(400)
    name = bars.evaluate("plot => plot.layout.yaxis.ticktext.findIndex(name => /H/.test(name))")
    bar = bars.locator(".bars .point path").nth(name).bounding_box()
    tab.mouse.click(bar["x"] + bar["width"] / 2, bar["y"] + bar["height"] / 2)
    until(tab, lambda: view.head is not None and view.attention.scores is not None)
    shown = ".".join(map(str, view.head))
    assert f"head={shown}" in tab.get_by_text(f"All about head {shown}").get_attribute("href")
    tab.get_by_text(f"Attention in layer {view.head[0]}, head {view.head[1]}").wait_for(timeout=EXPECT)


@pytest.mark.slow
def test_a_hostile_prompt_is_text_and_a_narrow_dark_window_holds_everything(tab, views):
    tab.set_viewport_size({"width": 900, "height": 800})
    darken(tab)
    row = {"clean": f"d {HOSTILE} c", "corrupt": f"e {HOSTILE} c", "right": "h", "wrong": "g"}
    area = tab.get_by_label("Your pairs")
    area.fill(json.dumps(row))
    area.press("Tab")
    until(tab, lambda: "hacked" in views[-1].rows)
    show(tab, views)
    views[-1].prompts = [f"1: {HOSTILE}"]
    views[-1].attention.status = HOSTILE
    views[-1].head = (1, 1)
    tab.get_by_text("onerror").first.wait_for(timeout=EXPECT)
    tab.wait_for_timeout(600)
    assert tab.evaluate("window.hacked") is None
    assert tab.locator("img[src=x]").count() == 0
    assert tab.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert not tab.get_by_text("Internal error").count()
