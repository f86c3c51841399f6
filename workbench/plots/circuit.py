"""Figures of Circuits: the kept edges as a network, layers from bottom to top, width by size of the score, colour by sign."""

import numpy as np
import plotly.graph_objects as go

from workbench.errors import BadInput, at_least
from workbench.graph import Graph, graph_from
from workbench.plots import text
from workbench.plots.frame import check_width, frame
from workbench.plots.theme import tone
from workbench.result import Circuit

_ROW = 46
_WIDEST, _THINNEST = 6.0, 0.8
_BINS = 6
_MOST = 200
# Where an edge enters a box, in columns: else the edges to its query, key and value would lie on one another.
_SLOTS = {"q": -0.16, "k": 0.0, "v": 0.16}


def circuit(
    result: Circuit,
    *,
    theme: str = "light",
    width: int | float | None = None,
    top: int = 40,
) -> go.Figure:
    """The circuit as a network: the edges it keeps, or, where none were selected, those of largest size.

    Args:
        result: The circuit.
        theme: 'light' or 'dark'.
        width: Pixels of the whole figure, 320 or more; None for what it needs.
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
    readers = [_node(destinations[index]) for index in dst]
    places = _layout(graph, {*(sources[index] for index in src), *readers})
    fig = go.Figure()
    _edges(
        fig,
        [(places[sources[one]], _entry(places, destinations[two])) for one, two in zip(src, dst, strict=True)],
        scores[order],
        result,
        [(sources[one], destinations[two]) for one, two in zip(src, dst, strict=True)],
        theme,
    )
    _nodes(fig, places, scores, result, theme)
    rows = sorted({row for _, row in places.values()})
    labels = {row: _row_name(graph, row) for row in rows}
    wide = max(420.0, 64.0 * max(1, max(abs(across) for across, _ in places.values()) * 2 + 1))
    wide = wide if width is None else max(200.0, width - 96)
    fig.update_layout(
        xaxis={"visible": False, "range": _range([across for across, _ in places.values()])},
        yaxis={
            "tickvals": list(range(len(rows))), "ticktext": [text.safe(labels[row]) for row in rows],
            "range": [-0.6, len(rows) - 0.4], "showgrid": True, "automargin": "left",
        },
        showlegend=False, hovermode="closest",
    )  # fmt: skip
    ranks = {row: rank for rank, row in enumerate(rows)}
    for trace in fig.data:
        trace.y = [None if value is None else _ranked(value, ranks) for value in trace.y]
    total = int(allowed.sum()) if "kept" in result.parts else len(scores)
    said = [f"{len(order)} of {total:,} {'kept edges' if 'kept' in result.parts else 'edges'}, the largest"]
    said[0] = f"all {total:,} kept edges" if len(order) == total else said[0]
    said.append("colour: + helps, - hurts; width: size; hover an edge or a node for its numbers")
    return frame(
        fig, result, theme=theme, plot=(wide, max(160.0, _ROW * len(rows))), left=76, right=20, below=28, width=width,
        subtitle=said,
    )  # fmt: skip


def _ranked(value: int | float, ranks: dict[int | float, int]) -> float:
    """A row's place among the rows that are drawn; a point between two rows stands between them."""
    if value in ranks:
        return float(ranks[value])
    known = sorted(ranks)
    return float(np.interp(value, known, [ranks[one] for one in known]))


def _node(destination: str) -> str:
    """The box that a destination belongs to: 'a5.h1' of 'a5.h1<q>'."""
    return destination.partition("<")[0]


def _row_name(graph: Graph, row: int | float) -> str:
    if row < 0:
        return "input"
    layer, part = divmod(int(row), 2)
    return "logits" if layer == graph.n_layers else (f"MLP {layer}" if part else f"layer {layer}")


def _layout(graph: Graph, names: set[str]) -> dict[str, tuple[float, int]]:
    """Across and row of every box: heads of a layer side by side, in order; rows from the input up."""
    rows: dict[int, list[tuple[int, str]]] = {}
    for name in names:
        layer, kind, head = graph.place(name)
        row = -1 if kind == "input" else 2 * layer + (kind == "mlp")
        rows.setdefault(row, []).append((head, name))
    places = {}
    for row, boxes in rows.items():
        boxes.sort()
        for index, (_, name) in enumerate(boxes):
            # Rows are shifted against each other, so that an edge past a row does not run through its only box.
            shift = 0.35 if row % 4 in (1, 2) else -0.35
            places[name] = (
                index - (len(boxes) - 1) / 2 + (shift if len(boxes) == 1 and 0 <= row < 2 * graph.n_layers else 0),
                row,
            )
    return places


def _range(across: list[float]) -> list[float]:
    low, high = min(across), max(across)
    return [min(low - 0.8, -1.6), max(high + 0.8, 1.6)]


def _entry(places: dict[str, tuple[float, int]], destination: str) -> tuple[float, int]:
    """Where an edge enters the box of its destination."""
    across, row = places[_node(destination)]
    return across + _SLOTS.get(destination.partition("<")[2].rstrip(">"), 0.0), row


def _edges(fig, ends, scores, result: Circuit, names: list[tuple[str, str]], theme: str) -> None:
    """Lines in bins of width and sign, and an invisible marker in the middle of each for its numbers."""
    of = tone(theme)
    sizes = np.abs(np.nan_to_num(scores))
    share = sizes / sizes.max() if sizes.max() else np.zeros_like(sizes)
    bins = np.minimum((np.sqrt(share) * _BINS).astype(int), _BINS - 1)
    for sign, colour in ((-1, of.low), (1, of.high)):
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
            x=[(one[0] + other[0]) / 2 for one, other in ends],
            y=[(one[1] + other[1]) / 2 for one, other in ends],
            mode="markers",
            marker={"size": 9, "opacity": 0},
            hoverinfo="text",
            customdata=["->".join(name) for name in names],
            hovertext=[
                f"<b>{text.safe(' → '.join(name))}</b><br>{score:.4g} {text.safe(result.unit)}"
                for name, score in zip(names, scores, strict=True)
            ],
        )
    )


def _nodes(fig, places: dict[str, tuple[float, int]], scores, result: Circuit, theme: str) -> None:
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
            marker={"size": 30, "symbol": "square", "color": of.paper, "line": {"color": of.quiet, "width": 1}},
            text=[text.safe(_short(name)) for name in names],
            textfont={"size": 10, "color": of.ink},
            customdata=names,
            hoverinfo="text",
            hovertext=about,
        )
    )


def _short(name: str) -> str:
    """What stands in the box: '5.1', 'm3', 'kv 5.1'."""
    layer, dot, head = name.partition(".")
    if not dot:
        return {"input": "in", "logits": "out"}.get(name, name)
    return f"{layer[1:]}.{head[1:]}" if head.startswith("h") else f"{layer[1:]}.{head}"
