"""One HTML file of headings, text, figures and tables that opens anywhere with the network off.

plotly.js stands in it once, the figures as JSON, everything else as plain HTML. Every text is escaped: a prompt that holds
a tag is shown, not obeyed; and a content security policy forbids the page every request.
"""

import html
import json
import os
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from plotly.offline import get_plotlyjs

from workbench.errors import BadInput
from workbench.plots import THEMES, figure, table
from workbench.result import Result, Scores

_MOST_ROWS = 5000
_CONFIG = {"displaylogo": False, "modeBarButtonsToRemove": ["sendChartToCloud"]}
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"

_STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1f2328; --quiet: #59636e; --line: #d8dce1; --tint: #f5f6f8; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #17191d; --ink: #e6e8eb; --quiet: #a3abb5; --line: #363b42; --tint: #202328; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, "Noto Sans", sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 48px 28px 80px; }
h1 { font-size: 30px; line-height: 1.2; margin: 0 0 28px; letter-spacing: -0.01em; overflow-wrap: anywhere; }
h2 { font-size: 21px; line-height: 1.3; margin: 52px 0 10px; padding-top: 20px; border-top: 1px solid var(--line); }
p { max-width: 72ch; margin: 0 0 14px; white-space: pre-line; overflow-wrap: anywhere; }
figure { margin: 24px 0 36px; }
.plot, .rows { overflow-x: auto; }
details { font-size: 13px; margin: 4px 0 0 14px; }
summary { cursor: pointer; color: var(--quiet); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 14px; margin: 8px 0; max-width: 90ch; }
dt { color: var(--quiet); }
dd { margin: 0; overflow-wrap: anywhere; }
.rows { margin: 8px 0; }
details .rows { max-height: 420px; overflow-y: auto; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { padding: 3px 18px 3px 0; text-align: left; border-bottom: 1px solid var(--line); white-space: pre; }
th { position: sticky; top: 0; background: var(--paper); font-weight: 600; }
.number { text-align: right; }
pre { background: var(--tint); padding: 12px 14px; border-radius: 6px; overflow-x: auto; font-size: 12.5px; }
@media print {
  :root { color-scheme: light; --paper: #fff; --ink: #000; --quiet: #555; --line: #ccc; --tint: #f5f6f8; }
  main { max-width: none; padding: 0; }
  figure, tr { break-inside: avoid; }
  h2 { break-after: avoid; }
  details:not([open]) { display: none; }
  .plot, .rows, details .rows { overflow: visible; max-height: none; }
}
"""

# A dark page has the same numbers in other colours: only what differs is stored twice.
_SCRIPT = """
const figures = JSON.parse(document.getElementById("figures").textContent);
const dark = window.matchMedia("(prefers-color-scheme: dark)");
function draw(night) {
  figures.forEach((one, index) => {
    const data = one.data.map((trace, i) => night ? Object.assign({}, trace, one.dark[i]) : trace);
    Plotly.react("figure-" + index, data, night ? one.darkLayout : one.layout, one.config);
  });
}
draw(dark.matches);
dark.addEventListener("change", () => draw(dark.matches));
window.addEventListener("beforeprint", () => draw(false));
window.addEventListener("afterprint", () => draw(dark.matches));
"""


def report(results_or_sections: Result | Iterable[Any], path: str | os.PathLike, *, title: str = "Circuit report") -> Path:
    """Write one HTML file that needs nothing else, and return its path.

    Args:
        results_or_sections: A Result, several, or sections: (heading, text, content), where content is a Result, a list of
            Results, a list of rows (dicts) or None. Blank lines in the text part paragraphs; it is shown as it stands.
        path: The file to write; its folder is made, an older file is replaced.
        title: Title of the page.
    Raises:
        BadInput: When a section is none of these, or the file cannot be written.
    """
    page = report_page(results_or_sections, title=title)
    target = Path(path).expanduser()
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(page, encoding="utf-8")
        os.replace(temporary, target)
    except OSError as error:
        raise BadInput(f"path must be a file that can be written; got {target} ({error.strerror or error}).") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    return target


def report_page(results_or_sections: Result | Iterable[Any], *, title: str = "Circuit report") -> str:
    """The text of that file, see `report`."""
    drawn: list[dict[str, Any]] = []
    given = [results_or_sections] if isinstance(results_or_sections, Result) else list(results_or_sections)
    body = [_section(*_as_section(one), drawn) for one in given]
    return _page(title, "\n".join(body), drawn)


def _as_section(one: Any) -> tuple[str, str, Any]:
    if isinstance(one, Result):
        return ("", "", one)
    if isinstance(one, tuple) and len(one) == 3 and isinstance(one[0], str) and isinstance(one[1], str):
        return one
    raise BadInput(f"a section must be a Result or (heading, text, content); got {type(one).__name__}.")


def _section(heading: str, text: str, content: Any, drawn: list[dict[str, Any]]) -> str:
    parts = [f"<h2>{html.escape(heading)}</h2>"] if heading else []
    parts += [f"<p>{html.escape(paragraph.strip())}</p>" for paragraph in text.split("\n\n") if paragraph.strip()]
    items = [content] if isinstance(content, Result) else list(content or [])
    if items and all(isinstance(item, Result) for item in items):
        parts += [_figure(item, drawn) for item in items]
    elif items and all(isinstance(item, Mapping) for item in items):
        columns = list(dict.fromkeys(str(name) for row in items for name in row))
        parts.append(_table(columns, [[row.get(name) for name in columns] for row in items]))
    elif items:
        kinds = ", ".join(sorted({type(item).__name__ for item in items}))
        raise BadInput(f"the content of {heading!r} must be Results or rows (dicts), not both; got {kinds}.")
    return "<section>\n" + "\n".join(parts) + "\n</section>"


def _figure(result: Result, drawn: list[dict[str, Any]]) -> str:
    light, dark = (json.loads(figure(result, theme=theme).to_json()) for theme in THEMES)
    changes = [
        {name: value for name, value in night.items() if value != day.get(name)}
        for day, night in zip(light["data"], dark["data"], strict=True)
    ]
    drawn.append(
        {
            "data": light["data"],
            "layout": light["layout"],
            "dark": changes,
            "darkLayout": dark["layout"],
            "config": _CONFIG,
        }
    )
    shown = averaged(result)
    numbers = table(shown)
    kept = numbers.head(_MOST_ROWS)
    of = f"{len(numbers)} rows" if len(kept) == len(numbers) else f"the first {len(kept)} of {len(numbers)} rows"
    over = "" if shown is result else ", mean over prompts with ± 1 s.e."
    return (
        f'<figure aria-label="{html.escape(result.title)}">\n<div class="plot" id="figure-{len(drawn) - 1}"></div>\n'
        f"<details><summary>Numbers ({of}{over}; unit: {html.escape(result.unit)})</summary>"
        f"{_table([str(name) for name in kept.columns], kept.itertuples(index=False))}</details>\n"
        f"{_about(result)}</figure>"
    )


def averaged(result: Result) -> Result:
    """What the figure shows of scores per prompt: their mean."""
    several = "prompt" in result.values.dims and len(result.values.dims) > 1
    return result.mean("prompt") if isinstance(result, Scores) and several else result


def _about(result: Result) -> str:
    from workbench.dynamics import STUDIES
    from workbench.methods import METHODS

    told = dict(result.notes)
    if result.origin is not None:
        told["origin"] = result.origin.caption()
    rows = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(note)}</dd>" for name, note in told.items())
    # What a panel of a page reads is no method: its code is in the panel's menu.
    called = result.origin is not None and result.origin.method in (*METHODS, *STUDIES)
    code = f"<pre>{html.escape(result.origin.code())}</pre>" if called else ""
    return f"<details><summary>Conventions and origin</summary><dl>{rows}</dl>{code}</details>\n" if told else ""


def _table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    listed = [list(row) for row in rows]
    numeric = [all(is_number(row[i]) or row[i] is None for row in listed) for i in range(len(columns))]
    marks = [' class="number"' if one else "" for one in numeric]
    head = "".join(f"<th{mark}>{html.escape(name)}</th>" for mark, name in zip(marks, columns, strict=True))
    lines = (
        "".join(f"<td{mark}>{html.escape(cell_text(value))}</td>" for mark, value in zip(marks, row, strict=True))
        for row in listed
    )
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    return f'<div class="rows"><table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>'


def is_number(value: Any) -> bool:
    """Whether a cell of a table is a number; a truth value is none."""
    return hasattr(value, "__float__") and not isinstance(value, (str, bool))


def cell_text(value: Any) -> str:
    """A cell of a table as it is shown."""
    if value is None:
        return ""
    if not is_number(value) or hasattr(value, "__index__"):
        return str(value)
    return "not computed" if value != value else f"{float(value):.6g}"


def _page(title: str, body: str, drawn: list[dict[str, Any]]) -> str:
    # In a script element only '<' can end it or begin a comment; as an escape it is the same JSON.
    figures = json.dumps(drawn).replace("<", "\\u003c")
    scripts = (
        f'<script type="application/json" id="figures">{figures}</script>\n'
        f"<script>{get_plotlyjs()}</script>\n<script>{_SCRIPT}</script>\n"
        if drawn
        else ""
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{html.escape(title)}</h1>\n{body}\n</main>\n{scripts}</body>\n</html>\n"
    )
