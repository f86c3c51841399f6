"""Bring scores of many dims down to two and a row of panels, and say what was done: no dim is dropped in silence."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from workbench.errors import BadInput, one_of, within
from workbench.plots import text
from workbench.plots.axis import axis
from workbench.result import Scores

_PANEL_DIMS = ("site", "measure", "metric", "item", "detector", "step")
_REDUCED_FIRST = ("pos", "head", "component")
_MOST_PANELS = 12


@dataclass(frozen=True)
class View:
    """Scores as they are drawn.

    Attributes:
        scores: What is left of them.
        said: What was averaged, reduced or chosen; a line each, not safe.
        places: Where the shown cell was found along the dims that were reduced, over what is left; not safe.
        error: What the interval is.
    """

    scores: Scores
    said: list[str] = field(default_factory=list)
    places: np.ndarray | None = None
    error: str = ""


def averaged(result: Scores, prompt: str | int) -> View:
    """The mean over 'prompt', or one prompt by its index; the scores themselves where prompts are their only dim."""
    error = result.notes.get("interval", "")
    if "prompt" not in result.values.dims or result.values.dims == ("prompt",):
        return View(result, error=error)
    count = result.values.sizes["prompt"]
    if isinstance(prompt, str):
        one_of("prompt", prompt, ["mean"])
        with warnings.catch_warnings():
            # A cell that is missing in every prompt stays missing; its reason stands in the caption.
            warnings.simplefilter("ignore", RuntimeWarning)
            mean = result.mean("prompt")
        return View(mean, [f"mean over {count} prompts"], error="s.e." if count > 1 else "")
    within("prompt", prompt, 0, count)
    return View(_select(result, "prompt", prompt), [f"prompt {prompt} of 0 to {count - 1}"], error=error)


def flattened(view: View, over: str | Sequence[str] | None, facet: str | None) -> View:
    """A View of at most two dims and a dim of panels.

    Args:
        view: What there is.
        over: Dims to reduce to the number that is largest in size, or None for as few as needed.
        facet: The dim to make panels of, or None for the most fitting.
    """
    dims = view.scores.values.dims
    wanted = [over] if isinstance(over, str) else list(over or ())
    for dim in wanted:
        one_of("over", dim, dims)
    if facet is not None:
        one_of("facet", facet, [dim for dim in dims if dim not in wanted])
    said = list(view.said)
    scores = view.scores
    for dim in dims:
        if scores.values.sizes[dim] == 1 and len(scores.values.dims) > 2 and dim not in (*wanted, "layer", facet):
            said.append(axis(scores.values, dim).about[0])
            scores = _select(scores, dim, 0)
    wanted += [] if over is not None else _needed(scores.values, facet)
    view = View(scores, said, view.places, view.error)
    return _largest(view, wanted) if wanted else view


def panel_dim(values: xr.DataArray, facet: str | None) -> str | None:
    """The dim that becomes panels, if any: `facet`, or the third of three."""
    if facet is not None:
        return facet
    if len(values.dims) < 3:
        return None
    named = [dim for dim in _PANEL_DIMS if dim in values.dims]
    if named:
        return named[0]
    rows, columns = plane([dim for dim in values.dims])
    return next(dim for dim in values.dims if dim not in (rows, columns))


def plane(dims: Sequence[str]) -> tuple[str, str]:
    """Which dim goes up and which across."""
    rows = "layer" if "layer" in dims else dims[0]
    rest = [dim for dim in dims if dim != rows]
    return rows, next((dim for dim in ("pos", "head", "component") if dim in rest), rest[0])


def _needed(values: xr.DataArray, facet: str | None) -> list[str]:
    """The fewest dims to reduce until two and a dim of at most 12 panels are left."""
    left, needed = list(values.dims), []
    while len(left) > 2:
        kept = values.isel({dim: 0 for dim in needed}, drop=True)
        panels = panel_dim(kept, facet)
        if len(left) == 3 and (facet is not None or values.sizes[panels] <= _MOST_PANELS):
            break
        choices = [dim for dim in left if dim not in (*_PANEL_DIMS, "layer", facet)] or [d for d in left if d != facet]
        dim = next((dim for dim in _REDUCED_FIRST if dim in choices), choices[-1])
        needed.append(dim)
        left.remove(dim)
    return needed


def _select(scores: Scores, dim: str, index: int) -> Scores:
    arrays = (scores.values, scores.lower, scores.upper)
    values, lower, upper = (None if array is None else array.isel({dim: index}, drop=True) for array in arrays)
    return scores.replace(values=values, lower=lower, upper=upper)


def _largest(view: View, over: list[str]) -> View:
    """Along the dims `over`, the one number that is largest in size, with its sign, its interval and its place."""
    values = view.scores.values
    left = [dim for dim in values.dims if dim not in over]
    over = [dim for dim in values.dims if dim in over]
    if not left:
        raise BadInput(f"over must leave a dim of {', '.join(values.dims)}; got all of them.")
    sizes = [values.sizes[dim] for dim in over]
    coords = {name: coord for name, coord in values.coords.items() if not set(coord.dims) & set(over)}

    def flat(array: xr.DataArray) -> np.ndarray:
        ordered = array.transpose(*left, *over).values
        return ordered.reshape(*ordered.shape[: len(left)], math.prod(sizes))

    size = np.abs(flat(values))
    best = np.where(np.isnan(size), -1, size).argmax(axis=-1)[..., None]

    def pick(array: xr.DataArray | None) -> xr.DataArray | None:
        if array is None:
            return None
        return xr.DataArray(np.take_along_axis(flat(array), best, -1)[..., 0], dims=left, coords=coords)

    axes = [axis(values, dim).about for dim in over]
    names = np.array([" · ".join(parts) for parts in _product(axes)], dtype=object)
    scores = view.scores.replace(values=pick(values), lower=pick(view.scores.lower), upper=pick(view.scores.upper))
    said = [*view.said, f"largest by size over {' and '.join(over)}"]
    return View(scores, said, names[best[..., 0]], view.error)


def _product(axes: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [()]
    for about in axes:
        rows = [(*row, one) for row in rows for one in about]
    return rows


def cell(value: int | float, unit: str, low: int | float | None, high: int | float | None, error: str, reason: str) -> str:
    """A number with its unit and interval as a line of a hover; safe."""
    if value != value:
        return text.safe(f"not computed: {reason}")
    line = f"<b>{value:+.4g}</b> {text.safe(unit)}"
    if low is None or high is None or low != low or high != high:
        return line
    name = f" {text.safe(error)}" if error else ""
    if math.isclose(high - value, value - low, rel_tol=1e-3, abs_tol=1e-12):
        return f"{line}<br>± {high - value:.3g}{name}"
    return f"{line}<br>{low:.4g} to {high:.4g}{name}"
