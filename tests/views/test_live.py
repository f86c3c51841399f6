"""Nodes and edges replaced by hand without a browser: numbers, undo, what was superseded, the address, and what cannot be."""

import numpy as np
import pytest

from tests import families
from tests.views.conftest import opened, settle
from workbench.edges.interventions import Intervention, intervened
from workbench.graph import graph_of
from workbench.jobs import Jobs, Models
from workbench.pages.live import LiveCard
from workbench.pages.live_words import changed
from workbench.pages.swatch import swatch
from workbench.pairs import token_strings
from workbench.plots.text import visible
from workbench.store import Store
from workbench.views import answering
from workbench.views.address import restore, written
from workbench.views.answering import Replaced
from workbench.views.circuits import Circuits

ROWS = "clean,corrupt,right,wrong\na b c d e,a b f d e,g,h\nb c d e f,b c a e f,i,j\n"


@pytest.fixture(scope="module")
def models():
    return Models()


@pytest.fixture
def view(models, tmp_path):
    """A view that shows stored scores of edges, with no model loaded by it."""
    jobs = Jobs(models)
    made = opened(Circuits(jobs, Store(tmp_path / "store"), model="tiny:repeat", task="repeated_tokens", method="eap"))
    made.options = {**made.options, "n": 4}
    made.run()
    settle(made)
    assert made.ablation._ready._job.wait(20), "the runs of a circuit are recorded as soon as it is there"
    made.ablation._ready.refresh()
    yield made
    jobs.stop_all(10)


def test_an_answer_has_the_librarys_own_numbers(view):
    view.pick("a0.h0")
    view.replace("a0.h0", "zero")
    settle(view)
    model = view.jobs.models.take("tiny:repeat")
    pairs = view.question().pairs(model)
    wanted = intervened(model, pairs, [Intervention("a0.h0", "zero")])
    found = view.ablation.answer
    np.testing.assert_array_equal(found.after, wanted.after)
    assert abs(found.change) > 1e-3
    assert found.asked == (Replaced("a0.h0", "zero"),)
    assert found.likeliest[0][1] == visible(token_strings(model.tokenizer, [int(wanted.tokens[1, 0, 0])])[0])
    edge = f"a0.h0->{graph_of(model.cfg).destinations[-1]}"
    view.replace(edge, "other")
    settle(view)
    both = intervened(model, pairs, [Intervention("a0.h0", "zero"), Intervention(edge, "other")])
    np.testing.assert_array_equal(view.ablation.answer.after, both.after)
    namespace = {}
    exec(view.ablation.code, namespace)
    np.testing.assert_allclose(namespace["changed"].after, both.after, atol=1e-5)
    shown = view.ablation.answer.scores.values
    np.testing.assert_array_equal(shown.sel(run="after"), both.after)
    assert float(shown.sel(run="change").mean()) == pytest.approx(both.change)


def test_what_is_replaced_is_named_in_its_colour_and_again_on_a_dark_page(view):
    card, graph = LiveCard(view), view.ablation.graph
    edge = f"a0.h0->{next(name for name in graph.destinations if name.startswith('a1.h2<q>'))}"
    view.pick(edge)
    view.replace(edge, "zero")
    settle(view)
    for theme in ("light", "dark"):
        card.tint(theme)
        name = f"{swatch(0, theme)}a0.h0 → {swatch(graph.n_heads + 2, theme)}a1.h2&lt;q&gt;"
        assert f"{name}</b>" in card.chosen.object
        assert f"× <b>{name}</b> carries zero" in card.list[0][0].object
    assert "■" not in view.ablation.code
    assert "■" not in view.ablation.answer.scores.notes["replaced"]
    view.ablation.clear()
    assert list(card.list) == []


def test_the_code_of_own_pairs_has_the_rows(models, tmp_path):
    jobs, ref = Jobs(models), str(families.save("llama", tmp_path))
    made = opened(Circuits(jobs, Store(tmp_path / "store"), model=ref, task="custom", method="eap", rows=ROWS))
    made.run()
    settle(made)
    made.replace("a0.h0", "mean")
    settle(made)
    namespace = {}
    exec(made.ablation.code, namespace)
    np.testing.assert_allclose(namespace["changed"].after, made.ablation.answer.after, atol=1e-5)
    jobs.stop_all(10)


def test_runs_are_recorded_as_soon_as_a_place_is_looked_at(view, models, monkeypatch):
    runs = answering.Runs()
    monkeypatch.setattr(answering, "RUNS", runs)
    models.unload("tiny:repeat")
    view.pick("m0")
    assert not view.ablation._ready.live, "no model is loaded for a look"
    view.pick("a1.h0")
    job = view.ablation._ready._job
    assert job.wait(20), "for attention it is"
    assert [base.metric for base in runs._kept.values()] == ["logit_diff"]
    view.replace("m0", "zero")
    settle(view)
    assert len(runs._kept) == 1, "the answer starts from what was recorded"
    assert view.ablation.answer is not None


