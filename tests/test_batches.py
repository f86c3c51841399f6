"""Batches of prompts: the same numbers whatever goes together, what memory does not take, which prompt is told."""

import numpy as np
import pytest
import torch

from tests.conftest import toy_pairs
from workbench import batches
from workbench.errors import NotFinite
from workbench.hooks import hooked
from workbench.methods import METHODS
from workbench.result import Curve
from workbench.sites import Site, hook_point

# Every method that takes prompts through a pass together, and what of it a batch could get wrong.
ASKED = [
    ("baseline", {"metric": "kl"}),
    ("atp", {"by": ("layer", "head", "pos")}),
    ("atp", {"replacement": "mean"}),
    ("atp", {"replacement": "resample", "direction": "noise"}),
    ("atp", {"replacement": "zero", "metric": "log_prob", "direction": "noise", "sites": ("z", "mlp_out"), "by": "layer"}),
    ("atp", {"sites": ("q", "k"), "qk_correction": True, "metric": "kl"}),
    ("relp", {"replacement": "mean"}),
    ("atp_star", {"positions": "named", "by": ("layer", "head", "pos")}),
    ("dla", {"by": "head"}),
    ("dla", {"by": "layer", "of": "difference"}),
    ("dla", {"by": "component"}),
    ("lens_by_layer", {"metric": "kl"}),
    ("codes", {"epochs": 3}),
    ("codes", {"epochs": 3, "at": "mean"}),
    ("trajectories", {"points": "ends"}),
]


@pytest.mark.parametrize("family", ["gpt2", "gemma2"])
@pytest.mark.parametrize(("name", "asked"), ASKED, ids=[f"{name} {asked}" for name, asked in ASKED])
def test_batches_change_no_number(name, asked, family, model_of, monkeypatch):
    model = model_of(family)
    pairs = toy_pairs(model, n=4, ragged=asked.get("positions") == "named")
    whole = METHODS[name](model, pairs, **asked)
    monkeypatch.setitem(batches.TOKENS, "cpu", 3 * pairs.clean.shape[1])
    assert batches.prompts_at_once(model, pairs) == 3
    parts = METHODS[name](model, pairs, **asked)
    assert parts.notes == whole.notes
    compared = [(whole.values, parts.values), *((whole.parts[name], parts.parts[name]) for name in whole.parts)]
    if isinstance(whole, Curve):
        compared += [(whole.lower, parts.lower), (whole.upper, parts.upper)]
    for one, other in compared:
        assert one.dims == other.dims
        if one.dtype.kind == "f":
            scale = float(np.nanmax(np.abs(one.values), initial=1e-6))
            np.testing.assert_allclose(other.values, one.values, atol=2e-5 * scale, rtol=1e-4)
        else:
            np.testing.assert_array_equal(other.values, one.values)


def test_what_memory_does_not_take_is_done_in_halves():
    taken = []

    def work(rows):
        if rows.stop - rows.start > 2:
            raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 1 byte")
        taken.append((rows.start, rows.stop))
        return rows.stop - rows.start

    assert batches.in_batches(work, 9, 5, "Work") == [2, 1, 2, 2, 2]
    assert taken == [(0, 2), (2, 3), (3, 5), (5, 7), (7, 9)]


def test_another_error_is_no_lack_of_memory_and_one_prompt_has_no_halves():
    for said in ("shapes do not fit", "out of memory"):
        seen = []

        def work(rows, said=said, seen=seen):
            seen.append(rows)
            raise RuntimeError(said)

        with pytest.raises(RuntimeError, match=said):
            batches.in_batches(work, 3, 1 if said == "out of memory" else 3, "Work")
        assert len(seen) == 1


def test_less_memory_takes_fewer_prompts_and_at_least_one(model_of, monkeypatch):
    model = model_of("llama")
    pairs = toy_pairs(model, n=6)
    each = batches.in_gradient(model, 1, pairs.clean.shape[1]) + 5 * batches.kept(model, ("z",), 1, pairs.clean.shape[1])
    found = []
    for free in (100 * each, 6.1 * each, each):
        monkeypatch.setattr("workbench.models.memory.free_memory", lambda device, free=free: free)
        found.append(batches.prompts_at_once(model, pairs, ("z",), gradient=True))
    assert found == [6, 3, 1]


def test_a_nan_is_told_with_its_prompt_counted_over_all(llama, monkeypatch):
    pairs, passes = toy_pairs(llama, n=5), []
    monkeypatch.setitem(batches.TOKENS, "cpu", pairs.clean.shape[1])

    def spoil(stream):
        passes.append(len(stream))
        # Clean and corrupt of one prompt after the other: the fifth pass is the third prompt's.
        return stream * float("nan") if len(passes) == 5 else None

    with hooked(hook_point(llama, Site("resid_pre", 1)), spoil), pytest.raises(NotFinite, match=r"layer 1, prompt 3\b"):
        METHODS["lens_by_layer"](llama, pairs)
    assert passes == [1] * 5


@pytest.mark.parametrize(("method", "params", "side"), [
    ("eap", {}, "clean"), ("eap", {"ablation": "mean"}, "corrupt"), ("ifr", {}, "clean"),
])  # fmt: skip
def test_a_nan_in_a_later_batch_of_edges_too(llama, monkeypatch, method, params, side):
    pairs, at, seen = toy_pairs(llama, n=5), hook_point(llama, Site("resid_pre", 1)), []
    monkeypatch.setattr("workbench.edges.estimate.prompts_at_once", lambda *_: 1)
    with hooked(at, lambda stream: seen.append(stream.detach().clone())):
        llama.forward(getattr(pairs, side)[2:3])
    spoiled = seen[0]

    def spoil(stream):
        return stream * float("nan") if torch.allclose(stream, spoiled) else None

    with hooked(at, spoil), pytest.raises(NotFinite, match=r"prompt 3\b"):
        METHODS[method](llama, pairs, **params)
