"""The menu of what is drawn on canvas, in headless Chromium: its SVG, and its place in a panel that fills the window."""

import base64
from xml.etree import ElementTree

import numpy as np
import pytest

from tests.pages.conftest import EXPECT, served_panels, until
from tests.pages.test_menu import saved
from tests.views.test_circuit_size import found
from tests.widgets.test_attention_grid import made as attention
from workbench.widgets.attention_grid import ATTENTION_GRID, state_of
from workbench.widgets.circuit_graph import CIRCUIT_GRAPH, state
from workbench.widgets.widget import Widget

pytestmark = pytest.mark.browser

HOSTILE = "<script>window.hacked=1</script>&\x01]]>"
GROUND = {"light": "#ffffff", "dark": "#17191d"}
SPACE = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def shown(chromium):
    """Opens a page of one component with its menu; gives its tab and the component of that session."""
    import panel as pn

    from workbench.pages.menu import Menu, menued
    from workbench.pages.shown import paper
    from workbench.pages.widget import panel_class

    tabs, servers = [], []

    def open_page(widget: Widget, result, theme, dots, given):
        panes = []

        def panels():
            menu, pane = Menu(), panel_class(widget)(margin=0, **given)
            menu.show(result)
            panes.append(pane)
            return [paper(menued(menu, pn.pane.HTML("Above it"), pane))]

        servers.append(served_panels(panels, dark_theme=theme == "dark"))
        tab = chromium.new_page(viewport={"width": 1400, "height": 900}, device_scale_factor=dots)
        tab.problems, requests = [], []
        tab.on("pageerror", lambda problem: tab.problems.append(str(problem)))
        tab.on("request", lambda request: requests.append(request.url))
        tab.requests = requests
        tabs.append(tab)
        tab.goto(servers[-1].__enter__())
        tab.locator("canvas.base[data-drawn]").wait_for(timeout=EXPECT)
        tab.wait_for_timeout(300)
        return tab, panes[-1]

    yield open_page
    for tab in tabs:
        assert tab.evaluate("window.hacked") is None
        assert not tab.problems
        assert not [each for each in tab.requests if not each.startswith(("http://127.0.0.1", "data:", "blob:"))]
        tab.close()
    for server in servers:
        server.__exit__(None, None, None)


@pytest.fixture
def graph(shown):
    """A page of a circuit with a node and a label that would like to be HTML, and one node and one edge replaced."""

    def open_graph(theme="light", dots=1):
        circuit = found(size=60)
        told = state(circuit, theme=theme)
        told["nodes"] = [HOSTILE, *told["nodes"][1:]]
        told["labels"] = ["<i>&", *told["labels"][1:]]
        edge = next(name for name in circuit.names()[circuit.parts["kept"].values] if name.startswith("a0.h1->"))
        told["replaced"] = {"a0.h1": "zero", edge: "mean"}
        return *shown(CIRCUIT_GRAPH, circuit, theme, dots, told), told

    return open_graph


@pytest.fixture
def grid(shown):
    """A page of a grid with tokens that would like to be HTML."""

    def open_grid(theme="light", dots=1, layers=2, heads=3, **given):
        result = attention(layers, heads)
        told = state_of(result) | {"theme": theme} | given
        told["about"] = told["about"] | {"words": [HOSTILE[:6], "&amp;", "<b>", "]]>", "d"]}
        return *shown(ATTENTION_GRID, result, theme, dots, {**told, "sizing_mode": "stretch_width"}), result

    return open_grid


def drawing(tab, path):
    """The SVG that the menu saves: read as XML, without anything that runs or is fetched."""
    name = saved(tab, "Save SVG", path)
    assert name.endswith(".svg")
    root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
    width, height = float(root.get("width")), float(root.get("height"))
    assert root.get("viewBox") == f"0 0 {root.get('width')} {root.get('height')}"
    assert {each.tag.removeprefix(SPACE) for each in root.iter()} <= {"svg", "g", "path", "rect", "text", "title", "image"}
    for each in root.iter():
        for key, value in each.attrib.items():
            assert not key.startswith("on")
            assert "url(" not in value
            assert "href" not in key or value.startswith("data:image/png;base64,")
    return root, width, height


