"""Networks trained side by side as one stacked program: their parameters in one array, [network, number].

Every product is a batched one, so that a network's numbers are the same, to the last bit on a CPU, whether it is trained alone
or among others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from workbench.dynamics import measures
from workbench.dynamics.bursty import Batch, Setting, Worlds
from workbench.dynamics.network import Architecture, Nudge, Nudges, Seen
from workbench.errors import BadInput, NotFinite, at_least, one_of

BETAS, TINY = (0.9, 0.999), 1e-8


@dataclass(frozen=True)
class Recipe:
    """How networks are trained.

    Attributes:
        optimiser: 'sgd', plain, as in the paper, or 'adam', which is faster.
        rate: Learning rate.
        decay: Each step first takes this share off every parameter.
        batch: Sequences per step.
    Raises:
        BadInput: When a number is out of range.
    """

    optimiser: Literal["sgd", "adam"] = "sgd"
    rate: int | float = 0.01
    decay: int | float = 1e-6
    batch: int = 128

    def __post_init__(self):
        one_of("optimiser", self.optimiser, ("sgd", "adam"))
        if not (isfinite(self.rate) and self.rate > 0):
            raise BadInput(f"rate must be above 0; got {self.rate!r}.")
        if not 0 <= self.decay < 1:
            raise BadInput(f"decay must be at least 0 and below 1; got {self.decay!r}.")
        at_least("batch", self.batch, 1)

    @classmethod
    def fast(cls) -> "Recipe":
        """Adam at 1e-3: the transition within 1,500 steps on the task made small."""
        return cls("adam", 1e-3)


@dataclass(frozen=True)
class Member:
    """One network of a run: its task, its seed, and what is done to its attention."""

    setting: Setting
    seed: int = 0
    nudge: Nudge = field(default_factory=Nudge)


@dataclass(frozen=True, eq=False)
class Trace:
    """The measures of a run, as far as it is.

    Attributes:
        members: The networks.
        steps: Steps done at each evaluation.
        mean: By network, evaluation and measure, mean over sequences.
        error: The standard error of that mean.
    """

    members: list[Member]
    steps: Int[np.ndarray, "step"]
    mean: Float[np.ndarray, "network step measure"]
    error: Float[np.ndarray, "network step measure"]

    def of(self, measure: str) -> Float[np.ndarray, "network step"]:
        """One measure of every network."""
        one_of("measure", measure, measures.MEASURES)
        return self.mean[..., list(measures.MEASURES).index(measure)]


class Stack:
    """Networks at some step: parameters, what the optimiser remembers, measures so far.

    Args:
        members: The networks.
        recipe: How they are trained.
        kind: What they are.
        sequences: Test sequences per measure.
        device: Where they are.
        first: The number of the first, for messages.
    """

    def __init__(
        self,
        members: list[Member],
        recipe: Recipe,
        kind: Architecture,
        sequences: int,
        device: torch.device,
        first: int = 0,
    ):
        self.members, self.recipe, self.kind, self.sequences, self.device = members, recipe, kind, sequences, device
        self.first = first
        self.setting = members[0].setting
        self.worlds = Worlds([member.setting for member in members], [member.seed for member in members], device)
        self.nudges = Nudges.of([member.nudge for member in members], self.setting.length, device)
        self.shapes = kind.shapes(self.setting)
        self.step = 0
        self.flat = torch.from_numpy(np.stack([self._initial(member) for member in members])).to(device)
        moments = 2 if recipe.optimiser == "adam" else 0
        self.moments = [torch.zeros_like(self.flat) for _ in range(moments)]
        self.found: dict[int, np.ndarray] = {}

    def parameters(self, flat: Tensor | None = None) -> dict[str, Tensor]:
        """The flat array as named parameters."""
        flat = self.flat if flat is None else flat
        sizes = [int(np.prod(shape)) for shape in self.shapes.values()]
        # One split, whose gradient is one concatenation; slices would each fill an array of zeros.
        parts = flat.split(sizes, 1)
        return {name: part.reshape(len(part), *shape) for (name, shape), part in zip(self.shapes.items(), parts, strict=True)}

    def forward(self, parameters: dict[str, Tensor], batch: Batch) -> Seen:
        return self.kind.forward(parameters, batch.tokens, self.setting, self.nudges)

    def advance(self) -> None:
        """One step of every network."""
        batch = self.worlds.batch(self.step, self.recipe.batch)
        leaf = self.flat.requires_grad_()
        losses = measures.cross_entropy(self.forward(self.parameters(leaf), batch).logits, batch).mean(-1)
        (gradient,) = torch.autograd.grad(losses.sum(), leaf)
        self.flat = leaf.detach()
        self._finite(losses.detach())
        self.step += 1
        self._update(gradient)

    @torch.no_grad()
    def _update(self, gradient: Tensor) -> None:
        """Plain SGD, or Adam with its bias corrections; the decay comes first."""
        self.flat.mul_(1 - self.recipe.decay)
        if not self.moments:
            self.flat.sub_(gradient, alpha=self.recipe.rate)
            return
        (first, second), (slow, slower) = self.moments, BETAS
        first.lerp_(gradient, 1 - slow)
        second.mul_(slower).addcmul_(gradient, gradient, value=1 - slower)
        size = (second / (1 - slower**self.step)).sqrt_().add_(TINY)
        self.flat.addcdiv_(first, size, value=-self.recipe.rate / (1 - slow**self.step))

    def evaluate(self) -> None:
        """Take the measures."""
        parameters = self.parameters()
        with torch.no_grad():
            taken = {}
            batch = self.worlds.batch(self.step, self.recipe.batch)
            taken["loss"] = measures.cross_entropy(self.forward(parameters, batch).logits, batch)
            batch = self.worlds.test("ic", self.sequences)
            taken |= measures.of_context(self.forward(parameters, batch), batch)
            for name in ("ic2", "iw"):
                batch = self.worlds.test(name, self.sequences)
                taken[name] = measures.right(self.forward(parameters, batch).logits, batch)
        values = [taken[name].double() for name in measures.MEASURES]
        self._finite(torch.stack([value.mean(-1) for value in values]).sum(0))
        told = [torch.stack([value.mean(-1), value.std(-1) / value.shape[-1] ** 0.5], -1) for value in values]
        self.found[self.step] = torch.stack(told, 1).cpu().numpy()

    def state(self) -> dict[str, Tensor]:
        """All that is needed to go on, by network."""
        moments = {f"moment{at}": moment.cpu() for at, moment in enumerate(self.moments)}
        found = np.stack([self.found[step] for step in sorted(self.found)], 1)
        return {"parameters": self.flat.cpu(), **moments, "measures": torch.from_numpy(found)}

    def restore(self, step: int, evaluated: Sequence[int], state: Mapping[str, Tensor]) -> None:
        """Go on from a state that was reached after `step` steps."""
        self.step = step
        self.flat = state["parameters"].to(self.device)
        self.moments = [state[f"moment{at}"].to(self.device) for at in range(len(self.moments))]
        self.found = {one: state["measures"][:, at].numpy() for at, one in enumerate(evaluated)}

    def _initial(self, member: Member) -> np.ndarray:
        made = self.kind.fresh(member.setting, member.seed)
        return np.concatenate([made[name].ravel() for name in self.shapes])

    def _finite(self, values: Float[Tensor, "network"]) -> None:
        bad = ~values.isfinite()
        if bad.any():
            at = int(bad.nonzero()[0, 0])
            raise NotFinite(
                f"the loss of network {self.first + at} (seed {self.members[at].seed}) must stay finite; got "
                f"{float(values[at])} at step {self.step}. Use a smaller rate than {self.recipe.rate}."
            )
