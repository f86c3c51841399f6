"""The README's table of what the app reaches, made from the written figures and never typed."""

from statistics import median
from typing import Any


def app_lines(figures: dict[str, Any]) -> list[str]:
    """A line per measure of components, pages and the server."""
    lines = []
    targets = ("drawn in 1 s, 700 KB", "drawn in 2 s, 5 MB")
    for row, target in zip(figures.get("grid", []), targets, strict=False):
        lines.append(
            f"| attention of {row['heads']} heads × {row['tokens']} tokens in Chromium | {target} | "
            f"**{median(row['drawn_ms']):.0f} ms** after the data, {_size(median(row['bytes']))} |"
        )
    if "grid" in figures:
        slowest = max(median(row["hover_ms"]) for row in figures["grid"])
        lines.append(f"| hover over a head | under 50 ms | **{slowest:.1f} ms** |")
    if "network" in figures:
        row = figures["network"]
        lines.append(
            f"| network of {row['nodes']} nodes and {row['edges']:,} edges | drawn in 2 s, slider steps under 100 ms | "
            f"**{row['cold_ms'] / 1000:.2f} s** after a cold load, steps **{row['step_ms']:.0f} ms**, the slowest "
            f"{row['slowest_step_ms']:.0f} ms |"
        )
    if "pages" in figures:
        row = figures["pages"]
        name, prompts = row["model"], row["prompts"]
        lines += [
            f"| first page with a stored run, cold server | under 4 s | **{median(row['first_page_s']):.1f} s**, with "
            f"its form {median(row['form_s']):.1f} s; the server is ready {median(row['start_s']):.1f} s after its start |",
            f"| a node replaced on the page, `{name}`, {prompts} prompts | under 1.5 s | **{median(row['node_s']):.2f} s**, "
            f"slowest {max(row['node_s']):.2f} s; the first of a circuit **{median(row['first_answer_s']):.2f} s**, slowest "
            f"{max(row['first_answer_s']):.2f} s; of a model just loaded {row['very_first_s']:.2f} s |",
            f"| an edge replaced on the page, likewise | under 1.5 s | **{median(row['edge_s']):.2f} s**, slowest "
            f"{max(row['edge_s']):.2f} s |",
            f"| two maps of other prompts, `{name}`, beyond the model's own time | under 1 s | "
            f"**{median(row['mapped_s']) - median(row['own_s']):.2f} s** ({median(row['mapped_s']):.2f} s in all); of one "
            f"prompt of them {median(row['prompt_s']):.2f} s |",
            f"| the mouse on a cell, until both maps say its number | under 50 ms | "
            f"**{1000 * median(row['hover_s']):.0f} ms**, slowest {1000 * max(row['hover_s']):.0f} ms |",
            f"| a step of the slider of a circuit's size, on the page with its curve, up to 3,000 edges | under 100 ms | "
            f"**{1000 * median(row['step_s']):.0f} ms**, slowest {1000 * max(row['step_s']):.0f} ms |",
        ]
        stops = [one for each in row["stop_s"].values() for one in each]
        methods = ", ".join(f"`{method}`" for method in row["stop_s"])
        lines.append(
            f"| Stop in the middle of {methods} until the page says so | under 1 s | "
            f"**{median(stops):.2f} s**, slowest {max(stops):.2f} s |"
        )
    if "load" in figures:
        lines.append(_load(figures["load"]))
    return lines


def _load(row: dict[str, Any]) -> str:
    memory = [bytes_ / 1e6 for bytes_ in row["memory_bytes"]]
    said = f"{len(row['errors'])} errors" if row["errors"] else "no error"
    return (
        f"| {row['sessions']} sessions for {row['seconds'] / 60:.0f} minutes, a click each {row['pause_s']:.0f} s | no error, "
        f"95 % of clicks in 1 s, memory flat | **{row['under_1_s']:.1%}** of {row['clicks']:,} clicks, median "
        f"{1000 * row['click_s']['p50']:.0f} ms, 95th of a hundred {1000 * row['click_s']['p95']:.0f} ms; {said}; "
        f"{memory[0]:.0f} MB when all are there, {memory[len(memory) // 2]:.0f} halfway, {memory[-1]:.0f} at the end |"
    )


def _size(size: float | int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} KB"
