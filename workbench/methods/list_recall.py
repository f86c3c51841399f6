"""How well a model recalls the one thing left of a list, by how many are listed or by its place; and with a channel changed."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Literal

import numpy as np
import torch
import xarray as xr
from jaxtyping import Bool, Float, Int

from workbench import progress
from workbench.channels.act import Change, Channel, changing, put, scaled
from workbench.channels.act import channel as channel_of
from workbench.channels.evidence import Bench
from workbench.channels.find import on_task
from workbench.channels.weights import Heads, parsed
from workbench.errors import BadInput, at_least, within
from workbench.methods.method import Method
from workbench.pairs import Pairs
from workbench.result import Curve
from workbench.sites import Site
from workbench.tasks import TASKS
from workbench.tasks.laundry_list import FEWEST, MOST

TITLE = "Recall of a list"
SERIES = ("as it is", "scaled", "best coordinate", "random component", "chance")
ALPHAS = np.linspace(-3, 8, 12)
# Coordinates that are tried of each channel, by how many are moved together: all combinations are.
TRIED = {1: 25, 2: 7, 3: 5}
# What several channels say in place of what they said.
Move = list[tuple[Channel, Change]]


def run(
    model: Any,
    pairs: Pairs | None = None,
    *,
    objects: str = "2,3,4,6,8,10,12,16,20",
    by: Literal["objects", "place"] = "objects",
    prompts: int = 40,
    order: Literal["same", "shuffled", "reversed"] = "shuffled",
    channel: str = "",
    channels: int = 1,
    reach: int | float = 0.5,
    seed: int = 0,
) -> Curve:
    """How often the one thing left of a list is recalled; as it is, and with what a head says at END changed.

    Convention: a prompt is right when the thing left has the highest logit of all that are listed; chance is 1 over their
    number. What is changed is one component of a head, or one each of several, at END alone. 'scaled': α times as much, one α
    of -3, -2, … 8 for all lists of a length. 'best coordinate': another number in its place, one for every place of the thing
    left; it is told that place: an upper bound on steering by place, up to the choice. 'random component': as 'scaled', with
    another component of the same head. α and coordinates are those under which most of one half of the prompts are right, of
    equals the one with the larger mean margin; all numbers are of the other half. Source: Merullo et al. 2024,
    https://arxiv.org/abs/2406.09519; the choice on prompts held out is ours.

    Args:
        model: The model.
        pairs: Not used: the prompts are made here.
        objects: How many things are listed, from 2 to 20, several with commas; by place, the largest.
        by: Accuracy by the number of 'objects', or by the 'place' of the thing left in the longest list.
        prompts: Per point, even, at least 4: one half chooses, the other is reported; the places of the thing left are spread
            over both alike.
        order: The others are mentioned again in the 'same' order as listed, 'shuffled', or 'reversed'.
        channel: The component, '7.9.6', several with commas; empty for those that do most on the choosing prompts of the
            shortest list of 3 or more.
        channels: How many are looked for, of different heads, and moved together: from 1 to 3. Not used where they are named.
        reach: How far the coordinates go beyond those seen on a point's choosing prompts, at either end, as a share of their
            range.
        seed: Of the prompts, of the search's random bases, and of the random component.
    Returns:
        Curve over objects, or place counted from 0, in share of prompts, mean ± 1 s.e. over the prompts reported; with the
        parts factor (series, objects) and coordinate (objects, place, channel) that were chosen.
    Raises:
        BadInput: When a parameter is none of these, the tokenizer lacks the words, or no head pushes a reader to the answer.
    """
    numbers = _numbers(objects)
    at_least("prompts", prompts, 4)
    within("channels", channels, 1, max(TRIED) + 1)
    if not 0 <= reach < np.inf:
        raise BadInput(f"reach must be finite and at least 0; got {reach}.")
    if prompts % 2:
        raise BadInput(f"prompts must be even, one half to choose and one to report; got {prompts}.")
    half = prompts // 2
    heads = Heads(model)
    what = _named(heads, channel) if channel else _looked_for(heads, channels, numbers, half, order, seed)
    if by == "objects":
        lists = {count: [_spread(count, half, seed)] for count in numbers}
    else:
        lists = {numbers[-1]: [[place] * half for place in range(numbers[-1])]}
    runs = sum(_runs(len(what), places) for points in lists.values() for places in points)
    with progress.bar(TITLE, runs, unit="run") as bar:
        study = Study(heads, what, _others(heads, what, seed), reach, bar)
        found = []
        for count, points in lists.items():
            halves = [_prompts(model, count, places, order, seed) for places in points]
            found.append(study.recalled(count, points, halves))
    looked = "named" if channel else f"found on the choosing prompts of {_shortest(numbers)} things"
    return _curve(found, list(lists), by, half, what, looked)


@dataclass(frozen=True, eq=False)
class Recalled:
    """Of the lists of one length: what was chosen on one half of the prompts, and how the other half is then recalled.

    Attributes:
        factor: α of the channels, and of the random components.
        coordinate: By place; NaN where no prompt has it.
        right: Whether prompts are right in the first four series, by point.
    """

    factor: tuple[float, float]
    coordinate: Float[np.ndarray, "place channel"]
    right: list[Bool[np.ndarray, "series prompt"]]


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
        tried = [self._tried(places, choosing) for places, (choosing, _) in zip(points, halves, strict=True)]
        by_factor = np.split(np.concatenate([margins for margins, _ in tried], 1), 2)
        factor, other_factor = (float(ALPHAS[_best(margins)]) for margins in by_factor)
        coordinate = np.full((objects, len(self.what)), np.nan)
        for _, chosen in tried:
            for place, values in chosen.items():
                coordinate[place] = values
        right = [
            self._reported(places, reporting, (factor, other_factor), coordinate) > 0
            for places, (_, reporting) in zip(points, halves, strict=True)
        ]
        return Recalled((factor, other_factor), coordinate, right)

    def _tried(
        self, places: list[int], choosing: Pairs
    ) -> tuple[Float[np.ndarray, "move prompt"], dict[int, Float[np.ndarray, "channel"]]]:
        """Margins under every factor of the channels, then of the others; and the best coordinates for every place."""
        factors = [_scaled(some, alpha) for some in (self.what, self.other) for alpha in ALPHAS]

        def work() -> Float[np.ndarray, "row prompt"]:
            bench = Bench(self.heads, choosing)
            said = _said(bench, self.what)
            moves = [*factors, *(_put(self.what, values) for values in _grid(said, self.reach))]
            return np.concatenate([said, self._margins(bench, moves)])

        runs = len(factors) + TRIED[len(self.what)] ** len(self.what)
        rows = self._remembered("tried", runs, work, choosing, self.reach)
        said, margins, put_margins = np.split(rows, [len(self.what), len(self.what) + len(factors)])
        grid, here = _grid(said, self.reach), np.array(places)
        return margins, {place: grid[_best(put_margins[:, here == place])] for place in sorted(set(places))}

    def _reported(
        self,
        places: list[int],
        reporting: Pairs,
        factor: tuple[float, float],
        coordinate: Float[np.ndarray, "place channel"],
    ) -> Float[np.ndarray, "series prompt"]:
        """Margins as it is, scaled, with the coordinates of each prompt's place, and with the other components scaled."""
        each = sorted(set(places))
        moves = [[], _scaled(self.what, factor[0]), _scaled(self.other, factor[1])]
        moves += [_put(self.what, coordinate[place]) for place in each]

        def work() -> Float[np.ndarray, "series prompt"]:
            margins = self._margins(Bench(self.heads, reporting), moves)
            told = margins[3:][np.searchsorted(each, places), np.arange(len(places))]
            return np.stack([margins[0], margins[1], told, margins[2]])

        return self._remembered("reported", len(moves), work, reporting, factor, coordinate[each].tobytes())

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
        labels = [one.label for one in (*self.what, *self.other)]
        found = progress.remembered(f"{TITLE}/{name}/{progress.digest(pairs.digest(), labels, *parts)}", work)
        self.bar.advance(int(before + runs - self.bar.done))
        return found


