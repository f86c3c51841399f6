"""What the channels page says in words; safe as HTML but for the rows of the table, which are text."""

from html import escape
from typing import Any

from workbench.pages.swatch import swatched
from workbench.pages.words import failed
from workbench.result import Scores
from workbench.views.channels import Channels
from workbench.views.pair import Pair

HINT = (
    '<div style="padding:20px 12px;max-width:680px">'
    '<div style="font-size:20px;font-weight:600;margin-bottom:8px">Channels between heads</div>'
    '<div style="font-size:14px;line-height:1.5">What a head writes is a sum of components: single directions. '
    "A later head reads some of them. This page finds the components that matter on a task, and lets you say them louder, "
    "quieter or the other way round.</div>"
    '<div style="font-size:14px;margin-top:14px">Press <b>Find channels</b>, or type a writer and a reader below. Heads are '
    "written LAYER.HEAD.</div></div>"
)


def status(view: Channels) -> str:
    """How far the search is, as plain text."""
    if view.status in ("queued", "running"):
        share = "" if view.progress is None else f" · {view.progress:.0%}"
        return f"{view.label[:1].upper()}{view.label[1:]}{share}{_left(view.seconds_left)}"
    ready = "Shown from the store." if view.channels is not None else "Ready."
    return {"done": "Done.", "stopped": "Stopped.", "failed": failed(view)}.get(view.status, ready)


def _left(seconds: float | None) -> str:
    return "" if seconds is None else f" of this step · about {max(1, round(seconds))} s left"


def heads(view: Channels) -> str:
    """What is said above the heads of two layers."""
    if view.between is None:
        return _line("Click a cell of the layers to see their heads.")
    return _line("Click a cell to see the components of that pair of heads.")


def table(view: Channels) -> str:
    """The heading of the table of channels."""
    found = view.channels
    if found is None:
        return "<b>Channels that matter</b>" + _line("The search has not finished yet.")
    on_task = "inhibition" in found.values.coords
    title = "Channels that matter on the task" if on_task else "Channels of the weights alone"
    said = "Click a row to see it. Inhibition is how far the reader turns back to the wrong answer without the component."
    if not on_task:
        said = "Click a row to see it." if found.values.size else "No component stands out."
        said += f" Those of the task are unavailable: {view.reason}" if view.reason else ""
    return f'<b style="font-size:14px">{title}</b><div>{_line(said)}</div>'


def rows(found: Scores | None, most: int) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The head and the rows of the table of channels, as plain text."""
    if found is None:
        return (), []
    values = found.values
    shown: dict[str, tuple[str, str]] = {"share of strength": ("share of strength", "{:.0%}"), "q": ("q", "{:.2g}")}
    if "inhibition" in values.coords:
        shown = {"inhibition": ("inhibition", "{:+.3f}"), "share": ("share of effect", "{:.0%}"), "q": ("q", "{:.2g}")}
    head = ("channel", *(title for title, _ in shown.values()))
    if "inhibition" not in values.coords:
        head = ("channel", "deviations", *head[1:])
    made = []
    for place, name in enumerate(values.channel.values[:most]):
        cells = [form.format(float(values.coords[column][place])) for column, (_, form) in shown.items()]
        if "inhibition" not in values.coords:
            cells = [f"{float(values[place]):.1f}", *cells]
        made.append((str(name).replace("->", "→"), *cells))
    return head, made


def pair(view: Channels, theme: str) -> str:
    """What is said of the pair: which it is, each head in its colour, and what is going on; or what to do."""
    looked = view.pair
    if looked.writer is None or looked.reader is None:
        return _line("Click a pair of heads above, or type one and press Enter.")
    said = looked.status
    if looked.waits and view.status in ("queued", "running"):
        said = "Waits until the search has ended. Stop ends it now."
    if not said and looked.known.scores is None:
        said = "Press Show to compute this pair."
    chosen = "" if looked.component is None else f" Component {looked.component} is chosen: click a bar for another."
    name = " → ".join(f"{layer}.{head}" for layer, head in (looked.writer, looked.reader))
    title = f'<b style="font-size:14px;margin-right:10px">{swatched(name, view.heads, theme, plain=True)}</b>'
    return title + _line(said or chosen.strip())


def effects(looked: Pair) -> str:
    """Why there are no effects to see, or ''."""
    return _unavailable(looked.known.reason) if looked.known.effects is None and looked.known.reason else ""


def scaled(looked: Pair) -> str:
    """What follows at the factor chosen, in numbers; or what is going on."""
    if looked.scaled is None:
        return _line(looked.status) or _unavailable(looked.known.reason)
    said = looked.scaled.said(looked.alpha)
    before = looked.scaled.said(1)
    forms: dict[str, Any] = {"logit difference": "{:+.2f}", "accuracy": "{:.0%}", "on right": "{:.3f}", "on wrong": "{:.3f}"}
    names = {"on right": "attention on right", "on wrong": "attention on wrong"}
    cells = []
    for name, form in forms.items():
        was = "" if looked.alpha == 1 else f' <span style="opacity:.65">was {form.format(before[name] + 0.0)}</span>'
        title = escape(names.get(name, name))
        cells.append(f'<span style="opacity:.75">{title}</span> <b>{form.format(said[name] + 0.0)}</b>{was}')
    inside = "".join(f"<span>{cell}</span>" for cell in cells)
    style = "display:flex;flex-wrap:wrap;gap:2px 28px;font-size:14px;font-variant-numeric:tabular-nums"
    return f'<div style="{style}">{inside}</div>'


def _unavailable(why: str) -> str:
    return f'<span style="font-size:13px"><b>Unavailable.</b> {escape(why)}</span>' if why else ""


def _line(said: str) -> str:
    return f'<span style="font-size:13px;opacity:.8">{escape(said)}</span>' if said else ""
