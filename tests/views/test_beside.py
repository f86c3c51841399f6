"""What panels were told is in the store too: a link shows it again though no model can be loaded."""

import os
import warnings

import numpy as np
import pytest

from tests.views.conftest import opened, settle
from tests.views.test_whole_addresses import refuse
from workbench.jobs import Jobs, Models
from workbench.result import Scores
from workbench.store import Store, StoreError
from workbench.views import address, beside, heads_address, maps_address, residual_address
from workbench.views.beside import Beside
from workbench.views.cells import Cell
from workbench.views.circuits import Circuits
from workbench.views.code import code_of
from workbench.views.heads import Heads
from workbench.views.maps import Maps
from workbench.views.question import Question
from workbench.views.residual import Residual

SET = {"model": "tiny:repeat", "task": "repeated_tokens"}


@pytest.fixture
def jobs(models):
    made = Jobs(models)
    yield made
    made.stop_all(10)


def without_model(view, store):
    """A page that is set to nothing, of a server that can load no model."""
    return opened(view(Jobs(Models(refuse)), store))


def same(one, other):
    assert type(one) is type(other)
    np.testing.assert_array_equal(one.values.values, other.values.values)
    assert one.origin.key == other.origin.key
    assert (one.title, one.unit, dict(one.notes)) == (other.title, other.unit, dict(other.notes))
    assert code_of(one) == code_of(other)


def test_interventions_and_attention_of_a_circuit(jobs, tmp_path):
    store = Store(tmp_path)
    first = opened(Circuits(jobs, store, **SET, method="eap"))
    first.options = {**first.options, "n": 3}
    first.run()
    settle(first)
    first.pick("a1.h0")
    settle(first)
    first.attend(prompt=2, of="corrupt")
    first.replace("a1.h0", "mean")
    first.replace("a0.h1", "zero")
    settle(first)
    listed = [entry.key for entry in store.list()]
    again = without_model(Circuits, store)
    address.restore(again, address.written(first))
    assert not again.live
    assert not again.told
    one, other = again.ablation.answer, first.ablation.answer
    same(one.scores, other.scores)
    for name in ("asked", "metric", "change", "error", "likeliest", "prompts", "of"):
        assert getattr(one, name) == getattr(other, name)
    np.testing.assert_array_equal(one.right, other.right)
    np.testing.assert_array_equal(one.probabilities, other.probabilities)
    same(again.attention.scores, first.attention.scores)
    assert (again.attention.prompt, again.attention.of) == (2, "corrupt")
    assert address.written(again) == address.written(first)
    # The list of what was run is not that of what was looked at.
    assert [entry.key for entry in again.store.list()] == listed
    # What was not measured is said to be so, where the model must not be loaded.
    again.ablation.restore("a0.h1:mean", load=False)
    assert (again.ablation.answer, again.ablation.status) == (None, "Not measured yet: press Measure.")
    assert not again.live


def test_the_head_of_a_map_of_the_stream_and_of_the_table(jobs, tmp_path):
    store = Store(tmp_path)
    maps = opened(Maps(jobs, store, **SET, exact=False))
    maps.show()
    settle(maps)
    maps.lock(Cell(1, 1))
    settle(maps)
    again = without_model(Maps, store)
    maps_address.restore(again, maps_address.written(maps))
    same(again.attention.scores, maps.attention.scores)
    stream = opened(Residual(jobs, store, **SET))
    stream.show()
    settle(stream)
    stream.open((1, 1))
    settle(stream)
    again = without_model(Residual, store)
    residual_address.restore(again, residual_address.written(stream))
    same(again.attention.scores, stream.attention.scores)
    heads = opened(Heads(jobs, store, **SET))
    heads.open((1, 0))
    settle(heads)
    again = without_model(Heads, store)
    heads_address.restore(again, heads_address.written(heads))
    same(again.head.attention.scores, heads.head.attention.scores)
    same(again.head.writes.readout, heads.head.writes.readout)
    # Nothing of another model, nor of the other run.
    for state in ({"model": "gpt2"}, {"of": "corrupt"}):
        other = without_model(Heads, store)
        heads_address.restore(other, heads_address.written(heads) | state)
        assert other.head.attention.scores is None
        assert other.head.writes.readout is None


@pytest.fixture
def told(jobs, tmp_path):
    """What is kept beside a store, a question and a result."""
    from workbench.methods import METHODS

    asked = Question("tiny:repeat", "repeated_tokens", "baseline", {"n": 2})
    model = jobs.models.take("tiny:repeat")
    return Beside(Store(tmp_path)), asked, METHODS["baseline"](model, asked.pairs(model))


def test_only_what_would_be_computed_the_same_now_is_found(told, tmp_path, monkeypatch):
    kept, asked, result = told
    assert kept.find(asked, "k") is None
    kept.keep(asked, "k", result)
    same(kept.find(asked, "k"), result)
    assert kept.find(asked, "l") is None
    folder = Question(**{**vars(asked), "model": str(tmp_path)})
    kept.keep(folder, "m", result)
    assert kept.find(folder, "m") is None, "a folder may hold other weights by now"
    origin = result.origin
    old = result.replace(origin=type(origin)(**{**vars(origin), "versions": {**origin.versions, "torch": "1.0"}}))
    kept.keep(asked, "old", old)
    assert kept.find(asked, "old") is None
    monkeypatch.setattr(beside, "LARGEST", 1)
    kept.keep(asked, "large", result)
    assert kept.find(asked, "large") is None
    (file,) = [path for path in (tmp_path / beside.FOLDER).glob("*.npz") if path.stem == result.origin.key]
    file.write_bytes(file.read_bytes()[:100])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert kept.find(asked, "k") is None, "damaged"


def test_the_oldest_go_and_a_full_disk_loses_no_answer(told, tmp_path, monkeypatch, caplog):
    kept, asked, result = told
    monkeypatch.setattr(beside, "MOST", 3)
    for number in range(5):
        made = result.replace(origin=type(result.origin)(**{**vars(result.origin), "params": {"number": number}}))
        kept.keep(asked, str(number), made)
        for at, path in enumerate(sorted((tmp_path / beside.FOLDER).rglob("*.*"), key=lambda path: path.stat().st_mtime)):
            os.utime(path, (at, at))
    assert [kept.find(asked, str(number)) is not None for number in range(5)] == [False, False, True, True, True]
    monkeypatch.setattr(Store, "put", lambda self, result: (_ for _ in ()).throw(StoreError("full")))
    kept.keep(asked, "full", Scores("", "", result.values, origin=result.origin))
    assert "could not be kept" in caplog.text
