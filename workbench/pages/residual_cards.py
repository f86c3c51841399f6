"""The cards of the residual stream: a heading, a choice of what is shown, a reason where there is nothing, a chart."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import panel_material_ui as pmui

from workbench.pages import residual_words as words
from workbench.pages.chart import Chart
from workbench.pages.menu import Menu, Panel, menued
from workbench.pages.shell import line
from workbench.pages.shown import drawn, heading, paper
from workbench.plots.hues import headed, squared
from workbench.result import Result
from workbench.views.residual import LENSES, Residual

GROUP = "residual"
# Pixels of a row in which a token can be read.
ROW = 14
TALL = 210
PLAIN = {"& .MuiToggleButton-root": {"whiteSpace": "nowrap", "textTransform": "none", "padding": "3px 10px"}}


class StreamCard:
    """One panel of a Residual view, in `card`.

    Args:
        view: The view.
        panel: The panel's name.
        title: Its heading.
        about: What stands beside it.
        chooses: The parameter of the view that says what is shown, or ''.
        options: How the figure is drawn, from the result.
        labels: What the choices are called, where not as they are.
    """

    def __init__(
        self,
        view: Residual,
        panel: str,
        title: str,
        about: str,
        chooses: str = "",
        options: Callable[[Result], Mapping[str, Any]] = lambda result: {},
        labels: Sequence[str] = (),
    ):
        self._view, self._panel, self._options, self._setting = view, panel, options, False
        self._chooses, self._drawn = chooses, None
        self.chart = Chart(lambda figure, point: view.click(panel, figure, point), group=GROUP)
        self.reason = line()
        self.choice = self._choice(labels) if chooses else None
        self.menu, self.above = Menu(), line()
        choice = [self.choice] * (self.choice is not None)
        self.card = paper(menued(self.menu, heading(title, about), *choice, self.above, self.reason, self.chart))
        self.tell("")

    def tell(self, said: str) -> None:
        """Say something above the chart, as HTML; '' for nothing."""
        self.above.param.update(object=said, visible=bool(said))

    def _choice(self, labels: Sequence[str]) -> pmui.RadioButtonGroup:
        values = self._view.param[self._chooses].objects
        options = dict(zip(labels or values, values, strict=True))
        made = pmui.RadioButtonGroup(
            options=options, value=getattr(self._view, self._chooses), size="small", margin=(4, 0), sx=PLAIN
        )
        made.param.watch(self._choose, "value")
        return made

    def _choose(self, event: Any) -> None:
        if not self._setting and event.new is not None:
            self._view.param.update(**{self._chooses: event.new})

    def show(self, theme: str, width: int | float) -> None:
        """Draw the panel as the view has it; what was there before is faded until its successor comes."""
        view = self._view
        if self.choice is not None:
            self._setting = True
            self.choice.value = getattr(view, self._chooses)
            self._setting = False
        said = words.reason(view, self._panel)
        self.reason.param.update(object=said, visible=bool(said))
        result = view.panel(self._panel)
        waits = view.waits(self._panel)
        self.chart.styles = {"opacity": "0.3" if result is None and waits else "1"}
        if result is None:
            if not waits:
                self._drawn = None
                self.chart.show(None)
                self.menu.show(None)
            return
        options = dict(self._options(result))
        now = (result.title, id(view.results[self._panel]), theme, width, str(options))
        if now != self._drawn:
            self._drawn = now
            # Of all panels only the bars of components name heads.
            self.chart.show(squared(drawn(result, theme, width, **options), view.heads, theme))
            self.menu.show(view.results[self._panel], view.rows)

    def frame(self) -> None:
        """Frame the cell that is chosen."""
        view = self._view
        cell = {} if view.layer is None else {"layer": view.layer, "pos": view.pos, "prompt": view.prompt}
        self.chart.cell = {name: value for name, value in cell.items() if value is not None}


def cards(view: Residual) -> dict[str, StreamCard]:
    """The cards of all panels, by name."""

    def lens(result: Result) -> dict[str, Any]:
        tall = max(TALL, ROW * result.values.sizes["layer"])
        return {"by": LENSES[view.lens], "tall": tall}

    return {
        "norms": StreamCard(
            view, "norms", "Lengths", "of the stream, and of what is added to it", "norm", lambda _: {"tall": TALL, "log": True}
        ),
        "cosines": StreamCard(
            view, "cosines", "Directions", "cosine of the stream with …, or of what is added with the stream", "cosine",
            lambda _: {"tall": TALL},
        ),
        "lens": StreamCard(view, "lens", "Logit lens", "what the model would say if it ended at this layer", "lens", lens),
        "layers": StreamCard(
            view, "layers", "What writes the answer, by layer", "direct logit attribution", "shares",
            lambda _: {"along": True, "tall": 340}, ("this prompt", "mean over prompts"),
        ),
        "components": StreamCard(
            view, "components", "What writes the answer, the largest", "click a head to see where it looks", "",
            lambda _: {"top": 24},
        ),
        "paths": StreamCard(
            view, "paths", "Paths through the layers", "in the plane of the first two principal components", "points",
            labels=("tokens of this prompt", "ends of all prompts"),
        ),
    }  # fmt: skip


class HeadLooks:
    """Where the head of a clicked bar looks, in `card`."""

    def __init__(self, view: Residual):
        self._view, self._drawn = view, None
        self.says, self.panel = line(), Panel()
        self.card = paper(heading("Where a head looks", "a row is the token that looks"), self.says, self.panel.box)

    def show(self, theme: str, width: int | float) -> None:
        """Draw the attention as the view has it."""
        self.says.object = words.head(self._view, theme)
        scores = self._view.attention.scores if self._view.head is not None else None
        now = (id(scores), theme, width)
        if now != self._drawn:
            self._drawn = now
            made = None if scores is None else headed(drawn(scores, theme, width), self._view.attention.index, theme)
            self.panel.show(made, scores, self._view.rows)
