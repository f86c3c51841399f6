"""Small networks trained here: bursty sequences, their progress measures, and why in-context learning comes abruptly.

    from workbench.dynamics import Member, Recipe, Setting
    from workbench.dynamics.train import train

    members = [Member(Setting.fast(), seed) for seed in range(6)]
    trained = train(members, Recipe.fast(), steps=1500)
    trained.trace.of("ic")

The names below are found on first use, so that the flags of the command line need no torch.
"""

from importlib import import_module
from typing import Any

# No name here is that of a file of this room: the file, once imported, would take its place.
_HOME = {
    "Member": "stack",
    "Nudge": "network",
    "Recipe": "stack",
    "STUDIES": "studies",
    "Setting": "bursty",
    "Worlds": "bursty",
    "shipped": "example",
}

__all__ = ["STUDIES", "Member", "Nudge", "Recipe", "Setting", "Worlds", "shipped"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'workbench.dynamics' has no attribute {name!r}; it has {', '.join(_HOME)}")
    return getattr(import_module(f"workbench.dynamics.{_HOME[name]}"), name)
