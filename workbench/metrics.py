"""Metrics: logits at the position that is read -> one number per prompt, with a unit.

Every metric is higher the more the model behaves as on the clean prompt, save `kl`, a distance. Where a task counts several
answers together (greater-than, verb forms), their probabilities are summed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from workbench.errors import one_of
from workbench.pairs import Pairs

Logits = Float[Tensor, "batch vocab"]
PerPrompt = Float[Tensor, "batch"]


@dataclass(frozen=True, eq=False)
class Answers:
    """What a metric compares, as tensors on the logits' device.

    Attributes:
        right: Token ids right on clean, padded with -1.
        wrong: Token ids wrong on clean, padded with -1.
        reference: Logits of the clean run, for metrics that compare whole distributions.
    """

    right: Int[Tensor, "batch right"]
    wrong: Int[Tensor, "batch wrong"]
    reference: Logits | None = None

    def rows(self, prompts: Int[Tensor, "rows"]) -> "Answers":
        """The answers of some prompts, repeats allowed."""
        reference = None if self.reference is None else self.reference[prompts]
        return Answers(self.right[prompts], self.wrong[prompts], reference)


def answers_of(pairs: Pairs, device: torch.device | str = "cpu", reference: Logits | None = None) -> Answers:
    """The answers of Pairs as padded tensors."""
    return Answers(_padded(pairs.right, device), _padded(pairs.wrong, device), reference)


def _padded(ids: tuple[tuple[int, ...], ...], device: torch.device | str) -> Int[Tensor, "batch most"]:
    most = max(map(len, ids))
    return torch.tensor([list(row) + [-1] * (most - len(row)) for row in ids], device=device)


def _log_sum(values: Logits, ids: Int[Tensor, "batch most"]) -> PerPrompt:
    picked = values.gather(-1, ids.clamp(min=0)).masked_fill(ids < 0, float("-inf"))
    return picked.logsumexp(-1)


def logit_diff(logits: Logits, answers: Answers) -> PerPrompt:
    """Logit of the right answer minus logit of the wrong one; log odds of the two sets where there are several."""
    return _log_sum(logits.float(), answers.right) - _log_sum(logits.float(), answers.wrong)


def prob_diff(logits: Logits, answers: Answers) -> PerPrompt:
    """Probability of the right answers minus probability of the wrong ones (Hanna et al. 2023), from -1 to 1."""
    log_probs = logits.float().log_softmax(-1)
    return _log_sum(log_probs, answers.right).exp() - _log_sum(log_probs, answers.wrong).exp()


def log_prob(logits: Logits, answers: Answers) -> PerPrompt:
    """Log-probability of the right answers, in nats, at most 0."""
    return _log_sum(logits.float().log_softmax(-1), answers.right)


def kl(logits: Logits, answers: Answers) -> PerPrompt:
    """KL divergence from the clean run's next-token distribution to this one, in nats, at least 0."""
    if answers.reference is None:
        raise ValueError("kl compares with the clean run's logits: hand them over as the reference")
    clean = answers.reference.float().log_softmax(-1)
    return (clean.exp() * (clean - logits.float().log_softmax(-1))).sum(-1)


MetricName = Literal["logit_diff", "prob_diff", "log_prob", "kl"]


@dataclass(frozen=True)
class Metric:
    """A metric with its id and unit; `worse` is +1 where more is further from the clean behaviour, else -1."""

    name: str
    unit: str
    measure: Callable[[Logits, Answers], PerPrompt]
    worse: int = -1


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("logit_diff", "logits", logit_diff),
        Metric("prob_diff", "probability", prob_diff),
        Metric("log_prob", "nats", log_prob),
        Metric("kl", "nats", kl, worse=+1),
    )
}


def metric_named(name: str) -> Metric:
    """The metric of that id; BadInput lists them."""
    one_of("metric", name, METRICS)
    return METRICS[name]


def is_right(logits: Logits, answers: Answers) -> Float[Tensor, "batch"]:
    """1.0 where the right answers are more probable than the wrong ones, else 0.0."""
    return (logit_diff(logits, answers) > 0).float()


def rank(logits: Logits, answers: Answers) -> Float[Tensor, "batch"]:
    """The place of the likeliest right answer among all tokens: 1 is the token the model would say."""
    picked = logits.float().gather(-1, answers.right.clamp(min=0)).masked_fill(answers.right < 0, float("-inf"))
    return 1.0 + (logits.float() > picked.amax(-1, keepdim=True)).sum(-1).float()
