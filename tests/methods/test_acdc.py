"""ACDC against its definition run one trial at a time, and against circuits that are known."""

import numpy as np
import pytest

from tests import naive
from tests.conftest import Memory, toy_pairs
from workbench.edges.run import Circuits
from workbench.errors import BadInput
from workbench.graph import graph_of
from workbench.known import known_names, known_pairs, wired
from workbench.methods import METHODS, acdc
from workbench.models import load
from workbench.progress import keeping

ACDC = METHODS["acdc"]


def by_hand(model, pairs, threshold, early):
    """The paper's loop with an oracle that shares no code with ours: a run per edge, dead or not."""
    graph = graph_of(model.cfg)
    corrupt = naive.sources_of(model, pairs.corrupt, graph)
    gone, harms = np.zeros_like(graph.edges), np.zeros(graph.edges.shape)
    now = float(naive.patched_diff(model, pairs, graph, gone, corrupt).mean())
    for dst in reversed(range(graph.n_destinations)):
        senders = np.flatnonzero(graph.edges[:, dst])
        for src in senders if early else senders[::-1]:
            gone[src, dst] = True
            without = float(naive.patched_diff(model, pairs, graph, gone, corrupt).mean())
            harms[src, dst] = now - without
            if now - without >= threshold:
                gone[src, dst] = False
            else:
                now = without
    return graph.pruned(graph.edges & ~gone), harms[graph.edge_list]


@pytest.fixture(scope="module")
def in_order(model_of):
    """ACDC of one model in either order."""
    model = model_of("gpt2")
    pairs = toy_pairs(model)
    return {
        order: ACDC(model, pairs, metric="logit_diff", threshold=0.03, order=order) for order in ("late_first", "early_first")
    }


@pytest.mark.parametrize("order", ["late_first", "early_first"])
def test_the_circuit_is_that_of_one_trial_after_another(model_of, in_order, order):
    model, found = model_of("gpt2"), in_order[order]
    expected, harms = by_hand(model, toy_pairs(model), 0.03, order == "early_first")
    kept = found.parts["kept"].values
    assert 5 < kept.sum() < kept.size / 2
    assert (kept == expected[graph_of(model.cfg).edge_list]).all()
    assert np.allclose(found.values.values, harms, atol=2e-5)


def test_the_order_of_trials_changes_the_circuit(in_order):
    one, other = (found.parts["kept"].values for found in in_order.values())
    assert (one != other).any()


def test_guessing_more_at_once_changes_nothing(model_of, monkeypatch):
    model = model_of("llama")
    pairs = toy_pairs(model)
    found = ACDC(model, pairs, readers="key_value")
    monkeypatch.setattr(acdc, "WIDEST", 1)
    monkeypatch.setattr(acdc, "WIDTH", 1)
    alone = ACDC(model, pairs, readers="key_value")
    assert (alone.parts["kept"].values == found.parts["kept"].values).all()
    assert np.allclose(alone.values.values, found.values.values, atol=2e-6)


@pytest.mark.parametrize("name", known_names())
@pytest.mark.parametrize(("metric", "threshold"), [("kl", 0.01), ("logit_diff", 0.1)])
def test_finds_the_known_circuits_exactly(name, metric, threshold):
    model, known = load(f"known:{name}", device="cpu"), wired(name)
    found = ACDC(model, known_pairs(model, name, n=8, seed=1), metric=metric, threshold=threshold)
    assert (found.parts["kept"].values == known.mask[known.graph.edge_list]).all()
    # Edges of nodes that nothing reads are not run.
    assert int(found.notes["trials"].split()[0]) < known.graph.n_edges / 2


@pytest.mark.parametrize("metric", ["kl", "logit_diff"])
def test_edges_that_are_no_candidates_are_left_out_untried(llama, metric):
    found = ACDC(llama, toy_pairs(llama), candidates=40, metric=metric, threshold=1e-3)
    tried = np.isfinite(found.values.values)
    assert 0 < found.parts["kept"].values.sum() <= tried.sum() <= 40
    assert not found.parts["kept"].values[~tried].any()
    assert "left out untried" in found.notes["nan"]


def test_a_killed_run_goes_on_from_its_trials(llama, monkeypatch):
    pairs, kept, budget = toy_pairs(llama), Memory(), [12]
    whole, real = ACDC(llama, pairs), Circuits.measure

    def killed(self, *args, **kwargs):
        budget[0] -= 1
        if budget[0] < 0:
            raise KeyboardInterrupt
        return real(self, *args, **kwargs)

    monkeypatch.setattr(Circuits, "measure", killed)
    with keeping(kept), pytest.raises(KeyboardInterrupt):
        ACDC(llama, pairs)
    calls = len(kept)
    assert calls == 12
    budget[0] = 10_000
    with keeping(kept):
        again = ACDC(llama, pairs)
    assert 10_000 - budget[0] == len(kept) - calls
    assert np.array_equal(again.values.values, whole.values.values)


def test_bad_input(llama):
    with pytest.raises(BadInput, match="threshold must be above 0; got 0"):
        ACDC(llama, toy_pairs(llama), threshold=0)
    with pytest.raises(BadInput, match="candidates must be at least 1; got 0"):
        ACDC(llama, toy_pairs(llama), candidates=0)
