"""Composition of heads: how much of what one head writes a later one reads, from the weights alone."""

from typing import Any, Literal

import numpy as np
import xarray as xr

from workbench.channels.composition import blocks
from workbench.channels.weights import SLOTS, Heads, Slot, checked
from workbench.errors import BadInput
from workbench.methods.method import Method
from workbench.pairs import Pairs
from workbench.result import Scores

TITLE = "Composition of heads"


def run(
    model: Any,
    pairs: Pairs | None = None,
    *,
    slots: Slot | tuple[Slot, ...] = SLOTS,
    by: Literal["layer", "head"] = "layer",
    of: Literal["head", "component"] = "head",
) -> Scores:
    """The composition score of every pair of an earlier and a later head, through queries, keys or values.

    Convention: |W_OV R| / (|W_OV| |R|) in Frobenius norms, from 0 to 1, R the reader's W_QK (q), W_QK^T (k) or W_OV (v), norms
    folded in; in models that turn queries and keys by position, W_Q or W_K alone. A random pair has about 1 / sqrt(d_model),
    in the notes. Source: Elhage et al. 2021, https://transformer-circuits.pub/2021/framework; of components, Merullo et al.
    2024, https://arxiv.org/abs/2406.09519.

    Args:
        model: The model.
        pairs: Not used: the weights say it all.
        slots: Which of q, k, v.
        by: A number per pair of heads, or the largest per pair of a writing and a reading 'layer'.
        of: The whole 'head', or its largest 'component'.
    Returns:
        Scores over (slot, writer, reader), without unit. NaN where the writer is not in an earlier layer.
    Raises:
        BadInput: When a parameter is none of these, or the model has one layer.
    """
    slots = checked(slots)
    heads = Heads(model)
    if heads.n_layers < 2:
        raise BadInput(f"composition must have a model of at least 2 layers; got {heads.n_layers}.")
    size = (heads.n_layers, heads.n_heads)
    made = np.full((len(slots), *size, *size), np.nan)
    for block in blocks(heads, slots):
        scores = block.full if of == "head" else block.scores.amax(1)
        made[slots.index(block.slot), block.writer, :, block.reader, :] = scores.double().cpu().numpy()
    if by == "layer":
        values, names = made.max((2, 4)), [str(layer) for layer in range(heads.n_layers)]
    else:
        values = made.reshape(len(slots), np.prod(size), np.prod(size))
        names = [heads.name(*divmod(index, heads.n_heads)) for index in range(np.prod(size))]
    plain = by == "head" and of == "head"
    notes = {
        "sign": "from 0 to 1: its square is the share of the reader's directions that the writer writes along",
        "range": "positive",
        "nan": "the writer is not in an earlier layer",
        "random": f"1 / sqrt(d_model) = {model.cfg.d_model**-0.5:.4f} for one pair"
        + ("" if plain else "; the largest is more"),
        "reader": "W_Q or W_K alone: positions turn them" if heads.rotary else "W_QK",
    }
    coords = {"slot": list(slots), "writer": names, "reader": names}
    return Scores(
        TITLE, "composition score", xr.DataArray(values, dims=("slot", "writer", "reader"), coords=coords), notes=notes
    )


METHOD = Method(
    "composition", TITLE, "Elhage et al. 2021, A Mathematical Framework for Transformer Circuits", run, needs_pairs=False
)
