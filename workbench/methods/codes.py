"""Discrete codes of heads: which heads say something on the clean prompts that they never say on the corrupt ones."""

from typing import Any, Literal

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float, Int
from torch import Tensor

from workbench.batches import in_batches, prompts_at_once
from workbench.effects import all_sites
from workbench.errors import BadInput, at_least, one_of
from workbench.hooks import read
from workbench.methods.method import Method
from workbench.pairs import Pairs
from workbench.progress import track
from workbench.result import Scores

TITLE = "Discrete codes of heads"


def run(
    model: Any,
    pairs: Pairs,
    *,
    at: Literal["end", "mean"] = "end",
    n_features: int = 64,
    epochs: int = 300,
    l1: int | float = 0.01,
    lr: int | float = 0.01,
    normalise: Literal["share", "softmax"] = "share",
    seed: int = 0,
) -> Scores:
    """The share of clean prompts on which a head's code is one that it never has on a corrupt prompt; 2 forward passes.

    Convention: from 0 to 1; clean prompts are the positive examples, corrupt prompts the negative ones. A head's code on a
    prompt is the strongest feature of one small sparse autoencoder, trained on the outputs (z) of all heads on all prompts:
    x' = W^T relu(W(x - b) + c) + b, rows of W of length 1, loss |x - x'|^2 + l1 · |features|. A head is scored by whether
    its codes tell, and not by whether the model uses them. Source: O'Neill and Bui 2024, https://arxiv.org/abs/2405.12522.
    Where the paper does not settle it: the score counts prompts and not distinct codes, the outputs are divided by one number
    (their root mean square) so that no head is made louder than it is, training is on the CPU with Adam over all examples at
    once, and edges are not scored.

    Args:
        model: The model.
        pairs: Clean and corrupt prompts. With few of them many codes are new by chance: ten or more tell more.
        at: Which output of a head: at 'end', the position that is read, or the 'mean' over the prompt's positions.
        n_features: Features of the autoencoder, at least 2.
        epochs: Steps of training, at least 1.
        l1: Weight of sparsity, at least 0.
        lr: Learning rate, over 0.
        normalise: 'share' as it is, or 'softmax' over all heads of the model.
        seed: Of the autoencoder's first weights.
    Returns:
        Scores over (layer, head), in shares of prompts. 1: on every clean prompt the head has a code of its own; 0: never.
        The parts hold the codes, and the mean squared error of reconstruction in units of the outputs' mean square.
    Raises:
        BadInput: When a parameter is out of its range, or every head's output is zero.
    """
    one_of("at", at, ("end", "mean"))
    one_of("normalise", normalise, ("share", "softmax"))
    at_least("n_features", n_features, 2)
    at_least("epochs", epochs, 1)
    at_least("l1", l1, 0)
    if not lr > 0:
        raise BadInput(f"lr must be over 0; got {lr!r}.")
    outputs = torch.stack([_outputs(model, tokens, pairs, at) for tokens in (pairs.clean, pairs.corrupt)])
    size = outputs.pow(2).mean().sqrt()
    if not size > 0:
        raise BadInput("the heads' outputs must not all be zero; got zeros. Use other prompts, or at='mean'.")
    outputs = outputs / size
    trained = Autoencoder(outputs.flatten(0, -2), n_features, epochs, float(l1), float(lr), seed)
    codes, error = trained.codes(outputs), (trained.rebuilt(outputs) - outputs).pow(2).mean(-1)
    new = shares(codes[0], codes[1])
    values = new.flatten().softmax(0).view_as(new) if normalise == "softmax" else new
    coords = {"layer": np.arange(new.shape[0]), "head": np.arange(new.shape[1])}
    grid = {"run": ["clean", "corrupt"], **coords, "prompt": np.arange(len(pairs))}
    used = codes.unique().numel()
    return Scores(
        title=TITLE,
        unit="share of prompts" if normalise == "share" else "softmax weight",
        values=xr.DataArray(values.numpy(), dims=("layer", "head"), coords=coords),
        parts={
            "code": xr.DataArray(codes.movedim(1, -1).numpy(), dims=tuple(grid), coords=grid),
            "error": xr.DataArray(error.mean((0, 1)).double().numpy(), dims=("layer", "head"), coords=coords),
        },
        notes={
            "sign": "1 always a code of its own on clean prompts, 0 never; a head that tells them apart need not be used",
            "codes": f"{used} of {n_features} features are some head's code",
            "error": f"{float(error.mean()):.3g} of the outputs' mean square is not rebuilt",
        },
    )


