"""The page of attention in headless Chromium, on a tiny model, with no network."""

import numpy as np
import pandas as pd
import pytest

from tests.pages.conftest import EXPECT, darken, until
from workbench.views.code import code_by
from workbench.views.looks import Looks

pytestmark = pytest.mark.browser

PROMPTS = ("d h b c f g a", "b h d e f g a", "e d c b h g a")
ROWS = "clean,corrupt,right,wrong\n" + "".join(f"{prompt},i{prompt[1:]},b,d\n" for prompt in PROMPTS)
HOSTILE = "<img src=x onerror=window.hacked=1> <script>window.hacked=1</script> \u05e9\u05dc\u05d5\u05dd \U0001f389"


@pytest.fixture
def url(serve, tiny):
    """The page, served; set to the tiny model and three pairs."""
    return serve("attention", Looks, model=tiny, task="custom", rows=ROWS)


@pytest.fixture
def button():
    """The button that says the page has loaded."""
    return "Show"


def drawn(tab, **state):
    """Wait until the grid says of itself what is given."""

    def wanted():
        data = tab.locator("canvas.base").evaluate("canvas => ({...canvas.dataset})")
        return "drawn" in data and all(data.get(name) == value for name, value in state.items())

    until(tab, wanted)


def show(tab):
    tab.get_by_role("button", name="Show", exact=True).click()
    tab.locator("canvas.base").wait_for(timeout=2 * EXPECT)
    drawn(tab)


def spot(tab, head):
    """Where a head's thumbnail stands on the canvas: layers across, or heads, whichever is larger."""
    said = tab.locator("canvas.base").evaluate("canvas => canvas.dataset.spots")
    x, y, size = next(list(map(float, one.split(":")[1].split(","))) for one in said.split(" ") if one.startswith(head + ":"))
    return {"x": x + size * 0.2, "y": y + size * 0.8}


def test_one_click_shows_all_heads_hover_previews_a_click_locks_and_escape_unlocks(tab, views):
    show(tab)
    view, over = views[-1], tab.locator("canvas.over")
    tab.get_by_text("12 heads on clean prompt 1, 7 tokens.").wait_for(timeout=EXPECT)
    over.hover(position=spot(tab, "2.1"))
    tab.get_by_text("Head 2.1", exact=True).wait_for(timeout=EXPECT)
    tab.locator(".grid .said").filter(has_text="2.1: “").filter(has_text="≈").wait_for(timeout=EXPECT)
    assert view.head is None
    over.click(position=spot(tab, "1.3"))
    until(tab, lambda: view.exact is not None)
    assert view.head == (1, 3)
    drawn(tab, locked="1.3", exact="true")
    over.hover(position=spot(tab, "0.0"))
    tab.get_by_text("Head 1.3", exact=True).first.wait_for(timeout=EXPECT)
    query, key, value = view.largest[0]
    tab.locator("tbody tr").first.click()
    until(tab, lambda: view.pinned == [query, key])
    assert tab.locator("tbody tr").first.locator("td").nth(2).inner_text() == f"{value:.4g}"
    link = tab.get_by_role("link", name="open it on the page of heads").get_attribute("href")
    assert link.startswith("heads?model=")
    assert "head=1.3" in link
    over.focus()
    tab.keyboard.press("Escape")
    until(tab, lambda: view.head is None)
    drawn(tab, locked="")


