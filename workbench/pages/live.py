"""The card of the node or edge chosen: its score, what it is replaced by, all that is replaced, and what that changes."""

from typing import Any

import panel as pn
import panel_material_ui as pmui

from workbench.pages import live_words as words
from workbench.pages.menu import Menu, menued
from workbench.pages.shown import heading, paper
from workbench.views.answering import BYS
from workbench.views.circuits import Circuits

BUTTON: dict[str, Any] = {"size": "small", "variant": "outlined", "margin": 0}


class LiveCard:
    """The card in `card`."""

    def __init__(self, view: Circuits):
        self.view, self.live, self._theme = view, view.ablation, "light"
        self.chosen, self.links, self.about = _text(), _text(), _text()
        self.by = {by: pmui.Button(label=words.NAMES[by], **BUTTON) for by in BYS}
        for by, button in self.by.items():
            button.on_click(lambda event, by=by: view.replace(self.live.place, by))
        self.buttons = pmui.Row(*self.by.values(), margin=(2, 0), sx={"gap": "6px", "flexWrap": "wrap"})
        self.list = pmui.Column(margin=0, sizing_mode="stretch_width")
        self._listed: list[Any] | None = []
        self.undo = pmui.Button(label="Undo", **BUTTON)
        self.clear = pmui.Button(label="Clear", **BUTTON)
        self.measure = pmui.Button(label="Measure", **BUTTON)
        for button, act in ((self.undo, self.live.undo), (self.clear, self.live.clear), (self.measure, self.live.measure)):
            button.on_click(lambda event, act=act: act())
        # Above the list, which gets shorter by what they do.
        self.actions = pmui.Row(self.undo, self.clear, self.measure, margin=(4, 0), sx={"gap": "6px"})
        self.status, self.says, self.table = _text(), _text(), _text()
        self.menu = Menu()
        self.card = paper(menued(
            self.menu, heading("Replace a node or an edge", "and see what the answer becomes"), self.chosen, self.links,
            self.buttons, self.about, self.actions, self.list, self.status, self.says, self.table,
        ))  # fmt: skip
        self.live.param.watch(lambda *_: self._tell_place(), ["place", "unavailable", "replaced"])
        self.live.param.watch(lambda *_: self._list(), ["replaced", "undoable", "status"])
        self.live.param.watch(lambda *_: self._tell(), ["answer", "status", "replaced"])
        view.attention.param.watch(lambda *_: self._link(), ["prompt", "of"])
        view.param.watch(lambda *_: self.show(), ["result", "whole"])
        self.show()

    def tint(self, theme: str) -> None:
        """Name heads in their colours on a page of this theme."""
        if theme != self._theme:
            self._theme, self._listed = theme, None
            self.show()
        # Palettes may be others without another theme.
        self._link()

    def show(self) -> None:
        """Show what the view says; nothing where no finished Circuit is shown."""
        self.card.visible = self.view.sizes is not None
        self._tell_place()
        self._list()
        self._tell()

    def _tell_place(self) -> None:
        live = self.live
        self.chosen.object = words.place(self.view, self._theme)
        self._link()
        why = live.why_not(live.place)
        self.buttons.visible = bool(live.place) and not why
        for by, button in self.by.items():
            here = any(each.place == live.place and each.by == by for each in live.replaced)
            button.variant = "contained" if here else "outlined"
        self.about.object = words.about(bool(live.place), why)

    def _link(self) -> None:
        said = words.links(self.view, self._theme)
        self.links.param.update(object=said, visible=bool(said))

    def _list(self) -> None:
        live = self.live
        if live.replaced != self._listed:
            self._listed = list(live.replaced)
            self.list[:] = [self._row(each) for each in live.replaced]
        self.actions.visible = bool(live.replaced) or live.undoable
        self.undo.disabled, self.clear.disabled = not live.undoable, not live.replaced
        self.measure.visible = bool(live.replaced) and live.answer is None and not live.live

    def _row(self, each: Any) -> pmui.Row:
        remove = pmui.Button(label="Remove", **{**BUTTON, "variant": "text"})
        remove.on_click(lambda event: self.live.remove(each.place))
        said = pn.pane.HTML(words.sentence(each, words.heads_of(self.view), self._theme), margin=(4, 0))
        return pmui.Row(said, remove, margin=0, sx={"gap": "8px", "alignItems": "center"})

    def _tell(self) -> None:
        answer = self.live.answer
        self.status.object = words.quietly(self.live.status)
        self.status.visible = bool(self.live.status)
        self.says.visible = self.table.visible = answer is not None
        if answer is not None:
            self.says.object = words.changed(answer)
            self.table.object = words.table(answer)
        # What was replaced before fades until the answer to what is replaced now is there.
        past = answer is not None and answer.asked != tuple(self.live.replaced)
        self.says.styles = self.table.styles = {"opacity": ".3" if past else "1"}
        self.menu.show(None if answer is None or past else answer.scores, code=self.live.code)


def _text() -> pn.pane.HTML:
    return pn.pane.HTML("", margin=(2, 0), sizing_mode="stretch_width")
