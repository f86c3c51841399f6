"""What the card of interventions says; safe as HTML."""

from html import escape

import numpy as np

from workbench.pages.palettes import tinted
from workbench.pages.swatch import swatched
from workbench.result import Circuit
from workbench.views.answering import Answer, Replaced
from workbench.views.cells import heads_of_place
from workbench.views.circuits import Circuits
from workbench.views.onward import of_head

NAMES = {"zero": "Zero", "mean": "Mean", "resample": "Resample", "other": "Other run"}
VALUES = {
    "zero": "zero",
    "mean": "its mean over the corrupt prompts",
    "resample": "what it is on the corrupt prompt of another pair",
    "other": "what it is on the corrupt prompt",
}
HEAD = ("Prompt", "Before", "After", "Answer before", "Answer after")
LONGEST = 36


def quietly(text: str) -> str:
    """A quiet line."""
    return f'<span style="font-size:13px;opacity:.8">{escape(text)}</span>' if text else ""


def place(view: Circuits, theme: str) -> str:
    """The node or edge chosen, its heads in their colours, with its score."""
    live, circuit = view.ablation, view.result
    if not live.place or not isinstance(circuit, Circuit):
        return ""
    return (
        f'<b style="font-size:15px">{swatched(live.place.replace("->", " → "), heads_of(view), theme)}</b> '
        f'<span style="font-size:13px;opacity:.85;margin-left:6px">{escape(_score(circuit, live.place))}</span>'
    )


def links(view: Circuits, theme: str) -> str:
    """Where to go on with each head of the node or edge chosen; '' where there is none, or no page to go to."""
    live, lines = view.ablation, []
    if live.graph is None or not live.place:
        return ""
    along = view.along
    for layer, head, group in heads_of_place(live.graph, live.place):
        name = f"a{layer}.h{head}"
        shown = swatched(name, heads_of(view), theme)
        said = [
            f'<a style="color:inherit" aria-label="{escape(f"{says}, head {layer}.{head}")}" '
            f'href="{escape(tinted(to, theme))}">{escape(says)}</a>'
            for says, to in of_head(along, (layer, head))
        ]
        if said:
            serves = "" if group is None else f"Serves heads {layer}.{group[0]} to {layer}.{group[1]}; the first, "
            lines.append(f"<div>{escape(serves)}{shown}: {' · '.join(said)}</div>")
    return f'<div style="font-size:13px;line-height:1.6">{"".join(lines)}</div>' if lines else ""


def _score(circuit: Circuit, name: str) -> str:
    scores = circuit.edge_scores.values
    if "->" in name:
        at = int(np.flatnonzero(circuit.names() == name)[0])
        if not np.isfinite(scores[at]):
            return "an edge without a score"
        rank = int((np.abs(np.nan_to_num(scores)) > abs(scores[at])).sum()) + 1
        ends = ""
        if circuit.lower is not None and circuit.upper is not None and circuit.values.ndim == 1:
            ends = f" [{circuit.lower.values[at]:+.3g}, {circuit.upper.values[at]:+.3g}]"
        return f"score {scores[at]:+.3g}{ends} {circuit.unit}, rank {rank:,} of {len(scores):,}"
    sources = [str(source) for source in circuit.parts["sources"].values]
    if name not in sources:
        return "a place that is read, and writes nothing"
    mine = circuit.values.coords["src"].values == sources.index(name)
    return f"all its {int(mine.sum()):,} edges out: {np.nansum(scores[mine]):+.3g} {circuit.unit}"


def about(chosen: bool, why: str) -> str:
    """What the buttons put in place, what to do first, or why nothing can be done."""
    if why:
        return quietly(why)
    if not chosen:
        return quietly("Click a node or an edge of the network, then choose what it is replaced by. Several can be combined.")
    said = "; ".join(f"<b>{NAMES[by]}</b>: {escape(value)}" for by, value in VALUES.items() if by != "zero")
    return (
        '<div style="font-size:12px;opacity:.8;line-height:1.45">A node is replaced for all that read it, an edge for its one '
        f"reader; everything after is computed anew, at every position of the clean prompts. {said}.</div>"
    )


def heads_of(view: Circuits) -> int:
    """How many heads a layer of the circuit's graph has; 0 where there is none."""
    return 0 if view.ablation.graph is None else view.ablation.graph.n_heads


def sentence(each: Replaced, heads: int, theme: str) -> str:
    """One intervention in words, its heads in their colours."""
    verb = "carries" if "->" in each.place else "writes"
    name = swatched(each.place.replace("->", " → "), heads, theme)
    return f'<span style="font-size:13px">× <b>{name}</b> {verb} {escape(VALUES[each.by])}</span>'


def changed(answer: Answer) -> str:
    """What the interventions change on average."""
    count, alone = len(answer.prompts), np.isnan(answer.error)
    error = "" if alone else f" ± {answer.error:.2g}"
    spread = "mean" if alone else "mean ± 1 s.e."
    prompts = f"{count} prompt{'s' * (count > 1)}" if count == answer.of else f"the first {count} of {answer.of} prompts"
    right = [float(each.mean()) for each in answer.right]
    flips = sum(before != after for before, after in answer.likeliest)
    metric = answer.metric.replace("_", " ").capitalize()
    return (
        '<div style="font-size:13px;line-height:1.6;font-variant-numeric:tabular-nums">'
        f"{escape(metric)} {answer.before.mean():+.3g} → <b>{answer.after.mean():+.3g}</b>: "
        f"<b>{answer.change:+.3g}{error}</b> {escape(answer.scores.unit)} ({spread} over {prompts})<br>"
        f"Right answer {right[0]:.1%} → <b>{right[1]:.1%}</b> · the most probable token changes on {flips} of {count}</div>"
    )


def table(answer: Answer) -> str:
    """A row per prompt: the metric and the most probable token, without and with what is replaced."""
    cells = [f"<th>{name}</th>" for name in HEAD]
    lines = [f"<tr>{''.join(cells)}</tr>"]
    before, after, likeliest = answer.before, answer.after, answer.likeliest
    for index, text in enumerate(answer.prompts):
        words = [f"{word} {answer.probabilities[run, index]:.0%}" for run, word in enumerate(likeliest[index])]
        shown = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
        kept = [f"{before[index]:+.2f}", f"{after[index]:+.2f}", *words]
        moved = ' style="font-weight:600"' if len(set(likeliest[index])) > 1 else ""
        lines.append(
            f'<tr{moved}><td title="{escape(text)}">{escape(shown)}</td>'
            + "".join(f'<td style="white-space:nowrap">{escape(cell)}</td>' for cell in kept)
            + "</tr>"
        )
    return (
        "<style>.live-table td,.live-table th{padding:3px 12px 3px 2px;text-align:left;"
        "border-bottom:1px solid rgba(128,128,128,.2)}</style>"
        '<div tabindex="0" style="max-height:280px;overflow:auto"><table class="live-table" style="font-size:12px;'
        f'border-collapse:collapse;font-variant-numeric:tabular-nums">{"".join(lines)}</table></div>'
    )
