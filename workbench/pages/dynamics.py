"""The page of how induction is learned: a network that learnt, why it learnt all at once, and training of one's own.

Each part is a class of its own with `title`, `cards` and `show`; another is one line more in `parts`, and a name in PARTS.
"""

from collections.abc import Mapping
from typing import ClassVar

import panel_material_ui as pmui

from workbench.pages import dynamics_words as words
from workbench.pages.example import Course
from workbench.pages.forming import Formation
from workbench.pages.nested import Descent
from workbench.pages.shell import WIDE, Shell, opened
from workbench.pages.shown import SIDE_BY_SIDE
from workbench.pages.training import Train
from workbench.views import dynamics_address
from workbench.views.descent import SETTINGS
from workbench.views.dynamics import PARTS, Dynamics


def page(view: Dynamics | None = None) -> pmui.Page:
    """The page, set to what the URL of the session says."""
    return opened(lambda: DynamicsPage(view or Dynamics()))


class DynamicsPage(Shell):
    """Layout of a Dynamics view."""

    worded, addressed = words, dynamics_address
    help: ClassVar = (
        ("This page", "how a circuit forms in training: choose a part above, drag the step of training"),
        ("Keys", "← → on the slider go one step of training back or on; a click in a curve goes to that step"),
    )  # fmt: skip

    def __init__(self, view: Dynamics):
        super().__init__(view, "Train", 110)
        self.nested, self.train = Descent(view.nested), Train(view, self._buttons())
        self.parts = {
            "example": Course(view.example), "nested": self.nested, "language": Formation(view.forming), "train": self.train,
        }  # fmt: skip
        self.page = self._layout()
        self._watch()
        self._tell_status()
        self._draw()

    def _layout(self) -> pmui.Page:
        tabs = [(self.parts[name].title, pmui.Column(*self.parts[name].cards, margin=0, **WIDE)) for name in PARTS]
        # A box that scrolls by itself would carry the slider of steps out of sight.
        still = {"& > .MuiBox-root": {"overflow": "visible"}}
        self.tabs = pmui.Tabs(*tabs, active=PARTS.index(self.view.part), margin=0, sx=still, **WIDE)
        return self._framed("Circuit workbench: how induction is learned", None, self.ruler, self.tabs)

    def _watch(self) -> None:
        view = self.view
        self.run.on_click(lambda event: view.train())
        self._watch_status("result", "params", "study")
        self.tabs.param.watch(lambda event: view.param.update(part=PARTS[event.new]), "active")
        view.param.watch(lambda *_: self._open(), "part")
        view.nested.param.watch(lambda *_: self.nested.move(), ["path", "problem"])
        view.param.watch(lambda *_: self._address(), ["part", "study", "params", "result", "whole"])
        view.example.param.watch(lambda *_: self._address(), ["step", "of"])
        view.nested.param.watch(lambda *_: self._address(), list(SETTINGS))
        view.forming.param.watch(lambda *_: self._address(), ["model", "step"])
        self._watch_looks()

    def _restore(self, query: Mapping[str, str]) -> None:
        dynamics_address.restore(self.view, query)
        self.train.set()

    def _open(self) -> None:
        self.tabs.active = PARTS.index(self.view.part)
        self._draw()

    def _draw(self) -> None:
        """Draw the part that is open as the view has it."""
        self.parts[self.view.part].show(self.theme, self._width(False), self.across >= SIDE_BY_SIDE)
