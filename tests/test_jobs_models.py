"""Models in memory: loaded once, within a budget, the one used longest ago goes; loading can be stopped."""

import gc
import threading
import time
import weakref
from contextlib import suppress

import pytest

from tests import families
from workbench.errors import BadInput
from workbench.jobs import Jobs, Models, Placed
from workbench.jobs.models import read_gigabytes, size_of, weighed
from workbench.models import memory
from workbench.progress import Stopped, track

SOON = 10.0


class Weights:
    """A model of so many bytes."""

    def __init__(self, size):
        self.size = size

    def parameters(self):
        import torch

        return [torch.zeros(self.size, dtype=torch.uint8)]


SIZES = {"a": 40, "b": 40, "c": 40, "large": 90, "too large": 110}


@pytest.fixture
def loaded():
    """Refs in the order they were loaded."""
    return []


@pytest.fixture
def models(loaded):
    def load(ref, **options):
        time.sleep(0.02)
        loaded.append(Placed(ref, **options).words)
        return Weights(SIZES[ref])

    return Models(load, budget=100, weigh=lambda placed: SIZES[placed.ref])


def test_as_many_are_kept_as_the_budget_allows_and_the_one_used_longest_ago_goes(models, loaded):
    for ref in ("a", "b", "a", "c"):
        models.take(ref)
    assert loaded == ["a", "b", "c"]
    assert [placed.ref for placed in models.loaded()] == ["a", "c"]
    models.take("large")
    assert list(models.loaded().values()) == [90]
    assert models.used("cpu") == 90


def test_each_device_has_its_own_budget(models):
    models.take("large")
    models.take(Placed("large", "", "cuda"))
    assert "large" in models
    assert Placed("large", "", "cuda") in models
    assert (models.used("cpu"), models.used("cuda")) == (90, 90)


def test_what_is_larger_than_the_budget_is_refused_and_nothing_goes_for_it(models, loaded):
    models.take("a")
    with pytest.raises(BadInput, match=r"too large must fit into the memory for models; got a forecast of 0\.00 GB") as caught:
        models.take("too large")
    assert "Take a smaller model" in str(caught.value)
    assert loaded == ["a"]
    assert "a" in models


def test_the_count_may_be_limited_too():
    models = Models(lambda ref: ref, keep=2)
    for ref in ("a", "b", "a", "c"):
        models.take(ref)
    assert [placed.ref for placed in models.loaded()] == ["a", "c"]


def test_one_session_holds_as_many_models_as_the_server_allows(monkeypatch):
    monkeypatch.setenv("WORKBENCH_LIMITS", "models=2")
    jobs = Jobs(Models(lambda ref: ref))

    def ask(owner, ref):
        assert jobs.submit(ref, f"{owner} {ref}", lambda model, job: model, owner=owner).wait(10)
        return {placed.ref for placed in jobs.models.loaded()}

    # What the server loads by itself stays.
    for ref in ("p", "q", "r"):
        assert ref in ask("", ref)
    assert ask("one", "a") == {"p", "q", "r", "a"}
    assert ask("one", "b") == {"p", "q", "r", "a", "b"}
    assert ask("two", "b") == {"p", "q", "r", "a", "b"}
    assert ask("one", "c") == {"p", "q", "r", "b", "c"}, "its oldest"
    assert ask("one", "d") == {"p", "q", "r", "b", "c", "d"}, "another session holds b"
    assert ask("one", "c") == {"p", "q", "r", "b", "c", "d"}
    assert ask("one", "p") == {"p", "q", "r", "b", "c"}, "d was used longer ago than c"
    assert ask("one", "e") == {"p", "q", "r", "b", "e"}
    assert ask("one", "f") == {"p", "q", "r", "b", "e", "f"}, "p is the server's"
    jobs.forget("two")
    assert ask("one", "b") == {"p", "q", "r", "b", "f"}
    assert ask("one", "g") == {"p", "q", "r", "b", "g"}
    assert ask("one", "h") == {"p", "q", "r", "g", "h"}, "whoever held b as well has gone"


def test_dtype_and_device_are_part_of_a_model_and_the_defaults_are_one(models, loaded):
    models.take("a")
    models.take(Placed("a", "float32", "cpu"))
    assert loaded == ["a"]
    assert Placed("a", "bfloat16") not in models
    models.take(Placed("a", "bfloat16"))
    assert loaded == ["a", "a, bfloat16"]
    models.unload(Placed("a", "float32"))
    assert [placed.dtype for placed in models.loaded()] == ["bfloat16"]


