"""From a node of a circuit's network to the row of its head and back, in headless Chromium, with no network."""

import re
from importlib import import_module

import pytest

from tests.pages.conftest import EXPECT, open_dark, served, until
from tests.pages.test_circuits_page import FOUND, drawn
from workbench.store import Store
from workbench.views.circuits import Circuits
from workbench.views.heads import Heads
from workbench.views.looks import Looks
from workbench.views.residual import Residual

pytestmark = pytest.mark.browser

VIEWS = {"circuits": Circuits, "heads": Heads, "attention": Looks, "residual": Residual}


@pytest.fixture
def url(jobs, views, tmp_path, monkeypatch):
    """The pages that know of heads, on one server with one store; that of circuits."""
    monkeypatch.setenv("WORKBENCH_PAGES", " ".join(VIEWS))

    def session(name):
        views.append(VIEWS[name](jobs, Store(tmp_path / "store")))
        return import_module(f"workbench.pages.{name}").page(views[-1])

    with served({f"/{name}": lambda name=name: session(name) for name in VIEWS}) as made:
        yield made


@pytest.fixture
def button():
    """The button that says the page has loaded."""
    return "Run"


def point_at_a_head(tab):
    """Move the pointer over the network until it is on a head; its name."""
    canvas = tab.locator("canvas.base")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    for up in range(8, int(box["height"]), 12):
        for across in range(20, int(box["width"]), 16):
            tab.mouse.move(box["x"] + across, box["y"] + up)
            at = canvas.evaluate("each => each.dataset.at ?? ''")
            if re.fullmatch(r"a\d+\.h\d+", at):
                return at
    raise AssertionError("no head is drawn")


@pytest.mark.slow
def test_a_node_leads_to_the_row_of_its_head_and_that_back_to_the_node(tab, url, views):
    tab.goto(f"{url}?{FOUND}&task.n=6&method.n_edges=20")
    tab.get_by_role("button", name="Run").click(timeout=EXPECT)
    tab.get_by_text("20 edges asked for").first.wait_for(timeout=5 * EXPECT)
    drawn(tab, edges=lambda count: count > 0)
    tab.wait_for_function("location.search.includes('result=')", timeout=EXPECT)
    open_dark(tab)
    drawn(tab, edges=lambda count: count > 0)
    circuit = views[-1]
    node = point_at_a_head(tab)
    tab.mouse.down()
    tab.mouse.up()
    until(tab, lambda: circuit.ablation.place == node)
    layer, head = map(int, node[1:].split(".h"))
    for page in ("attention", "residual stream"):
        tab.get_by_role("link", name=f"{page}, head {layer}.{head}").wait_for(timeout=EXPECT)
    tab.get_by_role("link", name=f"row among all heads, head {layer}.{head}").click()
    tab.get_by_text(f"Head {layer}.{head}", exact=True).wait_for(timeout=EXPECT)
    until(tab, lambda: isinstance(views[-1], Heads) and views[-1].head.head == (layer, head))
    assert views[-1].placed.ref == "tiny:repeat"
    assert (views[-1].task, views[-1].options["n"]) == ("repeated_tokens", 6)
    edges = int(circuit.result.parts["kept"].values.sum())
    assert "theme=dark" in tab.url
    back = tab.get_by_role("link", name="In the circuit of").filter(has_text=f"{edges:,} edges")
    back.wait_for(timeout=EXPECT)
    back.click()
    tab.get_by_text("Shown from the store.").wait_for(timeout=EXPECT)
    until(tab, lambda: isinstance(views[-1], Circuits) and views[-1].ablation.place == node)
    assert views[-1].key == circuit.key
    tab.get_by_text(re.compile("^all its .* edges out")).wait_for(timeout=EXPECT)
    tab.get_by_role("button", name="Zero").wait_for(timeout=EXPECT)
    tab.get_by_text(f"Attention in layer {layer}, head {head}: clean prompt 1").wait_for(timeout=EXPECT)
    assert views[-1].ablation.why_not(node) == ""
    assert "theme=dark" in tab.url
