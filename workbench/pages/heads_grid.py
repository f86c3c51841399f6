"""The card of all heads' attention under the table of heads, and the button that opens it."""

from typing import Any

import panel_material_ui as pmui

from workbench.pages import attention_words as words
from workbench.pages.attention_grid import GridCard, weighting
from workbench.pages.menu import BESIDE_MENU, Menu, menued
from workbench.pages.prompt import PromptChooser
from workbench.pages.shell import line
from workbench.pages.shown import heading, paper
from workbench.views.heads_grid import TableGrid

WIDE: dict[str, Any] = {"sizing_mode": "stretch_width"}
SHOW, HIDE = "Show all attention", "Hide all attention"


class HeadsGrid:
    """The grid of a page of heads in `card`, and the `button` that shows or hides it.

    Args:
        view: The grid's state.
    """

    def __init__(self, view: TableGrid):
        self._view, self._theme = view, "light"
        self.button = pmui.Button(label=SHOW, variant="outlined", size="small", width=164, margin=0)
        self.chooser, self.grid = PromptChooser(view.param.update), GridCard(view)
        self.says, self.links, self.locked, self.menu = line(), line(), line(), Menu()
        self.stop = pmui.Button(label="Stop", color="error", variant="outlined", size="small", width=70, margin=0)
        self.working = pmui.Row(self.stop, self.says, margin=(4, 0), align="center", sx={"gap": "8px"}, **WIDE)
        about = "the heads of the table, in its order; click one to open it"
        chooser = pmui.Row(self.chooser.row, weighting(view), margin=0, align="center", sx={"gap": "12px"}, **WIDE)
        # The locked head as it is drawn large: weighted, too, where the card of the open head is not.
        self.row = menued(self.menu, pmui.Column(self.locked, margin=BESIDE_MENU, **WIDE))
        self.card = paper(heading("Attention of all heads", about), chooser, self.working, self.grid.box, self.row, self.links)
        self.button.on_click(lambda event: view.hide() if view.asked is not None else view.show())
        self.stop.on_click(lambda event: view.stop())
        view.param.watch(lambda *_: self.show(self._theme), ["grid", "status", "label", "progress"])
        view.param.watch(lambda *_: self._choices(), ["prompt", "prompts", "of", "weighted", "head", "pinned"])
        view.param.watch(lambda *_: self._lock(), ["head", "exact", "grid"])

    def show(self, theme: str) -> None:
        """Show the grid as far as it is read."""
        view, self._theme = self._view, theme
        there = view.asked is not None
        self.card.visible = there
        self.button.label = HIDE if there else SHOW
        said = words.under_way(view)
        self.working.visible, self.stop.visible = bool(said), view.live
        self.says.object = said
        self.grid.box.visible = view.grid is not None
        if there:
            self.grid.show(theme)
        self._choices()
        self._lock()

    def _lock(self) -> None:
        view = self._view
        self.row.visible = view.exact is not None
        self.locked.object = words.locked(view, self._theme)
        self.menu.show(view.exact, view.rows)

    def _choices(self) -> None:
        view = self._view
        self.chooser.show(view.prompts, view.prompt, view.of)
        self.links.object = words.page_link(view)