def _numbers(text: str) -> list[int]:
    """The numbers of objects that a text lists, the smallest first."""
    words = [word for word in re.split(r"[+, ]", text) if word]
    if not words or not all(re.fullmatch(r"\d{1,2}", word, re.ASCII) and FEWEST <= int(word) <= MOST for word in words):
        raise BadInput(f"objects must be whole numbers from {FEWEST} to {MOST}, as in '3,8,20'; got {text[:60]!r}.")
    return sorted(set(map(int, words)))


def _spread(objects: int, count: int, seed: int) -> list[int]:
    """So many places of the thing left, in order, each as often as any other as far as that goes."""
    return sorted(np.resize(np.random.default_rng(seed).permutation(objects), count).tolist())


def _runs(channels: int, places: list[int]) -> int:
    """Runs of END at one point: both factors and all coordinates to choose, every series and place to report."""
    return 2 * len(ALPHAS) + TRIED[channels] ** channels + 3 + len(set(places))


def _prompts(model: Any, objects: int, places: list[int], order: str, seed: int) -> tuple[Pairs, Pairs]:
    """Prompts to choose on and prompts to report, in either one for each of `places`."""
    choosing, reporting = [], []
    for place, count in sorted(Counter(places).items()):
        asked = {"objects": objects, "place": place, "order": order, "layout": "each"}
        made = TASKS["laundry_list"](model, n=2 * count, seed=seed * MOST + place, **asked)
        choosing.append(made.select(range(count)))
        reporting.append(made.select(range(count, 2 * count)))
    return _together(choosing), _together(reporting)


