"""Edge pruning: what it learns on circuits that are known, what its price holds, and that a killed run goes on."""

import numpy as np
import pytest
import torch

from tests.conftest import Memory, toy_pairs
from workbench.errors import BadInput
from workbench.known import known_pairs, wired
from workbench.methods import METHODS, edge_pruning
from workbench.models import load
from workbench.progress import keeping

PRUNING = METHODS["edge_pruning"]


@pytest.mark.parametrize("name", ["copy", "induction"])
def test_learns_the_known_circuits(name):
    model, known = load(f"known:{name}", device="cpu"), wired(name)
    share = float(known.mask.sum() / known.graph.n_edges)
    found = PRUNING(model, known_pairs(model, name, n=16, seed=1), keep=share)
    assert (found.parts["kept"].values == known.mask[known.graph.edge_list]).all()
    assert found.parts["trained"].values[-10:].mean() < 0.2 * float(found.parts["trained"].values.max())


@pytest.mark.parametrize(("keep", "steps"), [(0.1, 120), (0.4, 120), (1.0, 20)])
def test_the_price_holds_the_share_of_open_edges(llama, keep, steps):
    opened = PRUNING(llama, toy_pairs(llama), keep=keep, steps=steps).values.values
    assert ((opened >= 0) & (opened <= 1)).all()
    assert opened.mean() == pytest.approx(keep, rel=0.4)


def test_masks_are_drawn_as_hard_concrete(llama):
    """Shares of 0, of 1 and between, as the distribution says: at log-odds 0, P(open) = sigmoid(β·log(-ζ/γ)) (β 2/3)."""
    from workbench.edges.run import Circuits
    from workbench.edges.wiring import Wiring

    masks = edge_pruning._Masks(Circuits(Wiring(llama), toy_pairs(llama), "kl"), 0.5, 10, 0.1, 0)
    with torch.no_grad():
        masks.odds.zero_()
    generator, edges = torch.Generator().manual_seed(0), masks.circuits.wiring.graph.edge_list
    drawn = torch.stack([masks.drawn(generator)[0][edges] for _ in range(60)]).detach()
    shut, open_ = float((drawn == 0).float().mean()), float((drawn == 1).float().mean())
    expected = 1 / (1 + 11 ** (2 / 3))
    assert shut == pytest.approx(expected, abs=0.01)
    assert open_ == pytest.approx(expected, abs=0.01)
    assert 1 - shut == pytest.approx(float(masks.open()[0]), abs=0.01)
    assert float(masks.drawn(generator).detach()[0][~torch.from_numpy(masks.circuits.wiring.graph.edges)].abs().max()) == 0


def test_all_prompts_take_their_turn(llama, monkeypatch):
    seen, real = [], edge_pruning._Masks._rows

    def rows(self, batch, step):
        found = real(self, batch, step)
        seen.append((found.start, found.stop))
        return found

    monkeypatch.setattr(edge_pruning._Masks, "_rows", rows)
    PRUNING(llama, toy_pairs(llama, n=5), batch=2, steps=4)
    assert seen == [(0, 2), (2, 4), (4, 5), (0, 2)]


def test_a_killed_run_goes_on_to_the_same_masks(llama, monkeypatch):
    pairs, kept, real = toy_pairs(llama, n=5), Memory(), edge_pruning._Masks._step
    whole = PRUNING(llama, pairs, batch=2, steps=40)

    def killed(self, rows, generator, step):
        if step == 27:
            raise KeyboardInterrupt
        return real(self, rows, generator, step)

    monkeypatch.setattr(edge_pruning._Masks, "_step", killed)
    with keeping(kept), pytest.raises(KeyboardInterrupt):
        PRUNING(llama, pairs, batch=2, steps=40)
    monkeypatch.undo()
    with keeping(kept):
        again = PRUNING(llama, pairs, batch=2, steps=40)
    assert len(kept) == 4
    assert np.allclose(again.values.values, whole.values.values, atol=1e-6)
    assert np.allclose(again.parts["trained"].values, whole.parts["trained"].values, atol=1e-6)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"keep": 0}, "keep must be above 0 and at most 1"),
        ({"keep": 1.5}, "keep must be above 0 and at most 1"),
        ({"rate": -1}, "rate must be above 0"),
        ({"steps": 0}, "steps must be at least 1"),
        ({"batch": 0}, "batch must be at least 1"),
    ],
)
def test_bad_input(llama, asked, said):
    with pytest.raises(BadInput, match=said):
        PRUNING(llama, toy_pairs(llama), **asked)


def test_prompts_that_do_not_fit_together_give_the_same_masks(llama, monkeypatch):
    pairs = toy_pairs(llama, n=5)
    whole = PRUNING(llama, pairs, batch=5, steps=12)
    monkeypatch.setattr(edge_pruning, "learned_at_once", lambda wiring, batch, length: 2)
    parted = PRUNING(llama, pairs, batch=5, steps=12)
    assert np.allclose(parted.values.values, whole.values.values, atol=1e-5)
    assert np.allclose(parted.parts["trained"].values, whole.parts["trained"].values, atol=1e-5)
