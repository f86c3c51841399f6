"""What patching and its approximations share: which run is the base, what replaces what, and the Scores made of it.

Sign: an effect is the metric with the place replaced minus the metric of the base run. Denoising (the default) patches
clean into corrupt, so +1 restores the behaviour by one unit; noising patches corrupt into clean, so -1 breaks it by one.
"""

from workbench.effects.attribution import OF_SEVERAL, attribute, contract, differentiated
from workbench.effects.plans import (
    AXES,
    Axis,
    Direction,
    Plan,
    Replacement,
    all_sites,
    answers,
    mean_of,
    order_of_others,
    plan,
    replacing,
)
from workbench.effects.scores import as_scores, checked_gap, grid_shape, on_grid, sign_note
from workbench.sweep import Positions

__all__ = [
    "AXES", "OF_SEVERAL", "Axis", "Direction", "Plan", "Positions", "Replacement", "all_sites", "answers", "as_scores",
    "attribute", "checked_gap", "contract", "differentiated", "grid_shape", "mean_of", "on_grid", "order_of_others",
    "plan", "replacing", "sign_note",
]  # fmt: skip
