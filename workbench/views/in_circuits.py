"""Which of the newest stored circuits of a model and task have a head in them, found without the model."""

import time
from typing import NamedTuple

import numpy as np

from workbench.errors import BadInput
from workbench.jobs import Placed
from workbench.jobs.placed import DTYPE
from workbench.plots.layers import box_of
from workbench.result import Circuit, Origin
from workbench.store import Entry, Store
from workbench.views.opened import opened
from workbench.views.question import CUSTOM

# Circuits looked into, each a file that is read once.
MOST = 3
# Nanoseconds: file systems tell the time of two changes apart that lie further from each other.
APART = 2 * 10**9


class Held(NamedTuple):
    """What a stored circuit keeps: how many edges, and the names of the nodes these join."""

    edges: int
    nodes: frozenset[str]


class InCircuits:
    """The stored circuits of a store, listed anew only where its folder has changed.

    Args:
        store: Where they lie.
    """

    def __init__(self, store: Store):
        self._store = store
        self._entries: list[Entry] = []
        self._changed: int | None = None
        self._held: dict[tuple[str, float], Held | None] = {}

    def newest(self, placed: Placed, task: str, known: Origin | None = None) -> list[tuple[Entry, Held]]:
        """The newest circuits of a model and a task that can be read, with what they keep; at most three.

        Scores of edges, of which nothing was selected, are no circuit. Of the user's own pairs none is found until it is
        known what these are: an Origin has only their hash.

        Args:
            placed: The model.
            task: Id of the task.
            known: Where a result on the same weights and prompts comes from, or None.
        """
        if task == CUSTOM and known is None:
            return []
        found = [entry for entry in self._listed() if _is_of(entry.origin, placed, task, known)][:MOST]
        held = {(entry.key, entry.modified.timestamp()): entry for entry in found}
        self._held = {name: self._held[name] if name in self._held else self._read(name[0]) for name in held}
        return [(entry, one) for name, entry in held.items() if (one := self._held[name]) is not None]

    def _listed(self) -> list[Entry]:
        """The circuits that the store holds, the newest first."""
        try:
            changed = self._store.folder.stat().st_mtime_ns
        except OSError:
            return []
        if changed != self._changed:
            listed = self._store.list()
            self._entries = [entry for entry in listed if entry.kind == "circuit" and "kept" in entry.parts]
            # What changes right after this may leave the folder's time as it is.
            self._changed = changed if time.time_ns() - changed > APART else None
        return self._entries

    def _read(self, key: str) -> Held | None:
        """What a circuit keeps; None where it cannot be read, or was deleted since."""
        try:
            circuit = opened(self._store, key)
        except (BadInput, OSError):
            return None
        return held_by(circuit) if isinstance(circuit, Circuit) else None


def held_by(circuit: Circuit) -> Held:
    """What a circuit keeps, by the names that its network is drawn with."""
    kept = np.flatnonzero(circuit.parts["kept"].values)
    sources, destinations = circuit.parts["sources"].values, circuit.parts["destinations"].values
    src, dst = (np.unique(circuit.values.coords[name].values[kept]) for name in ("src", "dst"))
    nodes = {str(name) for name in sources[src]} | {box_of(str(name)) for name in destinations[dst]}
    return Held(len(kept), frozenset(nodes))


def _is_of(origin: Origin, placed: Placed, task: str, known: Origin | None) -> bool:
    if (origin.model, origin.dtype, origin.task) != (placed.ref, placed.dtype or DTYPE, task):
        return False
    # A folder may hold other weights by now.
    return known is None or (origin.fingerprint == known.fingerprint and (task != CUSTOM or origin.pairs == known.pairs))
