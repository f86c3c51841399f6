"""The dynamics page in headless Chromium, with no network."""

import time

import numpy as np
import pytest

from tests.pages.conftest import EXPECT, open_dark, until
from workbench.pages import dynamics_words as words
from workbench.pages.dynamics import DynamicsPage
from workbench.pages.soon import Soon
from workbench.store import Store
from workbench.views.descent import Nested
from workbench.views.dynamics import Dynamics

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=window.hacked=1> <script>window.hacked=1</script>"
SMALL = {
    "classes": 24, "labels": 6, "items": 4, "dim": 5, "longest": 4, "novel": 12, "batch": 16,
    "seeds": 2, "steps": 6, "every": 2,
}  # fmt: skip
ASKED = "?part=train&" + "&".join(f"train.{name}={value}" for name, value in SMALL.items())


@pytest.fixture
def query():
    """What the address says that a tab is opened at."""
    return ""


@pytest.fixture
def url(serve, query):
    """The page, served, at an address."""
    return serve("dynamics", Dynamics) + query


@pytest.fixture
def button(query):
    """A button that says the page has loaded."""
    return "Train" if "part=train" in query else "As many labels" if "part=nested" in query else "mean over many"


def figure(tab, title):
    """The figure of a title."""
    return tab.locator(".js-plotly-plot").filter(has_text=title).first


def fits(shown, width):
    """Whether a figure stands inside a window of this width; it is drawn anew some time after the window changed."""
    box = shown.bounding_box()
    return box is not None and box["x"] >= 0 and box["x"] + box["width"] <= width


def train(tab):
    tab.get_by_role("button", name="Train", exact=True).click(timeout=EXPECT)
    tab.get_by_text("Done.", exact=True).wait_for(timeout=EXPECT)


def fill(tab, label, value):
    """Type into a field of the form."""
    field = tab.get_by_label(label, exact=False).first
    field.fill(value)
    field.press("Tab")


def test_the_first_screen_is_there_without_a_click(tab, views):
    figure(tab, "Progress of in-context learning").wait_for(timeout=EXPECT)
    figure(tab, "Attention after 1,500 steps, one sequence").wait_for(timeout=EXPECT)
    assert tab.get_by_text("transition, step 640").first.is_visible()
    for said in words.measures(views[-1].example.told(0), "", views[-1].example.course.notes).split("opacity:.8")[1:]:
        assert tab.get_by_text(said.split(">")[1].split("<")[0], exact=True).first.is_visible()


def test_the_slider_of_steps_moves_the_attention_and_the_line(tab, views):
    figure(tab, "Attention after 1,500 steps").wait_for(timeout=EXPECT)
    slider = tab.get_by_role("slider").first
    line = figure(tab, "Progress of in-context learning").locator(".shapelayer path").first
    before = line.get_attribute("d")
    slider.focus()
    for _ in range(5):
        slider.press("ArrowLeft")
    figure(tab, "Attention after 630 steps").wait_for(timeout=EXPECT)
    tab.get_by_text("before the transition at step 640").wait_for(timeout=EXPECT)
    tab.wait_for_function("location.search.includes('step=630')", timeout=EXPECT)
    tab.wait_for_timeout(300)
    paths = figure(tab, "Progress of in-context learning").locator(".shapelayer path")
    assert before not in [paths.nth(at).get_attribute("d") for at in range(paths.count())]
    tab.get_by_role("button", name="mean over many").click()
    figure(tab, "Attention after 630 steps, mean over 128 sequences").wait_for(timeout=EXPECT)
    box = figure(tab, "Progress of in-context learning").locator(".nsewdrag").first.bounding_box()
    tab.mouse.click(box["x"] + 3, box["y"] + box["height"] * 0.5)
    until(tab, lambda: views[-1].example.step == 0)


def test_a_language_model_is_shown_at_each_of_its_checkpoints(tab, views):
    tab.get_by_role("tab", name="A language model").click()
    figure(tab, "An induction circuit forms").wait_for(timeout=EXPECT)
    figure(tab, "What the context saves").wait_for(timeout=EXPECT)
    one, other = views[-1].forming.heads
    figure(tab, f"{one}: the token before").wait_for(timeout=EXPECT)
    figure(tab, f"{other}: what followed").wait_for(timeout=EXPECT)
    tab.get_by_text("after the transition of seed 0 at step 817").wait_for(timeout=EXPECT)
    tab.get_by_role("slider").last.focus()
    for _ in range(5):
        tab.get_by_role("slider").last.press("ArrowLeft")
    tab.get_by_text("before the transition of seed 0 at step 817").wait_for(timeout=EXPECT)
    tab.wait_for_function("location.search.includes('lm.step=750')", timeout=EXPECT)
    assert tab.get_by_text("trained:attention@step750", exact=True).is_visible()
    tab.get_by_role("button", name="with MLPs").click()
    figure(tab, f"{views[-1].forming.heads[0]}: the token before").wait_for(timeout=EXPECT)
    tab.get_by_text("before the transition of seed 0 at step 783").wait_for(timeout=EXPECT)
    assert views[-1].forming.step == 750
    area = figure(tab, "What the context saves").locator(".nsewdrag").first
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    tab.mouse.click(box["x"] + box["width"] * 0.06, box["y"] + box["height"] * 0.5)
    until(tab, lambda: views[-1].forming.step == 0)


