"""The residual stream of one prompt, layer by layer: how long it is, what it turns towards, what is added to it."""

from typing import Any, Literal

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor

from workbench.errors import one_of, within
from workbench.hooks import read
from workbench.methods.method import Method
from workbench.pairs import Pairs
from workbench.result import Scores
from workbench.sites import Site

TITLE = "Residual stream"
# What is measured, by name, in the order of the panels.
NORMS = ("stream", "attention", "MLP")
COSINES = ("layer before", "last layer", "attention", "MLP")


def run(
    model: Any,
    pairs: Pairs,
    *,
    measure: Literal["norm", "cosine"] = "norm",
    prompt: int = 0,
    of: Literal["clean", "corrupt", "difference"] = "clean",
) -> Scores:
    """The length of the stream and of what is added to it, or the cosines between them, at every layer and position.

    Convention: row l is the stream that enters layer l, and what layer l adds to it; the last row is the stream that leaves
    the last layer. Norms are Euclidean lengths before any norm of the next layer. The cosines are those of the stream with
    the stream one layer before, of the stream with that of the last row, of attention's output with the stream that it
    reads, and of the MLP's output with the stream that it reads: after attention, or the same one where a model runs both
    in parallel. In models with a norm after a sublayer (Gemma-2) its output is what is added, after that norm. Source:
    Heimersheim & Turner 2023, https://www.lesswrong.com/posts/8mizBCm3dyc432nK8 (norms); Gromov et al. 2024,
    https://arxiv.org/abs/2403.17887 (similarity between layers).

    Args:
        model: The model.
        pairs: The prompts.
        measure: 'norm' or 'cosine'.
        prompt: Which pair, from 0.
        of: Its 'clean' or its 'corrupt' prompt, or the 'difference' clean minus corrupt of every vector.
    Returns:
        Scores over (part, layer, pos): for norms the parts stream, attention and MLP, in lengths; for cosines those with the
        layer before, with the last layer, of attention and of the MLP, from -1 to 1. NaN where there is no such vector or it
        has no length.
    Raises:
        BadInput: When there is no such pair, or a parameter is none of these.
    """
    one_of("measure", measure, ("norm", "cosine"))
    one_of("of", of, ("clean", "corrupt", "difference"))
    within("prompt", prompt, 0, len(pairs))
    streams = _Streams(model, pairs, prompt, of)
    values = streams.norms() if measure == "norm" else streams.cosines()
    notes = {"sign": f"row l is what enters layer l and what it adds; the last row is the output ({_said(of, prompt)})"}
    if measure == "norm":
        notes |= {"range": "positive", "nan": "after the last layer nothing is added"}
    else:
        notes["nan"] = "no layer before the first, nothing added after the last, or a vector of length 0"
    length = int(pairs.lengths[prompt])
    return Scores(
        title=f"{TITLE}: {measure}s",
        unit="length" if measure == "norm" else "cosine",
        values=xr.DataArray(
            values.cpu().numpy(),
            dims=("part", "layer", "pos"),
            coords={
                "part": list(NORMS if measure == "norm" else COSINES),
                "layer": np.arange(values.shape[1]),
                "pos": np.arange(length),
                "token": ("pos", labels(pairs, prompt, of)),
            },
        ),
        notes=notes,
    )


class _Streams:
    """Every vector of the stream on one prompt, and of what is added to it; of two prompts their difference."""

    def __init__(self, model: Any, pairs: Pairs, prompt: int, of: str):
        layers, length = model.cfg.n_layers, int(pairs.lengths[prompt])
        wanted = [pairs.clean] * (of != "corrupt") + [pairs.corrupt] * (of != "clean")
        tokens = torch.stack([one[prompt, :length] for one in wanted]).to(model.cfg.device)
        sites = [Site(name, layer) for layer in range(layers) for name in ("resid_pre", "attn_out", "mlp_out")]
        last = Site("resid_post", layers - 1)
        _, kept = read(model, tokens, pairs.end[[prompt] * len(wanted)], [*sites, last])

        def vectors(*places: Site) -> Float[Tensor, "layer pos d_model"]:
            both = torch.stack([kept[site] for site in places]).double()
            return both[:, 0] - both[:, 1] if of == "difference" else both[:, 0]

        def each(name: str) -> Float[Tensor, "layer pos d_model"]:
            return vectors(*(Site(name, layer) for layer in range(layers)))

        self.entering, self.attention, self.mlp = each("resid_pre"), each("attn_out"), each("mlp_out")
        self.stream = torch.cat([self.entering, vectors(last)])
        parallel = bool(getattr(model.cfg, "parallel_attn_mlp", False))
        self.read_by_mlp = self.entering if parallel else self.entering + self.attention

    def norms(self) -> Float[Tensor, "part row pos"]:
        return torch.stack([self.stream.norm(dim=-1), _below(self.attention.norm(dim=-1)), _below(self.mlp.norm(dim=-1))])

    def cosines(self) -> Float[Tensor, "part row pos"]:
        before = _cosine(self.stream[1:], self.stream[:-1])
        return torch.stack(
            [
                torch.cat([torch.full_like(before[:1], torch.nan), before]),
                _cosine(self.stream, self.stream[-1:]),
                _below(_cosine(self.attention, self.entering)),
                _below(_cosine(self.mlp, self.read_by_mlp)),
            ]
        )


def _below(rows: Float[Tensor, "layer pos"]) -> Float[Tensor, "row pos"]:
    """With a row above the last layer, where nothing is added."""
    return torch.cat([rows, torch.full_like(rows[:1], torch.nan)])


def _cosine(one: Float[Tensor, "layer pos d_model"], other: Float[Tensor, "any pos d_model"]) -> Float[Tensor, "layer pos"]:
    lengths = one.norm(dim=-1) * other.norm(dim=-1)
    cosine = ((one * other).sum(-1) / lengths).clamp(-1, 1)
    return torch.where(lengths > 0, cosine, torch.nan)


def labels(pairs: Pairs, prompt: int, of: str) -> list[str]:
    """The tokens of a prompt as text; of a difference both, where they differ."""
    clean, corrupt = pairs.clean_strings[prompt], pairs.corrupt_strings[prompt]
    if of != "difference":
        return list(clean if of == "clean" else corrupt)
    return [one if one == other else f"{one}/{other}" for one, other in zip(clean, corrupt, strict=True)]


def _said(of: str, prompt: int) -> str:
    return f"clean minus corrupt, pair {prompt + 1}" if of == "difference" else f"{of} prompt {prompt + 1}"


METHOD = Method("stream", TITLE, "Heimersheim & Turner 2023, Residual stream norms grow exponentially; Gromov et al. 2024", run)
