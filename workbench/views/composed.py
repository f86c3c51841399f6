"""Composition of heads as heatmaps: all pairs of layers, the heads of one pair of layers, and the cell that was clicked."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from workbench.errors import BadInput
from workbench.result import Scores

Head = tuple[int, int]


def head(name: str) -> Head:
    """Layer and head of '7.9'."""
    layer, _, number = str(name).partition(".")
    return int(layer), int(number)


def by_layer(composed: Scores) -> Scores:
    """The largest score of every pair of layers, of the scores of all pairs of heads through one slot."""
    values, layers, slot = _square(composed)
    # NaN is where no head of the one layer stands before one of the other; no pair of layers is NaN in part.
    largest = values.max((1, 3))
    coords = {"writing layer": np.arange(layers), "reading layer": np.arange(layers)}
    return composed.replace(
        title=f"Strongest component between layers ({slot})",
        unit="composition score",
        values=xr.DataArray(largest, dims=("writing layer", "reading layer"), coords=coords),
        notes={name: note for name, note in composed.notes.items() if name != "random"}
        | {"nan": "the writer is not in an earlier layer"},
    )


def between(composed: Scores, writer: int, reader: int) -> Scores:
    """The scores of all heads of one layer, as all heads of a later one read them."""
    values, _, slot = _square(composed)
    names = [[f"{layer}.{number}" for number in range(values.shape[1])] for layer in (writer, reader)]
    return composed.replace(
        title=f"Between heads of layers {writer} and {reader} ({slot})",
        unit="composition score",
        values=xr.DataArray(
            values[writer, :, reader], dims=("writer", "reader"), coords={"writer": names[0], "reader": names[1]}
        ),
        notes={name: note for name, note in composed.notes.items() if name != "nan"},
    )


def check(composed: Scores, writer: Head, reader: Head) -> None:
    """Raise BadInput unless the model has such heads."""
    values, layers, _ = _square(composed)
    for what, (layer, number) in (("writer", writer), ("reader", reader)):
        if not (layer < layers and number < values.shape[1]):
            last = f"{layers - 1}.{values.shape[1] - 1}"
            raise BadInput(f"the {what} must be a head from 0.0 to {last}; got {layer}.{number}. Write LAYER.HEAD.")


def cell_at(figure: Any, point: Mapping[str, Any]) -> tuple[int, int] | None:
    """Row and column of a clicked point of a heatmap; None for none."""
    try:
        trace = figure.data[int(point.get("curveNumber", 0))]
        row, column = int(point["y"]), int(point["x"])
        number = trace.z[row][column] if min(row, column) >= 0 else np.nan
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        return None
    return (row, column) if np.isfinite(number) else None


def heads_of(composed: Scores) -> int:
    """How many heads a layer has, of the scores of all pairs of heads."""
    return _square(composed)[0].shape[1]


def _square(composed: Scores) -> tuple[np.ndarray, int, str]:
    """Scores by writing layer, head, reading layer and head; how many layers there are, and the slot."""
    values = composed.values
    layers = head(values.writer.values[-1])[0] + 1
    heads = values.sizes["writer"] // layers
    return values.values[0].reshape(layers, heads, layers, heads), layers, str(values.slot.values[0])
