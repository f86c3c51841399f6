"""The part of the dynamics page on language models: how an induction circuit forms, and where its two heads look at a step."""

from typing import Any

import panel_material_ui as pmui

from workbench.pages import dynamics_words as words
from workbench.pages.menu import Panel
from workbench.pages.pair import framed
from workbench.pages.scale import GROUND
from workbench.pages.shell import line
from workbench.pages.shown import drawn, heading, paper, quiet
from workbench.pages.stepped import Stepped
from workbench.plots.hues import headed, heads_in
from workbench.views.forming import Forming

# Pixels: the height of a heatmap, and the least width of a figure.
SMALL, NARROW = 400, 320
MODELS = {"attention": "attention only", "full": "with MLPs"}


class Formation(Stepped):
    """The model, the slider of its checkpoints, the measures and the attention of a Forming, in `cards`."""

    title = "A language model"

    def __init__(self, view: Forming):
        self._view, self._setting = view, False
        self._theme, self._half, self._beside = "light", 500.0, False
        self._curves: list[Any] = []
        options = {MODELS.get(name, name): name for name in view.models}
        self.model = pmui.RadioButtonGroup(
            options=options, value=view.model, size="small", margin=0, sx={"& button": {"whiteSpace": "nowrap"}}
        )
        self.slider = pmui.DiscreteSlider(
            label="Step of training", options=self._options(), value=view.step, size="small", tooltips=False,
            margin=(0, 16, 4, 12), sizing_mode="stretch_width",
        )  # fmt: skip
        self.says, self.table, self.ref = line(), line(), line()
        self.shares, self.losses = Panel(self._clicked), Panel(self._clicked)
        self.looks = (Panel(), Panel())
        self.chooser = framed(self.slider, self.model)
        self.always = pmui.Column(self.chooser, self.says, sizing_mode="stretch_width", margin=0)
        left = pmui.Column(self.shares.box, self.table, sizing_mode="stretch_width", margin=0)
        self.heads = framed(*(chart.box for chart in self.looks))
        right = pmui.Column(self.heads, self.losses.box, self.ref, sizing_mode="stretch_width", margin=0)
        self.figures = framed(left, right)
        about = heading("An induction circuit forms"), quiet(words.LANGUAGE)
        self.cards = [paper(*about, self.always, self.figures)]
        self.slider.param.watch(self._moved, "value")
        self.model.param.watch(lambda event: event.new and view.choose(event.new), "value")
        view.param.watch(lambda *_: self._chosen(), "model")
        view.param.watch(lambda *_: self.move(), "step")

    def _options(self) -> dict[str, int]:
        return {f"{step:,}": step for step in self._view.steps}

    def _chosen(self) -> None:
        """Another model: other steps, other curves."""
        self._setting = True
        self.model.value = self._view.model
        self.slider.param.update(options=self._options(), value=self._view.step)
        self._setting = False
        if self._curves:
            self.draw()

    def show(self, theme: str, width: int | float, halved: bool) -> None:
        """Draw everything for a page of this theme and width."""
        self._theme, self._half = theme, (width - 12) / 2 if halved else width
        for box in (self.figures, self.chooser):
            box.flex_direction = "row" if halved else "column"
        self._beside = self._half >= 2 * NARROW
        self.heads.flex_direction = "row" if self._beside else "column"
        # What is dragged stays in sight.
        self.always.styles = {"position": "sticky", "top": "0", "z-index": "2", "background": GROUND[theme]}
        self.draw()

    def draw(self) -> None:
        """Draw the curves of the model, then what belongs to the step."""
        view = self._view
        # No distance ends the hover: a click anywhere goes to the step beside it.
        self._curves = [
            drawn(words.brief(curve), self._theme, self._half, mark=view.step).update_layout(hoverdistance=-1)
            for curve in (view.curve, view.losses)
        ]
        self.move()

    def move(self) -> None:
        """Show the step that is looked at; nothing is computed."""
        view = self._view
        self._setting = True
        self.slider.value = view.step
        self._setting = False
        self.says.object = f'<span style="font-size:14px">{words.forming(view, self._theme)}</span>'
        self.table.object = words.measures(view.told(view.step), f"step {view.step:,}", view.curve.notes)
        self.ref.object = words.reference(view)
        of = (self.shares, view.curve, "curve"), (self.losses, view.losses, "losses")
        for (chart, result, name), curve in zip(of, self._curves, strict=False):
            curve.update_shapes({"x0": view.step, "x1": view.step}, {"name": "mark"})
            chart.show(curve, result, code=view.code(name))
        if self._curves:
            for at, (chart, found) in enumerate(zip(self.looks, view.attention(view.step), strict=True)):
                made = drawn(found, self._theme, self._half / 2 if self._beside else self._half, limit=1)
                (_, index), *_ = heads_in(view.heads[at], view.per_layer, plain=True)
                headed(made, index, self._theme)
                code = view.code(f"attention {at}")
                # Shares of attention from none to all need no scale beside them; its room goes to the cells.
                chart.show(made.update_traces(showscale=False).update_layout(margin_r=8, height=SMALL), found, code=code)
