"""The dynamics page without a browser: the shipped network, nested logits, training, what is stored, and the URL."""

import json
import threading
import time

import numpy as np
import pytest

from tests.views.conftest import opened, settle
from workbench.dynamics import STUDIES, measures
from workbench.dynamics.example import attention, course, shipped
from workbench.dynamics.nested import descend
from workbench.dynamics.study import networks
from workbench.dynamics.trained import formed, looked
from workbench.errors import BadInput
from workbench.jobs import Jobs, Models
from workbench.models import revisions
from workbench.models.revisions import step_of
from workbench.pages.dynamics_words import ready_for
from workbench.pages.forming import Formation
from workbench.pages.swatch import swatch
from workbench.plots.hues import square
from workbench.progress import listening
from workbench.store import Store
from workbench.views.circuits import Circuits
from workbench.views.descent import POINTS, Nested
from workbench.views.dynamics import Dynamics
from workbench.views.dynamics_address import restore, written
from workbench.views.example import LOOKS, SEEN, Example
from workbench.views.expected import COUNTING
from workbench.views.forming import Forming
from workbench.views.study import MOST, asked, study_fields

SMALL = {
    "classes": 24, "labels": 6, "items": 4, "dim": 5, "longest": 4, "novel": 12, "batch": 16,
    "seeds": 2, "steps": 6, "every": 2,
}  # fmt: skip


def refuse(ref):
    raise AssertionError("a model was loaded")


@pytest.fixture
def view(tmp_path):
    jobs = Jobs(Models(refuse))
    made = opened(Dynamics(jobs, Store(tmp_path / "store")))
    made.params = {**made.params, **SMALL}
    yield made
    jobs.stop_all(10)


def slow(monkeypatch):
    """Training waits before each evaluation; gives the event that lets it go on, and the one that says it has begun."""
    from workbench.dynamics import train as room

    let, begun, true = threading.Event(), threading.Event(), room._Run.evaluate

    def waits(self):
        done = true(self)
        if self.step:
            begun.set()
            let.wait(20)
        return done

    monkeypatch.setattr(room._Run, "evaluate", waits)
    return let, begun


def test_the_shipped_network_is_there_at_once():
    view, own = Example(), shipped()
    assert view.steps == own.steps
    assert view.step == own.steps[-1]
    assert view.course.values.equals(course().values)
    assert view.transition == pytest.approx(640.3, abs=0.1)
    view.look(0)
    assert view.told(0)["ic"] == own.trace.of("ic")[0, 0]
    with pytest.raises(BadInput, match="step must be one of"):
        view.look(7)
    assert view.step == 0


@pytest.mark.parametrize(("of", "count"), [("one", 1), ("mean", 128)])
def test_the_attention_is_that_of_the_step(of, count):
    view = Example()
    view.of = of
    direct = attention([630], count)
    found = view.attention(630)
    assert found.values.dims == (LOOKS, SEEN)
    np.testing.assert_array_equal(found.values, direct.values[0])
    assert ("framed" in found.notes["sign"]) == (of == "one")


def test_the_framed_cell_is_what_the_second_layer_comes_to_look_at():
    view = Example()
    last = view.attention(view.steps[-1]).values[-1]
    assert str(last[SEEN].values[int(last.values.argmax())]) == f"l{view.item}"
    assert float(last.max()) > 0.8 > 0.5 > float(view.attention(0).values[-1].sel({SEEN: f"l{view.item}"}))


