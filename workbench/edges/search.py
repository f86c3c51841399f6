"""From scores of edges to a circuit: circuits of any size, the smallest that reaches a target, curves over sizes.

Both measures of MIB are taken along the way: CPR from the edges of highest signed score, CMD from those of largest size.
Source: Mueller et al. 2025, https://arxiv.org/abs/2504.13151.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Float

from workbench import progress, select
from workbench.edges.measure import Frame, areas, completeness, measured
from workbench.edges.run import Circuits
from workbench.errors import BadInput
from workbench.graph import EdgeMask, Graph
from workbench.select import BY_SIZE, RANDOM, SIGNED, Ranking

# Sizes tried between the two of the grid that bracket the target, and how often the bracket is narrowed.
TRIED, ROUNDS = 4, 2


def smallest(ranking: Ranking, circuits: Circuits, frame: Frame, target: float) -> int:
    """The smallest size measured that reaches the target: on MIB's grid from below, then between its last two.

    Faithfulness need not rise with size, so a smaller circuit that no size tried hits is possible.

    Raises:
        BadInput: When no size reaches the target.
    """

    def reached(sizes: Sequence[int]) -> Float[np.ndarray, "size"]:
        return frame.faithfulness(measured(circuits, [ranking.circuit(size) for size in sizes]))

    below, above, found = 0, None, 0.0
    for size in progress.track([size for size in select.sizes(ranking.graph) if size], "sizes tried"):
        found = float(reached([size])[0])
        if found >= target:
            above = size
            break
        below = size
    if above is None:
        raise BadInput(
            f"target must be a faithfulness that a circuit reaches; got {target:g}, and the whole graph gives {found:.2f}. "
            "Use a lower target."
        )
    for _ in range(ROUNDS):
        tried = sorted({round(float(size)) for size in np.linspace(below, above, TRIED + 2)[1:-1]} - {below, above})
        enough = [size for size, found in zip(tried, reached(tried), strict=True) if found >= target] if tried else []
        above = enough[0] if enough else above
        below = max([size for size in tried if size < above], default=below)
    return above


@dataclass(frozen=True, eq=False)
class Curves:
    """Faithfulness over sizes, by series; the band is a bootstrap over prompts, for random edges the range of the draws.

    Attributes:
        sizes: Edges asked for.
        values, low, high: Faithfulness and its band.
        kept: Edges left after pruning; of random edges, in the first draw.
    """

    sizes: list[int]
    values: dict[str, Float[np.ndarray, "size"]]
    low: dict[str, Float[np.ndarray, "size"]]
    high: dict[str, Float[np.ndarray, "size"]]
    kept: dict[str, list[int]]

    def parts(self) -> dict[str, xr.DataArray]:
        """As parts of a Circuit."""
        coords = {"series": list(self.values), "size": self.sizes}
        named = {"curve": self.values, "curve_lower": self.low, "curve_upper": self.high, "curve_kept": self.kept}
        return {
            name: xr.DataArray(np.stack(list(found.values())), dims=("series", "size"), coords=coords)
            for name, found in named.items()
        }

    def mib(self, graph: Graph) -> dict[str, float]:
        """CPR and CMD; of a graph so small that a share of it is no edge, the empty circuit's 0 stands."""
        at = [int(share * graph.n_edges) for share in select.SHARES]
        signed, by_size = (
            [dict(zip(self.sizes, self.values[series].tolist(), strict=True)).get(n, 0.0) for n in at]
            for series in (SIGNED, BY_SIZE)
        )
        return areas(select.SHARES, signed, by_size)


def curves(ranking: Ranking, circuits: Circuits, frame: Frame, more: Sequence[int], random: int, seed: int) -> Curves:
    """Faithfulness at MIB's sizes and some more: by size of score, by signed score, and of random edges."""
    graph = ranking.graph
    sizes = sorted({*select.sizes(graph), *more} - {0})
    made = Curves(sizes, {}, {}, {}, {})
    for series, absolute in ((BY_SIZE, True), (SIGNED, False)):
        masks = [ranking.circuit(size, absolute) for size in sizes]
        values = measured(circuits, masks, label=f"faithfulness {series}")
        made.values[series] = frame.faithfulness(values)
        made.low[series], made.high[series] = frame.interval(values, seed)
        made.kept[series] = [int(mask.sum()) for mask in masks]
    if random:
        masks = [graph.pruned(select.random(graph, size, seed + draw)) for size in sizes for draw in range(random)]
        values = measured(circuits, masks, label=f"faithfulness of {RANDOM}")
        found = frame.faithfulness(values).reshape(len(sizes), random)
        made.values[RANDOM], made.low[RANDOM], made.high[RANDOM] = found.mean(1), found.min(1), found.max(1)
        made.kept[RANDOM] = [int(mask.sum()) for mask in masks[::random]]
    return made


def summary(circuits: Circuits, frame: Frame, kept: EdgeMask, seed: int) -> dict[str, float]:
    """A circuit in numbers: how large, how faithful, and what the rest does without it."""
    graph = circuits.wiring.graph
    values = measured(circuits, [kept])
    low, high = frame.interval(values, seed)
    return {
        "edges": float(kept.sum()),
        "share of edges": float(kept.sum()) / graph.n_edges,
        "nodes": float(graph.nodes(kept).sum()),
        "faithfulness": float(frame.faithfulness(values)[0]),
        "faithfulness low": float(low[0]),
        "faithfulness high": float(high[0]),
        "faithfulness of the rest": completeness(circuits, frame, kept),
    }
