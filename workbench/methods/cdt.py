"""Contextual decomposition: how much of the answer is carried by what one head adds to its usual output."""

from typing import Any, Literal

import numpy as np
import torch
import xarray as xr

from workbench.decomposition import Split
from workbench.errors import one_of
from workbench.methods.method import Method
from workbench.pairs import Pairs
from workbench.progress import bar
from workbench.result import Scores
from workbench.sweep import TOKENS, tokens_at_once
from workbench.unembed import soft_cap

TITLE = "Contextual decomposition"


def run(
    model: Any,
    pairs: Pairs,
    *,
    reference: Literal["mean", "zero"] = "mean",
    stabilise: bool = True,
) -> Scores:
    """The part of the logit difference that comes from a head's departure from its reference, along all paths at once.

    Convention: + carries towards the right answer and away from the wrong one, on the clean prompts. A head's output z is
    split into relevant, z - reference, and irrelevant, the reference; both parts go through the network by rules that keep
    their sum the ordinary activation at every place; a score is the relevant part of the logit difference. Scores of several
    heads do not add up: each split is a question of its own. Source: Hsu et al. 2024 (CD-T), https://arxiv.org/abs/2407.00886.
    Where the parts share out a bias by their sizes, its code adds 1e-8 and so loses some of the bias; here nothing is lost.
    Beyond the paper, which treats GPT-2: a gated product leaves act(gate) · up of the irrelevant parts to them; norms of
    queries and keys and norms after sublayers are norms like the others; rotation is linear; soft-capped attention scores
    are capped as the model does; logits are read before their soft cap, which has no rule. Several right or wrong answers
    count by the mean of their logits, which is linear, as a split needs. Heads are scored by what reaches the output only;
    the paper goes on from head to head.

    Args:
        model: The model.
        pairs: Clean and corrupt prompts.
        reference: A head's usual output: its 'mean' over the corrupt prompts (by position where all have one layout), or
            'zero'.
        stabilise: Where the two parts have opposite signs, the smaller becomes 0 and the other the whole, after the MLP's
            projections and at the end of each block, as the paper's code does. Otherwise parts can grow that cancel.
    Returns:
        Scores over (layer, head, prompt), in logits. 0: nothing of this head's departure reaches the answer.
    Raises:
        BadInput: When a parameter is none of these, or the model has parts that no rule is known for.
    """
    one_of("reference", reference, ("mean", "zero"))
    split = Split(model, pairs, stabilise)
    gap = split.gap()
    usual = split.usual(reference)
    values = torch.zeros(model.cfg.n_layers, model.cfg.n_heads, len(pairs), dtype=torch.float64)
    per_pass = heads_at_once(model, pairs)
    with bar("Contextual decomposition", model.cfg.n_layers * model.cfg.n_heads, unit="head") as told:
        for layer in range(model.cfg.n_layers):
            for heads in torch.arange(model.cfg.n_heads).split(per_pass):
                values[layer, heads] = split.scores(layer, heads.tolist(), usual[layer])
                told.advance(len(heads))
    coords = {"layer": np.arange(values.shape[0]), "head": np.arange(values.shape[1]), "prompt": np.arange(len(pairs))}
    notes = {
        "sign": "+ carries towards the right answer, on clean prompts; heads do not add up",
        "reference": "the mean over the corrupt prompts" if reference == "mean" else "zero",
        "check": f"with everything relevant the model's logits are met within {gap:.1g} of the largest",
    }
    if soft_cap(model):
        notes["cap"] = "before the soft cap of the logits"
    prompts = {"prompt": coords["prompt"]}
    return Scores(
        title=TITLE,
        unit="logits",
        values=xr.DataArray(values.numpy(), dims=("layer", "head", "prompt"), coords=coords),
        parts={"clean": xr.DataArray(split.difference(split.total["logits"]).numpy()[0], dims=("prompt",), coords=prompts)},
        notes=notes,
    )


def heads_at_once(model: Any, pairs: Pairs) -> int:
    """How many heads of a layer go through one pass together."""
    # Beside what runs there is the whole of every place, for every row.
    return max(1, tokens_at_once(model, 2 * pairs.clean.shape[1], TOKENS) // pairs.clean.numel())


METHOD = Method("cdt", TITLE, "Hsu et al. 2024, arXiv:2407.00886", run)
