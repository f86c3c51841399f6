"""One queue and one thread per device: progress, Stop, sharing, errors, and jobs that outlive who asked for them."""

import logging
import threading
import time

import pytest

from workbench.errors import BadInput
from workbench.jobs import INTERNAL, Jobs, Models, Placed
from workbench.progress import show, track

SOON = 10.0


@pytest.fixture
def loaded():
    """Refs in the order they were loaded."""
    return []


@pytest.fixture
def jobs(loaded):
    def load(ref, **options):
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


def test_what_was_stopped_and_has_not_ended_is_waited_for_though_its_key_is_anothers(jobs):
    assert jobs.idle
    gate = Gate()
    first = jobs.submit("a", "k", gate)
    assert gate.reached.wait(SOON)
    first.stop()
    second = jobs.submit("a", "k", gate)
    second.stop()
    assert not second.live
    assert not jobs.idle
    threading.Timer(0.3, gate.go.set).start()
    jobs.stop_all(SOON)
    assert not first.live
    assert jobs.idle


def test_one_device_does_one_job_at_a_time_and_two_devices_two(jobs):
    lock, running, most = threading.Lock(), {"cpu": 0, "cuda": 0}, {"cpu": 0, "cuda": 0}
    together = threading.Barrier(2)

    def work(device):
        def run(model, job):
            with lock:
                running[device] += 1
                most[device] = max(most[device], running[device])
            time.sleep(0.03)
            with lock:
                running[device] -= 1

        return run

    def of(ref, device):
        return Placed(ref, "", device)

    made = [jobs.submit(of("ab"[i % 2], where), f"{where}{i}", work(where)) for i in range(4) for where in most]
    assert all(job.wait(SOON) for job in made)
    assert most == {"cpu": 1, "cuda": 1}
    both = [jobs.submit(of("a", where), f"{where} meets", lambda model, job: together.wait(SOON)) for where in most]
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


def test_one_who_asks_for_much_lets_anothers_first_go_before_his_second(jobs):
    order, gate = [], Gate(1)
    jobs.submit("a", "busy", gate, owner="one")
    assert gate.reached.wait(SOON)
    asked = [("one", i) for i in range(4)] + [("two", i) for i in range(2)] + [("three", 0)]
    made = [jobs.submit("a", f"{who}{i}", lambda model, job, at=(who, i): order.append(at), owner=who) for who, i in asked]
    gate.go.set()
    assert all(job.wait(SOON) for job in made)
    assert order == [("one", 0), ("two", 0), ("three", 0), ("one", 1), ("two", 1), ("one", 2), ("one", 3)]


def test_a_patient_job_gives_way_and_is_begun_anew(jobs):
    jobs.models.take("a")
    order, patient = [], Gate()
    first = jobs.submit("a", "forecast", lambda model, job: (order.append("forecast"), patient(model, job))[1], patient=True)
    assert patient.reached.wait(SOON)
    others = [jobs.submit("a", key, lambda model, job, key=key: order.append(key), owner=key) for key in ("one", "two")]
    patient.go.set()
    assert all(other.wait(SOON) and other.status == "done" for other in others)
    assert first.live
    patient.steps = 1
    assert first.wait(SOON)
    assert first.result == "model a is done"
    assert [key for key in order if key != "forecast"] == ["one", "two"]
    assert (order[0], order[-1]) == ("forecast", "forecast")
    # To one that is patient too it does not give way, and it can be stopped while it waits again.
    gate, last = Gate(2), Gate(2)
    both = [jobs.submit("a", key, work, patient=True) for key, work in (("this", gate), ("that", last))]
    gate.go.set()
    last.go.set()
    assert all(each.wait(SOON) and each.status == "done" for each in both)
    assert (gate.done, last.done) == (2, 2)


def test_a_patient_job_that_waits_again_is_stopped_at_once(jobs):
    jobs.models.take("a")
    patient, other = Gate(), Gate()
    first = jobs.submit("a", "forecast", patient, patient=True)
    assert patient.reached.wait(SOON)
    second = jobs.submit("a", "click", other)
    patient.go.set()
    assert other.reached.wait(SOON)
    assert first.status == "queued"
    first.stop()
    assert first.status == "stopped"
    other.go.set()
    second.stop()
    assert second.wait(SOON)
    time.sleep(0.05)
    assert first.status == "stopped"


def test_a_patient_job_whose_session_has_gone_ends_where_it_gives_way(jobs):
    jobs.models.take("a")
    patient = Gate()
    first = jobs.submit("a", "forecast", patient, owner="closed", lasting=False, patient=True)
    assert patient.reached.wait(SOON)
    jobs.forget("closed")
    assert first.status == "running"
    second = jobs.submit("a", "click", Gate(0), owner="here")
    patient.go.set()
    assert second.wait(SOON)
    assert first.wait(SOON)
    assert (first.status, second.status) == ("stopped", "done")


def test_a_patient_job_is_in_no_list_and_takes_nobodys_place(jobs, monkeypatch):
    jobs.models.take("a")
    monkeypatch.setenv("WORKBENCH_LIMITS", "jobs=1")
    patient = Gate()
    first = jobs.submit("a", "forecast", patient, owner="one", patient=True)
    assert patient.reached.wait(SOON)
    assert jobs.states() == {}
    second = jobs.submit("a", "run", Gate(0), owner="one")
    assert "run" in jobs.states()
    patient.go.set()
    assert second.wait(SOON)
    assert second.status == "done"
    first.stop()


def test_who_shares_a_waiting_job_brings_it_forward(jobs):
    order, gate = [], Gate(1)
    jobs.submit("a", "busy", gate, owner="one")
    assert gate.reached.wait(SOON)
    made = [jobs.submit("a", f"{i}", lambda model, job, i=i: order.append(i), owner="one") for i in range(4)]
    assert jobs.submit("a", "3", gate, owner="two") is made[3]
    gate.go.set()
    assert all(job.wait(SOON) for job in made)
    assert order == [0, 3, 1, 2]


