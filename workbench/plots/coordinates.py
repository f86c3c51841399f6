"""Which thing a reader looks at most over a grid of coordinates, and where prompts lie, as 'channel_map' returns them."""

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from workbench.plots import text
from workbench.plots.frame import check_width, frame, place
from workbench.plots.theme import SERIES, tone
from workbench.result import Scores

_GAP = 34
_LEGEND = 150
_SIDE = 340


def mapped(result: Scores) -> bool:
    """Whether these are attentions to a few things over two or three coordinates."""
    told = {"said", "right"} <= set(result.parts) and {"first", "second", "item"} <= set(result.values.dims)
    # With more things than colours a panel for each says it.
    return told and result.values.sizes["item"] <= len(SERIES)


def coordinates(result: Scores, *, theme: str = "light", width: int | float | None = None) -> go.Figure:
    """The thing looked at most, as a colour, at every point of the grid, and the prompts by the place of their right answer.

    A third coordinate makes panels; prompts are drawn in the panel nearest to what they say.

    Args:
        result: Scores over (second, first, [third], item), with parts 'said' and 'right'.
        theme: 'light' or 'dark'.
        width: Pixels of the whole figure, or None.
    """
    check_width(width)
    values = result.values.transpose(*(dim for dim in ("third", "second", "first", "item") if dim in result.values.dims))
    slices = values["third"].values if "third" in values.dims else [None]
    said, right = result.parts["said"].values, result.parts["right"].values
    nearest = np.zeros(len(said), int)
    if "third" in values.dims:
        nearest = np.abs(said[:, 2:3] - np.asarray(slices)).argmin(1)
    across = min(len(slices), 3 if width is None else max(1, int((width - 78 - _LEGEND) // (220 + _GAP))))
    side = _SIDE if len(slices) == 1 else 240
    if width is not None:
        side = min(side, (width - 78 - _LEGEND - (across - 1) * _GAP) / across)
    down = -(-len(slices) // across)
    lead = 76
    plot = (across * side + (across - 1) * _GAP, down * side + (down - 1) * lead)
    fig = go.Figure()
    for index, third in enumerate(slices):
        row, column = divmod(index, across)
        box = place(row, column, (side, side), (_GAP, lead), plot)
        here = values if third is None else values.isel(third=index)
        number = str(index + 1) if index else ""
        on = {"xaxis": f"x{number}", "yaxis": f"y{number}"}
        fig.add_trace(go.Heatmap(**_grid(here), **on))
        _prompts(fig, said[nearest == index], right[nearest == index], np.flatnonzero(nearest == index), result, on, theme)
        titles = [f"{result.notes['first']} says", f"{result.notes['second']} says" if column == 0 else ""]
        plain = {"showgrid": False, "zeroline": False}
        fig.update_layout(
            {
                f"xaxis{number}": {**plain, "domain": box[0], "anchor": f"y{number}", "title": {"text": text.safe(titles[0])}},
                f"yaxis{number}": {**plain, "domain": box[1], "anchor": f"x{number}", "title": {"text": text.safe(titles[1])}},
            }
        )
        if third is not None:
            fig.add_annotation(
                text=f"<b>{text.safe(result.notes['third'])} says {third:.3g}</b>", x=box[0][0], y=box[1][1], xref="paper",
                yref="paper", xanchor="left", yanchor="bottom", yshift=4, showarrow=False,
            )  # fmt: skip
    _legend(fig, [str(name) for name in values["item"].values], theme)
    fig.update_layout(legend={"x": 1, "xanchor": "left", "y": 1, "yanchor": "top", "font": {"size": 11}, "itemclick": False})
    said_above = ["colour: the thing looked at most, paler the less; dots: prompts, by their right answer"]
    above = 0 if len(slices) == 1 else 20
    return frame(
        fig, result, theme=theme, plot=plot, left=78, right=_LEGEND, below=44, width=width, above=above, subtitle=said_above
    )


def colour(item: int) -> str:
    """The colour of a thing, from 0."""
    return SERIES[item % len(SERIES)]


def _grid(values: xr.DataArray) -> dict:
    """A heatmap of the thing looked at most; its share is in the hover, and shades the colour by three steps."""
    shares = values.values
    best = shares.argmax(-1)
    items = [str(name) for name in values["item"].values]
    share = shares.max(-1)
    # Three shades of a thing's colour: below 1/3, below 2/3, and above of all attention.
    shade = np.minimum((share * 3).astype(int), 2)
    codes = best * 3 + shade
    count = 3 * len(items)
    scale = []
    for code in range(count):
        tint = _tinted(colour(code // 3), (0.18, 0.36, 0.6)[code % 3])
        scale += [[code / count, tint], [(code + 1) / count, tint]]
    hover = [
        ["<br>".join(f"{text.safe(item)}: {number:.2f}" for item, number in zip(items, cell, strict=True)) for cell in row]
        for row in shares
    ]
    return {
        "x": values["first"].values, "y": values["second"].values, "z": codes, "zmin": 0, "zmax": count - 1e-9,
        "colorscale": scale, "showscale": False, "hovertext": hover, "hoverinfo": "text", "xgap": 1, "ygap": 1,
    }  # fmt: skip


def _tinted(colour: str, share: float) -> str:
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgba({red},{green},{blue},{share})"


def _prompts(
    fig: go.Figure, said: np.ndarray, right: np.ndarray, names: np.ndarray, result: Scores, on: dict, theme: str
) -> None:
    if not len(said):
        return
    mark = {"size": 8, "color": [colour(int(one) - 1) for one in right], "line": {"width": 1, "color": tone(theme).ink}}
    hover = [
        f"prompt {name + 1}<br>right answer: item {one}<br>{text.safe(result.notes['first'])}: {row[0]:.3g}"
        f"<br>{text.safe(result.notes['second'])}: {row[1]:.3g}"
        for name, one, row in zip(names, right, said, strict=True)
    ]
    points = {"x": said[:, 0], "y": said[:, 1], "mode": "markers", "marker": mark}
    fig.add_trace(go.Scatter(**points, hovertext=hover, hoverinfo="text", showlegend=False, **on))


def _legend(fig: go.Figure, items: list[str], theme: str) -> None:
    for index, name in enumerate(items):
        mark = {"size": 9, "color": colour(index), "line": {"width": 1, "color": tone(theme).ink}}
        fig.add_trace(go.Scatter(x=[None], y=[None], mode="markers", marker=mark, name=text.safe(name), showlegend=True))
