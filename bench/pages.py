"""The app in headless Chromium with a real model: its first page, a node or edge replaced, maps of other prompts.

What is timed is what a person sees: from the click until the answer stands on the page.
"""

import os
import re
import signal
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlencode

from bench.load import free_port, served, wait
from bench.widgets import CHROMIUM, chromium
from workbench.methods import METHODS
from workbench.models import load
from workbench.store import Store
from workbench.tasks import TASKS
from workbench.views.circuit_size import CircuitSize
from workbench.widgets.layered import MOST

TASK = {"n": 8, "seed": 0}
# How many edges of the circuit are shown: the largest of them are replaced.
SHOWN = 100
LONG = 90_000
# Methods that are stopped, each after some seconds of its work: one in many short passes, one in few with gradients, a search.
STOPPED = (("patch", (0.5, 2, 3.3)), ("eap_ig", (0.3, 1, 2.2)), ("acdc", (0.5, 2, 3.3)))
# Milliseconds in which a page that was just drawn comes to rest; between two looks at what is waited for.
REST, LOOK = 1000, 20
# Looked at within the page: asked through the browser's debugger a hundred times a second, the page and the model beside it
# lost half a second of two cores to the asking.
PROBE = """
window.probe = {
  *roots(root = document) {
    yield root
    for (const each of root.querySelectorAll("*")) if (each.shadowRoot) yield* window.probe.roots(each.shadowRoot)
  },
  said(words) {
    for (const root of window.probe.roots()) {
      if (root.host?.checkVisibility() && root.textContent.includes(words)) return root.textContent
    }
    return ""
  },
  answer() { return window.probe.said("Right answer") },
  // The numbers of every heatmap: objects of their own as long as nothing is drawn anew.
  numbers() {
    const plots = [...window.probe.roots()].flatMap((root) => [...root.querySelectorAll(".js-plotly-plot")])
    return plots.map((one) => (one.data ?? []).filter((of) => of.type === "heatmap").map((of) => of.z))
      .filter((numbers) => numbers.length)
  },
  keep() { window.probe.kept = window.probe.numbers() },
  // Whether every heatmap, and at least two of them, shows other numbers than those kept.
  changed() {
    const before = window.probe.kept, now = window.probe.numbers()
    const other = (one, at) => !(at in before) || JSON.stringify(one) !== JSON.stringify(before[at])
    const touched = now.every((one, at) => one.some((z, i) => z !== before[at]?.[i]))
    return now.length >= Math.max(2, before.length) && touched && now.every(other)
  },
}
"""


def pages(ref: str, repeats: int) -> dict[str, Any]:
    """Seconds of the first page with a stored run, of interventions, and of maps of other prompts beyond the model's own.

    Args:
        ref: The model.
        repeats: How often each is measured; the first page is measured on a server of its own each time.
    """
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        model, store = load(ref, device="cpu"), Store(Path(folder))
        pairs = TASKS["ioi"](model, **TASK)
        # Each of other prompts: nothing of one is at hand for the next.
        circuits = [
            store.compute(METHODS["eap"], model, TASKS["ioi"](model, **TASK | {"seed": seed})).origin.key
            for seed in range(repeats + 1)
        ]
        heads = store.compute(METHODS["atp"], model, pairs)
        # Half of them are held out.
        found = store.compute(METHODS["discover"], model, TASKS["ioi"](model, **TASK | {"n": 2 * TASK["n"]}))
        # From the last size but one of those that are drawn whole; two steps on, as many edges are drawn as ever are.
        size = sorted(one for one in CircuitSize(found).sizes if one <= MOST)[-2]
        del model
        row: dict[str, Any] = {"model": ref, "prompts": len(pairs), "start_s": [], "first_page_s": [], "form_s": []}
        for _ in range(repeats):
            with _browsed(playwright, folder) as (started, tab, url):
                row["start_s"].append(started)
                shown, form = _first(tab, f"{url}/circuits?result={heads.origin.key}")
                row["first_page_s"].append(shown)
                row["form_s"].append(form)
        with _browsed(playwright, folder) as (_, tab, url):
            row["step_s"] = _stepped(tab, f"{url}/circuits?result={found.origin.key}&size={size}", repeats)
        with _browsed(playwright, folder) as (_, tab, url):
            row |= _replaced(tab, [f"{url}/circuits?result={key}&size={SHOWN}" for key in circuits], repeats)
        with _browsed(playwright, folder) as (_, tab, url):
            row |= _mapped(tab, url, ref, repeats)
        with _browsed(playwright, folder) as (_, tab, url):
            row["stop_s"] = _stopped(tab, url, ref)
    return row


