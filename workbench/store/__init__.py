"""A folder of Results that the command line, the notebooks and the apps share: one Origin, one key, one file.

A file appears whole or not at all, whoever writes and whenever it is killed. A file that is damaged later is moved
aside and computed again; it never gives wrong numbers. Work in progress is kept piece by piece beside the results.
"""

import os
import re
import time
import uuid
import warnings
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from workbench.errors import BadInput
from workbench.home import home
from workbench.progress import keeping
from workbench.result import Origin, Result
from workbench.store.archive import Damaged, head, pack, unpack
from workbench.store.ledger import FileLedger, opened

__all__ = ["Entry", "FileLedger", "Store", "StoreError"]

_KEY = re.compile(r"[0-9a-f]+")
_LEAST_PREFIX = 4
_DAY = 24 * 3600.0


class StoreError(BadInput):
    """The result could not be written; those finished earlier are still there."""


@runtime_checkable
class Computes(Protocol):
    """What `Store.compute` asks of a method."""

    def origin(self, model: Any, pairs: Any, **params: Any) -> Origin: ...

    def __call__(self, model: Any, pairs: Any, **params: Any) -> Result: ...


@dataclass(frozen=True)
class Entry:
    """One stored result, without its numbers.

    Attributes:
        key: Its name in the store.
        kind: 'scores', 'curve', ….
        title: The title of its figure.
        origin: Where it comes from.
        size: Bytes on disk.
        modified: When it was written, in UTC.
        parts: The names of its parts.
    """

    key: str
    kind: str
    title: str
    origin: Origin
    size: int
    modified: datetime
    parts: tuple[str, ...] = ()


Entries = list[Entry]


