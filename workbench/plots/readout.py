"""Figures of Readouts: a table of top tokens, coloured by their probability."""

from collections.abc import Mapping
from itertools import product

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from workbench.errors import one_of, within
from workbench.plots import text
from workbench.plots.axis import Axis, axis
from workbench.plots.grid import TALLEST, grid
from workbench.plots.panel import Panel, Scale
from workbench.plots.theme import colours, tone
from workbench.plots.view import plane
from workbench.result import Readout

_LONGEST = 14


def readout(
    result: Readout,
    *,
    theme: str = "light",
    width: int | float | None = None,
    palette: str | None = None,
    at: Mapping[str, int] | None = None,
    by: str | None = None,
    tall: int | float = TALLEST,
) -> go.Figure:
    """A table of tokens: the likeliest in each cell, coloured by its probability or cosine; hovering shows the others.

    With one dim besides 'rank' the ranks stand side by side.

    Args:
        result: The readout.
        theme: 'light' or 'dark'.
        width: Pixels of the whole figure, 320 or more; None for what it needs.
        palette: A sequential name in PALETTES.
        at: Which index to show of dims beyond two, by dim; the first where not given.
        by: A part over the cells to colour by in place of the probability: 'kl', or 'answer_rank' on a log scale, whose
            number then stands in each cell; hovering still shows the tokens.
        tall: Pixels of a table with many rows.
    Raises:
        BadInput: When `by` is no such part, or `at` names no dim or index of this result.
    """
    if by is not None:
        return measured(result, by, theme=theme, width=width, palette=palette, tall=tall)
    values, tokens, said = _chosen(result, dict(at or {}))
    # Cosines of single directions are small: their colours end at the largest.
    limit = 1.0 if result.unit in ("", "probability") else None
    scale = Scale(
        colours(palette or "pale-blues", "sequential", theme), result.unit or "probability", centred=False, limit=limit
    )
    dims = [dim for dim in values.dims if dim != "rank"]
    if len(dims) < 2:
        rows, columns = (dims[0] if dims else "rank"), "rank"
        if not dims:
            values, tokens, rows = values.expand_dims("cell"), tokens.expand_dims("cell"), "cell"
        numbers, words = values.transpose(rows, "rank").values, tokens.transpose(rows, "rank").values
        hover = _ranks(axis(values, rows), numbers, words)
    else:
        rows, columns = plane(dims)
        ranked = values.transpose(rows, columns, "rank").values, tokens.transpose(rows, columns, "rank").values
        hover = _tops(axis(values, rows), axis(values, columns), *ranked, result.notes.get("nan", ""))
        numbers, words = ranked[0][..., 0], ranked[1][..., 0]
    across = axis(values, columns)
    # In a figure of a given width as many letters as a cell has room for.
    room = _LONGEST if width is None else int((width - axis(values, rows).widest - 148) / len(across) / 7)
    cells = [[text.token(word, max(1, min(_LONGEST, room))) for word in row] for row in words]
    shown = [text.visible(str(word))[:_LONGEST] for row in words for word in row]
    wide = min(112.0, max(44.0, max(text.extent(word, 11) for word in shown) + 10))
    return grid(
        result,
        [Panel("", numbers, hover, cells, None if palette else tone(theme).ink)],
        axis(values, rows),
        across,
        scale,
        subtitle=said,
        theme=theme,
        width=width if width is not None else _room(wide, len(across), axis(values, rows)),
        cell=(wide, 26),
        tall=tall,
    )


def measured(
    result: Readout, by: str, *, theme: str, width: int | float | None, palette: str | None, tall: int | float
) -> go.Figure:
    """The table coloured by a part over its cells; ranks by their logarithm, with the rank in the cell."""
    one_of("by", by, [name for name, part in result.parts.items() if part.dims == result.values.dims[:-1]])
    rows, columns = plane(list(result.values.dims[:-1]))
    numbers = result.parts[by].transpose(rows, columns).values
    up, across = axis(result.values, rows), axis(result.values, columns)
    ranked = by == "answer_rank"
    ordered = (rows, columns, "rank")
    hover = _tops(up, across, result.values.transpose(*ordered).values, result.parts["token"].transpose(*ordered).values, "")
    name = "rank of the answer" if ranked else f"{by.upper()}, nats" if by == "kl" else by
    told = [[f"{name}: {number:,.0f}" if ranked else f"{name}: {number:.4g}" for number in row] for row in numbers]
    hover = [
        [f"<b>{text.safe(one)}</b><br>{other}" for one, other in zip(*both, strict=True)]
        for both in zip(told, hover, strict=True)
    ]
    scale = Scale(colours(palette or "pale-blues", "sequential", theme), name, centred=False, log=ranked)
    across_room = 44.0 if width is None else (width - up.widest - 148) / len(across)
    readable = tall / len(up) >= 13 and across_room >= 30
    cells = [[_short(number, ranked) for number in row] for row in numbers] if readable else None
    return grid(
        result,
        [Panel("", numbers, hover, cells, None if palette else tone(theme).ink)],
        up,
        across,
        scale,
        theme=theme,
        width=width if width is not None else _room(44, len(across), up),
        cell=(44, 26),
        tall=tall,
    )


def _short(number: float, whole: bool) -> str:
    """A number as it fits in a narrow cell."""
    if whole:
        return f"{number:.0f}" if number < 1000 else f"{number / 1000:.0f}k"
    return f"{number:.1f}" if number < 100 else f"{number:.0f}"


def _room(cell: int | float, columns: int, rows: Axis) -> float:
    """A width in which every token can be read."""
    return max(440.0, rows.widest + 44 + cell * columns + 104)


def _chosen(result: Readout, at: dict[str, int]) -> tuple[xr.DataArray, xr.DataArray, list[str]]:
    """Probabilities and tokens of at most two dims and 'rank', and what was chosen of the others."""
    values, tokens, said = result.values, result.parts["token"].transpose(*result.values.dims), []
    for dim in at:
        one_of("at", dim, [dim for dim in values.dims if dim != "rank"])
    grid_dims = [dim for dim in values.dims if dim not in ("rank", *at)]
    kept = [dim for dim in ("layer", "pos", *grid_dims) if dim in grid_dims]
    kept = list(dict.fromkeys(kept))[:2]
    for dim in [dim for dim in values.dims if dim not in (*kept, "rank")]:
        count, index = values.sizes[dim], at.get(dim, 0)
        within(f"at[{dim!r}]", index, 0, count)
        said.append(f"{axis(values, dim).about[index]} ({index + 1} of {count})")
        values, tokens = values.isel({dim: index}), tokens.isel({dim: index})
    return values, tokens, said


def _tops(rows: Axis, columns: Axis, numbers: np.ndarray, words: np.ndarray, reason: str) -> list[list[str]]:
    up, across = (list(map(text.safe, one.about)) for one in (rows, columns))
    hover = [[""] * len(across) for _ in up]
    for i, j in product(range(len(up)), range(len(across))):
        lines = [up[i], across[j]]
        if np.isnan(numbers[i, j, 0]):
            lines.append(text.safe(f"not computed: {reason}"))
        else:
            lines += [f"{p:.3f}  {text.token(word)}" for p, word in zip(numbers[i, j], words[i, j], strict=True)]
        hover[i][j] = "<br>".join(lines)
    return hover


def _ranks(rows: Axis, numbers: np.ndarray, words: np.ndarray) -> list[list[str]]:
    return [
        [f"{text.safe(rows.about[i])}<br>rank {j}<br>{numbers[i, j]:.3f}  {text.token(word)}" for j, word in enumerate(row)]
        for i, row in enumerate(words)
    ]
