"""Attention of all heads in a byte per cell: what a grid of thumbnails is drawn from.

A head's numbers are divided by its own largest and rounded to 255 steps; only the lower triangle is kept, row after row.
Of long prompts a cell is the largest number of a square of tokens, so that a thin line stays in sight.
"""

from dataclasses import dataclass

import numpy as np

# Cells along a side of a thumbnail, and bytes of all of them.
MOST_SIDE, MOST_BYTES = 512, 12_000_000


@dataclass(frozen=True, eq=False)
class Thumbnails:
    """All heads of a model, layer after layer.

    Attributes:
        layers: How many layers.
        heads: How many heads each has.
        tokens: Tokens of the prompt.
        pool: Tokens along a side of a cell; 1 where every pair of tokens has its own.
        scales: The largest number of every head: what 255 stands for.
        data: The lower triangles, side * (side + 1) / 2 bytes each.
    """

    layers: int
    heads: int
    tokens: int
    pool: int
    scales: tuple[float, ...]
    data: bytes

    @property
    def side(self) -> int:
        """Cells along a side."""
        return -(-self.tokens // self.pool)


class Packing:
    """Makes thumbnails of attention that comes layer by layer.

    Args:
        layers: How many layers will come.
        heads: How many heads each has.
        tokens: Tokens of the prompt.
    """

    def __init__(self, layers: int, heads: int, tokens: int):
        self._layers, self._heads, self._tokens = layers, heads, tokens
        self.pool = pool_for(layers * heads, tokens)
        self._side = -(-tokens // self.pool)
        self._kept = np.tril_indices(self._side)
        self._data: list[np.ndarray] = []
        self._scales: list[float] = []

    def add(self, values: np.ndarray) -> None:
        """Take the next layer's numbers, head × query × key, none below 0."""
        if self.pool > 1:
            missing = self._side * self.pool - self._tokens
            squares = np.pad(values, ((0, 0), (0, missing), (0, missing)))
            values = squares.reshape(len(values), self._side, self.pool, self._side, self.pool).max((2, 4))
        lower = values[:, self._kept[0], self._kept[1]]
        largest = lower.max(1)
        self._scales += largest.astype(float).tolist()
        self._data.append(np.rint(lower * (255 / np.where(largest > 0, largest, 1))[:, None]).astype(np.uint8))

    def done(self) -> Thumbnails:
        """The thumbnails of all layers."""
        data = np.concatenate(self._data).tobytes()
        return Thumbnails(self._layers, self._heads, self._tokens, self.pool, tuple(self._scales), data)


def pool_for(heads: int, tokens: int) -> int:
    """Tokens along a side of a cell: the fewest with which all thumbnails are small enough to send."""
    pool = max(1, -(-tokens // MOST_SIDE))
    while heads * (side := -(-tokens // pool)) * (side + 1) // 2 > MOST_BYTES and side > 32:
        pool += 1
    return pool
