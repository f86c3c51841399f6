"""Two methods' scores of the same cells against each other, as the method 'agreement' returns them."""

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from workbench.plots import text
from workbench.plots.axis import axis
from workbench.plots.frame import Box, check_width, frame, place
from workbench.plots.theme import tone
from workbench.result import Scores

_SYMBOLS = {"pearson": "r", "spearman": "ρ"}
_GAP = 62


def compared(result: Scores) -> bool:
    """Whether the parts hold two clouds of the same dims, 'first' and 'second'."""
    return "first" in result.parts and "second" in result.parts


def scatter(result: Scores, *, theme: str = "light", width: int | float | None = None) -> go.Figure:
    """A point per cell, the first method across and the second up; a panel per site, with its measures above it.

    Args:
        result: Scores over ('measure',) or ('site', 'measure'), with parts 'first' and 'second' over the same cells.
        theme: 'light' or 'dark'.
        width: Pixels of the whole figure, or None.
    """
    check_width(width)
    first, second = result.parts["first"], result.parts["second"]
    second = second.transpose(*first.dims)
    sites = "site" in first.dims and "site" in result.values.dims
    count = first.sizes["site"] if sites else 1
    left = 78
    side = 380 if count == 1 else 300
    if width is not None:
        side = min(side, (width - left - 24 - (count - 1) * _GAP) / count) if count <= 2 else side
    across = min(count, max(1, int(((width or 1040) - left - 24 + _GAP) // (side + _GAP))))
    down = -(-count // across)
    names = axis(first, "site").labels if sites else [""]
    headings = [_heading(name, _measures(result, {"site": i} if sites else {}), side) for i, name in enumerate(names)]
    above = 8 + 16.2 * max(lines for _, lines in headings)
    lead = 50 + above
    plot = (across * side + (across - 1) * _GAP, down * side + (down - 1) * lead)
    fig = go.Figure()
    for index in range(count):
        at = {"site": index} if sites else {}
        row, column = divmod(index, across)
        box = place(row, column, (side, side), (_GAP, lead), plot)
        _cloud(fig, index, first.isel(at), second.isel(at), result, theme)
        _axes(fig, index, result, box, outer=column == 0)
        fig.add_annotation(
            text=headings[index][0],
            x=box[0][0],
            y=box[1][1],
            xref="paper",
            yref="paper",
            xanchor="left",
            yanchor="bottom",
            yshift=4,
        )
    fig.update_annotations(showarrow=False, align="left")
    fig.update_layout(showlegend=False)
    return frame(fig, result, theme=theme, plot=plot, left=left, right=24, below=46, width=width, above=above)


def _cloud(fig: go.Figure, index: int, first: xr.DataArray, second: xr.DataArray, result: Scores, theme: str) -> None:
    number = str(index + 1) if index else ""
    on = {"xaxis": f"x{number}", "yaxis": f"y{number}"}
    x, y = first.values.ravel(), second.values.ravel()
    both = np.concatenate([x, y])
    both = both[np.isfinite(both)]
    low, high = (float(both.min()), float(both.max())) if len(both) else (-1.0, 1.0)
    line = {"color": tone(theme).quiet, "width": 1, "dash": "dot"}
    ends = [low, high] if high > low else [low - 1, low + 1]
    fig.add_trace(go.Scatter(x=ends, y=ends, mode="lines", line=line, hoverinfo="skip", name="identity", **on))
    mark = {"size": 7 if len(x) <= 400 else 5, "opacity": 0.6, "color": tone(theme).low, "line": {"width": 0}}
    fig.add_trace(
        go.Scatter(x=x, y=y, mode="markers", marker=mark, hovertext=_hover(first, x, y, result), hoverinfo="text", **on)
    )


def _hover(first: xr.DataArray, x: np.ndarray, y: np.ndarray, result: Scores) -> list[str]:
    names = [list(map(text.safe, axis(first, dim).about)) for dim in first.dims]
    one, other = (text.safe(result.notes.get(part, part)) for part in ("first", "second"))
    lines = []
    for index, cell in enumerate(np.ndindex(*first.shape)):
        where = "<br>".join(about[i] for about, i in zip(names, cell, strict=True))
        lines.append(f"{where}<br>{one}: {x[index]:+.4g}<br>{other}: {y[index]:+.4g}")
    return lines


def _axes(fig: go.Figure, index: int, result: Scores, box: Box, outer: bool) -> None:
    number = str(index + 1) if index else ""
    titles = [text.safe(_named(result, part)) for part in ("first", "second")]
    zero = {"zeroline": True, "zerolinewidth": 1, "nticks": 6}
    fig.update_layout(
        {
            f"xaxis{number}": {**zero, "domain": box[0], "anchor": f"y{number}", "title": {"text": titles[0]}},
            f"yaxis{number}": {
                **zero,
                "domain": box[1],
                "anchor": f"x{number}",
                "title": {"text": titles[1] if outer else ""},
                "automargin": "left",
            },
        }
    )


def _heading(name: str, measures: str, width: int | float) -> tuple[str, int]:
    """What stands above a panel, and its number of lines."""
    said, lines = text.block(measures, width, 12)
    return (f"<b>{text.safe(name)}</b><br>{said}", lines + 1) if name else (said, lines)


def _measures(result: Scores, at: dict[str, int]) -> str:
    said = []
    for index, name in enumerate(map(str, result.values.coords["measure"].values)):
        here = {**at, "measure": index}
        line = f"{_SYMBOLS.get(name, name)} = {float(result.values.isel(here)):.3g}"
        if result.lower is not None and result.upper is not None:
            low, high = float(result.lower.isel(here)), float(result.upper.isel(here))
            # Equal ends or NaN: too few prompts for an interval.
            line += f" [{low:.2f}, {high:.2f}]" if low < high else ""
        said.append(line)
    return ", ".join(said)


def _named(result: Scores, part: str) -> str:
    unit = f" ({result.notes['unit']})" if "unit" in result.notes else ""
    return result.notes.get(part, part) + unit
