"""Direct paths into a head: what earlier heads say to its queries, keys or values, with everything else as it was.

The reader takes x over its norm's divisor (as it was) through W_Q, W_K or W_V. What a source wrote is taken out of one of the
three alone. Through values this changes what the reader writes at END, linearly; through queries and keys it changes its
attention from END, which one pass through that attention gives.
"""

from contextlib import ExitStack, suppress
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from workbench.batches import halving
from workbench.channels.evidence import Bench
from workbench.channels.weights import SLOTS
from workbench.errors import one_of
from workbench.hooks import Enough, end_logits, hooked, stepping_in, writing
from workbench.sites import Site, hook_point
from workbench.sweep import tokens_at_once
from workbench.unembed import scale_of

# Tokens in one pass through an attention layer.
TOKENS = {"cpu": 8192, "cuda": 262144, "mps": 32768}

Written = Float[Tensor, "variant batch pos d_model"]
KINDS = ("previous", "duplicate", "induction", "itself")


def variants_at_once(model: Any, batch: int, length: int) -> int:
    """How many variants go through one attention layer together, on so many prompts and positions."""
    return max(1, tokens_at_once(model, length, TOKENS) // (batch * length))


class Into:
    """A reader and one of its slots, ready to be asked what sources do through it alone.

    Attributes:
        bench: The model on its task.
        layer, head, slot: The reader.
        attention: The reader's attention from END.
    """

    def __init__(self, bench: Bench, layer: int, head: int, slot: str):
        one_of("slot", slot, SLOTS)
        bench.heads.check(layer, head)
        self.bench, self.layer, self.head, self.slot = bench, layer, head, slot
        heads = bench.heads
        stream = bench.run.stream[layer]
        self._scale = scale_of(heads.wiring.norm(layer, slot), stream)
        self._weight = heads.reading(layer, slot)[head]
        self.attention = self._patterns(torch.zeros(1, *stream.shape[:2], heads.d_head, device=bench.device))[0]

    def attention_without(self, written: Written) -> Float[Tensor, "variant batch pos"]:
        """The reader's attention from END when each of these is taken out of its queries or keys."""
        most = variants_at_once(self.bench.model, *written.shape[1:3])
        moved = -((written / self._scale) @ self._weight)
        return torch.cat(
            [halving(lambda some: self._patterns(moved[some.start : some.stop]), range(first, min(first + most, len(moved))))
             for first in range(0, len(moved), most)]
        )  # fmt: skip

    def said(self, written: Written, direction: Float[Tensor, "d_model"]) -> Float[Tensor, "variant batch"]:
        """What the reader writes at END along a direction because of each of these, through its values."""
        return torch.einsum("vbpd,bpd->vb", written.float(), self.hears(direction))

    def hears(self, direction: Float[Tensor, "d_model"]) -> Float[Tensor, "batch pos d_model"]:
        """The gradient of what is written along a direction with respect to the stream at every position."""
        heads = self.bench.heads
        through = self._weight @ (heads.wiring.out[self.layer][self.head].float() @ direction)
        looked = self.attention.unsqueeze(-1) / self._scale
        after = getattr(heads.model.blocks[self.layer], "ln1_post", None)
        if after is not None:
            # z over the divisor of the norm that follows attention, which stays what it was.
            z, rows = self.bench.run.kept[Site("z", self.layer)], torch.arange(len(looked), device=looked.device)
            sizes = [one[rows, self.bench.end].flatten(1).norm(dim=1) for one in (heads.wiring.scaled(self.layer, z), z)]
            looked = looked * (sizes[0] / sizes[1]).view(-1, 1, 1)
        return looked * through

    @torch.no_grad()
    def _patterns(self, moved: Float[Tensor, "variant batch pos d_head"]) -> Float[Tensor, "variant batch pos"]:
        """Attention from END with something added to the queries or keys; nothing after it is run."""
        bench, variants = self.bench, len(moved)
        model, site = bench.model, Site(self.slot, self.layer)
        tokens, end = bench.run.tokens.repeat(variants, 1), bench.end.repeat(variants)
        rows = torch.arange(len(tokens), device=bench.device)
        seen: list[Tensor] = []

        def add(activation: Tensor) -> Tensor:
            shared = bench.heads.n_heads // activation.shape[2]
            changed = activation.clone()
            changed[:, :, self.head // shared] += moved.flatten(0, 1).to(activation.dtype)
            return changed

        def keep(pattern: Tensor) -> None:
            seen.append(pattern[rows, self.head, end].float())
            raise Enough

        with suppress(Enough), ExitStack() as stack:
            stack.enter_context(stepping_in(model, self.layer, bench.run.stream[self.layer].repeat(variants, 1, 1)))
            if self.slot != "v":
                stack.enter_context(writing(model, {site: add}))
            stack.enter_context(hooked(hook_point(model, Site("pattern", self.layer)), keep))
            end_logits(model, tokens, end)
        return seen[0].view(variants, len(bench.pairs), -1)


def written(bench: Bench, layer: int) -> Float[Tensor, "head batch pos d_model"]:
    """What the heads of a layer write everywhere."""
    wiring = bench.heads.wiring
    return wiring.heads(layer, wiring.scaled(layer, bench.run.kept[Site("z", layer)])).transpose(0, 1).float()


def taken_apart(
    whole: Float[Tensor, "batch pos d_model"], directions: Float[Tensor, "component d_model"]
) -> Float[Tensor, "component batch pos d_model"]:
    """What is written along each of some orthonormal directions."""
    said = torch.einsum("bpd,cd->cbp", whole, directions)
    return said.unsqueeze(-1) * directions.view(len(directions), 1, 1, -1)


def kinds(
    tokens: Int[Tensor, "batch pos"], pattern: Float[Tensor, "batch head pos pos"], at: Int[Tensor, "batch"]
) -> Float[Tensor, "kind head"]:
    """Where heads look from a position per prompt: the token before, earlier copies of it, what followed those, itself.

    Means over prompts of shares of attention, in the order of KINDS.
    """
    rows, places = torch.arange(len(tokens), device=tokens.device), torch.arange(tokens.shape[1], device=tokens.device)
    looks = pattern[rows, :, at]
    here = at.unsqueeze(1)
    copies = (tokens == tokens[rows, at].unsqueeze(1)) & (places < here)
    followed = copies.roll(1, 1) & (places > 0) & (places < here)
    masks: list[Bool[Tensor, "batch pos"]] = [places == here - 1, copies, followed, places == here]
    return torch.stack([(looks * mask.unsqueeze(1)).sum(-1).mean(0) for mask in masks])
