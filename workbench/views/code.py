"""Python that computes again what a panel shows, as pasted into a notebook."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.errors import BadInput
from workbench.result import Origin, Result
from workbench.views.question import CUSTOM, shape_of

# What panels read, and no method of the catalogue: the lines after `model` and `pairs`.
PANELS = {
    "writes": "from workbench.views.writes import written\n\n"
    "result = written(model, pairs, {layer!r}, {head!r}, {prompt!r}, {of!r})\n",
}  # fmt: skip


def code_of(result: Result, rows: str = "") -> str:
    """The code, '' where there is none for this panel.

    Args:
        result: What the panel shows.
        rows: The user's own pairs as text, for the task 'custom'.
    """
    from workbench.dynamics import STUDIES
    from workbench.methods import METHODS

    origin = result.origin
    if origin is None:
        return ""
    if origin.method in METHODS or origin.method in STUDIES:
        return origin.code(_rows(origin, rows))
    if origin.method in PANELS:
        lines = PANELS[origin.method].format_map(_Params(origin.params))
        first, _, rest = lines.partition("\n\n")
        return origin.setting(_rows(origin, rows)).replace("import workbench\n", f"import workbench\n{first}\n", 1) + rest
    return ""


class _Params(dict):
    def __missing__(self, name: str) -> None:
        return None


def _rows(origin: Origin, text: str) -> list[Mapping[str, Any]]:
    """The rows of a text, as long as they are as many as those asked about."""
    from workbench.tasks.rows import read_rows

    if origin.task != CUSTOM or not text.strip():
        return []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"rows.{shape_of(text)}"
        file.write_text(text, encoding="utf-8", newline="")
        try:
            rows = read_rows(file)
        except BadInput:
            return []
    return list(rows) if len(rows) == origin.task_params.get("n") else []
