"""What a page shows of a result: its figure on the page's own ground, the cell chosen, the table of top cells."""

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any
from weakref import WeakKeyDictionary

import panel as pn
import panel_material_ui as pmui

from workbench.pages.chart import Finished
from workbench.pages.menu import Menu, menued
from workbench.pages.palettes import palette_for
from workbench.pages.swatch import Spot
from workbench.pages.table import Table
from workbench.plots import figure
from workbench.plots import options as options_of
from workbench.plots.frame import LEAST_ASKED
from workbench.plots.hues import colour, headed
from workbench.result import Result
from workbench.views.cells import Cell, cell_of_row, group_of, top_cells
from workbench.views.circuits import Circuits

SIDE_BY_SIDE = 880
PADDING = 24
# Figures kept of one result, as long as somebody holds it.
MOST_FINISHED = 8
_FINISHED: WeakKeyDictionary[Result, dict[str, Finished]] = WeakKeyDictionary()


def drawn(result: Result, theme: str, width: int | float, least: int | float = LEAST_ASKED, **options: Any) -> Any:
    """The figure of a result for a page, on the page's own background, at least so wide."""
    if "palette" in options_of(result):
        options = {"palette": palette_for(result)} | options
    made = figure(result, theme=theme, width=max(least, width), **options)
    return made.update_layout(paper_bgcolor="rgba(0,0,0,0)", dragmode=False)


def finished(result: Result, theme: str, width: int | float, head: int | None = None, **options: Any) -> Finished:
    """The figure of a result as `drawn` makes it, made once for all sessions that ask alike; nobody changes it.

    What is chosen in it is framed by `frames`, on top of it.

    Args:
        result: What it shows.
        theme: 'light' or 'dark'.
        width: Pixels of the whole figure.
        head: The head that it is of, counted layer after layer: its title has that head's colour; None for no head.
        options: Of the figure.
    """
    if "palette" in options_of(result):
        options = {"palette": palette_for(result)} | options
    asked = repr((theme, width, head, sorted(options.items())))
    known = _FINISHED.setdefault(result, {})
    if asked not in known:
        made = Finished(headed(drawn(result, theme, width, **options), head, theme))
        # A window that is resized by hand asks for many widths.
        if len(known) >= MOST_FINISHED:
            known.clear()
        known[asked] = made
        return made
    return known[asked]


def frames(traces: Iterable[Any], row: int, column: int | None) -> list[dict[str, Any]]:
    """Frames around a cell in the panels of a heatmap, or around a whole row where no column is given, for `Chart.show`."""
    ends = {"x0": 0, "x1": 1} if column is None else {"x0": column - 0.5, "x1": column + 0.5}
    axes = {(trace.xaxis or "x", trace.yaxis or "y") for trace in traces if trace.type in ("heatmap", "bar")}
    end = " domain" if column is None else ""
    return [
        {"type": "rect", **ends, "y0": row - 0.5, "y1": row + 0.5, "xref": across + end, "yref": up}
        for across, up in sorted(axes)
    ]


def frames_of(made: Any, cell: Cell) -> list[dict[str, Any]]:
    """Frames around a cell in every panel that has it."""
    meta = made.layout.meta or {}
    at = {"layer": cell.layer, "head": cell.head, "pos": cell.pos}
    y, x = at.get(meta.get("rows")), at.get(meta.get("columns"))
    # Where each site has its own panel, the heads of keys and values are others than those of queries.
    there = [trace for trace in made.data if cell.site is None or trace.meta in (None, f"site {cell.site}")]
    return [] if y is None or x is None else frames(there, y, x)


class TopCells:
    """The largest cells as a table; a row is clicked like a cell of the map."""

    def __init__(self, view: Circuits):
        self._view, self._rows = view, []
        self.table, self.menu = Table(self._clicked), Menu()
        title = heading("Largest cells", "mean over prompts; click a row to see its head")
        self.card = paper(menued(self.menu, title, self.table))
        self.card.visible = False

    def show(self, result: Result | None, theme: str) -> None:
        """Show the largest cells of a result, their heads in their colours."""
        self._rows = top_cells(result) if result is not None else []
        self.card.visible = bool(self._rows)
        self.menu.show(result if self._rows else None, self._view.rows)
        if not self._rows or result is None:
            return
        shown = {"value": (result.unit, "{:+.3g}"), "±": ("± s.e.", "{:.2g}")}
        head = [shown[name][0] if name in shown else name for name in self._rows[0]]
        rows = [[shown[n][1].format(v) if n in shown else v for n, v in row.items()] for row in self._rows]
        column = head.index("head") if {"layer", "head"} <= self._rows[0].keys() else 0
        self.table.show(head, rows, column, [self._spots(row, result, theme) for row in self._rows])

    def _spots(self, row: Mapping[str, Any], result: Result, theme: str) -> list[Spot]:
        """The swatch of the head of a row; none where there is none, or what heads share."""
        cell = cell_of_row(row, result)
        if cell is None or cell.layer is None or cell.head is None or group_of(result, cell) is not None:
            return []
        return [(0, colour(cell.layer * result.values.sizes["head"] + cell.head, theme))]

    def _clicked(self, index: int) -> None:
        if self._view.result is not None:
            cell = cell_of_row(self._rows[index], self._view.result)
            if cell is not None:
                self._view.choose(cell)


def paper(*objects: Any, **settings: Any) -> pmui.Paper:
    """A quiet frame around what belongs together."""
    settings.setdefault("margin", (0, 0, 12, 0))
    return pmui.Paper(
        *objects, elevation=0, sizing_mode="stretch_width",
        sx={"border": "1px solid", "borderColor": "divider", "padding": "10px 12px"}, **settings,
    )  # fmt: skip


def quiet(text: str) -> pn.pane.HTML:
    """A paragraph that says what a card is about; shown as it stands."""
    said = f'<span style="font-size:13px;opacity:.85">{escape(text)}</span>'
    return pn.pane.HTML(said, margin=(2, 0), sizing_mode="stretch_width")


def heading(title: str, about: str = "") -> pn.pane.HTML:
    """A heading of a card with a quiet line beside it, clear of the menu; both are shown as they stand."""
    return pn.pane.HTML(
        f'<div style="padding-right:64px"><b style="font-size:14px">{escape(title)}</b> '
        f'<span style="font-size:12px;opacity:.7;margin-left:6px">{escape(about)}</span></div>',
        margin=0, sizing_mode="stretch_width",
    )  # fmt: skip
