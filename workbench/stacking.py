"""Results of one method at several steps of training, as one result along 'step'."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from workbench.errors import BadInput
from workbench.result import Curve, Readout, Result, Scores


def stack(results: Mapping[int, Result]) -> Result:
    """Put results of one method along 'step', the first dim; a Curve over it where each result is a single list of numbers.

    Args:
        results: By step. They agree in method, parameters and every label of their dims.
    Returns:
        A Curve ('series', 'step') of Scores over one dim, else Scores or a Readout ('step', …); of Circuits the scores of
        their edges. Parts are stacked likewise where all have them alike, and left out otherwise. Notes are those that all
        share. The Origin is left to the caller.
    Raises:
        BadInput: When there are fewer than two, or they are of different methods, parameters, tasks, units or cells.
    """
    if len(results) < 2:
        raise BadInput(f"results to stack must be at least 2; got {len(results)}.")
    steps = sorted(results)
    ordered = [results[step] for step in steps]
    first = ordered[0]
    for step, one in zip(steps, ordered, strict=True):
        _check(step, one, first)
    grid = xr.DataArray(steps, dims="step", coords={"step": steps}, name="step")
    notes = {name: note for name, note in first.notes.items() if all(one.notes.get(name) == note for one in ordered)}
    reasons = dict.fromkeys(one.notes["nan"] for one in ordered if "nan" in one.notes)
    if reasons:
        notes["nan"] = "; ".join(reasons)
    arrays = {"values": _along([one.values for one in ordered], grid)}
    for end in ("lower", "upper"):
        ends = [getattr(one, end) for one in ordered]
        arrays[end] = None if any(one is None for one in ends) else _along(ends, grid)
    shared = set.intersection(*(set(one.parts) for one in ordered))
    parts = {}
    for name in sorted(shared):
        several = [one.parts[name] for one in ordered]
        if all(_alike(one, several[0]) and "step" not in one.dims for one in several):
            parts[name] = _along(several, grid)
    if first.values.ndim == 1 and isinstance(first, Scores):
        (dim,) = first.values.dims
        lines = {
            name: None if array is None else array.rename({dim: "series"}).transpose("series", "step")
            for name, array in arrays.items()
        }
        return Curve(first.title, first.unit, **lines, parts=parts, notes={**notes, "x": "steps of training"})
    kind = Readout if isinstance(first, Readout) else Scores
    return kind(first.title, first.unit, **arrays, parts=parts, notes=notes)


def _check(step: int, one: Result, first: Result) -> None:
    asked = [_asked(result) for result in (first, one)]
    for name in asked[0]:
        if asked[0][name] != asked[1][name]:
            raise BadInput(f"results to stack must be of one {name}; got {asked[0][name]!r} and {asked[1][name]!r}.")
    if "step" in one.values.dims:
        raise BadInput("results to stack must be of one step each; got one that has steps already.")
    if not _alike(one.values, first.values):
        wrong = [dim for dim in first.values.dims if not _same_labels(one.values, first.values, dim)] or ["its dims"]
        raise BadInput(
            f"results to stack must have the same cells; at step {step} {', '.join(map(str, wrong))} differs. Fix the "
            "parameters that choose them."
        )


def _asked(result: Result) -> dict[str, Any]:
    """What results must have in common: all but the model, and what its checkpoints make different."""
    told: dict[str, Any] = {"kind": result.kind, "unit": result.unit}
    if result.origin is not None:
        origin = result.origin
        told |= {"method": origin.method, "task": origin.task, "parameters": dict(origin.params)}
        told["options of the task"] = dict(origin.task_params)
    return told


def _alike(one: xr.DataArray, other: xr.DataArray) -> bool:
    """Whether two arrays have the same dims and labels."""
    return one.dims == other.dims and all(_same_labels(one, other, dim) for dim in one.dims)


def _same_labels(one: xr.DataArray, other: xr.DataArray, dim: str) -> bool:
    if dim not in one.dims or one.sizes[dim] != other.sizes[dim]:
        return False
    labels = [array.coords[dim].values if dim in array.coords else np.arange(array.sizes[dim]) for array in (one, other)]
    return bool((labels[0] == labels[1]).all())


def _along(arrays: list[xr.DataArray], grid: xr.DataArray) -> xr.DataArray:
    """Arrays of the same labels along the steps; what stands beside a dim is left out where steps differ in it."""
    first = arrays[0]

    def same(name: str) -> bool:
        return all(name in one.coords and one.coords[name].variable.equals(first.coords[name].variable) for one in arrays)

    kept = [name for name in first.coords if name not in first.dims and same(name)]
    bare = [one.drop_vars([name for name in one.coords if name not in (*one.dims, *kept)]) for one in arrays]
    return xr.concat(bare, dim=grid, coords="minimal", compat="override", join="override", combine_attrs="override")