def _together(some: list[Pairs]) -> Pairs:
    """Prompts of one length, one after the other."""
    tensors = {name: torch.cat([getattr(one, name) for one in some]) for name in ("clean", "corrupt", "lengths")}
    texts = ("right", "wrong", "clean_strings", "corrupt_strings")
    tuples = {name: tuple(row for one in some for row in getattr(one, name)) for name in texts}
    positions = {name: torch.cat([one.positions[name] for one in some]) for name in some[0].positions}
    return replace(some[0], **tensors, **tuples, positions=positions)


def _named(heads: Heads, text: str) -> list[Channel]:
    """The channels that a text lists."""
    places = [parsed(name) for name in text.split(",")]
    if not all(len(place) == 3 for place in places):
        raise BadInput(f"channel must name a component, LAYER.HEAD.COMPONENT, or several with commas; got {text!r}.")
    if len(places) > max(TRIED) or len({place[:2] for place in places}) < len(places):
        raise BadInput(f"channel must name at most {max(TRIED)} components, of different heads; got {text!r}.")
    return [channel_of(heads, *place) for place in places]


def _looked_for(heads: Heads, channels: int, numbers: list[int], half: int, order: str, seed: int) -> list[Channel]:
    """The strongest channels of different writers on the choosing prompts of the shortest list of 3 or more things."""
    objects = _shortest(numbers)
    choosing, _ = _prompts(heads.model, objects, _spread(objects, half, seed), order, seed)

    def work() -> Int[np.ndarray, "channel 3"]:
        best: dict[tuple[int, int], int] = {}
        for row in on_task(Bench(heads, choosing), readers=3, writers=5, seed=seed).rows:
            best.setdefault(row.writer, row.component)
        return np.array([(*writer, component) for writer, component in best.items()])

    found = progress.remembered(f"{TITLE}/channels/{choosing.digest()}", work)[:channels].astype(int).tolist()
    if len(found) < channels:
        raise BadInput(f"channels must be at most {len(found)}, so many heads push a reader to the answer; got {channels}.")
    return [channel_of(heads, *place) for place in found]


def _shortest(numbers: list[int]) -> int:
    """Of how many things the lists are on which channels are looked for."""
    return min((number for number in numbers if number > 2), default=2)


