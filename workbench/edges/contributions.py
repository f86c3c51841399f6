"""What the sources of a run wrote beyond their ablation, kept as the run goes, and summed for every reader over its edges."""

import torch
from jaxtyping import Float
from torch import Tensor

# Sublayers whose contributions are joined for fewer products.
JOINED = 16


class Contributions:
    """What sources wrote beyond their ablation, [circuit src batch pos d_model], as far as the run has come."""

    def __init__(self, differentiable: bool):
        self.differentiable = differentiable
        self.parts: list[Tensor] = []
        self.recent = 0

    def append(self, moved: Float[Tensor, "circuit batch src pos d_model"]) -> None:
        """Add the next sources."""
        self.parts.append(moved.transpose(1, 2))
        self.recent += 1
        if self.recent == JOINED:
            # Fewer and larger products; not one whole, which autograd would have to keep anew at every reader.
            self.parts[-JOINED:] = [torch.cat(self.parts[-JOINED:], 1)]
            self.recent = 0

    def gathered(self, masks: Tensor) -> Float[Tensor, "circuit batch pos dst d_model"]:
        """Per destination, the sum over kept edges; the sources are all of the masks', from the first."""
        circuits, batch, length, width = *masks.shape[:1], *self.parts[0].shape[2:]
        made = self.parts[0].new_zeros(circuits, batch, length, masks.shape[-1], width)
        path = "cubpd,cpuv->cbpvd" if masks.ndim == 4 else "cubpd,cuv->cbpvd"
        first = 0
        for part in self.parts:
            share = masks[..., first : first + part.shape[1], :]
            part = part[:, : share.shape[-2]]
            first += part.shape[1]
            if not self.differentiable:
                used = share.flatten(0, -3).any(0).any(-1)
                if not used.any():
                    continue
                if 2 * int(used.sum()) < len(used):
                    part, share = part[:, used], share[..., used, :]
            if share.shape[-2]:
                made = made + torch.einsum(path, part, share)
        return made
