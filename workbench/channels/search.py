"""Channels of a model from its weights alone: the components that stand out of their head in a later head's reading."""

from dataclasses import dataclass, fields

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from workbench.channels.composition import Block, blocks, robust
from workbench.channels.significance import Null, adjusted
from workbench.channels.weights import SLOTS, Heads

# Only tests at most this likely by chance are remembered; the others can never count after correction.
REMEMBERED = 0.01


@dataclass(frozen=True, eq=False)
class Found:
    """Components as later heads read them, strongest first; those that are likely by chance are left out.

    Attributes:
        slot: Place in SLOTS.
        writer, head, component: Layer, head and component that write.
        reader, reading: Layer and head that read.
        score: Composition score of the component.
        deviation: Its robust deviation from the head's other components.
        within: Its robust deviation from the components of the layer's other heads; NaN where there is none.
        share: The component's share of its head's squared strength.
        q: The rate of chance findings at which it still counts.
        tried: How many there were in all.
    """

    slot: Int[np.ndarray, "row"]
    writer: Int[np.ndarray, "row"]
    head: Int[np.ndarray, "row"]
    component: Int[np.ndarray, "row"]
    reader: Int[np.ndarray, "row"]
    reading: Int[np.ndarray, "row"]
    score: Float[np.ndarray, "row"]
    deviation: Float[np.ndarray, "row"]
    within: Float[np.ndarray, "row"]
    share: Float[np.ndarray, "row"]
    q: Float[np.ndarray, "row"]
    tried: int

    def rows(self, which: np.ndarray) -> "Found":
        """Some of them."""
        columns = {one.name: getattr(self, one.name)[which] for one in fields(self) if one.name != "tried"}
        return Found(**columns, tried=self.tried)

    def names(self) -> list[str]:
        """'7.9.6 -> 9.9 q'."""
        columns = zip(self.writer, self.head, self.component, self.reader, self.reading, self.slot, strict=True)
        return [f"{a}.{b}.{c} -> {d}.{e} {SLOTS[slot]}" for a, b, c, d, e, slot in columns]


def from_weights(heads: Heads, slots: tuple[str, ...], rotations: int, seed: int) -> Found:
    """All components against all later readers, and a null of each slot."""
    nulls = {slot: Null() for slot in slots}
    for block in blocks(heads, slots, rotations, seed):
        nulls[block.slot].add(robust(block.scores))
    # Read alike by several heads: once is enough.
    tables, tried = [], 0
    for block in blocks(heads, slots):
        table, count = _table(heads, block, nulls[block.slot], heads.alike if block.slot == "k" else 1)
        tables.append(table)
        tried += count
    whole = np.concatenate(tables)
    whole = whole[np.argsort(-whole[:, 7], kind="stable")]
    places = whole[:, :6].astype(int)
    return Found(*places.T, whole[:, 6], whole[:, 7], whole[:, 8], whole[:, 9], adjusted(whole[:, 10], tried), tried)


def _table(heads: Heads, block: Block, null: Null, alike: int) -> tuple[Float[np.ndarray, "row column"], int]:
    """The rows of one pair of layers that are remembered, with p last; and how many were tried."""
    deviation = robust(block.scores)
    p = null.p(deviation)[:, :, ::alike]
    head, component, reading = np.nonzero(p <= REMEMBERED)
    at = (head, component, reading * alike)
    share = heads.components(block.writer).share.cpu().numpy()[head, component]
    numbers = [values.double().cpu().numpy()[at] for values in (block.scores, deviation, _within_layer(block))]
    fixed = [np.full(len(head), number) for number in (SLOTS.index(block.slot), block.writer)]
    columns = [*fixed, head, component, np.full(len(head), block.reader), at[2], *numbers, share, p[head, component, reading]]
    return np.column_stack(columns).astype(float), p.size


def _within_layer(block: Block) -> Float[Tensor, "head component reader"]:
    """Robust deviations from the components of the layer's other heads."""
    scores = block.scores
    if len(scores) < 2:
        return torch.full_like(scores, torch.nan)
    others = [torch.cat([scores[:head], scores[head + 1 :]]).flatten(0, 1) for head in range(len(scores))]
    return robust(scores, torch.stack(others))