def _others(heads: Heads, what: list[Channel], seed: int) -> list[Channel]:
    """Another component of each channel's head, drawn at random."""
    rng, made = np.random.default_rng(seed), []
    for one in what:
        own = parsed(one.label)[2]
        left = [component for component in range(heads.d_head) if component != own]
        made.append(channel_of(heads, one.layer, one.head, int(rng.choice(left)) if left else own))
    return made


def _scaled(what: list[Channel], alpha: float) -> Move:
    return [(one, scaled(float(alpha))) for one in what]


def _put(what: list[Channel], values: Float[np.ndarray, "channel"]) -> Move:
    return [(one, put(torch.tensor([value]))) for one, value in zip(what, values, strict=True)]


def _said(bench: Bench, what: list[Channel]) -> Float[np.ndarray, "channel prompt"]:
    """The channels' coordinates at END, as it is."""
    rows = torch.arange(len(bench.pairs), device=bench.device)
    said = [one.coordinates(bench.heads, bench.run.kept[Site("z", one.layer)])[rows, bench.end, 0] for one in what]
    return torch.stack(said).double().cpu().numpy()


def _grid(said: Float[np.ndarray, "channel prompt"], reach: int | float) -> Float[np.ndarray, "move channel"]:
    """Coordinates to try: over the range seen and beyond, all combinations of the channels'."""
    low, high = said.min(1), said.max(1)
    beyond = reach * (high - low)
    return np.array(list(product(*np.linspace(low - beyond, high + beyond, TRIED[len(said)]).T)))


def _best(margins: Float[np.ndarray, "move prompt"]) -> int:
    """The move under which most prompts are right; of equals, the one with the larger mean margin."""
    return int(np.lexsort((margins.mean(1), (margins > 0).mean(1)))[-1])


def _curve(found: list[Recalled], numbers: list[int], by: str, reported: int, what: list[Channel], looked: str) -> Curve:
    """The shares of prompts as a Result."""
    right = np.stack([point.mean(1) for one in found for point in one.right], 1)
    chance = np.repeat([1 / number for number in numbers], [len(one.right) for one in found])
    # Chance has no error: its band has no width.
    error = np.concatenate([np.sqrt(right * (1 - right) / reported), np.zeros((1, len(chance)))])
    axis = numbers if by == "objects" else list(range(numbers[-1]))

    def labelled(values: np.ndarray) -> xr.DataArray:
        return xr.DataArray(values, dims=("series", by), coords={"series": list(SERIES), by: axis})

    values = np.concatenate([right, chance[None]])
    listed = {"objects": numbers}
    coordinate = np.full((len(numbers), max(numbers), len(what)), np.nan)
    for row, one in enumerate(found):
        coordinate[row, : len(one.coordinate)] = one.coordinate
    names = [one.label for one in what]
    factors = [f"{number}: {one.factor[0]:g}" for number, one in zip(numbers, found, strict=True)]
    return Curve(
        TITLE,
        "share of prompts",
        labelled(values),
        lower=labelled(values - error),
        upper=labelled(values + error),
        parts={
            "factor": xr.DataArray(
                np.array([one.factor for one in found]).T, dims=("series", "objects"),
                coords={"series": [SERIES[1], SERIES[3]], **listed},
            ),
            "coordinate": xr.DataArray(
                coordinate, dims=("objects", "place", "channel"),
                coords={**listed, "place": np.arange(max(numbers)), "channel": names},
            ),
        },
        notes={
            "sign": "share of prompts on which the thing left has the highest logit of all that are listed",
            "x": "things listed" if by == "objects" else f"place of the thing left among {numbers[-1]}, from 0",
            "interval": "mean ± 1 s.e. over the prompts reported",
            "hold-out": f"chosen on one half of the prompts; the other half, {reported} per point, is reported",
            "channel": f"{' and '.join(names)}, {looked}",
            "factor": f"α by things listed: {', '.join(factors)}",
            "best coordinate": "is told the place of the thing left: an upper bound on steering by place, up to the choice",
            "chance": "1 / things listed",
        },
    )  # fmt: skip


METHOD = Method("list_recall", TITLE, "Merullo et al. 2024, arXiv:2406.09519", run, kind="curve", needs_pairs=False)
