"""Progress measures of in-context learning: what the two layers attend to, and whether the answer is among the labels shown.

Each is a number per sequence, so that a mean comes with its standard error. They are taken on sequences of new classes ('ic'
of bursty), whatever the network is trained on.

Source: Reddy 2023, https://arxiv.org/abs/2312.03002, section 3. The names are the paper's; the exact wording of each was
reconstructed.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from workbench.dynamics.bursty import Batch
from workbench.dynamics.network import Seen

PerSequence = Float[Tensor, "network batch"]

# In the order of a table: what each is, for legends and notes.
MEASURES = {
    "loss": "cross-entropy on the next training batch, in nats",
    "ic": "share right on new classes: in-context learning",
    "ic2": "share right on fixed classes whose labels in the context were moved on by one",
    "iw": "share right on fixed classes that the context does not show: in-weights learning",
    "cla": "share of answers, on new classes, that are one of the labels shown (CLA)",
    "cla_mass": "probability of the labels shown, on new classes",
    "ila1": "layer 1: attention from a label to the item before it (ILA1)",
    "tla2": "layer 2: attention from the last item to labels (TLA2)",
    "tila2": "layer 2: attention from the last item to labels of items of its class (TILA2)",
    "alive": "classifier: share of the last hidden layer's units above 0; at 0 the network is dead, not slow",
}


def item_label(first: Float[Tensor, "network batch pos pos"]) -> PerSequence:
    """ILA1: the first layer's attention from a label token to the item before it, mean over the labels; from 0 to 1."""
    return first.diagonal(-1, -2, -1)[..., ::2].mean(-1)


def target_labels(second: Float[Tensor, "network batch pos"]) -> PerSequence:
    """TLA2: the second layer's attention from the last item to all label tokens, summed; from 0 to 1."""
    return second[..., 1::2].sum(-1)


def target_item_label(second: Float[Tensor, "network batch pos"], batch: Batch) -> PerSequence:
    """TILA2: the second layer's attention from the last item to labels of items of its class, summed; 0 if none."""
    return (second[..., 1::2] * batch.same).sum(-1)


def right(logits: Float[Tensor, "network batch label"], batch: Batch) -> PerSequence:
    """1 where the highest logit is the right label's, else 0."""
    return (logits.argmax(-1) == batch.right).float()


def context_label(logits: Float[Tensor, "network batch label"], context: Int[Tensor, "network batch item"]) -> PerSequence:
    """CLA: 1 where the highest logit is that of one of the labels shown, else 0."""
    return (logits.argmax(-1, keepdim=True) == context).any(-1).float()


def context_label_mass(logits: Float[Tensor, "network batch label"], context: Int[Tensor, "network batch item"]) -> PerSequence:
    """Probability of the labels shown, each counted once."""
    shown = torch.zeros_like(logits).scatter_(-1, context, 1.0)
    return (logits.softmax(-1) * shown).sum(-1)


def cross_entropy(logits: Float[Tensor, "network batch label"], batch: Batch) -> PerSequence:
    """Minus the log probability of the right label, in nats."""
    return -logits.log_softmax(-1).gather(-1, batch.right.unsqueeze(-1)).squeeze(-1)


def alive(hidden: Float[Tensor, "network batch unit"]) -> PerSequence:
    """Share of the last hidden layer's units above 0. A network with none says the same to all and learns no more."""
    return (hidden > 0).float().mean(-1)


def of_context(seen: Seen, batch: Batch) -> dict[str, PerSequence]:
    """Every measure that is taken on sequences of new classes."""
    return {
        "ic": right(seen.logits, batch),
        "cla": context_label(seen.logits, batch.context),
        "cla_mass": context_label_mass(seen.logits, batch.context),
        "ila1": item_label(seen.first),
        "tla2": target_labels(seen.second),
        "tila2": target_item_label(seen.second, batch),
        "alive": alive(seen.hidden),
    }
