"""The README's lines on heads and on how they are learned, made from the written figures."""

from statistics import mean, median
from typing import Any


def learning_lines(figures: dict[str, Any]) -> list[str]:
    """What naming all heads costs, and what training many networks at once saves."""
    lines = []
    if "heads" in figures:
        row = figures["heads"]
        took = f"{row['detectors']} detectors, {row['pairs']} pairs | under 120 s | **{row['heads_s']:.0f} s**"
        lines.append(f"| table of all heads, {took} |")
        found = f"{row['trials']}; {row['retrieval_heads']}"
        lines.append(
            f"| retrieval heads, 18 trials of 300 and 600 tokens | under 360 s | **{row['retrieval_s']:.0f} s**; {found} |"
        )
    if "at_once" in figures:
        row = figures["at_once"]
        took = f"{median(row['together_s']):.1f} s against {median(row['alone_s']):.1f} s for {row['steps']} steps"
        lines.append(
            f"| {row['networks']} networks trained at once against one after another | at least 1.3 times as fast, same "
            f"numbers | **{row['ratio']:.1f} times** ({took}), largest difference {row['largest_difference']:g} |"
        )
    if "transition" in figures:
        rows = figures["transition"]
        ends = ", ".join(f"{name} {mean(row[name] for row in rows):.2f}" for name in ("ic", "ila1", "tila2"))
        reached = [row for row in rows if row["at"] is not None]
        when = f"step {min(row['at'] for row in reached)} to {max(row['at'] for row in reached)}"
        when += f"; {len(rows) - len(reached)} seeds do not come there" if len(reached) < len(rows) else ""
        lines.append(
            f"| one network until it is right on .95 of new classes, {len(rows)} seeds | under 90 s; at the end ic .95, ila1 "
            f".8, tila2 .7 | **{max(row['seconds'] for row in reached):.0f} s** at most ({when}); means {ends} |"
        )
    return lines


def regime_table(figures: dict[str, Any]) -> str:
    """Where networks learn, by seed."""
    rows = figures.get("regimes", [])
    if not rows:
        return ""
    lines = ["", "", "| where networks learn, by seed | classes, burst | new classes | labels moved | from the weights |"]
    lines.append("|---|---|---|---|---|")
    for row in rows:
        cells = " | ".join(" ".join(f"{value:.2f}" for value in row[name]) for name in ("ic", "ic2", "iw"))
        lines.append(f"| {row['regime']}, {row['steps']:,} steps | {row['classes']}, {row['burst']} | {cells} |")
    return "\n".join(lines)
