"""One heatmap: its cells, the scale of its colours, and crosses where cells are missing."""

import math
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from workbench.plots.frame import Pair
from workbench.plots.theme import tone

_CROSSES = 3000


@dataclass(frozen=True)
class Panel:
    """One heatmap.

    Attributes:
        heading: What stands above it; safe, '' for none.
        values: Numbers by row and column.
        hover: Text of each cell, safe.
        cells: Text drawn in each cell, safe, or None.
        ink: Colour of that text; None for what stands out best.
    """

    heading: str
    values: np.ndarray
    hover: list[list[str]]
    cells: list[list[str]] | None = None
    ink: str | None = None


@dataclass(frozen=True)
class Scale:
    """How numbers become colours.

    Attributes:
        colours: plotly's colour scale.
        title: Title of the colour bar: the unit.
        centred: Whether 0 is the middle.
        limit: The largest size shown, or None for the largest there is.
        shared: One scale for all panels, or one each.
        log: Whether colours go by log10(1 + number); for numbers from 0.
    """

    colours: list[list[float | str]]
    title: str
    centred: bool
    limit: int | float | None = None
    shared: bool = True
    log: bool = False

    def shade(self, numbers: np.ndarray) -> np.ndarray:
        """What the colour of a number goes by."""
        return np.log10(1 + numbers) if self.log else numbers

    def ends(self, numbers: np.ndarray) -> Pair:
        """The shades at the two ends of the scale."""
        sizes = np.abs(numbers[np.isfinite(numbers)])
        high = self.limit or float(sizes.max(initial=0)) or 1.0
        high = math.log10(1 + high) if self.log else high
        return (-high if self.centred else 0.0), high

    def ticks(self, high: int | float) -> dict:
        """Settings of the colour bar's ticks up to the shade `high`: on a log scale powers of ten."""
        if not self.log:
            return {"nticks": 5}
        powers = [0, *(10**power for power in range(10) if np.log10(1 + 10**power) <= high)]
        return {"tickmode": "array", "tickvals": np.log10(1 + np.array(powers)), "ticktext": [f"{one:,}" for one in powers]}


def draw(
    fig: go.Figure,
    panel: Panel,
    index: int,
    ends: Pair,
    scale: Scale,
    bar: dict | None,
    cell: Pair,
    theme: str,
) -> None:
    """Add the cells of `panel` to `fig` as its panel number `index`.

    Args:
        fig: The figure.
        panel: What to draw.
        index: Number of the panel, from 0.
        ends: The numbers at the two ends of the colours.
        scale: How numbers become colours.
        bar: plotly's settings of a colour bar, or None for no bar.
        cell: Width and height of a cell in pixels.
        theme: 'light' or 'dark'.
    """
    number = str(index + 1) if index else ""
    on = {"xaxis": f"x{number}", "yaxis": f"y{number}"}
    gap = 1 if min(cell) >= 14 else 0
    words = (
        {}
        if panel.cells is None
        else {"text": panel.cells, "texttemplate": "%{text}", "textfont": {"size": 11, "color": panel.ink}}
    )
    fig.add_trace(
        go.Heatmap(
            z=scale.shade(panel.values),
            x=list(range(panel.values.shape[1])),
            y=list(range(panel.values.shape[0])),
            zmin=ends[0],
            zmax=ends[1],
            zmid=0 if scale.centred else None,
            colorscale=scale.colours,
            showscale=bar is not None,
            colorbar=bar,
            hovertext=panel.hover,
            hoverinfo="text",
            xgap=gap,
            ygap=gap,
            meta=panel.heading,
            **words,
            **on,
        )
    )
    if np.isnan(panel.values).any():
        _gaps(fig, panel.values, gap, cell, theme, on)


def _gaps(fig: go.Figure, values: np.ndarray, gap: int, cell: Pair, theme: str, on: dict[str, str]) -> None:
    """Grey for cells that are missing, and a cross on each: some palettes hold the same grey."""
    grey = np.where(np.isnan(values), 1.0, np.nan)
    flat = [[0, tone(theme).gap], [1, tone(theme).gap]]
    fig.add_trace(
        go.Heatmap(z=grey, zmin=0, zmax=1, colorscale=flat, showscale=False, hoverinfo="skip", xgap=gap, ygap=gap, **on)
    )
    missing = np.argwhere(np.isnan(values))
    if len(missing) <= _CROSSES:
        size = max(3, min(9, 0.4 * min(cell)))
        mark = {"symbol": "x-thin", "size": size, "line": {"width": 1, "color": tone(theme).quiet}}
        places = {"x": missing[:, 1].tolist(), "y": missing[:, 0].tolist()}
        fig.add_trace(go.Scatter(**places, mode="markers", marker=mark, hoverinfo="skip", **on))
