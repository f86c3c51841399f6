"""Channels between heads: single directions through which one writes what a later one reads, and what they do on a task."""

from typing import Any

import numpy as np
import xarray as xr

from workbench.channels.composition import pair_block, robust
from workbench.channels.evidence import Bench
from workbench.channels.find import Row, on_task
from workbench.channels.search import Found, from_weights
from workbench.channels.weights import SLOTS, Heads, Slot, checked
from workbench.errors import BadInput, at_least
from workbench.methods.method import Method
from workbench.pairs import Pairs
from workbench.result import Scores

TITLE = "Channels between heads"
# Of what a head does, the share that one component must do for its channel to count as one direction.
LOW_RANK = 0.5


def run(
    model: Any,
    pairs: Pairs | None = None,
    *,
    slots: Slot | tuple[Slot, ...] = SLOTS,
    rate: int | float = 0.01,
    rotations: int = 2,
    top: int = 50,
    readers: int = 3,
    writers: int = 5,
    seed: int = 0,
) -> Scores:
    """How far single components of what heads write stand out in a later head's reading; on pairs, also what they do there.

    Convention: of component i the composition score is C_i = |b_i R| / |R|, b_i its unit writing direction and R the reader's
    matrix through a slot (q, k, v), norms folded in; values are robust deviations, C_i less the median over the head's
    components, over 1.4826 times their median deviation. q is the Benjamini-Hochberg rate of chance findings, against
    randomly turned bases of the same heads. On pairs: readers are the heads that add most to the logit difference by
    themselves, and a reader leans by its attention from END to the right answer less that to the wrong one; inhibition is how
    much the leaning falls when what a head, or one component of it, writes at END is taken away: + pushes the reader to the
    right answer. Source: Merullo et al. 2024, https://arxiv.org/abs/2406.09519; composition: Elhage et al. 2021; the
    deviations, their null and the order of the search are ours.

    Args:
        model: The model.
        pairs: Prompts that name both answers; None for the weights alone.
        slots: What later heads read through: q, k, v.
        rate: Rate of chance findings, for the count in the notes.
        rotations: Random bases of every head in the null.
        top: Channels to report from the weights.
        readers: On pairs, how many heads that move the answer are watched.
        writers: On pairs, how many writers are taken apart per reader.
        seed: Of the random bases.
    Returns:
        Scores over channel in robust deviations, strongest first, with composition score, share of strength and q beside
        each. On pairs: the best component of every writer that counts, by inhibition, with what it does beside it, and the
        parts direct (layer, head), inhibition (reader, layer, head), components (row, component) and composition (row,
        component).
    Raises:
        BadInput: When a parameter is none of these, the prompts do not name both answers, or nothing inhibits.
    """
    for name, value in (("rotations", rotations), ("top", top), ("readers", readers), ("writers", writers)):
        at_least(name, value, 1)
    if not 0 < rate < 1:
        raise BadInput(f"rate must be between 0 and 1; got {rate}.")
    slots = checked(slots)
    if pairs is not None and "q" not in slots:
        raise BadInput(f"slots must hold q where there are prompts: trials are made at END, through queries; got {slots}.")
    heads = Heads(model)
    if heads.n_layers < 2:
        raise BadInput(f"channels must have a model of at least 2 layers; got {heads.n_layers}.")
    found = from_weights(heads, slots, rotations, seed)
    notes = {
        "sign": "+ stands out: robust deviations of a component's composition score from its head's other components",
        "null": f"{rotations} random bases of every head, their largest 1 % by a fitted tail; {found.tried:,} components and "
        "readers tried",
        "channels": f"{int((found.q <= rate).sum()):,} count at a rate of {rate:g} of chance findings",
    }
    if pairs is None:
        return _from_weights(found.rows(np.arange(min(top, len(found.score)))), notes)
    return _on_task(heads, pairs, found, readers, writers, seed, notes)


