"""Plans against what the methods then do: passes forward and backward, and tokens through the layers, counted by hooks."""

from collections import defaultdict
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from tests.conftest import toy_pairs
from tests.test_contract import ASKED, NAMING, WORDY
from workbench import batches, sweep
from workbench.methods import METHODS
from workbench.plans import PLANS, planned

# Beside the parameters of the contract, those that change what is run.
MORE = {
    "patch": [{"by": ("layer", "head", "pos")}, {"by": "head"}, {"direction": "noise", "sites": ("q", "z")}],
    "atp": [{"sites": ("q", "k"), "qk_correction": True}, {"replacement": "mean"}],
    "atp_star": [{"graddrop": False, "qk_correction": False}],
    "dla": [{"of": "difference"}],
    "stream": [{"of": "difference"}],
    "trajectories": [{"points": "ends"}],
    "cdt": [{"reference": "zero"}],
    "attention": [{"text": "c d e f", "layer": 1}],
    "eap": [{"gradient_at": "both", "ablation": "mean"}],
    "eap_ig": [{"path": "activations", "steps": 3}],
    "edge_patch": [{"sample": 7}, {"ablation": "zero", "readers": "key_value"}],
    "acdc": [{"candidates": 9}, {"ablation": "mean", "metric": "logit_diff"}],
    "edge_pruning": [{"steps": 5, "batch": 2, "ablation": "zero", "metric": "logit_diff"}],
    "discover": [
        {"n_edges": 11, "target": -9.0},
        {"metric": "kl", "hold_out": False, "scorer": "edge_patch", "threshold": 1e-9, "verify": 3, "ablation": "zero"},
    ],
    "channel_map": [{"channel": "0.1.2", "reader": "2.1", "steps": 5}],
    "direct_paths": [{"reader": "1.2", "slot": "q"}, {"slot": "k"}, {"slot": "v"}],
    "list_recall": [{"objects": "3", "by": "place", "prompts": 4, "channel": "0.1.2,1.0.3"}, {"objects": "2,3", "prompts": 4}],
    "channel_scale": [{}],
}  # fmt: skip
CASES = [(name, asked) for name in METHODS for asked in [ASKED.get(name, {}), *MORE.get(name, [])]]


@contextmanager
def counting(model):
    """What is done with a model: passes forward and backward, and tokens through its layers over their number."""
    seen = SimpleNamespace(forwards=0, backwards=0, tokens=0.0, back=0.0)
    layers, back = len(model.blocks), defaultdict(list)

    def begun(*_):
        seen.forwards += 1

    def entered(block, args, kwargs):
        stream = args[0] if args else kwargs["hidden_states"]
        # What is passed through unread has a forward of its own.
        seen.tokens += stream.shape[0] * stream.shape[1] / layers * ("forward" not in block.__dict__)

    def left(module, args, made):
        added = made[0] if isinstance(made, tuple) else made
        if added.requires_grad:
            added.register_hook(lambda gradient: back[module].append(gradient.shape[0] * gradient.shape[1] / layers))

    held = [model.register_forward_pre_hook(begun)]
    for block in model.blocks:
        held += [block.register_forward_pre_hook(entered, with_kwargs=True), block.register_forward_hook(left)]
        held.append(block.mlp.register_forward_hook(left))
    try:
        yield seen
    finally:
        for handle in held:
            handle.remove()
        # Runs of circuits pass over what leaves a layer, and what replaces an MLP's output over that.
        both = [[back[module] for module in some] for some in (model.blocks, [block.mlp for block in model.blocks])]
        seen.backwards = max(len(some[-1]) for some in both)
        seen.back = max(sum(map(sum, some)) for some in both)


@pytest.mark.parametrize(("name", "asked"), CASES, ids=[f"{name} {asked}" for name, asked in CASES])
def test_a_method_takes_the_passes_that_were_planned(name, asked, model_of, wordy_of, lenient, monkeypatch):
    monkeypatch.setitem(sweep.TOKENS, "cpu", 24 if name == "patch" else 1024)
    monkeypatch.setitem(batches.TOKENS, "cpu", 24)
    # Random models do no task: there is no gap to divide by.
    monkeypatch.setattr("workbench.edges.measure.checked_gap", lambda *_: 1.0)
    model = (wordy_of if name in WORDY else model_of)("llama")
    pairs = (
        toy_pairs(model, n=4, named=name in {*NAMING, "channels"}) if METHODS[name].needs_pairs or name == "channels" else None
    )
    work = planned(model, pairs, name, asked)
    with counting(model) as seen:
        METHODS[name](model, pairs, **asked)
    for what in ("forwards", "backwards", "tokens", "back"):
        done, said = getattr(seen, what), getattr(work, what)
        if work.at_most:
            assert done <= said * (1 + 1e-9), what
            assert said <= 12 * done + 40, f"{what}: so much more than is done says nothing"
        else:
            assert said == pytest.approx(done), what


def test_every_method_has_a_plan():
    assert set(PLANS) == set(METHODS)
