"""Paths through the layers: the residual stream of every token, or of every prompt's end, in its principal components."""

from typing import Any, Literal

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor

from workbench.batches import in_batches, prompts_at_once
from workbench.errors import at_least, one_of, within
from workbench.hooks import read
from workbench.methods.method import Method
from workbench.pairs import Pairs, token_strings
from workbench.result import Scores
from workbench.sites import Site

TITLE = "Paths of the residual stream"


def run(
    model: Any,
    pairs: Pairs,
    *,
    points: Literal["tokens", "ends"] = "tokens",
    prompt: int = 0,
    of: Literal["clean", "corrupt"] = "clean",
    components: int = 2,
    unit_length: bool = True,
) -> Scores:
    """The stream at every layer in the plane, or more, in which it varies most: principal components over layers and points.

    Convention: row l is the stream that enters layer l, the last one the output. The mean over all rows and points is taken
    off; components come by the variance they explain, and with all of them distances are those of the streams. An axis has
    no direction of its own: its largest weight is made positive. Source: Pearson 1901, https://doi.org/10.1080/14786440109462720;
    over layers as in Hosseini & Fedorenko 2023, https://arxiv.org/abs/2311.04930.

    Args:
        model: The model.
        pairs: The prompts.
        points: Paths of the 'tokens' of one prompt, or of the 'ends' of all prompts: the position where the metric reads.
        prompt: Which pair, from 0, for the tokens.
        of: The 'clean' or the 'corrupt' prompts.
        components: How many components, at least 1; no more are given than there are.
        unit_length: Divide every stream by its length first: else the few longest set the plane.
    Returns:
        Scores over (component, layer, pos), or (component, layer, prompt) for ends, in coordinates; parts: 'variance', the
        share of the variance that each component explains; for ends 'answer', the token that is right on each prompt. 0 is
        the mean of all.
    Raises:
        BadInput: When there is no such pair, or `components` is not positive.
    """
    one_of("points", points, ("tokens", "ends"))
    one_of("of", of, ("clean", "corrupt"))
    within("prompt", prompt, 0, len(pairs))
    at_least("components", components, 1)
    streams = _of_tokens(model, pairs, prompt, of) if points == "tokens" else _of_ends(model, pairs, of)
    if unit_length:
        streams = streams / streams.norm(dim=-1, keepdim=True).clamp_min(1e-12)
    scores, shares = principal(streams.flatten(0, 1), components)
    values = scores.T.reshape(len(shares), *streams.shape[:2]).cpu().numpy()
    coords: dict[str, Any] = {"component": np.arange(len(shares)), "layer": np.arange(streams.shape[0])}
    parts = {"variance": xr.DataArray(shares.cpu().numpy(), dims=("component",), coords={"component": coords["component"]})}
    if points == "tokens":
        words = (pairs.clean_strings if of == "clean" else pairs.corrupt_strings)[prompt]
        dim, coords = "pos", {**coords, "pos": np.arange(len(words)), "token": ("pos", list(words))}
        said = f"{of} prompt {prompt + 1}"
    else:
        dim, coords = "prompt", {**coords, "prompt": np.arange(len(pairs))}
        parts["answer"] = xr.DataArray(_answers(model, pairs, of), dims=("prompt",), coords={"prompt": coords["prompt"]})
        said = f"the ends of {len(pairs)} {of} prompts"
    scaled = "each of length 1, " if unit_length else ""
    return Scores(
        title=TITLE,
        unit="coordinate",
        values=xr.DataArray(values, dims=("component", "layer", dim), coords=coords),
        parts=parts,
        notes={"sign": f"streams of {said}, {scaled}less their mean; an axis has no direction of its own"},
    )


def _sites(model: Any) -> list[Site]:
    layers = model.cfg.n_layers
    return [*(Site("resid_pre", layer) for layer in range(layers)), Site("resid_post", layers - 1)]


def _of_tokens(model: Any, pairs: Pairs, prompt: int, of: str) -> Float[Tensor, "row pos d_model"]:
    length = int(pairs.lengths[prompt])
    tokens = (pairs.clean if of == "clean" else pairs.corrupt)[prompt : prompt + 1, :length].to(model.cfg.device)
    _, kept = read(model, tokens, pairs.end[prompt : prompt + 1], _sites(model))
    return torch.stack([kept[site][0] for site in _sites(model)]).double()


def _of_ends(model: Any, pairs: Pairs, of: str) -> Float[Tensor, "row batch d_model"]:
    tokens, end = pairs.clean if of == "clean" else pairs.corrupt, pairs.end.to(model.cfg.device)

    def ends(rows: slice) -> Float[Tensor, "row batch d_model"]:
        _, kept = read(model, tokens[rows].to(end.device), end[rows], _sites(model))
        at = end[rows]
        return torch.stack([kept[site][torch.arange(len(at), device=at.device), at] for site in _sites(model)])

    most = prompts_at_once(model, pairs, ("resid_pre",))
    return torch.cat(in_batches(ends, len(pairs), most, "Reading the streams"), 1).double()


def principal(
    vectors: Float[Tensor, "row d_model"], components: int
) -> tuple[Float[Tensor, "row component"], Float[Tensor, "component"]]:
    """The scores of vectors on their first principal components, and each one's share of the variance; NaN where none."""
    centred = vectors - vectors.mean(0)
    _, sizes, axes = torch.linalg.svd(centred, full_matrices=False)
    axes = axes[:components]
    largest = axes.abs().argmax(-1, keepdim=True)
    axes = axes * axes.gather(-1, largest).sign()
    return centred @ axes.T, (sizes**2 / (sizes**2).sum())[:components]


def _answers(model: Any, pairs: Pairs, of: str) -> list[str]:
    """The token that is right on each prompt: on a corrupt one that which is wrong on the clean one."""
    answers = pairs.right if of == "clean" else pairs.wrong
    return list(token_strings(model.tokenizer, [ids[0] for ids in answers]))


METHOD = Method("trajectories", TITLE, "Pearson 1901; Hosseini & Fedorenko 2023, arXiv:2311.04930", run)