def test_the_nested_logits_are_drawn_while_a_slider_is_dragged(tab, views):
    tab.get_by_role("tab", name="Why all at once").click()
    loss = figure(tab, "Loss of three nested logits")
    loss.wait_for(timeout=EXPECT)
    tab.get_by_text(f"step {views[-1].nested.drop.half:,}").first.wait_for(timeout=EXPECT)
    tab.wait_for_timeout(500)
    handle = tab.get_by_role("slider").nth(views_slider(tab, "Labels"))
    box = handle.locator("..").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    tab.mouse.move(x, y)
    tab.mouse.down()
    drawn, seen = set(), set()
    for move in range(1, 25):
        tab.mouse.move(x - 3 * move, y)
        tab.wait_for_timeout(40)
        drawn.add(loss.locator(".scatterlayer path.js-line").first.get_attribute("d"))
        seen.add(views[-1].nested.labels)
    assert len(drawn) > 4, "nothing was drawn while the slider was dragged"
    assert len(seen) > 4
    tab.mouse.up()
    until(tab, lambda: f"nested.labels={views[-1].nested.labels}" in tab.url)


def views_slider(tab, label):
    """The place among the sliders of the one of a label."""
    names = ["Step of", "Items", "Labels", "Learning", "Steps", "β1", "α", "ξ"]
    visible = [at for at in range(tab.get_by_role("slider").count()) if tab.get_by_role("slider").nth(at).is_visible()]
    return visible[names.index(label) - 1]


def test_as_many_labels_as_items_is_one_click_away_and_fewer_are_told(tab, views):
    tab.get_by_role("tab", name="Why all at once").click()
    tab.get_by_role("button", name="As many labels as items").click()
    tab.get_by_text("all labels are shown").wait_for(timeout=EXPECT)
    assert tab.get_by_text(f"{views[-1].nested.drop.half:,}").first.is_visible()
    tab.wait_for_timeout(400)
    slider = tab.get_by_role("slider").nth(views_slider(tab, "Labels"))
    slider.focus()
    slider.press("ArrowLeft")
    tab.get_by_text("Labels must be at least 8; got 7").wait_for(timeout=EXPECT)
    figure(tab, "Loss of three nested logits").wait_for(state="hidden", timeout=EXPECT)
    slider.press("ArrowRight")
    figure(tab, "Loss of three nested logits").wait_for(timeout=EXPECT)


@pytest.mark.slow
@pytest.mark.parametrize("query", [ASKED], ids=["small"])
def test_train_shows_the_curve_and_stores_it_and_bad_settings_a_notice(tab, views):
    view = views[-1]
    tab.get_by_text("Trains 2 networks for 6 steps.").wait_for(timeout=EXPECT)
    fill(tab, "Burst (B)", "3")
    until(tab, lambda: view.params["burst"] == 3)
    tab.get_by_role("button", name="Train", exact=True).click()
    tab.get_by_text("burst must divide items, 4, and be less; got 3.").wait_for(timeout=EXPECT)
    fill(tab, "Burst (B)", "1")
    until(tab, lambda: view.params["burst"] == 1)
    train(tab)
    first = view.key
    figure(tab, "Progress of in-context learning").wait_for(timeout=EXPECT)
    tab.wait_for_function(f"location.search.includes('result={first}')", timeout=EXPECT)
    tab.get_by_text("0 of 2 seeds learn in context").first.wait_for(timeout=EXPECT)
    fill(tab, "Networks (seeds)", "3")
    until(tab, lambda: view.params["seeds"] == 3)
    tab.get_by_role("button", name="Train", exact=True).click()
    until(tab, lambda: view.key not in (first, "") and len(view.stored) == 2)
    tab.locator("tbody tr").nth(1).wait_for(timeout=EXPECT)
    tab.locator("tbody tr").nth(1).click()
    tab.get_by_text("Shown from the store.").wait_for(timeout=EXPECT)
    assert view.key == first
    tab.wait_for_timeout(400)
    assert tab.get_by_label("Networks (seeds)", exact=False).first.input_value() == "2"


@pytest.mark.parametrize("query", [ASKED + "&study=reddy_phases&train.values=12,24&train.rows=1,2"], ids=["phases"])
def test_a_diagram_is_drawn_with_its_axes(tab, views):
    train(tab)
    for said in ("measure ic", "measure iw", "Classes (K)", "Burst (B)", "share right"):
        figure(tab, "In-context and in-weights learning").get_by_text(said, exact=True).first.wait_for(timeout=EXPECT)
    assert views[-1].result.values.sizes == {"measure": 3, "burst": 2, "classes": 2}


