"""Cells of a Result: which one was clicked in its figure, and which are the largest."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from workbench.graph import Graph, graph_from
from workbench.plots import rows
from workbench.plots.text import safe, visible
from workbench.result import Circuit, Result, Scores

KEY_VALUE = ("k", "v")


class Cell(NamedTuple):
    """A cell by its indices; None for what is no axis of it."""

    layer: int | None = None
    head: int | None = None
    pos: int | None = None
    site: str | None = None


def cell_at(result: Result, figure: Any, point: Mapping[str, Any]) -> Cell | None:
    """The cell of a clicked point of a heatmap; None where no layer was clicked."""
    meta = figure.layout.meta or {}
    try:
        trace = figure.data[int(point.get("curveNumber", 0))]
        at = {meta["rows"]: int(point["y"]), meta["columns"]: int(point["x"])}
    except (KeyError, TypeError, ValueError, IndexError):
        return None
    sizes = result.values.sizes
    if "layer" not in at or any(name not in sizes or not 0 <= index < sizes[name] for name, index in at.items()):
        return None
    return Cell(at["layer"], at.get("head"), at.get("pos"), _site(result, trace.meta))


def cell_of_place(graph: Graph, place: str) -> Cell | None:
    """The head of a node; of an edge, the head that reads it, else the one that writes it."""
    for node in reversed(place.split("->")):
        layer, kind, head = graph.place(node)
        if kind in ("head", "q", "k", "v"):
            shared = ".kv" in node
            return Cell(layer, head, None, (kind if kind in KEY_VALUE else "k") if shared else None)
    return None


def heads_of_place(graph: Graph, place: str) -> list[tuple[int, int, tuple[int, int] | None]]:
    """The heads that a node or edge involves, in its order: layer, head, and the group of a key-value head.

    A key-value head stands for the first head that it serves; its group is the first and the last one. Where it serves no
    other there is none: None.
    """
    found: list[tuple[int, int, tuple[int, int] | None]] = []
    for node in place.split("->") if place else ():
        layer, kind, head = graph.place(node)
        if kind not in ("head", "q", "k", "v"):
            continue
        if ".kv" in node:
            first = head * graph.group
            found.append((layer, first, (first, first + graph.group - 1) if graph.group > 1 else None))
        else:
            found.append((layer, head, None))
    return found


def _site(result: Result, heading: Any) -> str | None:
    if "site" in result.values.dims:
        return next((str(name) for name in result.values.site.values if heading == f"site {safe(name)}"), None)
    asked = result.origin.params.get("sites") if result.origin else None
    names = [asked] if isinstance(asked, str) else list(asked or [])
    return names[0] if len(names) == 1 else None


def group_of(result: Result, cell: Cell) -> tuple[int, int] | None:
    """For a cell of keys or values: its key-value head and how many there are; None for any other."""
    if cell.site not in KEY_VALUE or cell.head is None:
        return None
    if isinstance(result, Circuit):
        return cell.head, graph_from(result).n_readers
    values = result.values.sel(site=cell.site) if "site" in result.values.dims else result.values
    there = ~np.isnan(values).all([dim for dim in values.dims if dim != "head"])
    return cell.head, int(there.sum())


def top_cells(result: Result | None, top: int = 12) -> list[dict[str, Any]]:
    """The cells that are largest in size, averaged over prompts: by column, tokens with their blanks visible.

    A layer, head and pos are numbers from 0, 'value' is in the result's unit and '±' is one standard error.
    """
    if not isinstance(result, Scores):
        return []
    mean = result.mean() if result.values.dims != ("prompt",) else result
    found = []
    for row in rows(mean, top):
        lower, upper = row.pop("lower", None), row.pop("upper", None)
        shown = {name: visible(value) if isinstance(value, str) else value for name, value in row.items()}
        if lower is not None and upper is not None:
            shown["±"] = (upper - lower) / 2
        found.append(shown)
    return found


def cell_of_row(row: Mapping[str, Any], result: Result) -> Cell | None:
    """The cell of a row of `top_cells`."""
    numbers = {name: int(row[name]) for name in ("layer", "head", "pos") if name in row}
    if "layer" not in numbers:
        return None
    return Cell(**numbers, site=row.get("site") or _site(result, None))
