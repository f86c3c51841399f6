"""What the page of heads says in words; safe as HTML."""

from collections.abc import Mapping
from datetime import datetime
from html import escape

import numpy as np

from workbench.pages.palettes import tinted
from workbench.pages.swatch import swatch
from workbench.pages.words import failed
from workbench.plots.theme import tone
from workbench.views.heads import Heads
from workbench.views.heads_table import HeadsTable, Measured, measured
from workbench.views.onward import has, in_circuit, link, looking, on_prompt

HINT = (
    '<div style="padding:20px 12px;max-width:680px">'
    '<div style="font-size:20px;font-weight:600;margin-bottom:8px">Heads by what they do</div>'
    '<div style="font-size:14px;line-height:1.5">Every attention head of the model in one table: where it looks, whether it '
    "copies what it looks at, and what it does for the answer on the task. Sort and narrow the table, then open a head to see "
    "where it looks on a prompt and which tokens it writes.</div>"
    '<div style="font-size:14px;margin-top:14px">Press <b>Find heads</b>.</div></div>'
)
# Strips of more heads than this show every so many.
MARKS = 500
WIDE, HIGH = 170, 18


def status(view: Heads) -> str:
    """How far the work is, as plain text."""
    if view.status in ("queued", "running"):
        share = "" if view.progress is None else f" · {view.progress:.0%}"
        left = "" if view.seconds_left is None else f" of this step · about {max(1, round(view.seconds_left))} s left"
        return f"{view.label[:1].upper()}{view.label[1:]}{share}{left}"
    ready = "Shown from the store." if view.table is not None else "Ready."
    return {"done": "Done.", "stopped": "Stopped.", "failed": failed(view)}.get(view.status, ready)


def counted(view: Heads) -> str:
    """How many heads are shown, by what they are sorted, and what is missing."""
    table: HeadsTable | None = view.table
    if table is None:
        return ""
    shown = f"{len(view.order)} of {len(table)} heads" if len(view.order) < len(table) else f"{len(table)} heads"
    to_do = "click a row to open its head, a column to sort" if view.order else "none passes the filter and the threshold"
    said = [f"<b>{escape(shown)}</b> <span style='opacity:.75'>{to_do}</span>"]
    missing: dict[str, list[str]] = {}
    for column in table.columns.values():
        if np.isnan(column.values).any():
            missing.setdefault(column.reason, []).append(column.label)
    said += [f"– {escape(', '.join(names))}: {escape(reason)}" for reason, names in missing.items()]
    return '<div style="font-size:13px;line-height:1.45">' + "<br>".join(said) + "</div>"


def opened(view: Heads, theme: str) -> str:
    """The name of the open head in its colour and what it is by the table, or what to do."""
    if view.head.head is None:
        return quiet("Click a row or a cell of the map to open that head.")
    name = ".".join(map(str, view.head.head))
    by = f"{escape(name)} is {escape(view.table.said(view.head.head))}" if view.table is not None else ""
    by = by.replace(" is It ", ": it ").replace(" is Nothing ", ": nothing ")
    title = f'<div style="font-size:20px;font-weight:600">{swatch(view.index, theme)}Head {escape(name)}</div>'
    return f'{title}<div style="font-size:14px">{by}</div>'


def links(view: Heads, theme: str = "light") -> str:
    """Where to go on with the open head, of the pages that are served; '' where there is none."""
    if view.head.head is None:
        return ""
    layer, head = view.head.head
    on = on_prompt(view.head.attention.prompt, view.head.attention.of)
    found = []
    if has("attention"):
        found.append(("See its attention beside that of all heads", looking(view, (layer, head), on)))
    lines = [" · ".join(_link(*one, theme) for one in (found + _to_circuits(view, on)))]
    lines += _in_circuits(view, on, theme)
    return "".join(f'<div style="font-size:13px;line-height:1.6">{line}</div>' for line in lines if line)


def _link(title: str, to: str, theme: str) -> str:
    return f'<a style="color:inherit" href="{escape(tinted(to, theme))}">{escape(title)}</a>'


def _to_circuits(view: Heads, on: Mapping[str, str]) -> list[tuple[str, str]]:
    """Links to the head's cell on the page of circuits, or to where a circuit is found."""
    if not has("circuits") or view.head.head is None:
        return []
    layer, head = view.head.head
    # Of these the page of circuits can show the very cell.
    known = next((view.results[name].origin for name in ("patch", "atp") if name in view.results), None)
    if known is not None:
        cell = {"method": known.method, "result": known.key, "layer": str(layer), "head": str(head)}
        return [("Its effect among all heads, on the page of circuits", link("circuits", view, cell | on))]
    return [("Find the circuit it is part of", link("circuits", view, {"method": "discover"}))]


