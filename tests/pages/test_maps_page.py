"""The page of maps in headless Chromium, on a tiny model, with no network."""

import pytest

from tests import families
from tests.pages.conftest import EXPECT, darken, quiet
from tests.pages.test_heads_page import until
from workbench.pages import shell
from workbench.views.maps import PAIRS, Maps

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=window.hacked=1> <script>window.hacked=1</script>"
PROMPTS = ("d h b c f g a", "b h d e f g a", "e d c b h g a")
ROWS = "clean,corrupt,right,wrong\n" + "".join(f"{prompt},i{prompt[1:]},b,d\n" for prompt in PROMPTS)
TITLES = ("Activation patching", "Attribution patching", "Relevance patching")
FRAMES = "plots => plots.filter(plot => (plot.layout?.shapes ?? []).length).length"
HOVERS = "plots => plots.map(plot => plot.querySelector('.hoverlayer')?.textContent ?? '')"


@pytest.fixture
def url(serve, tiny):
    """The page, served; set to the tiny model and three pairs."""
    return serve("maps", Maps, model=tiny, task="custom", rows=ROWS)


@pytest.fixture
def button():
    """The button that says the page has loaded."""
    return "Compute"


def compute(tab, views):
    tab.get_by_role("button", name="Compute", exact=True).click()
    tab.get_by_text("Done.", exact=True).wait_for(timeout=2 * EXPECT)
    for title in TITLES:
        plot(tab, title).wait_for(timeout=EXPECT)
    until(tab, lambda: set(views[-1].agreements) == set(PAIRS))


def plot(tab, title):
    return tab.locator(".js-plotly-plot").filter(has_text=title).first


def at(tab, title, layer, head):
    """Where a cell of a map is in the window, scrolled into sight."""
    plot(tab, title).scroll_into_view_if_needed()
    tab.wait_for_timeout(400)
    box = plot(tab, title).locator(".nsewdrag").first.bounding_box()
    across, up = (head + 0.5) / families.HEADS, 1 - (layer + 0.5) / families.LAYERS
    return box["x"] + box["width"] * across, box["y"] + box["height"] * up


def test_one_click_gives_three_maps_that_preview_and_lock_the_same_cell(tab, views):
    compute(tab, views)
    view = views[-1]
    tops = [plot(tab, title).bounding_box()["y"] for title in TITLES]
    assert max(tops) - min(tops) < 60, "side by side"
    tab.mouse.move(*at(tab, "Attribution patching", 1, 2))

    def previewed():
        said = tab.locator(".js-plotly-plot").evaluate_all(HOVERS)
        return sum("layer 1" in one and "head 2" in one and "s.e." in one for one in said) == 3

    until(tab, previewed)
    assert view.cell is None, "pointing stays in the browser"
    tab.mouse.click(*at(tab, "Attribution patching", 1, 2))
    until(tab, lambda: view.frame == {"layer": 1, "head": 2} and view.attention.scores is not None)
    tab.get_by_text("Head 1.2", exact=True).wait_for(timeout=EXPECT)
    tab.get_by_text(f"{view.numbers()['patch'][0]:+.4g}", exact=True).first.wait_for(timeout=EXPECT)
    until(tab, lambda: tab.locator(".js-plotly-plot").evaluate_all(FRAMES) == 3)
    tab.keyboard.press("ArrowUp")
    until(tab, lambda: view.frame == {"layer": 2, "head": 2})
    assert "head=2.2" in tab.get_by_text("All about this head").get_attribute("href")
    tab.get_by_text("Attention in layer 2, head 2").wait_for(timeout=EXPECT)
    tab.keyboard.press("Escape")
    until(tab, lambda: view.cell is None)
    until(tab, lambda: tab.locator(".js-plotly-plot").evaluate_all(FRAMES) == 0)


@pytest.mark.slow
def test_in_a_narrow_window_an_empty_map_takes_no_room(tab, views):
    tab.get_by_label("Exact map, a run per cell").uncheck()
    until(tab, lambda: not views[-1].exact)
    tab.get_by_role("button", name="Compute", exact=True).click()
    plot(tab, "Attribution patching").wait_for(timeout=2 * EXPECT)
    tab.set_viewport_size({"width": 900, "height": 800})
    empty, shown = tab.get_by_text("activation patching, a run per cell"), plot(tab, "Attribution patching")
    until(tab, lambda: shown.bounding_box()["width"] > 400)
    until(tab, lambda: 0 < shown.bounding_box()["y"] - empty.bounding_box()["y"] < 160)


def test_other_cells_are_computed_at_once_and_the_url_brings_all_back(tab, views):
    compute(tab, views)
    tab.get_by_text("r = ").first.wait_for(timeout=EXPECT)
    tab.get_by_role("button", name="exact and relevance").click()
    tab.get_by_text("Agreement: relp against patch").wait_for(timeout=EXPECT)
    views[-1].kind = "stream"
    until(tab, lambda: views[-1].kind == "stream" and set(views[-1].agreements) == set(PAIRS))
    tab.wait_for_function("location.search.includes('kind=stream')", timeout=EXPECT)
    tab.goto(tab.url)
    tab.get_by_role("button", name="Compute", exact=True).wait_for(timeout=EXPECT)
    assert (views[-1].kind, views[-1].pair) == ("stream", 1)
    tab.goto(tab.url.split("?")[0] + "?kind=<b>1</b>&layer=x")
    tab.get_by_text("Part of the address could not be used").wait_for(timeout=EXPECT)
    assert tab.get_by_role("alert").locator("b").count() == 0


@pytest.mark.slow
def test_hostile_text_is_text_and_a_narrow_dark_window_holds_everything(tab, views):
    tab.set_viewport_size({"width": 900, "height": 800})
    darken(tab)
    compute(tab, views)
    view = views[-1]
    view.reasons = {"relp": HOSTILE}
    view.prompts = [f"{index + 1}: {HOSTILE}" for index in range(3)]
    view.results = {method: one for method, one in view.results.items() if method != "relp"}
    tab.get_by_text("Unavailable.").wait_for(timeout=EXPECT)
    tab.get_by_text("onerror").first.wait_for(timeout=EXPECT)
    tab.wait_for_timeout(600)
    assert tab.evaluate("window.hacked") is None
    assert tab.locator("img[src=x]").count() == 0
    assert tab.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert not tab.get_by_text("Internal error").count()


def test_a_number_is_typed_again_without_leaving_its_field(tab, url, views):
    tab.goto(f"{url}?task=repeated_tokens")
    field = tab.locator("input").and_(tab.get_by_label("Seed", exact=True))
    field.wait_for(timeout=EXPECT)
    field.click()
    for typed in "234":
        field.fill(typed)
        field.press("Enter")
        until(tab, lambda typed=typed: views[-1].options["seed"] == int(typed))
        until(tab, lambda: field.evaluate("each => each.getRootNode().activeElement === each"))
        assert field.input_value() == typed


def test_what_has_ended_comes_without_a_look_of_the_clock(tab, views, monkeypatch):
    """Else each answer would wait for the next tick, a fifth of a second."""
    monkeypatch.setattr(shell, "TICK", 10 * EXPECT)
    tab.reload()
    tab.get_by_role("button", name="Compute", exact=True).wait_for(timeout=EXPECT)
    quiet(tab)
    tab.get_by_role("button", name="Compute", exact=True).click()
    until(tab, lambda: set(views[-1].results) == {"patch", "atp", "relp"})
    for title in TITLES:
        plot(tab, title).wait_for(timeout=EXPECT)
