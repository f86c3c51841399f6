"""The components of one writer: how much of each the reader reads, by the weights, and what each does, below it."""

import numpy as np
import plotly.graph_objects as go

from workbench.errors import BadInput, within
from workbench.plots import text
from workbench.plots.frame import check_width, frame
from workbench.plots.theme import tone
from workbench.result import Scores

_HIGH, _GAP = 150, 26


def components(result: Scores, row: int, *, theme: str = "light", width: int | float | None = None) -> go.Figure:
    """Bars over the components of the writer of one of the result's channels; its own component stands out.

    Args:
        result: Scores over channel with parts 'components' and 'composition' over (row, component).
        row: Which channel, from 0.
        theme: 'light' or 'dark'.
        width: Pixels of the whole figure, or None.
    Raises:
        BadInput: When the result has no such parts or row.
    """
    check_width(width)
    if not {"components", "composition"} <= set(result.parts):
        raise BadInput(f"row must be None for a result without components; got {row} for {result.title!r}.")
    within("row", row, 0, result.parts["components"].sizes["row"])
    effect, score = (result.parts[name].isel(row=row) for name in ("components", "composition"))
    name, unit = str(effect["row"].values), result.notes.get("effect", result.unit)
    numbers = effect["component"].values
    best = int(name.partition(" ")[0].split(".")[2])
    of = tone(theme)
    fig = go.Figure()
    panels = (("composition score", score.values, "y"), (unit, effect.values, "y2"))
    for title, values, axis in panels:
        colour = [of.high if number == best else of.low for number in numbers]
        hover = [
            f"component {number}<br>{text.safe(title)}: {value:+.4g}" for number, value in zip(numbers, values, strict=True)
        ]
        fig.add_trace(
            go.Bar(
                x=numbers, y=values, marker={"color": colour, "line": {"width": 0}}, hovertext=hover, hoverinfo="text",
                xaxis="x", yaxis=axis, name=text.safe(title), meta=title,
            )
        )  # fmt: skip
    high = 2 * _HIGH + _GAP
    fig.update_layout(
        xaxis={"title": {"text": "component"}, "anchor": "y2", "showgrid": False, "range": [-0.8, len(numbers) - 0.2]},
        yaxis={"title": {"text": "composition score"}, "domain": [1 - _HIGH / high, 1], "nticks": 4, "automargin": "left"},
        yaxis2={
            "title": {"text": text.safe(unit)}, "domain": [0, _HIGH / high], "nticks": 4, "automargin": "left",
            "zeroline": True, "zerolinecolor": of.quiet,
        },
        bargap=0.2, showlegend=False, meta={"rows": "component", "row": row},
    )  # fmt: skip
    said = [f"{name}: {_share(effect.values)}"]
    plot = (640.0 if width is None else max(200.0, width - 84 - 20), high)
    return frame(fig, result, theme=theme, plot=plot, left=84, right=20, below=44, width=width, subtitle=said)


def _share(values: np.ndarray) -> str:
    """How much stronger the strongest is than the next."""
    first, second = np.sort(values)[::-1][:2] if len(values) > 1 else (values[0], 0.0)
    return f"the strongest component has {first:.3g}, the next {second:.3g}"
