"""The shipped network: its parameters give the measures that stand beside them, and it learns abruptly."""

import json

import numpy as np
import pytest
import torch

from workbench.dynamics import Worlds, measures, shipped
from workbench.dynamics import example as module
from workbench.dynamics.example import RUN
from workbench.errors import BadInput


def test_parameters_give_the_measures_that_are_told():
    own = shipped()
    worlds = Worlds([own.setting], [own.seed])
    batch = worlds.test("ic", 1024)
    for step in own.steps:
        with torch.no_grad():
            seen = own.architecture.forward(own.parameters(step), batch.tokens, own.setting, None)
        taken = measures.of_context(seen, batch)
        at = own.trace.steps.tolist().index(step)
        for name, values in taken.items():
            assert float(values.mean()) == pytest.approx(own.trace.of(name)[0, at], abs=2e-3), (step, name)


def test_it_learns_abruptly_and_in_order():
    trace = shipped().trace
    end = {name: trace.of(name)[0, -1] for name in measures.MEASURES}
    assert end["ic"] > 0.95
    assert end["ic2"] > 0.95
    assert end["ila1"] > 0.8
    assert end["tila2"] > 0.7
    told = json.loads((shipped().folder / RUN).read_text())
    moved = told["half-way"]
    assert max(moved["tla2"], moved["cla"]) + 200 < min(moved["ic"], moved["ila1"], moved["tila2"])
    plateau = trace.steps.tolist().index(400)
    assert trace.of("ic")[0, plateau] < 0.2
    assert trace.of("cla")[0, plateau] > 0.9


def test_it_stays_small():
    files = list(shipped().folder.iterdir())
    assert sum(file.stat().st_size for file in files) < 3_000_000
    assert len(shipped().steps) == 12


def test_steps_that_are_not_there_are_told():
    with pytest.raises(BadInput, match=r"step must be one of 0, .*; got 3"):
        shipped().parameters(3)


def test_files_that_are_not_there_are_told(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "FOLDERS", [tmp_path, tmp_path])
    with pytest.raises(BadInput, match=r"must hold the trained network; got no run.json"):
        shipped.__wrapped__()


def test_attention_before_and_after():
    """After it, labels look at their items in the first layer, and the last item at its label in the second."""
    steps = [shipped().steps[0], shipped().steps[-1]]
    before, after = module.attention(steps, 64).values.values
    items = shipped().setting.items
    assert before.shape == (2 * items + 2, 2 * items + 1)
    assert np.allclose(np.concatenate([before, after]).sum(-1), 1, atol=1e-5)
    to_item = [[part[2 * at + 1, 2 * at] for at in range(items)] for part in (before, after)]
    assert np.mean(to_item[0]) < 0.3
    assert np.mean(to_item[1]) > 0.8
    ila1 = shipped().trace.of("ila1")[0, -1]
    assert np.mean(to_item[1]) == pytest.approx(ila1, abs=0.03)
    with pytest.raises(BadInput, match="step must be one of"):
        module.attention([7])


def test_the_course_is_the_run_that_was_measured():
    found = module.course()
    assert found.values.sel(series="ic").values.tolist() == shipped().trace.of("ic")[0].tolist()
    assert found.lower is None
