"""The editable table of pairs: lines of text, changed one at a time, each change undone by Undo."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from workbench.errors import BadInput

COLUMNS = ("clean", "corrupt", "right", "wrong")
MOST_ROWS = 1000
LONGEST_CELL = 200_000
_KEPT = 50
_numbers = count(1)


@dataclass(frozen=True)
class Line:
    """One pair as text.

    Attributes:
        number: Its own, whatever its place.
        row: Column -> text.
        revision: Grows when the text is changed by anything but typing, so that a page writes it anew.
    """

    number: int
    row: Mapping[str, str]
    revision: int = 0


Lines = tuple[Line, ...]


def line_of(row: Mapping[str, Any]) -> Line:
    """A new line of a row; a list of answers is joined by '|'."""
    return Line(next(_numbers), {str(name): _text(value) for name, value in row.items()})


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return "|".join(map(_text, value))
    # A half of a character, as a broken paste may hold, cannot be written down.
    return "" if value is None else str(value).encode("utf-8", "replace").decode("utf-8")


def lines_of(rows: Sequence[Mapping[str, Any]]) -> Lines:
    """Lines of rows.

    Raises:
        BadInput: When there are too many.
    """
    if len(rows) > MOST_ROWS:
        raise BadInput(f"your pairs must be at most {MOST_ROWS:,} rows; got {len(rows):,}. Give fewer.")
    return tuple(line_of(row) for row in rows)


def written(lines: Lines) -> str:
    """The lines as CSV with a header, '' for none."""
    if not lines:
        return ""
    names = positions(lines)
    file = io.StringIO()
    writer = csv.DictWriter(file, [*COLUMNS, *names], restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(line.row for line in lines)
    return file.getvalue()


def positions(lines: Lines) -> list[str]:
    """The columns of named positions."""
    return list(dict.fromkeys(name for line in lines for name in line.row if name.startswith("pos:")))


class Table:
    """Lines, and those of before the last changes."""

    def __init__(self):
        self.lines: Lines = ()
        self._before: list[Lines] = []
        self._typed: tuple[int, str] | None = None

    @property
    def can_undo(self) -> bool:
        """Whether a change can be taken back."""
        return bool(self._before)

    def put(self, lines: Lines, typed: tuple[int, str] | None = None) -> None:
        """Have other lines; what is typed into one cell in a row is one change."""
        if typed is None or typed != self._typed:
            self._before = [*self._before[-_KEPT + 1 :], self.lines]
        self._typed = typed
        self.lines = lines

    def start(self, lines: Lines) -> None:
        """Have these lines, with nothing to take back."""
        self.lines, self._before, self._typed = lines, [], None

    def undo(self) -> None:
        """Take the last change back."""
        if self._before:
            before = {line.number: line for line in self.lines}
            self.lines = tuple(
                line if before.get(line.number) is line
                else replace(line, revision=max(line.revision, before.get(line.number, line).revision) + 1)
                for line in self._before.pop()
            )  # fmt: skip
            self._typed = None

    def at(self, number: int) -> int:
        """The place of a line.

        Raises:
            BadInput: When it is not there any more.
        """
        for place, line in enumerate(self.lines):
            if line.number == number:
                return place
        raise BadInput("the row must be one of the table; got one that was removed.")

    def write(self, number: int, changes: Mapping[str, str], typed: bool = False) -> None:
        """Change the text of some columns of a line.

        Raises:
            BadInput: When a text is too long, or there is no such line.
        """
        place = self.at(number)
        line = self.lines[place]
        for name, text in changes.items():
            if len(text) > LONGEST_CELL:
                raise BadInput(f"{name} must have at most {LONGEST_CELL:,} characters; got {len(text):,}. Shorten it.")
        row = {**line.row, **{name: _text(text) for name, text in changes.items()}}
        new = replace(line, row=row, revision=line.revision + (not typed))
        cell = (number, next(iter(changes))) if typed and changes else None
        self.put((*self.lines[:place], new, *self.lines[place + 1 :]), cell)

    def add(self, number: int | None = None) -> None:
        """Add an empty line at the end, or a copy of a line below it.

        Raises:
            BadInput: When there are as many as there may be.
        """
        if len(self.lines) >= MOST_ROWS:
            raise BadInput(f"your pairs must be at most {MOST_ROWS:,} rows; got one more.")
        if number is None:
            empty = dict.fromkeys(COLUMNS, "") | dict.fromkeys(positions(self.lines), "-1")
            self.put((*self.lines, line_of(empty)))
            return
        place = self.at(number)
        self.put((*self.lines[: place + 1], line_of(self.lines[place].row), *self.lines[place + 1 :]))

    def remove(self, number: int) -> None:
        """Remove a line."""
        place = self.at(number)
        self.put((*self.lines[:place], *self.lines[place + 1 :]))

    def paste(self, number: int, column: str, text: str) -> None:
        """Put cells of a spreadsheet in, from a cell on to the right and down; lines are added as needed."""
        cells = list(csv.reader(io.StringIO(text, newline=""), delimiter="\t"))
        cells = [row for row in cells if row]
        # A header that was copied along is none of the pairs.
        if cells and [cell.strip().lower() for cell in cells[0]][:2] == ["clean", "corrupt"]:
            cells = cells[1:]
        names = [*COLUMNS, *positions(self.lines)]
        first, place = names.index(column), self.at(number)
        lines = list(self.lines)
        if place + len(cells) > MOST_ROWS:
            raise BadInput(f"your pairs must be at most {MOST_ROWS:,} rows; got {place + len(cells):,}. Paste fewer.")
        for at, row in enumerate(cells, start=place):
            if at == len(lines):
                lines.append(line_of(dict.fromkeys(names, "")))
            put = dict(zip(names[first:], map(_text, row), strict=False))
            lines[at] = replace(lines[at], row={**lines[at].row, **put}, revision=lines[at].revision + 1)
        self.put(tuple(lines))
