"""The results that the store holds, as a table to reopen them from."""

from html import escape
from typing import Any

import pandas as pd
import panel as pn

from workbench.pages.shown import heading, paper
from workbench.views.circuits import Circuits

MOST = 100


class Stored:
    """A table of the store in `card`; a clicked row is opened."""

    def __init__(self, view: Circuits):
        self.view = view
        self._keys: list[str] = []
        self.table = pn.widgets.Tabulator(
            pd.DataFrame(), show_index=False, disabled=True, selectable=False, layout="fit_columns", theme="simple",
            pagination="local", page_size=8, margin=(4, 0), sizing_mode="stretch_width",
            configuration={"headerSort": False}, widths={"When": 150, "Key": 150},
        )  # fmt: skip
        self.table.on_click(self._clicked)
        self.card = paper(heading("Stored results", "click a row to reopen it; no model is loaded"), self.table)
        view.param.watch(lambda *_: self.show(), "stored")
        self.show()

    def show(self) -> None:
        """List what the store holds, the newest first."""
        entries = self.view.stored[:MOST]
        self._keys = [entry.key for entry in entries]
        self.card.visible = bool(entries)
        rows = [
            {
                "When": entry.modified.astimezone().strftime("%Y-%m-%d %H:%M"),
                "Result": entry.title,
                "Task": _with(entry.origin.task, entry.origin.task_params, ("n", "seed", "corruption")),
                "Model": entry.origin.model,
                "Settings": _with("", entry.origin.params, ("sites", "by", "metric", "direction")),
                "Key": entry.key,
            }
            for entry in entries
        ]
        self.table.value = pd.DataFrame(rows).astype(str).map(escape) if rows else pd.DataFrame()

    def _clicked(self, event: Any) -> None:
        if 0 <= event.row < len(self._keys):
            self.view.open(self._keys[event.row])


def _with(name: str, params: Any, shown: tuple[str, ...]) -> str:
    said = []
    for key in shown:
        value = params.get(key)
        if value is not None:
            said.append(f"{key} {'+'.join(map(str, value)) if isinstance(value, (list, tuple)) else value}")
    return f"{name} ({', '.join(said)})" if name and said else name or ", ".join(said)
