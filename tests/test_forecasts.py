"""Forecasts against what was counted: passes, cells, memory; times of earlier runs; nothing where it is not known."""

import pytest

from tests.conftest import toy_pairs
from workbench import sweep
from workbench.errors import BadInput
from workbench.forecasts import COUNTS, TIMES, counted, forecast, paced, recalled, remember
from workbench.jobs import Jobs, Models
from workbench.methods import METHODS
from workbench.store import Store
from workbench.views.circuits import Circuits
from workbench.views.expected import UNKNOWN, UNLOADED, duration, words
from workbench.views.question import Question


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
    work = counted(llama, pairs, "patch", params)
    found = []
    assert passes(llama, lambda: found.append(METHODS["patch"](llama, pairs, **params))) == work.forwards
    assert work.cells == found[0].values.size / len(pairs)
    assert work.held > 0


@pytest.mark.parametrize("method", ["baseline", "atp", "relp"])
def test_other_methods_take_the_passes_that_were_forecast(llama, method):
    pairs = toy_pairs(llama)
    work = counted(llama, pairs, method, {})
    assert passes(llama, lambda: METHODS[method](llama, pairs)) == work.forwards
    assert work.tokens == work.forwards * pairs.clean.numel()
    assert (work.backwards, work.cells) == ({"baseline": 0}.get(method, 1), None)


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


def test_what_is_not_known_is_none_until_it_has_run_once(llama, tmp_path):
    pairs, more = toy_pairs(llama), toy_pairs(llama, n=6)
    assert "dla" not in COUNTS
    assert forecast(llama, pairs, "dla", {}, tmp_path).seconds is None
    remember(tmp_path, llama, pairs, "dla", {}, 3.0)
    found = forecast(llama, more, "dla", {}, tmp_path)
    assert (found.seconds, found.before, found.cells, found.held) == (6.0, True, None, None)
    assert recalled(tmp_path, llama, pairs, "dla", {"normalise": True}) is None


@pytest.mark.parametrize("damaged", ["", "[]", "{", '{"a": 1}', "null"])
def test_damaged_times_are_no_times(llama, tmp_path, damaged):
    pairs = toy_pairs(llama)
    (tmp_path / TIMES).write_text(damaged)
    assert recalled(tmp_path, llama, pairs, "dla", {}) is None
    remember(tmp_path, llama, pairs, "dla", {}, 1.0)
    assert recalled(tmp_path, llama, pairs, "dla", {}) == 1.0
    remember(tmp_path / "nosuch", llama, pairs, "dla", {}, 1.0)


def test_a_forecast_in_words(llama):
    found = forecast(llama, toy_pairs(llama), "patch", {})
    assert words(found, 1e12).endswith("12 cells.")
    assert "more than the 0.00 GB that are free" in words(found, 1)
    assert words(forecast(llama, toy_pairs(llama), "dla", {}), 1) == UNKNOWN
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
    assert view.expected.said.endswith("3 cells.")
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
