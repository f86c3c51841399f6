"""Forecasts against what was counted: passes, cells, memory; times of earlier runs; nothing where it is not known."""

from dataclasses import replace

import pytest

from tests.conftest import toy_pairs
from tests.views.conftest import settle
from workbench import sweep
from workbench.errors import BadInput
from workbench.forecasts import TIMES, Forecast, forecast, paced, recalled, remember
from workbench.jobs import Jobs, Models
from workbench.methods import METHODS
from workbench.pages.pairs import PairsPage
from workbench.plans import planned
from workbench.store import Store
from workbench.tasks import TASKS
from workbench.views.channels import Channels
from workbench.views.circuits import Circuits
from workbench.views.expected import BEGUN, UNLOADED, duration, together, words
from workbench.views.heads import Heads
from workbench.views.looks import Looks
from workbench.views.maps import Maps
from workbench.views.pairs import OwnPairs
from workbench.views.question import Question
from workbench.views.residual import Residual


def passes(model, run):
    """Forward passes of what `run` does."""
    seen = []
    counter = model.unembed.register_forward_hook(lambda *_: seen.append(1))
    try:
        run()
    finally:
        counter.remove()
    return len(seen)


@pytest.mark.parametrize("few", [False, True], ids=["one pass", "many passes"])
@pytest.mark.parametrize(
    "params",
    [
        {}, {"by": ("layer", "head", "pos"), "positions": "each"}, {"by": ("layer", "pos"), "sites": ("resid_pre", "mlp_out")},
        {"by": "head"}, {"by": ("layer",), "replacement": "zero"}, {"direction": "noise", "sites": "k"},
    ],
    ids=str,
)  # fmt: skip
def test_a_sweep_takes_the_passes_and_cells_that_were_forecast(llama, monkeypatch, params, few):
    if few:
        monkeypatch.setitem(sweep.TOKENS, "cpu", 24)
    pairs = toy_pairs(llama)
    work = planned(llama, pairs, "patch", params)
    found = []
    assert passes(llama, lambda: found.append(METHODS["patch"](llama, pairs, **params))) == work.forwards
    assert work.cells == found[0].values.size / len(pairs)
    assert work.held > 0


def test_the_pace_is_measured_once_and_seconds_follow_from_it(llama):
    pace = paced(llama)
    assert passes(llama, lambda: paced(llama)) == 0
    assert pace.each >= 0
    assert pace.per_token >= 0
    pairs = toy_pairs(llama)
    one, all_ = (forecast(llama, pairs, "patch", {"by": by}) for by in (("layer",), ("layer", "head", "pos")))
    assert one.cells < all_.cells
    assert one.seconds <= all_.seconds
    assert not one.before


def test_a_search_takes_at_most_so_long_until_it_has_run_once(llama, tmp_path):
    pairs, more = toy_pairs(llama), toy_pairs(llama, n=6)
    first = forecast(llama, pairs, "acdc", {}, tmp_path)
    assert (first.at_most, first.before) == (True, False)
    remember(tmp_path, llama, pairs, "acdc", {}, 3.0)
    found = forecast(llama, more, "acdc", {}, tmp_path)
    assert (found.seconds, found.before, found.at_most) == (6.0, True, False)
    assert recalled(tmp_path, llama, pairs, "acdc", {"threshold": 0.5}) is None
    remember(tmp_path, llama, pairs, "atp", {}, 900.0)
    assert not forecast(llama, pairs, "atp", {}, tmp_path).before, "what is counted needs no earlier run"


@pytest.mark.parametrize("damaged", ["", "[]", "{", '{"a": 1}', "null"])
def test_damaged_times_are_no_times(llama, tmp_path, damaged):
    pairs = toy_pairs(llama)
    (tmp_path / TIMES).write_text(damaged)
    assert recalled(tmp_path, llama, pairs, "dla", {}) is None
    remember(tmp_path, llama, pairs, "dla", {}, 1.0)
    assert recalled(tmp_path, llama, pairs, "dla", {}) == 1.0
    remember(tmp_path / "nosuch", llama, pairs, "dla", {}, 1.0)


