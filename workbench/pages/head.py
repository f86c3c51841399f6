"""The cards of the open head: what it is by the table, where it looks and what it writes on a prompt."""

from typing import Any

import panel as pn
import panel_material_ui as pmui

from workbench.pages import heads_words as words
from workbench.pages.chart import Chart
from workbench.pages.pair import framed
from workbench.pages.shell import line
from workbench.pages.shown import drawn, heading, paper
from workbench.views.heads import Heads

WIDE: dict[str, Any] = {"sizing_mode": "stretch_width"}


class HeadCards:
    """What is known of the open head in `summary`, to stand beside the map; its panels on a prompt in `card`."""

    def __init__(self, view: Heads):
        self._view, self._setting = view, False
        self.says, self.looks = line(), line()
        self.measures = pn.pane.HTML("", margin=(6, 0), sizing_mode="stretch_width")
        self.close = pmui.Button(label="Close (Esc)", variant="text", size="small", width=110, margin=0)
        self.summary = paper(pmui.Row(self.says, self.close, margin=0, align="start", **WIDE), self.measures)
        self.prompt = pmui.Select(label="Prompt", options=["prompt 1"], value="prompt 1", size="small", margin=0, **WIDE)
        self.of = pmui.RadioButtonGroup(options=["clean", "corrupt"], value="clean", size="small", margin=0)
        self.attention, self.writes = Chart(), Chart()
        self.panels = framed(self.attention, self.writes)
        chooser = pmui.Row(self.prompt, self.of, margin=(6, 0), align="center", sx={"gap": "8px"}, **WIDE)
        about = "all, as it looks: what it adds to the logits. Below: what each token would give if it looked at that alone"
        self.card = paper(heading("Where it looks, and what it writes at END", about), chooser, self.looks, self.panels)
        self.close.on_click(lambda event: view.close())
        self.prompt.param.watch(lambda event: self._look(prompt=self.prompt.options.index(event.new)), "value")
        self.of.param.watch(lambda event: self._look(of=event.new), "value")

    def tell(self, theme: str) -> None:
        """Show what the table says of the open head."""
        self.close.visible = self._view.head.head is not None
        self.says.object = words.opened(self._view)
        self.measures.object = words.measures(self._view, theme)

    def show(self, theme: str, width: int | float, halved: bool) -> None:
        """Show the panels of the open head as far as they are read."""
        head = self._view.head
        self.card.visible = head.head is not None
        self._set_chooser()
        self.looks.object = words.looks(self._view)
        self.looks.visible = bool(self.looks.object)
        self.panels.flex_direction = "row" if halved else "column"
        for chart, result in ((self.attention, head.attention.scores), (self.writes, head.writes.readout)):
            chart.show(None if result is None else drawn(result, theme, width))

    def _set_chooser(self) -> None:
        looked = self._view.head.attention
        prompts = looked.prompts or ["prompt 1"]
        self._setting = True
        self.prompt.param.update(options=prompts, value=prompts[min(looked.prompt, len(prompts) - 1)])
        self.of.value = looked.of
        self._setting = False

    def _look(self, **chosen: Any) -> None:
        if not self._setting and all(value is not None for value in chosen.values()):
            self._view.head.look(**chosen)
