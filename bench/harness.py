"""`workbench bench`: take the rows asked for, print them as they come, write them with the machine, versions and seed."""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import mean, median, stdev
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


def pearson(rows: list[dict[str, Any]], **wanted: str) -> str:
    """Mean ± standard deviation over seeds of the rows that match."""
    found = [row["pearson"] for row in rows if all(row[name] == value for name, value in wanted.items())]
    return f"{mean(found):.3f} ± {stdev(found) if len(found) > 1 else 0.0:.3f}"


def markdown(told: dict[str, Any]) -> str:
    """The figures as the README's tables: made from the written file, never typed."""
    figures, lines = told["figures"], ["| measure | target | measured |", "|---|---|---|"]
    for row, target in zip(figures.get("sweeps", []), ("3 times", "5 times"), strict=False):
        ours, theirs = median(row["ours_s"]), median(row["theirs_s"])
        lines.append(
            f"| {row['measure']} ({row['cells']} cells) against `transformer_lens.patching` | at least {target} as fast, "
            f"1e-4 | **{row['ratio']:.1f} times** ({ours:.1f} s against {theirs:.1f} s), {row['largest_difference']:.1e} |"
        )
    if "relevance" in figures:
        row = figures["relevance"]
        lines.append(
            f"| `relp` on attention, MLP and residual outputs | 2 forwards, 1 backward; at most 1.5 times `atp` | "
            f"{row['forwards']} forwards, {row['backwards']} backward; **{row['ratio']:.2f} times** |"
        )
    if "memory" in figures:
        most = max(figures["memory"]["beyond_bytes"].values()) / 1e9
        lines.append(f"| peak memory of a sweep, beyond the model | at most 1 GB | **{most:.2f} GB** |")
    if "imports" in figures:
        row = figures["imports"]
        torch = "with" if row["torch"] else "without"
        lines.append(f"| `import workbench` | under 0.3 s, no torch | **{row['seconds']:.3f} s**, {torch} torch |")
        lines.append(f"| second `load('{told['model']}')` | at most 4 s | **{row['second_load_s']:.1f} s** |")
    return "\n".join(lines) + correlation_table(told)


def correlation_table(told: dict[str, Any]) -> str:
    """Pearson by corruption, method and site."""
    rows = told["figures"].get("correlations")
    if not rows:
        return ""
    sites = list(dict.fromkeys(row["site"] for row in rows))
    lines = ["", "", "| Pearson with exact patching | " + " | ".join(sites) + " |", "|---|" + "---|" * len(sites)]
    for corruption in dict.fromkeys(row["corruption"] for row in rows):
        for method in ("atp", "relp"):
            cells = [pearson(rows, corruption=corruption, method=method, site=site) for site in sites]
            lines.append(f"| `{method}`, corruption `{corruption}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _say(line: str) -> None:
    print(line, flush=True)
