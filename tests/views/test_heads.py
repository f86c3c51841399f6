"""The page of heads without a browser: find, join, sort, narrow, open a head, reopen, and its state in the URL."""

import json
import threading
from dataclasses import replace
from html import escape

import numpy as np
import pytest
import torch

from tests import families
from tests.views.conftest import PROMPTS, ROWS, opened, settle
from workbench.detectors.writing import writes
from workbench.errors import BadInput
from workbench.hooks import read
from workbench.jobs import Jobs, Models
from workbench.methods import METHODS
from workbench.pages import heads_words as words
from workbench.plots import figure
from workbench.sites import Site
from workbench.store import Store
from workbench.views.heads import Heads
from workbench.views.heads_address import restore, written
from workbench.views.heads_columns import ABOUT, Column
from workbench.views.heads_filter import narrowed
from workbench.views.heads_table import HeadsTable, measured
from workbench.views.onward import link, looking

UNNAMED = "clean,corrupt,right,wrong\na b c d e,a b f d e,g,h\n"
SMALL = {"examples": 3, "length": 4, "copies": 3}
COUNT = families.LAYERS * families.HEADS


@pytest.fixture
def view(ref, models, tmp_path):
    jobs = Jobs(models)
    yield opened(Heads(jobs, Store(tmp_path / "store"), model=ref, task="custom", rows=ROWS, params=SMALL))
    jobs.stop_all(10)


def found(view):
    view.find()
    settle(view)
    assert (view.status, view.told) == ("done", [])
    return view


def refuse(ref):
    raise AssertionError("a model was loaded")


def test_the_table_holds_the_methods_own_numbers_sorted_by_induction(view):
    found(view)
    model = view.jobs.models.take(view.model)
    direct = METHODS["heads"](model, view.question().pairs(model), **SMALL)
    assert view.results["heads"].origin == direct.origin
    for name, column in view.table.columns.items():
        np.testing.assert_allclose(column.values, direct.values.sel(detector=name).values.ravel(), equal_nan=True)
    assert list(view.table.columns) == list(ABOUT)
    by_hand = sorted(range(COUNT), key=lambda row: -direct.values.sel(detector="induction").values.ravel()[row])
    assert view.order == by_hand
    assert view.head.attention.prompts[0].startswith("1: dhb")
    assert "accuracy" in view.baseline.notes


@pytest.mark.parametrize("method", ["dla", "patch", "atp"])
def test_a_joined_column_is_that_method_by_head(view, method):
    found(view)
    view.joined = [method]
    assert view.live
    assert method not in view.table.columns
    settle(view)
    model = view.jobs.models.take(view.model)
    mean = METHODS[method](model, view.question().pairs(model)).mean().values
    np.testing.assert_allclose(view.table.columns[method].values, mean.values.ravel(), atol=1e-6)
    view.choose(method)
    assert view.map.origin.method == method
    view.joined = []
    assert method not in view.table.columns
    assert view.detector == "induction"
    view.joined = [method]
    assert not view.live, "what is known is joined at once"
    assert method in view.table.columns


def test_the_open_head_links_to_its_attention_and_to_its_cell_of_the_circuits_page(view):
    assert words.links(view) == ""
    found(view)
    view.open((1, 2))
    settle(view)
    view.head.look(prompt=1, of="corrupt")
    on = {"prompt": "1", "of": "corrupt"}
    assert f'href="{escape(looking(view, (1, 2), on))}"' in words.links(view)
    assert "method=discover" in words.links(view)
    view.joined = ["patch"]
    settle(view)
    key = view.results["patch"].origin.key
    cell = {"method": "patch", "result": key, "layer": "1", "head": "2"}
    assert f'href="{escape(link("circuits", view, cell | on))}"' in words.links(view)


def test_what_is_switched_on_before_comes_with_find(view):
    view.joined = ["dla", "atp"]
    assert not view._several
    found(view)
    assert {"dla", "atp"} <= set(view.table.columns)


def test_retrieval_is_asked_of_the_model_alone_and_tells_why_it_cannot_be(view):
    asked = view.question("retrieval")
    assert (asked.task, asked.rows) == ("", "")
    found(view)
    view.joined = ["retrieval"]
    settle(view)
    assert view.status == "failed"
    assert view.told[-1].level == "error"
    assert "retrieval" not in view.table.columns
    assert len(view.table) == COUNT


