"""The card that compares the circuit shown with another: which, what they share, and both curves."""

import panel as pn
import panel_material_ui as pmui

from workbench.errors import BadInput
from workbench.graph import graph_from
from workbench.pages.menu import Panel
from workbench.pages.shown import drawn, heading, paper
from workbench.pages.swatch import swatched
from workbench.views.circuits import Circuits
from workbench.widgets.layered import kept_of

NOTHING = "Nothing"


class ComparedCard:
    """The card in `card`."""

    def __init__(self, view: Circuits):
        self.view, self._setting = view, False
        self.choice = pmui.Select(
            label="Compare with", options={NOTHING: ""}, value="", size="small", margin=(6, 0), sizing_mode="stretch_width"
        )
        self.says = pn.pane.HTML("", margin=(2, 0), sizing_mode="stretch_width")
        self.curves = Panel()
        self.card = paper(heading("Compare", "its edges are drawn over the network"), self.choice, self.says, self.curves.box)
        self.choice.param.watch(self._chosen, "value")

    def show(self, theme: str, width: int | float) -> None:
        """Show what the circuit can be compared with and what they share; nothing where there is none."""
        view, compared = self.view, self.view.compared
        choices = compared.choices(view.stored) if view.sizes is not None else {}
        self.card.visible = bool(choices)
        if not choices:
            return
        self._setting = True
        options = {NOTHING: "", **choices}
        if compared.against not in options.values():
            options[compared.other.title] = compared.against
        if options != self.choice.options:
            self.choice.options = options
        self.choice.value = compared.against
        self._setting = False
        said = compared.words(kept_of(view.shown))
        # Of another graph a node of the same name may be another head.
        heads = 0 if compared.circuit is None or compared.mask is None else graph_from(compared.circuit).n_heads
        shown = swatched(said, heads, theme)
        self.says.object = f'<div style="font-size:13px;line-height:1.5">{shown}</div>' if said else ""
        self.says.visible = bool(said)
        found = compared.curves()
        if compared.other is not None and found is None:
            self.says.object += (
                '<div style="font-size:12px;opacity:.75">Both curves: unavailable, faithfulness over sizes was not measured '
                "of both. Find a circuit (discover) measures it.</div>"
            )
        made = None if found is None else drawn(found, theme, width, log=True)
        self.curves.show(made, found, code="" if made is None else compared.code(view.rows))

    def _chosen(self, event: object) -> None:
        if self._setting or event.new is None:
            return
        try:
            self.view.compared.choose(event.new)
        except BadInput as problem:
            self.view.tell("error", str(problem))
