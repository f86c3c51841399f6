"""The page of models: what there is, what it takes, why one is refused; load it, let it go, open it on another page."""

from collections.abc import Mapping
from html import escape
from typing import ClassVar

import panel_material_ui as pmui

from workbench.models.memory import gigabytes
from workbench.pages.shell import WIDE, Shell, line, opened
from workbench.pages.shown import heading, paper
from workbench.pages.sidebar import SMALL, Checkpoint, Place
from workbench.pages.table import Table
from workbench.pages.words import failed, left
from workbench.views.onward import ASKED_OF_MODEL, onward
from workbench.views.query import placed
from workbench.views.shelf import DTYPES, Row, Shelf, restore, written

HEAD = ("Model", "Weights", *(f"Memory in {name}" for name in DTYPES), "On this disk", "In memory", "Refused because")


def page(view: Shelf | None = None) -> pmui.Page:
    """The page, set to what the URL of the session says."""
    return opened(lambda: ModelsPage(view or Shelf()))


class ModelsPage(Shell):
    """Layout of a Shelf."""

    help: ClassVar = (
        ("This page", "the models there are: what they take, whether they are on this disk, and why one is refused"),
    )  # fmt: skip

    def __init__(self, view: Shelf):
        super().__init__(view, "Load", 110)
        self.page = self._layout()
        self._watch()
        self._tell_status()
        self._show()

    def _layout(self) -> pmui.Page:
        self.ref = pmui.TextInput(label="Catalogue name, folder, .gguf file or hub name", placeholder="org/name", **SMALL)
        self.checkpoint, self.place = Checkpoint(self.view, "ref"), Place(self.view)
        self.unload = pmui.Button(label="Unload", variant="outlined", width=110, margin=0)
        self.takes, self.uses = line(), line()
        self.meter = pmui.LinearProgress(value=0, margin=(6, 0, 2, 0), **WIDE)
        self.memory = line()
        columns = [
            pmui.Column(one, width=width, margin=0)
            for one, width in (
                (self.ref, 330),
                (self.checkpoint.select, 170),
                (self.place.dtype, 220),
                (self.place.device, 170),
            )
        ]
        self.beside = columns[1]
        widgets = pmui.FlexBox(*columns, gap="12px", margin=0, **WIDE)
        buttons = pmui.Row(self._buttons(), self.unload, margin=(4, 0), sx={"gap": "8px"}, **WIDE)
        chosen = paper(heading("Load a model"), widgets, self.takes, buttons, self.uses)
        self.table = Table(lambda index: self.view.choose(self.view.rows[index].ref))
        listed = paper(heading("Models", "click a row to choose it; memory is what loading takes"), self.table)
        budget = paper(heading("Memory for models"), self.meter, self.memory)
        return self._framed("Circuit workbench: models", None, self.ruler, chosen, budget, listed)

    def _watch(self) -> None:
        view = self.view
        self.run.on_click(lambda event: view.load())
        self.unload.on_click(lambda event: view.unload())
        self._watch_status()
        self.ref.param.watch(lambda event: self._choose(event.new), "value")
        view.param.watch(lambda *_: (self._show(), self._address()), ["ref", "dtype", "device", "rows"])

    def _status(self) -> str:
        view = self.view
        if view.status in ("queued", "running"):
            share = "" if view.progress is None else f" · {view.progress:.0%}"
            return f"{view.label}{share}{left(view.seconds_left)}"
        if view.status == "failed":
            return failed(view)
        return "In memory." if view.loaded else {"stopped": "Stopped."}.get(view.status, "Not in memory.")

    def _written(self) -> dict[str, str]:
        return written(self.view)

    def _restore(self, query: Mapping[str, str]) -> None:
        restore(self.view, dict(query))

    def _choose(self, ref: str | None) -> None:
        if ref is not None and ref != self.view.ref:
            self.view.choose(ref)
            self.ref.value = self.view.ref

    def _show(self) -> None:
        """Set every widget to what the view says."""
        view = self.view
        self.place.show()
        self.checkpoint.show()
        self.beside.visible = self.checkpoint.select.visible
        self.ref.value = view.ref
        self.unload.disabled = not view.loaded
        self.takes.object = _takes(view)
        self.uses.object = _uses(view)
        self._tell_memory()
        self.table.show(HEAD, [_cells(row) for row in view.rows])
        self._tell_status()

    def _tell_memory(self) -> None:
        used, budget = self.view.used, self.view.budget
        self.meter.value = min(100, round(100 * used / max(1, budget)))
        device = self.view.device or "cpu"
        held = [f"{one.words} ({gigabytes(size)})" for one, size in self.view.jobs.models.loaded().items()]
        said = f"{gigabytes(used)} of {gigabytes(budget)} on {device}. " + ("In memory: " + "; ".join(held) if held else "")
        self.memory.object = f'<span style="font-size:13px">{escape(said)}</span>'


def _cells(row: Row) -> list[str]:
    memory = [row.memory[name] for name in DTYPES]
    return [row.ref, row.weights, *memory, "yes" if row.here else "no", row.loaded, row.refused]


def _takes(view: Shelf) -> str:
    """What loading the chosen model takes, or why it is refused."""
    said = view.refusal(view.ref)
    if said:
        style = "padding:6px 10px;border-left:4px solid #e69f00;background:rgba(230,159,0,.12)"
        return f'<div role="alert" style="font-size:13px;{style}"><b>Refused:</b> {escape(said)}</div>'
    needed = view.jobs.models.weigh(view.placed)
    takes = "What it takes is known once it is fetched." if needed is None else f"Loading it takes about {gigabytes(needed)}."
    return f'<span style="font-size:13px">{escape(takes)}</span>'


def _uses(view: Shelf) -> str:
    """Links to the pages that ask a model."""
    style = "margin-right:14px;color:inherit"
    there = onward(ASKED_OF_MODEL, {"model": view.ref} | placed(view))
    links = [f'<a style="{style}" href="{escape(to)}">{title}</a>' for title, to in there]
    return f'<div style="font-size:13px;margin-top:6px">Use it on the page of: &nbsp;{"".join(links)}</div>'
