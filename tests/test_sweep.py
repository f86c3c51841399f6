"""The engine gives the numbers of one whole forward pass per cell, whatever it leaves out."""

import numpy as np
import pytest
import torch

from tests import families
from tests.conftest import Memory, toy_pairs
from workbench import progress
from workbench.errors import BadInput, NotFinite
from workbench.hooks import end_logits, writing
from workbench.metrics import METRICS, answers_of
from workbench.sites import HEADS, HOOKS, Site, why_missing
from workbench.sweep import Cell, cells_of, engine, first_difference, record, slots_of, sweep

METRIC = METRICS["logit_diff"]
GRIDS = [("layer",), ("layer", "pos"), ("pos",)]
HEAD_GRIDS = [("layer", "head"), ("layer", "head", "pos"), ("head",)]


def setting(model, pairs, site):
    sites = [Site(site, layer) for layer in range(model.cfg.n_layers)]
    base = record(model, pairs.corrupt, pairs.end, sites)
    other = record(model, pairs.clean, pairs.end, sites)
    return base, {each.layer: other.kept[each] for each in sites}


def engine_values(model, pairs, site, by, positions="auto", label="test"):
    base, replacement = setting(model, pairs, site)
    slots = slots_of(pairs, positions)
    cells = cells_of(model, site, by, slots)
    values = np.full((len(cells), len(pairs)), np.nan)
    for index, numbers in sweep(
        model, base, site, cells, slots, replacement, first_difference(pairs), METRIC, answers_of(pairs), label
    ):
        values[index] = numbers
    return cells, slots, values


def naive_values(model, pairs, site, cells, slots):
    """The definition: one forward pass per cell, through all layers and positions."""
    _, replacement = setting(model, pairs, site)

    def patch(cell, layer):
        def write(activation):
            patched = activation.clone()
            for prompt in range(len(pairs)):
                where = slice(None) if cell.slot is None else int(slots.index[cell.slot, prompt])
                head = slice(None) if cell.head is None else cell.head
                at = (prompt, head, where) if site == "pattern" else (prompt, where, head)
                at = at if site in HEADS else at[:2]
                patched[at] = replacement[layer][at]
            return patched

        return write

    rows = []
    for cell in cells:
        layers = range(model.cfg.n_layers) if cell.layer is None else [cell.layer]
        with torch.no_grad(), writing(model, {Site(site, layer): patch(cell, layer) for layer in layers}):
            rows.append(METRIC.measure(end_logits(model, pairs.corrupt, pairs.end), answers_of(pairs)).numpy())
    return np.stack(rows)


# In prompts of one length, which have more cells, a family of each kind: grouped heads, parallel blocks, soft caps.
ONE_LENGTH = [("llama", False), ("neox", False), ("gemma2", False)]


@pytest.mark.parametrize(("family", "ragged"), [*((family, True) for family in families.FAMILIES), *ONE_LENGTH])
def test_sweep_is_one_forward_per_cell(model_of, family, ragged):
    model = model_of(family)
    pairs = toy_pairs(model, ragged=ragged)
    for site in HOOKS:
        if site == "scores" or why_missing(model, site):
            continue
        for by in GRIDS + (HEAD_GRIDS if site in HEADS else []):
            cells, slots, values = engine_values(model, pairs, site, by)
            expected = naive_values(model, pairs, site, cells, slots)
            assert np.abs(values - expected).max() < 2e-5, (site, by)
            unpatched = METRIC.measure(end_logits(model, pairs.corrupt, pairs.end), answers_of(pairs)).numpy()
            assert np.abs(expected - unpatched).max() > 1e-3, (site, by, "patching changes nothing: the test shows nothing")


def test_cells_before_the_first_difference_are_not_run(llama):
    pairs = toy_pairs(llama)
    base, replacement = setting(llama, pairs, "resid_pre")
    slots = slots_of(pairs, "each")
    cells = [Cell(layer, slot, None) for layer in range(3) for slot in (0, 1)]
    calls = []
    hook = llama.register_forward_pre_hook(lambda *_: calls.append(1))
    try:
        out = list(
            sweep(llama, base, "resid_pre", cells, slots, replacement, first_difference(pairs), METRIC, answers_of(pairs), "t")
        )
    finally:
        hook.remove()
    assert not calls
    assert np.allclose(out[0][1], METRIC.measure(base.logits, answers_of(pairs)).numpy())


def test_layers_below_are_not_run(llama):
    pairs = toy_pairs(llama)
    ran = []
    hooks = [
        block.mlp.register_forward_hook(lambda *_, layer=layer: ran.append(layer)) for layer, block in enumerate(llama.blocks)
    ]
    base, replacement = setting(llama, pairs, "z")
    slots = slots_of(pairs, "each")
    ran.clear()
    try:
        cells = [Cell(2, None, head) for head in range(4)]
        list(sweep(llama, base, "z", cells, slots, replacement, first_difference(pairs), METRIC, answers_of(pairs), "t"))
    finally:
        for hook in hooks:
            hook.remove()
    assert ran == [2]


