"""Which components of one head meet which components of a later one."""

from typing import Any

import numpy as np
import xarray as xr

from workbench.channels.composition import crossed
from workbench.channels.weights import Heads, Slot
from workbench.errors import BadInput, at_least
from workbench.methods.method import Method
from workbench.pairs import Pairs
from workbench.result import Scores

TITLE = "Components of a writer and of its reader"


def run(
    model: Any,
    pairs: Pairs | None = None,
    *,
    writer: str = "0.0",
    reader: str = "1.0",
    slot: Slot = "q",
    components: int = 64,
) -> Scores:
    """How far every component of what one head writes lies along every component of what a later one reads.

    Convention: |b_i · r_j|, b_i the writer's unit writing direction, r_j the unit direction that the reader's component j
    takes in through the slot, norms folded in: the composition score of the two component matrices, in which both strengths
    cancel. Two random directions have about sqrt(2 / (π d_model)). Source: Merullo et al. 2024,
    https://arxiv.org/abs/2406.09519.

    Args:
        model: The model.
        pairs: Not used: the weights say it all.
        writer: The earlier head, '7.9'.
        reader: The later head, '9.9'.
        slot: What it reads through: 'q', 'k' or 'v'.
        components: The most to show of each head, strongest first, at least 1.
    Returns:
        Scores over (writes, reads): component of the writer, component of the reader; with the reader's shares of strength.
    Raises:
        BadInput: When there is no such head, or the reader is not the later.
    """
    at_least("components", components, 1)
    heads = Heads(model)
    one, other = heads.named("writer", writer), heads.named("reader", reader)
    if other[0] <= one[0]:
        raise BadInput(f"reader must be in a later layer than the writer {writer}; got {reader}.")
    scores, share = crossed(heads, slot, one, other)
    some = scores[:components, :components].double().cpu().numpy()
    coords: dict[str, Any] = {"writes": np.arange(some.shape[0]), "reads": np.arange(some.shape[1])}
    coords["share of strength"] = ("reads", share[:components].double().cpu().numpy())
    return Scores(
        f"{TITLE}: {heads.name(*one)} and {heads.name(*other)} {slot}",
        "composition score",
        xr.DataArray(some, dims=("writes", "reads"), coords=coords),
        notes={
            "sign": "from 0, never met, to 1, the same direction",
            "range": "positive",
            "random": f"sqrt(2 / (π d_model)) = {(2 / np.pi / model.cfg.d_model) ** 0.5:.4f}",
        },
    )


METHOD = Method("component_pairs", TITLE, "Merullo et al. 2024, arXiv:2406.09519", run, needs_pairs=False)