def named(root, kind):
    """What is said to be of a kind, by its title; each once."""
    every = [each for each in root.iter() if each.get("class") == kind]
    titles = [each.find(f"{SPACE}title").text for each in every]
    assert len(set(titles)) == len(titles)
    return dict(zip(titles, every, strict=True))


def texts(root):
    return [each.text for each in root.iter(f"{SPACE}text")]


# Shares of pixels in which two pictures differ plainly: the file as a browser draws it, the canvases as they are saved.
COMPARED = """async ([one, other]) => {
  const drawn = await Promise.all([one, other].map(async (url) => {
    const image = new Image()
    image.src = url
    await image.decode()
    return image
  }))
  const [width, height] = [drawn[1].naturalWidth, drawn[1].naturalHeight]
  const [before, after] = drawn.map((image) => {
    const canvas = Object.assign(document.createElement("canvas"), {width, height})
    const pen = canvas.getContext("2d")
    pen.drawImage(image, 0, 0, width, height)
    return pen.getImageData(0, 0, width, height).data
  })
  let count = 0, drawnOn = 0
  for (let at = 0; at < before.length; at += 4) {
    const far = [0, 1, 2].map((i) => Math.abs(before[at + i] - after[at + i]))
    if (Math.max(...far) > 48) count += 1
    if ([0, 1, 2].some((i) => Math.abs(after[at + i] - after[i]) > 48)) drawnOn += 1
  }
  const all = before.length / 4
  return [count / all, drawnOn / all, drawn[0].naturalWidth - width, drawn[0].naturalHeight - height]
}"""


PIXELS = """async (url) => {
  const image = new Image()
  image.src = url
  await image.decode()
  const canvas = Object.assign(document.createElement("canvas"), {width: image.width, height: image.height})
  const pen = canvas.getContext("2d")
  pen.drawImage(image, 0, 0)
  return [image.width, [...pen.getImageData(0, 0, image.width, image.height).data]]
}"""


def looks_alike(tab, svg, png, but=0.1):
    saved(tab, "Save PNG", png)
    urls = [
        f"data:image/{kind};base64,{base64.b64encode(file.read_bytes()).decode()}"
        for kind, file in (("svg+xml", svg), ("png", png))
    ]
    differs, drawn_on, wider, higher = tab.evaluate(COMPARED, urls)
    assert drawn_on > 0.02
    assert differs < but * drawn_on
    assert abs(wider) <= 1
    assert abs(higher) <= 1


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_svg_of_a_circuit_has_its_nodes_and_edges_and_looks_like_its_canvas(graph, theme, tmp_path):
    tab, _, told = graph(theme)
    root, *_ = drawing(tab, tmp_path / "a.svg")
    ends, slots = np.frombuffer(told["ends"], np.int32).reshape(-1, 2), np.frombuffer(told["slots"], np.uint8)
    # What no XML may hold is the character for what is unknown.
    names = [name.replace("\x01", "\ufffd") for name in told["nodes"]]
    wanted = {
        f"{names[one]} → {names[other]}{['', '<q>', '<k>', '<v>'][slot]}"
        for (one, other), slot in zip(ends, slots, strict=True)
    }
    edges, nodes = named(root, "edge"), named(root, "node")
    assert edges.keys() == wanted
    assert all(edge.tag == f"{SPACE}path" for edge in edges.values())
    assert nodes.keys() == set(names)
    labels = [node.find(f"{SPACE}text").text for node in nodes.values()]
    assert labels == told["labels"]
    assert set(told["rows"]) <= set(texts(root))
    assert root.find(f"{SPACE}rect").get("fill") == GROUND[theme]
    looks_alike(tab, tmp_path / "a.svg", tmp_path / "a.png")