@pytest.mark.parametrize("query", [ASKED.replace("steps=6", "steps=900000")], ids=["long"])
def test_stop_ends_a_long_training_soon(tab):
    tab.get_by_role("button", name="Train", exact=True).click(timeout=EXPECT)
    figure(tab, "Progress of in-context learning").wait_for(timeout=EXPECT)
    tab.get_by_text("left", exact=False).first.wait_for(timeout=EXPECT)
    start = time.monotonic()
    tab.get_by_role("button", name="Stop").click()
    tab.get_by_text("Stopped.", exact=True).wait_for(timeout=EXPECT)
    assert time.monotonic() - start < 2
    assert figure(tab, "Progress of in-context learning").is_visible()
    assert "result=" not in tab.url


@pytest.mark.parametrize("query", ["?part=nested&step=400&nested.labels=20&nested.xi=0.5"], ids=["nested"])
def test_the_url_brings_the_state_back_and_nonsense_a_notice(tab, url, views):
    figure(tab, "Loss of three nested logits").wait_for(timeout=EXPECT)
    assert (views[-1].nested.labels, views[-1].example.step) == (20, 400)
    tab.goto(f"{url}&part=<b>x</b>&nested.labels={HOSTILE}&study=<b>")
    tab.get_by_text("Part of the address could not be used").wait_for(timeout=EXPECT)
    assert tab.get_by_role("alert").locator("b").count() == 0
    assert tab.evaluate("window.hacked") is None


def test_what_is_said_before_and_while_it_trains(tmp_path):
    from workbench.jobs import Jobs

    view = Dynamics(Jobs(), Store(tmp_path))
    assert "Press <b>Train</b>" in words.train(view)
    view.param.update(status="running", label="Training", progress=0.25, seconds_left=30.0)
    assert "The figure appears" in words.train(view)
    assert words.status(view) == "Training · 25% · about 30 s left"
    view.label = "Training, networks 1 to 16 of 27"
    assert words.status(view).endswith("about 30 s left of this part")
    view.status = "stopped"
    assert "Press <b>Train</b>" in words.train(view)


def test_what_is_said_is_safe(tmp_path):
    from workbench.jobs import Jobs

    view = Dynamics(Jobs(), Store(tmp_path))
    view.nested.param.update(path=None, problem=HOSTILE)
    told = view.example.course
    result = told.replace(notes={**told.notes, "warning": HOSTILE})
    for said in (words.nested(view.nested), words.found(result), words.measures({HOSTILE: 0.5}, HOSTILE, {HOSTILE: HOSTILE})):
        assert "<img" not in said
        assert "&lt;img" in said
    assert DynamicsPage(view).nested.loss.chart.visible is False


def test_the_words_follow_the_numbers():
    view = Nested()
    right = np.exp(-view.path.loss)
    assert f"P passes one half at step <b>{int(np.argmax(right >= 0.5)):,}</b>" in words.nested(view)
    view.steps = 200
    assert f"P does not reach one half in 200 steps: it goes from 0.03 to <b>{np.exp(-view.path.loss[-1]):.2f}</b>" in (
        words.nested(view)
    )
    view.param.update(beta1=4, alpha=4, xi=4)
    assert "above one half from the start" in words.nested(view)
    view.param.update(labels=8, steps=4000, beta1=0.01, alpha=0.01, xi=0.01)
    assert "stays within .05 of log N = 2.08 nats to the end" in words.nested(view)


def test_a_burst_of_settings_is_used_once_where_there_is_a_browser(monkeypatch):
    used, later = [], []

    class Document:
        session_context = True

        def add_timeout_callback(self, use, wait):
            later.append(use)

    monkeypatch.setattr("workbench.pages.soon.pn", type("pn", (), {"state": type("state", (), {"curdoc": Document()})}))
    soon = Soon(lambda **state: used.append(state))
    soon.set(a=1)
    soon.set(a=2, b=3)
    assert (used, len(later)) == ([], 1)
    later.pop()()
    assert used == [{"a": 2, "b": 3}]
    soon.set(a=4)
    later.pop()()
    assert used[-1] == {"a": 4}


@pytest.mark.slow
def test_in_narrow_windows_and_in_the_dark_everything_is_drawn(tab):
    open_dark(tab)
    titles = {
        "A network that learnt": ("Progress of in-context learning", "Attention after 1,500 steps"),
        "Why all at once": ("Loss of three nested logits", "What it is made of"),
    }
    for width in (1280, 900, 700):
        tab.set_viewport_size({"width": width, "height": 800})
        for part, shown in titles.items():
            tab.get_by_role("tab", name=part).click()
            for title in shown:
                until(tab, lambda title=title, width=width: fits(figure(tab, title), width))
    tab.get_by_role("tab", name="A network that learnt").click()
    figure(tab, "Attention after 1,500 steps").scroll_into_view_if_needed()
    tab.wait_for_timeout(300)
    tab.mouse.move(300, 500)
    tab.mouse.wheel(0, 500)
    tab.wait_for_timeout(500)
    assert 0 < tab.get_by_text("Step of training").first.bounding_box()["y"] < 200, "the slider is out of sight"
    assert not tab.get_by_text("Internal error").count()
