"""Whether a component stands out by more than chance: against random bases of its head, corrected for how many were tried."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float
from torch import Tensor

# Robust deviations are counted in bins of this width up to this many; what lies beyond is in the last.
WIDTH, MOST = 0.01, 400.0
# The part of the null that its tail is fitted to, and the least number of random components in it.
TAIL, LEAST_TAIL = 0.01, 40


@dataclass
class Null:
    """Robust deviations of randomly turned components, as counts from the top."""

    counts: Float[np.ndarray, "bin"] = field(default_factory=lambda: np.zeros(int(MOST / WIDTH) + 1))

    def add(self, deviations: Float[Tensor, "..."]) -> None:
        """Count some."""
        self.counts += np.bincount(_bins(deviations), minlength=len(self.counts))

    def p(self, deviations: Float[Tensor, "..."]) -> Float[np.ndarray, "..."]:
        """The share of random components that stand out as much or more; never 0.

        Counted up to where the largest begin, `TAIL` of them; beyond, by a tail fitted to how far these reach, so that a rare
        component need not wait for as many random ones. The fit is a generalised Pareto's, by moments, and no lighter than
        exponential: of bounded scores the true tail is lighter, and p too large rather than too small.
        Source: Pickands 1975; Hosking and Wallis 1987 (moments).
        """
        above = np.cumsum(self.counts[::-1])[::-1]
        total = above[0]
        share = (above + 1) / (total + 1)
        start = int(np.searchsorted(-above, -max(LEAST_TAIL, TAIL * total)))
        beyond = np.arange(len(self.counts)) - start
        weight = self.counts * (beyond >= 0)
        if weight.sum() >= LEAST_TAIL / 2:
            middle = (beyond + 0.5) * WIDTH
            mean = float((middle * weight).sum() / weight.sum())
            spread = float(((middle - mean) ** 2 * weight).sum() / weight.sum())
            shape = max(0.0, 0.5 * (1 - mean**2 / spread)) if spread > 0 else 0.0
            scale = mean * (1 - shape)
            reach = np.maximum(beyond, 0) * WIDTH
            left = np.exp(-reach / scale) if shape < 1e-6 else (1 + shape * reach / scale) ** (-1 / shape)
            share = np.where(beyond > 0, share[start] * left, share)
        return np.maximum(share, np.finfo(float).tiny)[_bins(deviations)].reshape(tuple(deviations.shape))


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