def test_prompts_without_names_leave_two_columns_out_and_say_why(view):
    view.rows = UNNAMED
    found(view)
    for name in ("name mover", "S-inhibition"):
        column = view.table.columns[name]
        assert np.isnan(column.values).all()
        assert "name both answers" in column.reason
        assert column.text(np.nan) == "–"
    view.sort_by("name mover")
    assert view.order == list(range(COUNT))
    figure(view.map)


def test_a_click_on_a_column_sorts_by_it_and_another_turns_it_round(view):
    found(view)
    view.sort_by("entropy")
    assert (view.sort, view.detector, view.descending) == ("entropy", "entropy", True)
    down = list(view.order)
    view.sort_by("entropy")
    assert view.order == down[::-1]
    view.sort_by("name")
    assert (view.detector, view.order) == ("entropy", list(range(COUNT)))
    view.choose("distance")
    assert (view.sort, view.descending) == ("distance", True)


def test_a_threshold_shows_the_heads_at_or_above_it_until_another_detector_is_chosen(view):
    found(view)
    values = view.table.columns["induction"].values
    view.at_least = float(np.sort(values)[-4])
    assert sorted(view.order) == sorted(np.argsort(-values)[:4].tolist())
    view.choose("entropy")
    assert view.at_least is None
    assert len(view.order) == COUNT


@pytest.mark.parametrize(
    ("text", "keeps"),
    [
        ("", lambda layer, head, of: True),
        ("1.", lambda layer, head, of: layer == 1),
        ("2", lambda layer, head, of: layer == 2),
        ("0.3, 2.1 1", lambda layer, head, of: layer == 1 or (layer, head) in ((0, 3), (2, 1))),
        ("layer>=1; head=2", lambda layer, head, of: layer >= 1 and head == 2),
        ("Induction > 0.1 and layer<2", lambda layer, head, of: of("induction") > 0.1 and layer < 2),
        ("copying, weights<=-0.05", lambda layer, head, of: of("copying, weights") <= -0.05),
        ("s-in>0", lambda layer, head, of: of("S-inhibition") > 0),
        ("entropy >= −1", lambda layer, head, of: True),
    ],
)
def test_a_filter_keeps_what_it_says(view, text, keeps):
    table = found(view).table
    of = [lambda name, row=row: table.columns[name].values[row] for row in range(COUNT)]
    by_hand = [keeps(*table.head(row), of[row]) for row in range(COUNT)]
    assert narrowed(table, text).tolist() == by_hand
    view.narrow(text)
    assert sorted(view.order) == np.flatnonzero(by_hand).tolist()


@pytest.mark.parametrize("text", ["<b>", "moon>1", "induction>", "1-gram 2", "copy>0", "induction>1e9", "9" * 400])
def test_a_filter_that_cannot_be_read_is_refused_and_what_was_shown_stays(view, text):
    found(view)
    view.narrow("1.")
    with pytest.raises(BadInput, match=r"the filter must|column of a filter"):
        view.narrow(text)
    assert (view.only, len(view.order)) == ("1.", families.HEADS)


def test_a_filter_of_before_the_table_that_does_not_fit_it_is_told_and_hides_nothing(view):
    view.narrow("moon>1")
    view.find()
    settle(view)
    assert len(view.order) == COUNT
    assert [one.level for one in view.told] == ["error"]
    assert "column of a filter" in view.told[0].text


