"""What is recalled of lists with channels changed at END: changes are chosen on one half of the prompts, reported on the other.

Two kinds of change: a factor on what channels say, one for all lists of a length, and other coordinates in place of what they
say, one for every place of the thing left. Each is made with the channels, and for comparison with a random component of each
one's head.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float

from workbench import progress
from workbench.channels.act import Change, Channel, changing, put, scaled
from workbench.channels.evidence import Bench
from workbench.channels.weights import Heads
from workbench.pairs import Pairs
from workbench.sites import Site

SERIES = ("as it is", "scaled", "by place", "random, scaled", "random, by place")
ALPHAS = np.linspace(-3, 8, 12)
# Coordinates that are tried of each channel, by how many are moved together: all combinations are.
TRIED = {1: 25, 2: 7, 3: 5}
# What several channels say in place of what they said.
Move = list[tuple[Channel, Change]]


@dataclass(frozen=True, eq=False)
class Recalled:
    """Of the lists of one length: what was chosen on one half of the prompts, and how the other half is then recalled.

    Attributes:
        factor: α of the channels, and of the random components.
        coordinate: Of the channels, and of the random components, by place; NaN where no prompt has it.
        right: Whether prompts are right in each of SERIES, by point.
    """

    factor: tuple[float, float]
    coordinate: Float[np.ndarray, "2 place channel"]
    right: list[Bool[np.ndarray, "series prompt"]]


@dataclass(frozen=True, eq=False)
class _Tried:
    """Of some channels on one point's choosing prompts: margins under every factor, and the best coordinates by place."""

    margins: Float[np.ndarray, "factor prompt"]
    coordinate: dict[int, Float[np.ndarray, "channel"]]


