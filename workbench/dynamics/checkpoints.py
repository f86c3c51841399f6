"""A folder in which a training run is kept: its plan, the state it goes on from, and parameters at chosen steps.

`plan.json` says what is trained, `state.safetensors` is the last state, `step_000500.safetensors` the parameters after 500
steps, [network, …]. Each file appears whole or not at all.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from workbench.errors import BadInput
from workbench.result import canonical

PLAN, STATE = "plan.json", "state.safetensors"


class Folder:
    """The files of one run.

    Args:
        path: The folder; made if it is not there.
        plan: What is trained.
    Raises:
        BadInput: When it holds another run, or cannot be written.
    """

    def __init__(self, path: Path, plan: dict[str, Any]):
        self.path = path
        written, text = path / PLAN, canonical(plan)
        try:
            path.mkdir(parents=True, exist_ok=True)
            if written.exists():
                self._compare(written.read_text(encoding="utf-8"), text)
            else:
                _whole(written, lambda file: file.write_text(text + "\n", encoding="utf-8"))
        except OSError as problem:
            raise BadInput(f"{path} must be a folder that can be written; got {problem.strerror or problem}.") from problem

    def _compare(self, found: str, wanted: str) -> None:
        if found.strip() == wanted:
            return
        try:
            there, asked = json.loads(found), json.loads(wanted)
            names = ", ".join(name for name in asked if there.get(name) != asked[name])
        except (ValueError, AttributeError):
            names = "no plan that can be read"
        raise BadInput(f"{self.path} must be empty or hold the same run; got another one ({names}). Use another folder.")

    def state(self) -> dict[str, Tensor] | None:
        """The last state, or None where there is none yet."""
        file = self.path / STATE
        return _read(file) if file.exists() else None

    def save(self, state: dict[str, Tensor]) -> None:
        """Put a new state in the place of the last."""
        _write(self.path / STATE, state)

    def write(self, step: int, parameters: dict[str, Tensor]) -> None:
        """Keep the parameters after so many steps."""
        _write(self.path / f"step_{step:06d}.safetensors", parameters)


def saved(folder: Path) -> dict[int, Path]:
    """The files of parameters in a folder, by step."""
    named = {file: re.fullmatch(r"step_(\d+)\.safetensors", file.name) for file in sorted(folder.glob("step_*.safetensors"))}
    return {int(match[1]): file for file, match in named.items() if match}


def read(file: Path) -> dict[str, Tensor]:
    """Parameters from a file.

    Raises:
        BadInput: When it cannot be read.
    """
    return _read(file)


def _read(file: Path) -> dict[str, Tensor]:
    try:
        return load_file(file)
    except (OSError, SafetensorError) as problem:
        raise BadInput(f"{file} must be a whole safetensors file; got {problem}. Remove it.") from problem


def _write(file: Path, tensors: dict[str, Tensor]) -> None:
    made = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    try:
        _whole(file, lambda part: save_file(made, part))
    except (OSError, SafetensorError) as problem:
        raise BadInput(f"{file} must be a file that can be written; got {problem}. The last state is untouched.") from problem


def _whole(file: Path, write: Any) -> None:
    """Write beside the file, then put it in its place: a kill leaves the old one or the new one."""
    part = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        write(part)
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)
