"""What a panel's menu gives of its Result: the table of its numbers, files of it, and what is to be said about it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from workbench.errors import one_of
from workbench.origin import Origin
from workbench.plots import table
from workbench.report import averaged, cell_text, is_number, report_page
from workbench.result import Result
from workbench.store.as_json import to_json

MOST_ROWS = 2000
TELLS = {
    "method": "method", "model": "model", "fingerprint": "weights (hash)", "task": "task", "pairs": "prompts (hash)",
    "device": "device", "dtype": "number format",
}  # fmt: skip


@dataclass(frozen=True)
class Unkept:
    """What a panel shows of a result whose numbers are too many to be kept: all that is known of it but these.

    Attributes:
        title: Of the result.
        unit: Of its numbers.
        sizes: Of its axes.
        origin: Of the result.
        missing: Why its numbers are not there, and what to do.
        notes: Of the result.
    """

    title: str
    unit: str
    sizes: Mapping[str, int]
    origin: Origin
    missing: str
    notes: Mapping[str, str] = field(default_factory=dict)


def _csv(result: Result) -> str:
    return table(result).to_csv(index=False)


def _html(result: Result) -> str:
    return report_page(result, title=result.title)


FILES: dict[str, tuple[str, Callable[[Result], str]]] = {
    "csv": ("text/csv", _csv),
    "json": ("application/json", to_json),
    "html": ("text/html", _html),
}


def file_of(result: Result, ending: str) -> tuple[str, str, str]:
    """A file of a result: its name, its media type, its text.

    Args:
        result: Any kind.
        ending: 'csv' (every number, a row each), 'json' (the whole, which `import` reads) or 'html' (opens offline).
    """
    one_of("the file", ending, FILES)
    media, make = FILES[ending]
    return f"{stem(result)}.{ending}", media, make(result)


def stem(result: Result | Unkept) -> str:
    """A file name without its ending: method, model, task and key."""
    origin = result.origin
    said = [result.title] if origin is None else [origin.method, origin.model, origin.task, origin.key[:8]]
    return "-".join(re.sub(r"[^\w.]+", "_", part).strip("_.")[:40] for part in said if part) or "result"


def numbers(result: Result, most: int = MOST_ROWS) -> dict[str, Any]:
    """The numbers of a figure as a table of text.

    Returns:
        'head'; 'rows'; 'numeric', whether each column holds numbers; 'said', which rows these are.
    """
    shown = averaged(result)
    whole = table(shown)
    kept = whole.head(most)
    rows = [[cell_text(_plain(cell)) for cell in row] for row in kept.itertuples(index=False)]
    numeric = [all(is_number(_plain(cell)) for cell in kept[name]) for name in kept.columns]
    of = f"{len(whole):,} rows" if len(kept) == len(whole) else f"the first {len(kept):,} of {len(whole):,} rows"
    over = "" if shown is result else "; mean over prompts, lower and upper are 1 standard error away"
    return {
        "head": [str(name) for name in kept.columns], "rows": rows, "numeric": numeric,
        "said": f"{of}, in {result.unit}{over}. The CSV has every number.",
    }  # fmt: skip


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def about(result: Result | Unkept) -> list[list[str]]:
    """What is known of a result, as names and values: its unit, its notes, and all that it depends on."""
    sizes = result.sizes if isinstance(result, Unkept) else result.values.sizes
    told = [["unit", result.unit], ["axes", " × ".join(f"{dim} ({size})" for dim, size in sizes.items())]]
    told += [[name, note] for name, note in result.notes.items()]
    origin = result.origin
    if origin is None:
        return [*told, ["origin", "none: this was read from a file or made on the page"]]
    told += [[said, str(getattr(origin, name))] for name, said in TELLS.items() if getattr(origin, name)]
    seed = origin.params.get("seed", origin.task_params.get("seed"))
    told += [["seed", str(seed)]] if seed is not None else []
    told += [["task made with", _listed(origin.task_params)]] if origin.task_params else []
    told += [["parameters", _listed(origin.params)]] if origin.params else []
    told += [["versions", _listed(origin.versions)]] if origin.versions else []
    return [*told, ["key", origin.key]]


def _listed(params: Any) -> str:
    return ", ".join(f"{name} = {value}" for name, value in params.items())
