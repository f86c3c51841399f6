"""Finished pieces of a long loop, in an append-only file: a kill loses at most the piece that was being written.

A record is MAGIC, the length of its body, the CRC32 of both, and the body: name, shape, float64 numbers. Whatever
follows the last whole record is cut off on opening.
"""

import os
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from filelock import FileLock, Timeout

MAGIC = b"WBP1"
_HEAD = struct.Struct("<4sQI")
_NAME = struct.Struct("<HB")


class FileLedger:
    """A Ledger (see progress) that writes to `path`, or keeps its pieces in memory alone where `path` is None."""

    def __init__(self, path: Path | None = None):
        self._path = path
        self._kept: dict[str, np.ndarray] = {}
        self._file: BinaryIO | None = None
        if path is not None:
            self._open(path)

    def get(self, name: str) -> np.ndarray | None:
        """A copy of the array written under `name`, or None."""
        kept = self._kept.get(name)
        return None if kept is None else kept.copy()

    def put(self, name: str, values: Any) -> None:
        """Write `values` down as float64 under `name`; on disk when this returns."""
        array = np.array(values, dtype=np.float64)
        self._kept[name] = array
        if self._file is not None:
            try:
                self._append(_record(name, array))
            except OSError as error:
                self._give_up(error)

    def done(self) -> None:
        """Forget the pieces and remove the file: the work is finished."""
        self._kept.clear()
        self.close()
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Stop writing; the file stays."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self, path: Path) -> None:
        try:
            # Unbuffered: a buffer that could not be flushed would be tried again on closing.
            self._file = open(path, "a+b", buffering=0)  # noqa: SIM115
            self._file.seek(0)
            self._kept, self._end = _read(self._file.readall())
            self._file.truncate(self._end)
        except OSError as error:
            self._give_up(error)

    def _append(self, record: bytes) -> None:
        left = memoryview(record)
        while left:
            left = left[self._file.write(left) :]
        os.fsync(self._file.fileno())
        self._end += len(record)

    def _give_up(self, error: OSError) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.truncate(self._end)
            with suppress(OSError):
                self._file.close()
            self._file = None
        warnings.warn(
            f"{self._path}: {error.strerror or error}. The work goes on; if it is interrupted, "
            "what it finishes from here on is lost.",
            stacklevel=3,
        )


@contextmanager
def opened(path: Path) -> Iterator[FileLedger]:
    """A FileLedger on `path`, or one in memory while somebody else holds that file."""
    lock = FileLock(f"{path}.lock", timeout=0, thread_local=False)
    if not _acquired(lock, path):
        yield FileLedger()
        return
    ledger = FileLedger(path)
    try:
        yield ledger
    finally:
        ledger.close()
        with suppress(OSError):
            os.unlink(lock.lock_file)
        lock.release()


def _acquired(lock: FileLock, path: Path) -> bool:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        return False
    except OSError as error:
        warnings.warn(f"{path}: {error.strerror or error}. Work that is interrupted will start again.", stacklevel=4)
        return False
    return True


def _record(name: str, array: np.ndarray) -> bytes:
    text = name.encode()
    body = _NAME.pack(len(text), array.ndim) + text + struct.pack(f"<{array.ndim}Q", *array.shape)
    body += array.astype("<f8").tobytes()
    return _HEAD.pack(MAGIC, len(body), _crc(body)) + body


def _crc(body: bytes | memoryview) -> int:
    return zlib.crc32(body, zlib.crc32(struct.pack("<Q", len(body))))


def _read(data: bytes) -> tuple[dict[str, np.ndarray], int]:
    """Every whole record from the start on, and where the last of them ends."""
    kept: dict[str, np.ndarray] = {}
    end = 0
    while len(data) - end >= _HEAD.size:
        magic, length, crc = _HEAD.unpack_from(data, end)
        body = memoryview(data)[end + _HEAD.size : end + _HEAD.size + length]
        if magic != MAGIC or len(body) != length or _crc(body) != crc:
            break
        name, array = _parse(body)
        kept[name] = array
        end += _HEAD.size + length
    return kept, end


def _parse(body: memoryview) -> tuple[str, np.ndarray]:
    length, ndim = _NAME.unpack_from(body)
    start = _NAME.size + length
    name = bytes(body[_NAME.size : start]).decode()
    shape = struct.unpack_from(f"<{ndim}Q", body, start)
    numbers = np.frombuffer(body[start + 8 * ndim :], dtype="<f8")
    return name, numbers.astype(np.float64).reshape(shape)
