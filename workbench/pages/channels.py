"""The channels page: find the channels of a task, click a pair of heads, see its components, and drag what one of them says.

Text that comes from prompts is shown as it stands: panes of HTML get it escaped, widgets and figures treat it as text.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import panel as pn
import panel_material_ui as pmui

from workbench.pages import channel_words as words
from workbench.pages.menu import Menu, Panel, menued
from workbench.pages.pair import Bars, framed
from workbench.pages.ruler import Ruler
from workbench.pages.scale import Scale
from workbench.pages.shell import Shell, line, opened
from workbench.pages.shown import SIDE_BY_SIDE, finished, frames, heading, paper
from workbench.pages.sidebar import ModelAndTask
from workbench.pages.swatch import spots
from workbench.pages.table import Table
from workbench.result import Result
from workbench.views import channels_address
from workbench.views.channels import SLOTS, Channels

SLOT_NAMES = {"queries": "q", "keys": "k", "values": "v"}
# Rows of the table: what follows has next to no effect.
ROWS = 10


def page(view: Channels | None = None) -> pmui.Page:
    """The page, set to what the URL of the session says."""
    return opened(lambda: ChannelsPage(view or Channels()))


class ChannelsPage(Shell):
    """Layout of a Channels view."""

    worded, addressed = words, channels_address
    help: ClassVar = (
        ("This page", "what one head says to a later one: choose a model and a task, press Find channels, click a row"),
        ("A pair of heads", "a bar is one direction that the writer writes; click it to see what it does"),
        ("α", "says that direction louder, quieter or the other way round: drag, or ← → on the slider"),
    )  # fmt: skip

    def __init__(self, view: Channels):
        super().__init__(view, "Find channels", 170)
        self.sidebar, self.bars, self.scale = ModelAndTask(view), Bars(view), Scale(view)
        self.layers, self.heads = Panel(self._layers_clicked), Panel(self._heads_clicked)
        self.table, self.menu = Table(self._row_clicked), Menu()
        self.page = self._layout()
        self._watch()
        self._tell_status()
        self._draw()

    def _layout(self) -> pmui.Page:
        self.slot = pmui.RadioButtonGroup(
            options=SLOT_NAMES, value=self.view.slot, size="small", margin=(4, 0), sizing_mode="stretch_width"
        )
        sidebar = pmui.Column(
            *self.sidebar.objects, pmui.Divider(margin=(10, 0)), heading("Readers read through"), self.slot,
            sizing_mode="stretch_width", margin=(14, 14),
        )  # fmt: skip
        self.hint, self.about = pn.pane.HTML(words.HINT, margin=0, sizing_mode="stretch_width"), line()
        self.hint_card = paper(self.hint)
        self.layers_card, self.heads_says = paper(self.layers.box), line()
        self.heads_card = paper(self.heads_says, self.heads.box)
        self.table_card = paper(menued(self.menu, self.about, self.table))
        right = pmui.Column(self.table_card, self.heads_card, sizing_mode="stretch_width", margin=0)
        self.maps = framed(self.layers_card, right)
        self.anchor = Ruler(sizing_mode="stretch_width", height=1, margin=0)
        return self._framed(
            "Circuit workbench: channels", sidebar,
            self.ruler, self._buttons(), self.expects, self.hint_card, self.maps, self.anchor, self.bars.card, self.scale.card,
        )  # fmt: skip

    def _watch(self) -> None:
        view = self.view
        self.run.on_click(lambda event: view.find())
        self._watch_status("channels")
        self.slot.param.watch(lambda event: event.new in SLOTS and view.param.update(slot=event.new), "value")
        view.param.watch(lambda event: self.slot.param.update(value=event.new), "slot")
        view.param.watch(lambda *_: self._draw_maps(), ["layers", "between", "channels", "reason"])
        view.pair.param.watch(lambda *_: self._draw_maps(), ["writer", "reader"])
        view.pair.param.watch(lambda *_: self._draw_pair(), ["writer", "reader", "component", "known", "status", "prompts"])
        view.pair.param.watch(lambda *_: self.scale.move(), ["alpha", "prompt"])
        view.param.watch(lambda *_: self._draw_pair(), "status")
        self._watch_expected()
        self._keep_address("slot")
        view.pair.param.watch(lambda *_: self._address(), ["writer", "reader", "component", "alpha", "prompt"])
        self._watch_looks()

    def _layers_clicked(self, figure: Any, point: Mapping[str, Any]) -> None:
        self.view.click_layers(figure, point)

    def _heads_clicked(self, figure: Any, point: Mapping[str, Any]) -> None:
        self.view.click_heads(figure, point)
        self.anchor.calls += 1

    def _row_clicked(self, index: int) -> None:
        self.view.choose_row(index)
        self.anchor.calls += 1

    def _draw(self) -> None:
        """Draw everything as the view has it."""
        self._draw_maps()
        self._draw_pair()

    def _draw_maps(self) -> None:
        """Draw the two heatmaps and the table."""
        view, halved = self.view, self.across >= SIDE_BY_SIDE
        self.hint_card.visible = view.layers is None
        self.maps.visible = view.layers is not None
        self.maps.flex_direction = "row" if halved else "column"
        self._map(self.layers, view.layers, view.between)
        pair, chosen = view.pair, None
        if pair.writer and view.between == (pair.writer[0], pair.reader[0]):
            chosen = (pair.writer[1], pair.reader[1])
        block = view.block
        self._map(self.heads, block, chosen)
        self.menu.show(view.channels, view.rows)
        self.heads_says.object = words.heads(view)
        self.about.object = words.table(view)
        self.table_card.visible = view.channels is not None or view.status in ("queued", "running")
        head, rows = words.rows(view.channels, ROWS)
        self.table.visible = bool(rows)
        self.table.show(head, rows, spots=spots([row[0] for row in rows], view.heads, self.theme, plain=True))

    def _map(self, panel: Panel, result: Result | None, cell: tuple[int, int] | None) -> None:
        """Show a heatmap with the chosen cell framed."""
        made = None if result is None else finished(result, self.theme, self._width(self.across >= SIDE_BY_SIDE))
        framed = [] if made is None or cell is None else frames(made.figure.data, *cell)
        panel.show(made, result, code="" if result is None else self.view.code(result), frames=framed)

    def _draw_pair(self) -> None:
        """Draw the components of the pair, and what follows of the chosen one's scale."""
        halved = self.across >= SIDE_BY_SIDE
        whole = self._width(False)
        self.bars.show(self.theme, (whole - 12) / 2 if halved else whole, halved)
        self.scale.show(self.theme, whole, halved)
