"""What the page of maps says in words; safe as HTML."""

from html import escape

import numpy as np

from workbench.pages.swatch import swatch
from workbench.pages.words import failed, left
from workbench.plots.axis import axis
from workbench.plots.hues import counted
from workbench.result import Scores
from workbench.views.cells import group_of
from workbench.views.maps import PAIRS, Maps
from workbench.views.maps_kinds import KINDS
from workbench.views.onward import link, looking, on_prompt

HINT = (
    '<div style="padding:20px 12px;max-width:720px">'
    '<div style="font-size:20px;font-weight:600;margin-bottom:8px">Where it matters: three maps of the same cells</div>'
    '<div style="font-size:14px;line-height:1.5">What does the answer do when one place of the run is replaced by that of the '
    "other prompt? Attribution and relevance patching estimate it for all cells in a few passes; activation patching runs the "
    "model once for each cell and is exact. Side by side, in one scale of colours, you see where estimates can be trusted."
    "</div>"
    '<div style="font-size:14px;margin-top:14px">Press <b>Compute</b>. The estimates come first, the exact cells as they are '
    "computed; Stop keeps what is done.</div></div>"
)
TITLES = {"patch": "Exact", "atp": "Attribution", "relp": "Relevance"}
ABOUT = {
    "patch": "activation patching, a run per cell", "atp": "first order, by gradients",
    "relp": "by relevance propagation",
}  # fmt: skip
SMALL = '<span style="font-size:13px;{}">{}</span>'
SYMBOLS = {"pearson": "Pearson r", "spearman": "Spearman ρ", "slope": "slope"}


def status(view: Maps) -> str:
    """How far the work is, as plain text."""
    if view.status in ("queued", "running"):
        share = "" if view.progress is None else f" · {view.progress:.0%}"
        return f"{view.label}{share}{left(view.seconds_left)}"
    ready = "Shown from the store." if view.results else "Ready."
    return {"done": "Done.", "stopped": "Stopped. Compute goes on from there.", "failed": failed(view)}.get(view.status, ready)


def reason(view: Maps, method: str) -> str:
    """Why there is no map of a method, or how far it is; '' where it is whole."""
    if method in view.results:
        return ""
    if method == "patch" and view.partial is not None:
        values = view.partial.values
        done = float(np.isfinite(values.values).mean())
        more = "" if view.waits(method) else ". Compute goes on from there"
        return SMALL.format("opacity:.8", escape(f"{done:.0%} of the cells are computed{more}."))
    if view.waits(method):
        return SMALL.format("opacity:.8", "Computing …" if view.status == "running" else "Waiting …")
    if method == "patch" and not view.exact:
        return SMALL.format("opacity:.8", "Switched off: see “Exact map” in the sidebar.")
    why = view.reasons.get(method, "")
    return SMALL.format("", f"<b>Unavailable.</b> {escape(why)}") if why else SMALL.format("opacity:.8", "Press Compute.")


def locked(view: Maps, theme: str) -> str:
    """The numbers of all maps at the locked cell, with links onwards; or what to do."""
    if view.cell is None:
        said = "Point at a cell to see its number in every map. A click locks it, arrow keys move it, Esc lets it go."
        return SMALL.format("opacity:.8", said)
    numbers = view.numbers()
    unit = view.any.unit if view.any is not None else ""
    rows = "".join(_row(TITLES[method], *numbers[method]) for method in ("patch", "atp", "relp") if method in numbers)
    over = "" if view.prompt is not None else ", mean over prompts ± standard error"
    style = "display:grid;grid-template-columns:max-content max-content 1fr;gap:1px 14px;font-size:13px;margin:4px 0"
    return (
        f'<div style="font-size:15px;font-weight:600">{swatch(_index(view), theme)}{escape(named(view))}</div>'
        f'<div style="font-size:12px;opacity:.75">{escape(f"{KINDS[view.kind].title}, effect in {unit}{over}")}</div>'
        f'<div style="{style};font-variant-numeric:tabular-nums">{rows}</div>{SMALL.format("", _links(view))}'
    )


def _index(view: Maps) -> int | None:
    """The head of the locked cell, counted layer after layer; None where it has none of its own."""
    return counted((view.cell.layer, view.cell.head), view.heads) if view.cell.head is not None else None


