"""One queue and one thread per model: progress, Stop, sharing, errors, and jobs that outlive who asked for them."""

import logging
import threading
import time

import pytest

from workbench.errors import BadInput
from workbench.jobs import INTERNAL, Jobs, Models
from workbench.progress import show, track

SOON = 10.0


@pytest.fixture
def loaded():
    """Refs in the order they were loaded."""
    return []


@pytest.fixture
def jobs(loaded):
    def load(ref):
        time.sleep(0.05)
        loaded.append(ref)
        return f"model {ref}"

    made = Jobs(Models(load))
    yield made
    made.stop_all(SOON)


class Gate:
    """Work that goes on step by step as the test lets it."""

    def __init__(self, steps=1000):
        self.steps, self.go, self.reached, self.done = steps, threading.Event(), threading.Event(), 0

    def __call__(self, model, job):
        for _ in track(range(self.steps), "Stepping"):
            self.reached.set()
            self.go.wait(SOON)
            time.sleep(0.005)
            self.done += 1
        return f"{model} is done"


def test_result_and_progress_of_a_job(jobs):
    gate = Gate(4)
    job = jobs.submit("a", "k", gate)
    assert gate.reached.wait(SOON)
    assert (job.status, job.label, job.done, job.total, job.progress) == ("running", "Stepping", 0, 4, 0)
    gate.go.set()
    assert job.wait(SOON)
    assert (job.status, job.result, job.progress) == ("done", "model a is done", 1)


def test_time_left_is_reckoned_from_the_pace(jobs):
    seen = []

    def work(model, job):
        for _ in track(range(20), "Stepping"):
            time.sleep(0.05)
            seen.append((job.done, job.seconds_left))

    jobs.submit("a", "k", work).wait(SOON)
    told = [(done, left) for done, left in seen if left is not None]
    assert told, "no time left was ever told"
    for done, left in told:
        assert 0.5 * 0.05 * (20 - done) < left < 6 * 0.05 * (20 - done)


def test_stop_comes_within_one_batch(jobs):
    gate = Gate()
    gate.go.set()
    job = jobs.submit("a", "k", gate)
    assert gate.reached.wait(SOON)
    before = gate.done
    job.stop()
    assert job.wait(SOON)
    assert job.status == "stopped"
    assert gate.done <= before + 2
    assert job.result is None


def test_a_waiting_job_stops_at_once_and_never_runs(jobs):
    gate, ran = Gate(1), []
    first = jobs.submit("a", "first", gate)
    assert gate.reached.wait(SOON)
    second = jobs.submit("a", "second", lambda model, job: ran.append(1))
    second.stop()
    assert second.status == "stopped"
    gate.go.set()
    assert first.wait(SOON)
    assert jobs.submit("a", "third", lambda model, job: "after").wait(SOON)
    assert not ran


def test_the_same_question_shares_one_job(jobs):
    gate = Gate(1)
    first = jobs.submit("a", "k", gate)
    assert gate.reached.wait(SOON)
    assert jobs.submit("a", "k", gate) is first
    assert jobs.submit("a", "other", gate) is not first
    gate.go.set()
    assert first.wait(SOON)
    again = jobs.submit("a", "k", gate)
    assert again is not first
    assert again.wait(SOON)


def test_a_stopping_job_is_not_shared(jobs):
    gate = Gate()
    first = jobs.submit("a", "k", gate)
    assert gate.reached.wait(SOON)
    first.stop()
    second = jobs.submit("a", "k", lambda model, job: "anew")
    gate.go.set()
    assert second.wait(SOON)
    assert second.result == "anew"


def test_one_model_does_one_job_at_a_time_and_two_models_two(jobs):
    lock, running, most = threading.Lock(), {"a": 0, "b": 0}, {"a": 0, "b": 0}
    together = threading.Barrier(2)

    def work(ref):
        def run(model, job):
            with lock:
                running[ref] += 1
                most[ref] = max(most[ref], running[ref])
            time.sleep(0.03)
            with lock:
                running[ref] -= 1

        return run

    made = [jobs.submit(ref, f"{ref}{i}", work(ref)) for i in range(4) for ref in "ab"]
    assert all(job.wait(SOON) for job in made)
    assert most == {"a": 1, "b": 1}
    both = [jobs.submit(ref, f"{ref} meets", lambda model, job: together.wait(SOON)) for ref in "ab"]
    assert all(job.wait(SOON) for job in both)
    assert [job.status for job in both] == ["done", "done"]


