"""The results that the store holds, as a table to reopen them from."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from workbench.pages.shown import heading, paper
from workbench.pages.table import Table
from workbench.store import Entry

MOST = 30
HEAD = ("When", "Result", "Task", "Model", "Settings", "Key")


class Stored:
    """A table of the store in `card`; a clicked row is opened.

    Args:
        view: The view, with entries `stored` and `open(key)`.
        about: What a click does.
        head: The heads of the columns.
        row: The cells of an entry.
    """

    def __init__(
        self,
        view: Any,
        about: str = "click a row to reopen it; no model is loaded",
        head: Sequence[str] = HEAD,
        row: Callable[[Entry], tuple[str, ...]] | None = None,
    ):
        self.view, self._head, self._row = view, head, row or _row
        self._keys: list[str] = []
        self.table = Table(lambda index: view.open(self._keys[index]))
        self.card = paper(heading("Stored results", about), self.table)
        view.param.watch(lambda *_: self.show(), "stored")
        self.show()

    def show(self) -> None:
        """List what the store holds, the newest first."""
        entries = self.view.stored[:MOST]
        self._keys = [entry.key for entry in entries]
        self.card.visible = bool(entries)
        self.table.show(self._head, [self._row(entry) for entry in entries])


def _row(entry: Entry) -> tuple[str, ...]:
    origin = entry.origin
    task = listed(origin.task_params, ("n", "seed", "corruption"))
    return (
        when(entry),
        entry.title,
        f"{origin.task} ({task})" if task else origin.task,
        origin.model,
        listed(origin.params, ("sites", "by", "metric", "direction")),
        entry.key[:8],
    )


def when(entry: Entry) -> str:
    """When a result was stored, by the clock of this machine."""
    return entry.modified.astimezone().strftime("%Y-%m-%d %H:%M")


def listed(params: Mapping[str, Any], shown: tuple[str, ...]) -> str:
    """The parameters of these names, as words."""
    said = []
    for key in shown:
        value = params.get(key)
        if value is not None:
            said.append(f"{key} {'+'.join(map(str, value)) if isinstance(value, (list, tuple)) else value}")
    return ", ".join(said)
