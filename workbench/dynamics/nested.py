"""Why learning is abrupt, in three numbers: nested logits that follow their gradient, and the induction head reduced to them.

`descend` follows the loss of three nested logits: how much a label attends to its item, q1; given that, how much the last item
attends to its label, q2; and how well the label is read off, P. Each feeds the next, so that each has a slope only where the
one before has risen. `THREE` and `TWO` are heads of three and two numbers, trained like any network here.

Source: Reddy 2023, https://arxiv.org/abs/2312.03002, section 4 and appendix. The formulas are a reconstruction: what they do
was checked, their letter was not.
"""

from dataclasses import dataclass
from math import exp

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from workbench.dynamics.bursty import Setting
from workbench.dynamics.network import (
    Architecture,
    Nudges,
    Parameters,
    Seen,
    Shapes,
    attend,
    causal,
    classifier,
    classifier_initial,
    classifier_shapes,
)  # fmt: skip
from workbench.errors import BadInput, at_least

START = 0.01


@dataclass(frozen=True, eq=False)
class Descent:
    """The way of the three nested logits down their loss, at every step; the first entry is the start.

    Attributes:
        logits: β1, α and ξ.
        loss: -log P, in nats.
        q1: Attention from a label to its item.
        q2: Attention from the last item to its label.
        cla: Probability of the labels shown.
    """

    logits: Float[np.ndarray, "step 3"]
    loss: Float[np.ndarray, "step"]
    q1: Float[np.ndarray, "step"]
    q2: Float[np.ndarray, "step"]
    cla: Float[np.ndarray, "step"]


def stages(
    logits: Float[Tensor, "*point 3"], items: int, labels: int
) -> tuple[Float[Tensor, "*point"], Float[Tensor, "*point"], Float[Tensor, "*point"], Float[Tensor, "*point"]]:
    """q1, q2, log P, and the probability of the labels shown, of three nested logits (β1, α, ξ).

    q1 = e^β1 / (e^β1 + 2N - 1); q2 = e^(α q1) / (e^(α q1) + N - 1);
    P = e^(ξ q2) / (e^(ξ q2) + (N - 1) e^(ξ (1 - q2) / (N - 1)) + L - N).

    Args:
        logits: β1, α and ξ, last.
        items: N, at least 2.
        labels: L, at least N.
    """
    previous, match, read = logits.unbind(-1)
    # As sigmoids and logsumexp, so that nothing overflows far from the start.
    first = torch.sigmoid(previous - np.log(2 * items - 1))
    second = torch.sigmoid(match * first - np.log(items - 1))
    shown = [read * second, read * (1 - second) / (items - 1) + np.log(items - 1)]
    inside = torch.stack(shown, -1).logsumexp(-1)
    rest = torch.full_like(inside, np.log(labels - items) if labels > items else -np.inf)
    whole = torch.logaddexp(inside, rest) if labels > items else inside
    return first, second, shown[0] - whole, (inside - whole).exp()


def descend(
    items: int = 8,
    labels: int = 32,
    *,
    rate: int | float = 0.1,
    steps: int = 1000,
    start: tuple[int | float, ...] | None = None,
) -> Descent:
    """Gradient descent on the loss of three nested logits.

    Convention: full gradients, float64. With L > N the labels shown can first be told from the others, which opens the way;
    with L = N the start lies beside a saddle, at log N, and nothing moves for long.

    Args:
        items: N, at least 2.
        labels: L, at least N.
        rate: Learning rate.
        steps: Steps.
        start: β1, α and ξ at first; .01 each where None. At exactly 0 the slopes of β1 and α are 0, and with
            L = N so is that of ξ.
    Returns:
        The path, start included.
    Raises:
        BadInput: When a number is out of range, or the path leaves all bounds.
    """
    at_least("items", items, 2)
    at_least("labels", labels, items)
    at_least("steps", steps, 1)
    if not (np.isfinite(rate) and rate > 0):
        raise BadInput(f"rate must be above 0; got {rate!r}.")
    start = start or (START,) * 3
    if len(start) != 3 or not np.isfinite(start).all():
        raise BadInput(f"start must be three finite numbers; got {start!r}.")
    path = np.empty((steps + 1, 3))
    path[0] = logits = tuple(map(float, start))
    for step in range(1, steps + 1):
        moves = slopes(*logits, items, labels)
        path[step] = logits = tuple(at + rate * move for at, move in zip(logits, moves, strict=True))
    first, second, log_right, shown = (part.numpy() for part in stages(torch.from_numpy(path), items, labels))
    kept = np.isfinite(path).all(1) & np.isfinite(log_right)
    if not kept.all():
        at = int(np.argmin(kept))
        raise BadInput(f"rate must keep the path finite; got {rate!r}, which loses it at step {at}. Use a smaller one.")
    return Descent(path, -log_right, first, second, shown)


