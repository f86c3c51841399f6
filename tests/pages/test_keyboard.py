"""The whole journey without a mouse: every control is reached by Tab, shows that it has the focus, and does its work."""

import pytest

from tests import families
from tests.pages.conftest import EXPECT, quiet, until
from tests.pages.test_circuits_page import FOUND, ROWS, drawn
from workbench.views.circuits import Circuits
from workbench.views.maps import Maps
from workbench.views.residual import Residual

pytestmark = pytest.mark.browser

VIEWS = {"circuits": Circuits, "maps": Maps, "residual": Residual}
START = {"circuits": "Run", "maps": "Compute", "residual": "Show"}

# What has the focus, through all shadow roots: its name, its place, whether it lies in the window.
FOCUSED = """() => {
  let one = document.activeElement
  while (one?.shadowRoot?.activeElement) one = one.shadowRoot.activeElement
  if (!one || one === document.body) return null
  const label = one.labels?.[0]?.textContent || one.ariaLabel || one.getAttribute("aria-labelledby")?.split(" ")
    .map((id) => one.getRootNode().getElementById(id)?.textContent).join(" ") || one.title || one.textContent
  const {x, y, width, height} = one.getBoundingClientRect()
  return {
    name: label.trim().replace(/\\s+/g, " "), tag: one.tagName, role: one.role ?? one.getAttribute("role"),
    x, y, width, height, type: one.type,
  }
}"""
HOVER = "plot => plot.querySelector('.hoverlayer')?.textContent ?? ''"
BLUR = """() => {
  let one = document.activeElement
  while (one?.shadowRoot?.activeElement) one = one.shadowRoot.activeElement
  one.blur()
}"""


@pytest.fixture(params=list(VIEWS))
def name(request):
    return request.param


@pytest.fixture
def url(serve, name, tiny):
    return serve(name, VIEWS[name], model=tiny, task="custom", rows=ROWS)


@pytest.fixture
def button(name):
    """The button that says the page has loaded."""
    return START[name]


def to(tab, wanted, key="Tab", most=140):
    """Walk until something whose name has these words has the focus."""
    seen = []
    for _ in range(most):
        tab.keyboard.press(key)
        here = tab.evaluate(FOCUSED)
        seen.append(here and here["name"])
        if here and wanted in here["name"]:
            return here
    raise AssertionError(f"{wanted!r} is not reached: {seen}")


def press(tab, *keys):
    for key in keys:
        tab.keyboard.press(key)
        tab.wait_for_timeout(60)


@pytest.mark.slow
def test_every_control_is_reached_has_a_name_and_shows_its_focus(tab, name):
    tab.get_by_role("button", name=START[name]).click()
    tab.locator(".nsewdrag").first.wait_for(timeout=2 * EXPECT)
    quiet(tab, 2)
    tab.mouse.move(0, 0)
    tab.evaluate("document.body.tabIndex = -1; document.body.focus()")
    seen, plain = [], []
    for _ in range(140):
        tab.keyboard.press("Tab")
        tab.wait_for_timeout(120)
        here = tab.evaluate(FOCUSED)
        if here is None:
            break
        seen.append(here["name"])
        clip = {
            "x": max(0, here["x"] - 8), "y": max(0, here["y"] - 8), "width": here["width"] + 16, "height": here["height"] + 16,
        }  # fmt: skip
        focused = tab.screenshot(clip=clip)
        # The walk goes on from here all the same.
        tab.evaluate(BLUR)
        tab.wait_for_timeout(350)
        if tab.screenshot(clip=clip) == focused:
            plain.append(here)
    assert len(seen) > 25
    assert all(seen), seen
    assert not plain
    said = " | ".join(seen)
    for wanted in ("Help", "theme", "Model", "Task", START[name], "arrows go from point to point", "Menu of this panel"):
        assert wanted in said


