"""The circuits page: choose a model, a task and a method, press Run, watch the map fill in, click a cell.

Text that comes from prompts is shown as it stands: panes of HTML get it escaped, widgets and figures treat it as text.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import panel as pn
import panel_material_ui as pmui

from workbench.pages import words
from workbench.pages.circuit_cards import CircuitCards
from workbench.pages.menu import Panel
from workbench.pages.ruler import Ruler
from workbench.pages.shell import WIDE, Shell, line, opened
from workbench.pages.shown import SIDE_BY_SIDE, TopCells, finished, frames_of, paper
from workbench.pages.sidebar import Sidebar
from workbench.pages.stored import Stored
from workbench.result import Circuit, Scores
from workbench.views import address
from workbench.views.circuits import Circuits

# With more heads in a layer a network needs the whole width.
MOST_HEADS = 12


def page(view: Circuits | None = None) -> pmui.Page:
    """The page, set to what the URL of the session says."""
    return opened(lambda: CircuitsPage(view or Circuits()))


class CircuitsPage(Shell):
    """Layout of a Circuits view."""

    worded, addressed = words, address
    help: ClassVar = (
        ("This page", "find what carries an answer: choose a model and a task at the left, press Run for a map of its heads, "
         "or Find circuit for the edges"),
        ("The map", "click a cell to see where its head looks"),
        ("The network", "click a node or an edge, choose what replaces it, and see what the answer becomes"),
        ("Keys in the network", "arrows go from node to node, E through the edges of a node, Enter chooses, Esc lets go, + and "
         "− zoom, 0 shows all"),
    )  # fmt: skip

    def __init__(self, view: Circuits):
        super().__init__(view, "Run", 110)
        self.sidebar, self.stored, self.top = Sidebar(view), Stored(view), TopCells(view)
        self.map, self.attention = Panel(self._clicked), Panel()
        # Made for the first Circuit: a page that shows none is there the sooner.
        self.cards: CircuitCards | None = None
        self.find = pmui.Button(label="Find circuit", variant="outlined", width=140, margin=(0, 0, 0, 8))
        self.baseline = line()
        self.page = self._layout()
        self._watch()
        self._tell_status()
        self._tell_baseline()
        self._draw()

    def _layout(self) -> pmui.Page:
        self.hint = pn.pane.HTML(margin=0, sizing_mode="stretch_width")
        self.map_card = paper(self.hint, self.map.box)
        self.chooser = self._chooser()
        self.looks = line()
        self.attention_card = paper(self.chooser, self.looks, self.attention.box)
        self.anchor = Ruler(sizing_mode="stretch_width", height=1, margin=0)
        self.beside = pmui.Column(
            self.anchor,
            self.attention_card,
            self.top.card,
            margin=0,
            **WIDE,
        )
        self.figures = pmui.FlexBox(
            self.map_card, self.beside, gap="12px", flex_wrap="nowrap", align_items="flex-start",
            sizing_mode="stretch_width", margin=0,
        )  # fmt: skip
        buttons = self._buttons()
        buttons.insert(1, self.find)
        return self._framed(
            "Circuit workbench", self.sidebar.column,
            self.ruler, buttons, self.expects, self.baseline, self.figures, self.stored.card,
        )  # fmt: skip

    def _chooser(self) -> pmui.Row:
        looked = self.view.attention
        self.head = pmui.Select(label="Head", options=[0], value=0, width=92, size="small", margin=0)
        self.prompt = pmui.Select(label="Prompt", options=["prompt 1"], value="prompt 1", size="small", margin=0, **WIDE)
        self.of = pmui.RadioButtonGroup(options=["clean", "corrupt"], value=looked.of, size="small", margin=0)
        self.head.param.watch(lambda event: self._attend(head=event.new), "value")
        self.prompt.param.watch(lambda event: self._attend(prompt=self.prompt.options.index(event.new)), "value")
        self.of.param.watch(lambda event: self._attend(of=event.new), "value")
        return pmui.Row(self.head, self.prompt, self.of, margin=(6, 0), align="center", sx={"gap": "8px"}, **WIDE)

    def _watch(self) -> None:
        view = self.view
        self.run.on_click(lambda event: view.run())
        self.find.on_click(lambda event: view.find())
        view.param.watch(lambda event: self.find.param.update(disabled=event.new in ("queued", "running")), "status")
        self._watch_status("result")
        self._watch_expected()
        view.param.watch(lambda *_: self._tell_baseline(), "baseline")
        view.param.watch(lambda *_: self._draw(), ["result", "whole", "task", "method"])
        view.param.watch(lambda *_: self._draw_map(), "size")
        view.compared.param.watch(lambda *_: self._draw_map(), "other")
        view.compared.param.watch(lambda *_: self._address(), "against")
        view.attention.param.watch(lambda *_: self._draw(), ["scores", "status", "layer"])
        view.attention.param.watch(lambda *_: self._set_chooser(), ["head", "heads", "prompt", "prompts", "of"])
        self._keep_address("method", "params", "whole", "size", "picked")
        view.ablation.param.watch(lambda *_: self._address(), ["place", "replaced"])
        view.attention.param.watch(lambda *_: self._address(), ["layer", "head", "prompt", "of"])
        self._watch_looks()

    def _clicked(self, figure: Any, point: Mapping[str, Any]) -> None:
        self.view.click(figure, point)
        if not self._halved and self.view.attention.layer is not None:
            self.anchor.calls += 1

    @property
    def _halved(self) -> bool:
        """Whether the map and the attention stand side by side."""
        result = self.view.result
        if isinstance(result, Circuit):
            wide = int(result.parts["graph"].values[1]) > MOST_HEADS
            return not wide and self.across >= SIDE_BY_SIDE
        narrow = result is None or (isinstance(result, Scores) and "site" not in result.values.dims)
        return narrow and self.across >= SIDE_BY_SIDE

    def _draw(self) -> None:
        """Draw the map, the attention and the table as the view has them."""
        view, result, looked = self.view, self.view.result, self.view.attention
        halved = self._halved
        self.figures.flex_direction = "row" if halved else "column"
        self.hint.visible = result is None
        self.beside.visible = result is not None
        if result is None:
            self.hint.object = words.hint(view)
        self._draw_map()
        attention = None
        if looked.scores is not None:
            attention = finished(looked.scores, self.theme, self._width(halved), looked.index)
        self.attention.show(attention, looked.scores, view.rows)
        self.chooser.visible = looked.layer is not None
        self.looks.object = words.looks(view)
        self.looks.visible = bool(self.looks.object)
        self.top.show(result if view.whole else None, self.theme)

    def _draw_map(self) -> None:
        """Draw the map, or the network and what stands beside it."""
        shown, width = self.view.shown, self._width(self._halved)
        if self.cards is None and isinstance(shown, Circuit):
            self.cards = CircuitCards(self.view)
            self.map_card[:] = [self.hint, self.cards.size.chooser, self.map.box, self.cards.drawn]
            self.beside[:] = [*self.cards.beside, *self.beside]
        if self.cards is not None:
            self.cards.show(self.theme, width)
        made = None if shown is None or isinstance(shown, Circuit) else finished(shown, self.theme, width)
        self.map.show(made, shown, self.view.rows, frames=[] if made is None else self._frames(made.figure))

    def _frames(self, figure: Any) -> list[dict[str, Any]]:
        framed = self.view.framed
        return [] if framed is None else frames_of(figure, framed)

    def _set_chooser(self) -> None:
        looked = self.view.attention
        heads, prompts = list(range(max(looked.heads, looked.head + 1))), looked.prompts or ["prompt 1"]
        self._setting = True
        self.head.param.update(options=heads, value=looked.head)
        self.prompt.param.update(options=prompts, value=prompts[min(looked.prompt, len(prompts) - 1)])
        self.of.value = looked.of
        self._setting = False

    def _attend(self, **chosen: Any) -> None:
        if not self._setting and all(value is not None for value in chosen.values()):
            self.view.attend(**chosen)
            self._draw()

    def _tell_baseline(self) -> None:
        found = self.view.baseline
        self.baseline.visible = found is not None
        if found is not None:
            self.baseline.object = words.baseline(found)
