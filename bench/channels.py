"""Channels between heads: what composition of a whole model costs, and what is found on prompts of several sets."""

from typing import Any

import numpy as np

from bench.timing import beyond_bytes, timed
from workbench.channels.composition import blocks
from workbench.channels.weights import Heads
from workbench.methods import METHODS
from workbench.pairs import Pairs
from workbench.tasks import TASKS


def composition_costs(model: Any, name: str, repeats: int) -> dict[str, Any]:
    """Seconds and peak memory of q, k and v composition of all pairs of heads, whole and by component in one pass."""

    def work() -> int:
        return sum(block.full.numel() for block in blocks(Heads(model)))

    done = timed(work, repeats, str(model.cfg.device))
    start = f"from bench.channels import *\nfrom workbench.models import load\nmodel = load({name!r}, device='cpu')\n"
    taken = beyond_bytes(start, "METHODS['composition'](model, by='head')")
    return {"pairs": done.value, "seconds": done.seconds, "bytes": taken}


def on_sets(model: Any, sets: dict[int, Pairs], say: Any) -> list[dict[str, Any]]:
    """The strongest channel of every set of prompts, with no head named by hand."""
    rows = []
    for seed, pairs in sets.items():
        found = METHODS["channels"](model, pairs, slots="q", rotations=1)
        first = found.values.isel(channel=0)
        row = {"seed": seed, "channel": str(first.channel.values)}
        row |= {str(name): float(value) for name, value in first.coords.items() if np.issubdtype(value.dtype, np.number)}
        row["readers"] = found.notes["readers"]
        row["scaled"] = scaled(model, pairs, row["channel"])
        row["told by"] = told(model, pairs, row["channel"])
        rows.append(row)
        say(f"{row}")
    return rows


def scaled(model: Any, pairs: Pairs, channel: str) -> dict[str, list[float]]:
    """What the reader and the answer do as a channel says α times as much; means over prompts."""
    component, _, reader, _ = channel.split(" ")
    found: dict[str, list[float]] = {"alpha": []}
    for of in ("leaning", "logit_diff", "accuracy"):
        curve = METHODS["channel_scale"](model, pairs, channel=component, reader=reader, of=of).values[0]
        found |= {"alpha": curve.alpha.values.tolist(), of: curve.values.tolist()}
    return found


def told(model: Any, pairs: Pairs, channel: str) -> list[dict[str, Any]]:
    """Who says most to the writer of a channel through its values, and through which of its components."""
    head, _, component = channel.split(" ")[0].rpartition(".")
    found = METHODS["direct_paths"](model, pairs, slot="v", reader=head, component=int(component), writers=2)
    return _rows(found)


def into_induction(model: Any, seeds: range, n: int, say: Any) -> list[dict[str, Any]]:
    """Who says most to the keys of the head that leans most to what followed, on random tokens that repeat."""
    rows = []
    for seed in seeds:
        pairs = TASKS["repeated_tokens"](model, n=n, seed=seed)
        rows.append({"seed": seed} | _rows(METHODS["direct_paths"](model, pairs, slot="k", writers=1))[0])
        say(f"{rows[-1]}")
    return rows


def _rows(found: Any) -> list[dict[str, Any]]:
    names = [str(name) for name in found.values.channel.values]
    beside = {str(name): column.values.tolist() for name, column in found.values.coords.items() if name != "channel"}
    return [{"channel": name} | {key: column[at] for key, column in beside.items()} for at, name in enumerate(names)]