def test_a_language_model_is_there_at_once_at_each_checkpoint():
    view = Forming()
    assert view.models == ["attention", "full"]
    assert view.steps == [step_of(name) for name in revisions("trained:attention")]
    assert view.step == view.steps[-1]
    assert view.curve.values.equals(formed("attention").values)
    direct = looked("attention").values
    assert view.heads == ("0.3", "1.3")
    for step in (view.steps[0], view.steps[-1]):
        for at, found in enumerate(view.attention(step)):
            assert found.values.dims == (LOOKS, SEEN)
            np.testing.assert_array_equal(found.values, direct.sel(step=step)[at])
    told = view.told(800)
    assert told["previous token"] == formed("attention").parts["seeds"].sel(series="previous token", seed=0, step=800)
    assert view.losses_at(0)["in-context score"] == pytest.approx(0, abs=0.02)
    view.look(750)
    view.choose("full")
    assert (view.step, view.model) == (750, "full")
    for wrong, said in ((lambda: view.look(7), "step must be one of"), (lambda: view.choose("ful"), "Did you mean 'full'")):
        with pytest.raises(BadInput, match=said):
            wrong()
    assert (view.step, view.model) == (750, "full")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_two_heads_of_the_circuit_are_named_in_their_colours(theme):
    view = Forming("full")
    page = Formation(view)
    page.show(theme, 1400, True)
    indices = [int(layer) * 4 + int(head) for layer, head in (name.split(".") for name in view.heads)]
    for name, index, chart in zip(view.heads, indices, page.looks, strict=True):
        assert f"head {swatch(index, theme)}{name} " in page.says.object
        title = json.loads(chart.chart.figure)["layout"]["title"]["text"]
        assert title.startswith(f"{square(index, theme)}<b>{name}: ")


def test_the_path_of_the_nested_logits_follows_what_is_set():
    view = Nested()
    for change in ({"items": 4}, {"labels": 50}, {"rate": 0.2}, {"steps": 700}, {"beta1": 1.0}, {"alpha": 0.5}, {"xi": 0.3}):
        before = view.path
        view.param.update(**change)
        assert view.path is not before, change
    direct = descend(4, 50, rate=0.2, steps=700, start=(1.0, 0.5, 0.3))
    np.testing.assert_array_equal(view.path.logits, direct.logits)
    loss, shares = view.loss().values, view.shares().values
    assert loss.sizes["step"] == POINTS
    assert loss.step.values[[0, -1]].tolist() == [0, 700]
    np.testing.assert_array_equal(loss[0], direct.loss[loss.step.values])
    np.testing.assert_allclose(shares.sel(series="P"), np.exp(-loss[0]))
    np.testing.assert_array_equal(shares.sel(series="q2"), direct.q2[loss.step.values])


def test_the_drop_is_found_in_the_path():
    view = Nested()
    right, drop = np.exp(-view.path.loss), view.drop
    for place, share in ((drop.begins, 0.2), (drop.half, 0.5), (drop.ends, 0.8)):
        assert right[place - 1] < share <= right[place]
    view.steps = 300
    assert view.drop == type(drop)(None, None, None)


def test_fewer_labels_than_items_are_told_and_nothing_is_drawn():
    view = Nested()
    view.labels = 4
    assert view.path is None
    assert view.problem == "labels must be at least 8; got 4."
    view.items = 3
    assert (view.problem, view.path is None) == ("", False)


def test_training_gives_the_studys_own_numbers_and_keeps_them(view):
    view.train()
    assert view.status == "queued"
    settle(view)
    assert (view.status, view.told, view.whole) == ("done", [], True)
    direct = STUDIES["reddy"](**SMALL)
    assert view.result.values.equals(direct.values)
    assert view.result.origin == direct.origin
    assert [entry.key for entry in view.stored] == [view.key]


def test_what_is_stored_is_shown_without_training(view, monkeypatch):
    view.train()
    settle(view)
    other = opened(Dynamics(view.jobs, view.store))
    monkeypatch.setattr(view.jobs, "submit", refuse)
    other.params = dict(view.params)
    other.train()
    assert not other.live
    assert other.result.values.equals(view.result.values)
    again = opened(Dynamics(view.jobs, view.store))
    again.study = "reddy_phases"
    again.open(view.key)
    assert (again.study, again.params, again.key) == ("reddy", view.params, view.key)


def test_the_curve_grows_while_it_trains(view, monkeypatch):
    let, begun = slow(monkeypatch)
    monkeypatch.setattr("workbench.jobs.job.PARTIAL_EVERY", 0)
    view.train()
    assert begun.wait(20)
    view.refresh()
    assert view.status == "running"
    assert view.result.values.step.values.tolist() == [0]
    assert not view.whole
    assert view.key == ""
    assert view.result.origin is not None
    let.set()
    settle(view)
    assert view.result.values.step.values.tolist() == [0, 2, 4, 6]


def test_stop_comes_within_a_step_and_keeps_the_page(view, monkeypatch):
    let, begun = slow(monkeypatch)
    view.params = {**view.params, "steps": 100_000}
    view.train()
    assert begun.wait(20)
    view.stop()
    let.set()
    start = time.monotonic()
    settle(view)
    assert time.monotonic() - start < 1
    assert view.status == "stopped"
    assert [notice.level for notice in view.told] == ["info"]
    assert not view.stored


