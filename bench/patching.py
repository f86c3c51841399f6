"""Patching: our engine against transformer_lens.patching, same model, same prompts, same cells, one run."""

from typing import Any

import numpy as np
import torch
from transformer_lens import patching

from bench.timing import beyond_bytes, timed
from workbench.methods import METHODS, agreement
from workbench.metrics import METRICS, answers_of
from workbench.pairs import Pairs
from workbench.tasks import TASKS

SITES = ("attn_out", "mlp_out", "resid_pre")
CORRUPTIONS = ("abc", "s2_io")


def theirs(model: Any, pairs: Pairs, sweep: str) -> np.ndarray:
    """The library's own sweep: one whole forward pass per cell; effects over the corrupt run."""
    clean, corrupt = pairs.clean.to(model.cfg.device), pairs.corrupt.to(model.cfg.device)
    rows, end = torch.arange(len(pairs)), pairs.end
    answers = answers_of(pairs, model.cfg.device)

    def metric(logits: torch.Tensor) -> torch.Tensor:
        return METRICS["logit_diff"].measure(logits[rows, end], answers).mean()

    wanted = "attn.hook_z" if sweep == "heads" else "hook_resid_pre"
    run = {"heads": patching.get_act_patch_attn_head_out_all_pos, "stream": patching.get_act_patch_resid_pre}[sweep]
    with torch.no_grad():
        _, cache = model.run_with_cache(clean, names_filter=lambda name: name.endswith(wanted))
        return (run(model, corrupt, cache, metric) - metric(model(corrupt))).cpu().numpy()


def ours(model: Any, pairs: Pairs, sweep: str) -> np.ndarray:
    """The same cells by our engine."""
    asked = dict(sites="z", by=("layer", "head")) if sweep == "heads" else dict(sites="resid_pre", by=("layer", "pos"))
    return METHODS["patch"](model, pairs, **asked, positions="each").values.mean("prompt").values


def sweeps(model: Any, pairs: Pairs, repeats: int, device: str) -> list[dict[str, Any]]:
    """Both sweeps by both, with the ratio and the largest difference."""
    rows = []
    for sweep, title in (("heads", "per-head sweep"), ("stream", "residual stream, layer × position")):
        us = timed(lambda sweep=sweep: ours(model, pairs, sweep), repeats, device)
        # Hundreds of forward passes of one shape: the first few are warm-up enough.
        them = timed(lambda sweep=sweep: theirs(model, pairs, sweep), repeats, device, warm_up=False)
        rows.append(
            {
                "measure": title,
                "cells": int(us.value.size),
                "ours_s": us.seconds,
                "theirs_s": them.seconds,
                "ratio": them.median / us.median,
                "largest_difference": float(np.abs(us.value - them.value).max()),
            }
        )
    return rows


def relevance_cost(model: Any, pairs: Pairs, repeats: int, device: str) -> dict[str, Any]:
    """relp against atp, alternating, on attention, MLP and residual outputs; and the passes that relp takes."""
    asked = dict(sites=SITES, by=("layer", "pos"), positions="each")
    forwards, backwards = [], []
    counters = [
        model.blocks[0].register_forward_hook(lambda *_: forwards.append(1)),
        model.blocks[-1].register_full_backward_hook(lambda *_: backwards.append(1)),
    ]
    try:
        METHODS["relp"](model, pairs, **asked)
    finally:
        for counter in counters:
            counter.remove()
    relp = timed(lambda: METHODS["relp"](model, pairs, **asked), 2 * repeats + 1, device)
    atp = timed(lambda: METHODS["atp"](model, pairs, **asked), 2 * repeats + 1, device)
    return {
        "measure": "relp against atp",
        "forwards": len(forwards),
        "backwards": len(backwards),
        "relp_s": relp.seconds,
        "atp_s": atp.seconds,
        "ratio": relp.median / atp.median,
    }


def memory(ref: str, n: int, seed: int) -> dict[str, Any]:
    """What a sweep takes at its peak beyond the loaded model, the pairs and one plain run."""
    setup = (
        f"import workbench\nmodel = workbench.load({ref!r}, device='cpu')\n"
        f"pairs = workbench.TASKS['ioi'](model, n={n}, seed={seed})\n"
        "from workbench.hooks import read\nread(model, pairs.clean, pairs.end, [])"
    )
    asked = {
        "heads": "sites='z', by=('layer', 'head')",
        "stream": "sites='resid_pre', by=('layer', 'pos'), positions='each'",
    }
    rows = {name: beyond_bytes(setup, f"workbench.METHODS['patch'](model, pairs, {given})") for name, given in asked.items()}
    return {"measure": "peak memory of a sweep beyond the model", "beyond_bytes": rows}


def correlations(model: Any, n: int, seeds: list[int]) -> list[dict[str, Any]]:
    """Pearson of relp and atp with exact patching over layer × position, by site; a row per corruption and seed.

    A seed draws other names and another template. 'abc' replaces every name; 's2_io' swaps the answer, as in the source of
    relevance patching.
    """
    rows = []
    for corruption in CORRUPTIONS:
        for seed in seeds:
            pairs = TASKS["ioi"](model, n=n, seed=seed, corruption=corruption)
            asked = dict(sites=SITES, by=("layer", "pos"), positions="each")
            exact = METHODS["patch"](model, pairs, **asked)
            for method in ("atp", "relp"):
                agreed = agreement(exact, METHODS[method](model, pairs, **asked)).values
                for site in SITES:
                    told = {name: float(agreed.sel(site=site, measure=name)) for name in ("pearson", "spearman")}
                    rows.append({"corruption": corruption, "seed": seed, "method": method, "site": site, **told})
    return rows
