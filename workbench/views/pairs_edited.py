"""Changes of the table of pairs; the first one makes a task's pairs the user's own."""

from collections.abc import Callable
from typing import Any

import param

from workbench.errors import BadInput
from workbench.views.asking import Asking
from workbench.views.pairs_table import Line, Lines, Table, lines_of, written
from workbench.views.question import CUSTOM, shape_of

SHOWN = 8


class Edited(Asking):
    """State of a table of pairs, beside what every page is set to."""

    lines = param.Parameter(default=(), doc="The table: a Line per pair.")
    layouts = param.Dict(default={}, doc="By number of a line: the Alignment of its text.")
    first = param.Integer(default=0, bounds=(0, None), doc="The first line shown.")

    def __init__(self, **state: Any):
        super().__init__(**state)
        self.table = Table()
        self._setting = False

    @property
    def own(self) -> bool:
        """Whether the table holds the user's own pairs."""
        return self.task == CUSTOM

    @property
    def shown(self) -> Lines:
        """The lines of the page of the table that is looked at."""
        return self.lines[self.first : self.first + SHOWN]

    @property
    def counts(self) -> dict[str, int]:
        """How many lines there are, how many are read, and how many of these cannot be used or have a fix."""
        read = [self.layouts[line.number] for line in self.lines if line.number in self.layouts]
        return {
            "lines": len(self.lines),
            "read": len(read),
            "unusable": sum(not one.usable for one in read),
            "fixes": sum(any(problem.fix for problem in one.problems) for one in read),
        }

    def _show(self) -> None:
        """Show the table as it is now."""
        raise NotImplementedError

    def change(self, what: Callable[[Table], None]) -> None:
        """Change the table by `what(table)`; it then is the user's own. A BadInput becomes a notice and changes nothing."""
        try:
            what(self.table)
        except BadInput as problem:
            self.tell("error", str(problem))
            return
        self._own()

    def _own(self) -> None:
        became = not self.own
        self._setting = True
        self.task = CUSTOM
        self._setting = False
        self._say_rows()
        if became:
            self.tell("info", "These are now your own pairs; the task itself stays as it is. Undo takes a change back.")
        self._show()

    def mend(self, number: int, index: int) -> None:
        """Do what is proposed for a problem of a line."""
        layout = self.layouts.get(number)
        if layout is None or not 0 <= index < len(layout.problems) or layout.problems[index].fix is None:
            return
        self.change(lambda table: table.write(number, layout.problems[index].fix.changes))

    def mend_all(self) -> None:
        """Do the first thing that is proposed for every line; what is left is proposed anew."""
        fixes = {}
        for line in self.lines:
            problems = self.layouts[line.number].problems if line.number in self.layouts else ()
            fix = next((problem.fix for problem in problems if problem.fix is not None), None)
            if fix is not None:
                fixes[line.number] = fix
        if not fixes:
            return

        def mended(table: Table) -> None:
            lines = table.lines
            table.put(
                tuple(
                    Line(one.number, {**one.row, **fixes[one.number].changes}, one.revision + 1) if one.number in fixes else one
                    for one in lines
                )
            )

        self.change(mended)

    def drop_unusable(self) -> None:
        """Remove the lines that cannot be used."""
        bad = {number for number, layout in self.layouts.items() if not layout.usable}
        self.change(lambda table: table.put(tuple(line for line in table.lines if line.number not in bad)))

    def name_position(self, name: str) -> None:
        """Add a named position, at each prompt's end until it is set."""
        name = name.strip()
        if not name or len(name) > 20 or "," in name:
            self.tell("error", f"a position must have a name of 1 to 20 letters; got {name[:40]!r}.")
            return
        self.change(
            lambda table: table.put(
                tuple(
                    Line(line.number, {f"pos:{name}": "-1", **line.row}, line.revision + 1)
                    for line in table.lines
                )
            )
        )  # fmt: skip

    def upload(self, name: str, text: str) -> None:
        """Have the rows of a file in place of the table's.

        A file that cannot be read is told and changes nothing.
        """
        try:
            lines = lines_of(_rows_in(name[-60:], text))
        except BadInput as problem:
            self.tell("error", str(problem).removeprefix("custom: "))
            return
        self.first = 0
        self.change(lambda table: table.put(lines))
        self.tell("info", f"{len(lines)} pair{'s' * (len(lines) != 1)} read from {name[-60:]}.")

    def turn(self, first: int) -> None:
        """Look at another page of the table."""
        self.first = max(0, min(first, max(0, len(self.lines) - 1)) // SHOWN * SHOWN)

    def _fill(self) -> None:
        """The table of the text of rows; where there is none the table stays."""
        if self.rows.strip():
            try:
                self.table.start(lines_of(_rows_in("your pairs", self.rows)))
            except BadInput as problem:
                self.tell("error", str(problem).removeprefix("custom: "))
        self._say_rows()

    def _say_rows(self) -> None:
        """Set the text of the pairs to what the table holds."""
        self._setting = True
        self.rows = written(self.table.lines)
        self._setting = False


def _rows_in(name: str, text: str) -> list[dict[str, Any]]:
    from workbench.tasks.rows import rows_in

    shape = shape_of(text)
    stem, _, ending = name.rpartition(".")
    return rows_in(name if stem and ending.lower() in ("csv", "json", "jsonl") else f"{name}.{shape}", text)
