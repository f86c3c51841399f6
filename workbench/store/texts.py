"""Texts kept beside the results under a hash of what they hold: the user's own pairs, too long for a URL.

A text is kept as it is and given back as it was; nothing in it is ever read here.
"""

import hashlib
import os
import re
import uuid
from contextlib import suppress
from pathlib import Path

from workbench.errors import BadInput

_KEY = re.compile(r"[0-9a-f]{16}")


def text_key(text: str) -> str:
    """The 16 hex digits that a text is kept under."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def keep_text(folder: Path, text: str) -> str:
    """Keep a text; its key. Atomic, and done once for one text.

    Raises:
        BadInput: When the folder cannot be written.
    """
    key = text_key(text)
    path = folder / "texts" / f"{key}.txt"
    if path.is_file():
        return key
    temporary = path.with_name(f".{key}.{uuid.uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(text.encode("utf-8", "surrogatepass"))
        os.replace(temporary, path)
    except OSError as error:
        raise BadInput(f"{path} must be writable; got {error.strerror or error}.") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    return key


def kept_text(folder: Path, key: str, what: str = "rows") -> str:
    """The text kept under a key.

    Args:
        folder: Where the results lie.
        key: What `keep_text` gave.
        what: What the key is called where it was read.
    Raises:
        BadInput: When the key is none, or no text is kept under it whole.
    """
    if not _KEY.fullmatch(key):
        raise BadInput(f"{what} must be 16 of the digits 0-9 and a-f; got {key[:40]!r}.")
    try:
        text = (folder / "texts" / f"{key}.txt").read_bytes().decode("utf-8", "surrogatepass")
    except (OSError, UnicodeDecodeError):
        text = None
    if text is None or text_key(text) != key:
        raise BadInput(f"{what} must name a text that this server keeps; got {key!r}. Paste or upload it again.")
    return text
