"""The induction circuit of a model: a head that looks at the token before, and a later one that reads it through its keys.

All on random tokens that repeat, on which nothing but the circuit helps, whatever a model was trained on.
Source: Olsson et al. 2022, https://arxiv.org/abs/2209.11895; Elhage et al. 2021 (composition),
https://transformer-circuits.pub/2021/framework.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from workbench.channels.composition import blocks
from workbench.channels.weights import Heads
from workbench.detectors import attention, sequences
from workbench.detectors.loss import surprisals
from workbench.detectors.reading import measured, share
from workbench.errors import BadInput

LABEL = "induction"


@dataclass(frozen=True, eq=False)
class Circuits:
    """Every head as a part of an induction circuit.

    Attributes:
        previous: Share of attention on the token before.
        prefix: Share of attention on what followed earlier copies of the token.
        composition: K-composition, from 0 to 1; NaN where the writer is not in an earlier layer.
        first: Loss on the tokens when they come first, in nats.
        again: Loss on them when they come again.
    """

    previous: Float[Tensor, "sequence layer head"]
    prefix: Float[Tensor, "sequence layer head"]
    composition: Float[Tensor, "layer head layer head"]
    first: Float[Tensor, "sequence"]
    again: Float[Tensor, "sequence"]


def strongest(
    previous: Float[np.ndarray, "layer head"], prefix: Float[np.ndarray, "layer head"]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """The head that looks back most before the one with the most prefix matching, the first layer left out; and that one."""
    layer, head = divmod(int(prefix[1:].argmax()), prefix.shape[1])
    return divmod(int(previous[: layer + 1].argmax()), prefix.shape[1]), (layer + 1, head)


@torch.no_grad()
def circuits(heads: Heads, n: int, length: int, copies: int, seed: int) -> Circuits:
    """Measure every head of a model, on `n` sequences of so many tokens that come so often.

    Raises:
        BadInput: When the model has one layer, or the sequences do not fit into its context.
        Stopped: Between two passes.
    """
    if heads.n_layers < 2:
        raise BadInput(f"an induction circuit must have heads in 2 layers; got a model of {heads.n_layers}.")
    tokens = sequences.repeated(heads.model, n, seed, length, copies)
    whole = torch.ones_like(tokens, dtype=torch.bool)
    looks = {"previous": share(attention.previous), "prefix": share(attention.followers)}
    seen = measured(heads, tokens, whole, looks, LABEL)
    composition = torch.full((heads.n_layers, heads.n_heads) * 2, torch.nan)
    for block in blocks(heads, ("k",)):
        composition[block.writer, :, block.reader] = block.full.float().cpu()
    loss = surprisals(heads.model, tokens, whole, f"{LABEL}: loss")
    start = tokens.shape[1] - length * copies
    # Nothing comes before the first token where there is no BOS.
    first, again = loss[:, max(start, 1) : start + length], loss[:, start + length :]
    return Circuits(seen["previous"], seen["prefix"], composition, first.mean(1), again.mean(1))