class _browsed:
    """A server of its own on a store, and a tab of a browser of its own; gives seconds until it was ready, tab and address."""

    def __init__(self, playwright: Any, folder: str):
        self._playwright, self._folder = playwright, folder

    def __enter__(self) -> tuple[float, Any, str]:
        port, begun = free_port(), time.perf_counter()
        self._server = served(port, self._folder, ("circuits", "maps"))
        started = wait(port, self._server, begun)
        self._browser = self._playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM)
        tab = self._browser.new_page(viewport={"width": 1400, "height": 900})
        tab.set_default_timeout(LONG)
        tab.add_init_script(PROBE)
        return started, tab, f"http://127.0.0.1:{port}"

    def __exit__(self, *problem: Any) -> None:
        self._browser.close()
        os.killpg(self._server.pid, signal.SIGKILL)
        self._server.wait()


def _first(tab: Any, url: str) -> tuple[float, float]:
    """Seconds from the address to the map of a stored run, as drawn by the browser, and to the form, which comes after it."""
    start = time.perf_counter()
    tab.goto(url)
    tab.locator(".nsewdrag").first.wait_for()
    shown = time.perf_counter() - start
    tab.get_by_role("combobox", name="Method", exact=True).wait_for()
    return shown, time.perf_counter() - start


def _replaced(tab: Any, urls: list[str], repeats: int) -> dict[str, Any]:
    """Seconds from a click on what a node or an edge is replaced by until what it changed stands on the page.

    The very first, whose model was loaded just before, for the attention of its node; the first of each further circuit, of
    other prompts; then those that follow on one circuit. A node is replaced as soon as its attention stands there.
    """
    firsts = []
    for url in urls:
        canvas = _network(tab, url)
        _choose_head(tab, canvas)
        firsts.append(_answered(tab, "Zero"))
        _clear(tab)
    nodes, edges = [], []
    for _ in range(repeats):
        _choose_head(tab, canvas)
        nodes += [_answered(tab, "Zero"), _answered(tab, "Mean")]
        # An edge into a head that is replaced changes nothing.
        _clear(tab)
        canvas.focus()
        canvas.press("e")
        canvas.press("Enter")
        edges.append(_answered(tab, "Other run"))
        _clear(tab)
    return {"very_first_s": firsts[0], "first_answer_s": firsts[1:], "node_s": nodes, "edge_s": edges}


def _stepped(tab: Any, url: str, repeats: int) -> list[float]:
    """Seconds from an arrow key on the slider of a circuit's size until the network is drawn at that size."""
    canvas = _network(tab, url)
    slider = tab.get_by_role("slider").first
    slider.wait_for()
    tab.wait_for_timeout(REST)
    canvas.evaluate(
        """canvas => {
          window.took = []
          let began = null
          document.addEventListener("keydown", () => { began = performance.now() }, true)
          new MutationObserver(() => {
            if (began !== null) window.took.push(performance.now() - began)
            began = null
          }).observe(canvas, {attributes: true, attributeFilter: ["data-drawn"]})
        }"""
    )
    slider.focus()
    for step in range(4 * repeats):
        slider.press("ArrowRight" if step % 4 < 2 else "ArrowLeft")
        _until(lambda step=step: tab.evaluate("window.took.length") > step)
        tab.wait_for_timeout(REST / 4)
    return [each / 1000 for each in tab.evaluate("window.took")]