def _in_circuits(view: Heads, on: Mapping[str, str], theme: str) -> list[str]:
    """A line for each of the newest stored circuits that the open head is in, or that it is in none; none are no lines."""
    if not has("circuits") or view.head.head is None:
        return []
    layer, head = view.head.head
    name, newest = f"a{layer}.h{head}", view.newest_circuits()
    holding = [(entry, held) for entry, held in newest if name in held.nodes]
    if newest and not holding:
        last = "not in the last circuit" if len(newest) == 1 else f"in none of the last {len(newest)} circuits"
        return [f'<span style="opacity:.8">{swatch(view.index, theme)}{name} is {last} of this task.</span>']
    return [
        _link(f"In the circuit of {_at(entry.modified)}, {held.edges:,} edge{'s' * (held.edges != 1)}", to, theme)
        + f": {swatch(view.index, theme)}{name}"
        for entry, held in holding
        for to in [in_circuit(view, entry.key, (layer, head), on)]
    ]


def _at(when: datetime) -> str:
    """A time of today as hours and minutes, any other with its day; by the clock of this machine."""
    here = when.astimezone()
    return here.strftime("%H:%M" if here.date() == datetime.now().date() else "%Y-%m-%d %H:%M")


def looks(view: Heads) -> str:
    """What is going on in the panels of the open head; '' where they show all there is."""
    if view.head.head is None:
        return ""
    said = [one for one in (view.head.attention.status, view.head.writes.status) if one]
    if said and view.status in ("queued", "running"):
        return quiet("Waits until the work above has ended. Stop ends it now.")
    if not said and view.head.attention.scores is None:
        return quiet("Press Find heads to see where it looks.")
    return quiet(" · ".join(dict.fromkeys(said)))


def measures(view: Heads, theme: str) -> str:
    """What every column says of the open head, each with a strip of all heads; '' where there is none."""
    if view.table is None or view.head.head is None:
        return ""
    head = "".join(f'<div style="opacity:.7">{word}</div>' for word in ("", "± s.e.", "place", "among all heads"))
    rows = "".join(_row(one, len(view.table), theme) for one in measured(view.table, view.head.head))
    style = (
        "display:grid;grid-template-columns:max-content max-content max-content minmax(90px,1fr);gap:2px 14px;font-size:13px;"
        "align-items:center;font-variant-numeric:tabular-nums"
    )
    said = "Grey: every head. Dots: single sequences or prompts. Thick: this head."
    return f'<div style="{style}">{head}{rows}</div>{quiet(said)}'


def _row(one: Measured, count: int, theme: str) -> str:
    column = one.column
    value = (
        "–" if one.value != one.value else f"{one.value + 0.0:{'+' if column.signed else ''}#.3g}".rstrip(".").replace("-", "−")
    )
    spread = "" if one.error != one.error else f" <span style='opacity:.7'>± {one.error:.1g}</span>"
    each = ", ".join(column.text(float(number)) for number in one.each)
    about = f"{column.about} In {column.unit}." + (f" Each: {each}." if len(one.each) > 1 else "")
    if one.value != one.value:
        about = f"Not computed: {column.reason}"
    rank = int(column.ranks[one.row])
    cells = (
        f'<div title="{escape(about)}">{escape(column.label)}</div>'
        f"<div><b>{escape(value)}</b>{spread}</div>"
        f'<div style="opacity:.8">{f"{rank} of {count}" if rank else "–"}</div>'
    )
    return cells + (_strip(one, theme) if rank else "<div></div>")


def _strip(one: Measured, theme: str) -> str:
    """All heads as ticks on a line, the sequences of this one as dots, its own number as a thick tick."""
    everyone = one.column.values[np.isfinite(one.column.values)]
    ends = np.concatenate([everyone, one.each])
    low, high = float(ends.min()), float(ends.max())
    of, every = tone(theme), max(1, len(everyone) // MARKS)

    def x(number: float) -> str:
        return f"{5 + (WIDE - 10) * (number - low) / ((high - low) or 1.0):.1f}"

    ticks = "".join(f"M{x(number)} 5v8" for number in np.sort(everyone)[::every])
    dots = "".join(f'<circle cx="{x(number)}" cy="9" r="2.2"/>' for number in one.each) if len(one.each) > 1 else ""
    return (
        f'<svg viewBox="0 0 {WIDE} {HIGH}" width="{WIDE}" height="{HIGH}" role="img" style="max-width:100%">'
        f'<path d="{ticks}" stroke="{of.quiet}" stroke-width="1" opacity=".3" fill="none"/>'
        f'<g fill="{of.high}" opacity=".75">{dots}</g>'
        f'<path d="M{x(one.value)} 1v16" stroke="{of.ink}" stroke-width="3"/></svg>'
    )


def quiet(said: str) -> str:
    """A quiet line."""
    return f'<span style="font-size:13px;opacity:.8">{escape(said)}</span>' if said else ""