def test_a_stored_run_is_opened_while_another_trains(view, monkeypatch):
    view.train()
    settle(view)
    first = view.key
    let, begun = slow(monkeypatch)
    view.params = {**view.params, "seed": 5}
    view.train()
    assert begun.wait(20)
    assert view.open(first)
    view.refresh()
    assert view.key == first
    assert view.live
    let.set()
    settle(view)
    assert view.key == first, "what was opened is taken away by what has ended"
    assert len(view.stored) == 2
    assert "Its result is the first of those stored" in view.told[-1].text


@pytest.mark.parametrize(
    ("study", "params", "said"),
    [
        ("reddy", {"classes": 25}, "classes must be a multiple of labels, 6; got 25"),
        ("reddy", {"burst": 3}, "burst must divide items, 4, and be less; got 3"),
        ("reddy", {"rate": 0.0}, "rate must be above 0; got 0.0"),
        ("reddy", {"steps": 10**8}, "steps must be at most 1000000 on this page; got 100000000"),
        ("reddy", {"seeds": 0}, "seeds must be at least 1; got 0"),
        ("reddy_phases", {"values": ("12", "x")}, "values of classes must be whole numbers; got '12,x'"),
        ("reddy_phases", {"values": ("12", "9" * 12)}, "classes must be at most 100000 on this page"),
        ("reddy_phases", {"across": "burst"}, "down must be another field than across; got 'burst' for both"),
        ("reddy_phases", {"seeds": 100}, "the networks must be at most 500 on this page; got 900"),
        ("reddy_saddle", {"factors": ("1.5",)}, "factors must be whole numbers of 1 or more"),
    ],
)
def test_what_cannot_be_trained_gives_one_notice_and_loses_nothing(view, study, params, said):
    view.train()
    settle(view)
    shown = view.result
    view.study = study
    view.params = {**view.params, **params}
    view.train()
    settle(view)
    assert [notice.level for notice in view.told] == ["error"]
    assert said in view.told[0].text
    assert view.result is shown
    assert view.whole
    assert {name: view.params[name] for name in params} == params


def test_a_run_that_diverges_is_named(view):
    view.params = {**view.params, "optimiser": "sgd", "rate": 1e8}
    view.train()
    settle(view)
    assert view.status == "failed"
    assert "must stay finite" in view.told[-1].text
    assert "Use a smaller rate" in view.told[-1].text


def test_another_study_keeps_what_was_changed_and_takes_its_own_defaults(view):
    fresh = opened(Dynamics(view.jobs, view.store))
    fresh.params = {**fresh.params, "items": 4, "p_novel": 0.5}
    fresh.study = "reddy_phases"
    assert (fresh.params["items"], fresh.params["steps"], fresh.params["p_novel"]) == (4, 3000, 0.5)
    assert fresh.networks == 27
    fresh.params = {**fresh.params, "p_novel": 0.0}
    fresh.study = "reddy"
    assert (fresh.params["steps"], fresh.params["p_novel"]) == (1500, 1.0)
    fresh.study = "reddy_saddle"
    assert fresh.networks == 12


def test_fields_say_what_they_are():
    for name, study in STUDIES.items():
        fields = study_fields(name)
        assert set(study.params) == set(fields)
        for one in fields.values():
            assert one.about, f"{one.name} has nothing to say"
        assert asked(fields, {}) == {}
        assert study.origin(**asked(fields, {})).key == study.origin().key
    assert set(MOST) <= set(study_fields("reddy")) | set(study_fields("language"))
    assert networks({"seeds": 3, "values": ("1", "2"), "rows": ("1", "2", "3")}) == 18


def test_studies_do_not_stand_among_the_circuits(view):
    view.train()
    settle(view)
    assert Circuits(view.jobs, view.store).stored == []


