"""The network that comes with the workbench: parameters before, during and after it learns in context, and its measures.

`data/dynamics/reddy/run.json` says how it was made, with which command, and what was measured; beside it are the parameters
at the steps it names, float32.
"""

import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from workbench.dynamics.bursty import Setting
from workbench.dynamics.checkpoints import read, saved
from workbench.dynamics.measures import MEASURES
from workbench.dynamics.network import ATTENTION, Architecture
from workbench.dynamics.stack import Member, Recipe, Trace
from workbench.errors import BadInput, one_of

FOLDERS = [Path(__file__).parents[up] / "data" / "dynamics" / "reddy" for up in (1, 2)]
RUN = "run.json"


@dataclass(frozen=True, eq=False)
class Shipped:
    """A trained network and how it came there.

    Attributes:
        setting: Its task.
        recipe: How it was trained.
        seed: Its seed.
        trace: Its measures by step; of one network.
        steps: Steps whose parameters are there.
        command: What made it.
        folder: Where its files are.
    """

    setting: Setting
    recipe: Recipe
    seed: int
    trace: Trace
    steps: list[int]
    command: str
    folder: Path

    @property
    def architecture(self) -> Architecture:
        """The kind of network, with its `forward`."""
        return ATTENTION

    def parameters(self, step: int) -> dict[str, Float[Tensor, "1 *shape"]]:
        """The parameters after so many steps, by name; a stack of one network.

        Raises:
            BadInput: When they are not there.
        """
        one_of("step", step, self.steps)
        return read(saved(self.folder)[step])


@cache
def shipped() -> Shipped:
    """The network that comes with the workbench.

    Raises:
        BadInput: When its files are not there.
    """
    folder = next((one for one in FOLDERS if (one / RUN).is_file()), None)
    if folder is None:
        raise BadInput(f"{FOLDERS[1]} must hold the trained network; got no {RUN} there. `workbench train` makes another.")
    told = json.loads((folder / RUN).read_text(encoding="utf-8"))
    setting, recipe = Setting(**told["setting"]), Recipe(**told["recipe"])
    values = {part: np.array([told[part][name] for name in MEASURES]).T[None] for part in ("mean", "error")}
    trace = Trace([Member(setting, told["seed"])], np.array(told["steps"]), values["mean"], values["error"])
    return Shipped(setting, recipe, told["seed"], trace, list(saved(folder)), told["command"], folder)


def describe(trace: Trace, recipe: Recipe, command: str, about: dict[str, Any]) -> dict[str, Any]:
    """What `run.json` says of a run of one network."""
    (member,) = trace.members
    kinds = {"mean": trace.mean, "error": trace.error}
    numbers = {
        part: {name: [float(f"{value:.4g}") for value in values[0, :, at]] for at, name in enumerate(MEASURES)}
        for part, values in kinds.items()
    }
    made = {"command": command, **about, "setting": asdict(member.setting), "recipe": asdict(recipe), "seed": member.seed}
    return {**made, "steps": trace.steps.tolist(), "measures": MEASURES, **numbers}
