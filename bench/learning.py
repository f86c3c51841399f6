"""Heads and how they are learned: what naming all heads costs, and what many networks at once save."""

import time
from typing import Any

import numpy as np

from bench.timing import timed
from workbench.dynamics.bursty import Setting
from workbench.dynamics.stack import Member, Recipe
from workbench.dynamics.train import train
from workbench.methods import METHODS
from workbench.pairs import Pairs

# Networks trained at once.
AT_ONCE = {"cpu": 16, "cuda": 64}
STEPS = 100


def heads_costs(model: Any, pairs: Pairs, device: str) -> dict[str, Any]:
    """Seconds of the table of all heads by every detector but retrieval, then of retrieval."""
    table = timed(lambda: METHODS["heads"](model, pairs), 1, device, warm_up=False)
    retrieval = timed(lambda: METHODS["retrieval"](model, lengths="300,600"), 1, device, warm_up=False)
    return {
        "cells": int(table.value.values.size),
        "detectors": int(table.value.values.sizes["detector"]),
        "pairs": len(pairs),
        "heads_s": table.median,
        "retrieval_s": retrieval.median,
        "trials": retrieval.value.notes["trials"],
        "retrieval_heads": retrieval.value.notes["heads"],
    }


def at_once(repeats: int, device: str) -> dict[str, Any]:
    """Seconds of training networks in one stack and one after another, in turns, and how far their measures differ."""
    count = AT_ONCE[device.partition(":")[0]]
    members = [Member(Setting.fast(), seed) for seed in range(count)]
    given = {"steps": STEPS, "every": STEPS, "device": device}

    def together() -> np.ndarray:
        return train(members, Recipe.fast(), **given).trace.mean

    def alone() -> np.ndarray:
        return np.concatenate([train([member], Recipe.fast(), **given).trace.mean for member in members])

    train(members[:1], Recipe.fast(), **given)
    rows: dict[str, list[float]] = {"together_s": [], "alone_s": []}
    for _ in range(repeats):
        one, other = timed(together, 1, device, warm_up=False), timed(alone, 1, device, warm_up=False)
        rows["together_s"].append(one.median)
        rows["alone_s"].append(other.median)
    ratios = np.array(rows["alone_s"]) / np.array(rows["together_s"])
    difference = float(np.abs(one.value - other.value).max())
    return {"networks": count, "steps": STEPS, **rows, "ratio": float(np.median(ratios)), "largest_difference": difference}


def transition(seed: int, device: str) -> dict[str, Any]:
    """Seconds of one network's training until its accuracy on new classes is above .95, and of all its steps."""
    start = time.perf_counter()
    reached: dict[str, Any] = {"at": None, "seconds": None}

    def watch(trace: Any) -> None:
        if reached["at"] is None and trace.of("ic")[0, -1] > 0.95:
            reached.update(at=int(trace.steps[-1]), seconds=time.perf_counter() - start)

    trained = train([Member(Setting.fast(), seed)], Recipe.fast(), steps=1500, every=50, device=device, watch=watch)
    ended = {name: float(trained.trace.of(name)[0, -1]) for name in ("ic", "ila1", "tila2")}
    return {"seed": seed, **reached, "all_s": time.perf_counter() - start, **ended}


def regimes(device: str) -> list[dict[str, Any]]:
    """Where networks learn: shares right on new classes, on moved labels and from the weights, at the settings of the spec."""
    from workbench.dynamics import STUDIES

    rows = []
    for name, classes, burst in (("in context", 2048, 4), ("mixed", 512, 2), ("in weights", 128, 1)):
        asked = {"values": (str(classes),), "rows": (str(burst),), "steps": 5000, "seeds": 3, "device": device}
        each = STUDIES["reddy_phases"](**asked).parts["seeds"].squeeze(("classes", "burst"), drop=True)
        shares = {measure: each.sel(measure=measure).values.tolist() for measure in each.measure.values.tolist()}
        rows.append({"regime": name, "classes": classes, "burst": burst, "steps": 5000, **shares})
    return rows
