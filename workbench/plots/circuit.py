"""Figures of Circuits: the kept edges as a network, layers from bottom to top, width by size of the score, colour by sign."""

import numpy as np
import plotly.graph_objects as go

from workbench.errors import BadInput, at_least
from workbench.graph import Graph, graph_from
from workbench.plots import text
from workbench.plots.frame import check_width, frame
from workbench.plots.layers import box_of, row_name, row_of, shift, short
from workbench.plots.theme import signs, tone
from workbench.result import Circuit

# Pixels from row to row, as few as a tall network needs, and of a box.
_ROW, _LEAST_ROW, _TALL = 56, 34, 1100
_BOX, _LEAST_BOX = 30, 22
_WIDEST, _THINNEST = 6.0, 0.8
_BINS = 6
# Where on an edge its numbers are told, from its destination: in the middle, edges that cross would share a place.
_TOLD_AT = 0.38
_MOST = 200
# Where an edge enters a box, in its widths: else the edges to its query, key and value would lie on one another.
_SLOTS = {"q": -0.3, "k": 0.0, "v": 0.3}


def circuit(
    result: Circuit,
    *,
    theme: str = "light",
    width: int | float | None = None,
    palette: str | None = None,
    top: int = 40,
) -> go.Figure:
    """The circuit as a network: the edges it keeps, or, where none were selected, those of largest size.

    Args:
        result: The circuit.
        theme: 'light' or 'dark'.
        width: Pixels of the whole figure, 320 or more; None for what it needs.
        palette: A diverging name in PALETTES, for edges below and above 0.
        top: The most edges to draw, at least 1: the kept ones of largest size.
    """
    check_width(width)
    at_least("top", top, 1)
    scores = result.edge_scores.values
    allowed = result.parts["kept"].values if "kept" in result.parts else np.ones(len(scores), bool)
    shown = np.flatnonzero(allowed & np.isfinite(scores) & (scores != 0) | allowed & ("kept" in result.parts))
    order = shown[np.argsort(-np.abs(np.nan_to_num(scores[shown])), kind="stable")][: min(top, _MOST)]
    if not len(order):
        raise BadInput(f"the circuit {result.title!r} must keep an edge to be drawn; got none. Keep more edges.")
    graph = graph_from(result)
    src, dst = (result.values.coords[name].values[order] for name in ("src", "dst"))
    sources, destinations = ([str(name) for name in result.parts[name].values] for name in ("sources", "destinations"))
    laid = _layout(graph, {*(sources[index] for index in src), *(box_of(destinations[index]) for index in dst)})
    rows = sorted({row for _, row in laid.values()})
    places = {name: (across, rows.index(row)) for name, (across, row) in laid.items()}
    columns = _range([across for across, _ in places.values()])
    wide = max(420.0, 64.0 * (columns[1] - columns[0] - 0.6)) if width is None else max(200.0, width - 96)
    per_row = min(_ROW, max(_LEAST_ROW, _TALL / len(rows)))
    per_column = wide / (columns[1] - columns[0])
    box = float(max(_LEAST_BOX, min(_BOX, per_row - 8, 0.86 * per_column)))
    names = [(sources[one], destinations[two]) for one, two in zip(src, dst, strict=True)]
    ends = [_ends(places, *name, box / per_column, box / per_row) for name in names]
    fig = go.Figure()
    _edges(fig, ends, scores[order], result, names, signs(palette, theme))
    _nodes(fig, places, scores, result, theme, box)
    fig.update_layout(
        xaxis={"visible": False, "range": columns},
        yaxis={
            "tickvals": list(range(len(rows))), "ticktext": [text.safe(row_name(graph, row)) for row in rows],
            "range": [-0.6, len(rows) - 0.4], "showgrid": True, "automargin": "left",
        },
        showlegend=False, hovermode="closest",
    )  # fmt: skip
    total = int(allowed.sum()) if "kept" in result.parts else len(scores)
    said = [f"{len(order)} of {total:,} {'kept edges' if 'kept' in result.parts else 'edges'}, the largest"]
    said[0] = f"all {total:,} kept edges" if len(order) == total else said[0]
    colour = "" if "counts" in result.parts else "colour: + helps, - hurts; "
    said.append(f"{colour}width: size; hover an edge or a node for its numbers")
    return frame(
        fig, result, theme=theme, plot=(wide, max(160.0, per_row * len(rows))), left=76, right=20, below=28, width=width,
        subtitle=said,
    )  # fmt: skip