@dataclass(frozen=True, eq=False)
class Study:
    """The channels of a model that are changed, and how.

    Attributes:
        heads: Of the model.
        what, other: The channels, and a random component of each one's head.
        reach: How far the coordinates go beyond those seen.
        bar: Told of every run of END.
    """

    heads: Heads
    what: list[Channel]
    other: list[Channel]
    reach: int | float
    bar: progress.Bar

    def recalled(self, objects: int, points: list[list[int]], halves: list[tuple[Pairs, Pairs]]) -> Recalled:
        """Choose on the first half of each point's prompts, and report on the second; `points` are the prompts' places."""
        factors, coordinate = [], np.full((2, objects, len(self.what)), np.nan)
        for row, channels in enumerate((self.what, self.other)):
            tried = [self._tried(channels, places, half[0]) for places, half in zip(points, halves, strict=True)]
            factors.append(float(ALPHAS[_best(np.concatenate([one.margins for one in tried], 1))]))
            for one in tried:
                for place, values in one.coordinate.items():
                    coordinate[row, place] = values
        factor = (factors[0], factors[1])
        right = [self._reported(places, half[1], factor, coordinate) > 0 for places, half in zip(points, halves, strict=True)]
        return Recalled(factor, coordinate, right)

    def _tried(self, channels: list[Channel], places: list[int], choosing: Pairs) -> _Tried:
        """Every factor and every coordinate, on the prompts of one point."""

        def work() -> Float[np.ndarray, "row prompt"]:
            bench = Bench(self.heads, choosing)
            said = _said(bench, channels)
            moves = [_scaled(channels, alpha) for alpha in ALPHAS]
            moves += [_put(channels, values) for values in _grid(said, self.reach)]
            return np.concatenate([said, self._margins(bench, moves)])

        runs = len(ALPHAS) + TRIED[len(channels)] ** len(channels)
        labels = [one.label for one in channels]
        rows = self._remembered("tried", runs, work, choosing, labels, self.reach)
        said, margins, put_margins = np.split(rows, [len(channels), len(channels) + len(ALPHAS)])
        grid, here = _grid(said, self.reach), np.array(places)
        return _Tried(margins, {place: grid[_best(put_margins[:, here == place])] for place in sorted(set(places))})

    def _reported(
        self,
        places: list[int],
        reporting: Pairs,
        factor: tuple[float, float],
        coordinate: Float[np.ndarray, "2 place channel"],
    ) -> Float[np.ndarray, "series prompt"]:
        """Margins in each of SERIES; coordinates are those of each prompt's place."""
        each = sorted(set(places))
        moves: list[Move] = [[]]
        for row, channels in enumerate((self.what, self.other)):
            moves += [_scaled(channels, factor[row]), *(_put(channels, coordinate[row, place]) for place in each)]

        def work() -> Float[np.ndarray, "series prompt"]:
            margins = self._margins(Bench(self.heads, reporting), moves)
            at, prompt = np.searchsorted(each, places), np.arange(len(places))
            both = np.split(margins[1:], 2)
            changed = [one for some in both for one in (some[0], some[1:][at, prompt])]
            return np.stack([margins[0], *changed])

        labels = [one.label for one in (*self.what, *self.other)]
        return self._remembered("reported", len(moves), work, reporting, labels, factor, coordinate[:, each].tobytes())

    def _margins(self, bench: Bench, moves: Sequence[Move]) -> Float[np.ndarray, "move prompt"]:
        """The logit of the thing left less the highest of the others, with each move made at END; above 0 is right."""
        right = bench.items.right.unsqueeze(1)
        nothing = torch.zeros(1, *bench.out.shape[2:], device=bench.device, dtype=bench.out.dtype)
        made = []
        for move in moves:
            with ExitStack() as stack:
                for one, change in move:
                    stack.enter_context(changing(self.heads, one, change))
                # Nothing is added: END is run again from the first layer that changes, and the contexts change it.
                items = bench.outcome(min((one.layer for one, _ in move), default=0), nothing, []).items[0]
            others = items.scatter(1, right, -torch.inf).amax(1)
            made.append((items.gather(1, right)[:, 0] - others).double().cpu().numpy())
            self.bar.advance(1)
        return np.stack(made)

    def _remembered(self, name: str, runs: int, work: Callable[[], np.ndarray], pairs: Pairs, *parts: Any) -> np.ndarray:
        """What `work` makes in so many runs, or what a killed run had made; either way the bar has been told of them."""
        before = self.bar.done
        found = progress.remembered(f"list recall/{name}/{progress.digest(pairs.digest(), *parts)}", work)
        self.bar.advance(before + runs - self.bar.done)
        return found


def _scaled(channels: list[Channel], alpha: float) -> Move:
    return [(one, scaled(float(alpha))) for one in channels]


def _put(channels: list[Channel], values: Float[np.ndarray, "channel"]) -> Move:
    return [(one, put(torch.tensor([value]))) for one, value in zip(channels, values, strict=True)]


def _said(bench: Bench, channels: list[Channel]) -> Float[np.ndarray, "channel prompt"]:
    """The channels' coordinates at END, as it is."""
    rows = torch.arange(len(bench.pairs), device=bench.device)
    said = [one.coordinates(bench.heads, bench.run.kept[Site("z", one.layer)])[rows, bench.end, 0] for one in channels]
    return torch.stack(said).double().cpu().numpy()


def _grid(said: Float[np.ndarray, "channel prompt"], reach: int | float) -> Float[np.ndarray, "move channel"]:
    """Coordinates to try: over the range seen and beyond, all combinations of the channels'."""
    low, high = said.min(1), said.max(1)
    beyond = reach * (high - low)
    return np.array(list(product(*np.linspace(low - beyond, high + beyond, TRIED[len(said)]).T)))


def _best(margins: Float[np.ndarray, "move prompt"]) -> int:
    """The move under which most prompts are right; of equals, the one with the larger mean margin."""
    return int(np.lexsort((margins.mean(1), (margins > 0).mean(1)))[-1])
