"""Nothing that was asked before is ever shown under what is asked now; and Stop stops what was asked twice."""

import threading

import pytest

from tests.views.conftest import PROMPTS, ROWS, opened, settle
from workbench.jobs import Jobs
from workbench.methods import METHODS
from workbench.store import Store
from workbench.tasks import TASKS
from workbench.views.cells import Cell
from workbench.views.channels import Channels
from workbench.views.circuits import Circuits
from workbench.views.expected import COUNTING
from workbench.views.heads import Heads
from workbench.views.maps import Maps
from workbench.views.pairs import OwnPairs

SET_TO = {"model": "tiny:repeat", "task": "repeated_tokens"}
ELSE = "clean,corrupt,right,wrong\n" + "".join(f"{prompt},h{prompt[1:]},b,d\n" for prompt in PROMPTS)


@pytest.fixture
def jobs(models):
    models.take("tiny:repeat")
    return Jobs(models)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


@pytest.fixture
def hold(jobs):
    """Holds the device; gives what lets it go."""
    let = threading.Event()

    def start():
        begun = threading.Event()
        job = jobs.submit("tiny:repeat", "held", lambda model, job: (begun.set(), let.wait(20)))
        assert begun.wait(20)
        return job

    yield start, let
    let.set()


def stored_maps(store, models):
    """Two results of other prompts."""
    model = models.take("tiny:repeat")
    return [store.compute(METHODS["dla"], model, TASKS["repeated_tokens"](model, n=n)).origin.key for n in (3, 4)]


def test_attention_of_one_result_is_not_drawn_under_the_next(jobs, store, models, hold):
    one, two = stored_maps(store, models)
    view = opened(Circuits(jobs, store, **SET_TO))
    view.open(one)
    start, let = hold
    held = start()
    view.choose(Cell(1, 2))
    assert view.attention.live
    view.open(two)
    assert not view.attention.live
    let.set()
    assert held.wait(20)
    settle(view)
    assert (view.attention.scores, view.attention.layer) == (None, None)
    assert len(view.attention.prompts) == 4


def test_attention_of_a_locked_cell_goes_with_its_prompts(jobs, store, hold):
    view = opened(Maps(jobs, store, options={"n": 3}, **SET_TO))
    view.show()
    settle(view)
    start, let = hold
    held = start()
    view.lock(Cell(1, 2))
    assert view.attention.live
    view.release()
    assert not view.attention.live
    view.lock(Cell(1, 2))
    view.options = {**view.options, "n": 4}
    assert not view.attention.live or view.attention._question.options["n"] == 4
    let.set()
    assert held.wait(20)
    settle(view)
    assert len(view.attention.prompts) == 4
    looked = view.attention.scores
    assert looked is None or looked.origin.task_params["n"] == 4


def test_attention_of_other_prompts_is_not_heard(jobs, store, hold):
    """The open head of the page of heads stays open when its prompts change."""
    view = opened(Heads(jobs, store, options={"n": 3}, **SET_TO))
    start, let = hold
    held = start()
    view.open((1, 2))
    assert view.head.attention.live
    before = view.head.attention._latest._job
    view.options = {**view.options, "n": 4}
    assert view.head.attention._latest._job is not before
    let.set()
    assert held.wait(20)
    settle(view)
    assert view.head.attention.scores.origin.task_params["n"] == 4


def test_the_baseline_is_of_the_metric_of_the_maps(jobs, store):
    view = opened(Maps(jobs, store, options={"n": 3}, exact=False, **SET_TO))
    view.show()
    settle(view)
    assert view.baseline.origin.params["metric"] == "logit_diff"
    view.params = {**view.params, "metric": "kl"}
    assert view.baseline is None or view.baseline.origin.params["metric"] == "kl"
    settle(view)
    assert view.baseline.origin.params["metric"] == "kl"