def _row(title: str, value: float, error: float) -> str:
    said = "not computed" if value != value else f"{value:+.4g}"
    spread = f"± {error:.2g}" if error == error and value == value else ""
    return f"<div>{escape(title)}</div><div><b>{escape(said)}</b></div><div style='opacity:.75'>{escape(spread)}</div>"


def named(view: Maps) -> str:
    """The locked cell in words; not safe."""
    cell, scores = view.cell, view.any
    if cell is None or scores is None:
        return ""
    group = group_of(scores, cell)
    said = f"Layer {cell.layer}"
    if cell.head is not None:
        said = f"Key-value head {cell.layer}.{cell.head}" if group else f"Head {cell.layer}.{cell.head}"
    if cell.pos is not None and "pos" in scores.values.dims:
        labels = axis(scores.values, "pos").labels
        said += f", position {cell.pos}" + (f" “{labels[cell.pos]}”" if cell.pos < len(labels) else "")
    return said


def _links(view: Maps) -> str:
    """Where to go on with the cell."""
    cell, scores = view.cell, view.any
    on = on_prompt(view.prompt or 0, "clean")
    found = []
    shared = scores is not None and group_of(scores, cell) is not None
    if cell.head is not None and not shared:
        found.append(("See its attention", looking(view, (cell.layer, cell.head), on, _token(view))))
        found.append(("All about this head", link("heads", view, {"head": f"{cell.layer}.{cell.head}"} | on)))
    if cell.pos is not None:
        token = None if view.prompt is None else _token(view)
        place = {"layer": str(cell.layer)} | ({"pos": str(token)} if token is not None else {})
        found.append(("The residual stream here", link("residual", view, place | on)))
    exact = view.results.get("patch")
    if exact is not None and exact.origin is not None:
        place = {"result": exact.origin.key, "layer": str(cell.layer), "head": str(cell.head or 0)}
        found.append(("On the circuits page", link("circuits", view, {"method": "patch"} | place | on)))
    return " · ".join(f'<a href="{escape(to)}">{escape(title)}</a>' for title, to in found)


def _token(view: Maps) -> int | None:
    """Which token the position of the cell is; None where it has none, or a named one, which prompts have elsewhere."""
    scores, pos = view.any, view.cell.pos
    if pos is None or scores is None or "pos" not in scores.values.dims:
        return None
    # Named positions are called as in the task; a token with such a name stands in brackets.
    return None if "END" in scores.values.token.values.tolist() else int(pos)


def looks(view: Maps) -> str:
    """What is going on in the panel of attention, or what to do; '' where it shows all there is."""
    looked = view.attention
    if view.cell is None:
        said = "Lock a cell of a head to see where it looks."
    elif view.cell.head is None:
        said = "Unavailable: these cells have no head. Choose heads, queries, keys, values or patterns in the sidebar."
    else:
        said = looked.status or looked.about or ("" if looked.scores is not None else "Press Compute to load the model.")
    return SMALL.format("opacity:.8", escape(said)) if said else ""


def agreed(view: Maps) -> str:
    """How far every two maps agree, as a small table; what is missing in words."""
    found: dict[tuple[str, ...], Scores] = view.agreements
    lines = []
    for pair in PAIRS:
        title = " and ".join(TITLES[method].lower() for method in pair)
        made = found.get(pair)
        if made is None:
            lines.append(f'<div>{escape(title)}</div><div style="grid-column:span 3;opacity:.75">{_missing(view, pair)}</div>')
            continue
        words = (title, *(_measure(made, name) for name in SYMBOLS))
        lines.append("".join(f"<div>{escape(word)}</div>" for word in words))
    head = "".join(f'<div style="opacity:.7">{escape(word)}</div>' for word in ("", *SYMBOLS.values()))
    style = "display:grid;grid-template-columns:repeat(4,auto);gap:2px 12px;font-size:12.5px;margin:4px 0;overflow-x:auto"
    return f'<div style="{style};font-variant-numeric:tabular-nums">{head}{"".join(lines)}</div>'


def _missing(view: Maps, pair: tuple[str, ...]) -> str:
    whole = all(method in view.results for method in pair)
    return "being computed" if whole else "when both maps are whole"


def _measure(made: Scores, name: str) -> str:
    value = float(made.values.sel(measure=name))
    if value != value:
        return "none: a map does not vary"
    low, high = (float(band.sel(measure=name)) for band in (made.lower, made.upper))
    return f"{value:.3f}" + (f" [{low:.2f}, {high:.2f}]" if low < high else "")
