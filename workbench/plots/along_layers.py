"""Bars along the layers: a bar for each part of every layer, layer 0 at the bottom as in the maps beside it."""

import numpy as np
import plotly.graph_objects as go

from workbench.plots import text
from workbench.plots.axis import axis
from workbench.plots.frame import check_width, frame
from workbench.plots.theme import SERIES
from workbench.plots.view import View, cell
from workbench.result import Scores

_LEGEND = 104


def over_layers(result: Scores) -> bool:
    """Whether these are numbers of a few parts of every layer."""
    return set(result.values.dims) == {"layer", "part"} and result.values.sizes["part"] <= len(SERIES)


def along_layers(view: View, *, theme: str, width: int | float | None, tall: int | float) -> go.Figure:
    """Horizontal bars, a colour per part; a bar's y is its layer, which `figure.layout.meta` says.

    Args:
        view: Scores over (layer, part).
        theme: 'light' or 'dark'.
        width: Pixels of the whole figure, or None.
        tall: Pixels of the bars where there are many layers.
    """
    check_width(width)
    result = view.scores
    values = result.values.transpose("part", "layer")
    names, rows = axis(values, "part"), axis(values, "layer")
    low, high = (None if band is None else band.transpose("part", "layer").values for band in (result.lower, result.upper))
    fig = go.Figure()
    for index, name in enumerate(names.labels):
        numbers = values.values[index]
        hover = []
        for layer, number in enumerate(numbers):
            interval = (None, None) if low is None or high is None else (low[index, layer], high[index, layer])
            said = cell(number, result.unit, *interval, view.error, result.notes.get("nan", ""))
            hover.append(f"{text.safe(rows.about[layer])}<br>{text.safe(name)}<br>{said}")
        fig.add_trace(
            go.Bar(
                x=numbers,
                y=np.arange(len(rows)),
                orientation="h",
                name=text.safe(name),
                hovertext=hover,
                hoverinfo="text",
                marker={"color": SERIES[index], "line": {"width": 0}},
            )
        )
    each = max(min(tall / len(rows), 28), 7.5)
    left = rows.widest + 44
    across = 420.0 if width is None else max(100.0, width - left - _LEGEND)
    fig.update_layout(
        barmode="group",
        bargap=0.15,
        bargroupgap=0,
        meta={"rows": "layer"},
        xaxis={"title": {"text": text.safe(result.unit)}, "zeroline": True},
        yaxis={**rows.ticks(each, 14), "range": [-0.5, len(rows) - 0.5], "title": {"text": "layer"}, "showgrid": False},
        legend={"x": 1.02, "xanchor": "left", "y": 1, "yanchor": "top", "font": {"size": 11}, "traceorder": "normal"},
        showlegend=True,
        hovermode="closest",
    )
    gaps = "No bar, not computed" if np.isnan(values.values).any() else ""
    return frame(
        fig, result, theme=theme, plot=(across, max(110.0, each * len(rows))), left=left, right=_LEGEND, below=46, width=width,
        subtitle=view.said, gaps=gaps,
    )  # fmt: skip
