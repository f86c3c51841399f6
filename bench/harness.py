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

ROWS = ("imports", "memory", "sweeps", "relevance", "correlations", "edges", "circuits", "known", "edge_correlations")


def run_bench(asked: argparse.Namespace) -> None:
    """Measure, print, write."""
    wanted = [row for row in asked.only.split(",") if row] or list(ROWS)
    for row in wanted:
        one_of("row", row, ROWS)
    from bench import circuits, patching
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
    if "known" in wanted:
        figures["known"] = circuits.known(list(range(asked.seeds)))
    if "edge_correlations" in wanted:
        sets = {
            f"ioi {kind}": (model, TASKS["ioi"](model, n=asked.n, seed=asked.seed, corruption=kind)) for kind in CORRUPTIONS
        }
        tiny = load("tiny:repeat", device=asked.device)
        sets["tiny:repeat"] = (tiny, TASKS["repeated_tokens"](tiny, n=asked.n, seed=asked.seed))
        figures["edge_correlations"] = circuits.edge_correlations(sets)
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
    return "\n".join(lines + edge_lines(figures)) + correlation_table(told) + circuit_tables(figures)


def edge_lines(figures: dict[str, Any]) -> list[str]:
    """What scoring edges and running circuits costs."""
    lines = []
    if "edges" in figures:
        row = figures["edges"]
        lines.append(
            f"| `eap` of {row['edges']:,} edges against `attribution_patch`, GPT-2 small's shape, 2 × 15 tokens | at least 10 "
            f"times as fast, half the memory, 1e-4 | **{row['ratio']:.0f} times** ({median(row['ours_s']):.2f} s against "
            f"{median(row['theirs_s']):.1f} s), {row['ours_bytes'] / row['theirs_bytes']:.2f} of the memory "
            f"({row['ours_bytes'] / 1e9:.2f} GB against {row['theirs_bytes'] / 1e9:.2f} GB), {row['relative_error']:.1e} |"
        )
    for name, target in (("eap", "under 6 s"), ("eap_ig", "under 20 s"), ("eap_relp", "")):
        if "edge_costs" in figures:
            lines.append(f"| `{name}`, all edges of the model | {target} | **{median(figures['edge_costs'][name]):.1f} s** |")
    if "curve" in figures:
        row = figures["curve"]
        said = (
            f"| faithfulness at {len(row['shares'])} sizes, {row['pairs']} pairs | under 180 s | **{row['seconds']:.0f} s** |"
        )
        lines.append(said)
    return lines


def circuit_tables(figures: dict[str, Any]) -> str:
    """Estimates against exact edge patching, and every method against known circuits."""
    lines: list[str] = []
    if "edge_correlations" in figures:
        rows = figures["edge_correlations"]
        tasks = {row["task"]: row["edges"] for row in rows}
        lines += [
            "",
            "",
            "| Pearson with exact edge patching | " + " | ".join(f"{t} ({n:,} edges)" for t, n in tasks.items()) + " |",
        ]
        lines.append("|---|" + "---|" * len(tasks))
        for method in dict.fromkeys(row["method"] for row in rows):
            found = {row["task"]: row["pearson"] for row in rows if row["method"] == method}
            lines.append(f"| `{method}` | " + " | ".join(f"{found[task]:.3f}" for task in tasks) + " |")
    if "known" in figures:
        rows = figures["known"]
        models = list(dict.fromkeys(row["model"] for row in rows))
        lines += ["", "| AUROC on known circuits | " + " | ".join(models) + " |", "|---|" + "---|" * len(models)]
        for method in dict.fromkeys(row["method"] for row in rows):
            cells = []
            for name in models:
                found = [row["auroc"] for row in rows if row["model"] == name and row["method"] == method]
                cells.append(f"{mean(found):.3f} ± {stdev(found) if len(found) > 1 else 0.0:.3f}")
            lines.append(f"| `{method}` | " + " | ".join(cells) + " |")
    return "".join(f"\n{line}" for line in lines)


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
