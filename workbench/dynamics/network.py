"""The small network that learns bursty sequences, as pure functions, many at once.

Every parameter has a first axis `network`: one call runs them all. Two attention layers of one head each, without scale,
output matrix or norm, x <- x + softmax(q·k) v, and a classifier of three ReLU layers that sees the last token alone.

Source: Reddy 2023, https://arxiv.org/abs/2312.03002, section 2 and appendix. Since only the last token is read, the second
layer's keys and values need not be made: with P the first layer's attention, the last token's query meets token j as
x_j·u + Σ_i P_ji x_i·w, where u = W_K q and w = W_V u. The function and its gradients are those of the paper's network; the
least work for them is what is done. Tests hold it against the plain form.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from workbench.dynamics.bursty import WEIGHTS, Setting
from workbench.errors import BadInput, one_of

Parameters = Mapping[str, Float[Tensor, "network *shape"]]
Shapes = dict[str, tuple[int, ...]]
DEPTH = 3


@dataclass(frozen=True)
class Nudge:
    """What is done to a network's attention from outside, in training and in tests alike; nothing by default.

    Attributes:
        to_previous: β1, added to the first layer's scores from each token to the one before it. A large one is an attention
            to the previous token that need not be learnt; one below 0 hinders it.
        to_labels: β2, added to the second layer's scores of label tokens.
        uniform: Layers, of 1 and 2, whose attention stays uniform over the tokens seen; what is added above is added still.
    Raises:
        BadInput: When a number is not finite, or there is no such layer.
    """

    to_previous: int | float = 0.0
    to_labels: int | float = 0.0
    uniform: tuple[int, ...] = ()

    def __post_init__(self):
        for name in ("to_previous", "to_labels"):
            if not np.isfinite(getattr(self, name)):
                raise BadInput(f"{name} must be finite; got {getattr(self, name)!r}.")
        for layer in self.uniform:
            one_of("a layer whose attention is uniform", layer, (1, 2))


@dataclass(frozen=True, eq=False)
class Seen:
    """What one run of the networks gives.

    Attributes:
        logits: Of the last token's label.
        first: The first layer's attention, rows sum to 1.
        second: The second layer's attention of the last token.
        hidden: The classifier's last hidden layer. All zeros is a network that is dead: it says the same to all, and no
            gradient moves it any more.
    """

    logits: Float[Tensor, "network batch label"]
    first: Float[Tensor, "network batch pos pos"]
    second: Float[Tensor, "network batch pos"]
    hidden: Float[Tensor, "network batch unit"]


@dataclass(frozen=True, eq=False)
class Nudges:
    """The nudges of several networks as what is added to scores, and which scores are put out."""

    previous: Float[Tensor, "network 1 pos pos"]
    labels: Float[Tensor, "network 1 pos"]
    uniform: tuple[Bool[Tensor, "network"], Bool[Tensor, "network"]]

    @classmethod
    def of(cls, nudges: list[Nudge], length: int, device: str | torch.device = "cpu") -> "Nudges | None":
        """Nudges as tensors; None where nobody is nudged."""
        if all(nudge == Nudge() for nudge in nudges):
            return None
        place = torch.arange(length)
        before = (place.unsqueeze(1) == place + 1).float()
        label = (place % 2 == 1).float()
        first = torch.tensor([float(nudge.to_previous) for nudge in nudges]).view(-1, 1, 1, 1) * before
        second = torch.tensor([float(nudge.to_labels) for nudge in nudges]).view(-1, 1, 1) * label
        frozen = tuple(torch.tensor([layer in nudge.uniform for nudge in nudges]).to(device) for layer in (1, 2))
        return cls(first.to(device), second.to(device), frozen)


Forward = Callable[[Parameters, Float[Tensor, "network batch pos d_model"], Setting, Nudges | None], Seen]


@dataclass(frozen=True)
class Architecture:
    """A kind of network.

    Attributes:
        name: Its id.
        shapes: Shapes of one network's parameters, by name, for a setting.
        initial: What a network's parameters are before training, for a setting and a source of random numbers.
        forward: Logits and attention, from parameters, tokens, the setting of the first network, and nudges.
    """

    name: str
    shapes: Callable[[Setting], Shapes]
    initial: Callable[[Setting, np.random.Generator], dict[str, np.ndarray]]
    forward: Forward

    def fresh(self, setting: Setting, seed: int) -> dict[str, np.ndarray]:
        """The parameters before training; the same for the same seed."""
        return self.initial(setting, np.random.default_rng([seed, WEIGHTS]))


def classifier_shapes(into: int, width: int, labels: int) -> Shapes:
    made: Shapes = {}
    for layer in range(1, DEPTH + 1):
        made |= {f"hidden{layer}.weight": (into if layer == 1 else width, width), f"hidden{layer}.bias": ()}
    return {**made, "readout": (width, labels)}


def classifier(
    parameters: Parameters, seen: Float[Tensor, "network batch d_in"]
) -> tuple[Float[Tensor, "network batch label"], Float[Tensor, "network batch unit"]]:
    """Three ReLU layers, each with one bias for all its units or none, and a linear readout; logits, last hidden layer."""
    for layer in range(1, DEPTH + 1):
        seen = seen @ parameters[f"hidden{layer}.weight"]
        if f"hidden{layer}.bias" in parameters:
            seen = seen + parameters[f"hidden{layer}.bias"].view(-1, 1, 1)
        seen = torch.relu(seen)
    return seen @ parameters["readout"], seen


def _normal(rng: np.random.Generator, shape: tuple[int, ...], spread: float) -> np.ndarray:
    return rng.standard_normal(shape, dtype=np.float32) * np.float32(spread)


def classifier_initial(shapes: Shapes, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Weights of ReLU layers N(0, 2/d), of the readout N(0, 1/d); biases 0."""
    made = {}
    for name, shape in shapes.items():
        if name.endswith("weight"):
            made[name] = _normal(rng, shape, (2 / shape[0]) ** 0.5)
        elif name.endswith("bias"):
            made[name] = np.zeros(shape, np.float32)
        elif name == "readout":
            made[name] = _normal(rng, shape, shape[0] ** -0.5)
    return made