def test_a_model_asked_for_by_many_at_once_is_loaded_once(models, loaded):
    threads = [threading.Thread(target=models.take, args=("a",)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert loaded == ["a"]


def test_a_real_model_takes_the_bytes_of_its_weights_and_no_more_than_was_forecast(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "FIXED", 0)
    ref = str(families.save("llama", tmp_path))
    models = Models()
    size = size_of(models.take(ref))
    assert 0 < size <= weighed(Placed.of(ref)) < 2 * size
    half = models.take(Placed(ref, "bfloat16"))
    assert size_of(half) == size / 2
    assert str(half.cfg.dtype) == "torch.bfloat16"
    monkeypatch.setenv("WORKBENCH_MEMORY", "0.000001")
    with pytest.raises(BadInput, match=r"the budget on cpu is 0\.00 GB"):
        Models().take(ref)


def test_the_memory_is_a_number_of_gigabytes():
    assert read_gigabytes("1.5") == 1_500_000_000
    for text in ("", "much", "-1", "0", "nan", "1e12"):
        with pytest.raises(BadInput, match="must be a number of GB above 0"):
            read_gigabytes(text)


def test_stop_comes_at_once_while_a_model_is_loaded_and_the_loading_is_given_up():
    begun, steps = threading.Event(), []

    def load(ref):
        begun.set()
        for _ in track(range(200), f"Loading {ref}"):
            time.sleep(0.05)
            steps.append(ref)
        return ref

    jobs = Jobs(Models(load))
    job = jobs.submit("slow", "k", lambda model, job: model)
    assert begun.wait(SOON)
    while job.total is None:
        time.sleep(0.01)
    assert (job.total, job.status) == (200, "running")
    start = time.monotonic()
    job.stop()
    assert job.wait(SOON)
    assert time.monotonic() - start < 1
    assert job.status == "stopped"
    time.sleep(0.2)
    told = len(steps)
    time.sleep(0.2)
    assert len(steps) == told, "the loading goes on for nobody"
    assert "slow" not in jobs.models


def test_another_waits_till_a_loading_that_was_given_up_has_ended():
    go, now, most = threading.Event(), [], []

    def load(ref):
        now.append(ref)
        most.append(len(now))
        go.wait(SOON)
        now.remove(ref)
        return ref

    jobs = Jobs(Models(load))
    first = jobs.submit("first", "1", lambda model, job: model)
    while not now:
        time.sleep(0.01)
    first.stop()
    assert first.wait(SOON)
    second = jobs.submit("second", "2", lambda model, job: model)
    time.sleep(0.1)
    assert second.live
    go.set()
    assert second.wait(SOON)
    assert (second.result, max(most)) == ("second", 1), "two were loaded at once"


def test_a_model_that_cannot_be_loaded_is_told_to_all_who_wait():
    def load(ref):
        time.sleep(0.05)
        raise BadInput("there is none.")

    jobs = Jobs(Models(load))
    for _ in range(2):
        job = jobs.submit("none", "k", lambda model, job: model)
        assert job.wait(SOON)
        assert (job.status, job.message) == ("failed", "there is none.")


def test_a_download_holds_no_queue_and_can_be_left_at_once(loaded):
    let, asked = threading.Event(), []

    def fetch(ref):
        asked.append(ref)
        if ref == "far":
            assert let.wait(SOON)
        if ref == "nowhere":
            raise BadInput("model must be reachable; got 'nowhere'.")
        if ref == "broken":
            raise RuntimeError

    jobs = Jobs(Models(lambda ref: loaded.append(ref) or ref, fetch=fetch))
    far, other = (jobs.submit("far", key, lambda model, job: model, owner=key) for key in ("one", "two"))
    near = jobs.submit("near", "three", lambda model, job: model)
    assert near.wait(SOON)
    assert (near.status, near.result, loaded) == ("done", "near", ["near"])
    assert (far.status, far.label) == ("queued", "Fetching far")
    far.stop()
    assert far.status == "stopped", "it waited for the network"
    let.set()
    assert other.wait(SOON)
    assert (other.result, loaded, asked.count("far")) == ("far", ["near", "far"], 1)
    assert jobs.submit("far", "four", lambda model, job: model).wait(SOON)
    assert asked.count("far") == 1, "it was fetched though it was in memory"
    nowhere, broken = (jobs.submit(ref, ref, lambda model, job: 1) for ref in ("nowhere", "broken"))
    assert nowhere.wait(SOON)
    assert broken.wait(SOON)
    assert (nowhere.status, nowhere.message) == ("failed", "model must be reachable; got 'nowhere'.")
    assert (broken.status, broken.internal) == ("failed", True)


def test_what_lies_on_this_disk_is_not_fetched(tmp_path):
    models = Models()
    assert not any(models.lacks(ref) for ref in (str(tmp_path), "tiny:repeat", "here.gguf", "../hostile"))
    assert models.lacks("gpt2")
    assert models.lacks("org/name@main")


def test_nothing_is_kept_of_a_model_whose_loading_was_stopped_or_failed():
    """The traceback of what ended it would hold its weights."""
    made = []

    def load(ref, **options):
        weights = Weights(10)
        made.append(weakref.ref(weights))
        if ref == "broken":
            try:
                raise OSError("no such file")
            except OSError as problem:
                raise BadInput("the weights must be readable; got none.") from problem
        for _ in track(range(300), "Reading") if ref == "large" else ():
            time.sleep(0.01)
        return weights

    models = Models(load)
    with pytest.raises(BadInput, match="must be readable"):
        models.take("broken")
    let = threading.Event()

    def hear(step):
        if let.is_set():
            raise Stopped

    def take():
        with suppress(Stopped):
            models.take("large", hear)

    first, second = threading.Thread(target=take), threading.Thread(target=lambda: models.take("small"))
    first.start()
    while len(made) < 2:
        time.sleep(0.01)
    # One that waits for another model keeps none going that nobody waits for.
    second.start()
    time.sleep(0.1)
    let.set()
    first.join(SOON)
    while len(made) < 3:
        time.sleep(0.01)
    assert "large" not in models
    second.join(2 * SOON)
    assert "small" in models
    models.unload("small")
    end = time.monotonic() + SOON
    while any(one() is not None for one in made):
        assert time.monotonic() < end, "the weights are still there"
        gc.collect()
        time.sleep(0.02)
    assert not models._loading


def test_what_gives_way_loads_no_model(models):
    """A forecast whose model was put out of memory before its turn ends there."""
    jobs = Jobs(models)
    models.take("a")
    let = threading.Event()
    begun = threading.Event()
    held = jobs.submit("a", "held", lambda model, job: (begun.set(), let.wait(SOON)))
    assert begun.wait(SOON)
    late = jobs.submit("a", "forecast", lambda model, job: 1, patient=True)
    models.unload("a")
    let.set()
    assert held.wait(SOON)
    assert late.wait(SOON)
    assert late.status == "stopped"
    assert "a" not in models
