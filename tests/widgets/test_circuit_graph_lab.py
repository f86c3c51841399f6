"""The network of a circuit in a real JupyterLab: drawn, clicked, walked by a slider, and heard in Python."""

import pytest

from tests.pages.conftest import EXPECT, chromium  # noqa: F401
from tests.widgets.conftest import ran, until

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CELL = """
import ipywidgets, numpy as np
from workbench import circuit_graph
from workbench.edges.estimate import as_circuit
from workbench.graph import Graph
plan = Graph(2, 3, 3)
scores = np.cos(np.arange(plan.n_edges))
graph = circuit_graph(as_circuit(plan, "<b>Circuit</b>", "logits", scores, None, {}, {}), top=40)
slider = ipywidgets.IntSlider(40, 1, 40)
slider.observe(lambda change: graph.resize(change.new), "value")
graph.observe(lambda change: print(change.new, file=open("heard.txt", "a")), "selected")
ipywidgets.VBox([slider, graph])
"""
COLOURS = """canvas => new Set(new Uint32Array(
  canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size"""


def pointed(tab, canvas, is_edge):
    """Point at a node or an edge of the network; gives its name."""
    box = canvas.bounding_box()
    for up in range(8, int(box["height"]), 9):
        for across in range(100, int(box["width"]), 23):
            tab.mouse.move(box["x"] + across, box["y"] + up)
            at = canvas.get_attribute("data-at")
            if at and ("→" in at) == is_edge:
                return at.replace(" → ", "->")
    raise AssertionError("nothing is pointed at")


def test_in_jupyterlab_the_graph_is_drawn_clicked_and_resized_and_python_hears(chromium, lab, tmp_path):  # noqa: F811
    tab = chromium.new_page(viewport={"width": 1300, "height": 1000})
    requests = []
    tab.on("request", lambda request: requests.append(request.url))
    ran(tab, lab)
    canvas, heard = tab.locator("canvas.base"), tmp_path / "heard.txt"
    canvas.scroll_into_view_if_needed()
    assert canvas.get_attribute("data-edges") == "40"
    assert canvas.evaluate(COLOURS) > 10
    for is_edge in (False, True):
        name = pointed(tab, canvas, is_edge)
        tab.mouse.down()
        tab.mouse.up()
        until(tab, lambda name=name: heard.is_file() and heard.read_text().splitlines()[-1:] == [name], EXPECT / 1000)
    tab.locator(".noUi-handle").focus()
    tab.keyboard.press("ArrowLeft")
    tab.locator("canvas.base[data-edges='39']").wait_for(timeout=EXPECT)
    assert canvas.evaluate(COLOURS) > 10
    assert not [one for one in requests if not one.startswith(("http://127.0.0.1", "data:", "blob:"))]
    tab.close()