@pytest.mark.parametrize(
    ("theme", "given"), [("light", {}), ("dark", {"sort": "here induction", "locked": 4, "pinned": [3, -1]})]
)
def test_the_svg_of_a_grid_has_a_picture_for_every_head_and_its_labels_as_text(grid, theme, given, tmp_path):
    tab, _, result = grid(theme, **given)
    root, *_ = drawing(tab, tmp_path / "a.svg")
    heads = named(root, "head")
    assert heads.keys() == {f"{layer}.{head}" for layer in range(2) for head in range(3)}
    for name, head in heads.items():
        (picture,) = head.findall(f"{SPACE}image")
        assert picture.get("image-rendering") == "pixelated"
        # A pixel for each pair of tokens, and none for later tokens.
        width, pixels = tab.evaluate(PIXELS, picture.get("href"))
        assert (width, len(pixels)) == (5, 4 * 5 * 5)
        colours = np.array(pixels).reshape(5, 5, 4)
        apart = np.abs(colours - colours[0, 4]).sum(-1)
        assert (apart[np.triu_indices(5, 1)] == 0).all()
        values = result.values.values[tuple(map(int, name.split(".")))]
        if not given:
            assert (apart[values > 0] > 0).all()
            assert apart.flat[np.argmax(values)] == apart.max()
    said = texts(root)
    if given:
        assert [head.find(f"{SPACE}text").text for head in heads.values()] == list(heads)
        assert list(heads) != sorted(heads)
    else:
        assert {"layer", "0", "1", "2"} <= set(said)
    (large,) = named(root, "large").values()
    assert len(large.findall(f"{SPACE}image")) == 1
    # The tokens of the large head, down and across.
    for word in (HOSTILE[:6], "&amp;", "<b>", "]]>", "d"):
        assert said.count(word) == 2
    assert root.find(f"{SPACE}rect").get("fill") == GROUND[theme]
    looks_alike(tab, tmp_path / "a.svg", tmp_path / "a.png")


def test_heads_that_are_scrolled_in_a_box_do_not_cover_what_stands_below_it(grid, tmp_path):
    tab, *_ = grid(layers=30, heads=30)
    tab.set_viewport_size({"width": 700, "height": 900})
    tab.wait_for_timeout(500)
    low = tab.locator("canvas.base").bounding_box()
    assert low["y"] + low["height"] > tab.locator("canvas.one").bounding_box()["y"]
    root, _, height = drawing(tab, tmp_path / "a.svg")
    base, over, one = root.findall(f"{SPACE}svg")
    assert len(named(root, "head")) == 900
    assert float(one.get("y")) >= float(base.get("height")) - 1
    assert over.get("y") == base.get("y") == "0"
    assert height >= float(one.get("y")) + float(one.get("height")) - 1
    # Where a cell is three pixels wide, its edge falls on another one.
    looks_alike(tab, tmp_path / "a.svg", tmp_path / "a.png", but=0.2)


def crisp(canvas):
    """The canvas's place on the page; it has a pixel for each of the screen's."""
    box = canvas.bounding_box()
    sizes = canvas.evaluate("each => [each.width, each.height].map((one) => one / devicePixelRatio)")
    assert np.abs(np.subtract(sizes, [box["width"], box["height"]])).max() <= 0.5
    return box


def press(tab, name):
    """Press the button that makes a panel large or small."""
    tab.get_by_role("button", name=name).click()
    tab.wait_for_timeout(300)


COLOUR = """(canvas, [across, up]) => {
  const dots = canvas.width / canvas.getBoundingClientRect().width
  return [...canvas.getContext("2d").getImageData(Math.round(across * dots), Math.round(up * dots), 1, 1).data]
}"""


