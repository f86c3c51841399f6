"""`workbench bench`: take the rows asked for, print them as they come, write them with the machine, versions and seed."""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench.tables import markdown
from workbench.errors import one_of
from workbench.methods.method import versions

ROWS = (
    "imports", "memory", "sweeps", "relevance", "correlations", "edges", "circuits", "forecasts", "methods", "known",
    "edge_correlations", "channels", "heads", "learning", "load", "grid", "network", "pages",
)  # fmt: skip


def run_bench(asked: argparse.Namespace) -> None:
    """Measure, print, write."""
    wanted = [row for row in asked.only.split(",") if row] or list(ROWS)
    for row in wanted:
        one_of("row", row, ROWS)
    from bench import channels, circuits, compare, graph, learning, pages, patching, widgets
    from bench.patching import CORRUPTIONS
    from bench.timing import machine
    from workbench.models import load
    from workbench.tasks import TASKS

    figures: dict[str, Any] = {}
    if "imports" in wanted:
        figures["imports"] = imports(asked.repeats, asked.model)
        _say(f"import workbench: {figures['imports']['seconds']:.3f} s, torch loaded: {figures['imports']['torch']}")
        _say(f"load after imports, second time: {figures['imports']['second_load_s']:.2f} s")
    if "memory" in wanted and asked.device == "cpu":
        figures["memory"] = patching.memory(asked.model, asked.n, asked.seed)
        beyond = {name: f"{extra / 1e9:+.2f} GB" for name, extra in figures["memory"]["beyond_bytes"].items()}
        _say(f"peak memory of a sweep beyond the model: {beyond}")
    if "load" in wanted:
        from bench.load import under_load

        figures["load"] = under_load(asked.sessions, asked.seconds, asked.seed)
        _say(f"load: {figures['load']}")
    model = load(asked.model, device=asked.device)
    pairs = TASKS["ioi"](model, n=asked.n, seed=asked.seed)
    if "sweeps" in wanted:
        figures["sweeps"] = patching.sweeps(model, pairs, asked.repeats, asked.device)
        for row in figures["sweeps"]:
            _say(f"{row['measure']}: {row['ratio']:.2f} times as fast, largest difference {row['largest_difference']:.1e}")
    if "relevance" in wanted:
        figures["relevance"] = row = patching.relevance_cost(model, pairs, asked.repeats, asked.device)
        _say(f"relp: {row['forwards']} forwards, {row['backwards']} backward, {row['ratio']:.2f} times the time of atp")
    if "correlations" in wanted:
        figures["correlations"] = patching.correlations(model, asked.n, list(range(asked.seeds)))
    if "edges" in wanted:
        figures["edges"] = row = circuits.against_the_library(asked.repeats)
        _say(f"eap of {row['edges']} edges: {row['ratio']:.0f} times as fast, relative error {row['relative_error']:.1e}")
    if "circuits" in wanted:
        figures["edge_costs"] = circuits.costs(model, pairs, asked.repeats, asked.device)
        figures["curve"] = circuits.curve_seconds(model, TASKS["ioi"](model, n=32, seed=asked.seed), asked.device)
        _say(f"curve of {len(figures['curve']['shares'])} sizes: {figures['curve']['seconds']:.0f} s")
    if "forecasts" in wanted and asked.device == "cpu":
        figures["forecasts"] = circuits.forecasts()
        _say(f"forecasts of memory: {figures['forecasts']}")
    if "methods" in wanted:
        sets = {seed: TASKS["ioi"](model, n=2 * asked.n, seed=seed) for seed in range(min(3, asked.seeds))}
        figures["methods"] = compare.on_real_model(model, sets, _say)
    if "known" in wanted:
        figures["known"] = compare.on_known_models(list(range(asked.seeds)))
    if "channels" in wanted:
        figures["composition"] = channels.composition_costs(model, asked.model, asked.repeats)
        _say(f"composition: {figures['composition']}")
        sets = {seed: TASKS["ioi"](model, n=2 * asked.n, seed=seed, order="mixed") for seed in range(asked.seeds)}
        figures["channels"] = channels.on_sets(model, sets, _say)
        figures["into_induction"] = channels.into_induction(model, range(asked.seeds), 2 * asked.n, _say)
    if "heads" in wanted:
        figures["heads"] = learning.heads_costs(model, pairs, asked.device)
        _say(f"heads: {figures['heads']}")
    if "grid" in wanted:
        figures["grid"] = widgets.grids(asked.repeats)
        for line in widgets.told(figures["grid"]):
            _say(line)
    if "network" in wanted:
        figures["network"] = graph.drawing_costs(asked.repeats)
        _say(graph.told(figures["network"]))
    if "pages" in wanted:
        figures["pages"] = pages.pages(asked.model, asked.repeats)
        for line in pages.told(figures["pages"]):
            _say(line)
    if "learning" in wanted:
        figures["at_once"] = learning.at_once(asked.repeats, asked.device)
        _say(f"networks at once: {figures['at_once']}")
        figures["transition"] = [learning.transition(seed, asked.device) for seed in range(asked.seeds)]
        _say(f"to the transition: {figures['transition']}")
        figures["regimes"] = learning.regimes(asked.device)
        _say(f"regimes: {figures['regimes']}")
    if "edge_correlations" in wanted:
        sets = {
            f"ioi {kind}": (model, TASKS["ioi"](model, n=asked.n, seed=asked.seed, corruption=kind)) for kind in CORRUPTIONS
        }
        tiny = load("tiny:repeat", device=asked.device)
        sets["tiny:repeat"] = (tiny, TASKS["repeated_tokens"](tiny, n=asked.n, seed=asked.seed))
        figures["edge_correlations"] = circuits.edge_correlations(sets, _say)
    told = {
        "machine": machine(asked.device),
        "versions": versions(),
        "device": asked.device,
        "model": asked.model,
        "task": pairs.params | {"task": pairs.task, "tokens": list(pairs.clean.shape)},
        "repeats": asked.repeats,
        "taken": time.strftime("%Y-%m-%d"),
        "figures": figures,
    }
    file = asked.out or Path(__file__).parent / "results" / f"{asked.device.replace(':', '')}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    told["figures"] = _earlier(file, told) | figures
    file.write_text(json.dumps(told, indent=1) + "\n")
    _say(markdown(told))
    _say(f"Wrote {file}")


def _earlier(file: Path, told: dict[str, Any]) -> dict[str, Any]:
    """Rows taken before under the same conditions, so that --only renews some and keeps the others."""
    if not file.is_file():
        return {}
    before = json.loads(file.read_text())
    same = all(before[name] == told[name] for name in ("versions", "device", "model", "task"))
    return before["figures"] if same and before["machine"]["cpu"] == told["machine"]["cpu"] else {}


def imports(repeats: int, model: str) -> dict[str, Any]:
    """Seconds of `import workbench` in a fresh interpreter, whether torch came with it, and of a second load."""
    code = "import time, sys; t = time.perf_counter(); import workbench; print(time.perf_counter() - t, 'torch' in sys.modules)"
    said = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
        for _ in range(max(3, repeats))
    ]
    code = (
        f"import time, torch, transformer_lens.model_bridge, workbench.models as m; m.load({model!r}, device='cpu');"
        f"t = time.perf_counter(); m.load({model!r}, device='cpu'); print(time.perf_counter() - t)"
    )
    second = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    return {
        "seconds": sorted(float(seconds) for seconds, _ in said)[len(said) // 2],
        "torch": said[0][1] == "True",
        "second_load_s": float(second.split()[-1]),
    }


def _say(line: str) -> None:
    print(line, flush=True)
