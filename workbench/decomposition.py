"""Contextual decomposition: activations in two parts, relevant and not, whose sum is everywhere the ordinary activation.

Source: Hsu et al. 2024 (CD-T), https://arxiv.org/abs/2407.00886; `methods.cdt` says where the rules differ from it.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from workbench.batches import halving
from workbench.effects import mean_of
from workbench.errors import BadInput
from workbench.hooks import check_finite, end_logits, hooked, read, stepping_in, writing
from workbench.pairs import Pairs
from workbench.rules import NORMS
from workbench.sites import Site, hook_point

# How far off the model's logits may come out when all of it counts as relevant, in shares of the largest.
TOLERANCE = 1e-2


class Split:
    """The clean run, kept; and runs of relevant parts beside it.

    Only the relevant part is run: the irrelevant one is the clean run less that. A row of a run is a source and a prompt,
    sources outermost.
    """

    def __init__(self, model: Any, pairs: Pairs, stabilise: bool):
        self.model, self.pairs, self.stabilise = model, pairs, stabilise
        self.tokens, self.end = pairs.clean.to(model.cfg.device), pairs.end.to(model.cfg.device)
        self.total: dict[str, Tensor] = {}
        self.streams = [Site("resid_pre", layer) for layer in range(model.cfg.n_layers)]
        self.heads = [Site("z", layer) for layer in range(model.cfg.n_layers)]
        with ExitStack() as stack:
            for name, point in self._points():
                stack.enter_context(hooked(point, self._keeper(name)))
            _, self.kept = read(model, self.tokens, self.end, [*self.streams, *self.heads])
        for layer in range(model.cfg.n_layers):
            self._check_mlp(layer)

    def _keeper(self, name: str) -> Callable[[Tensor], None]:
        def keep(activation: Tensor) -> None:
            self.total[name] = activation.detach().clone()

        return keep

    # What there is in a model.

    def _norms(self) -> Iterator[tuple[str, Any]]:
        for layer, block in enumerate(self.model.blocks):
            yield from ((f"{layer}.{name}", getattr(block, name)) for name in NORMS if hasattr(block, name))
            for name in ("q_norm", "k_norm"):
                if hasattr(block.attn, name):
                    yield f"{layer}.{name}", getattr(block.attn, name)
        yield "ln_final", self.model.ln_final

    def _linears(self) -> Iterator[tuple[str, Any]]:
        for layer, block in enumerate(self.model.blocks):
            yield from ((f"{layer}.{name}", getattr(block.attn, name)) for name in ("q", "k", "v", "o"))
            mlp = getattr(block, "mlp", None)
            if mlp is None:
                continue
            if not hasattr(mlp, "in") or not hasattr(mlp, "out"):
                raise BadInput(f"cdt must have an MLP it knows; got {type(mlp).__name__}. Use `atp` on this model.")
            names = ("gate", "in", "out") if hasattr(mlp, "gate") else ("in", "out")
            yield from ((f"{layer}.{name}", getattr(mlp, name)) for name in names)

    def _points(self) -> Iterator[tuple[str, Any]]:
        """Where the clean run is kept: what each norm divides by, and what is split at each place."""
        for name, norm in self._norms():
            yield f"{name}.scale", norm.hook_scale
            yield f"{name}.out", norm.hook_out
        for name, linear in self._linears():
            yield f"{name}.out", linear.hook_out
            if name.endswith(".out"):
                yield f"{name}.in", linear.hook_in
        for layer in range(self.model.cfg.n_layers):
            yield f"{layer}.end", hook_point(self.model, Site("resid_post", layer))
        yield "logits", self.model.unembed.hook_out

    def _act(self, layer: int) -> Callable[[Tensor], Tensor]:
        inner = self.model.blocks[layer].mlp.original_component
        for name in ("act_fn", "act", "activation_fn"):
            if callable(getattr(inner, name, None)):
                return getattr(inner, name)
        raise BadInput(f"cdt must know the activation of an MLP; {type(inner).__name__} names none. Use `atp` on this model.")

    def _between(self, layer: int, pre: Tensor, up: Tensor | None) -> Tensor:
        """What an MLP does between its projections."""
        return self._act(layer)(pre) if up is None else self._act(layer)(pre) * up

    def _check_mlp(self, layer: int) -> None:
        if f"{layer}.in.out" not in self.total:
            return
        again = self._between(layer, *self._branches(self.total, layer))
        post = self.total[f"{layer}.out.in"]
        if not torch.allclose(again, post, rtol=1e-2, atol=1e-3 * float(post.abs().max()) + 1e-12):
            raise BadInput("cdt must have MLPs of the form act(x) or act(gate) * up; this model's differ. Use `atp`.")

    @staticmethod
    def _branches(seen: dict[str, Tensor], layer: int) -> tuple[Tensor, Tensor | None]:
        """What the activation sees, and what it multiplies, if anything."""
        gate = seen.get(f"{layer}.gate.out")
        return (seen[f"{layer}.in.out"], None) if gate is None else (gate, seen[f"{layer}.in.out"])

    # The rules.

    def _beside(self, name: str, activation: Tensor) -> Tensor:
        """The clean run's value at a place, for every row."""
        total = self.total[name]
        return total.repeat(activation.shape[0] // total.shape[0], *[1] * (total.ndim - 1))

    def _affine(self, name: str, module: Any, settle: bool = False) -> Callable[[Tensor], Tensor] | None:
        """A part takes the bias in the share that its own size has: |Wb| / (|Wb| + |Wg|), number by number."""
        inner = module.original_component
        bias = None if getattr(module, "uses_rms_norm", False) else getattr(inner, "bias", None)
        if bias is None and not settle:
            return None

        def write(activation: Tensor) -> Tensor:
            total = self._beside(name, activation)
            if bias is not None:
                whole = bias.detach().reshape(activation.shape[activation.ndim - total[0, 0].ndim :])
                part = activation - whole
                rest = _above_rounding(total - whole - part, total.abs() + whole.abs())
                # The guard is for 0/0 only: the source's 1e-8 would lose some of the bias, and sums would not be exact.
                both = (part.abs() + rest.abs()).clamp(min=torch.finfo(part.dtype).tiny)
                activation = part + part.abs() / both * whole
            return _settled(activation, total) if settle else activation

        return write

    def _rules(self, stack: ExitStack) -> None:
        """Hook every place at which a part does not go as the whole does."""
        seen: dict[str, Tensor] = {}
        for name, norm in self._norms():
            stack.enter_context(hooked(norm.hook_scale, lambda scale, name=name: self._beside(f"{name}.scale", scale)))
            rule = self._affine(f"{name}.out", norm)
            if rule is not None:
                stack.enter_context(hooked(norm.hook_out, rule))
        for name, linear in [*self._linears(), ("unembed", self.model.unembed)]:
            layer, _, place = name.partition(".")
            if place == "out":
                # Before the layer's own rule: what the activation leaves to the relevant part.
                stack.enter_context(hooked(linear.hook_in, self._active(int(layer), seen)))
            settle = self.stabilise and place in ("in", "gate", "out")
            rule = self._affine("logits" if name == "unembed" else f"{name}.out", linear, settle)
            if rule is not None:
                stack.enter_context(hooked(linear.hook_out, rule))
            if place in ("in", "gate"):
                stack.enter_context(hooked(linear.hook_out, lambda value, name=name: seen.update({f"{name}.out": value})))
        if self.stabilise:
            for layer in range(self.model.cfg.n_layers):
                point = hook_point(self.model, Site("resid_post", layer))
                end = f"{layer}.end"
                stack.enter_context(hooked(point, lambda value, end=end: _settled(value, self._beside(end, value))))

    def _active(self, layer: int, seen: dict[str, Tensor]) -> Callable[[Tensor], Tensor]:
        """The relevant part of an activation is the whole less what the irrelevant part alone would give."""

        def write(activation: Tensor) -> Tensor:
            names = [name for name in (f"{layer}.gate.out", f"{layer}.in.out") if name in self.total]
            irrelevant = {name: self._beside(name, activation) - seen[name] for name in names}
            return self._beside(f"{layer}.out.in", activation) - self._between(layer, *self._branches(irrelevant, layer))

        return write

    # Runs.

    def _logits(self, layer: int, stream: Tensor, sources: dict[Site, Callable[[Tensor], Tensor]]) -> Tensor:
        """Relevant parts of the logits, from a layer on."""
        rows = stream.shape[0] // len(self.pairs)
        found: list[Tensor] = []
        with torch.no_grad(), stepping_in(self.model, layer, stream), ExitStack() as stack, warnings.catch_warnings():
            # The library warns that an edited norm is computed by its own formula and not by transformers'.
            warnings.filterwarnings("ignore", message=".*hook_scale/hook_normalized.*")
            self._rules(stack)
            stack.enter_context(writing(self.model, sources))
            stack.enter_context(hooked(self.model.unembed.hook_out, found.append))
            end_logits(self.model, self.tokens.repeat(rows, 1), self.end.repeat(rows))
        check_finite({}, found[0])
        return found[0]

    def gap(self) -> float:
        """How far the logits are from the model's when all that enters layer 0 is relevant, in shares of the largest.

        Raises:
            BadInput: When they are not the model's: it then has parts that these rules do not know.
        """
        logits = self._logits(0, self.kept[self.streams[0]], {})
        total = self.total["logits"]
        gap = float((logits - total).abs().max() / total.abs().max())
        if gap > max(TOLERANCE, 32 * torch.finfo(total.dtype).eps):
            raise BadInput(
                f"cdt must know a rule for every part of the model; with everything relevant, {self.model.cfg.model_name}'s "
                f"logits are missed by {gap:.2g} of the largest. Use `patch` or `atp` on this model."
            )
        return gap

    def usual(self, reference: str) -> list[Float[Tensor, "batch pos head d_head"]]:
        """By layer, the part of the heads' outputs that counts as irrelevant."""
        if reference == "zero":
            return [torch.zeros_like(self.kept[site]) for site in self.heads]
        _, corrupt = read(self.model, self.pairs.corrupt.to(self.tokens.device), self.end, self.heads)
        return [mean_of(self.pairs, corrupt[site]) for site in self.heads]

    def scores(self, layer: int, heads: Sequence[int], usual: Tensor) -> Float[Tensor, "source batch"]:
        """The relevant part of the logit difference for some heads of a layer; halves them when memory runs out."""
        return halving(lambda some: self._scores(layer, some, usual), heads)

    def _scores(self, layer: int, heads: Sequence[int], usual: Tensor) -> Float[Tensor, "source batch"]:
        departure = self.kept[self.heads[layer]] - usual
        source = departure.new_zeros(len(heads), *departure.shape)
        for row, head in enumerate(heads):
            source[row, :, :, head] = departure[:, :, head]
        stream = torch.zeros_like(self.kept[self.streams[layer]]).repeat(len(heads), 1, 1)
        return self.difference(self._logits(layer, stream, {self.heads[layer]: lambda _: source.flatten(0, 1)}))

    def difference(self, logits: Float[Tensor, "row one vocab"]) -> Float[Tensor, "source batch"]:
        """Mean logit of the right answers less that of the wrong ones."""
        by_prompt = logits.double().cpu().reshape(-1, len(self.pairs), logits.shape[-1])
        each = [
            by_prompt[:, prompt, list(right)].mean(-1) - by_prompt[:, prompt, list(wrong)].mean(-1)
            for prompt, (right, wrong) in enumerate(zip(self.pairs.right, self.pairs.wrong, strict=True))
        ]
        return torch.stack(each, 1)


def _above_rounding(rest: Tensor, size: Tensor) -> Tensor:
    """What is left of a difference of two numbers of that size, or 0 where it is no more than their rounding.

    Where Wb and Wg are both near 0, the bias would else be shared out by the rounding of a larger number.
    """
    return torch.where(rest.abs() > min(128 * torch.finfo(rest.dtype).eps, TOLERANCE) * size, rest, 0.0)


def _settled(relevant: Tensor, total: Tensor) -> Tensor:
    """Where relevant and irrelevant part have opposite signs, the larger takes the total and the smaller is 0."""
    irrelevant = total - relevant
    larger = torch.where(relevant.abs() > irrelevant.abs(), total, 0.0)
    return torch.where(relevant.sign() * irrelevant.sign() < 0, larger, relevant)