def _layout(graph: Graph, names: set[str]) -> dict[str, tuple[float, int]]:
    """Across and row of every box: heads of a layer side by side, in order; rows from the input up."""
    rows: dict[int, list[tuple[int, str]]] = {}
    for name in names:
        rows.setdefault(row_of(graph, name), []).append((graph.place(name)[2], name))
    places = {}
    for row, boxes in rows.items():
        boxes.sort()
        for index, (_, name) in enumerate(boxes):
            places[name] = (index - (len(boxes) - 1) / 2 + (shift(graph, row) if len(boxes) == 1 else 0), row)
    return places


def _range(across: list[float]) -> list[float]:
    low, high = min(across), max(across)
    return [min(low - 0.8, -1.6), max(high + 0.8, 1.6)]


def _ends(places: dict[str, tuple[float, int]], src: str, dst: str, across: float, up: float):
    """Both ends of an edge: the top of its source's box and, by slot, its destination's bottom; a box in columns, rows."""
    (x0, y0), (x1, y1) = places[src], places[box_of(dst)]
    return (x0, y0 + up / 2), (x1 + _SLOTS.get(dst.partition("<")[2].rstrip(">"), 0.0) * across, y1 - up / 2)


def _edges(fig, ends, scores, result: Circuit, names: list[tuple[str, str]], signed: tuple[str, str]) -> None:
    """Lines in bins of width and sign, and an invisible marker on each for its numbers."""
    sizes = np.abs(np.nan_to_num(scores))
    share = sizes / sizes.max() if sizes.max() else np.zeros_like(sizes)
    bins = np.minimum((np.sqrt(share) * _BINS).astype(int), _BINS - 1)
    for sign, colour in zip((-1, 1), signed, strict=True):
        for level in range(_BINS):
            here = np.flatnonzero((bins == level) & ((scores < 0) if sign < 0 else ~(scores < 0)))
            if not len(here):
                continue
            x: list[float | None] = []
            y: list[float | None] = []
            for index in here:
                (x0, y0), (x1, y1) = ends[index]
                x += [x0, x1, None]
                y += [y0, y1, None]
            thick = _THINNEST + (_WIDEST - _THINNEST) * (level + 0.5) / _BINS
            line = {"width": thick, "color": colour}
            fig.add_trace(
                go.Scatter(x=x, y=y, mode="lines", line=line, opacity=0.35 + 0.6 * (level + 1) / _BINS, hoverinfo="skip")
            )
    fig.add_trace(
        go.Scatter(
            x=[_TOLD_AT * one[0] + (1 - _TOLD_AT) * other[0] for one, other in ends],
            y=[_TOLD_AT * one[1] + (1 - _TOLD_AT) * other[1] for one, other in ends],
            mode="markers",
            marker={"size": 9, "opacity": 0},
            hoverinfo="text",
            meta=["->".join(name) for name in names],
            hovertext=[
                f"<b>{text.safe(' → '.join(name))}</b><br>{score:.4g} {text.safe(result.unit)}"
                for name, score in zip(names, scores, strict=True)
            ],
        )
    )


def _nodes(fig, places: dict[str, tuple[float, int]], scores, result: Circuit, theme: str, box: float) -> None:
    of = tone(theme)
    sources = {str(name): index for index, name in enumerate(result.parts["sources"].values)}
    src = result.values.coords["src"].values
    out = np.bincount(src, weights=np.nan_to_num(scores), minlength=len(sources))
    names = list(places)
    about = [
        f"<b>{text.safe(name)}</b>"
        + (f"<br>all its edges out: {out[sources[name]]:.4g} {text.safe(result.unit)}" if name in sources else "")
        for name in names
    ]
    fig.add_trace(
        go.Scatter(
            x=[places[name][0] for name in names],
            y=[places[name][1] for name in names],
            mode="markers+text",
            marker={"size": box, "symbol": "square", "color": of.paper, "line": {"color": of.quiet, "width": 1}},
            text=[text.safe(short(name)) for name in names],
            textfont={"size": 10 if box > 26 else 9, "color": of.ink},
            meta=names,
            hoverinfo="text",
            hovertext=about,
        )
    )
