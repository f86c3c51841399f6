"""When a measure moves: the step at which it has gone half of its way, and which measure goes first."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

# A measure that ends closer than this to where it began has not moved: its half-way step is NaN.
LEAST = 0.1


def half_way(steps: Int[np.ndarray, "step"], values: Float[np.ndarray, "step"]) -> float:
    """The step at which a series first stands half-way between its first and its last value; NaN if it goes less than .1.

    Between two evaluations the series is taken as straight.
    """
    start, end = float(values[0]), float(values[-1])
    if not abs(end - start) >= LEAST:
        return float("nan")
    share = (values - start) / (end - start)
    after = int(np.argmax(share >= 0.5))
    low, high = share[after - 1], share[after]
    return float(steps[after - 1] + (0.5 - low) / (high - low) * (steps[after] - steps[after - 1]))


def half_ways(
    steps: Int[np.ndarray, "step"], mean: Float[np.ndarray, "network step measure"]
) -> Float[np.ndarray, "measure network"]:
    """The half-way step of every measure of every network."""
    return np.array([[half_way(steps, one[:, at]) for one in mean] for at in range(mean.shape[2])])


def before(moved: Float[np.ndarray, "measure network"]) -> Int[np.ndarray, "measure measure"]:
    """In how many networks the row's measure is half-way strictly before the column's; NaN is before and after nothing."""
    return (moved[:, None] < moved[None]).sum(-1)


def order(names: Sequence[str], moved: Float[np.ndarray, "measure network"]) -> str:
    """The measures by their median half-way step, as 'tla2 (130) < cla (150) < …'; those that never move are left out."""
    median = {name: float(np.nanmedian(row)) for name, row in zip(names, moved, strict=True) if not np.isnan(row).all()}
    return " < ".join(f"{name} ({median[name]:.0f})" for name in sorted(median, key=lambda name: median[name]))
