"""The network of a circuit in headless Chromium: time to draw it, and of a step of the slider."""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bench.widgets import CHROMIUM, chromium
from workbench.edges.estimate import as_circuit
from workbench.graph import Graph
from workbench.widgets.circuit_graph import CIRCUIT_GRAPH, Network, colouring, strongest
from workbench.widgets.widget import static

# 300 nodes, as many edges as are drawn at once.
GRAPH = Graph(30, 9, 9)
EDGES, STEPS = 3000, 12

_STEPS = """async (steps) => {
  const canvas = document.querySelector("canvas.base"), took = []
  const bytes = (text) => new DataView(Uint8Array.from(atob(text), (one) => one.charCodeAt(0)).buffer)
  for (const step of steps) {
    const began = performance.now(), before = canvas.dataset.drawn
    for (const [name, value] of Object.entries(step)) window.model.set(name, name === "rows" ? value : bytes(value))
    window.model.save_changes()
    while (canvas.dataset.drawn === before) await Promise.resolve()
    canvas.getContext("2d").getImageData(0, 0, 1, 1)
    took.push(performance.now() - began)
  }
  return took
}"""


def drawing_costs(repeats: int = 5) -> dict[str, Any]:
    """Milliseconds until 3,000 edges stand on the canvas after a cold load, of its first drawing, and of slider steps."""
    import base64

    from playwright.sync_api import sync_playwright

    scores = np.random.default_rng(0).normal(size=GRAPH.n_edges)
    circuit = as_circuit(GRAPH, "Random edges", "logits", scores, None, {}, {})
    everything = np.ones(GRAPH.n_edges, bool)
    network = Network(circuit, np.flatnonzero(strongest(circuit, everything, EDGES)))
    first = network.sent | network.sized(strongest(circuit, everything, EDGES)) | colouring("light")
    steps = []
    for size in np.geomspace(20, EDGES, STEPS).astype(int):
        sized = network.sized(strongest(circuit, everything, int(size)))
        encoded = {name: base64.b64encode(sized[name]).decode() for name in ("shown", "places")}
        steps.append({**encoded, "rows": sized["rows"]})
    page = static(CIRCUIT_GRAPH, first).replace("render({model: new Model(", "render({model: window.model = new Model(")
    cold, drawn, stepped = [], [], []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = Path(folder) / "network.html"
        file.write_text(f"<!doctype html><meta charset=utf-8>{page}")
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM)
        for _ in range(repeats):
            tab = browser.new_page(viewport={"width": 1400, "height": 900})
            tab.goto(file.as_uri())
            tab.wait_for_function("document.querySelector('canvas.base')?.dataset.drawn")
            cold.append(tab.evaluate("performance.now()"))
            drawn.append(float(tab.evaluate("document.querySelector('canvas.base').dataset.took")))
            stepped += tab.evaluate(_STEPS, steps)
            tab.close()
        browser.close()
    return {
        "nodes": len(network.nodes), "edges": EDGES, "kilobytes": len(json.dumps(page)) / 1000,
        "cold_ms": float(np.median(cold)), "drawn_ms": float(np.median(drawn)),
        "step_ms": float(np.median(stepped)), "slowest_step_ms": float(np.max(stepped)),
    }  # fmt: skip


def told(row: dict[str, Any]) -> str:
    """A line."""
    return (
        f"network of {row['nodes']} nodes and {row['edges']} edges: there {row['cold_ms']:.0f} ms after a cold load, a step of "
        f"the slider {row['step_ms']:.0f} ms, the slowest {row['slowest_step_ms']:.0f} ms"
    )
