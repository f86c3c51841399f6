"""Plans of the methods that score edges, and that run circuits."""

from collections.abc import Mapping
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from workbench import select
from workbench.batches import in_pass
from workbench.edges.blocks import blocks, bytes_kept, bytes_learned, bytes_per_row, learned_at_once
from workbench.edges.estimate import HELD
from workbench.edges.exact import edges_at_once, together
from workbench.edges.forecast import forecast, prompts_at_once
from workbench.edges.search import ROUNDS, TRIED
from workbench.edges.wiring import Wiring
from workbench.graph import Graph
from workbench.methods.acdc import WIDEST
from workbench.methods.discover import SCORERS, halves
from workbench.pairs import Pairs
from workbench.plans.work import Work, parts_of, total
from workbench.sweep import first_difference

Params = Mapping[str, Any]


def eap(model: Any, pairs: Pairs, params: Params) -> Work:
    return _estimated(model, pairs, params, 2 if params["gradient_at"] == "both" else 1)


def eap_ig(model: Any, pairs: Pairs, params: Params) -> Work:
    sites = 1
    if params["path"] == "activations":
        sites += model.cfg.n_layers * (1 + Wiring(model).graph.mlps)
    return _estimated(model, pairs, params, sites * params["steps"])


def eap_relp(model: Any, pairs: Pairs, params: Params) -> Work:
    rules = params["rules"]
    return _estimated(model, pairs, params, 1, (rules,) if isinstance(rules, str) else tuple(rules))


def _estimated(model: Any, pairs: Pairs, params: Params, passes: int, rules: tuple[str, ...] | None = None) -> Work:
    """Two recorded runs of every few prompts, and so many passes with a gradient, multiplied out."""
    wiring, by_position = Wiring(model, params["readers"]), params.get("by_position", False)
    held, tokens, length = min(HELD, passes), pairs.clean.numel(), pairs.clean.shape[1]
    size = prompts_at_once(wiring, pairs, held, rules, by_position)
    parts = parts_of(len(pairs), size)
    found = Work(
        parts * (2 + passes), parts * passes, (2 + passes) * tokens, passes * tokens,
        products=parts_of(passes, HELD) * _products(wiring, tokens) + passes * tokens * _expanded(wiring),
        held=forecast(wiring, size, length, held, rules, by_position).peak, at_once=size, of="prompts",
    )  # fmt: skip
    if params["ablation"] == "mean":
        found += Work(parts_of(len(pairs), prompts_at_once(wiring, pairs)), tokens=tokens)
    return found


def ifr(model: Any, pairs: Pairs, params: Params) -> Work:
    wiring, tokens = Wiring(model, params["readers"]), pairs.clean.numel()
    size = prompts_at_once(wiring, pairs)
    each = 4 * pairs.clean.shape[1] * model.cfg.d_model * wiring.graph.n_sources
    # Differences of every source and the stream, in a few steps each, at what every attention and every MLP reads.
    products = 8.0 * tokens * model.cfg.d_model * wiring.graph.n_sources * (1 + wiring.graph.mlps) * model.cfg.n_layers / 2
    held = bytes_kept(wiring, size * pairs.clean.shape[1]) + 4 * each
    return Work(
        parts_of(len(pairs), size), tokens=tokens, products=products + tokens * _expanded(wiring), held=held, at_once=size,
        of="prompts",
    )  # fmt: skip


def edge_patch(model: Any, pairs: Pairs, params: Params) -> Work:
    runs = _Runs(model, pairs, params)
    edges = np.arange(runs.graph.n_edges)
    if params["sample"] is not None:
        edges = np.sort(np.random.default_rng(params["seed"]).permutation(len(edges))[: params["sample"]])
    return runs.recorded() + runs.one_by_one(edges.tolist())


def acdc(model: Any, pairs: Pairs, params: Params) -> Work:
    runs, graph, few = _Runs(model, pairs, params), Wiring(model, params["readers"]).graph, params["candidates"]
    if few is not None:
        few = min(few, graph.n_edges)
        # Which these are, and how deep they lie, is not known before; no way to share them out takes more than 8 runs each.
        trials = runs.circuits(8 * few, calls=few)
        ready = _estimated(model, pairs, params, 1) + runs.recorded() + runs.circuits(1) * 2
        return replace(ready, cells=None, at_once=None) + _searching(trials, few)
    found = replace(runs.recorded() + runs.circuits(1), cells=None, at_once=None)
    for dst, name in enumerate(graph.destinations):
        count = int(graph.edges[:, dst].sum())
        layer = min(graph.place(name)[0], graph.n_layers - 1)
        found += _searching(runs.circuits(_most_trials(count), layer, calls=count), count)
    return found


def edge_pruning(model: Any, pairs: Pairs, params: Params) -> Work:
    runs, steps = _Runs(model, pairs, params), params["steps"]
    blocks_of = parts_of(len(pairs), params["batch"])
    sizes = [min(params["batch"], len(pairs) - (step % blocks_of) * params["batch"]) for step in range(steps)]
    tokens, most = sum(sizes) * runs.length, learned_at_once(runs.wiring, max(sizes), runs.length)
    passes = sum(parts_of(size, most) for size in sizes)
    held = runs.kept + most * bytes_learned(runs.wiring, runs.length)
    learned = Work(
        passes, passes, tokens, tokens, products=3 * (_products(runs.wiring, tokens) + tokens * _expanded(runs.wiring)),
        cells=steps, held=held, at_once=most, of="prompts",
    )  # fmt: skip
    return learned + runs.recorded() + runs.empty()


