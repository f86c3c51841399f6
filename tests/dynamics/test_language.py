"""Small language models: what they are, runs that go on to the last bit, and what diverges or does not fit."""

import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file

from workbench.dynamics.language import SHAPES, Pace, Shape, fresh, learn
from workbench.dynamics.text import Text
from workbench.errors import BadInput, NotFinite
from workbench.models import card, load
from workbench.progress import Stopped, listening

TEXT = Text(words=20, followers=3, phrases=2, shortest=3, longest=5, length=24)
SMALL, PACE = Shape(heads=2, d_model=16, d_mlp=8), Pace(batch=8)


def weights(folder, step):
    return load(f"{folder}@step{step}", device="cpu").original_model.state_dict()


def steps_done(folder):
    """Steps of the state that was saved last."""
    file = folder / "state.safetensors"
    return int(load_file(file)["step"]) if file.exists() else 0


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_run_that_goes_on_has_the_numbers_of_one_never_interrupted(tmp_path):
    whole = learn(TEXT, SMALL, PACE, steps=12, keep=(0, 12), folder=tmp_path / "whole")
    seen = []
    learn(TEXT, SMALL, PACE, steps=5, keep=(0, 5), folder=tmp_path / "parts")
    parts = learn(TEXT, SMALL, PACE, steps=12, keep=(0, 12), folder=tmp_path / "parts", watch=lambda *told: seen.append(told))
    assert same(weights(whole, 12), weights(parts, 12))
    assert not same(weights(whole, 0), weights(whole, 12))
    assert sorted(path.name for path in parts.glob("step*")) == ["step0", "step12", "step5"]
    assert [step for step, _ in seen] == [12]


def test_a_step_that_was_passed_without_being_kept_is_reached_again(tmp_path):
    whole = learn(TEXT, SMALL, PACE, steps=6, keep=(3, 6), folder=tmp_path / "whole")
    learn(TEXT, SMALL, PACE, steps=6, keep=(0, 6), folder=tmp_path / "again")
    again = learn(TEXT, SMALL, PACE, steps=6, keep=(3, 6), folder=tmp_path / "again")
    assert same(weights(whole, 3), weights(again, 3))
    assert same(weights(whole, 6), weights(again, 6))


def test_a_stopped_run_is_kept(tmp_path):
    def stop(step):
        if step.done == 3:
            raise Stopped

    with listening(stop), pytest.raises(Stopped):
        learn(TEXT, SMALL, PACE, steps=8, keep=(8,), folder=tmp_path / "stopped")
    starts = []
    with listening(lambda step: starts.append(step.done)):
        learn(TEXT, SMALL, PACE, steps=8, keep=(8,), folder=tmp_path / "stopped")
    assert starts[1] == 3
    whole = learn(TEXT, SMALL, PACE, steps=8, keep=(8,), folder=tmp_path / "whole")
    assert same(weights(whole, 8), weights(tmp_path / "stopped", 8))


def test_a_killed_run_goes_on_to_the_same_weights(tmp_path):
    """A kill -9 in the middle: the state that was saved last is whole."""
    code = (
        "import workbench.dynamics.language as l; from tests.dynamics.test_language import *\n"
        f"l.SAVE_EVERY = 0\nl.learn(TEXT, SMALL, PACE, steps=100000, keep=(0,), folder={str(tmp_path / 'killed')!r})"
    )
    run = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while steps_done(tmp_path / "killed") == 0 and time.monotonic() < end:
        time.sleep(0.05)
    run.kill()
    run.wait()
    done = steps_done(tmp_path / "killed")
    assert 0 < done < 100000
    for name in ("killed", "whole"):
        learn(TEXT, SMALL, PACE, steps=done + 3, keep=(done + 3,), folder=tmp_path / name)
    assert same(weights(tmp_path / "killed", done + 3), weights(tmp_path / "whole", done + 3))


def test_a_checkpoint_gives_the_logits_of_the_model_that_was_trained(tmp_path):
    folder = learn(TEXT, SMALL, PACE, steps=2, keep=(0,), folder=tmp_path)
    tokens = TEXT.batch(0, 0, 3).tokens
    with torch.no_grad():
        expected = fresh(TEXT, SMALL, PACE.seed).eval()(tokens).logits
        model = load(f"{folder}@step0", device="cpu")
        assert torch.allclose(model(tokens), expected, atol=1e-6)
    assert model.tokenizer.bos_token_id == 0
    assert card(model).source == "folder"


def test_an_attention_only_model_has_mlps_that_write_nothing_and_never_learn(tmp_path):
    folder = learn(TEXT, Shape(heads=2, d_model=16), PACE, steps=3, keep=(3,), folder=tmp_path)
    held = [value for name, value in weights(folder, 3).items() if "mlp" in name and value.ndim == 2]
    assert held
    assert all((value == 0).all() for value in held)
    assert SHAPES["attention"].d_mlp == 0 < SHAPES["full"].d_mlp


def test_another_run_is_not_overwritten(tmp_path):
    learn(TEXT, SMALL, PACE, steps=1, keep=(), folder=tmp_path)
    with pytest.raises(BadInput, match=r"must be empty or hold the same run; got another one \(pace\)"):
        learn(TEXT, SMALL, Pace(batch=9), steps=1, keep=(), folder=tmp_path)


def test_a_diverging_run_names_its_step(tmp_path, monkeypatch):
    """Adam over normed layers hardly diverges by its rate; here the third step meets weights beyond all numbers."""
    calls = []

    def broken(text, seed, step, n):
        calls.append(step)
        if step == 2:
            with torch.no_grad():
                made[0].lm_head.weight.fill_(1e38)
        return draw(text, seed, step, n)

    made, draw = [], Text.batch
    monkeypatch.setattr("workbench.dynamics.language.fresh", lambda *told: made.append(fresh(*told)) or made[0])
    monkeypatch.setattr(Text, "batch", broken)
    with pytest.raises(NotFinite, match=r"the loss must stay finite; got \w+ at step 2\. Use a smaller rate than 0\.003"):
        learn(TEXT, SMALL, PACE, steps=5, keep=(), folder=tmp_path)
    assert calls == [0, 1, 2]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Shape(heads=3), "d_model must be a multiple of 6, twice the heads; got 64"),
        (lambda: Shape(d_mlp=-1), "d_mlp must be at least 0; got -1"),
        (lambda: Pace(rate=0), "rate must be above 0 and below 1; got 0"),
        (lambda: Pace(batch=0), "batch must be at least 1; got 0"),
        (lambda: Pace(seed=2**64), "seed must be from 0 to 4294967295"),
        (lambda: learn(TEXT, SMALL, PACE, steps=0, keep=(), folder="x"), "steps must be at least 1; got 0"),
        (lambda: learn(TEXT, SMALL, PACE, steps=2, keep=(-1,), folder="x"), "a step to keep must be at least 0; got -1"),
    ],
)
def test_bad_input_is_one_line(make, said):
    with pytest.raises(BadInput, match=said):
        make()
