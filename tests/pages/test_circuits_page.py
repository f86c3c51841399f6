"""The circuits page in headless Chromium, on a tiny model, with no network."""

import json
import threading
import time
from dataclasses import replace

import pytest

from tests import families
from tests.pages.conftest import EXPECT, until
from workbench.views.circuits import Circuits

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=window.hacked=1> <script>window.hacked=1</script>"
ROWS = "clean,corrupt,right,wrong\na b c d e,a b f d e,g,h\nb c d e f,b c a e f,i,j\n"


@pytest.fixture
def url(serve, tiny):
    """The page, served; set to the tiny model and two pairs."""
    return serve("circuits", Circuits, model=tiny, task="custom", rows=ROWS)


@pytest.fixture
def button():
    """The button that says the page has loaded."""
    return "Run"


def run(tab):
    tab.get_by_role("button", name="Run").click()
    tab.get_by_text("Done.", exact=True).wait_for(timeout=EXPECT)
    tab.locator(".nsewdrag").first.wait_for(timeout=EXPECT)


def click_cell(tab, row, column, rows=families.LAYERS, columns=families.HEADS):
    tab.wait_for_timeout(500)
    box = tab.locator(".nsewdrag").first.bounding_box()
    tab.mouse.click(box["x"] + box["width"] * (column + 0.5) / columns, box["y"] + box["height"] * (rows - row - 0.5) / rows)


def test_one_click_gives_the_map_and_one_more_the_attention(tab, views):
    run(tab)
    tab.get_by_text("Baseline").first.wait_for(timeout=EXPECT)
    assert tab.get_by_text("logits", exact=True).count() >= 1
    click_cell(tab, row=1, column=3)
    tab.get_by_text("Attention in layer 1, head 3: clean prompt 1").wait_for(timeout=EXPECT)
    ticks = [tab.locator(f".js-plotly-plot:nth-of-type(1) .{axis}tick text").all_text_contents() for axis in "xy"]
    assert all(each[-5:] == list("abcde") for each in ticks), ticks
    assert (views[-1].attention.layer, views[-1].attention.head) == (1, 3)
    tab.get_by_role("button", name="corrupt").click()
    tab.get_by_text("Attention in layer 1, head 3: corrupt prompt 1").wait_for(timeout=EXPECT)
    tab.locator("table tbody tr").first.click()
    top = max(views[-1].result.mean().values.values.ravel(), key=abs)
    chosen = views[-1].attention
    tab.wait_for_timeout(500)
    assert float(views[-1].result.mean().values.sel(layer=chosen.layer, head=chosen.head)) == top


def test_in_a_narrow_window_the_form_gives_way_and_its_button_brings_it_back(tab):
    task = tab.get_by_role("combobox", name="Task")
    assert task.bounding_box()["x"] > 0
    tab.set_viewport_size({"width": 700, "height": 900})
    tab.reload()
    tab.get_by_role("button", name="Run").wait_for(timeout=EXPECT)
    until(tab, lambda: not task.is_visible() or task.bounding_box()["x"] < 0)
    until(tab, lambda: tab.get_by_role("button", name="Run").bounding_box()["x"] < 100)
    tab.get_by_role("button", name="Open drawer").click()
    until(tab, lambda: task.is_visible() and task.bounding_box()["x"] > 0)


FOUND = "model=tiny:repeat&task=repeated_tokens&method=discover&method.scorer=eap&method.random=1&method.resamples=0"


@pytest.fixture
def circuit(tab, url, views):
    """A tab that shows a circuit of the tiny model."""
    tab.goto(f"{url}?{FOUND}&task.n=6&method.n_edges=20")
    tab.get_by_role("button", name="Run").click(timeout=EXPECT)
    tab.get_by_text("20 edges asked for").first.wait_for(timeout=5 * EXPECT)
    drawn(tab, edges=lambda count: count > 0)
    return tab


def drawn(tab, edges=lambda count: True, **wanted):
    """Wait until the canvas says of itself what is wanted."""
    canvas = tab.locator("canvas.base")
    canvas.wait_for(timeout=EXPECT)
    end = time.monotonic() + EXPECT / 1000
    while True:
        said = canvas.evaluate("each => ({...each.dataset})")
        if "edges" in said and edges(int(said["edges"])) and all(said.get(name) == one for name, one in wanted.items()):
            return said
        assert time.monotonic() < end, said
        tab.wait_for_timeout(50)


