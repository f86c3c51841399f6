"""Labels of a dim: which text stands at each index, how much room it needs, which ticks are drawn."""

from dataclasses import dataclass

import xarray as xr

from workbench.plots import text

_SIZE = 11
_STEPS = (1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000, 5000, 10000)


@dataclass(frozen=True)
class Axis:
    """One dim as an axis whose places are the indices 0, 1, ….

    Attributes:
        dim: The dim's name, which is the axis title.
        labels: The text at each index; not unique, not yet safe.
        about: All that is known of each index, in a line; not yet safe.
        words: Whether the labels are words, so that all of them should be seen.
    """

    dim: str
    labels: tuple[str, ...]
    about: tuple[str, ...]
    words: bool

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def widest(self) -> float:
        """Pixels of the widest label."""
        return max((text.extent(label, _SIZE) for label in self.labels), default=0.0)

    def ticks(self, spacing: int | float, least: int | float) -> dict:
        """Tick places and texts for indices `spacing` pixels apart, so that drawn ticks are `least` apart or more."""
        step = next((step for step in _STEPS if step * spacing >= least), _STEPS[-1])
        places = list(range(0, len(self), step))
        return {"tickmode": "array", "tickvals": places, "ticktext": [text.safe(self.labels[i]) for i in places]}

    def across(self, spacing: int | float) -> tuple[dict, float]:
        """The horizontal axis' settings for columns `spacing` pixels apart, and the height of its labels in pixels."""
        level = {**self.ticks(spacing, 0 if self.words else self.widest + 8), "tickangle": 0}
        if not self.words or self.widest + 6 <= spacing:
            return level, _SIZE * 1.5
        if spacing >= 17:
            return {**self.ticks(spacing, 0), "tickangle": -45}, 0.72 * self.widest + _SIZE * 1.3
        return {**self.ticks(spacing, 11.5), "tickangle": -90}, self.widest + 4


def axis(values: xr.DataArray, dim: str) -> Axis:
    """The axis of `dim`: a coordinate 'token' along it names the places, else its own coordinate, else its indices."""
    along = {name: coord.values for name, coord in values.coords.items() if coord.dims == (dim,)}
    size = values.sizes[dim]
    own = along.pop(dim, range(size))
    tokens = along.pop("token", None)
    words = tokens is not None or any(isinstance(value, str) for value in own)
    named = [_label(value) for value in own]
    labels = named if tokens is None else [text.visible(str(value)) for value in tokens]
    about = []
    for index in range(size):
        said = [f"{dim} {named[index]}" if tokens is None else f"{dim} {named[index]} “{labels[index]}”"]
        said += [f"{name} {_label(coord[index])}" for name, coord in along.items()]
        about.append(" · ".join(said))
    return Axis(dim, tuple(labels), tuple(about), words)


def _label(value: object) -> str:
    if isinstance(value, str):
        return text.visible(value) if value != value.strip() or not value.isprintable() else value
    number = float(value)
    return str(int(number)) if number.is_integer() else f"{number:.4g}"