def _attention_shapes(setting: Setting) -> Shapes:
    """Keys, values and hidden layers are as wide as a token: 128 in the paper's own setting."""
    width = setting.width
    heads = {f"layer{layer}.{part}": (width, width) for layer in (1, 2) for part in ("query", "key", "value")}
    return {**heads, **classifier_shapes(width, width, setting.labels)}


def _attention_initial(setting: Setting, rng: np.random.Generator) -> dict[str, np.ndarray]:
    shapes = _attention_shapes(setting)
    heads = {name: _normal(rng, shape, setting.dim**-0.5) for name, shape in shapes.items() if name.startswith("layer")}
    return {**heads, **classifier_initial(shapes, rng)}


def causal(length: int, device: torch.device) -> Float[Tensor, "pos pos"]:
    return torch.full((length, length), -torch.inf, device=device).triu(1)


def _attention_forward(
    parameters: Parameters, x: Float[Tensor, "network batch pos d_model"], setting: Setting, nudges: Nudges | None = None
) -> Seen:
    """The paper's network."""
    query1, key1, value1 = (parameters[f"layer1.{part}"] for part in ("query", "key", "value"))
    query2, key2, value2 = (parameters[f"layer2.{part}"] for part in ("query", "key", "value"))
    meets = (x.flatten(1, 2) @ (query1 @ key1.mT)).view_as(x)
    first = attend(meets @ x.mT, 1, nudges, causal(x.shape[2], x.device))
    own = first.unbind(2)[-1].unsqueeze(2)
    last = x[:, :, -1] + (own @ x).squeeze(2) @ value1
    direct = (last @ query2) @ key2.mT
    moved = direct @ value1.mT
    on_direct, on_moved = (x @ torch.stack([direct, moved], -1)).split(1, -1)
    second = attend((on_direct + first @ on_moved).mT, 2, nudges)
    read, read_moved = (torch.cat([second, second @ first], 2) @ x).unbind(2)
    out = last + (read + read_moved @ value1) @ value2
    logits, hidden = classifier(parameters, out)
    return Seen(logits, first, second.squeeze(2), hidden)


def attend(
    scores: Float[Tensor, "network batch dst src"],
    layer: int,
    nudges: Nudges | None,
    mask: Float[Tensor, "dst src"] | None = None,
) -> Float[Tensor, "network batch dst src"]:
    """Softmax over what is seen, after the nudges."""
    if nudges is not None:
        scores = scores.masked_fill(nudges.uniform[layer - 1].view(-1, 1, 1, 1), 0.0)
        scores = scores + (nudges.previous if layer == 1 else nudges.labels.unsqueeze(2))
    return (scores if mask is None else scores + mask).softmax(-1)


def _unbiased_shapes(setting: Setting) -> Shapes:
    return {name: shape for name, shape in _attention_shapes(setting).items() if not name.endswith("bias")}


def _unbiased_initial(setting: Setting, rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {name: values for name, values in _attention_initial(setting, rng).items() if not name.endswith("bias")}


ATTENTION = Architecture("attention", _attention_shapes, _attention_initial, _attention_forward)
# One bias for a whole layer can kill the layer, which looks like a plateau for ever; without biases none died.
UNBIASED = Architecture("unbiased", _unbiased_shapes, _unbiased_initial, _attention_forward)
