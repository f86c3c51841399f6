"""Bars of scores over one dim: the largest by size, and the sum of the rest."""

import numpy as np
import plotly.graph_objects as go

from workbench.errors import at_least
from workbench.plots import text
from workbench.plots.axis import axis
from workbench.plots.frame import check_width, frame
from workbench.plots.theme import signs, tone
from workbench.plots.view import View, cell

# Along these dims the order means something: it is kept where all bars fit.
_ORDERED = ("layer", "pos", "prompt", "rank", "step", "run")
_BAR = 20
_LABEL = 230


def bars(view: View, *, theme: str, width: int | float | None, top: int, palette: str | None = None) -> go.Figure:
    """Horizontal bars of a View of one dim or none, the largest at the top; layers and positions keep their order.

    Args:
        view: What to draw.
        theme: 'light' or 'dark'.
        width: Pixels of the whole figure, or None.
        top: How many bars; the rest is summed up in one more.
        palette: A name in PALETTES, or None.
    """
    at_least("top", top, 1)
    check_width(width)
    result, of = view.scores, tone(theme)
    values = np.atleast_1d(result.values.values)
    dim = result.values.dims[0] if result.values.dims else ""
    places = axis(result.values, dim) if dim else None
    labels = list(places.labels) if places else [result.title]
    about = list(map(text.safe, places.about if places else [result.title]))
    if dim and not places.words:
        labels = [f"{dim} {label}" for label in labels]
    order = _order(values, dim, top)
    shown, rest = order[:top], order[top:]
    lengths = [float(values[i]) for i in shown]
    names = [_short(labels[i]) + (" (not computed)" if np.isnan(values[i]) else "") for i in shown]
    low, high = (None if band is None else np.atleast_1d(band.values) for band in (result.lower, result.upper))
    reason = result.notes.get("nan", "")
    hover = []
    for i in shown:
        interval = (None, None) if low is None or high is None else (low[i], high[i])
        hover.append(f"{about[i]}<br>{cell(values[i], result.unit, *interval, view.error, reason)}")
        if view.places is not None:
            hover[-1] += f"<br>at {text.safe(view.places[i])}"
    below, above = signs(palette, theme)
    colour = [below if length < 0 else above for length in lengths]
    if len(rest):
        total = float(np.nansum(values[rest]))
        lengths.append(total)
        names.append(f"{len(rest)} others (sum)")
        hover.append(f"{len(rest)} others<br>{cell(total, result.unit, None, None, '', '')} in all")
        colour.append(of.quiet)
    spread = None
    if low is not None and high is not None:
        pad = [0.0] * bool(len(rest))
        above, beneath = (high - values)[shown].tolist() + pad, (values - low)[shown].tolist() + pad
        spread = {"type": "data", "array": above, "arrayminus": beneath, "color": of.ink, "thickness": 1, "width": 2}
    fig = go.Figure(
        go.Bar(
            x=lengths,
            y=list(range(len(lengths))),
            orientation="h",
            marker={"color": colour, "line": {"width": 0}},
            error_x=spread,
            hovertext=hover,
            hoverinfo="text",
        )
    )
    left = max(text.extent(name, 11) for name in names) + (44 if dim else 24)
    height = max(60, _BAR * len(names))
    fig.update_layout(
        bargap=0.25,
        meta={"rows": dim, "order": [int(i) for i in shown]},
        xaxis={"title": {"text": text.safe(result.unit)}, "zeroline": True, "zerolinecolor": of.quiet},
        yaxis={
            "tickmode": "array",
            "tickvals": list(range(len(names))),
            "ticktext": [text.safe(name) for name in names],
            "range": [len(names) - 0.5, -0.5],
            "title": {"text": text.safe(dim) if places and places.words else ""},
            "showgrid": False,
            "automargin": "left",
        },
    )
    across = 520.0 if width is None else max(100.0, width - left - 24)
    return frame(
        fig,
        result,
        theme=theme,
        plot=(across, height),
        left=left,
        right=24,
        below=46,
        width=width,
        subtitle=view.said,
        gaps="Not computed" if np.isnan(values).any() else "",
    )


def _order(values: np.ndarray, dim: str, top: int) -> np.ndarray:
    if dim in _ORDERED and len(values) <= top:
        return np.arange(len(values))
    return np.argsort(-np.where(np.isnan(values), -1, np.abs(values)), kind="stable")


def _short(label: str) -> str:
    while text.extent(label, 11) > _LABEL:
        label = label[:-2] + "…"
    return label
