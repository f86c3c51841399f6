"""Training: the same numbers alone and among others, killed or not; what diverges or does not fit is told."""

import dataclasses
import json
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

from workbench import progress
from workbench.dynamics import Member, Nudge, Recipe, Setting, Worlds, measures
from workbench.dynamics.checkpoints import read, saved
from workbench.dynamics.network import ATTENTION
from workbench.dynamics.train import train
from workbench.errors import BadInput, NotFinite

SMALL = Setting(classes=24, labels=6, items=4, burst=2, dim=5, longest=7, novel=12)
RECIPE = Recipe("adam", 1e-3, batch=16)
QUICK = {"every": 10, "sequences": 20}


def members(count=3):
    """Networks that differ in all that may differ."""
    burst_one = dataclasses.replace(SMALL, classes=48, burst=1, p_novel=0.5, noise=0.3, shifted=False)
    return [Member(burst_one if seed % 2 else SMALL, seed, Nudge(to_previous=seed // 4)) for seed in range(count)]


def same(one, other):
    return (
        all(torch.equal(one.parameters[name], other.parameters[name]) for name in one.parameters)
        and np.array_equal(one.trace.steps, other.trace.steps)
        and np.array_equal(one.trace.mean, other.trace.mean)
        and np.array_equal(one.trace.error, other.trace.error)
    )


@pytest.mark.parametrize("recipe", [RECIPE, Recipe("sgd", 0.05, batch=16)])
def test_many_at_once_are_the_same_as_one_by_one_to_the_last_bit(recipe):
    together = train(members(16), recipe, steps=12, **QUICK)
    for at, member in enumerate(members(16)):
        alone = train([member], recipe, steps=12, **QUICK)
        for name, values in alone.parameters.items():
            assert torch.equal(values[0], together.parameters[name][at])
        assert np.array_equal(alone.trace.mean[0], together.trace.mean[at])


def test_the_number_of_threads_changes_no_bit():
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = train(members(6), RECIPE, steps=5, **QUICK)
        torch.set_num_threads(3)
        three = train(members(6), RECIPE, steps=5, **QUICK)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads)
    assert same(one, three)


@pytest.mark.parametrize("recipe", [RECIPE, Recipe("sgd", 0.05, batch=16)])
def test_a_run_that_goes_on_has_the_numbers_of_one_never_interrupted(tmp_path, recipe):
    some = members(6)  # two stacks
    whole = train(some, recipe, steps=40, **QUICK)
    train(some, recipe, steps=20, folder=tmp_path, **QUICK)
    assert same(train(some, recipe, steps=40, folder=tmp_path, **QUICK), whole)
    # Once more: nothing is left to do.
    assert same(train(some, recipe, steps=40, folder=tmp_path, **QUICK), whole)


KILLED = """
import os
import sys
import time
from workbench.dynamics import stack
real = stack.Stack.advance
def slowed(self):
    real(self)
    os.write(1, f"{id(self)} {self.step}\\n".encode())
    time.sleep(0.05)
stack.Stack.advance = slowed
from tests.dynamics.test_train import QUICK, RECIPE, members
from workbench.dynamics.train import train
train(members(), RECIPE, steps=40, folder=sys.argv[1], **QUICK)
"""


def test_a_killed_run_goes_on_with_the_same_numbers(tmp_path):
    killed = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    steps = {}
    for line in killed.stdout:
        stack, step = line.split()
        steps[stack] = int(step)
        # Stacks of networks go on side by side, and one may be far behind.
        if min(steps.values()) >= 23:
            break
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    killed.stdout.close()
    begun = []
    resumed = train(members(), RECIPE, steps=40, folder=tmp_path, watch=lambda trace: begun.append(trace.steps[-1]), **QUICK)
    assert begun[0] > 20, "it went on, and did not begin again"
    assert same(resumed, train(members(), RECIPE, steps=40, **QUICK))


def test_stop_keeps_the_run(tmp_path):
    def stop(step):
        if step.done >= 17:
            raise progress.Stopped

    with progress.listening(stop), pytest.raises(progress.Stopped):
        train(members(), RECIPE, steps=40, folder=tmp_path, **QUICK)
    heard = []
    with progress.listening(heard.append):
        resumed = train(members(), RECIPE, steps=40, folder=tmp_path, **QUICK)
    assert [step.done for step in heard[:3]] == [0, 17, 18]
    assert heard[-1].done == heard[-1].total == 40
    assert same(resumed, train(members(), RECIPE, steps=40, **QUICK))


def test_parameters_are_kept_at_the_steps_asked_for(tmp_path):
    done = train(members(), RECIPE, steps=10, keep=[0, 4, 10], folder=tmp_path, **QUICK)
    files = saved(tmp_path)
    assert list(files) == [0, 4, 10]
    last = read(files[10])
    assert all(torch.equal(last[name], values) for name, values in done.parameters.items())
    first = read(files[0])
    assert torch.equal(first["hidden1.bias"], torch.zeros(3))
    short = train(members(), RECIPE, steps=4, **QUICK)
    assert all(torch.equal(read(files[4])[name], values) for name, values in short.parameters.items())


def test_one_step_is_the_optimisers():
    """SGD and Adam against PyTorch's own, one network."""
    for recipe, make in (
        (Recipe("sgd", 0.1, 0.0, 16), lambda own: torch.optim.SGD(own, 0.1)),
        (Recipe("adam", 0.01, 0.0, 16), lambda own: torch.optim.Adam(own, 0.01)),
        (Recipe("adam", 0.01, 0.001, 16), lambda own: torch.optim.AdamW(own, 0.01, weight_decay=0.1)),
    ):
        own = {name: torch.from_numpy(value)[None].requires_grad_() for name, value in ATTENTION.fresh(SMALL, 5).items()}
        optimiser, worlds = make(list(own.values())), Worlds([SMALL], [5])
        for step in range(3):
            batch = worlds.batch(step, 16)
            loss = measures.cross_entropy(ATTENTION.forward(own, batch.tokens, SMALL, None).logits, batch).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        ours = train([Member(SMALL, 5)], recipe, steps=3, **QUICK).parameters
        for name, values in own.items():
            assert torch.allclose(ours[name], values, atol=2e-6), (recipe, name)


def test_errors_are_standard_errors_of_the_mean():
    trace = train(members(), RECIPE, steps=1, every=10, sequences=50).trace
    at = list(measures.MEASURES).index("cla")
    share, error = trace.mean[..., at], trace.error[..., at]
    assert (share > 0).any()
    assert np.allclose(error, np.sqrt(share * (1 - share) / 49))


def test_what_diverges_is_named_at_the_step_it_does():
    said = r"the loss of network ([0-4]) \(seed \1\) must stay finite; got .* at step (\d+). Use a smaller rate than 10000.0"
    with pytest.raises(NotFinite) as caught:
        train([Member(SMALL, seed) for seed in range(5)], Recipe("sgd", 1e4, batch=16), steps=500, every=500, sequences=20)
    network, step = map(int, re.fullmatch(said + r"\.", str(caught.value)).groups())
    assert 1 <= step < 50
    # Alone it goes as far, and no farther.
    alone = [Member(SMALL, network)]
    train(alone, Recipe("sgd", 1e4, batch=16), steps=step - 1, every=500, sequences=20)
    with pytest.raises(NotFinite, match=rf"network 0 \(seed {network}\) .* at step {step}\."):
        train(alone, Recipe("sgd", 1e4, batch=16), steps=step + 9, every=500, sequences=20)


def test_evaluation_does_not_touch_the_training():
    often = train(members(), RECIPE, steps=12, every=1, sequences=20)
    seldom = train(members(), RECIPE, steps=12, every=100, sequences=20)
    assert all(torch.equal(often.parameters[name], values) for name, values in seldom.parameters.items())
    assert often.trace.steps.tolist() == list(range(13))
    assert seldom.trace.steps.tolist() == [0, 12]


@pytest.mark.parametrize("architecture", ["three", "two"])
def test_heads_of_few_numbers_are_trained_alike(architecture):
    done = train(members(), RECIPE, steps=3, architecture=architecture, **QUICK)
    assert done.parameters["match"].shape == (3,)
    assert (done.parameters["match"] != 0.01).all()
    assert ("labels" in done.parameters) == (architecture == "three")


def test_networks_without_biases_begin_as_those_with():
    given = {"steps": 1, **QUICK}
    without = train(members(), RECIPE, architecture="unbiased", **given)
    assert not [name for name in without.parameters if name.endswith("bias")]
    assert np.array_equal(without.trace.mean[:, 0], train(members(), RECIPE, **given).trace.mean[:, 0])


def test_a_folder_of_another_run_is_told(tmp_path):
    train(members(), RECIPE, steps=2, folder=tmp_path, **QUICK)
    with pytest.raises(BadInput, match=r"must be empty or hold the same run; got another one \(recipe\)"):
        train(members(), Recipe(batch=16), steps=2, folder=tmp_path, **QUICK)
    with pytest.raises(BadInput, match=r"got another one \(every\)"):
        train(members(), RECIPE, steps=2, folder=tmp_path, every=5, sequences=20)
    (tmp_path / "state.safetensors").write_bytes(b"nonsense")
    with pytest.raises(BadInput, match="must be a whole safetensors file"):
        train(members(), RECIPE, steps=2, folder=tmp_path, **QUICK)
    (tmp_path / "plan.json").write_text("[")
    with pytest.raises(BadInput, match="no plan that can be read"):
        train(members(), RECIPE, steps=2, folder=tmp_path, **QUICK)


def test_an_end_between_two_evaluations_leaves_no_trace(tmp_path):
    train(members(), RECIPE, steps=13, folder=tmp_path, **QUICK)
    done = train(members(), RECIPE, steps=25, folder=tmp_path, **QUICK)
    assert done.trace.steps.tolist() == [0, 10, 20, 25]
    assert same(done, train(members(), RECIPE, steps=25, **QUICK))


def test_a_run_is_not_taken_back(tmp_path):
    train(members(), RECIPE, steps=4, folder=tmp_path, **QUICK)
    with pytest.raises(BadInput, match=r"steps must be at least 4, which the run in .* has done; got 3"):
        train(members(), RECIPE, steps=3, folder=tmp_path, **QUICK)


def test_the_plan_is_json_that_says_what_is_trained(tmp_path):
    train(members(), RECIPE, steps=1, folder=tmp_path, **QUICK)
    plan = json.loads((tmp_path / "plan.json").read_text())
    assert plan["members"][1]["setting"]["classes"] == 48
    assert plan["recipe"] == {"batch": 16, "decay": 1e-6, "optimiser": "adam", "rate": 1e-3}
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"members": []}, "the number of networks must be at least 1"),
        ({"members": [Member(SMALL), Member(dataclasses.replace(SMALL, dim=6))]}, "must share dim; got 5 and 6"),
        ({"members": [Member(SMALL, -1)]}, "seed must be at least 0"),
        ({"steps": 0}, "steps must be at least 1"),
        ({"keep": [-1]}, "a step to keep must be at least 0"),
        ({"architecture": "lstm"}, "architecture must be one of 'attention', 'unbiased', 'three', 'two'"),
    ],
)
def test_what_cannot_be_trained_is_told(changes, said):
    given = {"members": members(), "steps": 2, **changes}
    with pytest.raises(BadInput, match=said):
        train(given.pop("members"), RECIPE, **given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"optimiser": "adan"}, "optimiser must be one of 'sgd', 'adam'; got 'adan'. Did you mean 'adam'?"),
        ({"rate": 0}, "rate must be above 0; got 0"),
        ({"rate": float("nan")}, "rate must be above 0; got nan"),
        ({"decay": 1}, "decay must be at least 0 and below 1; got 1"),
        ({"batch": 0}, "batch must be at least 1; got 0"),
    ],
)
def test_what_is_no_recipe_is_told(given, said):
    with pytest.raises((BadInput, TypeError)) as caught:
        Recipe(**given)
    assert said in str(caught.value) or caught.type is not BadInput
