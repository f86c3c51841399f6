"""The page of attention: all heads of a model on one prompt as thumbnails, one of them large.

Text that comes from prompts is shown as it stands: panes of HTML get it escaped, widgets and canvases treat it as text.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import panel as pn
import panel_material_ui as pmui

from workbench.pages import attention_words as words
from workbench.pages import palettes
from workbench.pages.menu import Menu, menued
from workbench.pages.shell import WIDE, Shell, line, opened
from workbench.pages.shown import heading, paper
from workbench.pages.sidebar import ModelAndTask
from workbench.pages.table import Table
from workbench.pages.widget import panel_class
from workbench.views.looks import Looks
from workbench.views.looks_address import restore, written
from workbench.widgets.attention_grid import ATTENTION_GRID, SEQUENTIAL, exact_state, thumbnails_state

SOURCES = {"Task": "task", "Text": "text"}
# What the grid and the view share as it is.
SHARED = ("pinned", "sort", "own", "least", "window")


def page(view: Looks | None = None) -> pmui.Page:
    """The page, set to what the URL of the session says."""
    return opened(lambda: AttentionPage(view or Looks()))


class AttentionPage(Shell):
    """Layout of a Looks view."""

    help: ClassVar = (
        ("This page", "where every head looks, on one prompt: choose a model, a task or a text of your own, press Show"),
        ("The grid", "hover previews a head, a click locks it; click two tokens of the prompt to pin them"),
        ("Keys on the heads", "arrows move, Enter locks, Esc unlocks"),
        ("Keys on the large head", "arrows move, Enter pins both tokens, + and − zoom, Shift and arrows shift, Esc unpins"),
        ("Keys on the tokens", "← → move, Enter pins the token that looks, Shift and Enter the one looked at"),
    )  # fmt: skip

    def __init__(self, view: Looks):
        super().__init__(view, "Show", 120)
        self.sidebar = ModelAndTask(view)
        self.grid = panel_class(ATTENTION_GRID)(sizing_mode="stretch_width", margin=0)
        self.table = Table(self._row_clicked)
        self._setting = False
        self.page = self._layout()
        self._watch()
        self._tell_status()
        self._set_chooser()
        self._draw()

    def _layout(self) -> pmui.Page:
        small: dict[str, Any] = {"size": "small", "margin": 0}
        view = self.view
        self.source = pmui.RadioButtonGroup(options=SOURCES, value=view.source, **small)
        self.text = pmui.TextAreaInput(
            label="Your text", value=view.text, rows=3, max_rows=8, max_length=200_000, resizable="height", size="small",
            margin=(6, 0), **WIDE,
        )  # fmt: skip
        self.prompt = pmui.Select(label="Prompt", options=["prompt 1"], value="prompt 1", **small, **WIDE)
        self.of = pmui.RadioButtonGroup(options=["clean", "corrupt"], value="clean", **small)
        self.weighted = pmui.Switch(
            label="Weighted by values", value=view.weighted, size="small", margin=(0, 4),
            description="Attention times the length of what is written from the token that is looked at.",
        )  # fmt: skip
        self.chooser = pmui.Row(self.prompt, self.of, margin=(6, 0), align="center", sx={"gap": "8px"}, **WIDE)
        asked = pmui.Row(self.source, self.weighted, margin=0, align="center", sx={"gap": "12px"}, **WIDE)
        self.hint_card, self.about, self.link = paper(pn.pane.HTML(words.HINT, margin=0, **WIDE)), line(), line()
        self.whole, self.menu = Menu(), Menu()
        self.grid_card = paper(menued(self.whole, pmui.Column(self.about, margin=(0, 70, 0, 0), **WIDE), self.grid))
        about = "where it looks most; click a row to pin its two tokens"
        self.head_card = paper(menued(self.menu, self.link, heading("Largest numbers", about), self.table))
        sidebar = pmui.Column(*self.sidebar.objects, margin=(14, 14), **WIDE)
        return self._framed(
            "Circuit workbench: attention", sidebar, self.ruler, self._buttons(), paper(asked, self.chooser, self.text),
            self.hint_card, self.grid_card, self.head_card,
        )  # fmt: skip

    def _watch(self) -> None:
        view = self.view
        self.run.on_click(lambda event: self._show())
        self._watch_status("grid")
        self.source.param.watch(lambda event: self._set(source=event.new), "value")
        self.text.param.watch(lambda event: self._set(text=event.new or ""), "value")
        self.prompt.param.watch(lambda event: self._set(prompt=self.prompt.options.index(event.new)), "value")
        self.of.param.watch(lambda event: self._set(of=event.new), "value")
        self.weighted.param.watch(lambda event: self._set(weighted=event.new), "value")
        self.grid.param.watch(self._from_grid, ["locked", *SHARED])
        view.param.watch(lambda *_: self._set_chooser(), ["source", "text", "prompt", "prompts", "of", "weighted"])
        view.param.watch(lambda *_: self._draw(), "grid")
        view.param.watch(lambda *_: self._draw_head(), ["head", "exact", "window"])
        view.param.watch(lambda *_: self._share(), [*SHARED, "columns"])
        addressed = ["model", "task", "options", "source", "text", "prompt", "of", "weighted", "grid", "head", *SHARED[:-1]]
        view.param.watch(lambda *_: self._address(), addressed)
        self.page.param.watch(lambda *_: self._draw(), "dark_theme")

    def _status(self) -> str:
        return words.status(self.view)

    def _written(self) -> dict[str, str]:
        return written(self.view)

    def _restore(self, query: Mapping[str, str]) -> None:
        restore(self.view, query)
        self.sidebar.show()
        self._set_chooser()

    def _show(self) -> None:
        # What stands in the field may not have left it yet.
        self._set(text=self.text.value_input or self.text.value or "")
        self.view.show()

    def _set(self, **state: Any) -> None:
        if not self._setting and all(value is not None for value in state.values()):
            self.view.param.update(**state)

    def _set_chooser(self) -> None:
        view = self.view
        prompts = view.prompts or ["prompt 1"]
        self._setting = True
        self.source.value, self.weighted.value, self.of.value = view.source, view.weighted, view.of
        self.prompt.param.update(options=prompts, value=prompts[min(view.prompt, len(prompts) - 1)])
        self.text.value = view.text
        self.chooser.visible, self.text.visible = view.source == "task", view.source == "text"
        self._setting = False

    def _draw(self) -> None:
        """Draw the grid as the view has it."""
        made = self.view.grid
        self.hint_card.visible = made is None
        self.grid_card.visible = self.head_card.visible = made is not None
        self.about.object = words.about(self.view)
        if made is not None:
            # Of a long prompt not all numbers are kept: there is the locked head's own menu.
            self.whole.show(made.whole, self.view.rows)
            shades = palettes.palette_of("sequential") or palettes.fitting("sequential")[0]
            self._tell_grid(theme=self.theme, palettes={shades: SEQUENTIAL[shades]}, palette=shades)
            self._tell_grid(**thumbnails_state(made.thumbnails, made.words, made.unit))
        self._share()
        self._draw_head()

    def _share(self) -> None:
        self.about.object = words.about(self.view)
        self._tell_grid(columns=self.view.columns, **{name: getattr(self.view, name) for name in SHARED})

    def _draw_head(self) -> None:
        """Draw what is known of the locked head."""
        view = self.view
        heads = view.grid.thumbnails.heads if view.grid is not None else 0
        index = -1 if view.head is None or not heads else view.head[0] * heads + view.head[1]
        exact = {"exact": b"", "exact_of": {}}
        if view.exact is not None and index >= 0:
            exact = exact_state(index, view.exact.values.values, view.window)
        self._tell_grid(locked=index, **exact)
        self.link.object = words.head_link(view)
        self.table.show(["looks", "looked at", view.grid.unit if view.grid is not None else ""], words.rows(view))
        self.table.visible = view.exact is not None
        self.menu.show(view.exact, view.rows)

    def _tell_grid(self, **state: Any) -> None:
        """Set what differs, all at once."""
        self._setting = True
        self.grid.param.update(**{name: value for name, value in state.items() if getattr(self.grid, name) != value})
        self._setting = False

    def _from_grid(self, *events: Any) -> None:
        """Take over what was done in the grid."""
        if self._setting:
            return
        view, said = self.view, {event.name: event.new for event in events}
        if "locked" in said and view.grid is not None:
            heads = view.grid.thumbnails.heads
            view.lock(divmod(said.pop("locked"), heads) if said["locked"] >= 0 else None)
        view.param.update(**{name: value for name, value in said.items() if name in SHARED})

    def _row_clicked(self, index: int) -> None:
        query, key, _ = self.view.largest[index]
        self.view.pinned = [query, key]
