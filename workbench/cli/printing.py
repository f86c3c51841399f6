"""What the command line prints: a result's largest numbers, tables, and where a figure was written."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workbench.errors import BadInput


def print_result(result: Any, top: int) -> None:
    from workbench.plots import rows
    from workbench.result import Scores

    if result is None:
        raise BadInput("key must be that of a whole result; this one was damaged and is set aside. Run it again.")
    print(f"{result.title} [{result.unit}]")
    for name, note in result.notes.items():
        print(f"  {name}: {note}")
    print_table(rows(result.mean() if isinstance(result, Scores) else result, top=top))
    if result.origin:
        print(f"\n{result.origin.caption()}")


def print_table(rows: Sequence[dict[str, Any]]) -> None:
    """Rows as aligned columns; numbers to four digits."""
    if not rows:
        return
    columns = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[_cell(row.get(name, "")) for name in columns] for row in rows]
    widths = [max(len(name), *(len(row[i]) for row in cells)) for i, name in enumerate(columns)]
    for row in [columns, *cells]:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _cell(value: Any) -> str:
    return f"{value:+.4g}" if isinstance(value, float) else str(value).replace("\n", "\\n")


def write_html(results: Sequence[Any], file: Path) -> None:
    from workbench.report import report

    print(f"Wrote {report(list(results), file, title=results[0].title)}")
