"""The page of heads: a table of what every head of a model does; a row of it, or a cell of its map, opens that head.

Text that comes from prompts is shown as it stands: panes of HTML get it escaped, widgets, tables and figures treat it as text.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import panel as pn
import panel_material_ui as pmui

from workbench.pages import heads_words as words
from workbench.pages.head import HeadCards
from workbench.pages.heads_grid import HeadsGrid
from workbench.pages.heads_table import TableCard
from workbench.pages.menu import Panel
from workbench.pages.pair import framed
from workbench.pages.ruler import Ruler
from workbench.pages.shell import Shell, line, opened
from workbench.pages.shown import SIDE_BY_SIDE, finished, frames, heading, paper
from workbench.pages.sidebar import ModelAndTask, Settings
from workbench.pages.words import baseline
from workbench.views import heads_address
from workbench.views.heads import Heads

JOINS = {
    "Direct logit attribution": "dla", "Attribution patching": "atp", "Activation patching (a run per head)": "patch",
    "Retrieval heads (long prompts)": "retrieval",
}  # fmt: skip
WIDE: dict[str, Any] = {"sizing_mode": "stretch_width"}


def page(view: Heads | None = None) -> pmui.Page:
    """The page, set to what the URL of the session says."""
    return opened(lambda: HeadsPage(view or Heads()))


class HeadsPage(Shell):
    """Layout of a Heads view."""

    worded, addressed = words, heads_address
    help: ClassVar = (
        ("This page", "what every head of a model does, as a table: choose a model at the left, press Find heads"),
        ("The table", "click the head of a column to sort by it, a row or a cell of the map to open that head"),
        ("Keys", "↑ ↓ go from row to row, Enter opens the head, Esc closes it"),
    )  # fmt: skip

    def __init__(self, view: Heads):
        super().__init__(view, "Find heads", 150)
        self.sidebar, self.options = ModelAndTask(view), Settings(view, "params", ("examples",))
        self.grid = HeadsGrid(view.grid)
        self.table, self.head = TableCard(view, self._to_head, self.grid.button), HeadCards(view)
        self.map = Panel(self._cell_clicked)
        self.page = self._layout()
        self._watch()
        self._tell_status()
        self._tell_baseline()
        self._draw()

    def _layout(self) -> pmui.Page:
        self.joined = pmui.CheckBoxGroup(options=JOINS, value=self.view.joined, size="small", margin=(2, 0), **WIDE)
        self.options.show("heads", self.view.method_fields)
        sidebar = pmui.Column(
            *self.sidebar.objects, pmui.Divider(margin=(10, 0)), heading("Join to the table"), self.joined,
            pmui.Divider(margin=(10, 0)), heading("Sequences", "that heads are measured on"), self.options.column,
            margin=(14, 14), **WIDE,
        )  # fmt: skip
        self.hint_card, self.baseline = paper(pn.pane.HTML(words.HINT, margin=0, **WIDE)), line()
        self.anchor = Ruler(sizing_mode="stretch_width", height=1, margin=0)
        self.map_card = paper(self.map.box)
        self.middle = framed(self.map_card, self.head.column)
        return self._framed(
            "Circuit workbench: heads", sidebar, self.ruler, self._buttons(), self.expects,
            self.baseline, self.hint_card, self.anchor,
            self.table.card, self.grid.card, self.middle,
        )  # fmt: skip

    def _watch(self) -> None:
        view = self.view
        self.run.on_click(lambda event: view.find())
        self._watch_status("table")
        self.joined.param.watch(lambda event: view.param.update(joined=[m for m in JOINS.values() if m in event.new]), "value")
        view.param.watch(lambda event: self.joined.param.update(value=event.new), "joined")
        view.param.watch(lambda *_: self.options.show("heads", view.method_fields), "params")
        view.param.watch(lambda *_: self._draw_map(), ["table", "detector"])
        view.param.watch(lambda *_: self._tell_baseline(), "results")
        arranged = ["table", "order", "sort", "descending", "detector", "at_least", "only"]
        view.param.watch(lambda *_: self.table.show(self.theme), arranged)
        view.head.param.watch(lambda *_: self._draw(), "head")
        view.grid.param.watch(lambda *_: (self.table.show(self.theme), self._address()), ["grid", "status"])
        view.grid.param.watch(lambda *_: self._address(), ["weighted", "pinned", "sort", "own", "least"])
        looked = view.head.attention
        looked.param.watch(lambda *_: self._draw_head(), ["scores", "status", "prompt", "prompts", "of"])
        view.head.writes.param.watch(lambda *_: self._draw_head(), ["readout", "status"])
        view.param.watch(lambda *_: self._draw_head(), "status")
        self._watch_expected()
        self._keep_address("params", "joined", "sort", "descending", "detector", "at_least", "only")
        view.head.param.watch(lambda *_: self._address(), "head")
        looked.param.watch(lambda *_: self._address(), ["prompt", "of"])
        self._watch_looks()

    def _cell_clicked(self, figure: Any, point: Mapping[str, Any]) -> None:
        self.view.click(figure, point)

    def _to_head(self) -> None:
        self.anchor.calls += 1

    @property
    def _halved(self) -> bool:
        return self.across >= SIDE_BY_SIDE

    def _draw(self) -> None:
        """Draw everything as the view has it."""
        self.table.show(self.theme)
        self.grid.show(self.theme)
        self._draw_map()
        self._draw_head()

    def _draw_map(self) -> None:
        """Draw the map, and what the table says of the open head."""
        view = self.view
        self.hint_card.visible = view.table is None
        self.middle.visible = view.table is not None or view.head.head is not None
        # One above the other, the open head comes first.
        self.middle.flex_direction = "row" if self._halved else "column-reverse"
        self.map_card.styles = {"position": "sticky", "top": "8px"} if self._halved else {}
        scores = view.map
        made = None if scores is None else finished(scores, self.theme, self._width(self._halved))
        chosen = view.head.head if made is not None else None
        self.map.show(made, scores, view.rows, frames=frames(made.figure.data, *chosen) if chosen else [])
        self.head.tell(self.theme)

    def _tell_baseline(self) -> None:
        found = self.view.baseline
        self.baseline.visible = found is not None
        self.baseline.object = "" if found is None else baseline(found)

    def _draw_head(self) -> None:
        """Draw the panels of the open head."""
        self.head.show(self.theme, self._width(self._halved))