def _hovered(tab: Any, repeats: int) -> list[float]:
    """Seconds from a movement of the mouse onto a cell of a map until both maps on the page say that cell's number."""
    maps = tab.locator(".js-plotly-plot").filter(has=tab.locator(".heatmaplayer"))
    maps.first.scroll_into_view_if_needed()
    tab.wait_for_timeout(REST)
    maps.evaluate_all(
        """plots => {
          window.took = []
          let began = null, before = ""
          const layers = plots.slice(0, 2).map((one) => one.querySelector(".hoverlayer"))
          const look = () => {
            const said = layers.map((one) => one.textContent)
            if (began === null || said.some((text) => !text) || said.join() === before) return
            window.took.push(performance.now() - began)
            before = said.join()
            began = null
          }
          document.addEventListener("mousemove", () => { began ??= performance.now() }, true)
          for (const one of layers) new MutationObserver(look).observe(one, {childList: true, subtree: true})
        }"""
    )
    area = maps.first.locator(".nsewdrag").first.bounding_box()
    for step in range(4 * repeats):
        across, up = (step % 7 + 0.5) / 9, (3 * (step % 9) + 1.5) / 30
        tab.mouse.move(area["x"] + area["width"] * across, area["y"] + area["height"] * up)
        _until(lambda step=step: tab.evaluate("window.took.length") > step)
        tab.wait_for_timeout(REST / 4)
    return [each / 1000 for each in tab.evaluate("window.took")]


def _network(tab: Any, url: str) -> Any:
    """The canvas of a circuit, drawn."""
    tab.goto(url)
    canvas = tab.locator("canvas.base")
    canvas.wait_for()
    _until(lambda: int(canvas.evaluate("each => each.dataset.edges ?? 0")) > 0)
    return canvas


def _choose_head(tab: Any, canvas: Any) -> None:
    """Choose another head, the next above, else below, and wait for its attention; MLPs and the logits stand between heads."""
    here = _at(canvas)
    canvas.focus()
    # Straight up or down there may be MLPs alone.
    for key in [*["ArrowUp"] * 12, *["ArrowDown"] * 24, *["ArrowUp", "ArrowRight"] * 24]:
        canvas.press(key)
        if _at(canvas).startswith("a") and _at(canvas) != here:
            break
    canvas.press("Enter")
    layer, head = _at(canvas)[1:].split(".h")
    tab.get_by_text(f"Attention in layer {layer}, head {head}:").first.wait_for()


def _at(canvas: Any) -> str:
    """The node that the canvas says is walked to."""
    return canvas.evaluate("each => each.dataset.at ?? ''")


def _clear(tab: Any) -> None:
    tab.get_by_role("button", name="Clear").click()
    tab.get_by_text("Right answer").wait_for(state="hidden")


def _answered(tab: Any, by: str) -> float:
    """Seconds from the click until other numbers stand there."""
    before = tab.evaluate("probe.answer()")
    button = tab.get_by_role("button", name=by)
    button.wait_for()
    start = time.perf_counter()
    button.click()
    tab.wait_for_function("before => !['', before].includes(probe.answer())", arg=before, polling=LOOK)
    return time.perf_counter() - start


def _stopped(tab: Any, url: str, ref: str) -> dict[str, list[float]]:
    """Seconds from Stop in the middle of a long run until the page says that it has stopped, by method."""
    took: dict[str, list[float]] = {}
    for method, seconds in STOPPED:
        asked = {"model": ref, "task": "ioi", "task.n": 4 * TASK["n"], "task.seed": len(took) + 50, "method": method}
        tab.goto(f"{url}/circuits?{urlencode(asked)}")
        run, stop = (tab.get_by_role("button", name=name, exact=True) for name in ("Run", "Stop"))
        for after in seconds:
            run.click()
            tab.wait_for_function("probe.said('Stopped.') === ''", polling=LOOK)
            # What comes before the method's own work is said as it goes.
            tab.wait_for_timeout(REST / 2)
            tab.wait_for_function("!['Waiting', 'Loading', 'Reading'].some((words) => probe.said(words))", polling=LOOK)
            tab.wait_for_timeout(1000 * after)
            start = time.perf_counter()
            stop.click()
            tab.wait_for_function("probe.said('Stopped. Run goes on from there.')", polling=LOOK)
            took.setdefault(method, []).append(time.perf_counter() - start)
            tab.wait_for_timeout(REST)
    return took