def _outputs(model: Any, tokens: Int[Tensor, "batch pos"], pairs: Pairs, at: str) -> Float[Tensor, "batch layer head d_head"]:
    """Every head's output of every prompt, on the CPU."""
    device, sites = model.cfg.device, all_sites(model, ["z"])

    def of(rows: slice) -> Float[Tensor, "batch layer head d_head"]:
        end = pairs.end[rows].to(device)
        _, kept = read(model, tokens[rows].to(device), end, sites)
        if at == "end":
            found = [kept[site][torch.arange(len(end), device=device), end] for site in sites]
        else:
            real = (torch.arange(tokens.shape[1]) < pairs.lengths[rows].unsqueeze(1)).to(device)[..., None, None]
            found = [(kept[site] * real).sum(1) / real.sum(1) for site in sites]
        return torch.stack(found, 1).float().cpu()

    return torch.cat(in_batches(of, len(pairs), prompts_at_once(model, pairs, ("z",)), "Reading the heads' outputs"))


class Autoencoder:
    """A sparse autoencoder with one matrix for both ways, trained when made; the same seed gives the same one."""

    def __init__(self, examples: Float[Tensor, "row d"], n_features: int, epochs: int, l1: float, lr: float, seed: int):
        made = torch.Generator().manual_seed(seed)
        weight = torch.randn(n_features, examples.shape[1], generator=made)
        self.weight = (weight / weight.norm(dim=1, keepdim=True)).requires_grad_()
        self.centre = examples.mean(0).requires_grad_()
        self.bias = torch.zeros(n_features, requires_grad=True)
        learned = [self.weight, self.centre, self.bias]
        optimiser = torch.optim.Adam(learned, lr=lr)
        for _ in track(range(epochs), "Training an autoencoder of the heads' outputs"):
            with torch.enable_grad():
                features = self._before(examples).relu()
                missed = (features @ self.weight + self.centre - examples).pow(2).sum(-1)
                loss = (missed + l1 * features.sum(-1)).mean()
                for parameter, gradient in zip(learned, torch.autograd.grad(loss, learned), strict=True):
                    parameter.grad = gradient
            optimiser.step()
            with torch.no_grad():
                # Of length 1, or the penalty would be paid by longer rows and smaller features.
                self.weight /= self.weight.norm(dim=1, keepdim=True).clamp(min=1e-8)
        for parameter in learned:
            parameter.requires_grad_(False)

    def _before(self, outputs: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch feature"]:
        return (outputs - self.centre) @ self.weight.T + self.bias

    def codes(self, outputs: Float[Tensor, "*batch d"]) -> Int[Tensor, "*batch"]:
        """The strongest feature; before the rectifier, so that there is one also where none is on."""
        return self._before(outputs).argmax(-1)

    def rebuilt(self, outputs: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d"]:
        return self._before(outputs).relu() @ self.weight + self.centre


def shares(clean: Int[Tensor, "prompt layer head"], corrupt: Int[Tensor, "prompt layer head"]) -> Float[Tensor, "layer head"]:
    """Per head, the share of clean prompts whose code it has on no corrupt prompt."""
    return (clean.unsqueeze(1) != corrupt.unsqueeze(0)).all(1).double().mean(0)


METHOD = Method("codes", TITLE, "O'Neill and Bui 2024, arXiv:2405.12522", run)
