"""`workbench bench`: take the rows asked for, print them as they come, write them with the machine, versions and seed."""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from workbench.errors import one_of
from workbench.methods.method import versions

ROWS = ("imports", "memory", "sweeps", "relevance", "correlations")


def run_bench(asked: argparse.Namespace) -> None:
    """Measure, print, write."""
    wanted = [row for row in asked.only.split(",") if row] or list(ROWS)
    for row in wanted:
        one_of("row", row, ROWS)
    from bench import patching
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
        for line in summary(figures["correlations"]):
            _say(line)
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
    file.write_text(json.dumps(told, indent=1) + "\n")
    _say(f"Wrote {file}")


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


def summary(rows: list[dict[str, Any]]) -> list[str]:
    """Mean and standard deviation over seeds of each method and site."""
    lines = []
    for site in dict.fromkeys(row["site"] for row in rows):
        for method in ("atp", "relp"):
            found = [row["pearson"] for row in rows if row["site"] == site and row["method"] == method]
            spread = stdev(found) if len(found) > 1 else 0.0
            lines.append(
                f"Pearson with exact patching, {site}, {method}: {mean(found):.3f} ± {spread:.3f} over {len(found)} seeds"
            )
    return lines


def _say(line: str) -> None:
    print(line, flush=True)
