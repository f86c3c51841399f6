"""What a model expects: the surprisal of every token of some sequences."""

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from workbench import progress
from workbench.models.memory import as_many
from workbench.sweep import bytes_per_token

# Logits (token × vocabulary) in one pass.
LOGITS = {"cpu": 1e8, "cuda": 4e9, "mps": 5e8}


def at_once(model: Any, length: int) -> int:
    """How many sequences of so many tokens go through one pass together."""
    device, logits = torch.device(model.cfg.device), length * model.cfg.d_vocab
    return as_many(LOGITS.get(device.type, 1e8) / logits, 12 * logits + length * bytes_per_token(model, length), str(device))


def surprisals(
    model: Any, tokens: Int[Tensor, "batch pos"], counted: Bool[Tensor, "batch pos"], label: str
) -> Float[Tensor, "batch pos"]:
    """-log p of every token given those before it, in nats; NaN for the first and for padding.

    Raises:
        Stopped: Between two passes.
    """
    device = torch.device(model.cfg.device)
    most = at_once(model, tokens.shape[1])
    found = torch.full(tokens.shape, torch.nan)
    for first in progress.track(range(0, len(tokens), most), label):
        some = tokens[first : first + most].to(device)
        with torch.no_grad():
            log_probs = model(some, return_type="logits")[:, :-1].float().log_softmax(-1)
        found[first : first + most, 1:] = -log_probs.gather(-1, some[:, 1:].unsqueeze(-1))[..., 0].cpu()
    return found.masked_fill(~counted, torch.nan)
