"""One HTML file of headings, text, figures and tables that opens anywhere with the network off.

plotly.js stands in it once, the figures' data as JSON, everything else as plain HTML and CSS. Every text is escaped: a
prompt that holds a tag is shown, not obeyed.
"""

import html
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from plotly.offline import get_plotlyjs

from workbench.errors import BadInput
from workbench.plots import THEMES, figure, table
from workbench.result import Result

Content = Result | Sequence[Result] | Sequence[Mapping[str, Any]] | None
Section = tuple[str, str, Content]

_CONFIG = {"displaylogo": False, "modeBarButtonsToRemove": ["sendChartToCloud"]}
_MOST_ROWS = 5000

_STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1f2328; --quiet: #59636e; --line: #d8dce1; --tint: #f5f6f8; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #17191d; --ink: #e6e8eb; --quiet: #a3abb5; --line: #363b42; --tint: #202328; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); line-height: 1.55;
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, "Noto Sans", sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 48px 28px 80px; }
h1 { font-size: 30px; line-height: 1.2; margin: 0 0 32px; letter-spacing: -0.01em; }
h2 { font-size: 21px; line-height: 1.3; margin: 56px 0 10px; padding-top: 20px; border-top: 1px solid var(--line); }
p { max-width: 72ch; margin: 0 0 14px; white-space: pre-line; }
figure { margin: 24px 0 32px; }
.plot { overflow-x: auto; }
.dark { display: none; }
@media (prefers-color-scheme: dark) { .light { display: none; } .dark { display: block; } }
figcaption, dl { font-size: 13px; color: var(--quiet); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 14px; margin: 6px 0 10px; }
dt { font-weight: 600; }
dd { margin: 0; overflow-wrap: anywhere; }
details { font-size: 13px; margin-top: 6px; }
summary { cursor: pointer; color: var(--quiet); }
.rows { overflow: auto; max-height: 420px; margin-top: 8px; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { padding: 3px 14px 3px 0; text-align: left; border-bottom: 1px solid var(--line); white-space: pre; }
th { position: sticky; top: 0; background: var(--paper); font-weight: 600; }
td.n, th.n { text-align: right; }
pre { background: var(--tint); padding: 12px 14px; border-radius: 6px; overflow-x: auto; font-size: 12.5px; }
@media print {
  main { max-width: none; padding: 0; }
  h2, figure { break-inside: avoid; break-after: avoid; }
  details:not([open]) { display: none; }
  .rows { max-height: none; }
}
"""

_SCRIPT = """
const figures = JSON.parse(document.getElementById("figures").textContent);
const dark = window.matchMedia("(prefers-color-scheme: dark)");
function draw() {
  const theme = dark.matches ? "dark" : "light";
  figures.forEach((one, index) => {
    Plotly.react("figure-" + index, one[theme].data, one[theme].layout, one.config);
  });
}
draw();
dark.addEventListener("change", draw);
"""
