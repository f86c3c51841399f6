"""Three nested logits on their way down, as sliders set them: quick enough to be computed anew while one is dragged."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import param
import xarray as xr

from workbench.errors import BadInput
from workbench.result import Curve

if TYPE_CHECKING:
    from workbench.dynamics.nested import Descent

# Points of a curve: more cannot be told apart.
POINTS = 240


@dataclass(frozen=True)
class Drop:
    """When P rises: the first steps at which it is at least .2, .5 and .8; None where it never is."""

    begins: int | None
    half: int | None
    ends: int | None


class Nested(param.Parameterized):
    """What the sliders are set to, and the path that follows from it."""

    items = param.Integer(default=8, bounds=(2, 16), doc="N, items in the context.")
    labels = param.Integer(default=32, bounds=(2, 64), doc="L, labels in all; at least N.")
    rate = param.Number(default=0.1, bounds=(0.01, 1), doc="Learning rate.")
    steps = param.Integer(default=1000, bounds=(100, 10_000), doc="Steps of gradient descent.")
    beta1 = param.Number(default=0.01, bounds=(-1, 4), doc="β1 at first.")
    alpha = param.Number(default=0.01, bounds=(-1, 4), doc="α at first.")
    xi = param.Number(default=0.01, bounds=(-1, 4), doc="ξ at first.")

    path = param.Parameter(doc="The Descent, or None where there is none.")
    problem = param.String(default="", doc="Why there is none.")

    def __init__(self, **state: Any):
        super().__init__(**state)
        self.follow()
        self.param.watch(lambda *events: self.follow(), list(SETTINGS))

    def follow(self) -> None:
        """Compute the path of what is set; a BadInput becomes the problem."""
        from workbench.dynamics.nested import descend

        start = (self.beta1, self.alpha, self.xi)
        try:
            path, problem = descend(self.items, self.labels, rate=self.rate, steps=self.steps, start=start), ""
        except BadInput as found:
            path, problem = None, str(found)
        self.param.update(path=path, problem=problem)

    @property
    def drop(self) -> Drop:
        """When P rises, where there is a path."""
        return Drop(*(first(np.exp(-self.path.loss) >= share) for share in (0.2, 0.5, 0.8)))

    def code(self, of: str) -> str:
        """Python that computes the path again, 'loss' or 'shares' of it."""
        given = ", ".join(f"{name}={getattr(self, name)!r}" for name in SETTINGS)
        return f"from workbench.views.descent import Nested\n\nresult = Nested({given}).{of}()\n"

    def loss(self) -> Curve:
        """The loss by step, in nats."""
        return _curve("Loss of three nested logits", "nats", {"loss": self.path.loss}, {"sign": "loss = -log P"})

    def shares(self) -> Curve:
        """P, the probability of the labels shown, q1 and q2 by step."""
        path: Descent = self.path
        series = {"P": np.exp(-path.loss), "labels shown": path.cla, "q1": path.q1, "q2": path.q2}
        said = {"sign": "P and labels shown are probabilities, q1 and q2 shares of attention"}
        return _curve("What it is made of", "share", series, said)


# What is set by hand, in the order of the page.
SETTINGS = ("items", "labels", "rate", "steps", "beta1", "alpha", "xi")


def first(reached: np.ndarray) -> int | None:
    """The first place that is True, or None."""
    return int(np.argmax(reached)) if reached.any() else None


def _curve(title: str, unit: str, series: dict[str, np.ndarray], notes: dict[str, str]) -> Curve:
    """Series by step as a Curve of few points, the first and the last among them."""
    (length,) = {len(values) for values in series.values()}
    steps = np.unique(np.linspace(0, length - 1, min(length, POINTS)).round().astype(int))
    coords = {"series": list(series), "step": steps}
    values = xr.DataArray(np.stack([each[steps] for each in series.values()]), dims=("series", "step"), coords=coords)
    return Curve(title, unit, values, notes={"x": "steps", **notes})
