"""The page of attention: all heads of a model on one prompt as thumbnails, one of them large.

Text that comes from prompts is shown as it stands: panes of HTML get it escaped, widgets and canvases treat it as text.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import panel as pn
import panel_material_ui as pmui

from workbench.pages import attention_words as words
from workbench.pages.attention_grid import GridCard, weighting
from workbench.pages.menu import Menu, menued
from workbench.pages.prompt import PromptChooser
from workbench.pages.shell import WIDE, Shell, line, opened
from workbench.pages.shown import heading, paper
from workbench.pages.sidebar import ModelAndTask
from workbench.pages.table import Table
from workbench.views import looks_address
from workbench.views.looks import Looks

SOURCES = {"Task": "task", "Text": "text"}


def page(view: Looks | None = None) -> pmui.Page:
    """The page, set to what the URL of the session says."""
    return opened(lambda: AttentionPage(view or Looks()))


class AttentionPage(Shell):
    """Layout of a Looks view."""

    worded, addressed = words, looks_address
    help: ClassVar = (
        ("This page", "where every head looks, on one prompt: choose a model, a task or a text of your own, press Show"),
        ("The grid", "hover previews a head, a click locks it; click two tokens of the prompt to pin them"),
        ("Keys on the heads", "arrows move, Enter locks, Esc unlocks"),
        ("Keys on the large head", "arrows move, Enter pins both tokens, + and − zoom, Shift and arrows shift, Esc unpins"),
        ("Keys on the tokens", "← → move, Enter pins the token that looks, Shift and Enter the one looked at"),
    )  # fmt: skip

    def __init__(self, view: Looks):
        super().__init__(view, "Show", 120)
        self.sidebar = ModelAndTask(view)
        self.grid = GridCard(view)
        self.grid.make()
        self.grid.place()
        self.table = Table(self._row_clicked)
        self._setting = False
        self.page = self._layout()
        self._watch()
        self._tell_status()
        self._set_chooser()
        self._draw()

    def _layout(self) -> pmui.Page:
        small: dict[str, Any] = {"size": "small", "margin": 0}
        view = self.view
        self.source = pmui.RadioButtonGroup(options=SOURCES, value=view.source, **small)
        self.text = pmui.TextAreaInput(
            label="Your text", value=view.text, rows=3, max_rows=8, max_length=200_000, resizable="height", size="small",
            margin=(6, 0), **WIDE,
        )  # fmt: skip
        self.chooser, self.weighted = PromptChooser(self._set), weighting(view)
        asked = pmui.Row(self.source, self.weighted, margin=0, align="center", sx={"gap": "12px"}, **WIDE)
        self.hint_card, self.link, self.menu = paper(pn.pane.HTML(words.HINT, margin=0, **WIDE)), line(), Menu()
        self.grid_card = paper(self.grid.box)
        about = "where it looks most; click a row to pin its two tokens"
        self.head_card = paper(menued(self.menu, self.link, heading("Largest numbers", about), self.table))
        sidebar = pmui.Column(*self.sidebar.objects, margin=(14, 14), **WIDE)
        return self._framed(
            "Circuit workbench: attention", sidebar, self.ruler, self._buttons(), self.expects,
            paper(asked, self.chooser.row, self.text), self.hint_card, self.grid_card, self.head_card,
        )  # fmt: skip

    def _watch(self) -> None:
        view = self.view
        self.run.on_click(lambda event: self._show())
        self._watch_status("grid")
        self.source.param.watch(lambda event: self._set(source=event.new), "value")
        self.text.param.watch(lambda event: self._set(text=event.new or ""), "value")
        view.param.watch(lambda *_: self._set_chooser(), ["source", "text", "prompt", "prompts", "of"])
        view.param.watch(lambda *_: self._draw(), "grid")
        view.param.watch(lambda *_: self._draw_head(), ["head", "exact"])
        self._watch_expected()
        self._keep_address("source", "text", "prompt", "of", "weighted", "grid", "head", "pinned", "sort", "own", "least")
        self.page.param.watch(lambda *_: self._draw(), "dark_theme")

    def _restore(self, query: Mapping[str, str]) -> None:
        super()._restore(query)
        self._set_chooser()

    def _show(self) -> None:
        # What stands in the field may not have left it yet.
        self._set(text=self.text.value_input or self.text.value or "")
        self.view.show()

    def _set(self, **state: Any) -> None:
        if not self._setting and all(value is not None for value in state.values()):
            self.view.param.update(**state)

    def _set_chooser(self) -> None:
        view = self.view
        self._setting = True
        self.source.value, self.text.value = view.source, view.text
        self.chooser.row.visible, self.text.visible = view.source == "task", view.source == "text"
        self._setting = False
        self.chooser.show(view.prompts, view.prompt, view.of)

    def _draw(self) -> None:
        """Draw the grid as the view has it."""
        made = self.view.grid
        self.hint_card.visible = made is None
        self.grid_card.visible = self.head_card.visible = made is not None
        self.grid.show(self.theme)
        self._draw_head()

    def _draw_head(self) -> None:
        """Draw the numbers of the locked head."""
        view = self.view
        self.link.object = words.head_link(view, self.theme)
        self.table.show(["looks", "looked at", view.grid.unit if view.grid is not None else ""], words.rows(view))
        self.table.visible = view.exact is not None
        self.menu.show(view.exact, view.rows)

    def _row_clicked(self, index: int) -> None:
        query, key, _ = self.view.largest[index]
        self.view.pinned = [query, key]
