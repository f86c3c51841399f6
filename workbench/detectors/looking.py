"""Where the heads of a model look on one prompt, and how much they write from there: one pass, layer by layer.

No layer's attention is kept longer than until the next one: what is wanted of it is taken as it comes.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from workbench import progress
from workbench.channels.weights import Heads
from workbench.detectors import attention
from workbench.edges.wiring import Wiring
from workbench.errors import BadInput, at_least, within
from workbench.hooks import Enough, check_finite, end_logits, hooked
from workbench.sites import Site, hook_point

# Called with a layer, its attention, and what is shown of it: the same, or by how much is written.
See = Callable[[int, Float[Tensor, "head query key"], Float[Tensor, "head query key"]], None]
# Where a head looks on one prompt, in a number.
HERE = {
    "first token": "share of attention",
    "previous token": "share of attention",
    "duplicate token": "share of attention",
    "induction": "share of attention",
    "entropy": "nats",
    "distance": "tokens",
}


@torch.no_grad()
def looking(
    model: Any, tokens: Int[Tensor, "pos"], see: See, weighted: bool = False, layers: Sequence[int] | None = None
) -> None:
    """Hand the attention of every layer on one prompt to `see`.

    Convention: weighted by values it is alpha_ij times the norm of v_j W_O, the head's own part of W_O: the length of what
    key j's value adds to the stream at query i, not divided by anything. Where a norm follows the attention (Gemma-2) it is
    the length after that norm. Source: Kobayashi et al. 2020, https://arxiv.org/abs/2004.10102, eq. 5.

    Args:
        model: The model.
        tokens: The prompt.
        see: Takes a layer, its attention and what was asked for.
        weighted: Whether to weight by values.
        layers: Which layers; all where None.
    Raises:
        BadInput: When the model has no such layer, its attention cannot be read, looks ahead, or the prompt is longer than
            its context or empty.
        Stopped: Between two layers.
    """
    at_least("the number of tokens", len(tokens), 1)
    heads = Heads(model)
    wanted = range(heads.n_layers) if layers is None else layers
    for layer in wanted:
        within("layer", layer, 0, heads.n_layers)
    seen: dict[str, Tensor] = {}
    with ExitStack() as stack, suppress(Enough):
        bar = stack.enter_context(progress.bar("Reading attention", len(wanted), unit="layer"))

        def use(layer: int, z: Tensor) -> None:
            check_finite({Site("pattern", layer): seen["pattern"]}, torch.zeros(1, 1))
            pattern = seen["pattern"][0].float()
            _check_causal(model, pattern)
            shown = pattern if not weighted else _written(heads.wiring, layer, pattern, seen["v"], z)
            see(layer, pattern, shown)
            bar.advance()
            if layer == max(wanted):
                raise Enough

        for layer in wanted:
            for name in ("pattern", "v") if weighted else ("pattern",):
                keep = _keeper(seen, name)
                stack.enter_context(hooked(hook_point(model, Site(name, layer)), keep))
            stack.enter_context(hooked(hook_point(model, Site("z", layer)), lambda z, layer=layer: use(layer, z)))
        end_logits(model, tokens.unsqueeze(0).to(model.cfg.device), torch.tensor([len(tokens) - 1]))


def _keeper(seen: dict[str, Tensor], name: str) -> Callable[[Tensor], None]:
    return lambda activation: seen.update({name: activation.detach()})


def _check_causal(model: Any, pattern: Float[Tensor, "head query key"]) -> None:
    if pattern.shape[1] != pattern.shape[2] or bool(pattern.triu(1).any()):
        raise BadInput(f"the model must look back only; got {model.cfg.model_name}, whose heads look ahead. Use another model.")


def _written(wiring: Wiring, layer: int, pattern: Tensor, v: Tensor, z: Tensor) -> Float[Tensor, "head query key"]:
    """How long what every key's value adds at every query is."""
    out = wiring.out[layer].float()
    values = v[0].float().repeat_interleave(len(out) // v.shape[2], 1)
    lengths = torch.stack([(values[:, head] @ out[head]).norm(dim=-1) for head in range(len(out))])
    divisor = wiring.divisor(layer, z)
    written = pattern * lengths.unsqueeze(1)
    return written if divisor is None else written / divisor[0].float()


def here(tokens: Int[Tensor, "pos"], pattern: Float[Tensor, "head query key"]) -> dict[str, Float[Tensor, "head"]]:
    """Where each head looks on this prompt, as the numbers of HERE; NaN where the prompt has nothing to look at."""
    row, looks = tokens.unsqueeze(0).to(pattern.device), pattern.unsqueeze(0)
    counted = torch.ones_like(row, dtype=torch.bool)
    wanted = {"first token": attention.first_token, "previous token": attention.previous}
    wanted |= {"duplicate token": attention.duplicates, "induction": attention.followers}
    found = {name: attention.share_on(looks, one(row)) for name, one in wanted.items()}
    found |= {"entropy": attention.entropy(looks, counted), "distance": attention.distance(looks, counted)}
    return {name: found[name][0] for name in HERE}