def test_a_forecast_in_words(llama):
    pairs = toy_pairs(llama)
    found = forecast(llama, pairs, "patch", {})
    assert words(found, 1e12).endswith(", 1 MB; 12 cells, 4 at once.")
    assert "more than the 0.00 GB that are free" in words(found, 1)
    assert words(forecast(llama, pairs, "acdc", {}), 1e12).startswith("At most ")
    assert words(forecast(llama, pairs, "eap", {}), 1e12).endswith("; 3 prompts at once.")
    assert words(forecast(llama, None, "composition", {}), 1e12).endswith("; no pass of the model: the weights say it all.")
    assert [duration(each) for each in (0.2, 14.4, 200, 9000)] == ["1 s or less", "14 s", "3 min", "2.5 h"]


def test_the_page_says_what_run_takes_once_the_model_is_loaded(llama, tmp_path, monkeypatch):
    models = Models(lambda ref: llama)
    monkeypatch.setattr(Question, "_made", lambda self, model: toy_pairs(model))
    view = Circuits(Jobs(models), Store(tmp_path), model="llama")
    assert view.expected.said == UNLOADED
    models.take("llama")
    view.params = {**view.params, "by": ("layer",)}
    view.expected._latest._job.wait(20)
    view.expected.refresh()
    assert view.expected.said.endswith("3 cells, 1 at once.")
    monkeypatch.setenv("WORKBENCH_LIMITS", "cells=5")
    view.params = {**view.params, "by": ("layer", "head")}
    view.expected._latest._job.wait(20)
    view.expected.refresh()
    assert "cells of the sweep must be at most 5 on this server; got 12" in view.expected.said
    with pytest.raises(BadInput, match="at most 5"):
        Question("llama", "ioi", "patch").answer(
            llama, Jobs(models).submit("llama", "k", lambda model, job: 1), Store(tmp_path)
        )
    assert not Store(tmp_path).list(), "something was computed before the limit was looked at"


def test_the_page_says_nothing_of_what_is_there_already(tmp_path):
    store, models = Store(tmp_path), Models()
    model = models.take("tiny:repeat")
    shown = store.compute(METHODS["dla"], model, TASKS["repeated_tokens"](model, n=4))
    view = Circuits(Jobs(models), store, model="tiny:repeat", task="repeated_tokens")
    view.open(shown.origin.key)
    assert view.answered
    assert (view.expected.said, view.expected.live) == ("", False)
    # Of other versions, or of a machine with another device, Run would compute it anew.
    for other in ({"versions": {"torch": "1"}}, {"device": "tpu"}):
        elsewhere = shown.replace(origin=replace(shown.origin, **other))
        store.put(elsewhere)
        view.open(elsewhere.origin.key)
        assert not view.answered
    view.open(shown.origin.key)
    assert view.answered
    view.options = {**view.options, "n": 5}
    assert not view.answered
    view.expected._latest._job.wait(20)
    view.expected.refresh()
    assert "5 prompts at once" in view.expected.said
    view.options = {**view.options, "n": 4}
    assert (view.answered, view.expected.said) == (True, "")


@pytest.mark.parametrize(
    ("method", "params", "count"),
    [("edge_patch", {"sample": 40}, 40), ("acdc", {"candidates": 30}, 30), ("cdt", {}, 12), ("edge_pruning", {}, 100)],
)
def test_the_limit_on_cells_holds_for_edges_too(llama, tmp_path, monkeypatch, method, params, count):
    monkeypatch.setattr(Question, "_made", lambda self, model: toy_pairs(model))
    monkeypatch.setenv("WORKBENCH_LIMITS", f"cells={count - 1}")
    job = Jobs(Models(lambda ref: llama)).submit("llama", "k", lambda model, job: 1)
    with pytest.raises(BadInput, match=f"the cells of the sweep must be at most {count - 1} on this server; got {count}"):
        Question("llama", "toy", method, params=params).answer(llama, job, Store(tmp_path))
    assert not Store(tmp_path).list(), "something was computed before the limit was looked at"


def test_fewer_at_once_where_memory_is_short(llama, monkeypatch):
    pairs = toy_pairs(llama, n=4)
    whole = {name: planned(llama, pairs, name, {}) for name in ("patch", "edge_patch", "cdt", "discover", "channel_map")}
    monkeypatch.setattr("workbench.models.memory.free_memory", lambda device: 100_000)
    for name, before in whole.items():
        assert planned(llama, pairs, name, {}).forwards >= before.forwards
    learned = planned(llama, pairs, "edge_pruning", {"steps": 2})
    assert learned.forwards > 4
    fewer = planned(llama, pairs, "edge_patch", {})
    assert fewer.at_once < whole["edge_patch"].at_once
    assert fewer.held < whole["edge_patch"].held


