"""Cells of the figures of the residual stream: what was clicked, and how many there are."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from workbench.plots.axis import axis
from workbench.plots.text import visible
from workbench.result import Result

# Figures of these are over layer and position.
MAPS = ("norms", "cosines", "lens")


class Place(NamedTuple):
    """A layer, with a position, a head or a prompt where there is one."""

    layer: int
    pos: int | None = None
    head: int | None = None
    prompt: int | None = None


def place_at(figure: Any, point: Mapping[str, Any]) -> Place | None:
    """The place of a clicked point of a map over layer and position, of bars along layers, or of paths; None for no place."""
    meta = figure.layout.meta or {}
    try:
        curve, x, y = int(point.get("curveNumber", 0)), float(point["x"]), float(point["y"])
        trace = figure.data[curve]
    except (KeyError, TypeError, ValueError, IndexError):
        return None
    if "paths" in meta:
        return _on_path(meta["paths"], curve, trace, x, y)
    if meta.get("rows") != "layer" or y < 0:
        return None
    return Place(int(y), int(x) if meta.get("columns") == "pos" else None)


def _on_path(dim: str, curve: int, trace: Any, x: float, y: float) -> Place | None:
    if trace.x is None or trace.x[0] is None:
        return None
    layer = int(np.argmin(np.hypot(np.asarray(trace.x) - x, np.asarray(trace.y) - y)))
    return Place(layer, curve) if dim == "pos" else Place(layer, prompt=curve)


def component_of(figure: Any, point: Mapping[str, Any], result: Result | None) -> Place | None:
    """The layer, and the head, of a clicked bar of direct logit attribution; None for what is of no layer."""
    order = (figure.layout.meta or {}).get("order", ())
    try:
        name = str(result.values.component.values[order[int(point["y"])]])
    except (AttributeError, KeyError, TypeError, ValueError, IndexError):
        return None
    found = re.match(r"L(\d+)(?:H(\d+)|\b)", name)
    return None if found is None else Place(int(found[1]), head=None if found[2] is None else int(found[2]))


def heads_of(results: Mapping[str, Result]) -> int:
    """How many heads a layer has; 0 where that is not known."""
    found = results.get("components")
    return 0 if found is None else sum(str(name).startswith("L0H") for name in found.values.component.values)


def sizes_of(results: Mapping[str, Result]) -> tuple[int, int]:
    """How many rows and positions the maps have; 0 where none is known."""
    for panel in MAPS:
        if panel in results:
            sizes = results[panel].values.sizes
            return sizes["layer"], sizes["pos"]
    return 0, 0


def labels_of(results: Mapping[str, Result]) -> list[str]:
    """The tokens of the prompt, blanks visible; not safe."""
    for panel in MAPS:
        if panel in results:
            return list(axis(results[panel].values, "pos").labels)
    return []


def text_of(results: Mapping[str, Result]) -> str:
    """The prompt in one line, as far as known; not safe."""
    for panel in MAPS:
        if panel in results:
            return visible("".join(map(str, results[panel].values.token.values)))
    return ""