def _from_weights(found: Found, notes: dict[str, str]) -> Scores:
    """The strongest channels as a Result."""
    beside = {"composition": found.score, "share of strength": found.share, "within layer": found.within, "q": found.q}
    coords: dict[str, Any] = {"channel": found.names()} | {name: ("channel", column) for name, column in beside.items()}
    values = xr.DataArray(found.deviation, dims=("channel",), coords=coords)
    return Scores(TITLE, "robust deviations", values, notes=notes)


def _on_task(heads: Heads, pairs: Pairs, found: Found, readers: int, writers: int, seed: int, notes: dict[str, str]) -> Scores:
    """What the task tells, with what the weights say of the same components beside it."""
    bench = Bench(heads, pairs)
    told = on_task(bench, readers, writers, seed)
    weights = [_from_pair(heads, row, found) for row in told.rows]
    beside = {
        "composition": [one[1] for one in weights],
        "q": [one[2] for one in weights],
        "inhibition": [row.inhibition for row in told.rows],
        "head": [row.whole for row in told.rows],
        "share": [row.share for row in told.rows],
        "next share": [row.next_share for row in told.rows],
        "random share": [row.by_chance for row in told.rows],
        "alone": [row.alone for row in told.rows],
        "answer": [row.answer for row in told.rows],
        "said, right first": [row.said_right_first for row in told.rows],
        "said, wrong first": [row.said_wrong_first for row in told.rows],
    }
    names = [row.name for row in told.rows]
    coords: dict[str, Any] = {"channel": names} | {name: ("channel", column) for name, column in beside.items()}
    layers, each = {"layer": np.arange(heads.n_layers)}, {"head": np.arange(heads.n_heads)}
    parted = {"row": names, "component": np.arange(heads.d_head)}
    watched = [heads.name(*reader) for reader in told.readers]
    parts = {
        "direct": xr.DataArray(bench.direct.mean(-1).double().cpu().numpy(), dims=("layer", "head"), coords=layers | each),
        "inhibition": xr.DataArray(
            told.inhibition.mean(-1), dims=("reader", "layer", "head"), coords={"reader": watched} | layers | each
        ),
        "components": xr.DataArray(np.stack([row.falls for row in told.rows]), dims=("row", "component"), coords=parted),
        "composition": xr.DataArray(np.stack([one[3] for one in weights]), dims=("row", "component"), coords=parted),
    }  # fmt: skip
    wide = [row.name for row in told.rows if row.share < LOW_RANK]
    notes["effect"] = "fall of leaning"
    notes["chosen"] = "readers, writers and components were chosen on these prompts: ask again on others to see what stays"
    notes["readers"] = ", ".join(watched)
    notes["low rank"] = f"below {LOW_RANK:.0%} of its head: {', '.join(wide)}" if wide else "all through one component"
    values = xr.DataArray([one[0] for one in weights], dims=("channel",), coords=coords)
    return Scores(TITLE, "robust deviations", values, parts=parts, notes=notes)


def _from_pair(heads: Heads, row: Row, found: Found) -> tuple[float, float, float, np.ndarray]:
    """Robust deviation, composition score and q of a channel, from the weights, and the scores of all its head's components.

    q is 1 where chance gives as much.
    """
    block = pair_block(heads, "q", row.writer[0], row.reader[0])
    at = (row.writer[1], row.component, row.reader[1])
    place = (SLOTS.index("q"), *row.writer, row.component, *row.reader)
    columns = (found.slot, found.writer, found.head, found.component, found.reader, found.reading)
    known = np.logical_and.reduce([column == number for column, number in zip(columns, place, strict=True)])
    each = block.scores[row.writer[1], :, row.reader[1]].double().cpu().numpy()
    return float(robust(block.scores)[at]), float(block.scores[at]), float(found.q[known][0]) if known.any() else 1.0, each


METHOD = Method("channels", TITLE, "Merullo et al. 2024, arXiv:2406.09519", run, needs_pairs=False)
