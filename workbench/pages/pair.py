"""The card of a pair of heads: two fields to name it, and its components as the weights and the task have them."""

from collections.abc import Mapping
from typing import Any

import panel_material_ui as pmui

from workbench.pages import channel_words as words
from workbench.pages import palettes
from workbench.pages.menu import Panel
from workbench.pages.shell import line
from workbench.pages.shown import drawn, frames, heading, paper
from workbench.result import Scores
from workbench.views.channels import Channels
from workbench.views.pair import strongest

FIELD: dict[str, Any] = {"width": 120, "size": "small", "margin": 0, "max_length": 40}


class Bars:
    """The fields and the bars of a Channels view, in `card`; a clicked bar chooses its component."""

    def __init__(self, view: Channels):
        self._view, self._shown = view, None
        self.writer = pmui.TextInput(label="Writer", placeholder="7.9", **FIELD)
        self.reader = pmui.TextInput(label="Reader", placeholder="9.1", **FIELD)
        self.button = pmui.Button(label="Show", variant="outlined", size="small", width=80, margin=0)
        self.says, self.why = line(), line()
        self.scores, self.effects = Panel(self._clicked), Panel(self._clicked)
        self.bars = framed(self.scores.box, pmui.Column(self.why, self.effects.box, sizing_mode="stretch_width", margin=0))
        fields = pmui.Row(
            self.writer, self.reader, self.button, self.says, margin=(6, 0), align="center", sx={"gap": "8px"},
            sizing_mode="stretch_width",
        )  # fmt: skip
        about = "the later head reads what the earlier writes"
        self.card = paper(heading("A pair of heads", about), fields, self.bars)
        for pressed in (self.writer.param, self.reader.param):
            pressed.watch(lambda event: self._named(), "enter_pressed")
        self.button.on_click(lambda event: self._named())

    def show(self, theme: str, width: int | float, halved: bool) -> None:
        """Show the components of the view's pair as far as they are known."""
        pair = self._view.pair
        known = pair.known
        self.says.object, self.why.object = words.pair(self._view, theme), words.effects(pair)
        self.why.visible = bool(self.why.object)
        self.bars.flex_direction = "row" if halved else "column"
        shown = (pair.writer, pair.reader, pair.component, id(known.scores), id(known.effects), theme, width, palettes.chosen())
        if shown == self._shown:
            return
        self._shown = shown
        for field, named in ((self.writer, pair.writer), (self.reader, pair.reader)):
            if named is not None:
                name = f"{named[0]}.{named[1]}"
                field.param.update(value=name, value_input=name)
        self.bars.visible = known.scores is not None or known.effects is not None
        for chart, scores in ((self.scores, known.scores), (self.effects, known.effects)):
            if scores is None:
                chart.show(None, None)
            else:
                self._bars(chart, scores, theme, width)

    def _bars(self, chart: Panel, scores: Scores, theme: str, width: int | float) -> None:
        chosen = self._view.pair.component
        some = strongest(scores, chosen)
        made = drawn(some, theme, width)
        places = [int(some.values.component[at]) for at in made.layout.meta["order"]]
        # A short bar is clicked anywhere in its row.
        made.update_layout(meta={**made.layout.meta, "components": places}, hovermode="y")
        framed = frames(made.data, places.index(chosen), None) if chosen in places else []
        chart.show(made, scores, code=self._view.pair.code(scores), frames=framed)

    def _clicked(self, figure: Any, point: Mapping[str, Any]) -> None:
        places = figure.layout.meta["components"]
        at = point.get("y")
        if isinstance(at, (int, float)) and 0 <= at < len(places):
            self._view.choose_component(places[int(at)])

    def _named(self) -> None:
        # On Enter the browser sets `value` only after it has told of the key.
        self._view.choose_named(self.writer.value_input or "", self.reader.value_input or "")


def framed(*objects: Any) -> pmui.FlexBox:
    """What stands side by side, or one above the other where the window is narrow."""
    return pmui.FlexBox(
        *objects, gap="12px", flex_wrap="nowrap", align_items="flex-start", sizing_mode="stretch_width", margin=0
    )
