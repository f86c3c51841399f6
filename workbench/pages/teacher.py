"""The teacher's page of a workshop: who is where. It opens with the key that the server printed when it started."""

import csv
import io
from html import escape
from typing import Any

import panel as pn
import panel_material_ui as pmui
from panel.io.callbacks import PeriodicCallback

from workbench.pages.shell import THEME, alone, line
from workbench.pages.shown import heading, paper
from workbench.pages.table import Table
from workbench.views.classroom import Classroom, classroom

HEAD = {
    "who": "Who", "page": "Page", "exercise": "Looks at", "solved": "Solved", "which": "Which", "hints": "Hints",
    "tries": "Checks", "minutes": "Minutes", "last": "Last", "running": "Runs",
}  # fmt: skip
EVERY = 2000
WIDE: dict[str, Any] = {"sizing_mode": "stretch_width"}
NONE = "Unavailable: this server has no workshop. Start it with workbench serve --workshop plan.yaml."
CLOSED = "Unavailable: this page opens with the key that the server printed when it started, as teacher?key=…"


def page(room: Classroom | None = None) -> pmui.Page:
    """The page, for whoever has the key in the URL."""
    pn.extension(notifications=True)
    room = room or classroom()
    given = pn.state.session_args.get("key", [b""]) if pn.state.session_args else [b""]
    key = given[-1].decode("utf-8", "replace")
    body = TeacherPage(room).column if room is not None and room.opens_for(key) else _closed(NONE if room is None else CLOSED)
    return alone(pmui.Page(title="Circuit workbench: teacher", main=[body], theme_config=THEME))


def _closed(why: str) -> pmui.Column:
    return pmui.Column(pn.pane.HTML(f'<div style="font-size:15px">{escape(why)}</div>'), margin=(24, 20), **WIDE)


class TeacherPage:
    """Who takes part, in `column`; looked at anew every two seconds."""

    def __init__(self, room: Classroom):
        self._room = room
        self.says = line()
        self.table = Table(lambda index: None)
        self.download = pmui.FileDownload(callback=self.csv, filename="workshop.csv", label="Download CSV", width=150, margin=0)
        self.download.variant = "outlined"
        about = heading(room.plan.title, "who is where; kept in memory, gone when the server ends")
        self.exercises = pn.pane.HTML(self._plan(), margin=(6, 0), **WIDE)
        learners = paper(about, self.says, self.table, self.download)
        self.column = pmui.Column(learners, paper(heading("Exercises"), self.exercises), margin=(14, 20), **WIDE)
        self.show()
        if pn.state.curdoc is not None and pn.state.curdoc.session_context is not None:
            ticker = PeriodicCallback(callback=self.show, period=EVERY, background=True)
            pn.state.onload(ticker.start)

    def show(self) -> None:
        """Show where everybody is now."""
        rows = self._room.rows
        said = f"{len(rows)} learner{'s' * (len(rows) != 1)}." if rows else "Nobody has come yet."
        self.says.object = f'<span style="font-size:13px">{said}</span>'
        self.table.show(list(HEAD.values()), [[row[name] for name in HEAD] for row in rows])

    def _plan(self) -> str:
        return "".join(
            f'<div style="font-size:13px;line-height:1.6">{at + 1}. {escape(one.title)} '
            f'<span style="opacity:.7">({escape(one.page)}, {one.minutes} min, difficulty {one.difficulty})</span></div>'
            for at, one in enumerate(self._room.plan.exercises)
        )

    def csv(self) -> io.StringIO:
        """The table as a file."""
        file = io.StringIO()
        writer = csv.DictWriter(file, list(HEAD), lineterminator="\n")
        writer.writeheader()
        # A spreadsheet would take such a name for a formula.
        writer.writerows({name: _safe(value) for name, value in row.items()} for row in self._room.rows)
        file.seek(0)
        return file


def _safe(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value
