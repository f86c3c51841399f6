"""The uses of hooks: `read` activations, `read_with_grad`, `writing` in their place, and `stepping_in` at a layer.

Every hook is taken off again when its `with` block ends, whatever ended it; hooks that were on the model before stay.

Gradients are taken through probes, zeros added at each site: what a forward hook is given at q, k, v and z is a view
that the forward pass never consumes, so its own `.grad` would silently stay None.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from workbench.errors import BadInput, NotFinite
from workbench.sites import Site, hook_point

Write = Callable[[Tensor], Tensor | None]


class Enough(Exception):
    """Raised by a hook when nothing after it is needed; to be suppressed around the pass."""


@contextmanager
def hooked(point: Any, write: Write) -> Iterator[None]:
    """Hook one HookPoint with a function of the activation; what it returns, if not None, takes its place."""
    handle = point.add_hook(lambda activation, hook: write(activation))
    try:
        yield
    finally:
        handle.hook.remove()
        point.fwd_hooks[:] = [other for other in point.fwd_hooks if other is not handle]


@contextmanager
def between(model: Any, layer: int, write: Write) -> Iterator[None]:
    """Read or write the stream between attention and MLP.

    The library's hook of that name sits inside the second norm: a write there reaches the MLP and not the residual stream.
    The stream between is resid_pre + attn_out, so a write of it is a write of attn_out, less resid_pre.
    """
    entering: list[Tensor] = []

    def keep(stream: Tensor) -> None:
        entering[:] = [stream]

    def through(attn_out: Tensor) -> Tensor | None:
        written = write(entering[0] + attn_out)
        return None if written is None else written - entering[0]

    before, at = (hook_point(model, Site(name, layer)) for name in ("resid_pre", "attn_out"))
    with hooked(before, keep), hooked(at, through):
        yield


@contextmanager
def writing(model: Any, writes: Mapping[Site, Write]) -> Iterator[None]:
    """Context in which each site's activation passes through its function; None leaves it as it is."""
    with ExitStack() as stack:
        for site, write in writes.items():
            point = hook_point(model, site)
            stack.enter_context(between(model, site.layer, write) if site.name == "resid_mid" else hooked(point, write))
        yield


@contextmanager
def logits_at(model: Any, positions: Int[Tensor, "batch"]) -> Iterator[None]:
    """Context in which the unembedding sees one position per prompt: logits come as [batch 1 vocab]."""

    def gather(module, args):
        stream = args[0]
        rows = torch.arange(stream.shape[0], device=stream.device)
        return (stream[rows, positions.to(stream.device)].unsqueeze(1), *args[1:])

    handle = model.unembed.register_forward_pre_hook(gather)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def stepping_in(model: Any, layer: int, stream: Float[Tensor, "batch pos d_model"]) -> Iterator[None]:
    """Context in which the model starts at `layer` with `stream`: the blocks below pass their input through unread.

    The library's own start_at_layer runs the lower blocks and throws their output away; this does not run them.
    """
    blocks = [model.blocks[index] for index in range(layer)]
    for block in blocks:
        # An instance attribute goes before the class's forward, and taking it away brings that back.
        block.__dict__["forward"] = _pass_through
    try:
        with writing(model, {Site("resid_pre", layer): lambda _: stream}):
            yield
    finally:
        for block in blocks:
            block.__dict__.pop("forward", None)


def _pass_through(hidden_states: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    return hidden_states


def end_logits(
    model: Any, tokens: Int[Tensor, "batch pos"], end: Int[Tensor, "batch"], **kwargs: Any
) -> Float[Tensor, "batch vocab"]:
    """One forward pass, and the logits at one position per prompt only.

    Raises:
        BadInput: When the prompts are longer than the model's context.
    """
    longest = getattr(model.cfg, "n_ctx", None)
    if longest and tokens.shape[1] > longest:
        raise BadInput(
            f"prompts must have at most {longest} tokens, this model's context; got {tokens.shape[1]}. Use shorter ones."
        )
    with logits_at(model, end):
        return model(tokens, return_type="logits", **kwargs)[:, 0]


def read(
    model: Any, tokens: Int[Tensor, "batch pos"], end: Int[Tensor, "batch"], sites: Iterable[Site]
) -> tuple[Float[Tensor, "batch vocab"], dict[Site, Tensor]]:
    """The logits at `end` and the activations at `sites`, of one forward pass without gradients.

    Raises:
        NotFinite: When a NaN or an infinity is read, naming the layer and the prompt.
    """
    kept: dict[Site, Tensor] = {}

    def keeper(site: Site) -> Write:
        return lambda activation: kept.update({site: activation.detach().clone()})

    with torch.no_grad(), writing(model, {site: keeper(site) for site in sites}):
        logits = end_logits(model, tokens, end)
    check_finite(kept, logits)
    return logits, kept


@contextmanager
def probing(model: Any, sites: Iterable[Site]) -> Iterator[tuple[dict[Site, Tensor], dict[Site, Tensor]]]:
    """Context that keeps the activations at `sites`, and adds at each a zero whose gradient is the place's own."""
    kept: dict[Site, Tensor] = {}
    probes: dict[Site, Tensor] = {}

    def prober(site: Site) -> Write:
        def probe(activation: Tensor) -> Tensor:
            kept[site] = activation.detach().clone()
            probes[site] = torch.zeros_like(activation, requires_grad=True)
            return activation + probes[site]

        return probe

    with writing(model, {site: prober(site) for site in sites}):
        yield kept, probes


def read_with_grad(
    model: Any,
    tokens: Int[Tensor, "batch pos"],
    end: Int[Tensor, "batch"],
    sites: Sequence[Site],
    metric: Callable[[Float[Tensor, "batch vocab"]], Float[Tensor, "batch"]],
) -> tuple[Float[Tensor, "batch"], dict[Site, Tensor], dict[Site, Tensor]]:
    """The metric per prompt, the activations at `sites`, and the metric's gradient there: one forward, one backward.

    Prompts do not see each other, so the gradient of the metric's sum holds every prompt's own gradient.

    Raises:
        NotFinite: When a NaN or an infinity is read, naming the layer and the prompt.
    """
    with torch.enable_grad(), probing(model, sites) as (kept, probes):
        values = metric(end_logits(model, tokens, end))
        gradients = torch.autograd.grad(values.sum(), [probes[site] for site in sites], allow_unused=True)
    check_finite(kept, values)
    filled = {
        site: torch.zeros_like(kept[site]) if gradient is None else gradient
        for site, gradient in zip(sites, gradients, strict=True)
    }
    return values.detach(), kept, filled


def check_finite(activations: Mapping[Site, Tensor], logits: Tensor) -> None:
    """Raise NotFinite at the first site, in the order read, with a NaN or an infinity that is not a mask."""
    for site, activation in activations.items():
        # Scores before the softmax hold -inf where the mask forbids to look.
        finite = torch.isfinite(activation) if site.name != "scores" else ~torch.isnan(activation)
        if not finite.all():
            prompt = int((~finite.reshape(finite.shape[0], -1).all(-1)).nonzero()[0])
            raise _not_finite(str(site), prompt)
    finite = torch.isfinite(logits)
    if not finite.all():
        raise _not_finite("the logits", int((~finite.reshape(finite.shape[0], -1).all(-1)).nonzero()[0]))


def _not_finite(where: str, prompt: int) -> NotFinite:
    return NotFinite(
        f"activations must be finite; got a NaN or an infinity at {where}, prompt {{prompt}}. Load the model with a wider "
        "dtype (dtype='float32'), or check its weights.",
        prompt,
    )
