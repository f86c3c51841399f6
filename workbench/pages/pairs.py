"""The page of pairs: a task's prompts or one's own in an editable table, how the tokenizer reads them, what is wrong."""

import io
from collections.abc import Mapping
from html import escape
from typing import Any, ClassVar

import panel as pn
import panel_material_ui as pmui

from workbench.pages.menu import BESIDE_MENU, Menu, menued
from workbench.pages.pairs_content import content
from workbench.pages.pairs_sheet import PairsSheet
from workbench.pages.shell import WIDE, Shell, line, opened
from workbench.pages.shown import heading, paper
from workbench.pages.sidebar import ModelAndTask
from workbench.pages.words import baseline, failed, left
from workbench.views.links import carried
from workbench.views.onward import ASKED, onward
from workbench.views.pairs import BUTTON, OwnPairs
from workbench.views.pairs_address import restore, written
from workbench.views.pairs_edited import SHOWN
from workbench.views.pairs_table import COLUMNS
from workbench.views.pairs_table import written as as_csv

HINT = (
    '<div style="padding:18px 8px;max-width:680px;font-size:14px;line-height:1.5"><div style="font-size:20px;font-weight:600;'
    'margin-bottom:8px">Pairs of prompts</div>A pair is a <b>clean</b> prompt and a <b>corrupt</b> one of as many tokens, with '
    "the answer that is <b>right</b> on clean and one that is <b>wrong</b>. Every method compares the two runs position by "
    "position.<br><br>Press <b>Check pairs</b>: the pairs of the task appear with both tokenisations under each other, and "
    "with what the model says. Change any of them, and they are your own; or choose <i>Your own pairs</i> as the task, and "
    "type, paste or upload.</div>"
)
FIELD: dict[str, Any] = {"size": "small", "margin": 0}
# Pixels of a line of text.
LINE = 24


def page(view: OwnPairs | None = None) -> pmui.Page:
    """The page, set to what the URL of the session says."""
    return opened(lambda: PairsPage(view or OwnPairs()))


