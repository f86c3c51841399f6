"""The filter of the table of heads: names of heads, and bounds on columns, as one types them."""

import operator
import re
from collections.abc import Callable

import numpy as np

from workbench.errors import BadInput, one_of
from workbench.views.heads_table import HeadsTable

EXAMPLE = "23.  or  9.6, 9.9  or  layer>=20; induction>0.5"
_BOUND = re.compile(r"(?P<name>[^<>=≥≤]+?)\s*(?P<sign>>=|<=|≥|≤|>|<|=)\s*(?P<number>[-−]?(?:\d{1,9}(?:\.\d{1,9})?|\.\d{1,9}))")
# No digit can be read in two ways: else a long list that is none would be tried in all of them, for years.
_HEADS = re.compile(r"\d{1,4}(?:\.\d{0,4})?(?:[\s,]+\d{1,4}(?:\.\d{0,4})?)*")
_SIGNS: dict[str, Callable] = {
    ">=": operator.ge, "≥": operator.ge, "<=": operator.le, "≤": operator.le,
    ">": operator.gt, "<": operator.lt, "=": operator.eq,
}  # fmt: skip


def narrowed(table: HeadsTable, text: str) -> np.ndarray:
    """Which heads a filter lets through: all of its parts must hold, parts stand between ';'.

    A part is one or several heads ('9.6, 9.9') or layers ('23' or '23.'), or a bound on a column ('induction>0.5',
    'layer>=20', also with the first letters of its name). A missing number is within no bound.

    Raises:
        BadInput: When a part is none of these.
    """
    shown = np.ones(len(table), dtype=bool)
    for part in filter(None, (part.strip() for part in re.split(r";|&|\band\b", text))):
        if _HEADS.fullmatch(part):
            shown &= _of_heads(table, part)
            continue
        bound = _BOUND.fullmatch(part)
        if bound is None:
            raise BadInput(f"the filter must be heads or bounds, as in '{EXAMPLE}'; got {part[:60]!r}.")
        values = table.frame[_column(table, bound["name"])].to_numpy(dtype=float)
        with np.errstate(invalid="ignore"):
            shown &= _SIGNS[bound["sign"]](values, float(bound["number"].replace("−", "-")))
    return shown


def _of_heads(table: HeadsTable, part: str) -> np.ndarray:
    shown = np.zeros(len(table), dtype=bool)
    for name in re.split(r"[\s,]+", part):
        layer, _, head = name.partition(".")
        of_layer = table.frame["layer"].to_numpy() == int(layer)
        shown |= of_layer & (table.frame["head"].to_numpy() == int(head)) if head else of_layer
    return shown


def _column(table: HeadsTable, text: str) -> str:
    """The column of a name, or of the first letters of one."""
    names = {"layer": "layer", "head": "head"}
    names |= {said.lower(): column.name for column in table.columns.values() for said in (column.label, column.name)}
    asked = " ".join(text.lower().split())
    if asked in names:
        return names[asked]
    near = {name for said, name in names.items() if said.startswith(asked)}
    if len(near) == 1:
        return near.pop()
    if near:
        raise BadInput(f"the filter must name one column; got {text[:40]!r}, which begins {', '.join(sorted(near))}.")
    one_of("the column of a filter", asked[:40], names)
    return asked
