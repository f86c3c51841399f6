"""How well a model recalls the one thing left of a list, by how many are listed or by its place; and with a channel changed."""

from collections import Counter
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
import xarray as xr
from jaxtyping import Int

from workbench import progress
from workbench.channels.act import Channel
from workbench.channels.act import channel as channel_of
from workbench.channels.evidence import Bench
from workbench.channels.find import on_task
from workbench.channels.recall import ALPHAS, SERIES, TRIED, Recalled, Study
from workbench.channels.weights import Heads, parsed
from workbench.errors import BadInput, at_least, whole_numbers, within
from workbench.methods.method import Method
from workbench.pairs import Pairs
from workbench.result import Curve
from workbench.tasks import TASKS
from workbench.tasks.laundry_list import FEWEST, MOST

TITLE = "Recall of a list"
CHANCE = "chance"


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
    of -3, -2, … 8 for all lists of a length. 'by place': another number in its place, one for every place of the thing left;
    it is told that place, so it bounds from above what steering by place can give, up to the choice. 'random, scaled' and
    'random, by place': the same with another component of the same head. α and coordinates are those under which most of one
    half of the prompts are right, of equals the one with the larger mean margin; all numbers are of the other half. Source:
    Merullo et al. 2024, https://arxiv.org/abs/2406.09519; the choice on prompts held out, and the random components, are ours.

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
        parts factor (series, objects) and coordinate (series, objects, place, writer) that were chosen.
    Raises:
        BadInput: When a parameter is none of these, the tokenizer lacks the words, or no head pushes a reader to the answer.
    """
    numbers = whole_numbers("objects", objects, FEWEST, MOST)
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
        lists = {count: [spread(count, half, seed)] for count in numbers}
    else:
        lists = {numbers[-1]: [[place] * half for place in range(numbers[-1])]}
    runs = sum(runs_of(len(what), places) for points in lists.values() for places in points)
    with progress.bar(TITLE, runs, unit="run") as bar:
        study = Study(heads, what, _others(heads, what, seed), reach, bar)
        found = []
        for count, points in lists.items():
            halves = [prompts_of(model, count, places, order, seed) for places in points]
            found.append(study.recalled(count, points, halves))
    looked = "named" if channel else f"found on the choosing prompts of {shortest(numbers)} things"
    return _curve(found, list(lists), by, half, what, study.other, looked)


def spread(objects: int, count: int, seed: int) -> list[int]:
    """So many places of the thing left, in order, each as often as any other as far as that goes."""
    return sorted(np.resize(np.random.default_rng(seed).permutation(objects), count).tolist())


def runs_of(channels: int, places: list[int]) -> int:
    """Runs of END at one point: both factors and all coordinates to choose, every series and place to report."""
    return 2 * (len(ALPHAS) + TRIED[channels] ** channels) + 3 + 2 * len(set(places))


def prompts_of(model: Any, objects: int, places: list[int], order: str, seed: int) -> tuple[Pairs, Pairs]:
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
    objects = shortest(numbers)
    choosing, _ = prompts_of(heads.model, objects, spread(objects, half, seed), order, seed)

    def work() -> Int[np.ndarray, "channel 3"]:
        best: dict[tuple[int, int], int] = {}
        for row in on_task(Bench(heads, choosing), readers=3, writers=5, seed=seed).rows:
            best.setdefault(row.writer, row.component)
        return np.array([(*writer, component) for writer, component in best.items()])

    found = progress.remembered(f"{TITLE}/channels/{choosing.digest()}", work)[:channels].astype(int).tolist()
    if len(found) < channels:
        raise BadInput(f"channels must be at most {len(found)}, so many heads push a reader to the answer; got {channels}.")
    return [channel_of(heads, *place) for place in found]


def shortest(numbers: list[int]) -> int:
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


def _curve(
    found: list[Recalled], numbers: list[int], by: str, reported: int, what: list[Channel], other: list[Channel], looked: str
) -> Curve:
    """The shares of prompts as a Result."""
    right = np.stack([point.mean(1) for one in found for point in one.right], 1)
    chance = np.repeat([1 / number for number in numbers], [len(one.right) for one in found])
    # Chance has no error: its band has no width.
    error = np.concatenate([np.sqrt(right * (1 - right) / reported), np.zeros((1, len(chance)))])
    axis = numbers if by == "objects" else list(range(numbers[-1]))

    def labelled(values: np.ndarray) -> xr.DataArray:
        return xr.DataArray(values, dims=("series", by), coords={"series": [*SERIES, CHANCE], by: axis})

    values = np.concatenate([right, chance[None]])
    names = [one.label for one in what]
    writers = [name.rpartition(".")[0] for name in names]
    factors = [f"{number}: {one.factor[0]:g}" for number, one in zip(numbers, found, strict=True)]
    notes = {
        "sign": "share of prompts on which the thing left has the highest logit of all that are listed",
        "x": "things listed" if by == "objects" else f"place of the thing left among {numbers[-1]}, from 0",
        "interval": "mean ± 1 s.e. over the prompts reported",
        "hold-out": f"chosen on one half of the prompts; the other half, {reported} per point, is reported",
        "channel": f"{' and '.join(names)}, {looked}",
        "random": f"the components {' and '.join(one.label for one in other)}",
        "factor": f"α by things listed: {', '.join(factors)}",
        "by place": "is told the place of the thing left: an upper bound on steering by place, not a way to recall",
        CHANCE: "1 / things listed",
    }
    band = {"lower": labelled(values - error), "upper": labelled(values + error)}
    return Curve(TITLE, "share of prompts", labelled(values), **band, parts=_chosen(found, numbers, writers), notes=notes)


def _chosen(found: list[Recalled], numbers: list[int], names: list[str]) -> dict[str, xr.DataArray]:
    """What was chosen, of the channels and of the random components."""
    coordinate = np.full((2, len(numbers), max(numbers), len(names)), np.nan)
    for row, one in enumerate(found):
        coordinate[:, row, : one.coordinate.shape[1]] = one.coordinate
    listed = {"objects": numbers}
    factor = np.array([one.factor for one in found]).T
    _, scaled, placed, other_scaled, other_placed = SERIES
    return {
        "factor": xr.DataArray(factor, dims=("series", "objects"), coords={"series": [scaled, other_scaled], **listed}),
        "coordinate": xr.DataArray(
            coordinate, dims=("series", "objects", "place", "writer"),
            coords={"series": [placed, other_placed], **listed, "place": np.arange(max(numbers)), "writer": names},
        ),
    }  # fmt: skip


METHOD = Method("list_recall", TITLE, "Merullo et al. 2024, arXiv:2406.09519", run, kind="curve", needs_pairs=False)
