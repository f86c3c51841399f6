"""Paths through the layers in the plane of two principal components, as 'trajectories' returns them."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from workbench.plots import text
from workbench.plots.axis import axis
from workbench.plots.frame import check_width, frame
from workbench.plots.theme import SERIES, colours, tone
from workbench.result import Scores

_LEGEND = 150
_TALL = 340


def paths(result: Scores) -> bool:
    """Whether these are paths over layers in components whose share of the variance is known."""
    return {"component", "layer"} <= set(result.values.dims) and "variance" in result.parts and len(result.values.dims) == 3


def trajectories(result: Scores, *, theme: str = "light", width: int | float | None = None) -> go.Figure:
    """A line for each token, or each prompt's end, from the first layer to the last, where it ends in a larger dot.

    Tokens take colours by their position, prompts by their right answer. Trace i is path i and its point l is layer l;
    `figure.layout.meta` says so.

    Args:
        result: Scores over (component, layer, pos or prompt) with a part 'variance'.
        theme: 'light' or 'dark'.
        width: Pixels of the whole figure, or None.
    """
    check_width(width)
    dim = next(name for name in result.values.dims if name not in ("component", "layer"))
    values = result.values.transpose("component", dim, "layer").values
    along = axis(result.values, dim)
    answers = [str(word) for word in result.parts["answer"].values] if "answer" in result.parts else None
    inks, named = _by_answer(answers, theme) if answers else _by_place(along.labels, theme)
    second = values[1] if len(values) > 1 else np.zeros_like(values[0])
    layer_names = axis(result.values, "layer").about
    fig = go.Figure()
    for index, about in enumerate(along.about):
        said = text.safe(about) + (f"<br>answer “{text.token(answers[index])}”" if answers else "")
        hover = [f"{said}<br>{layer}" + "<br>output" * (layer == layer_names[-1]) for layer in layer_names]
        sizes = [4] * (len(layer_names) - 1) + [10]
        fig.add_trace(
            go.Scatter(
                x=values[0, index],
                y=second[index],
                mode="lines+markers",
                hovertext=hover,
                hoverinfo="text",
                showlegend=False,
                line={"color": inks[index], "width": 1.5},
                marker={"size": sizes, "color": inks[index]},
                opacity=0.85,
                name=text.safe(along.labels[index]),
            )
        )
    for label, ink in named:
        mark = {"size": 9, "color": ink}
        fig.add_trace(go.Scatter(x=[None], y=[None], mode="markers", marker=mark, name=text.token(label, 18), showlegend=True))
    shares = result.parts["variance"].values
    titles = [_title(index, shares) for index in range(2)]
    left = 70
    across = 520.0 if width is None else max(120.0, width - left - _LEGEND)
    fig.update_layout(
        meta={"paths": dim, "points": "layer"},
        xaxis={"title": {"text": titles[0]}, "zeroline": False},
        yaxis={"title": {"text": titles[1]}, "zeroline": False},
        hovermode="closest",
        legend={"x": 1.01, "xanchor": "left", "y": 1, "yanchor": "top", "font": {"size": 11}, "itemclick": False},
    )
    said = "from the first layer (small dots) to the output (large); colour: " + ("right answer" if answers else "position")
    return frame(
        fig, result, theme=theme, plot=(across, _TALL), left=left, right=_LEGEND, below=46, width=width, subtitle=[said]
    )  # fmt: skip


def _title(index: int, shares: np.ndarray) -> str:
    if index >= len(shares):
        return "no second component"
    share = shares[index]
    return f"component {index + 1}" + (f" ({share:.0%} of the variance)" if share == share else " (no variance)")


def _by_place(labels: Sequence[str], theme: str) -> tuple[list[str], list[tuple[str, str]]]:
    """Colours from first to last, and a few of them with their labels for the legend."""
    count = len(labels)
    # The ends of the scale are lost on one of the two pages.
    low, high = (0.0, 0.8) if theme == "light" else (0.2, 1.0)
    inks = sample_colorscale(colours("viridis", "sequential", theme), np.linspace(low, high, count).tolist())
    shown = range(count) if count <= 14 else np.unique(np.linspace(0, count - 1, 12).astype(int)).tolist()
    return inks, [(f"{index} {labels[index]}", inks[index]) for index in shown]


def _by_answer(answers: Sequence[str], theme: str) -> tuple[list[str], list[tuple[str, str]]]:
    """A colour for each of the commonest answers, grey for the rest."""
    common = [word for word, _ in Counter(answers).most_common()]
    ink = dict(zip(common, SERIES[:6], strict=False))
    grey = tone(theme).quiet
    named = list(ink.items()) + ([(f"{len(common) - 6} others", grey)] if len(common) > 6 else [])
    return [ink.get(word, grey) for word in answers], named
