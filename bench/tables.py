"""The README's tables, made from the written figures and never typed."""

import re
from statistics import mean, median, stdev
from typing import Any

from bench.app_tables import app_lines
from bench.learning_tables import learning_lines, regime_table


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
    if "composition" in figures:
        row = figures["composition"]
        lines.append(
            f"| q, k and v composition of {row['pairs']:,} pairs of heads, whole and by component | under 10 s and 0.5 GB | "
            f"**{median(row['seconds']):.1f} s**, {row['bytes'] / 1e9:.2f} GB |"
        )
    lines += learning_lines(figures) + app_lines(figures)
    for row in figures.get("forecasts", []):
        lines.append(
            f"| memory of `eap` at an 8B model's width, {row['layers']} of 32 layers, 8 × 32 tokens, bfloat16 | forecast "
            f"within 15 % | **{row['forecast'] / 1e9:.2f} GB** forecast, {row['measured'] / 1e9:.2f} GB taken |"
        )
    return lines


def circuit_tables(figures: dict[str, Any]) -> str:
    """Estimates against exact edge patching, every method on the real model, and every method on known circuits."""
    tables = (edge_correlation_table, method_table, known_table, channel_table, scaled_table, told_table, regime_table)
    return "".join(table(figures) for table in tables)


def channel_table(figures: dict[str, Any]) -> str:
    """The strongest inhibition channel of every set of prompts."""
    rows = figures.get("channels", [])
    if not rows:
        return ""
    columns = ("share", "next share", "random share", "alone", "said, right first", "said, wrong first", "composition")
    head = "| strongest channel by set of prompts | " + " | ".join(columns) + " |"
    lines = ["", "", head, "|---|" + "---|" * len(columns)]
    for row in rows:
        lines.append(f"| `{row['channel']}` | " + " | ".join(f"{row[name]:.2f}" for name in columns) + " |")
    lines.append("| mean ± s.d. | " + " | ".join(spread(rows, name) for name in columns) + " |")
    return "\n".join(lines)


def scaled_table(figures: dict[str, Any]) -> str:
    """What the strongest channel's reader and the answer do by its factor, over sets of prompts."""
    rows = [row["scaled"] for row in figures.get("channels", []) if "scaled" in row]
    if not rows:
        return ""
    alphas = rows[0]["alpha"]
    lines = [
        "",
        "",
        "| α on that channel | " + " | ".join(f"{alpha:g}" for alpha in alphas) + " |",
        "|---|" + "---|" * len(alphas),
    ]
    for name, title in (("leaning", "reader's leaning"), ("logit_diff", "logit difference"), ("accuracy", "accuracy")):
        cells = [[{"": row[name][at]} for row in rows] for at in range(len(alphas))]
        lines.append(f"| {title} | " + " | ".join(spread(some, "") for some in cells) + " |")
    return "\n".join(lines)


def told_table(figures: dict[str, Any]) -> str:
    """Who speaks to the writer of the strongest channel, and to the keys of the induction head."""
    cases = [row for one in figures.get("channels", []) for row in one.get("told by", [])]
    cases += figures.get("into_induction", [])
    if not cases:
        return ""
    columns = ("head", "share", "random share", "deviation", "previous", "duplicate", "induction")
    head = (
        "| direct path into the inhibitor (v) and the induction head (k), and its best component | sets | "
        + " | ".join(columns)
        + " |"
    )
    lines = ["", "", head, "|---|---|" + "---|" * len(columns)]
    # Which component is the best may differ between sets; who speaks to whom does not.
    named = [(re.sub(r"^(\d+\.\d+)\.\d+", r"\1", row["channel"]), row) for row in cases]
    for name in dict.fromkeys(name for name, _ in named):
        rows = [row for other, row in named if other == name]
        lines.append(f"| `{name}` | {len(rows)} | " + " | ".join(spread(rows, column) for column in columns) + " |")
    return "\n".join(lines)


def edge_correlation_table(figures: dict[str, Any]) -> str:
    """Pearson by task and sample."""
    rows = figures.get("edge_correlations", [])
    sets = {(row["task"], row["drawn"]): row["edges"] for row in rows}
    if not rows:
        return ""
    heads = [f"{task}: {edges:,} {'edges, all' if drawn == 'all' else drawn}" for (task, drawn), edges in sets.items()]
    lines = ["", "", "| Pearson with exact edge patching | " + " | ".join(heads) + " |", "|---|" + "---|" * len(sets)]
    for method in dict.fromkeys(row["method"] for row in rows):
        found = {(row["task"], row["drawn"]): row["pearson"] for row in rows if row["method"] == method}
        lines.append(f"| `{method}` | " + " | ".join(f"{found[one]:.3f}" for one in sets) + " |")
    return "\n".join(lines)


def spread(rows: list[dict[str, Any]], name: str, digits: int = 2) -> str:
    """Mean ± standard deviation over seeds."""
    found = [row[name] for row in rows]
    return f"{mean(found):.{digits}f}" + (f" ± {stdev(found):.{digits}f}" if len(found) > 1 else "")


def method_table(figures: dict[str, Any]) -> str:
    """What each method's circuits give back on prompts held out."""
    rows = figures.get("methods", [])
    if not rows:
        return ""
    shares = [name for name in rows[0] if name.startswith("at ")]
    columns = [*(f"faithfulness of {float(name[3:]):.0%}" for name in shares), "CPR", "CMD", "seconds, least"]
    lines = [
        "",
        "",
        "| found on one half, reported on the other | " + " | ".join(columns) + " |",
        "|---|" + "---|" * len(columns),
    ]
    for method in dict.fromkeys(row["method"] for row in rows):
        own = [row for row in rows if row["method"] == method]
        seconds = f"{min(row['seconds'] for row in own):.1f}" if own[0]["seconds"] else ""
        cells = [*(spread(own, name) for name in (*shares, "cpr", "cmd")), seconds]
        lines.append(f"| {_called(method)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def known_table(figures: dict[str, Any]) -> str:
    """AUROC, and the precision of as many as are true."""
    rows = figures.get("known", [])
    if not rows:
        return ""
    models = list(dict.fromkeys(row["model"] for row in rows))
    lines = [
        "",
        "",
        "| AUROC, precision at the true size | of | " + " | ".join(models) + " |",
        "|---|---|" + "---|" * len(models),
    ]
    for method in dict.fromkeys(row["method"] for row in rows):
        own = [row for row in rows if row["method"] == method]
        cells = []
        for name in models:
            here = [row for row in own if row["model"] == name]
            cells.append(f"{spread(here, 'auroc', 3)}, {spread(here, 'precision')}")
        lines.append(f"| {_called(method)} | {own[0]['of']} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + wrong_table(rows)


def wrong_table(rows: list[dict[str, Any]], model: str = "decoy") -> str:
    """What each method took for true on a model made to fool some, and what it left out; of the first set of prompts."""
    here = [row for row in rows if row["model"] == model and row["seed"] == rows[0]["seed"] and row.get("false")]
    lines = ["", "", f"| wrong on `{model}` | taken, though false | left out, though true |", "|---|---|---|"]
    for row in here:
        told = [", ".join(f"`{name}`" for name in row[kind]) for kind in ("false", "missed")]
        lines.append(f"| {_called(row['method'])} | {told[0]} | {told[1]} |")
    return "\n".join(lines) if here else ""


def _called(label: str) -> str:
    method, _, rest = label.partition(" ")
    return method if method == "random" else f"`{method}` {rest}".strip()


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
