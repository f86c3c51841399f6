"""The shipped network: its parameters give the measures that stand beside them, and it learns abruptly."""

import json

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
