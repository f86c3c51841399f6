"""One Result as JSON text, for other languages and for eyes: every array with its dims, coordinates and type.

A missing number is null. What is read back is the same to the last bit, and has the same key.
"""

import dataclasses
import json
from typing import Any

import numpy as np
import xarray as xr

from workbench.errors import BadInput, one_of
from workbench.result import KINDS, Origin, Result, kind_of

FORMAT = "circuit-workbench result"
SCHEMA = 1


def to_json(result: Result) -> str:
    """The whole of a result as JSON: kind, title, unit, values, interval, parts, notes, origin and key."""
    named = {"values": result.values, "lower": result.lower, "upper": result.upper}
    said = {
        "format": FORMAT,
        "schema": SCHEMA,
        "kind": kind_of(result),
        "key": result.origin.key if result.origin else None,
        "title": result.title,
        "unit": result.unit,
        **{name: _said(array) for name, array in named.items() if array is not None},
        "parts": {name: _said(array) for name, array in result.parts.items()},
        "notes": dict(result.notes),
        "origin": dataclasses.asdict(result.origin) if result.origin else None,
    }
    return json.dumps(said, ensure_ascii=False, allow_nan=False)


def from_json(text: str) -> Result:
    """The Result in what `to_json` wrote.

    Raises:
        BadInput: When the text is something else, or of another version of the workbench.
    """
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise BadInput(f"a result must be JSON; got something else ({problem}).") from problem
    if not isinstance(said, dict) or said.get("format") != FORMAT:
        raise BadInput(f"a result's JSON must say 'format': {FORMAT!r}; got none. Export one with its menu.")
    if said.get("schema") != SCHEMA:
        raise BadInput(f"the schema must be {SCHEMA}; got {said.get('schema')!r}. Another version of the workbench wrote it.")
    one_of("the kind of result", said.get("kind"), KINDS)
    try:
        arrays = {name: _array(said[name]) for name in ("values", "lower", "upper") if name in said}
        parts = {name: _array(one) for name, one in said["parts"].items()}
        origin = Origin(**said["origin"]) if said["origin"] else None
        made = KINDS[said["kind"]](
            title=said["title"], unit=said["unit"], **arrays, parts=parts, notes=said["notes"], origin=origin
        )
    # Damage shows as a dozen exceptions of numpy and xarray; whatever it is, these are not the numbers.
    except Exception as problem:
        raise BadInput(f"a result's JSON must be whole; got a damaged one ({type(problem).__name__}: {problem}).") from problem
    if origin is not None and said["key"] != origin.key:
        raise BadInput(f"a result's origin must fit its key; got {said['key']!r} and an origin of {origin.key}.")
    return made


def _said(array: xr.DataArray) -> dict[str, Any]:
    coords = {str(name): {"dims": list(coord.dims), **_numbers(coord.values)} for name, coord in array.coords.items()}
    return {"name": array.name, "dims": list(array.dims), **_numbers(array.values), "coords": coords}


def _numbers(values: np.ndarray) -> dict[str, Any]:
    if values.dtype.kind in "OTU":
        return {"type": "text", "shape": list(values.shape), "data": values.astype(str).tolist()}
    said = values
    if values.dtype.kind == "f":
        said = values.astype(np.float64).astype(object)
        said[np.isnan(values)] = None
    return {"type": values.dtype.name, "shape": list(values.shape), "data": said.tolist()}


def _array(said: dict[str, Any]) -> xr.DataArray:
    coords = {name: (one["dims"], _values(one)) for name, one in said["coords"].items()}
    return xr.DataArray(_values(said), dims=said["dims"], coords=coords, name=said["name"])


def _values(said: dict[str, Any]) -> np.ndarray:
    if said["type"] == "text":
        return np.array(said["data"], dtype=str).reshape(said["shape"])
    kind = np.dtype(said["type"])
    if kind.kind not in "fiub":
        raise BadInput(f"an array's type must be one of numbers; got {said['type']!r}.")
    data = np.array(said["data"], dtype=object).reshape(said["shape"])
    if kind.kind == "f":
        data = np.where(np.equal(data, None), np.nan, data)
    return data.astype(kind)
