"""The card of the table of heads: the filter, the detector with its threshold, the CSV, the table itself and its menu."""

import io
import math
from collections.abc import Callable
from typing import Any

import panel_material_ui as pmui

from workbench.errors import BadInput
from workbench.pages import heads_words as words
from workbench.pages.menu import BESIDE_MENU, Menu, menued
from workbench.pages.sheet import TONES, Sheet
from workbench.pages.shell import line
from workbench.pages.shown import paper
from workbench.plots.hues import hue
from workbench.views.arranged import NAME
from workbench.views.heads import Heads
from workbench.views.heads_columns import file_name
from workbench.views.heads_filter import EXAMPLE
from workbench.views.heads_table import HeadsTable

FIELD: dict[str, Any] = {"size": "small", "margin": 0}


class TableCard:
    """The table of a Heads view in `card`.

    Args:
        view: The view.
        opened: Called when the user has opened a head.
        more: Buttons that stand beside those of the table.
    """

    def __init__(self, view: Heads, opened: Callable[[], None], *more: pmui.Button):
        self._view, self._opened, self._setting = view, opened, False
        self._of: HeadsTable | None = None
        self.only = pmui.TextInput(label=f"Filter: {EXAMPLE}", sizing_mode="stretch_width", min_width=200, **FIELD)
        self.detector = pmui.Select(label="Detector", options=["induction"], value="induction", width=160, **FIELD)
        self.at_least = pmui.TextInput(label="At least", placeholder="any", width=90, max_length=12, **FIELD)
        self.download = pmui.FileDownload(callback=self._csv, filename="heads.csv", label="Download CSV", width=136, **FIELD)
        # Given when made it is taken for a deprecated setting too, with a warning.
        self.download.variant = "outlined"
        self.says, self.menu = line(), Menu()
        self.sheet = Sheet(self._do)
        fields = pmui.FlexBox(
            self.only, self.detector, self.at_least, self.download, *more, gap="10px 8px", flex_wrap="wrap",
            align_items="center", margin=(4, 0), sizing_mode="stretch_width",
        )  # fmt: skip
        said = pmui.Column(self.says, margin=BESIDE_MENU, sizing_mode="stretch_width")
        self.card = paper(menued(self.menu, said, fields, self.sheet))
        self.only.param.watch(lambda event: self._typed(view.narrow, event.new), "value")
        self.at_least.param.watch(lambda event: self._typed(view.bound, event.new), "value")
        self.detector.param.watch(lambda event: self._choose(event.new), "value")

    def show(self, theme: str) -> None:
        """Show the table as the view has it."""
        view, table = self._view, self._view.table
        self.card.visible = table is not None
        self.says.object = words.counted(view)
        if table is None:
            self._of = None
            self.menu.show(None)
            return
        self._setting = True
        options = {column.label: column.name for column in table.columns.values()}
        chosen = view.detector if view.detector in table.columns else next(iter(options.values()))
        self.detector.param.update(options=options, value=chosen)
        self.only.value = view.only
        self.at_least.value = "" if view.at_least is None else f"{view.at_least:g}"
        self._setting = False
        self.download.filename = file_name(view.model, view.task)
        if table is not self._of:
            self._of = table
            self._fill(table)
            self.menu.show(table.found, view.rows, view.code)
        names = list(table.columns)
        by = names.index(view.sort) if view.sort in names else -1
        down = view.descending if by >= 0 or view.sort == NAME else False
        open_row = -1 if view.head.head is None else table.row(view.head.head)
        # The grid stands under the table: it must not move when a head is opened in it.
        short = view.grid.asked is not None
        self.sheet.param.update(order=list(view.order), sort=[by, down], chosen=open_row, short=short, tones=TONES[theme])

    def _fill(self, table: HeadsTable) -> None:
        """Send the whole table to the browser."""
        columns = list(table.columns.values())
        rows = range(len(table))
        # In one piece: what is changed one by one is drawn one by one.
        self.sheet.content = {
            "columns": [
                {"label": one.label, "title": _title(one), "signed": one.signed, "note": one.reason} for one in columns
            ],
            "names": table.frame["name"].tolist(),
            "hues": [hue(row) for row in rows],
            "cells": [[one.text(float(one.values[row])) for one in columns] for row in rows],
            "shades": [[_shade(one.values[row], one.limit) for one in columns] for row in rows],
        }

    def _do(self, what: str, index: int) -> None:
        table = self._view.table
        if table is None:
            return
        if what == "close":
            self._view.close()
        elif what == "sort" and -1 <= index < len(table.columns):
            self._view.sort_by(NAME if index < 0 else list(table.columns)[index])
        elif what == "open" and 0 <= index < len(table):
            self._view.open(table.head(index))
            self._opened()

    def _choose(self, name: str | None) -> None:
        if not self._setting and name is not None:
            self._view.choose(name)

    def _typed(self, use: Callable[[str], None], text: str | None) -> None:
        """Use what was typed; what cannot be used is told, and stays in its field."""
        if self._setting:
            return
        try:
            use(text or "")
        except BadInput as problem:
            self._view.tell("error", str(problem))

    def _csv(self) -> io.StringIO:
        """All columns of all heads, in full precision."""
        return io.StringIO("" if self._view.table is None else self._view.table.frame.to_csv(index=False))


def _title(one: Any) -> str:
    return f"{one.label}, in {one.unit}. {one.about} Click to sort."


def _shade(number: float, limit: float) -> float | None:
    return None if math.isnan(number) else round(float(number) / limit, 3)