@pytest.mark.slow
def test_the_slider_of_a_circuit_draws_it_anew_and_says_what_was_measured(circuit, views):
    tab, sized = circuit, views[-1].sizes
    count = {size: str(int(sized.kept(size).sum())) for size in sized.sizes}
    drawn(tab, edges=lambda found: str(found) == count[20])
    tab.get_by_text(sized.words(20), exact=True).wait_for(timeout=EXPECT)
    slider = tab.get_by_role("slider").first
    until(tab, lambda: slider.get_attribute("aria-valuetext") == "20")
    slider.focus()
    slider.press("ArrowRight")
    after = sized.sizes[sized.sizes.index(20) + 1]
    tab.get_by_text(sized.words(after), exact=True).wait_for(timeout=EXPECT)
    tab.wait_for_function(f"location.search.includes('size={after}')", timeout=EXPECT)
    drawn(tab, edges=lambda found: str(found) == count[after])
    assert views[-1].size == after
    slider.press("Home")
    tab.get_by_text(sized.words(sized.sizes[0]), exact=True).wait_for(timeout=EXPECT)
    assert views[-1].size == sized.sizes[0]
    tab.goto(tab.url.replace(f"size={sized.sizes[0]}", f"size={after}"))
    tab.get_by_text(sized.words(after), exact=True).wait_for(timeout=EXPECT)
    drawn(tab, edges=lambda found: str(found) == count[after])


@pytest.mark.slow
def test_a_node_is_reached_by_key_replaced_by_click_and_brought_back_by_the_address(circuit, views):
    tab, canvas = circuit, circuit.locator("canvas.base")
    canvas.focus()
    for _ in range(10):
        canvas.press("ArrowUp")
        if drawn(tab)["at"].partition(".")[0] in ("a0", "a1"):
            break
    head = drawn(tab)["at"]
    canvas.press("Enter")
    layer, _, number = head[1:].partition(".h")
    tab.get_by_text(f"Attention in layer {layer}, head {number}: clean prompt 1").wait_for(timeout=EXPECT)
    tab.get_by_role("button", name="Zero").click(timeout=EXPECT)
    tab.get_by_text(f"{head} writes zero").wait_for(timeout=EXPECT)
    tab.get_by_text("Right answer").wait_for(timeout=EXPECT)
    change = views[-1].ablation.answer.change
    tab.get_by_text(f"{change:+.3g} ±", exact=False).first.wait_for(timeout=EXPECT)
    canvas.press("e")
    edge = drawn(tab)["at"]
    assert head in edge
    canvas.press("Enter")
    tab.get_by_role("button", name="Other run").click(timeout=EXPECT)
    tab.get_by_text(f"{edge} carries what it is on the corrupt prompt").wait_for(timeout=EXPECT)
    until(tab, lambda: views[-1].ablation.answer is not None and len(views[-1].ablation.answer.asked) == 2)
    tab.wait_for_function("location.search.includes('other')", timeout=EXPECT)
    both = views[-1].ablation.answer.change
    tab.goto(tab.url)
    tab.get_by_text(f"{edge} carries what it is on the corrupt prompt").wait_for(timeout=EXPECT)
    tab.get_by_text("Right answer").wait_for(timeout=EXPECT)
    assert views[-1].ablation.answer.change == both
    tab.get_by_role("button", name="Remove").first.click()
    until(tab, lambda: len(views[-1].ablation.replaced) == 1)
    tab.get_by_role("button", name="Undo").click()
    until(tab, lambda: len(views[-1].ablation.replaced) == 2)
    tab.get_by_role("button", name="Clear").click()
    until(tab, lambda: not views[-1].ablation.replaced)
    tab.get_by_text("Right answer").wait_for(state="hidden", timeout=EXPECT)


@pytest.mark.slow
def test_the_url_brings_the_state_back_and_nonsense_a_notice(tab, url):
    run(tab)
    click_cell(tab, row=2, column=0)
    tab.get_by_text("Attention in layer 2, head 0: clean prompt 1").wait_for(timeout=EXPECT)
    tab.wait_for_function("location.search.includes('layer=2')", timeout=EXPECT)
    tab.goto(tab.url)
    tab.get_by_text("Shown from the store.").wait_for(timeout=EXPECT)
    tab.locator(".nsewdrag").first.wait_for(timeout=EXPECT)
    tab.goto(f"{url}?method=<b>path</b>&task.n=x")
    tab.get_by_text("Part of the address could not be used").wait_for(timeout=EXPECT)
    assert tab.get_by_role("alert").locator("b").count() == 0


