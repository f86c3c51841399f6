"""Channels between heads: what composition of a whole model costs, and what is found on prompts of several sets."""

import time
from typing import Any

import numpy as np

from bench.timing import beyond_bytes, timed
from workbench.channels.composition import blocks
from workbench.channels.weights import Heads
from workbench.methods import METHODS
from workbench.pairs import Pairs


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
        start = time.perf_counter()
        found = METHODS["channels"](model, pairs, slots="q", rotations=1)
        first = found.values.isel(channel=0)
        row = {"seed": seed, "channel": str(first.channel.values), "seconds": time.perf_counter() - start}
        row |= {str(name): float(value) for name, value in first.coords.items() if np.issubdtype(value.dtype, np.number)}
        row["readers"] = found.notes["readers"]
        rows.append(row)
        say(f"{row}")
    return rows