def every_node_is_hit(tab, pane, told, path):
    """Click each node where the file has it: it is drawn there, said there, and selected."""
    root, *_ = drawing(tab, path)
    inner = root.findall(f"{SPACE}svg")[0]
    scale = float(inner.get("width")) / float(inner.get("viewBox").split()[2])
    canvas = tab.locator("canvas.base")
    box = canvas.bounding_box()
    for name, node in zip(told["nodes"], named(root, "node").values(), strict=True):
        if name in told["replaced"]:
            continue
        rects = node.findall(f"{SPACE}rect")
        x, y, width, height = (scale * float(rects[0].get(one)) for one in ("x", "y", "width", "height"))
        fill = rects[0].get("fill")
        drawn = canvas.evaluate(COLOUR, [x + 0.9 * width, y + 0.15 * height])
        assert drawn == [*bytes.fromhex(fill[1:]), 255]
        tab.mouse.move(box["x"] + x + 0.9 * width, box["y"] + y + height / 2)
        assert canvas.get_attribute("data-at") == name
        tip = tab.locator(".tip").bounding_box()
        assert abs(tip["x"] - (box["x"] + x + width)) < 60 + tip["width"]
        tab.mouse.down()
        tab.mouse.up()
        until(tab, lambda name=name: pane.selected == name)
    return scale


@pytest.mark.parametrize(("theme", "dots"), [("light", 2), ("dark", 1)])
def test_maximised_a_circuit_is_drawn_larger_and_its_nodes_are_hit_where_they_stand(graph, theme, dots, tmp_path):
    tab, pane, told = graph(theme, dots)
    canvas = tab.locator("canvas.base")
    small = crisp(canvas)
    press(tab, "Maximise this panel")
    large = crisp(canvas)
    assert large["width"] > 1.5 * small["width"]
    assert large["height"] > 1.5 * small["height"]
    assert large["x"] + large["width"] <= 1400
    assert large["y"] + large["height"] <= 900
    # Boxes and labels are larger too, and not only what lies between them.
    assert every_node_is_hit(tab, pane, told, tmp_path / "large.svg") > 1.5
    tab.screenshot(path=tmp_path / "large.png")
    tab.set_viewport_size({"width": 1100, "height": 900})
    until(tab, lambda: canvas.bounding_box()["width"] <= 1100)
    # What is drawn anew meanwhile stays large.
    pane.replaced = {}
    tab.wait_for_timeout(300)
    assert canvas.bounding_box()["width"] > 1000
    tab.set_viewport_size({"width": 1400, "height": 900})
    tab.wait_for_timeout(300)
    assert crisp(canvas) == large
    before = pane.selected
    assert before
    canvas.focus()
    tab.keyboard.press("Escape")
    tab.wait_for_timeout(300)
    assert crisp(canvas) == small
    assert pane.selected == before
    assert every_node_is_hit(tab, pane, told, tmp_path / "small.svg") == 1


def test_maximised_a_grid_is_drawn_larger_and_its_heads_are_hit_where_they_stand(grid, tmp_path):
    tab, pane, _ = grid("light", 2)
    over, base = tab.locator("canvas.over"), tab.locator("canvas.base")

    def spots():
        said = base.evaluate("canvas => canvas.dataset.spots")
        return {name: list(map(float, at.split(","))) for name, at in (one.split(":") for one in said.split(" "))}

    def lock(head, index):
        x, y, size = spots()[head]
        over.click(position={"x": x + size * 0.3, "y": y + size * 0.8})
        until(tab, lambda: pane.locked == index)

    small, before = [crisp(tab.locator(f"canvas.{name}")) for name in ("base", "one")], spots()
    press(tab, "Maximise this panel")
    large, after = [crisp(tab.locator(f"canvas.{name}")) for name in ("base", "one")], spots()
    for one, other in zip(small, large, strict=True):
        assert other["width"] > 1.1 * one["width"]
    assert after["0.0"][2] > 1.1 * before["0.0"][2]
    lock("1.1", 4)
    lock("0.2", 2)
    tab.screenshot(path=tmp_path / "large.png")
    over.focus()
    tab.keyboard.press("Escape")
    tab.wait_for_timeout(300)
    assert [crisp(tab.locator(f"canvas.{name}")) for name in ("base", "one")] == small
    assert pane.locked == 2
    lock("1.0", 3)
