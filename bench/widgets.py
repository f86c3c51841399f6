"""Components on canvas, in headless Chromium: bytes on the wire, milliseconds until they are drawn, and of a hover."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

import numpy as np

# Layers, heads and tokens: SmolLM2's heads, and GPT-2's on a longer prompt.
GRIDS = ((30, 9, 64), (12, 12, 256))
HOVERS = 40
CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def grids(repeats: int) -> list[dict[str, Any]]:
    """Of every grid of attention: bytes over the websocket, from the data to the drawing, and of one hover, by repeat."""
    return [_grid(*shape, repeats) for shape in GRIDS]


def _grid(layers: int, heads: int, tokens: int, repeats: int) -> dict[str, Any]:
    from playwright.sync_api import sync_playwright

    from workbench.pages.widget import panel_class
    from workbench.widgets.attention_grid import ATTENTION_GRID

    made = panel_class(ATTENTION_GRID)(sizing_mode="stretch_width", theme="light")
    row: dict[str, Any] = {"heads": layers * heads, "tokens": tokens, "bytes": [], "drawn_ms": [], "hover_ms": []}
    with _served(made) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM)
        tab = browser.new_page(viewport={"width": 1400, "height": 900})
        heard = [0]
        tab.on("websocket", lambda one: one.on("framereceived", lambda frame: heard.__setitem__(0, heard[0] + len(frame))))
        tab.goto(url)
        tab.locator(".grid").wait_for(state="attached")
        for seed in range(repeats + 1):
            heard[0] = 0
            tab.evaluate("performance.clearMarks()")
            made.param.update(**_state(layers, heads, tokens, seed))
            tab.wait_for_function("performance.getEntriesByName('attention-grid:drawn').length > 0", timeout=60_000)
            tab.wait_for_timeout(200)
            marks = tab.evaluate("performance.getEntriesByType('mark').map((one) => [one.name.split(':')[1], one.startTime])")
            data = min(at for name, at in marks if name == "data")
            # The first is the warm-up.
            if seed:
                row["bytes"].append(heard[0])
                row["drawn_ms"].append(min(at for name, at in marks if name == "drawn" and at >= data) - data)
                row["hover_ms"].append(_hover(tab))
        browser.close()
    return row


def _state(layers: int, heads: int, tokens: int, seed: int) -> dict[str, Any]:
    """Random attention, sharp enough that its bytes are of all sizes."""
    from workbench.widgets.attention_grid import thumbnails_state
    from workbench.widgets.thumbnails import Packing

    packing, random = Packing(layers, heads, tokens), np.random.default_rng(seed)
    for _ in range(layers):
        raw = np.exp(3 * random.standard_normal((heads, tokens, tokens), dtype=np.float32))
        lower = np.tril(raw)
        packing.add(lower / lower.sum(-1, keepdims=True))
    return thumbnails_state(packing.done(), [f" w{at}" for at in range(tokens)], "share of attention")


def _hover(tab: Any) -> float:
    """The median of milliseconds that the page is busy with a move of the pointer over the thumbnails."""
    return tab.evaluate(
        """async (count) => {
          const find = (root) => root.querySelector("canvas.over") ??
            [...root.querySelectorAll("*")].map((one) => one.shadowRoot && find(one.shadowRoot)).find(Boolean)
          const over = find(document), edge = over.getBoundingClientRect(), took = []
          for (let at = 0; at < count; at += 1) {
            const x = edge.left + 40 + (at * 37) % (edge.width - 50), y = edge.top + 40 + (at * 53) % (edge.height - 50)
            const before = performance.now()
            over.dispatchEvent(new PointerEvent("pointermove", {clientX: x, clientY: y, bubbles: true}))
            took.push(performance.now() - before)
            await new Promise((next) => setTimeout(next, 5))
          }
          return took.sort((one, other) => one - other)[Math.floor(count / 2)]
        }""",
        HOVERS,
    )


def told(rows: list[dict[str, Any]]) -> list[str]:
    """A line each."""
    return [
        f"grid of {row['heads']} heads × {row['tokens']} tokens: {median(row['bytes']) / 1e3:.0f} KB, drawn "
        f"{median(row['drawn_ms']):.0f} ms after the data, hover {median(row['hover_ms']):.1f} ms"
        for row in rows
    ]


def chromium() -> str | None:
    """The browser of this machine, if there is one."""
    import shutil

    return next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)


@contextmanager
def _served(component: Any) -> Iterator[str]:
    import panel as pn

    pn.extension()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    origin = [f"127.0.0.1:{port}"]
    pn.serve({"/": lambda: component}, port=port, address="127.0.0.1", threaded=True, show=False, websocket_origin=origin)
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port), 0.2).close()
                break
            except OSError:
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/"
    finally:
        pn.state.kill_all_servers()
