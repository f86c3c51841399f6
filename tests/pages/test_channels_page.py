"""The channels page in headless Chromium, on a tiny model, with no network."""

import json
import threading
from functools import partial

import numpy as np
import pytest

from tests import families
from tests.pages import conftest
from tests.pages.conftest import EXPECT, darken
from workbench.pages import channel_words as words
from workbench.pages.channels import ChannelsPage
from workbench.store import Store
from workbench.views.channels import Channels

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("lenient")]

# What is drawn moves what stands below it.
until = partial(conftest.until, rest=600)
HOSTILE = "<img src=x onerror=window.hacked=1> <script>window.hacked=1</script>"
PROMPTS = ("d h b c f g a", "b h d e f g a", "e d c b h g a")
ROWS = "clean,corrupt,right,wrong\n" + "".join(f"{prompt},i{prompt[1:]},b,d\n" for prompt in PROMPTS)


@pytest.fixture
def url(serve, tiny):
    """The page, served; set to the tiny model and three pairs."""
    return serve("channels", Channels, model=tiny, task="custom", rows=ROWS)


@pytest.fixture
def button():
    """The button that says the page has loaded."""
    return "Find channels"


def find(tab):
    tab.get_by_role("button", name="Find channels").click()
    tab.get_by_text("Done.", exact=True).wait_for(timeout=2 * EXPECT)
    tab.get_by_text("logit difference").first.wait_for(timeout=EXPECT)


def click_in(tab, title, x, y):
    """Click into the figure of a title, x and y as shares of its plot area."""
    plot = tab.locator(".js-plotly-plot").filter(has_text=title).first
    plot.scroll_into_view_if_needed()
    tab.wait_for_timeout(600)
    box = plot.locator(".nsewdrag").first.bounding_box()
    tab.mouse.click(box["x"] + box["width"] * x, box["y"] + box["height"] * y)


def test_one_click_gives_the_strongest_channel_and_its_scale(tab, views):
    find(tab)
    view = views[-1]
    for title in ("Strongest component between layers", "Components of", "Leaning of", "Where", "Logits", "The answer by"):
        tab.get_by_text(title).first.wait_for(timeout=EXPECT)
    rows = tab.locator("tbody tr")
    assert rows.count() == min(10, view.channels.values.size)
    assert rows.first.locator("td").first.inner_text() == str(view.channels.values.channel.values[0]).replace("->", "→")
    if rows.count() > 1:
        rows.nth(1).click()
        second = str(view.channels.values.channel.values[1])
        until(
            tab, lambda: view.pair.scaled is not None and f"{view.pair.scaled.channel} -> {view.pair.scaled.reader} q" == second
        )


@pytest.mark.slow
def test_cells_lead_to_a_pair_and_a_bar_to_a_component(tab, views):
    find(tab)
    view = views[-1]
    click_in(tab, "Strongest component between layers", 2.5 / families.LAYERS, 0.5 / families.LAYERS)
    until(tab, lambda: view.between == (0, 2))
    click_in(tab, "Between heads of layers 0 and 2", 3.5 / families.HEADS, 1.5 / families.HEADS)
    until(tab, lambda: view.pair.scaled is not None and (view.pair.writer, view.pair.reader) == ((0, 1), (2, 3)))
    tab.get_by_text("Components of 0.1 as 2.3 reads them (q)").wait_for(timeout=EXPECT)
    order = np.argsort(-np.abs(view.pair.known.effects.mean().values.values)).tolist()
    click_in(tab, "Leaning of 2.3 lost", 0.5, 2.5 / families.D_HEAD)
    until(tab, lambda: view.pair.component == order[2] and view.pair.scaled is not None)
    tab.wait_for_function(f"location.search.includes('component={order[2]}')", timeout=EXPECT)
    tab.get_by_text(f"The answer by α of 0.1.{order[2]}").wait_for(timeout=EXPECT)


@pytest.mark.slow
def test_dragging_redraws_at_once_and_asks_nothing_of_the_model(tab, views, jobs, monkeypatch):
    find(tab)
    view = views[-1]
    tab.wait_for_timeout(800)
    monkeypatch.setattr(jobs, "submit", lambda *asked: pytest.fail("dragging asked for a job"))
    slider = tab.get_by_role("slider").first
    slider.focus()
    for alpha in ("1.5", "2", "2.5"):
        slider.press("ArrowRight")
        tab.wait_for_function(f"location.search.includes('alpha={alpha}')", timeout=EXPECT)
    tab.get_by_text("was").first.wait_for(timeout=EXPECT)
    tab.wait_for_timeout(600)
    assert view.pair.alpha == 2.5
    said = view.pair.scaled.said(2.5)["logit difference"]
    assert tab.get_by_text(f"{said:+.2f}").count() >= 1
    looks = tab.locator(".js-plotly-plot").filter(has_text="looks from END").first
    assert looks.locator(".ytick text").all_text_contents() == ["1, as it is", "2.5"]
    slider.press("Home")
    tab.wait_for_function("location.search.includes('alpha=-3')", timeout=EXPECT)
    darken(tab)
    tab.wait_for_timeout(600)
    assert view.pair.alpha == -3


