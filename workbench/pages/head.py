"""The cards of the open head: what it is by the table, where it looks and what it writes on a prompt."""

from typing import Any

import panel as pn
import panel_material_ui as pmui

from workbench.pages import heads_words as words
from workbench.pages import palettes
from workbench.pages.menu import Panel
from workbench.pages.prompt import PromptChooser
from workbench.pages.shell import line
from workbench.pages.shown import drawn, heading, paper
from workbench.plots.hues import colour, headed
from workbench.result import Readout
from workbench.views.heads import Heads

WIDE: dict[str, Any] = {"sizing_mode": "stretch_width"}
# Pixels of a token, and of what stands beside the tokens.
TOKEN, LABELS = 80, 245


class HeadCards:
    """What is known of the open head of a Heads view, in `column`."""

    def __init__(self, view: Heads):
        self._view, self._shown, self._theme = view, None, "light"
        self.says, self.links, self.looks = line(), line(), line()
        self.measures = pn.pane.HTML("", margin=(6, 0), sizing_mode="stretch_width")
        self.close = pmui.Button(label="Close (Esc)", variant="text", size="small", width=110, margin=0)
        self.summary = paper(pmui.Row(self.says, self.close, margin=0, align="start", **WIDE), self.links, self.measures)
        self.chooser = PromptChooser(view.head.look)
        self.attention, self.writes = Panel(), Panel()
        self.looked = paper(
            heading("Where it looks on a prompt", "a row is the token that looks"),
            self.chooser.row,
            self.looks,
            self.attention.box,
        )
        about = "↑ raises, ↓ lowers these tokens: as it looks, and as if it looked at one token alone"
        self.wrote = paper(heading("What it writes", about), self.writes.box)
        self.column = pmui.Column(self.summary, self.looked, self.wrote, margin=0, **WIDE)
        self.close.on_click(lambda event: view.close())

    def tell(self, theme: str) -> None:
        """Show what the table says of the open head."""
        self.close.visible = self._view.head.head is not None
        self._theme = theme
        self.says.object = words.opened(self._view, theme)
        self._link()
        self.measures.object = words.measures(self._view, theme)

    def show(self, theme: str, width: int | float) -> None:
        """Show the panels of the open head as far as they are read."""
        head, self._theme = self._view.head, theme
        self.looked.visible = head.head is not None
        self.wrote.visible = head.writes.readout is not None
        self.chooser.show(head.attention.prompts, head.attention.prompt, head.attention.of)
        self._link()
        self.looks.object = words.looks(self._view)
        self.looks.visible = bool(self.looks.object)
        looked, wrote = head.attention.scores, head.writes.readout
        shown = (id(looked), id(wrote), theme, width, palettes.chosen())
        if shown == self._shown:
            return
        self._shown = shown
        rows = self._view.rows
        self.attention.show(None if looked is None else self._edged(drawn(looked, theme, width), theme), looked, rows)
        self.writes.show(None if wrote is None else drawn(_fitting(wrote, width), theme, width), wrote, rows)

    def _link(self) -> None:
        said = words.links(self._view, self._theme)
        self.links.param.update(object=said, visible=bool(said))

    def _edged(self, made: Any, theme: str) -> Any:
        """The picture of a head with an edge in the head's own colour, and its title with it."""
        headed(made, self._view.index, theme)
        if self._view.index is not None:
            line = {"color": colour(self._view.index, theme), "width": 2}
            made.add_shape(type="rect", xref="x domain", yref="y domain", x0=0, x1=1, y0=0, y1=1, line=line)
        return made


def _fitting(readout: Readout, width: int | float) -> Readout:
    """As many tokens of every line as can be read in a figure so wide."""
    ranks = slice(max(2, int((width - LABELS) / TOKEN)))
    return readout.replace(values=readout.values.isel(rank=ranks), parts={"token": readout.parts["token"].isel(rank=ranks)})
