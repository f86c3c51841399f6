"""The cards of maps that stand side by side, and of their agreement."""

from typing import Any

import panel_material_ui as pmui

from workbench.pages import maps_words as words
from workbench.pages.chart import Chart
from workbench.pages.menu import Menu, Panel, menued
from workbench.pages.residual_cards import PLAIN
from workbench.pages.shell import line
from workbench.pages.shown import drawn, heading, paper
from workbench.plots.frame import LEAST_ASKED
from workbench.plots.hues import headed, squared
from workbench.views.maps import PAIRS, Maps

GROUP = "maps"
# Pixels of the rows of a map, and of what a colour bar takes.
TALL, BAR = 420, 90


class MapCard:
    """The map of a method, in `card`.

    Args:
        view: The view.
        method: Whose map.
        bar: Whether it is the one whose colour bar stands for all, where they are side by side.
    """

    def __init__(self, view: Maps, method: str, bar: bool):
        self._view, self._method, self._bar, self._drawn = view, method, bar, None
        self.chart, self.menu, self.reason = Chart(view.click, group=GROUP), Menu(), line()
        title = heading(words.TITLES[method], words.ABOUT[method])
        self.card = paper(menued(self.menu, title, self.reason, self.chart))

    def show(self, theme: str, width: int | float, beside: bool) -> None:
        """Draw the map as the view has it; what was there before is faded until its successor comes."""
        view, method = self._view, self._method
        said = words.reason(view, method)
        self.reason.param.update(object=said, visible=bool(said))
        made, limit = view.map(method), view.limit
        waits = view.waits(method)
        self.chart.styles = {"opacity": "0.3" if made is None and waits else "1"}
        if made is None:
            if not waits:
                self._drawn = None
                self.chart.show(None)
                self.menu.show(None)
            return
        now = (id(view.scores(method)), view.prompt, tuple(view.top_heads), limit, theme, width, beside)
        if now != self._drawn:
            self._drawn = now
            bar = self._bar or not beside
            least = LEAST_ASKED - BAR * (not bar)
            figure = drawn(made, theme, width + BAR * (bar and beside), least, tall=TALL, limit=limit, bar=bar)
            # Rows are heads where it is by position; layers have no colour.
            self.chart.show(squared(figure, view.heads, theme, plain=True) if view.top_heads else figure)
            self.menu.show(view.scores(method), view.rows if view.task == "custom" else "")

    def frame(self) -> None:
        """Frame the locked cell."""
        self.chart.cell = self._view.frame


class Agreement:
    """How far the maps agree: a table of all pairs, and the cells of one of them as a cloud."""

    def __init__(self, view: Maps):
        self._view, self._drawn, self._setting = view, None, False
        self.table, self.panel = line(), Panel()
        names = {" and ".join(words.TITLES[method].lower() for method in pair): i for i, pair in enumerate(PAIRS)}
        self.pair = pmui.RadioButtonGroup(options=names, value=view.pair, size="small", margin=(4, 0), sx=PLAIN)
        about = "correlation over cells, with 95 % intervals over prompts"
        self.card = paper(heading("Agreement", about), self.table, self.pair, self.panel.box)
        self.pair.param.watch(self._choose, "value")

    def _choose(self, event: Any) -> None:
        if not self._setting and event.new is not None:
            self._view.pair = event.new

    def show(self, theme: str, width: int | float) -> None:
        """Show what is known of the agreement."""
        view = self._view
        self._setting = True
        self.pair.value = view.pair
        self._setting = False
        self.table.object = words.agreed(view)
        made = view.agreements.get(PAIRS[view.pair])
        now = (id(made), theme, width)
        if now != self._drawn:
            self._drawn = now
            self.panel.show(None if made is None else drawn(made, theme, width), made, code=view.agreement_code)


class Looks:
    """Where the head of the locked cell looks, in `card`."""

    def __init__(self, view: Maps):
        self._view, self._drawn = view, None
        self.says, self.panel = line(), Panel()
        self.card = paper(heading("Where the head looks", "a row is the token that looks"), self.says, self.panel.box)

    def show(self, theme: str, width: int | float) -> None:
        """Draw the attention as the view has it."""
        said, scores = words.looks(self._view), self._view.attention.scores
        self.says.param.update(object=said, visible=bool(said))
        now = (id(scores), theme, width)
        if now != self._drawn:
            self._drawn = now
            made = None if scores is None else headed(drawn(scores, theme, width), self._view.attention.index, theme)
            self.panel.show(made, scores, self._view.rows)