@pytest.mark.parametrize("name", ["circuits"], indirect=True)
def test_a_map_is_made_walked_and_a_head_opened_by_keys_alone(tab, views):
    to(tab, "Run")
    press(tab, "Enter")
    tab.get_by_text("Done.", exact=True).wait_for(timeout=2 * EXPECT)
    tab.locator(".nsewdrag").first.wait_for(timeout=EXPECT)
    quiet(tab)
    to(tab, "Activation patching")
    press(tab, "ArrowRight", "ArrowUp", *["ArrowRight"] * 3)
    until(tab, lambda: "head 3" in tab.locator(".js-plotly-plot").first.evaluate(HOVER))
    assert "layer 1" in tab.locator(".js-plotly-plot").first.evaluate(HOVER)
    press(tab, *["ArrowRight"] * (families.HEADS + 2))
    assert f"head {families.HEADS - 1}" in tab.locator(".js-plotly-plot").first.evaluate(HOVER), "it stays within the map"
    assert views[-1].attention.layer is None, "pointing stays in the browser"
    press(tab, *["ArrowLeft"] * (families.HEADS - 2), "Enter")
    tab.get_by_text("Attention in layer 1, head 1: clean prompt 1").wait_for(timeout=EXPECT)
    press(tab, "ArrowRight", "Enter")
    tab.get_by_text("Attention in layer 1, head 2: clean prompt 1").wait_for(timeout=EXPECT)
    press(tab, "ArrowRight", "Escape")
    until(tab, lambda: not tab.locator(".js-plotly-plot").first.evaluate(HOVER))
    # A row of the table does what a cell does.
    to(tab, "")
    row = to(tab, "2")
    while row["tag"] != "TR":
        row = to(tab, "2")
    press(tab, "Enter")
    layer, head = row["name"][0], row["name"][1]
    tab.get_by_text(f"Attention in layer {layer}, head {head}: clean prompt 1").wait_for(timeout=EXPECT)


@pytest.mark.parametrize("name", ["circuits"], indirect=True)
def test_a_circuit_is_found_resized_and_a_node_replaced_by_keys_alone(tab, url, views):
    tab.goto(f"{url}?{FOUND}&task.n=6&method.n_edges=20")
    tab.get_by_role("button", name="Run").wait_for(timeout=EXPECT)
    quiet(tab)
    to(tab, "Run")
    press(tab, "Enter")
    drawn(tab, edges=lambda count: count > 0)
    quiet(tab)
    size = views[-1].sizes.chosen
    while to(tab, "")["type"] != "range":
        pass
    press(tab, "ArrowRight")
    until(tab, lambda: (views[-1].size or size) > size)
    while to(tab, "")["tag"] != "CANVAS":
        pass
    press(tab, "ArrowUp", "ArrowUp", "Enter")
    until(tab, lambda: bool(views[-1].ablation.place))
    quiet(tab)
    to(tab, "Zero")
    press(tab, "Enter")
    tab.get_by_text("Right answer").first.wait_for(timeout=2 * EXPECT)
    to(tab, "Undo")
    press(tab, "Enter")
    tab.get_by_text("Right answer").first.wait_for(state="hidden", timeout=EXPECT)


@pytest.mark.parametrize("name", ["maps"], indirect=True)
def test_maps_are_computed_previewed_locked_and_let_go_by_keys_alone(tab, views):
    to(tab, "Compute")
    press(tab, "Enter")
    tab.get_by_text("Done.", exact=True).wait_for(timeout=2 * EXPECT)
    quiet(tab, 2)
    to(tab, "Attribution patching")
    press(tab, "ArrowRight", "ArrowUp", "ArrowRight")

    def previewed():
        return sum("head 1" in one for one in tab.locator(".js-plotly-plot").evaluate_all(f"plots => plots.map({HOVER})"))

    until(tab, lambda: previewed() == 3)
    press(tab, "Enter")
    until(tab, lambda: views[-1].frame == {"layer": 1, "head": 1})
    quiet(tab)
    press(tab, "ArrowRight")
    until(tab, lambda: views[-1].frame == {"layer": 1, "head": 2})
    press(tab, "Escape")
    until(tab, lambda: views[-1].cell is None)
