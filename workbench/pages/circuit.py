"""The card of a Circuit: a slider of its size beside the network, its faithfulness over sizes, and what was measured."""

from typing import Any

import panel as pn
import panel_material_ui as pmui

from workbench.pages import words
from workbench.pages.menu import Panel
from workbench.pages.shown import finished, paper
from workbench.views.circuit_size import CircuitSize
from workbench.views.circuits import Circuits
from workbench.views.code import code_of


class Size:
    """The slider and its words in `chooser`, to stand above the network; the curve and the summary in `card`."""

    def __init__(self, view: Circuits):
        self._view = view
        self._of: CircuitSize | None = None
        self._setting = False
        self.slider = pmui.DiscreteSlider(
            label="Edges asked for", options=[0], value=0, size="small", tooltips=False, margin=(0, 12),
            sizing_mode="stretch_width",
        )  # fmt: skip
        self.says = pn.pane.HTML("", margin=(2, 0), sizing_mode="stretch_width")
        self.chooser = pmui.Column(self.slider, self.says, sizing_mode="stretch_width", margin=0)
        self.curve = Panel()
        self.summary = pn.pane.HTML("", margin=0, sizing_mode="stretch_width")
        self.card = paper(self.curve.box, self.summary)
        self.slider.param.watch(self._moved, "value")

    def show(self, theme: str, width: int | float) -> None:
        """Show the sizes of the view's Circuit and where it is looked at, or nothing."""
        sizes = self._view.sizes
        self.chooser.visible = sizes is not None
        self.card.visible = sizes is not None and bool(sizes.curve is not None or sizes.summary)
        if sizes is None:
            return
        asked = sizes.chosen if self._view.size is None else self._view.size
        self._setting = True
        if sizes is not self._of:
            self._of = sizes
            self.slider.param.update(options={f"{size:,}": size for size in sizes.sizes}, value=asked)
            self.summary.object = words.summary(sizes)
        self.slider.value = asked
        self._setting = False
        self.says.object = words.size(sizes, asked)
        curve = sizes.curve
        made = None if curve is None else finished(curve, theme, width, log=True, mark=asked)
        self.curve.show(made, curve, code=code_of(sizes.circuit, self._view.rows, "result = result.curve()\n"))

    def _moved(self, event: Any) -> None:
        if not self._setting and event.new is not None:
            self._view.resize(event.new)
