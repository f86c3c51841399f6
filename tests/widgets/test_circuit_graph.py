"""The network of a circuit: what is sent, where boxes stand, and a file of it pointed at and walked through, offline."""

import numpy as np
import pytest
import xarray as xr

from tests.pages.conftest import EXPECT, chromium  # noqa: F401
from tests.views.test_circuit_size import GRAPH, SCORES, found, scored
from workbench.edges.estimate import as_circuit
from workbench.errors import BadInput
from workbench.graph import Graph
from workbench.plots.hues import hue
from workbench.plots.layers import ordered, placed, row_of
from workbench.widgets.circuit_graph import CIRCUIT_GRAPH, circuit_graph, state
from workbench.widgets.layered import Network
from workbench.widgets.widget import static

HOSTILE = "<img src=x onerror=window.hacked=1>"


def told(name, sent, dtype):
    return np.frombuffer(sent[name], dtype)


def crossings(places, ends):
    """Pairs of edges between the same two rows that cross."""
    count = 0
    for one, (a, b) in enumerate(ends):
        for c, d in ends[:one]:
            if places[a, 1] == places[c, 1] and places[b, 1] == places[d, 1]:
                count += (places[a, 0] - places[c, 0]) * (places[b, 0] - places[d, 0]) < 0
    return count


def test_edges_and_scores_are_the_circuits_own():
    circuit = found(size=60)
    sent = state(circuit)
    names, ends = sent["nodes"], told("ends", sent, np.int32).reshape(-1, 2)
    slots = ["", "<q>", "<k>", "<v>"]
    drawn = {
        f"{names[one]}->{names[other]}{slots[slot]}": score
        for (one, other), slot, score in zip(ends, told("slots", sent, np.uint8), told("scores", sent, np.float32), strict=True)
    }
    kept = circuit.parts["kept"].values
    wanted = dict(zip(circuit.names()[kept], SCORES[kept], strict=True))
    assert drawn.keys() == wanted.keys()
    np.testing.assert_allclose([drawn[name] for name in wanted], list(wanted.values()), rtol=1e-6)
    src = circuit.values.coords["src"].values
    for name, score in zip(names, told("node_scores", sent, np.float32), strict=True):
        if name in GRAPH.sources:
            assert score == pytest.approx(SCORES[src == GRAPH.source(name)].sum(), rel=1e-5)
        else:
            assert np.isnan(score)


def test_a_box_of_one_head_has_that_heads_hue():
    sent = state(found(size=60))
    hues = dict(zip(sent["nodes"], sent["hues"], strict=True))
    assert any(name.startswith("a") for name in hues)
    for name, turn in hues.items():
        layer, _, head = name.partition(".h")
        assert turn == (hue(int(layer[1:]) * GRAPH.n_heads + int(head)) if head else None)


def test_another_size_is_another_mask_and_hides_the_nodes_it_does_not_join():
    circuit = found(size=60)
    network = Network(circuit, np.flatnonzero(circuit.parts["kept"].values))
    few = circuit.parts["kept"].values.copy()
    few[np.flatnonzero(few)[6:]] = False
    sized = network.sized(few)
    shown = told("shown", sized, np.uint8)
    assert shown.sum() == 6
    places = told("places", sized, np.float32).reshape(-1, 2)
    ends = told("ends", network.sent, np.int32).reshape(-1, 2)
    joined = np.zeros(len(places), bool)
    joined[ends[shown > 0].ravel()] = True
    np.testing.assert_array_equal(~np.isnan(places[:, 0]), joined)
    assert len(sized["rows"]) == len(set(places[joined, 1]))
    assert network.holds(few)
    assert not network.holds(np.ones_like(few))


def test_rows_rise_from_the_input_and_strong_edges_cross_less():
    rng = np.random.default_rng(0)
    graph = Graph(4, 8, 8)
    names = [name for name in graph.sources if name.startswith("a")]
    rows = np.array([row_of(graph, name) for name in names])
    ends = np.array([(one, 8 + other) for one, other in enumerate(rng.permutation(8))])
    everything = np.ones(len(names), bool)
    before, _ = placed(graph, rows, np.argsort(rows, kind="stable"), everything)
    after, said = placed(graph, rows, ordered(rows, ends, np.ones(len(ends))), everything)
    assert crossings(before, ends) > 5
    assert crossings(after, ends) == 0
    assert said == ["layer 0", "layer 1", "layer 2", "layer 3"]
    np.testing.assert_array_equal(np.sort(after[:8, 0]), np.sort(before[:8, 0]))


def test_a_reference_is_told_apart_edge_by_edge():
    one, other = found(size=60), found(size=60, absolute=False)
    sent = state(one, reference=other)
    both = [circuit.parts["kept"].values for circuit in (one, other)]
    shown = told("shown", sent, np.uint8)
    np.testing.assert_array_equal(np.bincount(shown, minlength=4)[1:], [
        (both[0] & ~both[1]).sum(), (both[1] & ~both[0]).sum(), (both[0] & both[1]).sum(),
    ])  # fmt: skip
    assert sent["comparing"]
    assert len(set(shown)) == 3


def test_what_cannot_be_drawn_says_why():
    empty = found().replace(parts={**found().parts, "kept": xr.DataArray(np.zeros(GRAPH.n_edges, bool), dims=("edge",))})
    with pytest.raises(BadInput, match="must keep an edge"):
        state(empty)
    graph = Graph(2, 2, 2)
    other = as_circuit(graph, "Other", "logits", np.ones(graph.n_edges), None, {}, {})
    with pytest.raises(BadInput, match="same graph"):
        state(found(), reference=other)
    for wrong in ({"top": 0}, {"width": 10}, {"theme": "pink"}, {"palette": "viridis"}):
        with pytest.raises(BadInput):
            state(found(), **wrong)
    assert told("shown", state(scored(), top=7), np.uint8).size == 7