def test_several_runs_take_the_time_of_all_and_the_memory_of_the_largest():
    one = Forecast(seconds=2.0, held=100, cells=4, at_once=2, of="cells", passes=6)
    other = Forecast(seconds=10.0, held=50, cells=None, at_most=True, at_once=8, of="prompts", passes=3)
    both = together([one, other])
    assert (both.seconds, both.held, both.cells, both.passes) == (12.0, 100, 4, 9)
    assert both.at_most
    assert not both.before
    assert both.at_once is None, "each has its own"
    assert together([one]) == one
    assert together([Forecast(), Forecast()]).held is None


@pytest.mark.parametrize(
    ("name", "view", "press", "said"),
    [
        ("maps", Maps, "show", "; 8 cells."),
        ("residual", Residual, "show", ""),
        ("heads", Heads, "find", ""),
        ("channels", Channels, "find", ""),
        ("attention", Looks, "show", ""),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_every_page_says_what_its_button_takes_until_it_is_there(name, view, press, said, tmp_path):
    from importlib import import_module

    jobs, module = Jobs(Models()), import_module(f"workbench.pages.{name}")
    made = view(jobs, Store(tmp_path), model="tiny:repeat", task="repeated_tokens", options={"n": 3})
    page = next(one for key, one in vars(module).items() if key.endswith("Page") and one.__module__ == module.__name__)(made)
    if name == "heads":
        # The model's context is short.
        made.params = {**made.params, "length": 8}
    assert made.expected.said == UNLOADED
    assert page.expects.visible
    jobs.models.take("tiny:repeat")
    made.options = {**made.options, "n": 4}
    settle(made)
    assert said in made.expected.said
    assert made.expected.said not in (UNLOADED, "")
    assert made.expected.said.partition(" ")[0] in page.expects.object
    getattr(made, press)()
    if made.status in ("queued", "running"):
        assert not page.expects.visible
    settle(made, 120)
    assert made.status == "done"
    assert made.expected.said == ""
    assert not page.expects.visible


def test_the_page_of_pairs_says_what_a_check_takes_until_it_is_there(tmp_path):
    made = OwnPairs(Jobs(Models()), Store(tmp_path), model="tiny:repeat", task="repeated_tokens", options={"n": 3})
    page = PairsPage(made)
    assert made.expected.said == UNLOADED
    assert page.expects.visible
    made.check()
    assert not page.expects.visible
    settle(made)
    assert made.baseline is not None
    assert (made.expected.said, page.expects.visible) == ("", False)
    made.check()
    settle(made)
    made.baseline = None
    settle(made)
    assert made.expected.said not in ("", UNLOADED)
    # Not of one's own as long as they cannot be used.
    made.param.update(task="custom", rows="clean,corrupt,right,wrong\na b,c,d,e\n")
    settle(made)
    assert made.expected.said == ""


def test_what_a_killed_server_had_finished_is_said_beforehand(tmp_path, monkeypatch):
    """Without the model too, as after the server was started again; and not of what had not begun."""
    jobs, store = Jobs(Models()), Store(tmp_path)
    jobs.models.take("tiny:repeat")
    set_to = {"model": "tiny:repeat", "task": "repeated_tokens", "method": "patch", "options": {"n": 2}}

    def said(jobs):
        made = Circuits(jobs, store, **set_to)
        settle(made)
        return made.expected.said

    assert "cells" in said(jobs)
    assert BEGUN not in said(jobs)
    assert said(Jobs(Models())) == UNLOADED
    killed = Circuits(jobs, store, **set_to)
    # The process ends after the first batch: nothing is told to anybody.
    monkeypatch.setitem(sweep.TOKENS, "cpu", 24)
    true, batches = sweep.engine._Engine._run, []

    def run(self, cells):
        if len(batches) == 3:
            raise RuntimeError("killed")
        batches.append(1)
        return true(self, cells)

    monkeypatch.setattr(sweep.engine._Engine, "_run", run)
    killed.run()
    settle(killed)
    assert len(batches) == 3
    assert said(jobs).endswith(BEGUN)
    assert said(Jobs(Models())) == UNLOADED + BEGUN
    # On the same page too, which had said otherwise before.
    assert killed.expected.said.endswith(BEGUN)
    set_to["method"] = "atp"
    assert BEGUN not in said(jobs)