def test_undo_remove_and_clear_and_what_was_asked_before_is_there_at_once(view):
    live = view.ablation
    view.replace("a0.h0", "zero")
    settle(view)
    first = live.answer
    view.replace("a0.h0", "mean")
    settle(view)
    assert live.replaced == [Replaced("a0.h0", "mean")]
    view.replace("a1.h0", "resample")
    settle(view)
    live.remove("a1.h0")
    live.undo()
    assert [each.place for each in live.replaced] == ["a0.h0", "a1.h0"]
    live.undo()
    live.undo()
    assert live.answer.scores is first.scores
    assert not live.live
    assert live.undoable
    live.clear()
    assert (live.replaced, live.answer, live.status) == ([], None, "")
    live.undo()
    assert live.answer.scores is first.scores


def test_the_question_asked_last_wins_and_the_others_are_left(view, models):
    jobs, held = [], view.ablation._latest._jobs.submit

    def submit(*args, **kwargs):
        jobs.append(held(*args, **kwargs))
        return jobs[-1]

    view.ablation._latest._jobs.submit = submit
    for head in range(2):
        for layer in range(2):
            view.replace(f"a{layer}.h{head}", "zero")
    settle(view)
    assert len(view.ablation.answer.asked) == 4
    assert len(jobs) == 4
    assert all(job.wait(20) for job in jobs)
    assert jobs[-1].status == "done"
    assert "stopped" in {job.status for job in jobs[:-1]}


def test_the_runs_are_recorded_once_for_all_clicks(view, monkeypatch):
    import workbench.edges.interventions as library

    monkeypatch.setattr(answering, "RUNS", answering.Runs())
    count, true_recorded = [], library.recorded
    monkeypatch.setattr(library, "recorded", lambda *args: count.append(1) or true_recorded(*args))
    for by in ("zero", "mean", "other"):
        view.replace("m0" if "m0" in view.ablation.graph.sources else "a0.h1", by)
        settle(view)
    assert len(count) == 1


def test_the_address_brings_it_back_and_nonsense_is_one_notice(view, models, tmp_path):
    view.pick("a1.h0")
    view.replace("a1.h0", "mean")
    edge = view.result.names()[3]
    view.replace(edge, "zero")
    settle(view)
    said = written(view)
    assert said["live"] == f"a1.h0:mean,{edge}:zero"
    again = opened(Circuits(view.jobs, view.store))
    restore(again, said)
    settle(again)
    assert again.ablation.place == "a1.h0"
    assert again.ablation.replaced == view.ablation.replaced
    np.testing.assert_array_equal(again.ablation.answer.after, view.ablation.answer.after)
    assert not again.told
    for nonsense in ("a99.h0:zero", "<b>:zero", "a0.h0:corrupt", "logits:zero", "a0.h0", ",".join(["a0.h0:zero"] * 41)):
        other = opened(Circuits(view.jobs, view.store))
        restore(other, {**said, "live": nonsense})
        assert len(other.told) == 1
        assert "could not be used" in other.told[0].text
        assert other.ablation.replaced == []
        settle(other)


def test_bad_places_are_notices_and_another_result_drops_what_was_replaced(view):
    view.pick("a7.h0")
    view.replace("nonsense", "zero")
    assert [notice.level for notice in view.told] == ["error", "error"]
    view.replace("a0.h0", "zero")
    settle(view)
    view.open(view.key)
    assert view.ablation.replaced == []
    assert view.ablation.answer is None
    view.run()
    assert view.ablation.graph is None
    settle(view)
    assert view.ablation.graph is not None


def test_a_failure_is_told_and_the_users_own_pairs_are_asked_for(view, tmp_path, models):
    view.model, view.task, view.rows = "tiny:repeat", "repeated_tokens", ""
    view.options = {**view.options, "n": 1}
    view.run()
    settle(view)
    view.replace("a0.h0", "mean")
    settle(view)
    assert view.ablation.answer is None
    assert "at least 2 pairs" in view.ablation.status


def test_of_many_prompts_the_first_are_run_and_that_is_said(view, monkeypatch):
    monkeypatch.setattr(answering, "PROMPTS", 2)
    view.replace("a0.h1", "other")
    settle(view)
    assert (len(view.ablation.answer.prompts), view.ablation.answer.of) == (2, 4)
    assert "the first 2 of 4 prompts" in changed(view.ablation.answer)
