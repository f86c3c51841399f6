"""What panels were told: small results beside those of methods in the store, found again without the model.

A panel asks about one head, one node or one edge at a time. These results are kept in a folder of their own, so that the list
of results stays that of what was run, and only the last of them.
"""

import hashlib
import logging
from contextlib import suppress

from workbench.errors import BadInput
from workbench.result import Result
from workbench.store import Store, StoreError
from workbench.store.asked import note, noted
from workbench.views.opened import opened
from workbench.views.question import Question
from workbench.views.stored import made_as_now, named

log = logging.getLogger(__name__)

FOLDER = "panels"
# Results, the bytes of all, and the numbers of one.
MOST, MOST_BYTES, LARGEST = 2000, 500_000_000, 4_000_000


class Beside:
    """What panels were told of a store's models and prompts.

    Args:
        store: The store.
    """

    def __init__(self, store: Store):
        self._store = Store(store.folder / FOLDER)

    def find(self, asked: Question, key: str) -> Result | None:
        """What was told, where it was computed as it would be now.

        Args:
            asked: The model and its prompts.
            key: What the panel asked of them.
        """
        stored = noted(self._store.folder, _hash(key))
        if not stored or stored not in self._store:
            return None
        with suppress(BadInput, StoreError):
            result = opened(self._store, stored)
            if result is not None and result.origin is not None and made_as_now(result.origin, asked):
                return result
        return None

    def keep(self, asked: Question, key: str, result: Result) -> None:
        """Keep what was told, in place of what is the oldest; not where the model's name does not say which weights."""
        if result.origin is None or result.values.size > LARGEST or not named(asked):
            return
        try:
            note(self._store.folder, _hash(key), self._store.put(result))
        except StoreError:
            log.warning("what a panel was told could not be kept", exc_info=True)
        self._forget_oldest()

    def _forget_oldest(self) -> None:
        for files in (self._store.folder.glob("*.npz"), (self._store.folder / "asked").glob("*.txt")):
            dated = []
            for file in files:
                with suppress(OSError):
                    seen = file.stat()
                    dated.append((seen.st_mtime, seen.st_size, file))
            held = 0
            for at, (_, size, file) in enumerate(sorted(dated, reverse=True)):
                held += size
                if at >= MOST or held > MOST_BYTES:
                    with suppress(OSError):
                        file.unlink(missing_ok=True)


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:16]
