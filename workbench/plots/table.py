"""The numbers of a Result as tables: all of them for pandas, the largest few for a terminal."""

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from workbench.errors import BadInput, at_least
from workbench.result import Circuit, Readout, Result


def table(result: Result) -> pd.DataFrame:
    """Every number of `result` in long form: a column per dim and per further coordinate, then value, lower and upper.

    Args:
        result: Any kind. A Readout's tokens stand in the column 'token', before 'value'; a Circuit's edges by name.
    Returns:
        A row per cell, in the order of the dims. NaN where nothing was computed.
    """
    values = result.values
    columns: dict[str, Any] = {}
    grid = np.indices(values.shape).reshape(len(values.dims), values.size)
    for dim, places in zip(values.dims, grid, strict=True):
        own = values.coords[dim].values if dim in values.coords else np.arange(values.sizes[dim])
        columns[dim] = own[places]
        for name, coord in values.coords.items():
            if coord.dims == (dim,) and name != dim:
                columns[name] = coord.values[places]
    if isinstance(result, Readout):
        taken = "position token" if "token" in columns else None
        if taken:
            columns = {taken if name == "token" else name: column for name, column in columns.items()}
        columns["token"] = _flat(result.parts["token"].transpose(*values.dims))
    if isinstance(result, Circuit):
        columns = {name: column for name, column in columns.items() if name not in ("src", "dst")}
        columns["edge"] = result.names()[columns["edge"]]
        if "kept" in result.parts:
            columns["kept"] = np.broadcast_to(result.parts["kept"].values, values.shape).ravel()
    columns["value"] = _flat(values)
    for name in ("lower", "upper"):
        band = getattr(result, name)
        if band is not None:
            columns[name] = _flat(band)
    return pd.DataFrame(columns)


def heads_table(result: Result, *others: Result) -> pd.DataFrame:
    """A row per head, a column per detector; further results over heads are joined by layer and head.

    Args:
        result: What `heads` returns, over (detector, layer, head).
        others: Scores over layer and head, perhaps by site and prompt (means over prompts), as 'patch' by head or 'dla'.
    Raises:
        BadInput: When a result is not over layer and head.
    """
    made = None
    for one in (result, *others):
        values = one.values.mean("prompt") if "prompt" in one.values.dims else one.values
        over = [dim for dim in values.dims if dim not in ("layer", "head")]
        if not {"layer", "head"} <= set(values.dims) or len(over) > 1:
            raise BadInput(f"tables of heads must be of results over layer and head; got {one.title!r} over {values.dims}.")
        name = one.origin.method if one.origin else one.title
        columns = {"": values} if not over else {str(label): values.sel({over[0]: label}) for label in values[over[0]].values}
        for label, column in columns.items():
            frame = column.drop_vars(over, errors="ignore").to_series()
            key = label if over == ["detector"] else f"{name} {label}".strip()
            made = frame.to_frame(key) if made is None else made.join(frame.rename(key))
    made.insert(0, "name", [f"{layer}.{head}" for layer, head in made.index])
    return made.reset_index()


def rows(result: Result, top: int = 10) -> list[dict[str, Any]]:
    """The cells of `result` that are largest in size, the largest first, as plain Python values; none that is missing.

    Args:
        result: Any kind.
        top: How many, at least 1.
    """
    at_least("top", top, 1)
    whole = table(result)
    whole = whole[whole["value"].notna()]
    order = np.argsort(-whole["value"].abs().to_numpy(), kind="stable")[:top]
    return [{name: _plain(value) for name, value in row.items()} for row in whole.iloc[order].to_dict("records")]


def _flat(array: xr.DataArray) -> np.ndarray:
    return np.atleast_1d(array.values).ravel()


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
