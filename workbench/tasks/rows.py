"""Rows of the user's own pairs: from a list, or from a .csv, .jsonl or .json file."""

import csv
import difflib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench.errors import BadInput

COLUMNS = ("clean", "corrupt", "right", "wrong")
SUFFIXES = (".csv", ".jsonl", ".json")

Row = dict[str, Any]


def read_rows(rows: Sequence[Mapping[str, Any]] | str | Path) -> list[Row]:
    """The rows with their columns' names trimmed, each with all of `COLUMNS`.

    Raises:
        BadInput: When the file cannot be read as what its name says, there are no rows, or a column is missing.
    """
    given = _from_file(Path(rows)) if isinstance(rows, (str, Path)) else rows
    if not isinstance(given, (list, tuple)):
        raise BadInput(f"custom: the rows must be a list of rows; got {type(given).__name__}. {_example()}")
    if not given:
        raise BadInput(f"custom: the rows must be at least 1; got 0. {_example()}")
    return [_checked(number, row) for number, row in enumerate(given, start=1)]


def _checked(number: int, row: Any) -> Row:
    if not isinstance(row, Mapping):
        raise BadInput(f"custom: a row must have named columns; row {number} is {_short(row)}. {_example()}")
    trimmed = {str(name).strip(): value for name, value in row.items()}
    missing = [name for name in COLUMNS if name not in trimmed]
    if missing:
        near = difflib.get_close_matches(missing[0], [name for name in trimmed if name not in COLUMNS], n=1)
        hint = f"Rename {near[0]!r} to {missing[0]!r}." if near else _example()
        raise BadInput(
            f"custom: the columns must include {', '.join(COLUMNS)}; row {number} lacks {', '.join(missing)} "
            f"and has {', '.join(trimmed)}. {hint}"
        )
    return trimmed


def _from_file(path: Path) -> Any:
    if path.suffix.lower() not in SUFFIXES:
        raise BadInput(f"custom: the file must end in {', '.join(SUFFIXES)}; got {path.name!r}. Rename or convert it.")
    if not path.is_file():
        raise BadInput(f"custom: the file must exist; got {str(path)!r}. Check its name and folder.")
    return _from_text(path.name, _text(path))


def rows_in(name: str, text: str) -> list[Row]:
    """The rows of the text of a .csv, .jsonl or .json file; `name` is the file's, for its ending and for messages.

    Raises:
        BadInput: As `read_rows`.
    """
    given = _from_text(name, text.removeprefix("\ufeff"))
    return read_rows(given if isinstance(given, list) else [given])


def _from_text(name: str, text: str) -> Any:
    if "\0" in text:
        raise BadInput(f"custom: the file must be text; {name!r} is binary. Save it as CSV.")
    if not text.strip():
        raise BadInput(f"custom: the file must have at least 1 row; {name!r} is empty. {_example()}")
    return {".csv": _csv, ".jsonl": _jsonl, ".json": _json}[Path(name).suffix.lower()](name, text)


def _text(path: Path) -> str:
    try:
        # Spreadsheets begin their UTF-8 files with a byte order mark, which would end up in the first column's name.
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(
            f"custom: the file must be text in UTF-8; {path.name!r} is not (byte {error.start}). "
            "If it comes from a spreadsheet, save it as 'CSV UTF-8'."
        ) from None


def _csv(name: str, text: str) -> list[Row]:
    text = text.lstrip("\r\n")
    header = text.splitlines()[0]
    # Spreadsheets of some countries separate by semicolons, and copied cells by tabs.
    delimiter = max(",;\t", key=header.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        rows = list(reader)
    except csv.Error as error:
        raise BadInput(f"custom: the file must be CSV; {name!r} is not: {error} (line {reader.line_num}).") from None
    for number, row in enumerate(rows, start=1):
        if None in row:
            fields = len(row) - 1 + len(row[None])
            raise BadInput(
                f"custom: a row must have as many fields as the header; row {number} has {fields} for {len(row) - 1} "
                f"columns. Put a text that holds {delimiter!r} in double quotes."
            )
    # DictReader fills a short row with None.
    return [{column: "" if value is None else value for column, value in row.items()} for row in rows]


def _jsonl(name: str, text: str) -> list[Any]:
    # Not splitlines(): it also splits at characters that JSON strings may hold.
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    rows = []
    for number, line in lines:
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise BadInput(
                f"custom: each line must be a JSON object; line {number} of {name!r} is not: {error.msg}. "
                f"It begins {_short(line)}."
            ) from None
    return rows


def _json(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise BadInput(f"custom: the file must be JSON; {name!r} is not: {error.msg} (line {error.lineno}).") from None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _example() -> str:
    return "A row is {'clean': 'Mary and John met. John smiled at', 'corrupt': …, 'right': 'Mary', 'wrong': 'John'}."