def test_a_typed_pair_is_shown_and_a_bad_name_told(tab, views):
    tab.get_by_label("Writer").fill("0.1.2")
    reader = tab.get_by_label("Reader")
    reader.fill("2.3")
    reader.press("Enter")
    until(tab, lambda: views[-1].pair.scaled is not None)
    tab.get_by_text("Components of 0.1 as 2.3 reads them (q)").wait_for(timeout=EXPECT)
    assert views[-1].pair.component == 2
    reader.fill("<b>9</b>")
    tab.get_by_role("button", name="Show").click()
    tab.get_by_text("a head must be written LAYER.HEAD").wait_for(timeout=EXPECT)
    assert tab.get_by_role("alert").locator("b").count() == 0
    tab.get_by_role("button", name="Keys").click()
    tab.get_by_text("Causal effects are computed for queries only").first.wait_for(timeout=EXPECT)
    tab.get_by_text("Components of 0.1 as 2.3 reads them (k)").wait_for(timeout=EXPECT)
    assert tab.get_by_role("slider").count() == 0 or not tab.get_by_role("slider").first.is_visible()


@pytest.mark.slow
def test_the_url_brings_the_state_back_and_nonsense_a_notice(tab, url, views):
    find(tab)  # a page opened by its address loads no model
    tab.goto(f"{url}?writer=0.1&reader=2.3&component=2&alpha=3.5&prompt=1")
    tab.get_by_text("The answer by α of 0.1.2").wait_for(timeout=EXPECT)
    tab.get_by_text("Where 2.3 looks from END: prompt 2").wait_for(timeout=EXPECT)
    assert views[-1].pair.alpha == 3.5
    tab.goto(f"{url}?writer=<b>0</b>&reader=2.3&alpha=99")
    tab.get_by_text("Part of the address could not be used").wait_for(timeout=EXPECT)
    assert tab.get_by_role("alert").locator("b").count() == 0
    find(tab)


def test_stop_ends_the_search_and_the_layers_stay(tab, views, monkeypatch):
    import workbench.channels.find as find_room

    let, true = threading.Event(), find_room.whole_heads

    def slow(*args):
        let.wait(20)
        return true(*args)

    monkeypatch.setattr(find_room, "whole_heads", slow)
    tab.get_by_role("button", name="Find channels").click()
    tab.get_by_text("Strongest component between layers").wait_for(timeout=EXPECT)
    tab.get_by_text("The search has not finished yet.").wait_for(timeout=EXPECT)
    tab.get_by_role("button", name="Stop").click()
    let.set()
    tab.get_by_text("Stopped.", exact=True).wait_for(timeout=EXPECT)
    assert tab.get_by_text("Strongest component between layers").first.is_visible()
    assert views[-1].channels is None


@pytest.mark.slow
def test_a_hostile_prompt_is_text_everywhere(tab, views):
    row = {"clean": f"b d {HOSTILE}", "corrupt": f"c d {HOSTILE}", "right": "b", "wrong": "d", "note": HOSTILE}
    area = tab.get_by_label("Your pairs")
    area.fill(json.dumps(row))
    area.press("Tab")
    tab.wait_for_timeout(500)
    tab.get_by_label("Writer").fill("0.1")
    tab.get_by_label("Reader").fill("2.3")
    tab.get_by_role("button", name="Show").click()
    until(tab, lambda: views[-1].pair.scaled is not None)
    pair = views[-1].pair
    pair.scaled.tokens[0][:] = [HOSTILE] * len(pair.scaled.tokens[0])
    pair.scaled.names[0][:] = [HOSTILE] * 2
    pair.prompts = [f"1: {HOSTILE}"]
    pair.alpha = 2.0
    pair.status = HOSTILE
    tab.get_by_text("onerror").first.wait_for(timeout=EXPECT)
    area.fill(json.dumps({**row, "right": HOSTILE}))
    area.press("Tab")
    tab.wait_for_timeout(500)
    tab.get_by_role("button", name="Find channels").click()
    tab.get_by_text("The task cannot be used").first.wait_for(timeout=EXPECT)
    tab.wait_for_timeout(800)
    assert tab.evaluate("window.hacked") is None
    assert tab.locator("img[src=x]").count() == 0


def test_what_is_said_is_safe(tmp_path):
    from workbench.jobs import Jobs

    view = Channels(Jobs(), Store(tmp_path), reason=HOSTILE)
    view.pair.param.update(status=HOSTILE, writer=(0, 1), reader=(1, 1))
    view.pair.known.reason = HOSTILE
    for said in (words.pair(view, "light"), words.effects(view.pair), words.scaled(view.pair)):
        assert "<img" not in said
        assert "&lt;img" in said
    view.pair.status = ""
    assert words.effects(view.pair) == words.scaled(view.pair)
    assert "Unavailable." in words.effects(view.pair)
    assert ChannelsPage(view).scale.card.visible is False


@pytest.mark.parametrize("width", [1280, 900])
def test_in_narrow_windows_everything_is_drawn(tab, width):
    tab.set_viewport_size({"width": width, "height": 800})
    tab.wait_for_timeout(500)
    find(tab)
    for title in ("Where", "Logits: prompt 1", "The answer by", "Components of", "Leaning of"):
        tab.locator(".js-plotly-plot").filter(has_text=title).first.wait_for(timeout=EXPECT)
    assert not tab.get_by_text("Internal error").count()
