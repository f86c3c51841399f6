"""Which result answers a question, noted when it is begun.

About the user's own pairs an Origin holds a hash of tokens, and no text; and before it is finished a result has no Origin at
all, so that after a kill this alone tells, without the model, what was begun. A note is a small file beside the results, under
the key of the question. It is only a hint: whoever reads it looks whether the result is there and made as it would be now.
"""

import os
import re
import uuid
from contextlib import suppress
from pathlib import Path

_KEY = re.compile(r"[0-9a-f]{16}")


def note(folder: Path, question: str, key: str) -> None:
    """Note the key of the result that answers a question; nothing where the folder cannot be written."""
    path = folder / "asked" / f"{question}.txt"
    temporary = path.with_name(f".{question}.{uuid.uuid4().hex}.tmp")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(key, encoding="ascii")
        os.replace(temporary, path)


def noted(folder: Path, question: str) -> str:
    """The key that was noted for a question, '' where there is none."""
    if not _KEY.fullmatch(question):
        return ""
    try:
        key = (folder / "asked" / f"{question}.txt").read_text(encoding="ascii")
    except (OSError, ValueError):
        return ""
    return key if _KEY.fullmatch(key) else ""
