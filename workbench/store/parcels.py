"""Results that come as files from elsewhere: one of the store, a zip of several, or a result as JSON."""

import io
import zipfile

from workbench.errors import BadInput
from workbench.result import Result
from workbench.store.archive import HEADER, Damaged, unpack
from workbench.store.as_json import from_json

# What a file may grow to when it is opened: else a small one could fill the memory.
MOST_BYTES = 1 << 30
MOST_FILES = 10_000


def results_in(name: str, data: bytes) -> list[Result]:
    """The Results in a file, none of them unpickled.

    Args:
        name: The file's name, for messages.
        data: Its content: a result of a store (.npz), a zip of such files, or what `to_json` wrote.
    Raises:
        BadInput: When it is something else, damaged, too large, or holds no result.
    """
    shown = name[:80]
    if not data.startswith(b"PK"):
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as problem:
            raise BadInput(f"the file must be a result, or a zip of results; got {shown!r}, which is neither.") from problem
        return [from_json(text)]
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if len(members) > MOST_FILES or sum(one.file_size for one in members) > MOST_BYTES:
                raise BadInput(
                    f"the file must hold at most {MOST_FILES} files and {MOST_BYTES >> 30} GB; got more in {shown!r}."
                )
            if HEADER in archive.namelist():
                return [_one(shown, data)]
            contents = [(one.filename[-80:], archive.read(one)) for one in members if one.filename.endswith(".npz")]
            if sum(_size(content) for _, content in contents) > MOST_BYTES:
                raise BadInput(f"the results of a zip must take at most {MOST_BYTES >> 30} GB; got more in {shown!r}.")
            found = [_one(name, content) for name, content in contents]
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError) as problem:
        raise BadInput(f"the file must be a whole zip; got a damaged one, {shown!r} ({problem}).") from problem
    if not found:
        raise BadInput(f"the zip must hold files of a store (.npz); got none in {shown!r}.")
    return found


def _size(data: bytes) -> int:
    """Bytes that a result takes when it is opened; of what is no zip, its own."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return sum(one.file_size for one in archive.infolist())
    except zipfile.BadZipFile:
        return len(data)


def _one(name: str, data: bytes) -> Result:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(one.file_size for one in archive.infolist()) > MOST_BYTES:
                raise BadInput(f"a result must take at most {MOST_BYTES >> 30} GB; got more in {name!r}.")
        made = unpack(data, name)
    except (Damaged, zipfile.BadZipFile) as damage:
        raise BadInput(f"a result must be whole; got a damaged one, {name!r} ({damage}).") from damage
    if made.origin is None:
        raise BadInput(f"a result must have an origin to be stored; got {name!r} without one.")
    return made


def zipped(files: dict[str, bytes]) -> bytes:
    """One zip of several files of a store, which `results_in` reads."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()