def _mapped(tab: Any, url: str, ref: str, repeats: int) -> dict[str, Any]:
    """Seconds from another seed in the form until both maps of its prompts stand there; those that the library takes alone.

    And seconds from the choice of one of the prompts until its maps stand there, which asks no model; and from the mouse on a
    cell until both maps say its number.
    """
    tab.goto(f"{url}/maps?{urlencode({'model': ref, 'task': 'ioi', 'task.n': TASK['n'], 'exact': 'no'})}")
    compute, prompt = (
        tab.get_by_role("button", name="Compute", exact=True),
        tab.get_by_role("combobox", name="Prompt", exact=True),
    )
    mapped, chosen = [], []
    # Of seed 0 a map is stored: it would stand there before the click.
    for seed in range(1, repeats + 2):
        field = tab.locator("input").and_(tab.get_by_label("Seed", exact=True))
        # What is typed in the very moment in which the last maps come may be lost.
        tab.wait_for_timeout(REST)
        tab.evaluate("probe.keep()")
        start = time.perf_counter()
        field.fill(str(seed))
        field.press("Enter")
        if seed == 1:
            tab.wait_for_function("location.search.includes('task.seed=1')")
            compute.click()
        tab.wait_for_function("probe.changed()", polling=LOOK)
        took = time.perf_counter() - start
        tab.get_by_text("Done.", exact=True).wait_for()
        # The first also loads the model; after it what is set for the same model is computed at once.
        if seed > 1:
            mapped.append(took)
    for at in range(1, repeats + 1):
        tab.evaluate("probe.keep()")
        prompt.click()
        option = tab.get_by_role("listbox").get_by_text(re.compile(f"^{at}: "))
        option.wait_for()
        start = time.perf_counter()
        option.click()
        tab.wait_for_function("probe.changed()", polling=LOOK)
        chosen.append(time.perf_counter() - start)
        tab.get_by_role("listbox").wait_for(state="hidden")
    return {
        "mapped_s": mapped,
        "own_s": _own(ref, range(2, repeats + 2)),
        "prompt_s": chosen,
        "hover_s": _hovered(tab, repeats),
    }


def _own(ref: str, seeds: Iterable[int]) -> list[float]:
    """Seconds that the same maps take in Python, the model loaded: prompts, baseline, both methods."""
    model, taken = load(ref, device="cpu"), []
    METHODS["baseline"](model, TASKS["ioi"](model, **TASK))
    for seed in seeds:
        start = time.perf_counter()
        pairs = TASKS["ioi"](model, n=TASK["n"], seed=seed)
        METHODS["baseline"](model, pairs)
        for name in ("atp", "relp"):
            METHODS[name](model, pairs)
        taken.append(time.perf_counter() - start)
    return taken


def _until(true: Any) -> None:
    end = time.perf_counter() + LONG / 1000
    while not true():
        if time.perf_counter() > end:
            raise TimeoutError("the page did not change in a minute and a half")
        time.sleep(0.01)


def told(row: dict[str, Any]) -> list[str]:
    """A line each."""
    stops = [one for each in row["stop_s"].values() for one in each]
    return [
        f"first page of a new server, with a stored run: {median(row['first_page_s']):.2f} s, with the form "
        f"{median(row['form_s']):.2f} s; the server is ready {median(row['start_s']):.1f} s after its start",
        f"a node replaced: {median(row['node_s']):.2f} s, the first of a circuit {median(row['first_answer_s']):.2f} s, "
        f"of a model just loaded {row['very_first_s']:.2f} s; an edge: "
        f"{median(row['edge_s']):.2f} s",
        f"maps of other prompts: {median(row['mapped_s']):.2f} s, of which the model's own {median(row['own_s']):.2f} s; of "
        f"one prompt: {median(row['prompt_s']):.2f} s",
        f"the mouse on a cell of a map: {1000 * median(row['hover_s']):.0f} ms, slowest {1000 * max(row['hover_s']):.0f}; a "
        f"step of a circuit's size: {1000 * median(row['step_s']):.0f} ms, slowest {1000 * max(row['step_s']):.0f}",
        f"Stop until the page says so: {median(stops):.2f} s, slowest {max(stops):.2f} s",
    ]
