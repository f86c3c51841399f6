"""The network of a Circuit on the page: the component, told only what changed."""

from html import escape
from typing import Any

import numpy as np
import panel as pn

from workbench.pages import palettes
from workbench.pages.widget import panel_class
from workbench.plots.frame import caption
from workbench.result import Circuit
from workbench.views.circuits import Circuits
from workbench.widgets.circuit_graph import CIRCUIT_GRAPH, USUAL, colouring
from workbench.widgets.layered import MOST, Network, kept_of, strongest

# More edges of scores alone, or of a circuit that is not finished, are a tangle.
UNFINISHED = 100


class NetworkPane:
    """The component in `pane`, in step with a Circuits view."""

    def __init__(self, view: Circuits):
        self._view = view
        self._network: Network | None = None
        self.pane: Any = panel_class(CIRCUIT_GRAPH)(visible=False, margin=0)
        self.title, self.caption = (pn.pane.HTML("", margin=(2, 0), sizing_mode="stretch_width") for _ in range(2))
        self.objects = [self.title, self.pane, self.caption]
        self.pane.param.watch(self._selected, "selected")
        view.ablation.param.watch(lambda *_: self._mark(), ["replaced", "place"])

    def show(self, theme: str, width: int | float) -> None:
        """Show the Circuit of the view at the size chosen, or nothing."""
        circuit = self._view.shown
        kept = None if not isinstance(circuit, Circuit) else kept_of(circuit)
        if circuit is None or kept is None or not kept.any():
            self._see(False)
            return
        kept = strongest(circuit, kept, MOST if "kept" in circuit.parts else UNFINISHED)
        told = {
            **colouring(theme, palettes.palette_of("diverging") or USUAL),
            "across": int(width),
            "selected": self._view.ablation.place,
        }
        compared = self._view.compared
        other = None if compared.mask is None else strongest(self._view.result, compared.mask)
        wanted = kept if other is None else kept | other
        if self._network is None or not self._network.holds(wanted) or not self._of(circuit):
            self._network = Network(self._view.result, np.flatnonzero(wanted | self._likely()))
            told |= self._network.sent
        told |= self._network.sized(kept, other, "" if other is None else compared.other.title)
        self.pane.param.update(**told, replaced=self._replaced)
        self.title.object = f'<b style="font-size:15px">{escape(circuit.title)}</b>'
        said = caption(circuit).split("\n")
        self.caption.object = "".join(f'<div style="font-size:11px;opacity:.75">{escape(one)}</div>' for one in said)
        self._see(True)

    def _see(self, visible: bool) -> None:
        for each in self.objects:
            each.visible = visible

    def _of(self, circuit: Circuit) -> bool:
        """Whether what was sent is of this circuit."""
        return self._network is not None and self._network.circuit is self._view.result

    def _likely(self) -> np.ndarray:
        """The edges of the sizes that can be drawn whole: sent once, a step of the slider sends none."""
        sizes, result = self._view.sizes, self._view.result
        edges = np.zeros(result.values.sizes["edge"], bool)
        if sizes is not None:
            for size in sizes.sizes:
                if size <= MOST:
                    edges |= sizes.kept(size)
        return edges

    @property
    def _replaced(self) -> dict[str, str]:
        return {each.place: each.by for each in self._view.ablation.replaced}

    def _mark(self) -> None:
        self.pane.param.update(replaced=self._replaced, selected=self._view.ablation.place)

    def _selected(self, event: Any) -> None:
        if event.new != self._view.ablation.place:
            self._view.pick(event.new)