def test_two_who_press_stop_at_once_stop_it_and_one_alone_does_not(jobs):
    gate = Gate()
    job = jobs.submit("a", "k", gate, owner="one")
    assert jobs.submit("a", "k", gate, owner="two") is job
    assert gate.reached.wait(SOON)
    gate.go.set()
    assert not job.leave("one")
    assert job.live
    assert not job.leave("one"), "one who left twice stopped it for the other"
    assert job.live
    threads = [threading.Thread(target=job.leave, args=(who,)) for who in ("one", "two")]
    for thread in threads:
        thread.start()
    assert job.wait(SOON)
    assert job.status == "stopped"


def test_a_closed_session_leaves_its_run_and_takes_its_waiting_helpers(jobs):
    gate = Gate(2)
    run = jobs.submit("a", "run", gate, owner="closed")
    assert gate.reached.wait(SOON)
    later = jobs.submit("a", "later", lambda model, job: 1, owner="closed")
    helper = jobs.submit("a", "helper", lambda model, job: 1, owner="closed", lasting=False)
    shared = jobs.submit("a", "shared", lambda model, job: 1, owner="closed", lasting=False)
    jobs.submit("a", "shared", gate, owner="open", lasting=False)
    jobs.forget("closed")
    assert helper.status == "stopped"
    gate.go.set()
    assert all(job.wait(SOON) for job in (run, later, shared))
    assert [job.status for job in (run, later, shared)] == ["done", "done", "done"]


def test_who_comes_back_to_a_run_can_stop_it(jobs):
    gate = Gate()
    jobs.submit("a", "run", gate, owner="closed")
    assert gate.reached.wait(SOON)
    gate.go.set()
    jobs.forget("closed")
    again = jobs.submit("a", "run", gate, owner="again")
    assert again.leave("again")
    assert again.wait(SOON)
    assert again.status == "stopped"


def test_one_session_waits_with_no_more_jobs_than_the_server_allows(jobs, monkeypatch):
    monkeypatch.setenv("WORKBENCH_LIMITS", "jobs=2")
    gate = Gate(1)
    made = [jobs.submit("a", f"{i}", gate, owner="one") for i in range(2)]
    refused = jobs.submit("a", "2", gate, owner="one")
    assert refused.status == "failed"
    assert "must be at most 2 on this server" in refused.message
    assert jobs.submit("a", "0", gate, owner="one") is made[0], "to look at one's own again is no new job"
    other = jobs.submit("a", "3", gate, owner="two")
    gate.go.set()
    assert all(job.wait(SOON) for job in (*made, other))
    assert jobs.submit("a", "4", gate, owner="one").wait(SOON)


def test_stop_comes_between_two_layers_on_the_way_back(llama):
    import torch

    jobs, asked, passed = Jobs(Models(lambda ref: llama)), threading.Event(), []

    def work(model, job):
        def wait(gradient):
            asked.set()
            time.sleep(0.2)

        def watch(at):
            def hear(block, given, out):
                last = at == len(model.blocks) - 1
                out = out[0] if isinstance(out, tuple) else out
                out.register_hook(wait if last else lambda gradient: passed.append(at))

            return hear

        held = [block.register_forward_hook(watch(at)) for at, block in enumerate(model.blocks)]
        embedded = model.embed.register_forward_hook(lambda embed, given, out: out.detach().requires_grad_())
        try:
            with torch.enable_grad():
                model(torch.arange(5)[None]).sum().backward()
        finally:
            for handle in (*held, embedded):
                handle.remove()

    job = jobs.submit("llama", "k", work)
    assert asked.wait(SOON)
    job.stop()
    assert job.wait(SOON)
    assert job.status == "stopped"
    assert 0 not in passed, "no further than one layer"


def test_stop_comes_between_two_layers_of_one_batch(llama):
    import torch

    jobs, asked = Jobs(Models(lambda ref: llama)), threading.Event()
    seen = []

    def work(model, job):
        model.blocks[1].register_forward_hook(lambda *_: seen.append(1))

        def wait(*_):
            asked.set()
            time.sleep(0.2)

        handle = model.blocks[0].register_forward_hook(wait)
        try:
            for _ in range(50):
                model(torch.arange(5)[None])
        finally:
            handle.remove()

    job = jobs.submit("llama", "k", work)
    assert asked.wait(SOON)
    job.stop()
    assert job.wait(SOON)
    assert (job.status, seen) == ("stopped", [])
    for block in llama.blocks:
        block._forward_hooks.clear()
        assert not block._forward_pre_hooks


def test_who_waits_for_a_job_is_told_that_it_has_ended(jobs, caplog):
    told = []
    jobs.tell("first", lambda: told.append("first"))
    jobs.tell("second", lambda: told.append("second"))
    jobs.tell("broken", lambda: 1 / 0)
    jobs.tell("gone", lambda: told.append("gone"))
    gate = Gate(2)
    job = jobs.submit("a", "k", gate, owner="first")
    for other in ("broken", "gone"):
        jobs.submit("a", "k", gate, owner=other)
    assert gate.reached.wait(SOON)
    jobs.forget("gone")
    assert "gone" not in jobs._told
    assert told == []
    gate.go.set()
    assert job.wait(SOON)
    second = jobs.submit("a", "l", lambda model, job: 2, owner="second")
    assert second.wait(SOON)
    # Its teller comes after its end.
    assert jobs.submit("a", "m", lambda model, job: 3).wait(SOON)
    assert told == ["first", "second"]
    assert "could not be told" in caplog.text
