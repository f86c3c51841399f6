"""The page of the residual stream: choose a prompt, press Show; every panel shares its layers and tokens. What is looked at
together stands together, and the rest is a click away.

Text that comes from prompts is shown as it stands: panes of HTML get it escaped, widgets and figures treat it as text.
"""

from typing import ClassVar

import panel as pn
import panel_material_ui as pmui

from workbench.pages import residual_words as words
from workbench.pages.keys import Keys
from workbench.pages.residual_cards import PLAIN, HeadLooks, cards
from workbench.pages.shell import WIDE, Shell, line, opened
from workbench.pages.shown import SIDE_BY_SIDE, paper
from workbench.pages.sidebar import ModelAndTask
from workbench.pages.words import baseline
from workbench.views import residual_address
from workbench.views.residual import PARTS, Residual

# Panels that stand side by side where there is room.
HALVES = ("norms", "cosines", "layers", "components")
TITLES = {"stream": "Stream and lens", "answer": "What writes the answer", "paths": "Paths"}
# Pixels that what is said of the chosen cell takes: else the cell would move away when it is clicked.
SAID = 84


def page(view: Residual | None = None) -> pmui.Page:
    """The page, set to what the URL of the session says."""
    return opened(lambda: ResidualPage(view or Residual()))


class ResidualPage(Shell):
    """Layout of a Residual view."""

    worded, addressed = words, residual_address
    help: ClassVar = (
        ("This page", "what the residual stream holds, layer by layer: choose a model and a task, press Show"),
        ("The panels", "share one axis of tokens and one of layers: a click in one marks the place in all"),
        ("Keys", "arrows move the marked place, Esc lets it go"),
    )  # fmt: skip

    def __init__(self, view: Residual):
        super().__init__(view, "Show", 110)
        self.sidebar, self.cards, self.head = ModelAndTask(view), cards(view), HeadLooks(view)
        self.keys = Keys(view.move, view.release)
        self._setting = False
        self.page = self._layout()
        self._watch()
        self._tell_status()
        self._tell_baseline()
        self._draw()

    def _layout(self) -> pmui.Page:
        self.prompt = pmui.Select(label="Prompt", options=["prompt 1"], value="prompt 1", size="small", margin=0, **WIDE)
        self.of = pmui.RadioButtonGroup(options=["clean", "corrupt", "difference"], value="clean", size="small", margin=0)
        self.baseline, self.cell = line(), line()
        chooser = pmui.Row(self.prompt, self.of, margin=(6, 0), align="center", sx={"gap": "8px"}, **WIDE)
        self.hint = paper(pn.pane.HTML(words.HINT, margin=0, **WIDE))
        self.cell.min_height = SAID
        sidebar = pmui.Column(*self.sidebar.objects, margin=(14, 14), **WIDE)
        card = {name: one.card for name, one in self.cards.items()}
        self.rows = [self._row(card["norms"], card["cosines"]), self._row(card["layers"], card["components"])]
        parts = {"stream": (self.rows[0], card["lens"]), "answer": (self.rows[1], self.head.card), "paths": (card["paths"],)}
        self.parts = {name: pmui.Column(*objects, margin=0, **WIDE) for name, objects in parts.items()}
        self.part = pmui.RadioButtonGroup(
            options={title: name for name, title in TITLES.items()}, value=self.view.part, size="small", margin=(0, 0, 8, 0),
            sx=PLAIN,
        )  # fmt: skip
        self.panels = pmui.Column(self.cell, self.part, *self.parts.values(), margin=0, **WIDE)
        return self._framed(
            "Circuit workbench: residual stream", sidebar, self.ruler, self.keys, self._buttons(), self.expects,
            self.baseline, chooser,
            self.hint, self.panels,
        )  # fmt: skip

    def _row(self, *objects: pmui.Paper) -> pmui.FlexBox:
        return pmui.FlexBox(*objects, gap="12px", flex_wrap="nowrap", align_items="stretch", margin=0, **WIDE)

    def _watch(self) -> None:
        view = self.view
        self.run.on_click(lambda event: view.show())
        self._watch_status("results", "reasons")
        self.prompt.param.watch(lambda event: self._choose(prompt=self.prompt.options.index(event.new)), "value")
        self.of.param.watch(lambda event: self._choose(of=event.new), "value")
        shown = ["results", "reasons", "status", "part", "norm", "cosine", "lens", "shares"]
        view.param.watch(lambda *_: self._draw(), shown)
        self.part.param.watch(lambda event: self._choose(part=event.new), "value")
        view.param.watch(lambda *_: self._frame(), ["layer", "pos"])
        view.param.watch(lambda *_: self._draw_head(), "head")
        view.attention.param.watch(lambda *_: self._draw_head(), ["scores", "status"])
        view.param.watch(lambda *_: self._tell_baseline(), "baseline")
        view.param.watch(lambda *_: self._set_chooser(), ["prompt", "prompts", "of", "options"])
        self._watch_expected()
        self._keep_address("prompt", "of", "part", "points", "norm", "cosine", "lens", "shares", "layer", "pos", "head")
        self._watch_looks()

    @property
    def _halved(self) -> bool:
        return self.across >= SIDE_BY_SIDE

    def _draw(self) -> None:
        """Draw the panels that are looked at as the view has them."""
        view = self.view
        anything = bool(view.results or view.reasons or view.live)
        self.hint.visible, self.panels.visible = not anything, anything
        self.part.value = view.part
        for name, part in self.parts.items():
            part.visible = name == view.part
        for row in self.rows:
            row.flex_direction = "row" if self._halved else "column"
        for name in PARTS[view.part]:
            self.cards[name].show(self.theme, self._width(self._halved and name in HALVES))
        self.cards["components"].tell(words.shares(view))
        self._draw_head()
        self._set_chooser()
        self._frame()

    def _draw_head(self) -> None:
        self.head.show(self.theme, self._width(False))

    def _frame(self) -> None:
        """Frame the cell that is chosen, and say what is known of it."""
        self.cell.object = words.chosen(self.view)
        self.keys.active = self.view.layer is not None or self.view.head is not None
        for card in self.cards.values():
            card.frame()

    def _set_chooser(self) -> None:
        view = self.view
        labels = view.labels
        self._setting = True
        self.prompt.param.update(options=labels, value=labels[min(view.prompt, len(labels) - 1)])
        self.of.value = view.of
        self._setting = False

    def _choose(self, **chosen: str | int | None) -> None:
        if not self._setting and all(value is not None for value in chosen.values()):
            self.view.param.update(**chosen)

    def _tell_baseline(self) -> None:
        found = self.view.baseline
        self.baseline.param.update(visible=found is not None, object="" if found is None else baseline(found))