class PairsPage(Shell):
    """Layout of an OwnPairs view."""

    help: ClassVar = (
        ("This page", "prompts of your own, in pairs that differ in one thing: write, paste or upload them, then check them"),
        ("The table", "what does not fit is marked, with a fix; once every pair can be used, the links below lead on"),
        ("Keys", "Tab goes from cell to cell; cells copied from a spreadsheet are pasted as they are"),
    )  # fmt: skip

    def __init__(self, view: OwnPairs):
        super().__init__(view, BUTTON, 150)
        self.sidebar, self.sheet = ModelAndTask(view), PairsSheet(self._do)
        self.page = self._layout()
        self._watch()
        self._tell_status()
        self._draw()

    def _layout(self) -> pmui.Page:
        # The table stands in their place.
        objects = [one for one in self.sidebar.objects if one not in (self.sidebar.rows, self.sidebar.file)]
        sidebar = pmui.Column(*objects, margin=(14, 14), **WIDE)
        self.hint = paper(pn.pane.HTML(HINT, margin=0, **WIDE))
        self.baseline, self.counted, self.places, self.goes = line(), line(), line(), line()
        # Each keeps its place while it says nothing: else what is below would move away from under the pointer.
        for one in (self.baseline, self.goes):
            one.min_height = LINE
        self.add = self._button("Add a pair", lambda: self.view.change(lambda table: table.add()), 110)
        self.undo = self._button("Undo", lambda: self.view.change(lambda table: table.undo()), 76)
        self.mend = self._button("Apply all fixes", self.view.mend_all, 140)
        self.drop = self._button("Remove unusable", self.view.drop_unusable, 150)
        self.position = pmui.TextInput(placeholder="S1", label="New position", width=140, max_length=20, **FIELD)
        self.name = self._button("Add position", self._named, 122)
        self.download = pmui.FileDownload(callback=self._csv, filename="pairs.csv", label="Download CSV", width=136, **FIELD)
        self.download.variant = "outlined"
        self.back = self._button("Previous", lambda: self.view.turn(self.view.first - SHOWN), 96)
        self.on = self._button("Next", lambda: self.view.turn(self.view.first + SHOWN), 76)
        tools = pmui.FlexBox(
            self.add, self.undo, self.mend, self.drop, self.position, self.name, self.download, gap="8px", flex_wrap="wrap",
            align_items="center", margin=(4, 0), **WIDE,
        )  # fmt: skip
        self.pager = pmui.Row(self.back, self.on, self.places, margin=(4, 0), align="center", sx={"gap": "8px"}, **WIDE)
        self.menu = Menu()
        said = pmui.Column(heading("Pairs", "≠ marks tokens that differ, · a space"), margin=BESIDE_MENU, **WIDE)
        self.card = paper(menued(self.menu, said, tools, self.counted, self.baseline, self.goes, self.pager, self.sheet))
        expects = pmui.Column(self.expects, min_height=LINE, margin=0, **WIDE)
        return self._framed("Circuit workbench: pairs", sidebar, self.ruler, self._buttons(), expects, self.hint, self.card)

    def _button(self, label: str, do: Any, width: int) -> pmui.Button:
        made = pmui.Button(label=label, variant="outlined", size="small", width=width, margin=0)
        made.on_click(lambda event: do())
        return made

    def _watch(self) -> None:
        view = self.view
        self.run.on_click(lambda event: view.check())
        self._watch_status("lines")
        self._watch_expected()
        view.param.watch(lambda *_: self._draw(), ["lines", "layouts", "answers", "first", "task", "baseline"])
        self._keep_address()

    def _status(self) -> str:
        view = self.view
        if view.status in ("queued", "running"):
            share = "" if view.progress is None else f" · {view.progress:.0%}"
            return f"{view.label}{share}{left(view.seconds_left)}"
        return {"done": "Done.", "stopped": "Stopped.", "failed": failed(view)}.get(view.status, "Ready.")

    def _written(self) -> dict[str, str]:
        return written(self.view)

    def _restore(self, query: Mapping[str, str]) -> None:
        restore(self.view, query)
        self.sidebar.show()
        # What is changed before the page has loaded never reaches the browser.
        pn.state.onload(self._draw)

    def _draw(self) -> None:
        """Show the table and what is said around it as the view has them."""
        view, counts = self.view, self.view.counts
        self.hint.visible = not view.own and not view.lines
        self.card.visible = not self.hint.visible
        known = len(view.answers)
        said = ""
        if view.baseline is not None and known > 0:
            some = "" if known == counts["lines"] else f" On {known} of these {counts['lines']} pairs: check them again."
            said = baseline(view.baseline) + f'<span style="font-size:13px">{some}</span>' * bool(some)
        self.baseline.object = said
        self.menu.show(view.baseline if said else None, view.measured_rows)
        self.counted.object = f'<span style="font-size:13px">{escape(_counted(counts))}</span>'
        self.mend.disabled, self.drop.disabled = counts["fixes"] == 0, counts["unusable"] == 0
        self.mend.label = f"Apply {counts['fixes'] or 'all'} fix{'es' * (counts['fixes'] != 1)}"
        self.undo.disabled = not view.table.can_undo
        self.pager.visible = counts["lines"] > SHOWN
        self.back.disabled, self.on.disabled = view.first == 0, view.first + SHOWN >= counts["lines"]
        last = min(view.first + SHOWN, counts["lines"])
        self.places.object = f'<span style="font-size:13px">Pairs {view.first + 1} to {last} of {counts["lines"]}</span>'
        self.sheet.content = content(view)
        self._say_goes(counts)

    def _say_goes(self, counts: dict[str, int]) -> None:
        """Where these pairs can be used next."""
        ready = counts["lines"] and counts["read"] == counts["lines"] and not counts["unusable"]
        links = " · ".join(f'<a href="{escape(to)}">{title}</a>' for title, to in onward(ASKED, carried(self.view)))
        said = f"Use these pairs on: {links}" if ready else ""
        if counts["unusable"]:
            said = "Other pages take these pairs once every one can be used."
        self.goes.object = f'<span style="font-size:13px">{said}</span>' * bool(said)

    def _do(self, what: str, number: Any = 0, at: Any = 0, text: Any = "") -> None:
        """Do what the table reports; what is none of it is left alone."""
        view = self.view
        if what == "refused" and isinstance(number, str):
            view.tell("error", number[:300])
        elif what == "file" and isinstance(number, str) and isinstance(at, str):
            view.upload(number, at)
        elif not isinstance(number, int):
            return
        elif what in ("write", "paste") and isinstance(at, str) and isinstance(text, str):
            if at in COLUMNS or at.startswith("pos:"):
                change = (lambda table: table.write(number, {at: text}, typed=True)) if what == "write" else None
                view.change(change or (lambda table: table.paste(number, at, text)))
        elif what == "mend" and isinstance(at, int):
            view.mend(number, at)
        elif what == "copy":
            view.change(lambda table: table.add(number))
        elif what == "remove":
            view.change(lambda table: table.remove(number))

    def _named(self) -> None:
        self.view.name_position(self.position.value_input or self.position.value or "")
        self.position.value = ""

    def _csv(self) -> io.StringIO:
        return io.StringIO(as_csv(self.view.lines))


def _counted(counts: dict[str, int]) -> str:
    """How many pairs there are, and how many of them cannot be used."""
    if not counts["lines"]:
        return "No pairs yet: add one, paste cells of a spreadsheet, or upload a file."
    said = f"{counts['lines']:,} pair{'s' * (counts['lines'] != 1)}"
    if counts["read"] < counts["lines"]:
        return f"{said}, {counts['lines'] - counts['read']:,} not read yet: press {BUTTON}."
    if counts["unusable"]:
        return f"{said}, {counts['unusable']:,} cannot be used as they are."
    return f"{said}, all of them usable."
