"""The page of maps: choose what is replaced, press Compute; exact and estimated maps of the same cells stand side by side.

Text that comes from prompts is shown as it stands: panes of HTML get it escaped, widgets and figures treat it as text.
"""

from typing import Any, ClassVar

import panel as pn
import panel_material_ui as pmui

from workbench.pages import maps_words as words
from workbench.pages.keys import Keys
from workbench.pages.maps_cards import BAR, Agreement, Looks, MapCard
from workbench.pages.shell import WIDE, Shell, line, opened
from workbench.pages.shown import PADDING, SIDE_BY_SIDE, heading, paper
from workbench.pages.sidebar import ModelAndTask, Settings
from workbench.pages.words import baseline
from workbench.views import maps_address
from workbench.views.maps import Maps
from workbench.views.maps_kinds import KINDS

FIRST = ("metric", "direction", "positions")
# Pixels of the main area with room for three maps.
THREE = 1000
_GAP = 8


def page(view: Maps | None = None) -> pmui.Page:
    """The page, set to what the URL of the session says."""
    return opened(lambda: MapsPage(view or Maps()))


class MapsPage(Shell):
    """Layout of a Maps view."""

    worded, addressed = words, maps_address
    help: ClassVar = (
        ("This page", "the same cells by three methods, side by side, and how far they agree: choose a model and a task, press "
         "Compute"),
        ("A cell", "hover previews it in all maps, a click locks it and shows where its head looks"),
        ("Keys", "arrows move the locked cell, Esc unlocks it"),
    )  # fmt: skip

    def __init__(self, view: Maps):
        super().__init__(view, "Compute", 130)
        self.sidebar, self.options = ModelAndTask(view), Settings(view, "params", FIRST)
        self.maps = {method: MapCard(view, method, method == "relp") for method in ("patch", "atp", "relp")}
        self.agreement, self.looks = Agreement(view), Looks(view)
        self.keys = Keys(view.move, view.release)
        self._setting = False
        self.page = self._layout()
        self._watch()
        self._tell_status()
        self._tell_baseline()
        self._draw()

    def _layout(self) -> pmui.Page:
        view = self.view
        kinds = {kind.title: name for name, kind in KINDS.items()}
        self.kind = pmui.Select(label="Cells", options=kinds, value=view.kind, size="small", margin=(4, 0), **WIDE)
        self.exact = pmui.Checkbox(label="Exact map, a run per cell", value=view.exact, size="small", margin=(4, 0))
        self.options.show("maps", view.method_fields)
        sidebar = pmui.Column(
            *self.sidebar.objects, pmui.Divider(margin=(10, 0)), heading("What is replaced"), self.kind, self.exact,
            self.options.column, margin=(14, 14), **WIDE,
        )  # fmt: skip
        self.prompt = pmui.Select(label="Prompt", options=["mean over all prompts"], size="small", margin=(6, 0), **WIDE)
        self.baseline, self.cell = line(), line()
        self.hint = paper(pn.pane.HTML(words.HINT, margin=0, **WIDE))
        self.locked = paper(self.cell)
        self.row = self._row(_GAP, *(card.card for card in self.maps.values()))
        self.below = self._row(12, self.agreement.card, self.looks.card)
        self.panels = pmui.Column(self.locked, self.row, self.below, margin=0, **WIDE)
        return self._framed(
            "Circuit workbench: maps", sidebar, self.ruler, self.keys, self._buttons(), self.expects,
            self.baseline, self.prompt, self.hint,
            self.panels,
        )  # fmt: skip

    def _row(self, gap: int, *objects: pmui.Paper) -> pmui.FlexBox:
        return pmui.FlexBox(*objects, gap=f"{gap}px", flex_wrap="nowrap", align_items="stretch", margin=0, **WIDE)

    def _watch(self) -> None:
        view = self.view
        self.run.on_click(lambda event: view.show())
        self._watch_status("results", "reasons")
        self.kind.param.watch(lambda event: self._choose(kind=event.new), "value")
        self.exact.param.watch(lambda event: self._choose(exact=event.new), "value")
        self.prompt.param.watch(lambda event: self._choose_prompt(event.new), "value")
        view.param.watch(lambda *_: self.options.show("maps", view.method_fields), "params")
        view.param.watch(lambda *_: self._draw(), ["results", "partial", "reasons", "status", "prompt", "agreements", "pair"])
        view.param.watch(lambda *_: self._frame(), "cell")
        view.attention.param.watch(lambda *_: self._draw_looks(), ["scores", "status", "about"])
        view.param.watch(lambda *_: self._tell_baseline(), "baseline")
        view.param.watch(lambda *_: self._set_chooser(), ["prompts", "options", "kind", "exact"])
        self._watch_expected()
        self._keep_address("kind", "params", "exact", "prompt", "pair", "cell")
        self._watch_looks()

    @property
    def _halved(self) -> bool:
        return self.across >= SIDE_BY_SIDE

    def _draw(self) -> None:
        """Draw everything as the view has it."""
        view = self.view
        anything = bool(view.results or view.reasons or view.partial is not None or view.live)
        self.hint.visible, self.panels.visible = not anything, anything
        beside = self.across >= THREE
        self.row.flex_direction = "row" if beside else "column"
        self.below.flex_direction = "row" if self._halved else "column"
        width = (self.across - 2 * _GAP - 3 * (PADDING + 2) - BAR) / 3 if beside else self._width(False)
        for method, card in self.maps.items():
            card.show(self.theme, width, beside)
            # The one with the colour bar is so much wider.
            wide = f"1 1 {width + PADDING + (method == 'relp') * BAR:.0f}px"
            # Said anew and not taken away: a browser keeps what it was told before, and one above the other it is a height.
            card.card.styles = {"flex": wide if beside else "0 0 auto"}
        self.agreement.show(self.theme, self._width(self._halved))
        self._draw_looks()
        self._set_chooser()
        self._frame()

    def _draw_looks(self) -> None:
        self.looks.show(self.theme, self._width(self._halved))

    def _frame(self) -> None:
        """Frame the locked cell, and say what is known of it."""
        self.cell.object = words.locked(self.view, self.theme)
        self.keys.active = self.view.cell is not None
        for card in self.maps.values():
            card.frame()
        self._draw_looks()

    def _set_chooser(self) -> None:
        view = self.view
        labels = [f"mean over all {view.count} prompts", *view.labels]
        self._setting = True
        chosen = 0 if view.prompt is None else min(view.prompt + 1, len(labels) - 1)
        self.prompt.param.update(options=labels, value=labels[chosen])
        self.kind.value, self.exact.value = view.kind, view.exact
        self._setting = False

    def _choose(self, **chosen: Any) -> None:
        if not self._setting and all(value is not None for value in chosen.values()):
            self.view.param.update(**chosen)

    def _choose_prompt(self, label: str | None) -> None:
        if not self._setting and label is not None:
            place = self.prompt.options.index(label)
            self.view.show_prompt(place - 1 if place else None)

    def _tell_baseline(self) -> None:
        found = self.view.baseline
        self.baseline.param.update(visible=found is not None, object="" if found is None else baseline(found))