def discover(model: Any, pairs: Pairs, params: Params) -> Work:
    finding, reporting = halves(pairs, params["seed"]) if params["hold_out"] else (pairs, pairs)
    found = _Runs(model, finding, params)
    held = _Runs(model, reporting, params) if params["hold_out"] else found
    work = found.recorded() + found.empty()
    if params["hold_out"]:
        work += held.recorded() + held.empty()
    scorer = SCORERS[params["scorer"]]
    shared = {name: value for name, value in params.items() if name in ("metric", "ablation", "readers", "seed")}
    asked = scorer.bind(**{name: value for name, value in shared.items() if name in scorer.params})
    work += SCORED[params["scorer"]](model, finding, asked)
    sizes = {size for size in select.sizes(found.graph) if size}
    if params["n_edges"] is None:
        if params["threshold"] is None:
            work += total([found.circuits(1)] * len(sizes) + [found.circuits(TRIED)] * ROUNDS)
        work += Work(at_most=True)
        count = len(sizes) + 1
    else:
        count = len(sizes | {params["n_edges"]})
    curves = [held.circuits(count), held.circuits(count), held.circuits(count * params["random"])]
    work += total([*curves, held.circuits(1), held.circuits(1), found.circuits(1)])
    if params["verify"]:
        edges = min(params["verify"], found.graph.n_edges)
        work += found.one_by_one(list(range(edges)), anywhere=True)
    return work


SCORED = {
    "eap": eap,
    "eap_ig": eap_ig,
    "eap_relp": eap_relp,
    "edge_patch": edge_patch,
    "ifr": ifr,
    "acdc": acdc,
    "edge_pruning": edge_pruning,
}


class _Runs:
    """Runs of circuits, and of single edges, as `Circuits` does them."""

    def __init__(self, model: Any, pairs: Pairs, params: Params):
        self.model, self.pairs, self.ablation = model, pairs, params["ablation"]
        self.wiring = Wiring(model, params["readers"])
        self.graph: Graph = self.wiring.graph
        start = int(first_difference(pairs).min()) if self.ablation == "corrupt" else 0
        self.length = pairs.clean.shape[1] - start
        self.kept = bytes_kept(self.wiring, pairs.clean.numel())

    def recorded(self) -> Work:
        """The clean and the corrupt run."""
        held = self.kept + in_pass(self.model, *self.pairs.clean.shape)
        return Work(2, tokens=2 * self.pairs.clean.numel(), held=held)

    def empty(self) -> Work:
        """The circuit without edges, which is the corrupt run where that is what ablated edges carry."""
        return Work() if self.ablation == "corrupt" else self.circuits(1)

    def circuits(self, count: int, from_layer: int = 0, calls: int = 1) -> Work:
        """So many circuits from a layer on, all at once or in so many calls."""
        layers, batch = self.graph.n_layers, len(self.pairs)
        if not count:
            return Work()
        together = count if calls == 1 else min(count, WIDEST)
        parts = [
            (rows.stop - rows.start, some.stop - some.start) for some, rows in blocks(self.wiring, batch, self.length, together)
        ]
        tokens = count * batch * self.length * (layers - from_layer) / layers
        most = max(map(prod, parts))
        held = self.kept + most * bytes_per_row(self.wiring, self.length) + in_pass(self.model, most, self.length)
        products = _products(self.wiring, tokens) + tokens * _expanded(self.wiring)
        return Work(
            len(parts) * calls, tokens=tokens, products=products, cells=count, held=held,
            at_once=max(some for _, some in parts), of="circuits",
        )  # fmt: skip

    def one_by_one(self, edges: list[int], anywhere: bool = False) -> Work:
        """Each of these edges alone, or as many that may lie anywhere: at most what such edges take."""
        layers, batch, cfg = self.graph.n_layers, len(self.pairs), self.model.cfg
        most = edges_at_once(self.model, batch, self.length)
        each, rows = batch * self.length, min(most, len(edges)) * batch
        held = self.kept + 4 * 2 * rows * self.length * cfg.d_model * 4 + in_pass(self.model, rows, self.length)
        shared = {"held": held, "at_once": min(most, len(edges)), "of": "edges", "cells": len(edges)}
        if anywhere:
            return Work(len(edges), tokens=len(edges) * each, at_most=True, **shared)
        passes, tokens, products = 0, 0.0, 0.0
        for layer, slot, some in together(self.graph, edges, most):
            if slot == "logits":
                # No pass: the stream is unembedded.
                products += len(some) * batch * cfg.d_model * cfg.d_vocab
                continue
            passes += 1
            tokens += len(some) * each * (layers - layer) / layers
        products += len(edges) * each * 2 * cfg.d_model * cfg.d_head
        return Work(passes, tokens=tokens, products=products, **shared)


def _most_trials(edges: int) -> int:
    """Circuits that trying so many edges of one destination runs at most, several at a time on a guess.

    A guess that fails takes the next one down half the way to where it failed, one that holds doubles it: so what is run in
    vain is at most twice the edges and twice the widest guess. And no guess is of more edges than are left.
    """
    return min(3 * edges + 2 * WIDEST, edges * (edges + 1) // 2)


def _searching(trials: Work, edges: int) -> Work:
    """Trials of so many edges, at most."""
    return replace(trials, cells=edges, at_most=True)


def _products(wiring: Wiring, tokens: int | float) -> float:
    """Products of what sources write and destinations read, over so many tokens."""
    return 1.0 * tokens * wiring.graph.n_edges * wiring.model.cfg.d_model


def _expanded(wiring: Wiring) -> float:
    """Products per token that take all heads' outputs to the stream, and their inputs from it."""
    cfg, graph = wiring.model.cfg, wiring.graph
    return 1.0 * cfg.n_layers * (cfg.n_heads + graph.slots_per_layer) * cfg.d_head * cfg.d_model
