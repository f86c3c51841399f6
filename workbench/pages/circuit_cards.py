"""What the page shows of a Circuit beside its map: its size, its network, what is replaced in it, what it is compared with."""

from workbench.pages.circuit import Size
from workbench.pages.compared import ComparedCard
from workbench.pages.live import LiveCard
from workbench.pages.menu import Menu, menued
from workbench.pages.network import NetworkPane
from workbench.views.circuits import Circuits


class CircuitCards:
    """The network under `size.chooser` in `drawn`, and the cards to stand `beside` it."""

    def __init__(self, view: Circuits):
        self._view = view
        self.size, self.network = Size(view), NetworkPane(view)
        self.live, self.compared = LiveCard(view), ComparedCard(view)
        self.menu = Menu()
        self.drawn = menued(self.menu, *self.network.objects)
        self.beside = [self.live.card, self.size.card, self.compared.card]

    def show(self, theme: str, width: int | float) -> None:
        """Show the Circuit of the view, or nothing."""
        # First what the slider moves: a browser draws in the order in which it is told.
        self.network.show(theme, width)
        self.size.show(theme, width)
        self.compared.show(theme, width)
        self.live.tint(theme)
        sizes, rows, shown = self._view.sizes, self._view.rows, self._view.shown
        code = "" if sizes is None else sizes.code(sizes.chosen if self._view.size is None else self._view.size, rows)
        self.menu.show(shown if self.network.pane.visible else None, rows, code)