def test_an_open_head_shows_where_it_looks_and_what_it_writes(view):
    found(view)
    view.click(figure(view.map), {"curveNumber": 0, "x": 3, "y": 1})
    assert view.head.head == (1, 3)
    settle(view)
    model = view.jobs.models.take(view.model)
    pairs = view.question().pairs(model)
    _, kept = read(model, pairs.clean[:1], pairs.end[:1], [Site("pattern", 1)])
    np.testing.assert_allclose(view.head.attention.scores.values, kept[Site("pattern", 1)][0, 3], atol=1e-6)
    readout = view.head.writes.readout
    np.testing.assert_allclose(readout.values, writes(model, pairs, 1, 3, 0, "clean").values)
    assert list(readout.values["looked at"].values[:2]) == ["↑ all, as it looks", "↓ all, as it looks"]
    figure(readout)
    first = readout
    view.head.look(prompt=1, of="corrupt")
    settle(view)
    assert "corrupt prompt 2" in view.head.attention.scores.title
    assert "corrupt prompt 2" in view.head.writes.readout.title
    view.head.look(prompt=0, of="clean")
    assert not view.live
    assert view.head.writes.readout is first
    view.close()
    assert (view.head.head, view.head.writes.readout, view.head.attention.scores) == (None, None, None)
    with pytest.raises(BadInput, match=r"from 0\.0 to 2\.3"):
        view.open((3, 0))


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2"])
def test_what_is_written_of_each_token_adds_up_to_what_the_head_writes(model_of, family):
    """Weighted by attention the lines of all tokens are the first line, and on the answers it is direct logit attribution."""
    from tests.channels.test_evidence import naming_pairs

    model = model_of(family)
    pairs = naming_pairs(model, ragged=True)
    made = writes(model, pairs, 1, 2, 3, "clean", top=families.VOCAB, most=99, least=0)
    shares = made.values.attention.values[::2]
    assert shares[1:].sum() == pytest.approx(1, abs=1e-5)
    ids = [[families.WORDS.index(str(token)) for token in line] for line in made.parts["token"].values]
    logits, lowered = (np.take_along_axis(made.values.values, np.argsort(ids, axis=1), 1)[at::2] for at in (0, 1))
    np.testing.assert_allclose(logits, -lowered, atol=1e-6)
    np.testing.assert_allclose(logits[0], shares[1:] @ logits[1:], atol=1e-4)
    dla = float(METHODS["dla"](model, pairs).values.sel(layer=1, head=2, prompt=3))
    right, wrong = (logits[0, list(answers[3])].mean() for answers in (pairs.right, pairs.wrong))
    assert right - wrong == pytest.approx(dla, abs=1e-4)


def test_the_sentence_names_the_best_places(view):
    table = found(view).table
    top = int(np.argmax(table.columns["entropy"].values))
    assert f"1st of {COUNT} in entropy" in table.said(table.head(top)) or "1st in entropy" in table.said(table.head(top))
    for row in range(COUNT):
        ranks = [int(column.ranks[row]) for column in table.columns.values()]
        assert table.said(table.head(row)).startswith("It stands out in nothing here") == (1 not in ranks)
    column = Column("x", "x", "", "", "", np.array([0.5, -2.0, 2.0, np.nan, 0.1]))
    assert column.ranks.tolist() == [3, 1, 1, 0, 4]
    assert [column.text(number) for number in (0.5, -2.0, -0.001)] == ["+0.50", "−2.00", "+0.00"]
    for row in range(COUNT):
        assert table.said(table.head(row)).endswith(".")


def test_a_joined_score_that_could_not_be_computed_says_why(view):
    found(view)
    there = view.table.grid("induction")
    missing = there.replace(values=there.values * np.nan, notes={"nan": "in no trial was the needle given back"})
    missing = missing.replace(origin=replace(there.origin, method="retrieval"))
    column = HeadsTable(view.results["heads"], {"retrieval": missing}).columns["retrieval"]
    assert column.reason == "in no trial was the needle given back"
    assert not column.ranks.any()


def test_measures_of_a_head_are_those_of_the_result_and_its_parts(view):
    view.joined = ["dla"]
    found(view)
    result = view.results["heads"]
    said = {one.column.name: one for one in measured(view.table, (2, 1))}
    assert said["induction"].value == pytest.approx(float(result.values.sel(detector="induction", layer=2, head=1)))
    spread = float((result.upper - result.values).sel(detector="induction", layer=2, head=1))
    assert said["induction"].error == pytest.approx(spread)
    np.testing.assert_array_equal(said["induction"].each, result.parts["each induction"].values[:, 2, 1])
    assert len(said["dla"].each) == len(PROMPTS)
    assert np.isnan(said["copying, weights"].error)


def test_stop_ends_all_jobs_and_what_was_there_stays(view, monkeypatch):
    found(view)
    let, true = threading.Event(), METHODS["patch"].run

    def slow(*args, **kwargs):
        let.wait(20)
        return true(*args, **kwargs)

    monkeypatch.setitem(METHODS, "patch", replace(METHODS["patch"], run=slow))
    view.joined = ["patch", "atp"]
    assert view.status in ("queued", "running")
    view.stop()
    let.set()
    settle(view)
    assert view.status == "stopped"
    assert "What was finished is kept" in view.told[-1].text
    assert view.table is not None
    view.find()
    settle(view)
    assert {"patch", "atp"} <= set(view.table.columns)


def test_bad_settings_become_a_notice(view):
    view.params = {**view.params, "examples": 1}
    view.find()
    settle(view)
    assert view.status == "failed"
    assert "examples must be at least 2" in view.told[-1].text
    view.rows = " "
    view.find()
    assert "your pairs" in view.told[-1].text
    assert view.table is None


