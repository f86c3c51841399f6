"""How a circuit forms: measures at checkpoints are those of the methods, over seeds, and what is shipped is what is there."""

import json

import numpy as np
import pytest

from workbench.dynamics.formation import LOSSES, MEASURES, curve_of, formation, joined, losses_of, measured
from workbench.dynamics.language import SHAPES, Pace, Shape, learn
from workbench.dynamics.text import TEST, Text
from workbench.dynamics.trained import RUN, describe, formed, looked, looks
from workbench.errors import BadInput
from workbench.following import follow
from workbench.models import load, revisions
from workbench.models.find import DATA
from workbench.plots import figure
from workbench.store import Store

SMALL, PACE = Shape(heads=2, d_model=16), Pace(batch=8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return learn(Text(), SMALL, PACE, steps=4, keep=(0, 2, 4), folder=tmp_path_factory.mktemp("run"))


def test_a_checkpoints_measures_are_those_of_the_method(folder):
    run = measured(folder, (0, 2, 4), Text(), seed=5)
    one, other = run.heads[0].split(" > ")
    names = ["step0", "step2", "step4"]
    followed = follow(str(folder), "induction", names, device="cpu", store=Store(folder / "store"), previous=one, reader=other)
    assert np.allclose(run.shares[:, 0], followed.values.values, atol=1e-6)
    assert run.seeds == [5]
    last = follow(str(folder), "induction", names, device="cpu", store=Store(folder / "store"))
    assert np.allclose(run.shares[:, 0, -1], last.values.values[:, -1], atol=1e-6), "the pair is the strongest in the end"


def test_the_losses_are_those_of_the_model_on_new_texts(folder):
    import torch

    run = measured(folder, (0, 4), Text(), seed=0)
    batch = Text().batch(0, TEST, 256)
    model = load(f"{folder}@step4", device="cpu")
    with torch.no_grad():
        log_probs = model(batch.tokens).log_softmax(-1)
    loss = -log_probs[:, :-1].gather(-1, batch.tokens[:, 1:, None])[..., 0]
    again = batch.again[:, 1:]
    expected = [loss.mean(), loss[again].mean(), loss[~again].mean(), loss[:, -20:].mean() - loss[:, 1:21].mean()]
    assert np.allclose(run.losses[:, 0, 1], [float(one) for one in expected], atol=1e-4)


def test_over_seeds_there_is_a_mean_and_its_error(folder):
    one = measured(folder, (0, 2, 4), Text(), seed=0)
    other = measured(folder, (0, 2, 4), Text(), seed=1)
    other.shares[:] += 0.2
    curve = curve_of(joined([one, other]))
    assert np.allclose(curve.values.values, one.shares[:, 0] + 0.1)
    assert np.allclose((curve.upper - curve.values).values, 0.1)
    assert curve.parts["seeds"].dims == ("series", "seed", "step")
    assert curve.notes["transition"] == "0 of 2 seeds form an induction head"
    assert losses_of(curve).unit == "nats"
    assert list(losses_of(curve).values.series.values) == list(LOSSES)


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_what_is_shipped_shows_the_circuit_form(name):
    """Over the seeds of the run that is shipped; and its checkpoints are those of the first of them."""
    curve = formed(name)
    count = curve.parts["transition"].size
    assert count >= 3
    assert curve.notes["transition"].startswith(f"{count} of {count} seeds form an induction head")
    end = curve.parts["seeds"].isel(step=-1)
    assert (end.sel(series="prefix matching") > 0.5).all()
    assert (end.sel(series="previous token") > 0.5).all()
    assert (end.sel(series="loss on copies") < 0.3).all()
    start = curve.parts["seeds"].isel(step=0)
    assert (start.sel(series=["previous token", "prefix matching"]) < 0.1).all()
    assert (end.sel(series="K-composition") > 1.5 * start.sel(series="K-composition")).all()
    scores = curve.parts["losses"].sel(loss="in-context score")
    assert (scores.isel(step=-1) < -1).all()
    moved = curve.parts["transition"].values
    halves = [float(scores.step[np.argmax(row <= row[-1] / 2)]) for row in scores.transpose("seed", "step").values]
    assert np.abs(np.array(halves) - moved).max() <= 100, "the in-context score falls as the heads form"
    assert figure(curve).data
    assert figure(losses_of(curve)).data


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_the_shipped_numbers_are_those_of_the_shipped_checkpoints(name):
    told = json.loads((DATA / "trained" / name / RUN).read_text())
    curve, text = formed(name), Text(**told["text"])
    steps = [int(one.removeprefix("step")) for one in revisions(f"trained:{name}")]
    some = [steps[0], steps[len(steps) // 2], steps[-1]]
    again = measured(f"trained:{name}", some, text, seed=0)
    there = curve.parts["seeds"].sel(seed=0, step=some)
    assert list(there.series.values) == list(MEASURES)
    assert np.allclose(again.shares[:, 0], there.values, atol=2e-3)
    assert np.allclose(again.losses[:, 0], curve.parts["losses"].sel(seed=0, step=some).values, atol=2e-3)
    assert again.heads[0] == told["heads"][0]
    seen = looks(f"trained:{name}", some, told["heads"][0]).values
    assert np.allclose(seen.values, looked(name).values.sel(step=some).values, atol=2e-3)
    assert list(seen.key.values) == list(looked(name).values.key.values)


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_after_the_transition_the_two_heads_look_where_they_should(name):
    """At the token before; and, in the second copy, at what followed the word in the first."""
    attention = looked(name).values
    late = attention.isel(step=-1).values
    assert np.allclose(late.sum(-1), 1, atol=0.02)
    length = (attention.sizes["key"] - 1) // 2
    back = [late[0, at, at - 1] for at in range(2, 2 * length + 1)]
    matched = [late[1, at, at - length + 1] for at in range(length + 1, 2 * length + 1)]
    assert np.mean(back) > 0.5
    assert np.mean(matched) > 0.5
    early = attention.isel(step=0).values
    assert max(np.mean([early[0, at, at - 1] for at in range(6, 2 * length + 1)]), early[1, -1, length + 1]) < 0.3


def test_what_is_shipped_says_where_it_comes_from():
    origin = formed("full").origin
    assert (origin.method, origin.task, origin.params["d_mlp"], origin.params["steps"]) == ("language", "phrases", 128, 1500)
    assert "torch" in origin.versions
    assert origin.code().startswith("from workbench.dynamics import STUDIES")
    assert losses_of(formed("full")).origin == origin


def test_what_is_described_is_read_back(folder):
    run = measured(folder, (0, 4), Text(), seed=0)
    told = json.loads(json.dumps(describe(run, looks(str(folder), (0, 4), run.heads[0]))))
    assert np.allclose(told["shares"], run.shares, rtol=1e-3)
    with pytest.raises(BadInput, match="trained model must be one of 'attention', 'full'; got 'atention'"):
        formed("atention")


def test_a_formation_over_seeds_goes_on_with_what_is_there(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))
    short = formation(Text(), SMALL, PACE, steps=2, every=2, seeds=2)
    assert short.values.step.values.tolist() == [0, 2]
    longer = formation(Text(), SMALL, PACE, steps=4, every=2, seeds=2)
    assert longer.values.step.values.tolist() == [0, 2, 4]
    seeds = longer.parts["seeds"]
    assert not np.allclose(seeds.sel(seed=0), seeds.sel(seed=1))
    assert len(list((tmp_path / "dynamics").glob("text-*/step4"))) == 2
    other = formation(Text(), SMALL, PACE, steps=3, every=1, seeds=1)
    assert other.values.step.values.tolist() == [0, 1, 2, 3], "other checkpoints of runs that are there"
    for text, said in ((Text(words=24), "words must be at least 25"), (Text(length=41), "length must be at least 42")):
        with pytest.raises(BadInput, match=said):
            formation(text, SMALL, PACE, steps=2, every=2, seeds=1)
    with pytest.raises(BadInput, match="layers, for one head to read another, must be at least 2; got 1"):
        formation(Text(), Shape(layers=1, heads=2, d_model=16), PACE, steps=2, every=2, seeds=1)
    for asked in ({"steps": 0}, {"every": 0}, {"seeds": 0}):
        with pytest.raises(BadInput, match="must be at least 1; got 0"):
            formation(Text(), SMALL, PACE, **{"steps": 2, "every": 2, "seeds": 1, **asked})
