"""The results that the store holds, as a table to reopen them from."""

from collections.abc import Mapping
from typing import Any

from workbench.pages.shown import heading, paper
from workbench.pages.table import Table
from workbench.store import Entry
from workbench.views.circuits import Circuits

MOST = 30
HEAD = ("When", "Result", "Task", "Model", "Settings", "Key")


class Stored:
    """A table of the store in `card`; a clicked row is opened."""

    def __init__(self, view: Circuits):
        self.view = view
        self._keys: list[str] = []
        self.table = Table(lambda index: view.open(self._keys[index]))
        self.card = paper(heading("Stored results", "click a row to reopen it; no model is loaded"), self.table)
        view.param.watch(lambda *_: self.show(), "stored")
        self.show()

    def show(self) -> None:
        """List what the store holds, the newest first."""
        entries = self.view.stored[:MOST]
        self._keys = [entry.key for entry in entries]
        self.card.visible = bool(entries)
        self.table.show(HEAD, [_row(entry) for entry in entries])


def _row(entry: Entry) -> tuple[str, ...]:
    origin = entry.origin
    task = _listed(origin.task_params, ("n", "seed", "corruption"))
    return (
        entry.modified.astimezone().strftime("%Y-%m-%d %H:%M"),
        entry.title,
        f"{origin.task} ({task})" if task else origin.task,
        origin.model,
        _listed(origin.params, ("sites", "by", "metric", "direction")),
        entry.key[:8],
    )


def _listed(params: Mapping[str, Any], shown: tuple[str, ...]) -> str:
    said = []
    for key in shown:
        value = params.get(key)
        if value is not None:
            said.append(f"{key} {'+'.join(map(str, value)) if isinstance(value, (list, tuple)) else value}")
    return ", ".join(said)
