"""Three nested logits: the formulas by hand, and what was measured of their way down."""

import math

import pytest
import torch

from workbench.dynamics.nested import descend, slopes, stages
from workbench.errors import BadInput


@pytest.mark.parametrize(("items", "labels"), [(8, 32), (4, 4), (2, 5)])
def test_the_formulas_by_hand(items, labels):
    beta, alpha, xi = 1.3, -0.7, 2.1
    q1 = math.exp(beta) / (math.exp(beta) + 2 * items - 1)
    q2 = math.exp(alpha * q1) / (math.exp(alpha * q1) + items - 1)
    others = (items - 1) * math.exp(xi * (1 - q2) / (items - 1))
    whole = math.exp(xi * q2) + others + labels - items
    made = stages(torch.tensor([[beta, alpha, xi]], dtype=torch.float64), items, labels)
    expected = [q1, q2, math.log(math.exp(xi * q2) / whole), (math.exp(xi * q2) + others) / whole]
    assert [float(value) for value in made] == pytest.approx(expected)


def test_nothing_overflows_far_from_the_start():
    made = stages(torch.tensor([900.0, 900.0, 900.0], dtype=torch.float64), 8, 32)
    assert [float(value) for value in made] == pytest.approx([1, 1, 0, 1])


def test_more_labels_than_items_a_slow_phase_and_then_a_fall():
    path = descend(8, 32, steps=1000)
    assert path.loss[0] == pytest.approx(math.log(32), abs=0.01)
    assert path.loss[300] == pytest.approx(3.22, abs=0.005)
    assert path.cla[300] == pytest.approx(0.32, abs=0.005)
    assert path.q1[300] == pytest.approx(0.07, abs=0.005)
    assert path.loss[1000] == pytest.approx(0.020, abs=0.0005)
    assert path.q1[1000] == pytest.approx(0.89, abs=0.005)
    assert path.q2[1000] == pytest.approx(0.92, abs=0.005)
    assert path.logits.shape == (1001, 3)


def test_as_many_labels_as_items_nothing_moves_for_long():
    path = descend(8, 8, steps=4000)
    assert path.loss == pytest.approx(math.log(8), abs=0.02)
    assert path.cla == pytest.approx(1)


@pytest.mark.slow
def test_as_many_labels_as_items_the_start_beside_the_saddle_is_left_in_the_end():
    loss = descend(8, 8, steps=8000).loss
    assert loss[5000] == pytest.approx(math.log(8), abs=0.05)
    assert loss[8000] < 0.5


def test_at_exactly_zero_there_is_no_slope():
    path = descend(8, 8, steps=50, start=(0.0, 0.0, 0.0))
    assert abs(path.logits).max() == 0


def test_each_step_follows_the_gradient():
    path = descend(4, 12, rate=0.3, steps=1, start=(0.5, 1.0, 1.5))

    def loss(*logits):
        return -float(stages(torch.tensor(logits, dtype=torch.float64), 4, 12)[2])

    start, tiny = [0.5, 1.0, 1.5], 1e-6
    for at in range(3):
        up, down = list(start), list(start)
        up[at] += tiny
        down[at] -= tiny
        slope = (loss(*up) - loss(*down)) / (2 * tiny)
        assert path.logits[1, at] - start[at] == pytest.approx(-0.3 * slope, rel=1e-5)


@pytest.mark.parametrize(
    "point", [(0.01, 0.01, 0.01), (1.3, -0.7, 2.1), (-3.0, 40.0, 9.0), (900.0, 900.0, 900.0), (0.0, 0.0, 0.0)]
)
@pytest.mark.parametrize(("items", "labels"), [(8, 32), (4, 4), (2, 5), (2, 2)])
def test_the_slopes_are_those_of_log_p(point, items, labels):
    leaf = torch.tensor(point, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(stages(leaf, items, labels)[2], leaf)
    assert slopes(*point, items, labels) == pytest.approx(gradient.tolist(), rel=1e-9, abs=1e-15)


def test_a_path_that_is_lost_is_told():
    with pytest.raises(BadInput, match=r"rate must keep the path finite; got 1e\+308, which loses it at step"):
        descend(rate=1e308, start=(3.0, -5.0, 200.0), steps=50)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"items": 1}, "items must be at least 2; got 1"),
        ({"labels": 7}, "labels must be at least 8; got 7"),
        ({"rate": 0}, "rate must be above 0; got 0"),
        ({"steps": 0}, "steps must be at least 1; got 0"),
        ({"start": (float("inf"), 0.0, 0.0)}, "start must be three finite numbers"),
        ({"start": (0.0, 0.0)}, "start must be three finite numbers"),
    ],
)
def test_what_cannot_be_followed_is_told(given, said):
    with pytest.raises(BadInput, match=said):
        descend(**given)
