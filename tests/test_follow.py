"""Any method along the checkpoints of a run: the numbers of each checkpoint alone, stored, and told again by their code."""

import numpy as np
import pytest

import workbench
from tests import families
from tests.conftest import toy_pairs
from workbench.errors import BadInput
from workbench.following import follow
from workbench.methods import METHODS
from workbench.models import load
from workbench.progress import Stopped, listening, viewing
from workbench.result import Curve
from workbench.store import Store

STEPS = ("step0", "step20", "step100")
QUICK = {"examples": 2, "length": 5, "copies": 2}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    for seed, step in enumerate(STEPS):
        families.save("llama", folder / step, seed=seed)
    return str(folder)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def test_each_step_has_the_numbers_of_its_checkpoint_alone(run, store):
    found = follow(run, "patch", pairs=toy_pairs, device="cpu", store=store, by=("layer", "head"))
    assert found.values.step.values.tolist() == [0, 20, 100]
    for step, name in zip((0, 20, 100), STEPS, strict=True):
        model = load(f"{run}@{name}", device="cpu")
        alone = METHODS["patch"](model, toy_pairs(model), by=("layer", "head"))
        assert np.array_equal(found.values.sel(step=step).values, alone.values.values)
        assert alone.origin.key in store
    assert found.origin.model == f"{run}@step0,step20,step100"


def test_what_is_stored_is_not_computed_again(run, store, monkeypatch):
    first = follow(run, "induction", ["step100", "step0"], device="cpu", store=store, **QUICK)
    assert isinstance(first, Curve)
    assert first.values.step.values.tolist() == [0, 100]
    monkeypatch.setattr("workbench.methods.method.Method.__call__", lambda *_, **__: pytest.fail("computed again"))
    again = follow(run, "induction", ["step0", "step100"], device="cpu", store=store, **QUICK)
    assert again.values.equals(first.values)
    assert again.origin.key == first.origin.key


def test_the_code_gives_the_same_numbers(run, store, monkeypatch):
    monkeypatch.setenv("WORKBENCH_STORE", str(store.folder / "another"))
    for method, pairs, params in (("induction", None, QUICK), ("dla", "repeated_tokens", {})):
        try:
            found = follow(run, method, ["step0", "step20"], pairs, device="cpu", store=store, **params)
        except BadInput as problem:
            pytest.fail(str(problem))
        names = {}
        exec(found.origin.code(), names)
        assert names["result"].values.equals(found.values)
        assert names["result"].origin.key == found.origin.key


def test_it_is_shown_as_it_grows_and_can_be_stopped(run, store):
    seen = []
    with viewing(lambda make: seen.append(make())):
        follow(run, "induction", device="cpu", store=store, **QUICK)
    sizes = [one.values.sizes.get("step") for one in seen if "step" in one.values.dims]
    assert sizes == [2, 3]

    def stop(step):
        if step.label == "Checkpoints" and step.done == 1:
            raise Stopped

    with listening(stop), pytest.raises(Stopped):
        follow(run, "induction", device="cpu", store=Store(store.folder / "other"), **QUICK)
    assert len(Store(store.folder / "other").list()) == 1, "what was finished is kept"


def test_bad_input_is_one_line(run, store):
    with pytest.raises(BadInput, match="at least 2; got step0"):
        follow(run, "induction", ["step0"], store=store)
    with pytest.raises(BadInput, match="must be of different steps; got step0, step0"):
        follow(run, "induction", ["step0", "step0"], store=store)
    with pytest.raises(BadInput, match="method must be one of"):
        follow(run, "inductoin", store=store)
    with pytest.raises(BadInput, match="task must be one of"):
        follow(run, "induction", pairs="ioy", store=store)
    with pytest.raises(BadInput, match="patch must have pairs; got none"):
        follow(run, "patch", device="cpu", store=store)


def test_it_is_a_name_of_the_package():
    assert workbench.follow is follow
    assert workbench.stack.__module__ == "workbench.stacking"
