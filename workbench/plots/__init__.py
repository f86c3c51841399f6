"""Figures and tables of Results, by kind: pure functions that return plotly figures and show nothing.

Every figure has an exact size, its caption under it, and one bar of tools without uploads. Traces and attributes are
those of plotly.js 3.1, which Panel carries.
"""

import inspect
from collections.abc import Callable
from typing import Any

import plotly.graph_objects as go

from workbench.errors import BadInput, one_of
from workbench.plots.circuit import circuit
from workbench.plots.curve import curve
from workbench.plots.readout import readout
from workbench.plots.scatter import scatter
from workbench.plots.scores import scores
from workbench.plots.table import heads_table, rows, table
from workbench.plots.theme import PALETTES, THEMES
from workbench.result import Result, kind_of

__all__ = ["FIGURES", "PALETTES", "THEMES", "figure", "heads_table", "options", "rows", "scatter", "table"]

FIGURES: dict[str, Callable[..., go.Figure]] = {"scores": scores, "curve": curve, "readout": readout, "circuit": circuit}


def figure(result: Result, **given: Any) -> go.Figure:
    """The figure of `result`.

    Args:
        result: Any kind in FIGURES.
        given: Options of that kind's figure; all kinds take `theme` ('light' or 'dark') and `width` (pixels).
    Raises:
        BadInput: When the result is empty or of no such kind, or an option does not fit it.
    """
    kind = kind_of(result)
    one_of("the kind of result", kind, FIGURES)
    if not result.values.size:
        raise BadInput(f"the result {result.title!r} must hold a number to be drawn; got {dict(result.values.sizes)}.")
    for name in given:
        one_of(f"an option of the figure of {kind}", name, options(result))
    return FIGURES[kind](result, **given)


def options(result: Result) -> list[str]:
    """The names of the options that `figure(result)` takes."""
    return list(inspect.signature(FIGURES[kind_of(result)]).parameters)[1:]