def test_work_without_a_model_has_its_own_queue_and_loads_nothing(jobs, loaded):
    gate, given = Gate(1), []
    busy = jobs.submit("a", "busy", gate)
    assert gate.reached.wait(SOON)
    alone = jobs.submit(None, "alone", lambda model, job: given.append(model) or "trained")
    assert alone.wait(SOON), "it waits for a model that it does not need"
    assert (alone.status, alone.result, given) == ("done", "trained", [None])
    first, second = Gate(1), []
    waits = jobs.submit(None, "first", first)
    assert first.reached.wait(SOON)
    after = jobs.submit(None, "second", lambda model, job: second.append(first.done))
    assert jobs.submit(None, "first", first) is waits
    first.go.set()
    gate.go.set()
    assert after.wait(SOON)
    assert second == [1], "two of them ran at once"
    assert busy.wait(SOON)
    assert loaded == ["a"]


def test_bad_input_is_for_the_user_and_the_rest_is_logged(jobs, caplog):
    def bad(model, job):
        raise BadInput("n must be at least 1; got 0.")

    def bug(model, job):
        raise KeyError("ours")

    job = jobs.submit("a", "bad", bad)
    assert job.wait(SOON)
    assert (job.status, job.message, job.internal) == ("failed", "n must be at least 1; got 0.", False)
    with caplog.at_level(logging.ERROR):
        job = jobs.submit("a", "bug", bug)
        assert job.wait(SOON)
    assert (job.status, job.message, job.internal) == ("failed", INTERNAL, True)
    assert "KeyError: 'ours'" in caplog.text
    assert jobs.submit("a", "next", lambda model, job: 3).wait(SOON), "the worker died of an error"


def test_partial_results_are_made_now_and_then(jobs):
    made = []

    def work(model, job):
        for i in track(range(60), "Stepping"):
            time.sleep(0.01)
            show(lambda i=i: made.append(i) or i)

    job = jobs.submit("a", "k", work)
    seen = set()
    while not job.wait(0.01):
        seen.add(job.partial)
    assert 1 <= len(made) <= 4
    assert seen & set(made)
    assert job.partial is None


def test_a_model_is_loaded_once_and_the_few_used_last_are_kept(jobs, loaded):
    for ref in ("a", "b", "a", "c", "a"):
        assert jobs.submit(ref, f"{ref}{len(loaded)}", lambda model, job: model).wait(SOON)
    assert loaded == ["a", "b", "c"]
    assert "b" not in jobs.models
    threads = [threading.Thread(target=jobs.models.take, args=("d",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert loaded == ["a", "b", "c", "d"]


def test_a_job_goes_on_when_who_asked_has_gone(jobs):
    """What a closed session leaves: a watcher whose world is empty. The job must end all the same."""
    gate, world = Gate(3), {"time": time}
    job = jobs.submit("a", "k", gate)
    assert gate.reached.wait(SOON)
    asked = {"job": job}
    asked.clear()
    world.clear()
    gate.go.set()
    assert job.wait(SOON)
    assert job.status == "done"


def test_a_watcher_that_fails_does_not_end_the_job(jobs):
    gate = Gate(3)
    job = jobs.submit("a", "k", gate)
    assert gate.reached.wait(SOON)

    def emptied(*events):
        raise NameError("name 'time' is not defined")

    job.param.watch(emptied, "version")
    gate.go.set()
    assert job.wait(SOON)
    assert (job.status, job.result) == ("done", "model a is done")
    assert jobs.submit("a", "next", lambda model, job: 3).wait(SOON)


def test_a_job_that_others_wait_for_goes_on_when_one_leaves(jobs):
    begun, let = threading.Event(), threading.Event()

    def work(model, job):
        begun.set()
        for _ in track(range(1000), "work"):
            if let.wait(0.01):
                return "done"

    one, other = (jobs.submit(None, "shared", work) for _ in range(2))
    assert one is other
    begun.wait(5)
    one.leave()
    assert other.live
    let.set()
    assert other.wait(5)
    assert other.status == "done"
    let.clear()
    begun.clear()
    alone = jobs.submit(None, "alone", work)
    begun.wait(5)
    alone.leave()
    assert alone.wait(5)
    assert alone.status == "stopped"
