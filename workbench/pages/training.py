"""The part of the dynamics page that trains: a study, its settings, what comes of it as it comes, and what is stored."""

from typing import Any

import panel as pn
import panel_material_ui as pmui

from workbench.pages import dynamics_words as words
from workbench.pages.beside import Beside
from workbench.pages.form import FIRST_OF_STUDY
from workbench.pages.menu import Panel
from workbench.pages.shell import line
from workbench.pages.shown import drawn, heading, paper
from workbench.pages.sidebar import SMALL, Settings
from workbench.pages.stored import Stored, listed, when
from workbench.result import Curve
from workbench.store import Entry
from workbench.views.training import Training

HEAD = ("When", "Study", "Task", "Training", "Key")


class Train:
    """The form, the buttons and the figure of a Training, and the stored runs, in `cards`."""

    title = "Train"

    def __init__(self, view: Training, buttons: Any):
        from workbench.dynamics import STUDIES

        self._view, self._setting = view, False
        self._theme, self._width = "", 1000.0
        options = {study.title: name for name, study in STUDIES.items()}
        self.study = pmui.Select(label="Study", options=options, value=view.study, **SMALL)
        self.params = Settings(view, "params", FIRST_OF_STUDY)
        self.hint = pn.pane.HTML("", margin=0, sizing_mode="stretch_width")
        self.about, self.says, self.figure, self.table = line(), line(), Panel(), line()
        shown = [buttons, self.hint, self.says, self.figure.box, self.table]
        self.halves = Beside([self.study, self.about, self.params.column], shown)
        card = paper(heading("Train networks of your own", "on this machine; the result is kept"), self.halves.box)
        self.cards = [card, Stored(view, "click a row to reopen it; nothing is trained", HEAD, _row).card]
        self.study.param.watch(self._chosen, "value")
        view.param.watch(lambda *_: self.set(), ["study", "params"])
        view.param.watch(lambda *_: self.tell(), "expected")
        view.param.watch(lambda *_: self.draw(), ["result", "whole", "status"])
        self.set()

    def set(self) -> None:
        """Set every widget to what the view says."""
        self._setting = True
        self.study.value = self._view.study
        self._setting = False
        self.about.object = f'<div style="font-size:12px;opacity:.8">{words.ABOUT[self._view.study]}</div>'
        self.params.show(self._view.study, self._view.fields)
        self.tell()

    def tell(self) -> None:
        """Say what Train would do."""
        self.hint.object = words.train(self._view)

    def show(self, theme: str, width: int | float, halved: bool) -> None:
        """Draw everything for a page of this theme and width."""
        self._theme, self._width = theme, self.halves.fit(width, halved)
        self.draw()

    def draw(self) -> None:
        """Draw the result as far as it is."""
        result = self._view.result
        self.hint.visible = result is None
        self.tell()
        self.says.object = f'<div style="font-size:14px">{words.found(result if self._view.whole else None)}</div>'
        curve = isinstance(result, Curve)
        self.table.visible = curve
        if curve:
            last = result.values.isel(step=-1)
            told = dict(zip(last.series.values.tolist(), last.values.tolist(), strict=True))
            self.table.object = words.measures(told, f"step {int(last.step):,}", result.notes)
        self.figure.show(self._drawn(result) if result is not None and self._theme else None, result)

    def _drawn(self, result: Any) -> Any:
        if not isinstance(result, Curve):
            limit = 1 if result.unit == "share right" else None
            return drawn(words.titled(result), self._theme, self._width, numbers=True, limit=limit)
        if not self._view.whole:
            # A curve that still rises has no half-way.
            result = result.replace(parts={name: part for name, part in result.parts.items() if name != "transition"})
        return drawn(words.brief(result), self._theme, self._width)

    def _chosen(self, event: Any) -> None:
        if not self._setting and event.new is not None:
            self._view.study = event.new


def _row(entry: Entry) -> tuple[str, ...]:
    origin = entry.origin
    task = listed(origin.task_params, ("items", "labels", "classes", "burst"))
    training = listed(origin.params, ("steps", "seeds", "across", "values", "down", "rows", "factors", "architecture"))
    return when(entry), entry.title, task, training, entry.key[:8]
