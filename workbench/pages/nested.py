"""The part of the dynamics page on three nested logits: a slider for each setting, and their path, drawn as one is dragged."""

from typing import Any

import panel_material_ui as pmui

from workbench.pages import dynamics_words as words
from workbench.pages.beside import Beside
from workbench.pages.menu import Panel
from workbench.pages.pair import framed
from workbench.pages.shell import line
from workbench.pages.shown import drawn, heading, paper, quiet
from workbench.pages.soon import Soon
from workbench.plots.curve import named
from workbench.views.descent import SETTINGS, Nested

SLIDERS = {
    "items": ("Items in the context (N)", 1), "labels": ("Labels (L)", 1), "rate": ("Learning rate", 0.01),
    "steps": ("Steps", 100), "beta1": ("β1 at first", 0.01), "alpha": ("α at first", 0.01), "xi": ("ξ at first", 0.01),
}  # fmt: skip
START = {name: Nested.param[name].default for name in SETTINGS}
# Two ways to begin; the others are a drag away.
EXAMPLES = {
    "More labels than items: a plateau, then a drop": START,
    "As many labels as items: a saddle": {**START, "labels": START["items"], "steps": 8000},
}


class Descent:
    """The sliders and the figures of a Nested, in `cards`."""

    title = "Why all at once"

    def __init__(self, view: Nested):
        self._view, self._setting = view, False
        self._theme, self._width = "", 1000.0
        self._soon = Soon(lambda **state: view.param.update(**state))
        self.sliders = {name: self._slider(name, *shown) for name, shown in SLIDERS.items()}
        self.says, self.loss, self.shares = line(), Panel(), Panel()
        self.drawn = framed(self.loss.box, self.shares.box)
        self.halves = Beside([*map(self._example, EXAMPLES), *self.sliders.values()], [self.says, self.drawn])
        self.cards = [paper(heading("Why all at once?", "three nested logits"), quiet(words.NESTED), self.halves.box)]

    def _slider(self, name: str, label: str, step: int | float) -> Any:
        low, high = self._view.param[name].bounds
        kind = pmui.IntSlider if isinstance(step, int) else pmui.FloatSlider
        made = kind(
            label=label, start=low, end=high, step=step, value=getattr(self._view, name), size="small", tooltips=False,
            margin=(0, 12, 0, 12), sizing_mode="stretch_width",
        )  # fmt: skip
        made.param.watch(lambda event: self._set(**{name: event.new}), "value")
        return made

    def _example(self, label: str) -> Any:
        made = pmui.Button(label=label, variant="outlined", size="small", sizing_mode="stretch_width", margin=(2, 0, 6, 0))
        made.on_click(lambda event: self._view.param.update(**EXAMPLES[label]))
        return made

    def _set(self, **state: Any) -> None:
        if not self._setting and all(value is not None for value in state.values()):
            self._soon.set(**state)

    def show(self, theme: str, width: int | float, halved: bool) -> None:
        """Draw everything for a page of this theme and width."""
        self._theme, self._width = theme, self.halves.fit(width, halved)
        self.move()

    def move(self) -> None:
        """Show the path of what is set."""
        view = self._view
        self._setting = True
        for name, slider in self.sliders.items():
            slider.value = getattr(view, name)
        self._setting = False
        self.says.object = f'<div style="font-size:14px;min-height:42px">{words.nested(view)}</div>'
        if view.path is None or not self._theme:
            self.loss.show(None, None)
            self.shares.show(None, None)
            return
        pair = self._width >= 880
        self.drawn.flex_direction = "row" if pair else "column"
        width = (self._width - 12) / 2 if pair else self._width
        half = view.drop.half
        for chart, curve, of in ((self.loss, view.loss(), "loss"), (self.shares, view.shares(), "shares")):
            made = drawn(curve, self._theme, width)
            if half:
                named(made, half, f"P one half, step {half:,}", self._theme)
            chart.show(made, curve, code=view.code(of))