class Store:
    """Results by key in one folder.

    Args:
        folder: Where to keep them; WORKBENCH_STORE, else `home()/store`, where None. Made on the first write.
    """

    def __init__(self, folder: str | os.PathLike | None = None):
        given = folder or os.environ.get("WORKBENCH_STORE")
        self.folder = Path(given).expanduser() if given else home() / "store"

    def __contains__(self, key: str) -> bool:
        return os.path.exists(self.path(key))

    def path(self, key: str) -> Path:
        """The file of `key`, whether it exists or not.

        Raises:
            BadInput: When `key` holds anything but hex digits.
        """
        if not _KEY.fullmatch(key):
            raise BadInput(f"key must be made of the digits 0-9 and a-f; got {key!r}.")
        return self.folder / f"{key}.npz"

    def put(self, result: Result) -> str:
        """Write `result` down and return its key. Atomic: other processes see the old file or the new one, both whole.

        Raises:
            BadInput: When the result has no Origin.
            StoreError: When the file cannot be written (disk full, folder not writable).
        """
        if result.origin is None:
            raise BadInput(f"the result {result.title!r} must have an origin to be stored; got none.")
        key = result.origin.key
        path = self.path(key)
        data = pack(result)
        temporary = self.folder / f".{key}.{uuid.uuid4().hex}.tmp"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _write_whole(temporary, data)
            os.replace(temporary, path)
        except OSError as error:
            raise StoreError(
                f"{path} must be writable; got {error.strerror or error}. Results stored earlier are untouched."
            ) from error
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        _sync_folder(self.folder)
        self._tidy(key)
        return key

    def get(self, key: str) -> Result | None:
        """The result stored under `key`, or None if its file is damaged (it is moved aside, with a warning).

        Args:
            key: The whole key, or 4 or more of its first digits.
        Raises:
            BadInput: When no key, or more than one, begins so; when another version of the workbench wrote the file.
        """
        path = self.path(self._whole(key))
        try:
            result = unpack(path.read_bytes(), path.name)
            if result.origin is None or result.origin.key != path.stem:
                raise Damaged("it holds the result of another key")
            return result
        except OSError as error:
            raise StoreError(f"{path} must be readable; got {error.strerror or error}.") from error
        except Damaged as damage:
            with suppress(OSError):
                os.replace(path, f"{path}.damaged")
            warnings.warn(f"{path} is damaged ({damage}); it was moved to {path.name}.damaged.", stacklevel=2)
            return None

    def delete(self, key: str) -> None:
        """Remove the result stored under `key` (or its first 4 or more digits), and what is left of work on it."""
        path = self.path(self._whole(key))
        path.unlink(missing_ok=True)
        path.with_suffix(".partial").unlink(missing_ok=True)

    def begun(self, key: str) -> bool:
        """Whether finished pieces of interrupted work on `key` are there, from which it goes on."""
        path = self.path(key).with_suffix(".partial")
        return path.exists() and path.stat().st_size > 0

    def ledger(self, key: str) -> AbstractContextManager[FileLedger]:
        """Context that gives the ledger of `key`: the finished pieces of earlier work on it that was interrupted.

        One process at a time writes it; another gets a ledger in memory. The file goes with `put` of the result or with
        `.done()`, and stays otherwise.
        """
        return opened(self.path(key).with_suffix(".partial"))

    def compute(self, method: Computes, model: Any, pairs: Any, *, again: bool = False, **params: Any) -> Result:
        """The result of `method(model, pairs, **params)`: the stored one, or computed now and stored.

        Work that was interrupted goes on from its last finished piece. A result that cannot be stored is returned all
        the same, with a warning.

        Args:
            method: What computes it, and says beforehand what its Origin will be.
            model: The model.
            pairs: The task's pairs.
            again: Compute it even if it is stored, using nothing of earlier work.
            params: The method's parameters.
        """
        origin = method.origin(model, pairs, **params)
        key = origin.key
        if not again and key in self:
            stored = self.get(key)
            if stored is not None:
                return stored
        if again:
            with suppress(OSError):
                self.path(key).with_suffix(".partial").unlink(missing_ok=True)
        with self.ledger(key) as pieces:
            with keeping(pieces):
                result = method(model, pairs, **params)
            if result.origin is None:
                result = result.replace(origin=origin)
            try:
                self.put(result)
                pieces.done()
            except StoreError as error:
                warnings.warn(str(error), stacklevel=2)
        return result

    def list(self) -> Entries:
        """Every stored result, the newest first; a file that cannot be read is left out, with a warning naming it."""
        entries: Entries = []
        for path in self.folder.glob("*.npz"):
            if not _KEY.fullmatch(path.stem):
                continue
            try:
                header, origin = head(path)
                about = path.stat()
            except FileNotFoundError:
                continue
            except (Damaged, BadInput, OSError) as error:
                warnings.warn(f"{path} is left out: {error}", stacklevel=2)
                continue
            when = datetime.fromtimestamp(about.st_mtime, UTC)
            parts = tuple(header["parts"])
            entries.append(Entry(path.stem, header["kind"], header["title"], origin, about.st_size, when, parts))
        return sorted(entries, key=lambda entry: entry.modified, reverse=True)

    def _whole(self, key: str) -> str:
        """The one stored key that is `key` or begins with it."""
        if key in self:
            return key
        stored = sorted(path.stem for path in self.folder.glob("*.npz") if _KEY.fullmatch(path.stem))
        if len(key) < _LEAST_PREFIX:
            raise BadInput(f"key must have at least {_LEAST_PREFIX} digits; got {key!r}.")
        found = [name for name in stored if name.startswith(key)]
        if len(found) == 1:
            return found[0]
        if found:
            raise BadInput(f"key must name one result; got {key!r}, which begins {', '.join(found)}. Give more digits.")
        listed = ", ".join(stored[:10]) + (", …" if len(stored) > 10 else "")
        raise BadInput(f"key must be one of the stored ones; got {key!r}. {self.folder} holds {listed or 'nothing yet'}.")

    def _tidy(self, key: str) -> None:
        """Remove the pieces of `key` and temporary files that killed processes left behind more than a day ago."""
        with suppress(OSError):
            self.path(key).with_suffix(".partial").unlink(missing_ok=True)
        for path in self.folder.glob(".*.tmp"):
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > _DAY:
                    path.unlink()


def _write_whole(path: Path, data: bytes) -> None:
    with open(path, "xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Make the new name itself survive a power cut, where the system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
