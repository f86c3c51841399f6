"""Metrics against numpy written out, with one answer and with sets of answers."""

import numpy as np
import pytest
import torch

from tests import families
from workbench.errors import BadInput
from workbench.metrics import METRICS, Answers, answers_of, is_right, kl, metric_named
from workbench.pairs import pairs_from_ids

RIGHT, WRONG = [[3], [4, 5, 6], [0, 9]], [[1, 2], [7], [8]]


@pytest.fixture
def logits():
    return torch.randn(3, 11, generator=torch.Generator().manual_seed(4))


@pytest.fixture
def answers(logits):
    rows = [[2, 3]] * 3
    pairs = pairs_from_ids(families.tokenizer(), "toy", rows, rows, RIGHT, WRONG)
    return answers_of(pairs, reference=torch.randn(3, 11, generator=torch.Generator().manual_seed(1)))


def softmax(row):
    return np.exp(row) / np.exp(row).sum()


def by_hand(name, logits, reference):
    rows = []
    for row, clean, right, wrong in zip(logits.double().numpy(), reference.double().numpy(), RIGHT, WRONG, strict=True):
        p, q = softmax(row), softmax(clean)
        rows.append(
            {
                "logit_diff": np.log(np.exp(row[right]).sum()) - np.log(np.exp(row[wrong]).sum()),
                "prob_diff": p[right].sum() - p[wrong].sum(),
                "log_prob": np.log(p[right].sum()),
                "kl": (q * np.log(q / p)).sum(),
            }[name]
        )
    return np.array(rows)


@pytest.mark.parametrize("name", sorted(METRICS))
def test_each_is_what_numpy_says(name, logits, answers):
    got = METRICS[name].measure(logits, answers).numpy()
    assert np.allclose(got, by_hand(name, logits, answers.reference), atol=1e-5)
    assert np.abs(got).max() > 0.05


def test_of_one_answer_each_the_logit_difference_is_a_difference_of_logits(logits):
    answers = Answers(torch.tensor([[3], [4], [5]]), torch.tensor([[1], [2], [0]]))
    got = METRICS["logit_diff"].measure(logits, answers)
    assert torch.allclose(
        got, torch.stack([logits[0, 3] - logits[0, 1], logits[1, 4] - logits[1, 2], logits[2, 5] - logits[2, 0]])
    )


@pytest.mark.parametrize("name", sorted(METRICS))
def test_a_shift_of_all_logits_changes_nothing(name, logits, answers):
    measure = METRICS[name].measure
    assert torch.allclose(measure(logits + 7, answers), measure(logits, answers), atol=1e-5)


@pytest.mark.parametrize("name", sorted(METRICS))
def test_the_gradient_exists_and_is_that_of_finite_differences(name, logits, answers):
    measure, step = METRICS[name].measure, 1e-2 * torch.randn(3, 11, generator=torch.Generator().manual_seed(2))
    at = logits.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(measure(at, answers).sum(), at)
    assert torch.isfinite(gradient).all()
    measured = (measure(logits + step, answers) - measure(logits - step, answers)) / 2
    assert torch.allclose((gradient * step).sum(-1), measured, atol=1e-4)
    assert measured.abs().max() > 1e-3


def test_kl_is_zero_at_the_reference_and_nowhere_negative(answers):
    assert torch.allclose(kl(answers.reference, answers), torch.zeros(3), atol=1e-6)
    for seed in range(10, 30):
        other = torch.randn(3, 11, generator=torch.Generator().manual_seed(seed))
        assert (kl(other, answers) > 0).all()


def test_kl_needs_a_reference(logits):
    with pytest.raises(ValueError, match="hand them over as the reference"):
        kl(logits, Answers(torch.tensor([[3]] * 3), torch.tensor([[4]] * 3)))


@pytest.mark.parametrize("name", ["logit_diff", "prob_diff", "log_prob", "kl"])
def test_half_precision_is_measured_in_float32(name, logits, answers):
    half = logits.bfloat16()
    got = METRICS[name].measure(half, answers)
    assert got.dtype == torch.float32
    assert torch.allclose(got, METRICS[name].measure(half.float(), answers))


def test_ranges(logits, answers):
    assert METRICS["prob_diff"].measure(100 * logits, answers).abs().max() <= 1 + 1e-6
    assert (METRICS["log_prob"].measure(logits, answers) <= 1e-6).all()


def test_rows_repeat_and_reorder_everything_that_is_compared(logits, answers):
    order = torch.tensor([2, 0, 0])
    for name, metric in METRICS.items():
        assert torch.equal(metric.measure(logits[order], answers.rows(order)), metric.measure(logits, answers)[order]), name
    assert Answers(answers.right, answers.wrong).rows(order).reference is None


def test_padding_of_answers_counts_for_nothing(answers):
    assert answers.right.tolist() == [[3, -1, -1], [4, 5, 6], [0, 9, -1]]
    assert answers.wrong.tolist() == [[1, 2], [7, -1], [8, -1]]


def test_right_is_more_probable_than_wrong():
    logits = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    answers = Answers(torch.zeros(3, 1, dtype=torch.long), torch.ones(3, 1, dtype=torch.long))
    assert is_right(logits, answers).tolist() == [1.0, 0.0, 0.0]


def test_by_name():
    assert metric_named("kl") is METRICS["kl"]
    assert {name: metric.unit for name, metric in METRICS.items()} == {
        "logit_diff": "logits", "prob_diff": "probability", "log_prob": "nats", "kl": "nats",
    }  # fmt: skip
    with pytest.raises(BadInput, match=r"metric must be one of 'logit_diff', .*; got 'logit'. Did you mean 'logit_diff'\?"):
        metric_named("logit")