def test_other_settings_take_the_table_away_and_the_same_bring_it_back(view):
    found(view)
    view.task = "repeated_tokens"
    assert view.table is None
    assert view.order == []


def test_what_is_stored_is_shown_at_once_without_a_model(tmp_path):
    store = Store(tmp_path / "store")
    first = Heads(Jobs(Models()), store, model="tiny:repeat", task="repeated_tokens", params=SMALL, joined=["dla"])
    opened(first)
    found(first)
    again = opened(Heads(Jobs(Models(refuse)), store, model="tiny:repeat", task="repeated_tokens", params=SMALL))
    assert again.table is not None
    assert not again.live
    np.testing.assert_array_equal(again.results["heads"].values, first.results["heads"].values)
    again.joined = ["dla"]
    assert "dla" in again.table.columns
    assert not again.live
    again.options = {**again.options, "seed": 5}
    assert again.table is None
    again.options = {**again.options, "seed": 0}
    assert again.table is not None
    first.jobs.stop_all(10)


def test_the_state_is_flat_and_comes_back(view):
    view.joined = ["dla"]
    found(view)
    view.param.update(only="layer>=1", params={**view.params, "examples": 4})
    found(view)
    view.sort_by("dla")
    view.sort_by("dla")
    view.at_least = -1.5
    view.open((2, 1))
    settle(view)
    view.head.look(prompt=1, of="corrupt")
    settle(view)
    said = written(view)
    assert said == json.loads(json.dumps(said))
    assert all(isinstance(value, str) for value in said.values())
    other = opened(Heads(view.jobs, view.store, rows=ROWS))
    restore(other, said)
    assert other.told == []
    for name in ("model", "task", "options", "params", "joined", "sort", "descending", "detector", "at_least", "only"):
        assert getattr(other, name) == getattr(view, name), name
    assert other.head.head == (2, 1)
    assert (other.head.attention.prompt, other.head.attention.of) == (1, "corrupt")
    assert written(other) == said
    view.sort_by("name")
    assert {"sort": "name"}.items() <= written(view).items()
    assert "order" not in written(view)


@pytest.mark.parametrize(
    "query",
    [
        {"model": "gtp2"},
        {"task": "<script>alert(1)</script>"},
        {"task.n": "many"},
        {"heads.examples": "x"},
        {"joined": "dla eapp"},
        {"detector": "moon"},
        {"sort": "<b>", "order": "sideways"},
        {"least": "1e999"},
        {"head": "1"},
        {"head": "1.2.3", "prompt": "-1", "of": "both"},
        {"head": "<img src=x>"},
        {"nonsense": "1"},
        {"only": "x" * 5000},
    ],
    ids=str,
)
def test_nonsense_in_the_url_gives_one_notice_and_the_defaults(view, query):
    fresh, plain = (opened(Heads(view.jobs, view.store)) for _ in range(2))
    restore(fresh, query)
    assert [one.level for one in fresh.told] == ["warning"]
    assert written(fresh) == written(plain)
    assert not fresh.live


def test_all_that_is_wrong_with_a_link_to_a_table_is_one_notice(view):
    found(view)
    restore(view, {"only": "<i>x", "least": "x", "head": "9.9", "detector": "moon"})
    assert len(view.told) == 1
    for part in ("the filter must", "at least must", "the head must", "the column must"):
        assert part in view.told[0].text
    assert len(view.order) == COUNT


def test_opening_a_link_never_loads_a_model_that_is_not_at_hand(tmp_path):
    view = opened(Heads(Jobs(Models(refuse)), Store(tmp_path)))
    restore(view, {"model": "org/name", "head": "3.1"})
    assert view.head.head == (3, 1)
    assert not view.live
    assert view.told == []


def test_a_head_that_the_model_lacks_is_told_once_the_table_is_there(view):
    view.open((9, 9), load=False)
    view.find()
    settle(view)
    assert view.head.head is None
    assert "the head must be from 0.0 to 2.3; got 9.9" in view.told[-1].text


def test_writes_refuses_what_is_not_there(model_of):
    from tests.conftest import toy_pairs

    model = model_of("llama")
    for layer, head, prompt in ((9, 0, 0), (0, 9, 0), (0, 0, 9)):
        with pytest.raises(BadInput, match="must be from 0"):
            writes(model, toy_pairs(model), layer, head, prompt, "clean")
    assert torch.is_grad_enabled()