def slopes(previous: int | float, match: int | float, read: int | float, items: int, labels: int) -> tuple[float, float, float]:
    """The slopes of log P along β1, α and ξ.

    By hand and in plain floats, which for three numbers is far quicker than an automatic gradient: so a path can be drawn anew
    while something is dragged.
    """
    first = _share(previous, 2 * items - 1)
    second = _share(match * first, items - 1)
    elsewhere = (1 - second) / (items - 1)
    # The label that is right, one of the others shown, one that is not shown.
    scores = read * second, read * elsewhere, 0.0
    top = max(scores)
    right, other, rest = (count * exp(one - top) for count, one in zip((1, items - 1, labels - items), scores, strict=True))
    whole = right + other + rest
    by_second = read * (rest + other + other / (items - 1)) / whole
    by_match = by_second * second * (1 - second)
    # Written so that it is exactly 0 where it should be.
    by_read = (rest * second + other * (second - elsewhere)) / whole
    return by_match * match * first * (1 - first), by_match * first, by_read


def _share(x: float, others: int) -> float:
    """e^x / (e^x + others), which does not overflow."""
    return 1 / (1 + others * exp(-x)) if x >= 0 else exp(x) / (exp(x) + others)


def _shapes(setting: Setting) -> Shapes:
    return {"previous": (), "match": (), "labels": (), **classifier_shapes(setting.dim, setting.width, setting.labels)}


def _initial(setting: Setting, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """β1, α and β2 begin at .01, near the saddle, and not on it."""
    shapes = _shapes(setting)
    scalars = {name: np.full((), START, np.float32) for name in ("previous", "match", "labels")}
    return {**scalars, **classifier_initial(shapes, rng)}


def _forward(
    parameters: Parameters, x: Float[Tensor, "network batch pos d_model"], setting: Setting, nudges: Nudges | None = None
) -> Seen:
    """The induction head of three numbers: β1 to the token before, α to what matches, β2 to labels."""
    networks, size, length, _ = x.shape
    content = x[..., setting.places :]
    place = torch.arange(length, device=x.device)
    before, label = (place.unsqueeze(1) == place + 1).to(x.dtype), (place % 2 == 1).to(x.dtype)
    scores = (parameters["previous"].view(-1, 1, 1, 1) * before).expand(networks, size, length, length)
    first = attend(scores, 1, nudges, causal(length, x.device))
    matches = first @ (content @ content[:, :, -1].unsqueeze(-1))
    added = parameters["labels"].view(-1, 1, 1, 1) * label
    second = attend(parameters["match"].view(-1, 1, 1, 1) * matches.mT + added, 2, nudges)
    logits, hidden = classifier(parameters, (second @ content).squeeze(2))
    return Seen(logits, first, second.squeeze(2), hidden)


def _two_shapes(setting: Setting) -> Shapes:
    return {name: shape for name, shape in _shapes(setting).items() if name != "labels"}


def _two_initial(setting: Setting, rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {name: values for name, values in _initial(setting, rng).items() if name != "labels"}


def _two_forward(
    parameters: Parameters, x: Float[Tensor, "network batch pos d_model"], setting: Setting, nudges: Nudges | None = None
) -> Seen:
    """The same with β2 = 0: nothing tells labels from items but what they match."""
    return _forward({**parameters, "labels": torch.zeros_like(parameters["match"])}, x, setting, nudges)


THREE = Architecture("three", _shapes, _initial, _forward)
TWO = Architecture("two", _two_shapes, _two_initial, _two_forward)