def test_too_many_numbers_to_keep_leave_code_pictures_and_maximise_and_say_where_numbers_are(tab, views, monkeypatch, tmp_path):
    monkeypatch.setattr("workbench.views.looking.KEPT", 1)
    show(tab)
    view, menus = views[-1], tab.get_by_role("button", name="Menu of this panel")
    assert view.grid.whole is None
    assert menus.count() == 1
    menus.click()
    for name in ("Numbers as a table", "Save CSV", "Save JSON", "Save HTML"):
        item = tab.get_by_role("menuitem", name=name)
        assert item.is_disabled()
        assert item.get_attribute("title").endswith("too many numbers to keep whole: lock a head and save that")
    tab.get_by_role("menuitem", name="Show the code").click()
    assert tab.locator("dialog[open] pre").inner_text().strip() == code_by(view.grid.origin, ROWS).strip()
    tab.keyboard.press("Escape")
    for name, start in (("Save PNG", b"\x89PNG"), ("Save SVG", b"<svg")):
        menus.click()
        with tab.expect_download(timeout=2 * EXPECT) as info:
            tab.get_by_role("menuitem", name=name).click()
        with open(info.value.path(), "rb") as file:
            assert file.read().startswith(start)
    small = tab.locator("canvas.base").bounding_box()
    menus.click()
    tab.get_by_role("menuitem", name="Maximise").click()
    until(tab, lambda: tab.locator("canvas.base").bounding_box()["width"] > 1.1 * small["width"])
    tab.keyboard.press("Escape")
    until(tab, lambda: tab.locator("canvas.base").bounding_box() == small)
    tab.locator("canvas.over").click(position=spot(tab, "1.3"))
    until(tab, lambda: view.exact is not None and menus.count() == 2)
    menus.last.click()
    with tab.expect_download(timeout=2 * EXPECT) as info:
        tab.get_by_role("menuitem", name="Save CSV").click()
    info.value.save_as(tmp_path / "head.csv")
    assert np.array_equal(pd.read_csv(tmp_path / "head.csv")["value"], view.exact.values.values.ravel())


def test_the_keyboard_reaches_heads_pairs_and_tokens(tab, views):
    show(tab)
    view = views[-1]
    tab.locator("canvas.over").focus()
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("Enter")
    until(tab, lambda: view.head == (1, 1))
    drawn(tab, locked="1.1", exact="true")
    tab.locator("canvas.one").focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight"):
        tab.keyboard.press(key)
    value = float(view.exact.values[2, 1])
    tab.locator(".grid .said").filter(has_text="(2) → “h” (1)").wait_for(timeout=EXPECT)
    assert f"{value:.3g}"[:4] in tab.locator(".grid .said").inner_text()
    tab.keyboard.press("Enter")
    until(tab, lambda: view.pinned == [2, 1])
    tab.keyboard.press("+")
    tab.keyboard.press("Escape")
    until(tab, lambda: view.pinned == [-1, -1])
    tab.keyboard.press("Escape")
    until(tab, lambda: view.head is None)
    tab.locator(".tokens button").first.focus()
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("Enter")
    until(tab, lambda: view.pinned == [1, -1])