@pytest.mark.parametrize("most", [1, 2, 3])
def test_out_of_memory_halves_the_batch_and_gives_the_same_numbers(llama, monkeypatch, most):
    pairs = toy_pairs(llama)
    _, _, expected = engine_values(llama, pairs, "z", ("layer", "head"))
    real, sizes = engine._Engine._run, []

    def starved(self, cells):
        sizes.append(len(cells))
        if len(cells) > most:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")
        return real(self, cells)

    monkeypatch.setattr(engine._Engine, "_run", starved)
    _, _, values = engine_values(llama, pairs, "z", ("layer", "head"))
    assert max(sizes) > most
    assert np.abs(values - expected).max() < 1e-6


def test_other_errors_are_not_taken_for_a_lack_of_memory(llama, monkeypatch):
    def broken(self, cells):
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(engine._Engine, "_run", broken)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        engine_values(llama, toy_pairs(llama), "z", ("layer", "head"))


def test_finished_batches_are_found_in_the_ledger(llama, monkeypatch):
    pairs = toy_pairs(llama)
    _, _, expected = engine_values(llama, pairs, "z", ("layer", "head"))
    kept, real, budget = Memory(), engine._Engine._run, [2]

    def killed(self, cells):
        if not budget[0]:
            raise KeyboardInterrupt
        budget[0] -= 1
        return real(self, cells)

    monkeypatch.setattr(engine._Engine, "_run", killed)
    with progress.keeping(kept), pytest.raises(KeyboardInterrupt):
        engine_values(llama, pairs, "z", ("layer", "head"))
    assert len(kept) == 2
    budget[0] = 1
    with progress.keeping(kept):
        _, _, values = engine_values(llama, pairs, "z", ("layer", "head"))
    assert np.array_equal(values, expected)


def test_stop_leaves_the_model_as_it_was(llama):
    pairs = toy_pairs(llama)
    steps = []

    def stop(step):
        steps.append(step)
        if step.done:
            raise progress.Stopped

    with progress.listening(stop), pytest.raises(progress.Stopped):
        engine_values(llama, pairs, "z", ("layer", "head"))
    assert len(steps) == 2
    assert not any(point.fwd_hooks for point in llama.hook_dict.values())
    assert all("forward" not in block.__dict__ for block in llama.blocks)


def test_not_finite_names_layer_and_prompt(model_of, tmp_path):
    from workbench.models import load

    model = load(str(families.save("llama", tmp_path)), device="cpu")
    pairs = toy_pairs(model)
    token = int(pairs.corrupt[1, 3])
    assert token not in pairs.corrupt[0]
    with torch.no_grad():
        model.embed.weight[token] = float("nan")
    with pytest.raises(NotFinite, match="resid_pre of layer 0, prompt 2"):
        record(model, pairs.corrupt, pairs.end)
    with torch.no_grad():
        model.embed.weight[token] = 1.0
        model.blocks[1].mlp.out.weight[:] = float("inf")
    with pytest.raises(NotFinite, match="resid_pre of layer 2, prompt 1"):
        record(model, pairs.corrupt, pairs.end)


def test_patched_run_that_is_not_finite_names_the_cell(llama):
    pairs = toy_pairs(llama)
    base, replacement = setting(llama, pairs, "z")
    replacement[1] = replacement[1].clone()
    replacement[1][2, :, 3] = float("nan")
    slots = slots_of(pairs, "each")
    cells = cells_of(llama, "z", ("layer", "head"), slots)
    with pytest.raises(NotFinite, match="z of layer 1, head 3, prompt 3"):
        list(sweep(llama, base, "z", cells, slots, replacement, first_difference(pairs), METRIC, answers_of(pairs), "t"))


def test_each_position_needs_one_length(llama):
    with pytest.raises(BadInput, match="prompts of one length; got lengths \\[6, 7\\]"):
        slots_of(toy_pairs(llama, ragged=True), "each")


def test_slot_labels_are_tokens_then_names_then_stars(llama):
    pairs = toy_pairs(llama, n=2)
    labels = slots_of(pairs, "each").labels
    for position, label in enumerate(labels):
        tokens = {row[position] for row in pairs.clean_strings}
        assert label == tokens.pop() if len(tokens) == 1 else label in ("*", "[END]")
    assert labels[-1] == "[END]"


def test_head_axis_needs_a_site_with_heads(llama):
    with pytest.raises(BadInput, match="site must have heads"):
        cells_of(llama, "mlp_out", ("layer", "head"), slots_of(toy_pairs(llama), "each"))
