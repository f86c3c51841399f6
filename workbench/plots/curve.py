"""Figures of Curves: a line per series, with its interval as a band."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from workbench.errors import BadInput
from workbench.plots import text
from workbench.plots.axis import axis
from workbench.plots.frame import check_width, frame
from workbench.plots.theme import PALETTES, SERIES, colours, tone
from workbench.result import Curve

_DASHES = ("solid", "dash", "dot", "dashdot")
_LEGEND = 190


def curve(
    result: Curve,
    *,
    theme: str = "light",
    width: int | float | None = None,
    palette: str | None = None,
    log: bool = False,
    mark: int | float | None = None,
) -> go.Figure:
    """Lines of `result`, one per series, with bands where it has intervals; missing numbers are gaps.

    A part 'transition', places on the axis by seed, is marked by a line at their median.

    Args:
        result: The curve. notes['x'] is the title of its axis, else the dim's name.
        theme: 'light' or 'dark'.
        width: Pixels of the whole figure, 320 or more; None for what it needs.
        palette: A sequential name in PALETTES whose colours the series take in turn; None for colours without an order.
        log: Whether the axis is logarithmic; numbers at or below 0 are not shown then.
        mark: A place on the axis, of numbers, to mark by a line; None for none.
    """
    check_width(width)
    shades = _shades(palette, len(result.values.series), theme)
    dim = result.values.dims[1]
    names = axis(result.values, "series").labels
    places = axis(result.values, dim)
    own = result.values.coords[dim].values if dim in result.values.coords else np.arange(len(places))
    numeric = own.dtype.kind in "iuf"
    x = own if numeric else np.arange(len(own))
    fig = go.Figure()
    for index in range(len(names)):
        if result.lower is not None and result.upper is not None:
            _band(fig, x, result.lower.values[index], result.upper.values[index], index, shades)
    for index, name in enumerate(names):
        _line(fig, x, index, name, result, list(map(text.safe, places.about)), shades)
    legend = 0.0
    if len(names) > 1:
        labels = [text.block(name, _LEGEND, 11)[0] for name in names]
        legend = min(_LEGEND, max(text.extent(name, 11) for name in names)) + 56
        for trace, label in zip(list(fig.data)[-len(names) :], labels, strict=True):
            trace.name = label
    wide = 640.0 if width is None else max(120.0, width - 70 - legend - 20)
    across: dict = {"title": {"text": text.safe(result.notes.get("x", dim))}, "type": "log" if log else "linear"}
    if own.dtype.kind in "iu" and np.ptp(own) <= 12:
        across["dtick"] = 1
    height = 18.0
    if not numeric:
        ticks, height = places.across(wide / max(1, len(places)))
        across |= ticks
    fig.update_layout(
        xaxis={**across, "automargin": "left+right"},
        yaxis={"title": {"text": text.safe(result.unit)}, "automargin": "left", "zeroline": True},
        hovermode="closest",
        showlegend=len(names) > 1,
        legend={"x": 1, "xanchor": "left", "y": 1, "yanchor": "top", "font": {"size": 11}, "bgcolor": "rgba(0,0,0,0)"},
    )
    if mark is not None:
        if not numeric:
            raise BadInput(f"mark must be None where the axis holds words; got {mark}.")
        line = {"color": tone(theme).quiet, "width": 1.5, "dash": "dash"}
        fig.add_shape(name="mark", type="line", x0=mark, x1=mark, y0=0, y1=1, yref="paper", line=line, layer="below")
    moved = result.parts["transition"].values if "transition" in result.parts else np.array([])
    moved = moved[~np.isnan(moved)]
    if moved.size:
        middle = float(np.median(moved))
        named(fig, middle, f"transition, {dim} {middle:.0f}", theme)
    return frame(
        fig,
        result,
        theme=theme,
        plot=(wide, 340),
        left=70,
        right=legend + 20,
        below=height + 32,
        width=width,
        gaps="Gaps in a line, not computed" if np.isnan(result.values.values).any() else "",
    )


def named(fig: go.Figure, x: int | float, name: str, theme: str) -> go.Figure:
    """The figure with an upright line at x, and its name above it."""
    colour = tone(theme).ink
    line = {"color": colour, "width": 1.5, "dash": "dot"}
    fig.add_shape(name=name, type="line", x0=x, x1=x, y0=0, y1=1, yref="paper", line=line)
    return fig.add_annotation(
        text=text.safe(name), x=x, y=1, yref="paper", yanchor="bottom", showarrow=False, font={"size": 11, "color": colour}
    )  # fmt: skip


def _line(fig: go.Figure, x: np.ndarray, index: int, name: str, result: Curve, about: list[str], shades: Sequence[str]) -> None:
    y = result.values.values[index]
    hover = []
    for place, value in enumerate(y):
        hover.append(f"<b>{text.safe(name)}</b><br>{about[place]}<br>{value:.4g} {text.safe(result.unit)}")
        if result.lower is not None and result.upper is not None:
            low, high = result.lower.values[index, place], result.upper.values[index, place]
            hover[-1] += f"<br>{low:.4g} to {high:.4g} {text.safe(result.notes.get('interval', ''))}".rstrip()
    fig.add_trace(
        go.Scatter(
            x=x,
            y=y,
            mode="lines+markers" if len(x) <= 40 else "lines",
            name=text.safe(name),
            legendgroup=str(index),
            line={"color": shades[index % len(shades)], "width": 2, "dash": _dash(index, shades)},
            marker={"size": 5},
            hovertext=hover,
            hoverinfo="text",
        )
    )


def _band(fig: go.Figure, x: np.ndarray, low: np.ndarray, high: np.ndarray, index: int, shades: Sequence[str]) -> None:
    """The area between `low` and `high`; a polygon for each stretch without missing numbers."""
    whole = np.isfinite(low) & np.isfinite(high)
    across: list[float | None] = []
    up: list[float | None] = []
    for stretch in np.split(np.arange(len(x)), np.flatnonzero(np.diff(whole)) + 1):
        if len(stretch) and whole[stretch[0]]:
            across += [*x[stretch].tolist(), *x[stretch][::-1].tolist(), None]
            up += [*high[stretch].tolist(), *low[stretch][::-1].tolist(), None]
    red, green, blue = (int(shades[index % len(shades)][start : start + 2], 16) for start in (1, 3, 5))
    fig.add_trace(
        go.Scatter(
            x=across,
            y=up,
            mode="lines",
            fill="toself",
            line={"width": 0},
            fillcolor=f"rgba({red},{green},{blue},0.18)",
            legendgroup=str(index),
            showlegend=False,
            hoverinfo="skip",
        )
    )


def _dash(index: int, shades: Sequence[str]) -> str:
    """Where colours are used up, dashes tell series apart."""
    return _DASHES[index // len(shades) % len(_DASHES)]


def _shades(palette: str | None, count: int, theme: str) -> Sequence[str]:
    """A colour per series, of a palette from its far end on; those next to the page's own colour are left out."""
    if palette is None:
        return SERIES
    colours(palette, "sequential", theme)
    made = getattr(PALETTES[palette], theme)[1:]
    return [made[round(len(made) - 1 - at * (len(made) - 1) / max(1, count - 1))] for at in range(max(1, count))]