def test_pinned_tokens_fade_heads_and_columns_sort_them(tab, views):
    show(tab)
    view = views[-1]
    tokens = tab.locator(".tokens button")
    tokens.nth(5).click()
    tokens.nth(2).click(modifiers=["Shift"])
    until(tab, lambda: view.pinned == [5, 2])
    drawn(tab, pinned="5,2")
    tab.get_by_label("Fade heads with less than").fill("0.5")
    until(tab, lambda: view.least == 0.5)
    made = view.grid.thumbnails
    each = np.frombuffer(made.data, np.uint8).reshape(12, -1)[:, 5 * 6 // 2 + 2] / 255 * np.array(made.scales)
    drawn(tab, faint=str((each < 0.5 * each.max()).sum()))
    tab.get_by_label("Sort by").select_option(label="attention at the pinned tokens")
    until(tab, lambda: view.sort == "pinned")
    order = np.argsort(-each, kind="stable")
    drawn(tab, first=f"{order[0] // 4}.{order[0] % 4}")
    tab.get_by_role("button", name="Unpin").click()
    until(tab, lambda: (view.pinned, view.sort) == ([-1, -1], ""))
    tab.get_by_label("Sort by").select_option(label="entropy, on this prompt")
    entropy = next(one["values"] for one in view.columns if one["name"] == "here entropy")
    drawn(tab, first=f"{int(np.argmax(entropy)) // 4}.{int(np.argmax(entropy)) % 4}")
    # One choice of colours: the header's.
    assert tab.locator(".grid select").nth(1).is_hidden()
    before = tab.locator("canvas.base").evaluate("canvas => canvas.toDataURL()")
    tab.get_by_role("button", name="Colours").click()
    tab.get_by_role("radio", name="viridis").click()
    until(tab, lambda: tab.locator("canvas.base").evaluate("canvas => canvas.toDataURL()") != before)


@pytest.mark.slow
def test_weighting_and_another_prompt_are_shown_at_once_and_the_url_brings_all_back(tab, url, views):
    show(tab)
    view = views[-1]
    tab.get_by_label("Weighted by values").click()
    until(tab, lambda: view.grid.unit == "norm")
    tab.get_by_text("α‖vW_O‖").wait_for(timeout=EXPECT)
    tab.get_by_role("button", name="corrupt").click()
    until(tab, lambda: view.grid.words == PROMPTS[0].replace("d", "i").split())
    tab.locator("canvas.over").click(position=spot(tab, "0.2"))
    tab.wait_for_function("location.search.includes('head=0.2')", timeout=EXPECT)
    tab.goto(tab.url)
    tab.locator("canvas.base").wait_for(timeout=2 * EXPECT)
    drawn(tab, locked="0.2", exact="true")
    assert (views[-1].of, views[-1].weighted, views[-1].head) == ("corrupt", True, (0, 2))
    tab.goto(f"{url}?head=<b>1</b>&pinned=x&moon=1")
    tab.get_by_text("Part of the address could not be used").wait_for(timeout=EXPECT)
    assert tab.get_by_role("alert").locator("b").count() == 0


def test_a_text_of_ones_own_is_shown_as_it_stands_and_a_long_one_refused(tab, views):
    tab.get_by_role("button", name="Text", exact=True).click()
    area = tab.get_by_label("Your text")
    area.fill(HOSTILE)
    show(tab)
    view = views[-1]
    assert view.asked.params["text"] == HOSTILE
    # The tiny tokenizer knows none of these words; other tokens are as they stand.
    view.grid.words[:] = HOSTILE.split(" ")
    view.param.trigger("grid")
    tab.locator(".tokens button").filter(has_text="onerror").wait_for(timeout=EXPECT)
    tab.locator(".tokens button").filter(has_text="\u05e9\u05dc\u05d5\u05dd").wait_for(timeout=EXPECT)
    assert tab.evaluate("window.hacked") is None
    assert tab.locator("img[src=x]").count() == 0
    area.fill("c " * 10_000)
    tab.get_by_role("button", name="Show", exact=True).click()
    tab.get_by_role("alert").filter(has_text="at most 2048 tokens to be shown; got 10000").wait_for(timeout=EXPECT)
    assert view.grid is not None


@pytest.mark.slow
def test_in_a_narrow_window_in_the_dark_everything_is_drawn_and_nothing_sticks_out(tab, views):
    tab.set_viewport_size({"width": 900, "height": 800})
    darken(tab)
    show(tab)
    tab.locator("canvas.over").click(position=spot(tab, "2.0"))
    until(tab, lambda: views[-1].exact is not None)
    drawn(tab, dark="true", locked="2.0", exact="true")
    assert tab.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    for name in ("canvas.base", "canvas.one"):
        box = tab.locator(name).bounding_box()
        assert box["x"] + box["width"] <= 900
    ground = tab.locator(".grid").evaluate("grid => getComputedStyle(grid).backgroundColor")
    assert ground == "rgb(23, 25, 29)"
    assert (
        tab.locator("canvas.base").evaluate("""canvas => {
      const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data
      return new Set(new Uint32Array(pixels.buffer)).size
    }""")
        > 20
    )
