"""The grid of all heads' attention as pages show it: the component with its menu, in step with a Looks view."""

from typing import Any

import panel as pn
import panel_material_ui as pmui

from workbench.pages import attention_words as words
from workbench.pages import palettes
from workbench.pages.menu import BESIDE_MENU, Menu, menued
from workbench.pages.shell import WIDE, line
from workbench.pages.widget import panel_class
from workbench.views.looks import Looks
from workbench.widgets.attention_grid import ATTENTION_GRID, SEQUENTIAL, exact_state, thumbnails_state

# What the grid and the view share as it is.
SHARED = ("pinned", "sort", "own", "least", "window")


class GridCard:
    """The grid of a Looks view in `box`; what is done in the grid the view takes over.

    Args:
        view: The view.
    """

    def __init__(self, view: Looks):
        self._view, self._setting = view, False
        self._grid: Any = None
        self.about, self.menu = line(), Menu()
        self._place = pn.Column(sizing_mode="stretch_width", margin=0)
        self.box = menued(self.menu, pmui.Column(self.about, margin=BESIDE_MENU, **WIDE), self._place)
        view.param.watch(lambda *_: self._lock(), ["head", "exact", "window"])
        view.param.watch(lambda *_: self._share(), [*SHARED, "columns", "given"])

    def make(self) -> None:
        """Make the component itself, if it is not there."""
        if self._grid is None:
            self._grid = panel_class(ATTENTION_GRID)(sizing_mode="stretch_width", margin=0)
            self._grid.param.watch(self._heard, ["locked", *SHARED])

    def show(self, theme: str) -> None:
        """Draw all heads as the view has them."""
        made = self._view.grid
        if made is not None:
            self.make()
            self.menu.show(made.shown, self._view.rows, made.code(self._view.rows))
            # Colours are the header's choice, as in all figures.
            shades = palettes.palette_of("sequential") or palettes.fitting("sequential")[0]
            self._tell(theme=theme, palettes={shades: SEQUENTIAL[shades]}, palette=shades)
            self._tell(**thumbnails_state(made.thumbnails, made.words, made.unit))
        self._share()
        self._lock()
        # With all that it draws: what is told while a browser makes it may be lost.
        self.place()

    def place(self) -> None:
        """Put the component on the page, if it is made and not there."""
        if self._grid is not None and not self._place.objects:
            self._place.objects = [self._grid]

    def _share(self) -> None:
        view = self._view
        self.about.object = words.about(view)
        self._tell(columns=view.columns, given=view.given, **{name: getattr(view, name) for name in SHARED})

    def _lock(self) -> None:
        """Show the locked head large."""
        view = self._view
        heads = view.grid.thumbnails.heads if view.grid is not None else 0
        index = -1 if view.head is None or not heads else view.head[0] * heads + view.head[1]
        exact = {"exact": b"", "exact_of": {}}
        if view.exact is not None and index >= 0:
            exact = exact_state(index, view.exact.values.values, view.window)
        self._tell(locked=index, **exact)

    def _tell(self, **state: Any) -> None:
        """Set what differs, all at once."""
        if self._grid is None:
            return
        self._setting = True
        self._grid.param.update(**{name: value for name, value in state.items() if getattr(self._grid, name) != value})
        self._setting = False

    def _heard(self, *events: Any) -> None:
        """Take over what was done in the grid."""
        if self._setting:
            return
        view, said = self._view, {event.name: event.new for event in events}
        if "locked" in said and view.grid is not None:
            heads = view.grid.thumbnails.heads
            view.lock(divmod(said.pop("locked"), heads) if said["locked"] >= 0 else None)
        view.param.update(**{name: value for name, value in said.items() if name in SHARED})


def weighting(view: Looks) -> pmui.Switch:
    """The switch that says whether attention is weighted by values."""
    switch = pmui.Switch(
        label="Weighted by values", value=view.weighted, size="small", margin=(0, 4),
        description="Attention times the length of what is written from the token that is looked at.",
    )  # fmt: skip
    switch.param.watch(lambda event: view.param.update(weighted=bool(event.new)), "value")
    view.param.watch(lambda event: switch.param.update(value=event.new), "weighted")
    return switch
