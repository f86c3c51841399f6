"""The page of runs: every result in the store, searched and filtered; reopened, exported, deleted, taken up; jobs that run.

Text that comes from files and prompts is shown as it stands: panes of HTML get it escaped, tables treat it as text.
"""

import io
from collections.abc import Mapping
from html import escape
from typing import Any, ClassVar

import panel as pn
import panel_material_ui as pmui

from workbench.errors import BadInput
from workbench.models.memory import gigabytes
from workbench.pages.menu import Panel
from workbench.pages.shell import LOOK, WIDE, Shell, line, opened
from workbench.pages.shown import drawn, heading, paper
from workbench.pages.stored import listed, when
from workbench.pages.table import Table
from workbench.pages.upload import FileInput
from workbench.pages.words import left
from workbench.store import Entry
from workbench.views.runs import ALL, FILTERS, Runs
from workbench.views.runs_address import restore, written

MOST = 200
# Larger files are refused in the browser: until it is read a file is held in the server's memory.
MOST_BYTES = 256_000_000
HEAD = ("When", "Kind", "Method", "Model", "Task", "Settings", "Size", "Key")
FIELD: dict[str, Any] = {"size": "small", "margin": 0}


def page(view: Runs | None = None) -> pmui.Page:
    """The page, set to what the URL of the session says."""
    return opened(lambda: RunsPage(view or Runs()))


