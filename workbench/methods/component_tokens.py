"""What the components of a head say in words: the tokens whose embedding they read, and whose logits they write."""

from typing import Any

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor

from workbench.channels.weights import Heads, parsed
from workbench.errors import at_least, within
from workbench.methods.method import Method
from workbench.pairs import Pairs, token_strings
from workbench.result import Readout
from workbench.unembed import folded

TITLE = "What a component says"
# Random directions by which chance is told.
RANDOM = 64


def run(model: Any, pairs: Pairs | None = None, *, channel: str = "0.0", components: int = 4, top: int = 8) -> Readout:
    """The tokens nearest to what components of a head read, through the embedding, and write, through the unembedding.

    Convention: a component takes what lies along its reading direction and writes it along its writing direction; + goes
    with +, - with -. Values are cosines: of the reading direction with a token's embedding, of the writing direction with
    its column of the unembedding, the final norm's gain folded in, both less their mean over the vocabulary. What earlier
    layers add to an embedding, and later layers make of what is written, is not in them. Source: Millidge and Black 2022,
    https://www.lesswrong.com/posts/mkbGjzxD8d8XqKHzA; Merullo et al. 2024, https://arxiv.org/abs/2406.09519.

    Args:
        model: The model.
        pairs: Not used: the weights say it all.
        channel: A head, '7.9', for its strongest components, or one component, '7.9.6'.
        components: How many components of a head, at least 1.
        top: Tokens per line, at least 1.
    Returns:
        Readout over (line, rank) of cosines; a line is a component, a sign, and whether it reads or writes.
    Raises:
        BadInput: When there is no such head or component.
    """
    at_least("components", components, 1)
    at_least("top", top, 1)
    heads = Heads(model)
    layer, head, *one = parsed(channel)
    heads.check(layer, head)
    if one:
        within("component", one[0], 0, heads.d_head)
    made = heads.components(layer)
    chosen = one or list(range(min(components, heads.d_head)))
    read, write = embedding(model), unembedding(model)
    labels, cosines, tokens = [], [], []
    for component in chosen:
        for sign, times in (("+", 1), ("−", -1)):
            for verb, directions, vectors in (("reads", made.reads, read), ("writes", made.writes, write)):
                best = (vectors @ (times * directions[head, component])).topk(min(top, len(vectors)))
                labels.append(f"{component} {sign} {verb}")
                cosines.append(best.values.double().cpu().numpy())
                tokens.append(token_strings(model.tokenizer, best.indices.tolist()))
    coords = {"line": labels, "rank": np.arange(len(cosines[0]))}
    return Readout(
        f"{TITLE}: {heads.name(layer, head, *one)}",
        "cosine",
        xr.DataArray(np.stack(cosines), dims=("line", "rank"), coords=coords),
        parts={"token": xr.DataArray(np.array(tokens), dims=("line", "rank"), coords=coords)},
        notes={
            "sign": "what is read with one sign is written with the same sign; tokens nearest first",
            "chance": f"the token nearest to a random direction has {_nearest(read):.2f} where it reads, {_nearest(write):.2f} "
            "where it writes",
        },
    )


def embedding(model: Any) -> Float[Tensor, "vocab d_model"]:
    """Every token's embedding less their mean, of length 1."""
    return _unit(model.W_E.detach().float())


def unembedding(model: Any) -> Float[Tensor, "vocab d_model"]:
    """Every token's direction in the stream before the final norm's division, less their mean, of length 1."""
    return _unit(folded(model).T)


def _nearest(vectors: Float[Tensor, "vocab d_model"]) -> float:
    """The cosine of a random direction with the nearest token, mean over some."""
    drawn = torch.randn(RANDOM, vectors.shape[1], generator=torch.Generator().manual_seed(0)).to(vectors)
    return float((torch.nn.functional.normalize(drawn, dim=-1) @ vectors.T).amax(-1).mean())


def _unit(vectors: Float[Tensor, "vocab d_model"]) -> Float[Tensor, "vocab d_model"]:
    return torch.nn.functional.normalize(vectors - vectors.mean(0), dim=-1)


SOURCE = "Millidge and Black 2022; Merullo et al. 2024, arXiv:2406.09519"
METHOD = Method("component_tokens", TITLE, SOURCE, run, kind="readout", needs_pairs=False)
