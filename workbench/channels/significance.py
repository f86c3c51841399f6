"""Whether a component stands out by more than chance: against random bases of its head, corrected for how many were tried."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float
from torch import Tensor

# Robust deviations are counted in bins of this width up to this many; what lies beyond is in the last.
WIDTH, MOST = 0.01, 400.0


@dataclass
class Null:
    """Robust deviations of randomly turned components, as counts from the top."""

    counts: Float[np.ndarray, "bin"] = field(default_factory=lambda: np.zeros(int(MOST / WIDTH) + 1))

    def add(self, deviations: Float[Tensor, "..."]) -> None:
        """Count some."""
        self.counts += np.bincount(_bins(deviations), minlength=len(self.counts))

    def p(self, deviations: Float[Tensor, "..."]) -> Float[np.ndarray, "..."]:
        """The share of random components that stand out as much or more; never 0."""
        above = np.cumsum(self.counts[::-1])[::-1]
        return ((above + 1) / (self.counts.sum() + 1))[_bins(deviations)].reshape(tuple(deviations.shape))


def _bins(deviations: Tensor) -> np.ndarray:
    return (deviations.clamp(0, MOST) / WIDTH).long().flatten().cpu().numpy()


def adjusted(p: Float[np.ndarray, "test"], tried: int) -> Float[np.ndarray, "test"]:
    """The rate of chance findings at which each still counts, of the smallest p of so many tests.

    Source: Benjamini & Hochberg 1995. All that were tried and are not here have a larger p; they could only lower the rates of
    the last of these.
    """
    order = np.argsort(p)
    ranked = p[order] * tried / np.arange(1, len(p) + 1)
    made = np.empty_like(ranked)
    made[order] = np.minimum.accumulate(ranked[::-1])[::-1].clip(max=1)
    return made
