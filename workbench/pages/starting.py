"""What the server does before it opens: the password is set, and models begin to load."""

import json
import os
from pathlib import Path

import panel as pn

from workbench.errors import BadInput
from workbench.jobs import JOBS, Jobs


def start(jobs: Jobs = JOBS) -> None:
    """Take up what `workbench serve` says in the environment.

    Panel's own variable for a password would turn it to small letters, and its option shows it to who lists processes.
    """
    secret = password()
    if secret is not None:
        pn.config.basic_auth = secret
    for ref in os.environ.get("WORKBENCH_PRELOAD", "").splitlines():
        jobs.load(ref)


def password() -> str | dict[str, str] | None:
    """The password of the server, or one per user; None where it asks for none.

    Raises:
        BadInput: When its file cannot be read, or holds none.
    """
    file = os.environ.get("WORKBENCH_PASSWORD_FILE", "")
    if not file:
        return os.environ.get("WORKBENCH_PASSWORD") or None
    try:
        text = Path(file).read_text(encoding="utf-8").strip()
        told = json.loads(text) if text.startswith("{") else text
    except (OSError, ValueError) as problem:
        raise BadInput(f"the file of the password must be text, or JSON of a password per user; got {file!r}.") from problem
    good = told and (isinstance(told, str) or all(isinstance(word, str) and word for word in told.values()))
    if not good:
        raise BadInput(f"the file of the password must hold one, or JSON of a password per user; got an empty one, {file!r}.")
    return told
