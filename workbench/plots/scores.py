"""Figures of Scores: heatmaps for two dims and more, bars for one, a cloud where two methods are compared,
a map where coordinates are."""

from collections.abc import Sequence
from itertools import product

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from workbench.errors import one_of
from workbench.plots import text
from workbench.plots import view as views
from workbench.plots.along_layers import along_layers, over_layers
from workbench.plots.axis import Axis, axis
from workbench.plots.bars import bars
from workbench.plots.components import components
from workbench.plots.coordinates import coordinates, mapped
from workbench.plots.grid import TALLEST, grid
from workbench.plots.panel import Panel, Scale
from workbench.plots.scatter import compared, scatter
from workbench.plots.theme import colours, tone
from workbench.plots.trajectories import paths, trajectories
from workbench.plots.view import View
from workbench.result import Scores


def scores(
    result: Scores,
    *,
    theme: str = "light",
    width: int | float | None = None,
    palette: str | None = None,
    prompt: str | int = "mean",
    over: str | Sequence[str] | None = None,
    facet: str | None = None,
    scale: str = "shared",
    limit: int | float | None = None,
    top: int = 30,
    numbers: bool = False,
    row: int | None = None,
    mark: Sequence[tuple[str, str]] = (),
    tall: int | float = TALLEST,
    along: bool = False,
    log: bool = False,
    bar: bool = True,
) -> go.Figure:
    """A figure of `result`: heatmap, bars, cloud, paths or map of coordinates, by what its dims and parts are.

    In a heatmap the x and y of a cell are its indices along the dims that `figure.layout.meta` names.

    Args:
        result: The scores.
        theme: 'light' or 'dark'.
        width: Pixels of the whole figure, 320 or more; None for what it needs.
        palette: A name in PALETTES: diverging for signed numbers, sequential where notes['range'] is 'positive'.
        prompt: 'mean' over prompts, or the index of one.
        over: Dims to reduce to the number that is largest in size; None for as few as needed.
        facet: The dim to make panels of; None for the most fitting.
        scale: 'shared' by all panels, or each its 'own'.
        limit: The size at which colours end, in the result's unit; None for the largest there is.
        top: How many bars, at least 1; the rest is summed up in one more.
        numbers: Whether to write each number in its cell.
        row: Of a result of channels, the one whose writer's components are shown, from 0; None for the channels.
        mark: Cells of a heatmap to ring, as the labels of their row and column.
        tall: Pixels of a panel of a heatmap with many rows, or of bars along layers.
        along: Whether what is over layers and parts is drawn as bars along the layers, and not as a heatmap.
        log: Whether the colours of numbers from 0 go by the logarithm of 1 + the number.
        bar: Whether a heatmap shows its colour bar; without it another figure must show the same colours.
    Raises:
        BadInput: When an option names no dim, palette or prompt of this result.
    """
    if row is not None:
        return components(result, row, theme=theme, width=width)
    if compared(result):
        return scatter(result, theme=theme, width=width)
    if paths(result):
        return trajectories(result, theme=theme, width=width)
    if mapped(result) and facet is None and over is None:
        return coordinates(result, theme=theme, width=width)
    one_of("scale", scale, ["shared", "own"])
    signed = result.notes.get("range") != "positive"
    colour = colours(palette, "diverging" if signed else "sequential", theme)
    averaged = views.averaged(result, prompt)
    if along and over_layers(averaged.scores):
        return along_layers(averaged, theme=theme, width=width, tall=tall)
    view = views.flattened(averaged, over, facet)
    if len(view.scores.values.dims) < 2:
        return bars(view, theme=theme, width=width, top=top, palette=palette)
    return heatmap(
        view,
        Scale(colour, result.unit, signed, limit, scale == "shared", log and not signed),
        facet=facet,
        theme=theme,
        width=width,
        numbers=numbers,
        mark=mark,
        tall=tall,
        bar=bar,
    )


def heatmap(
    view: View,
    scale: Scale,
    *,
    facet: str | None,
    theme: str,
    width: int | float | None,
    numbers: bool,
    mark: Sequence[tuple[str, str]] = (),
    tall: int | float = TALLEST,
    bar: bool = True,
) -> go.Figure:
    """Heatmaps of a View of two dims, or of three of which one becomes panels; marked cells are ringed in each."""
    result = view.scores
    panels_of = views.panel_dim(result.values, facet)
    rows, columns = views.plane([dim for dim in result.values.dims if dim != panels_of])
    up, across = axis(result.values, rows), axis(result.values, columns)
    if panels_of is None:
        panels = [_panel("", view, {}, rows, columns, numbers)]
    else:
        headings = list(map(text.safe, axis(result.values, panels_of).about))
        panels = [_panel(name, view, {panels_of: i}, rows, columns, numbers) for i, name in enumerate(headings)]
    cell = (58, 28) if numbers else (44, 28)
    made = grid(result, panels, up, across, scale, subtitle=view.said, theme=theme, width=width, cell=cell, tall=tall, bar=bar)
    return ringed(made, len(panels), up, across, mark, theme) if mark else made


def ringed(fig: go.Figure, panels: int, rows: Axis, columns: Axis, mark: Sequence[tuple[str, str]], theme: str) -> go.Figure:
    """Rings around cells named by their labels, in every panel."""
    for row, column in mark:
        one_of(f"mark, a label of {rows.dim}", row, rows.labels)
        one_of(f"mark, a label of {columns.dim}", column, columns.labels)
    places = {"x": [columns.labels.index(column) for _, column in mark], "y": [rows.labels.index(row) for row, _ in mark]}
    ring = {"symbol": "circle-open", "size": 11, "color": tone(theme).high, "line": {"width": 2}}
    for index in range(panels):
        number = str(index + 1) if index else ""
        on = {"xaxis": f"x{number}", "yaxis": f"y{number}"}
        fig.add_trace(go.Scatter(**places, mode="markers", marker=ring, hoverinfo="skip", name="marked", **on))
    return fig


def _number(value: float) -> str:
    """A number as it stands in its cell; '' where it is missing."""
    if value != value:
        return ""
    return f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"


def _panel(heading: str, view: View, at: dict[str, int], rows: str, columns: str, numbers: bool) -> Panel:
    result = view.scores

    def matrix(array: xr.DataArray | None) -> np.ndarray | None:
        return None if array is None else array.isel(at).transpose(rows, columns).values

    values, low, high = matrix(result.values), matrix(result.lower), matrix(result.upper)
    places = None
    if view.places is not None:
        places = matrix(xr.DataArray(view.places, dims=result.values.dims))
    up, across = (list(map(text.safe, axis(result.values, dim).about)) for dim in (rows, columns))
    hover = [[""] * values.shape[1] for _ in up]
    for i, j in product(range(values.shape[0]), range(values.shape[1])):
        interval = (None, None) if low is None or high is None else (low[i, j], high[i, j])
        number = views.cell(values[i, j], result.unit, *interval, view.error, result.notes.get("nan", ""))
        lines = [heading, up[i], across[j], number, "" if places is None else f"at {text.safe(places[i, j])}"]
        hover[i][j] = "<br>".join(line for line in lines if line)
    cells = [[_number(value) for value in row] for row in values] if numbers else None
    return Panel(heading, values, hover, cells)