def test_a_forecast_is_never_that_of_another_question(jobs, store, hold):
    view = opened(Circuits(jobs, store, **SET_TO))
    settle(view)
    before = view.expected.said
    assert before != COUNTING
    start, let = hold
    held = start()
    view.options = {**view.options, "n": 5}
    assert view.expected.said == COUNTING
    let.set()
    assert held.wait(20)
    settle(view)
    assert view.expected.said != COUNTING


def test_own_pairs_in_the_form_must_be_those_of_the_result_shown(jobs, store, models, ref):
    first = opened(Circuits(jobs, store, model=ref, task="custom", rows=ROWS, method="dla"))
    first.run()
    settle(first)
    other = opened(Circuits(jobs, store, model=ref, task="custom", rows=ELSE, method="dla"))
    # Asked about first: what was told of other pairs is not told of these.
    other.run()
    settle(other)
    other.choose(Cell(1, 2))
    settle(other)
    assert other.attention.scores is not None
    for file in (store.folder / "texts").iterdir():
        file.unlink()
    other.open(first.key)
    assert other.rows == ELSE, "those of the result are not kept"
    assert not other.answered
    assert other.attention.prompts == ["prompt 1", "prompt 2", "prompt 3"], "the names are of other pairs"
    other.choose(Cell(1, 2))
    settle(other)
    assert other.attention.scores is None
    assert "your pairs must be those that the result shown" in other.attention.status
    other.rows = ROWS
    other.open(first.key)
    assert other.answered
    other.choose(Cell(1, 2))
    settle(other)
    assert other.attention.scores is not None
    first.run()
    settle(first)
    third = opened(Circuits(jobs, store, model=ref, task="custom", rows=ELSE, method="dla"))
    third.open(first.key)
    assert third.rows == ROWS, "a result brings its own pairs back"


def test_an_answer_to_what_was_replaced_before_fades(jobs, store, hold):
    from workbench.pages.live import LiveCard

    view = opened(Circuits(jobs, store, method="discover", **SET_TO))
    view.run()
    settle(view, 120)
    card = LiveCard(view)
    places = [name for name in view.ablation.graph.sources if name.startswith("a")][:2]
    view.replace(places[0], "zero")
    settle(view)
    assert card.says.styles["opacity"] == "1"
    start, let = hold
    held = start()
    view.replace(places[1], "zero")
    assert card.says.styles["opacity"] == ".3"
    assert not card.menu.visible, "nothing is copied or saved of it"
    let.set()
    assert held.wait(20)
    settle(view)
    assert card.says.styles["opacity"] == "1"
    assert len(view.ablation.answer.asked) == 2


@pytest.mark.parametrize(
    ("view", "press"), [(Circuits, "run"), (Channels, "find"), (OwnPairs, "check")], ids=["circuits", "channels", "pairs"]
)
def test_stop_stops_what_was_pressed_twice(view, press, jobs, store, hold):
    start, let = hold
    held = start()
    made = opened(view(jobs, store, **SET_TO))
    getattr(made, press)()
    job = made._job
    getattr(made, press)()
    assert made._job is job
    made.stop()
    assert job.stopping, [one.text for one in made.told]
    let.set()
    assert held.wait(20)
    settle(made)
    assert made.status == "stopped"


def test_what_is_typed_anew_is_computed_though_its_field_was_empty_for_a_moment(jobs, store):
    view = opened(Maps(jobs, store, options={"n": 3}, exact=False, **SET_TO))
    view.options = {**view.options, "seed": 1}
    assert not view._several, "nothing is computed before it is asked for"
    view.show()
    settle(view)
    view.options = {**view.options, "seed": None}
    assert not view._several
    assert not view.told
    view.options = {**view.options, "seed": 2}
    assert view._several
    settle(view)
    assert {one.origin.task_params["seed"] for one in view.results.values()} == {2}
    view.model = "tiny:induction"
    assert not view._several, "another model is not loaded unasked"
    view.model = "tiny:repeat"
    assert not view._several
