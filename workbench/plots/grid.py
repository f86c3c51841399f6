"""Heatmaps side by side, drawn to the pixel: cells, ticks, headings, colour bars, crosses on cells that are missing."""

import math
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from workbench.plots import text
from workbench.plots.axis import Axis
from workbench.plots.frame import Box, Pair, check_width, frame, place
from workbench.plots.panel import Panel, Scale, draw
from workbench.result import Result

_SPACE = 940
TALLEST = 620
_READ = 120
_BAR, _BARE = 104, 14


def grid(
    result: Result,
    panels: Sequence[Panel],
    rows: Axis,
    columns: Axis,
    scale: Scale,
    *,
    subtitle: Sequence[str] = (),
    theme: str = "light",
    width: int | float | None = None,
    cell: Pair = (44, 28),
    least: Pair = (120, 110),
    tall: int | float = TALLEST,
    bar: bool = True,
) -> go.Figure:
    """Draw `panels`, which share their axes.

    Args:
        result: What they show; title and caption come from it.
        panels: From left to right, wrapped where they do not fit.
        rows: Vertical axis. 'layer' starts at the bottom, anything else at the top.
        columns: Horizontal axis.
        scale: How numbers become colours.
        subtitle: What was averaged, reduced or chosen.
        theme: 'light' or 'dark'.
        width: Pixels of the whole figure, or None for what it needs.
        cell: Largest width and height of a cell in pixels.
        least: Smallest width and height of a panel.
        bar: Whether the colour bar is shown; without it another figure must show the same colours.
        tall: Height of a panel whose rows would be too high for it at their largest.
    """
    # Without its bar a figure may be so much narrower.
    check_width(width if bar or width is None else width + _BAR - _BARE)
    missing = any(np.isnan(panel.values).any() for panel in panels)
    left = rows.widest + 44
    beside = _BAR if bar else _BARE
    wide = _cell_width(len(panels), columns, left, width, cell[0], least[0], scale.shared, beside)
    panel_width = wide * len(columns)
    # A row of hundreds need not be read, but seen.
    high = max(min(tall / len(rows), cell[1]), 7.5 if len(rows) <= _READ else 3.0, least[1] / len(rows))
    panel_height = high * len(rows)
    ticks, label_height = columns.across(wide)
    if ticks["tickangle"] == -45:
        left = max(left, 0.72 * text.extent(columns.labels[0], 11) - wide / 2 + 12)
    below = label_height + 34
    gap = (28 if scale.shared else _BAR + 8, below + 26)
    across = max(1, math.floor(((width or left + _SPACE + _BAR) - left - beside + gap[0] + 1) / (panel_width + gap[0])))
    across = min(across, len(panels))
    down = math.ceil(len(panels) / across)
    plot = (across * panel_width + (across - 1) * gap[0], down * panel_height + (down - 1) * gap[1])

    fig = go.Figure()
    ends = scale.ends(np.concatenate([panel.values.ravel() for panel in panels]))
    for index, panel in enumerate(panels):
        row, column = divmod(index, across)
        (x0, x1), (_, y1) = box = place(row, column, (panel_width, panel_height), gap, plot)
        bar_here = bar and (not scale.shared or index == across - 1)
        here = ends if scale.shared else scale.ends(panel.values)
        shown = _bar(scale, x1 + 10 / plot[0], y1, panel_height, here[1]) if bar_here else None
        draw(fig, panel, index, here, scale, shown, (wide, high), theme)
        _axes(fig, index, rows, columns, ticks, high, box, outer=column == 0)
        if panel.heading:
            _heading(fig, panel.heading, (x0 + x1) / 2, y1)
    fig.update_layout(meta={"rows": rows.dim, "columns": columns.dim}, showlegend=False)
    return frame(
        fig,
        result,
        theme=theme,
        plot=plot,
        left=left,
        right=beside,
        below=below,
        width=width,
        above=20 if panels[0].heading else 0,
        subtitle=subtitle,
        gaps="Grey with a cross, not computed" if missing else "",
    )


def _cell_width(
    panels: int,
    columns: Axis,
    left: int | float,
    width: int | float | None,
    most: int | float,
    least: int | float,
    shared: bool,
    beside: int | float,
) -> int | float:
    """Pixels per column: as many as fit, enough for words to be read, at most `most` unless `width` asks for more."""
    count = len(columns)
    if width is not None:
        room = width - left - beside
        return room / count if panels == 1 else min(room / count, max(most, least / count))
    readable = 13 if columns.words and count <= 120 else 9 if count <= 100 else _SPACE / count
    side_by_side = min(panels, 3)
    room = (_SPACE - (side_by_side - 1) * (28 if shared else _BAR + 8)) / side_by_side
    return max(min(room / count, most), readable, least / count)


def _bar(scale: Scale, x: int | float, y: int | float, height: int | float, high: int | float) -> dict:
    title, _ = text.block(scale.title, max(height, 110), 12)
    return {
        "title": {"text": title, "side": "right", "font": {"size": 12}},
        "thickness": 12,
        "lenmode": "pixels",
        "len": max(height, 110),
        "x": x,
        "xanchor": "left",
        "xpad": 0,
        "y": y,
        "yanchor": "top",
        "ypad": 0,
        "outlinewidth": 0,
        **scale.ticks(high),
    }


def _axes(
    fig: go.Figure,
    index: int,
    rows: Axis,
    columns: Axis,
    ticks: dict,
    high: int | float,
    domain: Box,
    outer: bool,
) -> None:
    number = str(index + 1) if index else ""
    ends = [-0.5, len(rows) - 0.5]
    plain = {"showgrid": False, "zeroline": False, "ticklen": 3}
    across = {
        **plain,
        **ticks,
        "domain": domain[0],
        "anchor": f"y{number}",
        "range": [-0.5, len(columns) - 0.5],
        "title": {"text": text.safe(columns.dim)},
        "automargin": "left+right",
    }
    up = {
        **plain,
        **rows.ticks(high, 14),
        "domain": domain[1],
        "anchor": f"x{number}",
        "range": ends if rows.dim == "layer" else ends[::-1],
        "title": {"text": text.safe(rows.dim) if outer else ""},
        "showticklabels": outer,
        "ticks": "outside" if outer else "",
        "automargin": "left",
    }
    if index:
        across["matches"], up["matches"] = "x", "y"
    fig.update_layout({f"xaxis{number}": across, f"yaxis{number}": up})


def _heading(fig: go.Figure, heading: str, x: int | float, y: int | float) -> None:
    fig.add_annotation(
        text=heading,
        x=x,
        y=y,
        xref="paper",
        yref="paper",
        xanchor="center",
        yanchor="bottom",
        showarrow=False,
        yshift=3,
    )
