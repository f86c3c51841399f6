"""What a model expects: the surprisal of every token of some sequences."""

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from workbench import progress

# Logits (token × vocabulary) in one pass.
LOGITS = {"cpu": 1e8, "cuda": 4e9, "mps": 5e8}


def surprisals(
    model: Any, tokens: Int[Tensor, "batch pos"], counted: Bool[Tensor, "batch pos"], label: str
) -> Float[Tensor, "batch pos"]:
    """-log p of every token given those before it, in nats; NaN for the first and for padding.

    Raises:
        Stopped: Between two passes.
    """
    device = torch.device(model.cfg.device)
    most = max(1, int(LOGITS.get(device.type, 1e8) / (tokens.shape[1] * model.cfg.d_vocab)))
    found = torch.full(tokens.shape, torch.nan)
    for first in progress.track(range(0, len(tokens), most), label):
        some = tokens[first : first + most].to(device)
        with torch.no_grad():
            log_probs = model(some, return_type="logits")[:, :-1].float().log_softmax(-1)
        found[first : first + most, 1:] = -log_probs.gather(-1, some[:, 1:].unsqueeze(-1))[..., 0].cpu()
    return found.masked_fill(~counted, torch.nan)
