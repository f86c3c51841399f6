"""What the owner of a server allows: models, and how much one question may ask for."""

import os
import re
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from workbench.errors import BadInput, one_of
from workbench.models.revisions import LONGEST

# The model that pages begin with.
USUAL = "smollm2-135m"
# What stands in no name and in no path that we read.
_NEVER = re.compile(r"[<>\x00-\x1f\x7f|*?\"]")
# Names of limits in WORKBENCH_LIMITS: 'tokens=256,pairs=64'.
_NUMBER = re.compile(r"[1-9]\d{0,8}", re.ASCII)


@dataclass(frozen=True)
class Limits:
    """Most of each that one question, or one session, may ask for; None is no limit.

    Attributes:
        tokens: Tokens of the longest prompt.
        pairs: Pairs of a question.
        cells: Cells of a sweep: patched runs.
        models: Models that one session holds in memory; of more, that used longest ago goes unless another holds it.
        jobs: Jobs of one session that wait or run.
        allow: Refs of the models that can be asked for; all where empty. Checkpoints of one are allowed with it.
        folder: The folder in which models of one's own lie; any where None, nowhere where ''.
    """

    tokens: int | None = None
    pairs: int | None = None
    cells: int | None = None
    models: int | None = None
    jobs: int | None = None
    allow: tuple[str, ...] = ()
    folder: str | None = None

    @classmethod
    def read(cls, text: str) -> "Limits":
        """The limits that a text such as 'tokens=256,pairs=64' sets.

        Raises:
            BadInput: When a name is no limit, or a value no whole number from 1.
        """
        told: dict[str, Any] = {}
        names = [one.name for one in fields(cls) if one.name not in ("allow", "folder")]
        for word in re.split(r"[, ]+", text.strip()):
            name, equals, value = word.partition("=")
            if not word:
                continue
            one_of("limit", name, names)
            if not equals or not _NUMBER.fullmatch(value):
                raise BadInput(f"limit {name} must be a whole number from 1, as in '{name}=64'; got {value[:40]!r}.")
            told[name] = int(value)
        return cls(**told)

    def allows(self, ref: str) -> bool:
        """Whether the model, or that of this checkpoint, may be asked for."""
        return not self.allow or ref in self.allow or _bare(ref) in self.allow

    @property
    def usual(self) -> str:
        """The model that a page begins with: `USUAL`, or the first of those that are allowed."""
        return USUAL if self.allows(USUAL) else self.allow[0]

    def check_model(self, ref: str) -> None:
        """Raise BadInput unless the ref can be one, and its model, or that of its checkpoint, is allowed."""
        if len(ref) > LONGEST or _NEVER.search(ref) or ".." in Path(ref).parts:
            raise BadInput(f"the model must be a name, a hub name, a folder or a .gguf file, without '..'; got {ref[:60]!r}.")
        if not self.allows(ref):
            listed = ", ".join(self.allow[:12]) + (", …" if len(self.allow) > 12 else "")
            raise BadInput(f"the model must be one that this server allows: {listed}; got {ref[:60]!r}.")
        if self.folder is not None and ref not in self.allow and _is_path(ref) and not self._holds(ref):
            where = f"a folder in {self.folder}" if self.folder else "no folder of this server"
            raise BadInput(f"the model must be one of the catalogue, a hub name or {where}; got {ref[:60]!r}.")

    def _holds(self, ref: str) -> bool:
        return bool(self.folder) and Path(ref).resolve().is_relative_to(Path(str(self.folder)).resolve())

    def check(self, what: str, count: int) -> None:
        """Raise BadInput when a question has more of something than is allowed.

        Args:
            what: 'tokens', 'pairs' or 'cells'.
            count: How many it has.
        """
        most = getattr(self, what)
        if most is not None and count > most:
            named = {"tokens": "tokens of the longest prompt", "pairs": "pairs", "cells": "cells of the sweep"}[what]
            hint = {"tokens": "Shorten the prompts.", "pairs": "Take fewer.", "cells": "Choose fewer sites or axes."}[what]
            raise BadInput(f"the {named} must be at most {most} on this server; got {count}. {hint}")


def _is_path(ref: str) -> bool:
    return ref.startswith(("/", "\\", ".", "~")) or ref.endswith(".gguf") or os.path.exists(ref)


def _bare(ref: str) -> str:
    from workbench.models.revisions import parted, several

    try:
        named = several(ref)
        return named[0] if named else parted(ref)[0]
    except BadInput:
        return ref


def limits() -> Limits:
    """The limits of this server: WORKBENCH_LIMITS, the models of WORKBENCH_ALLOW, one a line, and WORKBENCH_FOLDER.

    Raises:
        BadInput: When WORKBENCH_LIMITS cannot be read.
    """
    env = os.environ
    return _limits(env.get("WORKBENCH_LIMITS", ""), env.get("WORKBENCH_ALLOW", ""), env.get("WORKBENCH_FOLDER"))


@lru_cache(maxsize=8)
def _limits(text: str, allowed: str, folder: str | None) -> Limits:
    listed = tuple(line.strip() for line in allowed.splitlines() if line.strip())
    return replace(Limits.read(text), allow=listed, folder=folder)