def test_the_state_is_flat_and_comes_back(view):
    view.train()
    settle(view)
    view.example.param.update(step=630, of="mean")
    view.nested.param.update(labels=8, steps=8000, xi=0.5)
    view.forming.param.update(model="full", step=850)
    view.part = "nested"
    said = written(view)
    assert said == json.loads(json.dumps(said))
    assert {
        "part": "nested",
        "step": "630",
        "of": "mean",
        "nested.labels": "8",
        "nested.xi": "0.5",
        "lm": "full",
        "lm.step": "850",
    }.items() <= said.items()
    assert said["result"] == view.key
    other = opened(Dynamics(view.jobs, view.store))
    with listening(lambda step: pytest.fail("a link trains nothing")):
        restore(other, said)
    assert not other.told
    assert written(other) == said
    assert other.result.values.equals(view.result.values)
    np.testing.assert_array_equal(other.nested.path.loss, view.nested.path.loss)


def test_settings_that_were_not_trained_come_back_too(view):
    view.study = "reddy_phases"
    view.params = {**view.params, "values": ("12", "24"), "shifted": True, "rate": 0.02}
    said = written(view)
    assert {
        "study": "reddy_phases",
        "train.values": "12,24",
        "train.shifted": "yes",
        "train.rate": "0.02",
    }.items() <= said.items()
    other = opened(Dynamics(view.jobs, view.store))
    restore(other, said)
    assert (other.study, other.params, other.told) == ("reddy_phases", view.params, [])


def test_a_plain_page_has_a_plain_address(view):
    assert written(Dynamics(view.jobs, view.store)) == {}


@pytest.mark.parametrize(
    "query",
    [
        {"part": "<b>"},
        {"step": "7"},
        {"step": "-1"},
        {"of": "two"},
        {"lm": "../full"},
        {"lm.step": "851"},
        {"nested.items": "99"},
        {"nested.rate": "nan"},
        {"nested.steps": "1e9"},
        {"study": "<script>alert(1)</script>"},
        {"train.steps": "many"},
        {"train.optimiser": "__import__('os')"},
        {"train.values": "1,2"},
        {"result": "../../etc/passwd"},
        {"result": "abcd1234abcd1234"},
        {"nonsense": "1"},
    ],
    ids=str,
)
def test_nonsense_in_the_url_gives_one_notice_and_the_defaults(view, query):
    fresh = opened(Dynamics(view.jobs, view.store))
    restore(fresh, query)
    assert [notice.level for notice in fresh.told] == ["warning"]
    assert written(fresh) == {}
    assert not fresh.live


def test_every_measure_is_told(view):
    shown = set(Example().course.values.series.values.tolist())
    assert shown == set(measures.MEASURES) - {"loss", "alive"}


def test_the_open_training_says_how_long_it_will_take_and_what_is_stored_takes_nothing(tmp_path, monkeypatch):
    from workbench.dynamics import forecast

    asked_of = []
    monkeypatch.setattr(forecast, "foreseen", lambda study, params, check: asked_of.append((study, params)) or 42.0)
    jobs = Jobs(Models(refuse))
    view = opened(Dynamics(jobs, Store(tmp_path)))

    def wait():
        assert view._foreseeing._job.wait(20)
        view.refresh()

    view.params = {**view.params, **SMALL}
    assert (view.expected, view._foreseeing.live) == ("", False), "nobody looks at it"
    view.part = "train"
    assert view.expected == COUNTING
    wait()
    assert view.expected == "About 42 s, by its first steps."
    assert ready_for(view) == "Trains 2 networks for 6 steps. About 42 s, by its first steps."
    assert asked_of[0][0] == "reddy"
    assert asked_of[0][1]["steps"] == 6
    view.params = {**view.params, "seed": 3}
    assert view.expected == COUNTING
    wait()
    view.params = {**view.params, "seed": 0}
    assert view.expected == "About 42 s, by its first steps.", "asked before"
    assert len(asked_of) == 2
    view.params = {**view.params, "classes": 25}
    assert (view.expected, view._foreseeing.live) == ("", False)
    view.params = {**view.params, "classes": 24}
    view.train()
    assert view.expected == ""
    settle(view)
    assert view.whole
    assert (view.expected, view._foreseeing.live) == ("", False), "it is stored"
    view.params = {**view.params, "seed": 3}
    assert view.expected == "About 42 s, by its first steps."
    view.params = {**view.params, "steps": 100_000}
    wait()
    view.train()
    view.stop()
    settle(view)
    assert view.status == "stopped"
    assert view.expected == "About 42 s, by its first steps."
    jobs.stop_all(10)
