"""The network against the paper's, written out in its plain form; and what is done to its attention from outside."""

import pytest
import torch

from workbench.dynamics import Nudge, Setting, Worlds
from workbench.dynamics.nested import THREE, TWO
from workbench.dynamics.network import ATTENTION, Nudges
from workbench.errors import BadInput

SMALL = Setting(classes=24, labels=6, items=4, burst=2, dim=5, longest=7, novel=12)


def stacked(kind, seeds=(0, 1)):
    """Parameters of networks of these seeds, in float64, so that two ways to the same number agree closely."""
    each = [kind.fresh(SMALL, seed) for seed in seeds]
    return {name: torch.stack([torch.from_numpy(one[name]).double() for one in each]) for name in each[0]}


def batch_of(seeds=(0, 1), size=3):
    return Worlds([SMALL] * len(seeds), list(seeds)).batch(0, size)


def plain(own, x, nudge=None):
    """One network on one sequence, [pos, d_model], as the paper writes it."""
    nudge = nudge or Nudge()
    length = len(x)
    causal = torch.full((length, length), -torch.inf).triu(1).double()
    attention = {}
    for layer in (1, 2):
        query, key, value = (x @ own[f"layer{layer}.{part}"] for part in ("query", "key", "value"))
        scores = query @ key.T if layer not in nudge.uniform else torch.zeros(length, length).double()
        for place in range(length):
            if layer == 1 and place:
                scores[place, place - 1] += nudge.to_previous
            if layer == 2 and place % 2:
                scores[:, place] += nudge.to_labels
        attention[layer] = (scores + causal).softmax(-1)
        x = x + attention[layer] @ value
    seen = x[-1]
    for layer in (1, 2, 3):
        seen = torch.relu(seen @ own[f"hidden{layer}.weight"] + own[f"hidden{layer}.bias"])
    return seen @ own["readout"], attention[1], attention[2][-1]


@pytest.mark.parametrize(
    "nudge", [None, Nudge(to_previous=3.0), Nudge(to_labels=-2.0), Nudge(uniform=(1,)), Nudge(to_previous=2.0, uniform=(1, 2))]
)
def test_the_network_is_the_papers(nudge):
    parameters, batch = stacked(ATTENTION), batch_of()
    nudges = Nudges.of([nudge or Nudge()] * 2, SMALL.length)
    parameters["hidden2.bias"] = torch.tensor([0.3, -0.2]).double()
    seen = ATTENTION.forward(parameters, batch.tokens.double(), SMALL, nudges)
    for network in range(2):
        own = {name: values[network] for name, values in parameters.items()}
        for row in range(3):
            logits, first, second = plain(own, batch.tokens[network, row].double(), nudge)
            assert torch.allclose(seen.logits[network, row], logits, atol=1e-10)
            assert torch.allclose(seen.first[network, row], first, atol=1e-10)
            assert torch.allclose(seen.second[network, row], second, atol=1e-10)


def test_gradients_are_those_of_the_papers_network():
    parameters, batch = stacked(ATTENTION, (0,)), batch_of((0,), 1)
    leaves = {name: values.requires_grad_() for name, values in parameters.items()}
    x = batch.tokens.double()
    ours = torch.autograd.grad(ATTENTION.forward(leaves, x, SMALL, None).logits.square().sum(), list(leaves.values()))
    own = {name: values[0] for name, values in leaves.items()}
    theirs = torch.autograd.grad(plain(own, x[0, 0])[0].square().sum(), list(leaves.values()))
    for one, other in zip(ours, theirs, strict=True):
        assert torch.allclose(one, other, rtol=1e-8, atol=1e-10)


def test_each_network_has_its_own_nudge():
    parameters, x = stacked(ATTENTION, (0, 0)), batch_of((0, 0)).tokens.double()
    seen = ATTENTION.forward(parameters, x, SMALL, Nudges.of([Nudge(), Nudge(to_previous=50.0)], SMALL.length))
    before = seen.first.diagonal(-1, -2, -1)
    assert (before[1] > 0.99).all()
    assert (before[0] < 0.99).any()
    assert Nudges.of([Nudge(), Nudge()], SMALL.length) is None


def test_weights_have_the_papers_spread():
    own = ATTENTION.fresh(Setting(), 0)
    assert own["layer1.query"].std() == pytest.approx(63**-0.5, rel=0.02)
    assert own["hidden2.weight"].std() == pytest.approx((2 / 128) ** 0.5, rel=0.02)
    assert own["readout"].std() == pytest.approx(128**-0.5, rel=0.04)
    assert own["hidden1.bias"] == 0
    assert own["readout"].shape == (128, 32)
    again, other = ATTENTION.fresh(Setting(), 0), ATTENTION.fresh(Setting(), 1)
    assert (own["layer1.key"] == again["layer1.key"]).all()
    assert (own["layer1.key"] != other["layer1.key"]).all()


@pytest.mark.parametrize("kind", [THREE, TWO])
def test_the_head_of_few_numbers_is_its_formulas(kind):
    parameters, batch = stacked(kind), batch_of()
    parameters["previous"] = torch.tensor([2.0, -1.0]).double()
    parameters["match"] = torch.tensor([3.0, 0.5]).double()
    if kind is THREE:
        parameters["labels"] = torch.tensor([1.5, 0.2]).double()
    x = batch.tokens.double()
    seen = kind.forward(parameters, x, SMALL, None)
    for network in range(2):
        own = {name: values[network] for name, values in parameters.items()}
        content = x[network, 1, :, SMALL.places :]
        buffer, score = [], []
        for i in range(9):
            weight = torch.tensor([float(own["previous"]) if j == i - 1 else 0.0 for j in range(i + 1)]).exp().double()
            buffer.append((weight / weight.sum()) @ content[: i + 1])
            score.append(own["match"] * buffer[-1] @ content[-1] + own.get("labels", 0.0) * (i % 2))
        second = torch.stack(score).softmax(0)
        assert torch.allclose(seen.second[network, 1], second, atol=1e-10)
        z = second @ content
        for layer in (1, 2, 3):
            z = torch.relu(z @ own[f"hidden{layer}.weight"] + own[f"hidden{layer}.bias"])
        assert torch.allclose(seen.logits[network, 1], z @ own["readout"], atol=1e-10)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"uniform": (3,)}, "a layer whose attention is uniform must be one of 1, 2; got 3"),
        ({"to_previous": float("inf")}, "to_previous must be finite; got inf"),
    ],
)
def test_what_is_no_nudge_is_told(given, said):
    with pytest.raises(BadInput, match=said):
        Nudge(**given)
