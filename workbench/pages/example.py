"""The part of the dynamics page that is there at once: a trained network's measures by step, and where it looks at one."""

from typing import Any

import panel_material_ui as pmui

from workbench.pages import dynamics_words as words
from workbench.pages.menu import Panel
from workbench.pages.pair import framed
from workbench.pages.scale import GROUND
from workbench.pages.shell import line
from workbench.pages.shown import drawn, frames, heading, paper, quiet
from workbench.pages.stepped import Stepped
from workbench.plots.theme import tone
from workbench.views.example import Example


class Course(Stepped):
    """The slider of steps, the measures and the attention of an Example, in `cards`."""

    title = "A network that learnt"

    def __init__(self, view: Example):
        self._view, self._setting = view, False
        self._theme, self._width, self._halved = "light", 1000.0, True
        self._half, self._course = 500.0, None
        self._made: dict[int, Any] = {}
        self.slider = pmui.DiscreteSlider(
            label="Step of training", options={f"{step:,}": step for step in view.steps}, value=view.step, size="small",
            tooltips=False, margin=(0, 16, 4, 12), sizing_mode="stretch_width",
        )  # fmt: skip
        self.of = pmui.RadioButtonGroup(
            options={"one sequence": "one", "mean over many": "mean"},
            value=view.of,
            size="small",
            margin=0,
            sx={"& button": {"whiteSpace": "nowrap"}},
        )
        self.says = line()
        self.course, self.looks, self.table = Panel(self._clicked), Panel(), line()
        self.chooser = framed(self.slider, self.of)
        self.always = pmui.Column(self.chooser, self.says, sizing_mode="stretch_width", margin=0)
        left = pmui.Column(self.course.box, self.table, sizing_mode="stretch_width", margin=0)
        self.figures = framed(left, self.looks.box)
        about = heading("A network learns to learn in context"), quiet(words.EXAMPLE)
        self.cards = [paper(*about, self.always, self.figures)]
        self.slider.param.watch(self._moved, "value")
        self.of.param.watch(lambda event: event.new and view.param.update(of=event.new), "value")
        view.param.watch(lambda *_: self.show(self._theme, self._width, self._halved), "of")
        view.param.watch(lambda *_: self.move(), "step")

    def show(self, theme: str, width: int | float, halved: bool) -> None:
        """Draw everything for a page of this theme and width."""
        view, half = self._view, (width - 12) / 2 if halved else width
        self._theme, self._width, self._halved = theme, width, halved
        for box in (self.figures, self.chooser):
            box.flex_direction = "row" if halved else "column"
        # What is dragged stays in sight.
        self.always.styles = {"position": "sticky", "top": "0", "z-index": "2", "background": GROUND[theme]}
        self._course = drawn(words.brief(view.course), theme, half, mark=view.step).update_layout(hoverdistance=-1)
        self._half, self._made = half, {}
        self.of.value = view.of
        self.move()

    def _looked(self, step: int, width: int | float) -> Any:
        """The attention after a step, with a line between the layers."""
        found = self._view.attention(step)
        last = len(found.values) - 1
        made = drawn(found, self._theme, width, limit=1)
        between = {"color": tone(self._theme).quiet, "width": 1.5}
        made.add_shape(type="line", x0=0, x1=1, xref="x domain", y0=last - 0.5, y1=last - 0.5, line=between)
        return made

    def move(self) -> None:
        """Show the step that is looked at; nothing is computed."""
        step = self._view.step
        self._setting = True
        self.slider.value = step
        self._setting = False
        self.says.object = f'<span style="font-size:14px">{words.example(self._view)}</span>'
        self.table.object = words.measures(self._view.told(step), f"step {step:,}", self._view.course.notes)
        if self._course is not None:
            if step not in self._made:
                self._made[step] = self._looked(step, self._half)
            self._course.update_shapes({"x0": step, "x1": step}, {"name": "mark"})
            self.course.show(self._course, self._view.course, code=self._view.code("course"))
            found, of = self._view.attention(step), self._view
            # What should be looked at is framed.
            target = frames(self._made[step].data, len(found.values) - 1, 2 * of.item - 1) if of.of == "one" else []
            self.looks.show(self._made[step], found, code=of.code("attention"), frames=target)
