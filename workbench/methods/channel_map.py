"""Where a reader looks as one to three channels say what a grid has them say: which of the things named, by coordinate."""

from itertools import product
from typing import Any

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float

from workbench import progress
from workbench.channels.act import Channel
from workbench.channels.act import channel as channel_of
from workbench.channels.evidence import Bench
from workbench.channels.find import on_task
from workbench.channels.weights import Heads, parsed
from workbench.errors import BadInput, at_least
from workbench.methods.method import Method
from workbench.pairs import Pairs
from workbench.result import Scores

TITLE = "Where a reader looks, by coordinate"
AXES = ("first", "second", "third")
# How far beyond what is said on the prompts the grid goes, in their range or, where that is less, their mean size.
BEYOND = 0.5
# Grid points to run before looking whether to stop.
AT_ONCE = 64


def run(
    model: Any,
    pairs: Pairs,
    *,
    channel: str = "",
    reader: str = "",
    axes: int = 2,
    steps: int = 9,
    seed: int = 0,
) -> Scores:
    """The reader's attention from END to each thing a prompt chooses among, over a grid of what channels say at END.

    Convention: each channel, a component of a head, is made to say the grid's coordinate at END in place of its own; what
    else the heads write stays. Things are counted in the order they are named: ITEM1 and on of the laundry list, else the
    two answers. Values are means over prompts of the attention to all mentions of a thing. Source: Merullo et al. 2024,
    https://arxiv.org/abs/2406.09519.

    Args:
        model: The model.
        pairs: Prompts that name both answers.
        channel: One to three components, '7.9.6' or '7.9.6+8.10.1'; empty for those found on these prompts.
        reader: The head that looks, '9.9'; empty for the one they are found with, or that adds most to the answer.
        axes: How many channels to look for, from 1 to 3, where none are named.
        steps: Grid points per channel, at least 2.
        seed: Of the search's random bases.
    Returns:
        Scores over (second, first, third, item), as many of the axes as there are channels; the parts said (prompt,
        channel), what they say of themselves, and right (prompt), the place of the right answer from 1.
    Raises:
        BadInput: When there is no such head or component, the reader is not later than the writers, or nothing inhibits.
    """
    at_least("steps", steps, 2)
    if not 1 <= axes <= len(AXES):
        raise BadInput(f"axes must be from 1 to {len(AXES)}; got {axes}.")
    heads = Heads(model)
    bench = Bench(heads, pairs)
    bench.check_names()
    channels, watched = _chosen(bench, channel, reader, axes, seed)
    wanted = axes if not channel else len(channels)
    said = torch.stack([bench.out[one.layer, one.head].float() @ one.directions[0] for one in channels], -1)
    grid = [_around(said[:, place].cpu().numpy(), steps) for place in range(len(channels))]
    points = torch.tensor(list(product(*grid)), dtype=torch.float32, device=bench.device)
    found = []
    for first in progress.track(range(0, len(points), AT_ONCE), "channel map"):
        some = points[first : first + AT_ONCE]
        there = bench.put(channels, some.unsqueeze(1).expand(-1, len(pairs), -1), [watched], answers=False)
        found.append(torch.einsum("vbp,bip->vi", there.attention[:, 0], bench.items.where.float()) / len(pairs))
    shape = [steps] * len(channels)
    dims = AXES[: len(channels)]
    values = xr.DataArray(
        torch.cat(found).view(*shape, -1).double().cpu().numpy(),
        dims=(*dims, "item"),
        coords=dict(zip(dims, grid, strict=True)) | {"item": [f"item {place + 1}" for place in range(bench.items.count)]},
    )
    order = [name for name in ("second", "first", "third") if name in dims]
    names = [one.label for one in channels]
    prompts = np.arange(len(pairs))
    return Scores(
        f"{TITLE}: {heads.name(*watched)}",
        "attention",
        values.transpose(*order, "item"),
        parts={
            "said": xr.DataArray(
                said.double().cpu().numpy(), dims=("prompt", "channel"), coords={"prompt": prompts, "channel": names}
            ),
            "right": xr.DataArray(bench.items.right.cpu().numpy() + 1, dims=("prompt",), coords={"prompt": prompts}),
        },
        notes={
            "sign": "attention from END, mean over prompts; things in the order they are named",
            "range": "positive",
            "reader": heads.name(*watched),
        }
        | dict(zip(dims, names, strict=True))
        | ({"axes": f"{len(names)} of {wanted}: no other head pushes this reader"} if len(names) < wanted else {}),
    )


def _chosen(bench: Bench, channel: str, reader: str, axes: int, seed: int) -> tuple[list[Channel], tuple[int, int]]:
    """The channels, and the head that is watched; searched for where not given."""
    watched = None
    if channel:
        places = [parsed(name) for name in channel.split("+")]
        if not 1 <= len(places) <= len(AXES) or any(len(place) != 3 for place in places) or len(set(places)) < len(places):
            raise BadInput(f"channel must be one to three different components, LAYER.HEAD.COMPONENT; got {channel!r}.")
    else:
        rows = on_task(bench, 3, axes, seed).rows
        watched = rows[0].reader
        places = [(*row.writer, row.component) for row in rows if row.reader == watched][:axes]
    channels = [channel_of(bench.heads, *place) for place in places]
    if watched is None or reader:
        watched = bench.reader_after(max(one.layer for one in channels), reader)
    return channels, watched


def _around(said: Float[np.ndarray, "prompt"], steps: int) -> Float[np.ndarray, "step"]:
    """Evenly over what is said on the prompts, and beyond."""
    beyond = BEYOND * max(float(np.ptp(said)), abs(float(said.mean())), 1e-3)
    return np.linspace(said.min() - beyond, said.max() + beyond, steps)


METHOD = Method("channel_map", TITLE, "Merullo et al. 2024, arXiv:2406.09519", run)
