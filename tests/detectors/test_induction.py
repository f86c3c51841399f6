"""The induction circuit: its measures by their definition, on a trained model before and after, and by ablation."""

from contextlib import ExitStack

import numpy as np
import pytest
import torch

from workbench.channels.weights import Heads
from workbench.detectors import sequences
from workbench.detectors.induction import circuits, strongest
from workbench.errors import BadInput
from workbench.hooks import hook_point, hooked, read
from workbench.methods import METHODS
from workbench.models import load
from workbench.sites import Site

INDUCTION = METHODS["induction"]


@pytest.fixture(scope="module")
def trained():
    return load("trained:attention@step1500", device="cpu")


def test_the_pair_is_the_strongest_reader_and_the_best_head_before_it():
    previous = np.array([[0.1, 0.8], [0.9, 0.1], [0.0, 0.95]])
    prefix = np.array([[0.99, 0.0], [0.2, 0.1], [0.3, 0.7]])
    assert strongest(previous, prefix) == ((1, 0), (2, 1)), "neither the first layer's reader nor a head beside it"
    prefix[1, 1] = 0.8
    assert strongest(previous, prefix) == ((0, 1), (1, 1))


def test_the_measures_are_those_of_their_definition_written_as_loops(trained):
    """From the model's own patterns and weights, token by token."""
    n, length, copies = 2, 6, 3
    found = circuits(Heads(trained), n, length, copies, seed=3)
    tokens = sequences.repeated(trained, n, 3, length, copies)
    sites = [Site("pattern", layer) for layer in range(2)]
    _, kept = read(trained, tokens, torch.full((n,), tokens.shape[1] - 1), sites)
    for layer in range(2):
        for row in range(n):
            for head in range(4):
                pattern = kept[sites[layer]][row, head]
                back = [pattern[at, at - 1].item() for at in range(1, tokens.shape[1])]
                matched = []
                for at in range(tokens.shape[1]):
                    keys = [key for key in range(1, at + 1) if tokens[row, key - 1] == tokens[row, at] and key - 1 < at]
                    if keys:
                        matched.append(sum(pattern[at, key].item() for key in keys))
                assert found.previous[row, layer, head].item() == pytest.approx(np.mean(back), abs=1e-6)
                assert found.prefix[row, layer, head].item() == pytest.approx(np.mean(matched), abs=1e-6)
    weights = {name: value.double() for name, value in trained.original_model.state_dict().items()}

    def of(layer, which):
        return next(
            value
            for name, value in weights.items()
            if f"layers.{layer}." in name and f"{which}_proj" in name and value.ndim == 2
        )

    size = 64 // 4
    gains = [
        next(v for name, v in weights.items() if f"layers.{layer}.input_layernorm" in name or f"layers.{layer}.ln1" in name)
        for layer in range(2)
    ]
    for one in range(4):
        ov = of(0, "o")[:, one * size : (one + 1) * size] @ of(0, "v")[one * size : (one + 1) * size] * gains[0]
        for other in range(4):
            key = of(1, "k")[other * size : (other + 1) * size] * gains[1]
            expected = (key @ ov).norm() / (key.norm() * ov.norm())
            assert found.composition[0, one, 1, other].item() == pytest.approx(expected.item(), abs=1e-5)
    with torch.no_grad():
        log_probs = trained(tokens).log_softmax(-1)
    loss = -log_probs[:, :-1].gather(-1, tokens[:, 1:, None])[..., 0]
    assert torch.allclose(found.first, loss[:, :length].mean(1), atol=1e-5)
    assert torch.allclose(found.again, loss[:, length:].mean(1), atol=1e-5)


def test_the_circuit_is_there_after_training_and_not_before(trained):
    late = INDUCTION(trained).values
    early = INDUCTION(load("trained:attention@step400", device="cpu")).values
    for name, least, most in (("previous token", 0.7, 0.2), ("prefix matching", 0.7, 0.2)):
        assert late.sel(measure=name) > least
        assert early.sel(measure=name) < most
    assert late.sel(measure="loss on copies") < 0.2 < 0.8 < early.sel(measure="loss on copies")
    assert late.sel(measure="K-composition") > 1.5 * 64**-0.5
    assert late.coords["of"].values.tolist()[2].replace(" ", "").count(">") == 1


def left_without(model, off):
    """The loss on copies, as a share of that on the first, with the outputs of some heads at zero."""
    with ExitStack() as stack:
        for layer, head in off:

            def zero(z, head=head):
                return torch.where(torch.arange(z.shape[2])[:, None] == head, 0.0, z)

            stack.enter_context(hooked(hook_point(model, Site("z", layer)), zero))
        found = circuits(Heads(model), 4, 25, 4, 0)
    return float((found.again / found.first).mean())


def test_what_the_heads_are_named_for_is_what_they_do(trained):
    """One head looks at the token before: without it nothing is copied. Four read it: any three do."""
    found = INDUCTION(trained)
    back, matching = (found.parts[name].mean("sequence") for name in ("previous token", "prefix matching"))
    assert (back > 0.5).sum() == 1
    assert [(int(layer), int(head)) for layer, head in np.argwhere(matching.values > 0.5)] == [(1, head) for head in range(4)]
    named = tuple(int(part) for part in found.values.coords["of"].values[0].split("."))
    assert left_without(trained, []) < 0.1
    assert left_without(trained, [named]) > 0.9
    assert max(left_without(trained, [(0, head)]) for head in range(4) if (0, head) != named) < 0.2
    assert max(left_without(trained, [(1, head)]) for head in range(4)) < 0.2
    assert left_without(trained, [(1, head) for head in range(4)]) > 0.9


def test_heads_can_be_named(trained):
    found = INDUCTION(trained, previous="0.0", reader="1.1")
    assert found.values.coords["of"].values.tolist()[:3] == ["0.0", "1.1", "0.0 > 1.1"]
    every = found.parts["previous token"].mean("sequence")
    assert found.values.sel(measure="previous token").item() == pytest.approx(every.sel(layer=0, head=0).item())
    assert (
        found.values.sel(measure="K-composition").item() == found.parts["K-composition"].sel(writer="0.0", reader="1.1").item()
    )
    for asked, said in (
        ({"reader": "0.1"}, "the reader must be after the first layer; got '0.1'"),
        ({"previous": "1.1", "reader": "1.0"}, "must be in a later layer than the other head; got 1.0 and '1.1'"),
        ({"reader": "1.9"}, "head must be from 0 to 3; got 9"),
        ({"previous": "first"}, "must be written LAYER.HEAD"),
        ({"copies": 30}, r"at most 512 tokens, this model's context; got 751\. Use a smaller length, or fewer copies"),
    ):
        with pytest.raises(BadInput, match=said):
            INDUCTION(trained, **asked)
