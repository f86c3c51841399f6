"""The position axis of a sweep: every position, or the task's named ones, wherever each prompt has them."""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Int
from torch import Tensor

from workbench.errors import BadInput, one_of
from workbench.pairs import Pairs

Positions = Literal["auto", "each", "named"]


@dataclass(frozen=True, eq=False)
class Slots:
    """Positions to patch, by name; each may lie elsewhere in every prompt.

    Attributes:
        labels: What to write on the axis.
        index: Position of each slot in each prompt.
    """

    labels: tuple[str, ...]
    index: Int[Tensor, "slot batch"]

    def part(self, rows: slice) -> "Slots":
        """Those of some prompts in a row."""
        return Slots(self.labels, self.index[:, rows])


def slots_of(pairs: Pairs, positions: str) -> Slots:
    """The position axis of a sweep.

    Args:
        pairs: The prompts.
        positions: 'each' (every position; prompts of one length), 'named' (the task's named positions), or 'auto': each
            where all prompts have one layout, else named.
    Raises:
        BadInput: When `positions` is 'each' and the prompts differ in length.
    """
    one_of("positions", positions, get_args(Positions))
    if positions == "auto":
        positions = "each" if pairs.same_layout else "named"
    if positions == "named":
        return Slots(tuple(pairs.positions), torch.stack(list(pairs.positions.values())))
    if not bool((pairs.lengths == pairs.lengths[0]).all()):
        lengths = sorted(set(pairs.lengths.tolist()))
        raise BadInput(
            f"positions 'each' must have prompts of one length; got lengths {lengths}. Use positions='named', or a task "
            "option that fixes the template."
        )
    longest = pairs.clean.shape[1]
    return Slots(
        tuple(_label(pairs, position) for position in range(longest)),
        torch.arange(longest).unsqueeze(1).expand(longest, len(pairs)),
    )


def _label(pairs: Pairs, position: int) -> str:
    """The token all clean prompts have there; else the name of the position; else a star."""
    tokens = {strings[position] for strings in pairs.clean_strings}
    if len(tokens) == 1:
        return tokens.pop()
    names = [name for name, where in pairs.positions.items() if bool((where == position).all())]
    return f"[{names[0]}]" if names else "*"


def first_difference(pairs: Pairs) -> Int[Tensor, "batch"]:
    """Per pair, the first position at which the two prompts differ; the last position if they do not."""
    differs = pairs.differs.int()
    return torch.where(differs.any(1), differs.argmax(1), pairs.lengths - 1)
