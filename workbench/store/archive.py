"""One Result as one file: a numpy zip of plain arrays and a JSON header. Nothing in it is ever unpickled.

`numpy.load` reads the arrays and `unzip -p FILE header.json` the rest. Every member carries a CRC, so a file cut short
or changed anywhere is noticed. Attributes of the arrays are not kept, and tuples among an Origin's parameters come back
as lists (its key is the same).
"""

import dataclasses
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from workbench.errors import BadInput, one_of
from workbench.result import KINDS, Origin, Result, kind_of

SCHEMA = 1
HEADER = "header.json"


class Damaged(Exception):
    """The file is not a whole Result: cut short, changed, or something else altogether."""


def pack(result: Result) -> bytes:
    """The file's content; the same Result gives the same bytes."""
    arrays: dict[str, np.ndarray] = {}
    named = {"values": result.values, "lower": result.lower, "upper": result.upper}
    header = {
        "schema": SCHEMA,
        "kind": kind_of(result),
        "key": result.origin.key if result.origin else None,
        "title": result.title,
        "unit": result.unit,
        "notes": dict(result.notes),
        "origin": dataclasses.asdict(result.origin) if result.origin else None,
        "arrays": {role: _describe(role, array, arrays) for role, array in named.items() if array is not None},
        "parts": {name: _describe(f"part{index}", array, arrays) for index, (name, array) in enumerate(result.parts.items())},
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        _add(archive, HEADER, json.dumps(header).encode())
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, array, allow_pickle=False)
            _add(archive, f"{name}.npy", content.getvalue())
    return buffer.getvalue()


def unpack(data: bytes, name: str) -> Result:
    """The Result in a file's content.

    Args:
        data: All bytes of the file.
        name: The file's name, for messages.
    Raises:
        Damaged: When the content is not whole.
        BadInput: When it is whole, and written by another version of the workbench.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            header = _header(archive, name)
            arrays = {role: _restore(archive, about) for role, about in header["arrays"].items()}
            parts = {part: _restore(archive, about) for part, about in header["parts"].items()}
        one_of(f"{name}: the kind of result", header["kind"], KINDS)
        return KINDS[header["kind"]](
            title=header["title"],
            unit=header["unit"],
            **arrays,
            parts=parts,
            notes=header["notes"],
            origin=_origin(header),
        )
    except BadInput:
        raise
    # Damage shows as a dozen exceptions of zipfile, zlib, numpy and json: whatever it is, these are not the numbers.
    except Exception as error:
        raise Damaged(f"{type(error).__name__}: {error}") from error


def head(path: Path) -> tuple[dict[str, Any], Origin | None]:
    """The header of a file and its Origin; the numbers are not read."""
    try:
        with zipfile.ZipFile(path) as archive:
            header = _header(archive, path.name)
            return header, _origin(header)
    except (BadInput, OSError):
        raise
    except Exception as error:
        raise Damaged(f"{type(error).__name__}: {error}") from error


def _header(archive: zipfile.ZipFile, name: str) -> dict[str, Any]:
    header = json.loads(archive.read(HEADER))
    if header["schema"] != SCHEMA:
        raise BadInput(
            f"{name}: the schema must be {SCHEMA}; got {header['schema']!r}. "
            "Another version of the workbench wrote it: use that version, or delete the file."
        )
    return header


def _origin(header: dict[str, Any]) -> Origin | None:
    return None if header["origin"] is None else Origin(**header["origin"])


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    # ZipInfo by name alone has a fixed date: equal results are equal bytes.
    archive.writestr(zipfile.ZipInfo(name), content, compress_type=zipfile.ZIP_DEFLATED, compresslevel=1)


def _describe(role: str, array: xr.DataArray, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    arrays[role] = _plain(role, array.values)
    coords = []
    for index, (name, coord) in enumerate(array.coords.items()):
        member = f"{role}.coord{index}"
        arrays[member] = _plain(f"{role}.{name}", coord.values)
        coords.append({"name": name, "dims": list(coord.dims), "member": member})
    return {"member": role, "name": array.name, "dims": list(array.dims), "coords": coords}


def _plain(what: str, values: np.ndarray) -> np.ndarray:
    """The array itself, or text kept as objects as numpy's own text."""
    if values.dtype.kind not in "OT":
        return values
    if not all(isinstance(value, str) for value in values.flat):
        raise TypeError(f"{what} holds objects that are not text; results hold numbers and text")
    return values.astype(str)


def _restore(archive: zipfile.ZipFile, about: dict[str, Any]) -> xr.DataArray:
    coords = {coord["name"]: (coord["dims"], _array(archive, coord["member"])) for coord in about["coords"]}
    return xr.DataArray(_array(archive, about["member"]), dims=about["dims"], coords=coords, name=about["name"])


def _array(archive: zipfile.ZipFile, member: str) -> np.ndarray:
    # Read to the end first: zipfile compares the CRC only there.
    return np.lib.format.read_array(io.BytesIO(archive.read(f"{member}.npy")), allow_pickle=False)
