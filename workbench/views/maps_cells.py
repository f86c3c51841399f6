"""Cells of maps that stand side by side: what of a result is drawn, which cell was clicked, and its numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from workbench.result import Scores
from workbench.views.cells import Cell

Head = tuple[int, int]
# Rows of a map of heads by position.
MOST_HEADS = 24


def largest_heads(scores: Scores) -> list[Head]:
    """Of a map by head and position the heads whose largest mean effect is the largest, the largest first; else none."""
    values = scores.values
    if not {"head", "pos"} <= set(values.dims):
        return []
    with np.errstate(all="ignore"):
        sizes = np.nan_to_num(np.abs(values.mean("prompt").transpose("layer", "head", "pos").values), nan=-1.0).max(-1)
    order = np.argsort(-sizes, axis=None, kind="stable")[:MOST_HEADS]
    return [(int(layer), int(head)) for layer, head in zip(*np.unravel_index(order, sizes.shape), strict=True)]


def shown(scores: Scores, prompt: int | None, heads: Sequence[Head]) -> Scores:
    """What is drawn of a map: the mean over prompts or one of them, over two dims; `heads` are rows where given."""
    count = scores.values.sizes["prompt"]
    if prompt is None:
        made = scores.mean()
        if count > 1:
            title = f"{made.title}, mean over {count} prompts"
            made = made.replace(title=title, notes={**made.notes, "interval": "s.e."})
    else:
        index = min(prompt, count - 1)
        values = scores.values.isel(prompt=index, drop=True)
        made = scores.replace(title=f"{scores.title}, prompt {index + 1}", values=values)
    return made if not heads else _by_head(made, heads)


def _by_head(scores: Scores, heads: Sequence[Head]) -> Scores:
    import xarray as xr

    layers, numbers = (xr.DataArray([head[i] for head in heads], dims="row") for i in (0, 1))

    def rows(values: Any) -> Any:
        if values is None:
            return None
        taken = values.isel(layer=layers, head=numbers).drop_vars(["layer", "head"]).rename(row="head")
        return taken.assign_coords(head=[f"{layer}.{head}" for layer, head in heads]).transpose("head", "pos")

    every = scores.values.sizes["layer"] * scores.values.sizes["head"]
    said = f"the {len(heads)} largest of {every} heads"
    return scores.replace(
        values=rows(scores.values), lower=rows(scores.lower), upper=rows(scores.upper), notes={**scores.notes, "rows": said}
    )


def size(scores: Scores) -> float:
    """The largest size of a number that is drawn; 0 where none is."""
    values = np.abs(scores.values.values)
    return float(values[np.isfinite(values)].max(initial=0.0))


def label_of(scores: Scores, heads: Sequence[Head], row: int, column: int) -> Cell:
    """The cell at a row and column of what is drawn."""
    if heads:
        return Cell(heads[row][0], heads[row][1], column)
    dims = [dim for dim in scores.values.dims if dim != "prompt"]
    return Cell(row, **{str(dims[1]): column})


def place_of(scores: Scores | None, heads: Sequence[Head], cell: Cell) -> tuple[int, int] | None:
    """The row and column at which a cell is drawn; None where it is not."""
    if scores is None or cell.layer is None:
        return None
    if heads:
        head = (cell.layer, cell.head)
        inside = head in heads and cell.pos is not None and cell.pos < scores.values.sizes["pos"]
        return (list(heads).index(head), cell.pos) if inside and cell.pos is not None else None
    dims = [str(dim) for dim in scores.values.dims if dim != "prompt"]
    column = getattr(cell, dims[1])
    if column is None or cell.layer >= scores.values.sizes["layer"] or column >= scores.values.sizes[dims[1]]:
        return None
    return cell.layer, column


def cell_of(scores: Scores, heads: Sequence[Head], figure: Any, point: Mapping[str, Any]) -> Cell | None:
    """The cell of a clicked point of a map; None for none."""
    try:
        row, column = int(point["y"]), int(point["x"])
        high, wide = np.shape(figure.data[int(point.get("curveNumber", 0))].z)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        return None
    return label_of(scores, heads, row, column) if 0 <= row < high and 0 <= column < wide else None


def values_at(scores: Scores, cell: Cell, prompt: int | None) -> tuple[float, float]:
    """The number at a cell, the mean over prompts or that of one, and the standard error of the mean; NaN where not known."""
    at = {dim: getattr(cell, dim) for dim in ("layer", "head", "pos") if dim in scores.values.dims}
    if any(index is None or index >= scores.values.sizes[dim] for dim, index in at.items()):
        return float("nan"), float("nan")
    each = scores.values.isel(at).values
    if prompt is not None:
        return float(each[min(prompt, len(each) - 1)]), float("nan")
    error = float(each.std(ddof=1) / len(each) ** 0.5) if len(each) > 1 else float("nan")
    return float(each.mean()), error
