"""Checkpoints of a training run by name: 'pythia-70m@step1000', 'trained:attention@step700', 'FOLDER@step700'.

What stands behind the '@' is a branch, tag or commit of a hub model, or a folder beside the other checkpoints of a run on
disk. Being part of the ref it goes wherever the ref goes: into results, addresses and code to copy.
"""

import re
from os.path import exists
from pathlib import Path

from workbench.errors import BadInput

_REVISION = re.compile(r"[\w.][\w.\-]*(/[\w.][\w.\-]*)*")
# What is longer is no ref. `os.path` says of any name that there is no such file, where `pathlib` raises for a long one.
LONGEST = 1000
# EleutherAI's checkpoints, the same for every size: https://github.com/EleutherAI/pythia.
PYTHIA = [0, *(2**power for power in range(10)), *range(1000, 143001, 1000)]


def parted(ref: str) -> tuple[str, str | None]:
    """A ref without its revision, and the revision; None where it names none.

    Raises:
        BadInput: When what stands behind the '@' cannot be a revision.
    """
    name, at, revision = ref.rpartition("@")
    # A folder may have an '@' in its name.
    if not at or len(ref) > LONGEST or exists(ref):
        return ref, None
    if not name or ".." in revision or not _REVISION.fullmatch(revision):
        raise BadInput(f"a revision must be a name such as 'step1000', behind the model's own and '@'; got {ref[:80]!r}.")
    return name, revision


def several(ref: str) -> tuple[str, list[str] | None] | None:
    """A ref that names several checkpoints, taken apart: 'REF@step0,step700', or 'REF@all' (None); None for any other ref."""
    name, at, listed = ref.rpartition("@")
    if not at or len(ref) > LONGEST or exists(ref) or not (listed == "all" or "," in listed):
        return None
    if listed == "all":
        return name, None
    revisions = [word.strip() for word in listed.split(",") if word.strip()]
    for revision in revisions:
        parted(f"{name}@{revision}")
    return name, revisions


def step_of(revision: str) -> int:
    """The step that a revision's name tells.

    Raises:
        BadInput: When it tells none.
    """
    # 'stage1-step1000-tokens5B' has numbers that are none.
    number = re.search(r"step\D?(\d+)", revision) or re.search(r"(\d+)", revision)
    if number is None:
        raise BadInput(f"a revision of a training run must tell its step, as 'step1000' does; got {revision!r}.")
    return int(number[1])


def in_folder(folder: Path) -> list[str]:
    """The checkpoints of a run on disk, by step: its folders 'step…' that hold a model."""
    found = [file.parent.name for file in folder.glob("step*/config.json") if re.fullmatch(r"step\d+", file.parent.name)]
    return sorted(found, key=step_of)
