"""What surrounds every figure: title, what was averaged, caption, margins, size; in pixels, so that nothing overlaps.

Plotly knows no text block under a figure. The caption is an annotation below the plot area at a distance that this
module reckons from the tick labels and the axis title above it.
"""

from collections.abc import Sequence

import plotly.graph_objects as go

from workbench.errors import at_least
from workbench.plots import text
from workbench.plots.theme import tone
from workbench.result import Result

Pair = tuple[int | float, int | float]
Box = tuple[Pair, Pair]

EDGE = 14
LEAST_WIDTH = 440
# A caption needs so much.
LEAST_ASKED = 320
_TITLE, _SUBTITLE, _CAPTION = 16, 12, 10.5
_LINE = 1.35
_SAID_ELSEWHERE = ("warning", "nan", "sign", "x", "unit", "range", "interval", "effect")
# Figures of two axes name these on them.
_AXES = ("first", "second")


def caption(result: Result, gaps: str = "") -> str:
    """All that is said under a figure: warnings, why cells are missing, further notes, convention and Origin."""
    said = []
    if "warning" in result.notes:
        said.append(f"Warning: {result.notes['warning']}")
    if gaps:
        said.append(f"{gaps}: {result.notes.get('nan', 'no reason given')}")
    elsewhere = _SAID_ELSEWHERE + (_AXES if "second" in result.notes else ())
    said += [f"{name.capitalize()}: {note}" for name, note in result.notes.items() if name not in elsewhere]
    said.append(result.caption())
    return "\n".join(line for line in said if line)


def check_width(width: int | float | None) -> None:
    """BadInput for a width too small for a caption."""
    if width is not None:
        at_least("width", width, LEAST_ASKED)


def place(row: int, column: int, panel: Pair, gap: Pair, plot: Pair) -> Box:
    """Where a panel of a row of panels lies in the plot area: its ends across and up, as plotly's domains.

    Args:
        row: 0 at the top.
        column: 0 at the left.
        panel: Width and height of a panel in pixels.
        gap: Pixels between panels, across and up.
        plot: Width and height of the plot area.
    """
    x = column * (panel[0] + gap[0]) / plot[0]
    y = 1 - row * (panel[1] + gap[1]) / plot[1]
    return (x, min(1.0, x + panel[0] / plot[0])), (max(0.0, y - panel[1] / plot[1]), y)


def frame(
    fig: go.Figure,
    result: Result,
    *,
    theme: str,
    plot: Pair,
    left: int | float,
    right: int | float,
    below: int | float,
    width: int | float | None = None,
    above: int | float = 0,
    subtitle: Sequence[str] = (),
    gaps: str = "",
) -> go.Figure:
    """Give `fig` its title, caption, margins and size, and return it.

    Args:
        fig: The figure with its traces and axes.
        result: What it shows.
        theme: 'light' or 'dark'.
        plot: Width and height of the plot area in pixels.
        left: Pixels for labels left of it.
        right: Pixels for a legend or colour bar right of it.
        below: Pixels for tick labels and axis title.
        width: Pixels of the whole figure, or None for what the plot needs.
        above: Pixels for headings of panels.
        subtitle: What was averaged, reduced or chosen; one line each.
        gaps: What missing numbers look like, for the caption to say why; '' where none are missing.
    """
    of = tone(theme)
    width = max(left + plot[0] + right, width or LEAST_WIDTH)
    right = width - left - plot[0]
    inside = width - 2 * EDGE
    title, title_lines = text.block(result.title, inside, 1.12 * _TITLE)
    under, under_lines = text.block("\n".join(subtitle), inside, _SUBTITLE) if subtitle else ("", 0)
    head = EDGE + _LINE * _TITLE * title_lines
    top = head + _LINE * _SUBTITLE * under_lines + 12 + above
    said, said_lines = text.block(caption(result, gaps), inside, _CAPTION)
    bottom = below + 12 + _LINE * _CAPTION * said_lines + EDGE
    height = top + plot[1] + bottom
    fig.update_layout(
        template=f"workbench-{theme}",
        width=round(width),
        height=round(height),
        margin={"l": left, "r": right, "t": top, "b": bottom, "pad": 0},
        title={
            "text": f"<b>{title}</b>",
            "font": {"size": _TITLE},
            "x": EDGE / width,
            "xanchor": "left",
            # Plotly places the baseline of the first line there, and of a title of one line otherwise than of two.
            "y": 1 - (EDGE + 0.75 * _TITLE) / height,
            "yanchor": "bottom",
        },
    )
    beside = {"align": "left", "showarrow": False, "borderpad": 0, "xref": "paper", "yref": "paper"}
    beside |= {"x": 0, "xanchor": "left", "xshift": EDGE - left, "yanchor": "top"}
    if subtitle:
        font = {"size": _SUBTITLE, "color": of.quiet}
        fig.add_annotation(name="subtitle", text=under, font=font, y=1, yshift=top - head, **beside)
    font = {"size": _CAPTION, "color": of.quiet}
    fig.add_annotation(name="caption", text=said, font=font, y=0, yshift=-below - 12, **beside)
    return fig
