"""The network that comes with the workbench: parameters before, during and after it learns in context, and its measures.

`data/dynamics/reddy/run.json` says how it was made, with which command, and what was measured; beside it are the parameters
at the steps it names, float32.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor

from workbench.dynamics.bursty import Setting, Worlds
from workbench.dynamics.checkpoints import read, saved
from workbench.dynamics.measures import MEASURES
from workbench.dynamics.network import ATTENTION, Architecture
from workbench.dynamics.stack import Member, Recipe, Trace
from workbench.dynamics.study import curve_of
from workbench.errors import BadInput, at_least, one_of
from workbench.result import Curve, Scores

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


def course() -> Curve:
    """The progress measures of the network that comes with the workbench, by step; of one seed, so without a band."""
    one = shipped()
    return curve_of(one.trace, one.recipe)


def attention(steps: Sequence[int], sequences: int = 256) -> Scores:
    """Where both layers of the network that comes with the workbench look, on sequences of new classes.

    Args:
        steps: Steps of training whose parameters are there.
        sequences: Test sequences to take the mean over, at least 1.
    Returns:
        Scores over (step, query, key) in shares of attention: x1, l1, … are the items and labels of the context and x the
        last item, of which the second layer alone is read, in the last row.
    Raises:
        BadInput: When the parameters of a step are not there.
    """
    one = shipped()
    at_least("sequences", sequences, 1)
    tokens = Worlds([one.setting], [one.seed]).test("ic", sequences).tokens
    names = [f"{kind}{at + 1}" for at in range(one.setting.items) for kind in ("x", "l")] + ["x"]
    found = []
    for step in steps:
        seen = one.architecture.forward(one.parameters(step), tokens, one.setting, None)
        found.append(torch.cat([seen.first[0].mean(0), seen.second[0].mean(0, keepdim=True)]).double().numpy())
    coords = {"step": list(steps), "query": [*names, "x, layer 2"], "key": names}
    return Scores(
        "Attention before and after the transition",
        "share of attention",
        xr.DataArray(np.stack(found), dims=("step", "query", "key"), coords=coords),
        notes={
            "sign": f"a row is the token that looks; mean over {sequences} sequences of new classes",
            "range": "positive",
            "layers": "the first layer, and in the last row the second layer's only query",
        },
    )


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