def test_stop_ends_the_run_and_the_map_stays(tab, views, monkeypatch):
    import workbench.methods.patch as patch

    true_sweep, let = patch.sweep, threading.Event()

    def slow(*args, **kwargs):
        for index, batch in enumerate(true_sweep(*args, **kwargs)):
            yield batch
            if index:
                let.wait(0.5)

    monkeypatch.setattr(patch, "sweep", slow)
    monkeypatch.setattr("workbench.sweep.engine.TOKENS", {"cpu": 1})
    tab.get_by_role("button", name="Run").click()
    tab.locator(".nsewdrag").first.wait_for(timeout=EXPECT)
    assert views[-1].live
    assert not views[-1].whole
    started = time.monotonic()
    tab.get_by_role("button", name="Stop").click()
    tab.get_by_text("Stopped. Run goes on from there.").wait_for(timeout=EXPECT)
    assert time.monotonic() - started < 4
    assert tab.locator(".nsewdrag").count() == 1
    let.set()
    run(tab)


@pytest.mark.slow
def test_a_hostile_result_is_text_in_figure_and_tables(tab, views, url):
    run(tab)
    made, store = views[-1].result, views[-1].store
    hostile = made.replace(
        title=HOSTILE,
        unit=HOSTILE,
        values=made.values.rename(head="pos").assign_coords(token=("pos", [HOSTILE] * families.HEADS)),
        notes={**made.notes, "warning": HOSTILE},
        origin=replace(made.origin, model=HOSTILE),
    )
    key = store.put(hostile)
    tab.goto(url)
    tab.get_by_text("onerror").first.wait_for(timeout=EXPECT)
    tab.locator("tbody tr").filter(has_text="onerror").first.click()
    tab.get_by_text("Shown from the store.").wait_for(timeout=EXPECT)
    tab.locator(".nsewdrag").first.wait_for(timeout=EXPECT)
    tab.wait_for_timeout(500)
    assert views[-1].key == key
    assert tab.locator("td").filter(has_text="<img").count() >= families.LAYERS
    assert tab.evaluate("window.hacked") is None
    assert tab.locator("img[src=x]").count() == 0


@pytest.mark.slow
def test_a_hostile_prompt_is_text_everywhere(tab, views):
    row = {"clean": f"{HOSTILE} a b", "corrupt": f"{HOSTILE} a c", "right": "d", "wrong": "e", "note": HOSTILE}
    area = tab.get_by_label("Your pairs")
    area.fill(json.dumps(row))
    area.press("Tab")
    tab.wait_for_timeout(500)
    run(tab)
    assert HOSTILE.split()[0] in views[-1].rows
    click_cell(tab, row=0, column=0)
    tab.get_by_text("Attention in layer 0, head 0: clean prompt 1").wait_for(timeout=EXPECT)
    views[-1].attention.prompts = [f"1: {HOSTILE}"]
    # A refused row names the prompt's text in a notice.
    area.fill(json.dumps({**row, "right": HOSTILE}))
    area.press("Tab")
    tab.wait_for_timeout(500)
    tab.get_by_role("button", name="Run").click()
    tab.get_by_text("onerror").first.wait_for(timeout=EXPECT)
    tab.get_by_text("Failed").wait_for(timeout=EXPECT)
    tab.wait_for_timeout(500)
    assert tab.evaluate("window.hacked") is None
    assert tab.locator("img[src=x]").count() == 0


def test_a_job_outlives_the_tab_that_asked(chromium, url, views, jobs, monkeypatch):
    """The session ends while its job runs; the result lands in the store all the same."""
    import workbench.methods.patch as patch

    true_sweep, let, begun = patch.sweep, threading.Event(), threading.Event()

    def held(*args, **kwargs):
        begun.set()
        let.wait(20)
        yield from true_sweep(*args, **kwargs)

    monkeypatch.setattr(patch, "sweep", held)
    tab = chromium.new_page()
    tab.goto(url)
    tab.get_by_role("button", name="Run").click(timeout=EXPECT)
    assert begun.wait(20)
    job = views[-1]._job
    tab.close()
    import panel as pn

    pn.state.kill_all_servers()
    let.set()
    assert job.wait(20)
    assert job.status == "done"
    assert job.result.origin.key in views[-1].store