class RunsPage(Shell):
    """Layout of a Runs view."""

    help: ClassVar = (
        ("Jobs", "all that this server works on now, for whomever; a job goes on when its page is closed, and the page's "
         "address joins it again; Open its page leads there"),
        ("Results", "click a row to look at it; Open shows it with the tools of its page"),
        ("Export", "the chosen result as one file, or a zip of all rows shown; Import takes up both on any machine"),
    )  # fmt: skip

    def __init__(self, view: Runs):
        super().__init__(view, "Run", 110)
        self.table, self.shown = Table(lambda index: view.choose(self._keys[index])), Panel()
        self._keys: list[str] = []
        self._setting = False
        self._jobs: dict[str, Any] = {}
        self.page = self._layout()
        self._watch()
        self._list()
        self._tell_jobs()
        self._draw()

    def _layout(self) -> pmui.Page:
        view = self.view
        self.search = pmui.TextInput(label="Search", placeholder="any words", max_length=200, min_width=180, **WIDE, **FIELD)
        self.filters = {
            name: pmui.Select(label=name.capitalize(), options=[ALL], value=ALL, width=170, searchable=False, **FIELD)
            for name in FILTERS
        }
        self.export = pmui.FileDownload(callback=self._export, filename="runs.zip", label="Export", width=170, **FIELD)
        self.export.variant = "outlined"
        accepted = ".npz,.zip,.json,.pt,.graphml"
        self.file = FileInput(
            MOST_BYTES, lambda reason: view.tell("error", reason), label="Import", accept=accepted, width=130, **FIELD
        )
        fields = pmui.FlexBox(
            self.search, *self.filters.values(), self.export, self.file, gap="10px 8px", flex_wrap="wrap",
            align_items="center", margin=(6, 0), **WIDE,
        )  # fmt: skip
        self.counted = line()
        self.card = paper(heading("Results", "click a row to look at it; no model is loaded"), fields, self.counted, self.table)
        self.jobs = pmui.Column(margin=0, **WIDE)
        self.jobs_card = paper(heading("Jobs", "what this server works on now, for whomever"), self.jobs)
        self.about = line()
        self.open = pmui.Button(label="Open with its tools", variant="contained", size="small", width=170, margin=0)
        self.close = pmui.Button(label="Close", variant="text", size="small", width=80, margin=0)
        self.delete = pmui.Button(label="Delete", color="error", variant="outlined", size="small", width=100, margin=0)
        self.sure = pmui.Button(label="Delete it", color="error", variant="contained", size="small", width=110, margin=0)
        self.keep = pmui.Button(label="Keep it", variant="outlined", size="small", width=100, margin=0)
        self.undo = pmui.Button(label="Undo the deletion", variant="outlined", size="small", width=170, margin=(4, 0))
        # Where Delete was comes Keep it: a second click deletes nothing.
        buttons = pmui.Row(
            self.open, self.delete, self.keep, self.sure, self.close, margin=(6, 0), align="center", sx={"gap": "8px"}, **WIDE
        )
        self.chosen_card = paper(self.about, buttons, self.shown.box)
        self._ask(False)
        self.undo.visible = bool(view.deleted)
        return self._framed("Circuit workbench: runs", None, self.ruler, self.jobs_card, self.undo, self.chosen_card, self.card)

    def _watch(self) -> None:
        view = self.view
        self.search.param.watch(lambda event: self._narrow(search=event.new or ""), "value_input")
        for name, select in self.filters.items():
            select.param.watch(lambda event, name=name: event.new and self._narrow(**{name: event.new}), "value")
        self.file.param.watch(lambda event: self._take(event.new), "value")
        self.close.on_click(lambda event: view.close())
        self.delete.on_click(lambda event: self._ask(True))
        self.keep.on_click(lambda event: self._ask(False))
        self.sure.on_click(lambda event: view.delete())
        self.undo.on_click(lambda event: view.restore())
        self._watch_status()
        view.param.watch(lambda *_: self._list(), ["entries", "search", *FILTERS])
        view.param.watch(lambda *_: self._tell_jobs(), "running")
        view.param.watch(lambda *_: self._draw(), ["result", "chosen"])
        view.param.watch(lambda *_: self._ask(False), "chosen")
        view.param.watch(lambda event: self.undo.param.update(visible=bool(event.new)), "deleted")
        view.param.watch(lambda *_: self._address(), ["search", "chosen", *FILTERS])
        self.ruler.param.watch(lambda *_: pn.state.onload(self._draw), "pixels")
        self.page.param.watch(lambda *_: self._draw(), "dark_theme")

    def _status(self) -> str:
        return ""

    def _written(self) -> dict[str, str]:
        return {name: text for name, text in self._along.items() if name not in LOOK} | written(self.view)

    def _restore(self, query: Mapping[str, str]) -> None:
        restore(self.view, query)

    def _narrow(self, **state: str) -> None:
        if not self._setting:
            try:
                self.view.narrow(**state)
            except BadInput as problem:
                self.view.tell("error", str(problem))

    def _take(self, content: bytes | None) -> None:
        if content:
            self.view.take(self.file.filename or "file", content)

    def _export(self) -> io.BytesIO:
        name, content = self.view.exported()
        self.export.filename = name
        return io.BytesIO(content)

    def _ask(self, sure: bool) -> None:
        """Ask whether to delete, or take the question back."""
        self.sure.visible = self.keep.visible = sure
        self.delete.visible = not sure and bool(self.view.chosen)

    def _list(self) -> None:
        """Show the entries that are left, and what the filters offer."""
        view = self.view
        self._setting = True
        for name, select in self.filters.items():
            select.param.update(options=view.values(name), value=getattr(view, name))
        if self.search.value != view.search:
            self.search.param.update(value=view.search, value_input=view.search)
        self._setting = False
        found = view.shown
        self._keys = [entry.key for entry in found[:MOST]]
        self.table.show(HEAD, [_row(entry) for entry in found[:MOST]])
        self.table.visible = bool(found)
        size = gigabytes(sum(entry.size for entry in found)) if sum(entry.size for entry in found) >= 1e7 else ""
        said = f"{len(found):,} of {len(view.entries):,} results{f', {size}' if size else ''}, in {view.store.folder}"
        if not view.entries:
            said = f"Nothing is stored yet in {view.store.folder}. Run something on another page, or import a file."
        more = f"; the newest {MOST} are listed" if len(found) > MOST else ""
        self.counted.object = f'<span style="font-size:13px;opacity:.8">{escape(said + more)}</span>'
        self.export.label = "Export this run" if view.chosen else "Export all shown"
        self.export.disabled = not found

    def _tell_jobs(self) -> None:
        """Show the jobs that wait or run; rows that stay are changed in place, so that a Stop can be pressed."""
        running = self.view.running
        self.jobs_card.visible = bool(running)
        if list(self._jobs) != [one["key"] for one in running]:
            self._jobs = {one["key"]: self._job(one["key"], one["where"]) for one in running}
            self.jobs[:] = [row for row, _ in self._jobs.values()]
        for one in running:
            share = "" if one["progress"] is None else f" · {one['progress']:.0%}"
            said = f"{one['label']}{share}{left(one['left'])}"
            text = f"{said} ({one['status']})" if one["status"] == "queued" else said
            self._jobs[one["key"]][1].object = f'<span style="font-size:13px">{escape(text)}</span>'

    def _job(self, key: str, where: str) -> tuple[Any, Any]:
        says = line()
        stop = pmui.Button(label="Stop", color="error", variant="outlined", size="small", width=80, margin=0)
        stop.on_click(lambda event: self.view.stop_job(key))
        go = pmui.Button(label="Open its page", href=self._tinted(where), variant="text", size="small", width=120, margin=0)
        go.visible = bool(where)
        return pmui.Row(stop, go, says, margin=(2, 0), align="center", sx={"gap": "10px"}, **WIDE), says

    def _draw(self) -> None:
        """Draw the chosen result."""
        view, result = self.view, self.view.result
        self.chosen_card.visible = result is not None
        self.export.label = "Export this run" if view.chosen else "Export all shown"
        self.open.visible = bool(view.address)
        self.open.href = self._tinted(view.address) or None
        if result is None:
            self.shown.show(None, None)
            return
        stored = f"Stored as {view.chosen}." if view.chosen else "Not stored."
        page = "" if view.address or not view.chosen else " No other page opens it: its figure, numbers and files are here."
        self.about.object = f'<b style="font-size:15px">{escape(result.title)}</b> <span>{escape(stored + page)}</span>'
        try:
            self.shown.show(drawn(result, self.theme, self._width(False)), result)
        except BadInput as problem:
            self.shown.show(None, None)
            self.about.object += f'<div style="font-size:13px">unavailable: {escape(str(problem))}</div>'


def _row(entry: Entry) -> tuple[str, ...]:
    origin = entry.origin
    size = f"{entry.size / 1e6:.1f} MB" if entry.size >= 1e5 else f"{entry.size / 1e3:.0f} KB"
    task = listed(origin.task_params, ("n", "seed", "corruption"))
    settings = listed(origin.params, ("sites", "by", "metric", "direction", "scorer", "target"))
    return (
        when(entry),
        entry.kind,
        origin.method,
        origin.model,
        f"{origin.task} ({task})" if task else origin.task,
        settings,
        size,
        entry.key[:8],
    )