def test_in_a_notebook_it_is_a_widget():
    made = circuit_graph(found(size=60), reference=found(size=60, absolute=False))
    assert made.selected == ""
    assert made.nodes[0] == "input"
    before = np.frombuffer(made.shown, np.uint8)
    made.resize(6)
    after = np.frombuffer(made.shown, np.uint8)
    assert ((after & 1) > 0).sum() == 6
    np.testing.assert_array_equal(after & 2, before & 2)
    made.resize(1000)
    np.testing.assert_array_equal(np.frombuffer(made.shown, np.uint8), before)
    with pytest.raises(BadInput, match="size must be"):
        made.resize(0)


@pytest.fixture
def tab(chromium, tmp_path):  # noqa: F811
    """A file of a circuit under a policy that allows no request."""
    allowed = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'"
    policy = f'<meta http-equiv=Content-Security-Policy content="{allowed}">'
    circuit = found(size=60).replace(unit=HOSTILE, title=HOSTILE)
    shown = static(CIRCUIT_GRAPH, {**state(circuit), "replaced": {"a0.h1": "zero"}})
    file = tmp_path / "network.html"
    file.write_text(f"<!doctype html><meta charset=utf-8>{policy}<body>{shown}")
    made, errors, requests = chromium.new_page(viewport={"width": 900, "height": 700}), [], []
    made.on("pageerror", lambda problem: errors.append(str(problem)))
    made.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    made.on("request", lambda request: requests.append(request.url))
    made.goto(file.as_uri())
    made.locator("canvas.base").wait_for(timeout=EXPECT)
    yield made
    assert made.evaluate("window.hacked") is None
    made.close()
    assert not errors
    assert requests == [file.as_uri()]


# Every row from its left end to its right, and at each node through all of its edges.
WALK = """canvas => {
  const press = (key) => {
    canvas.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }))
    return canvas.dataset.at
  }
  const seen = new Set(), edges = new Set()
  for (let row = 0, before = ""; row < 20; row++) {
    let at = press("ArrowUp")
    for (let step = 0; step < 10; step++) at = press("ArrowLeft")
    if (at === before) break
    before = at
    for (let step = 0; step < 10; step++) {
      seen.add(at)
      const mine = new Set()
      for (let edge = press("e"); !mine.has(edge); edge = press("e")) mine.add(edge)
      for (const edge of mine) edges.add(edge)
      const next = press("ArrowRight")
      if (seen.has(next)) break
      at = next
    }
  }
  return [[...seen], [...edges]]
}"""


def said(tab):
    return tab.locator("canvas.base").evaluate("each => ({...each.dataset})")


def test_the_keyboard_reaches_every_node_and_edge(tab):
    canvas = tab.locator("canvas.base")
    kept = found(size=60).parts["kept"].values
    assert int(said(tab)["edges"]) == kept.sum()
    tab.keyboard.press("Tab")
    assert canvas.evaluate("each => each === document.activeElement")
    seen, edges = (set(each) for each in canvas.evaluate(WALK))
    names = {name.replace("->", " → ") for name in found(size=60).names()[kept]}
    assert edges == names
    assert len(seen) == sum(len(place) > 0 for place in seen) == len(state(found(size=60))["nodes"])
    canvas.press("ArrowDown")
    assert HOSTILE in tab.locator(".tip").text_content()
    canvas.press("Escape")
    assert said(tab)["at"] == ""


def test_the_pointer_finds_the_nearest_and_shift_holds_it(tab):
    canvas = tab.locator("canvas.base")
    box = canvas.bounding_box()
    canvas.focus()
    canvas.press("ArrowUp")
    assert said(tab)["at"] == "input"
    tip = tab.locator(".tip").bounding_box()
    assert box["x"] <= tip["x"]
    assert tip["x"] + tip["width"] <= box["x"] + box["width"]
    tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + 8)
    found_at = {""}
    for step in range(60):
        tab.mouse.move(box["x"] + 90 + 10 * step, box["y"] + box["height"] / 2)
        found_at.add(said(tab)["at"])
    assert len(found_at) > 8
    tab.mouse.move(box["x"] + 2, box["y"] + 2)
    for step in range(60):
        tab.mouse.move(box["x"] + 90 + 10 * step, box["y"] + box["height"] / 2)
        if said(tab)["at"]:
            break
    held = said(tab)["at"]
    tab.keyboard.down("Shift")
    for step in range(30):
        tab.mouse.move(box["x"] + 120 + 15 * step, box["y"] + box["height"] / 3)
    assert said(tab)["at"] == held
    tab.keyboard.up("Shift")


def test_it_is_moved_zoomed_and_put_back(tab):
    canvas = tab.locator("canvas.base")
    box = canvas.bounding_box()
    first = canvas.evaluate("each => each.toDataURL()")
    tab.mouse.move(box["x"] + 200, box["y"] + 100)
    tab.mouse.wheel(0, -300)
    assert canvas.evaluate("each => each.toDataURL()") == first, "the page is scrolled, until the network was clicked"
    canvas.focus()
    tab.mouse.wheel(0, -300)
    tab.wait_for_function("Number(document.querySelector('canvas.base').dataset.drawn) > 1", timeout=EXPECT)
    assert canvas.evaluate("each => each.toDataURL()") != first
    tab.mouse.down()
    tab.mouse.move(box["x"] + 300, box["y"] + 180, steps=4)
    tab.mouse.up()
    canvas.press("0")
    assert canvas.evaluate("each => each.toDataURL()") == first
