"""The circuits page without a browser: ask, run, stop, click, reopen, and its state in the URL."""

import json
import threading
import time

import numpy as np
import pytest

from tests import families
from tests.conftest import toy_pairs
from tests.views.conftest import settle
from workbench.following import follow
from workbench.jobs import Jobs, Models
from workbench.methods import METHODS
from workbench.pages.circuits import CircuitsPage
from workbench.plots import figure
from workbench.plots.hues import colour, square
from workbench.result import Scores
from workbench.store import Store
from workbench.views.address import restore, written
from workbench.views.cells import Cell, cell_at, group_of, top_cells
from workbench.views.circuits import Circuits
from workbench.views.question import Question, shape_of

ROWS = "clean,corrupt,right,wrong,pos:HERE\na b c d e,a b f d e,g,h,2\nb c d e f,b c a e f,i,j,2\n"


@pytest.fixture
def view(ref, models, tmp_path):
    jobs = Jobs(models)
    made = Circuits(jobs, Store(tmp_path / "store"), model=ref, task="custom", rows=ROWS)
    made.told = []
    made.param.watch(lambda event: made.told.append(event.new), "notice")
    yield made
    jobs.stop_all(10)


def test_the_defaults_are_one_run_away_from_a_map():
    view = Circuits(Jobs(Models()), Store("/nowhere"))
    assert view.question() == Question("smollm2-135m", "ioi", "patch")
    assert view.options["n"] == 8
    assert view.params["by"] == ("layer", "head")


def test_run_gives_the_methods_own_numbers_and_the_baseline(view):
    view.run()
    assert view.status == "queued"
    settle(view)
    assert view.status == "done"
    assert view.whole
    model = view.jobs.models.take(view.model)
    direct = METHODS["patch"](model, view.question().pairs(model))
    np.testing.assert_array_equal(view.result.values, direct.values)
    assert view.result.origin == direct.origin
    assert view.baseline.origin.pairs == direct.origin.pairs
    assert "accuracy" in view.baseline.notes
    assert [entry.key for entry in view.stored] == [view.key] == [direct.origin.key]
    assert view.attention.prompts == ["1: abcde", "2: bcdef"]


def test_a_click_shows_the_patterns_own_numbers(view):
    view.run()
    settle(view)
    view.click(figure(view.result), {"curveNumber": 0, "x": 3, "y": 1})
    settle(view)
    looked = view.attention
    assert (looked.layer, looked.head, looked.heads) == (1, 3, families.HEADS)
    model = view.jobs.models.take(view.model)
    pairs = view.question().pairs(model)
    weights = {}
    model.hook_dict["blocks.1.attn.hook_pattern"].add_hook(lambda x, hook: weights.update(kept=x.detach()))
    model(pairs.clean[:1])
    model.reset_hooks()
    np.testing.assert_allclose(looked.scores.values, weights["kept"][0, 3], atol=1e-6)
    assert list(looked.scores.values["query"].values) == list(pairs.clean_strings[0])
    assert looked.scores.values.dims == ("query", "key")
    figure(looked.scores)


def test_prompt_and_side_choose_other_patterns_and_read_ones_come_back_at_once(view):
    view.run()
    settle(view)
    view.choose(Cell(2, 1))
    settle(view)
    first = view.attention.scores
    view.attention.param.update(prompt=1, of="corrupt")
    view.attention.show()
    settle(view)
    assert not np.allclose(view.attention.scores.values, first.values)
    assert "corrupt prompt 2" in view.attention.scores.title
    view.attention.param.update(prompt=0, of="clean")
    view.attention.show()
    assert not view.live
    np.testing.assert_array_equal(view.attention.scores.values, first.values)


def test_a_key_value_head_stands_for_the_heads_it_serves(view):
    view.params = {**view.params, "sites": ("k", "z")}
    view.run()
    settle(view)
    cell = Cell(0, 1, None, "k")
    assert group_of(view.result, cell) == (1, families.KV_HEADS)
    view.choose(cell)
    settle(view)
    assert view.attention.head == families.HEADS // families.KV_HEADS
    assert "shared by heads 2 to 3" in view.attention.about


def test_a_click_finds_the_site_of_its_panel(view):
    view.params = {**view.params, "sites": ("q", "z"), "by": ("layer", "pos")}
    view.run()
    settle(view)
    made = figure(view.result)
    panels = [i for i, trace in enumerate(made.data) if trace.type == "heatmap"]
    found = [cell_at(view.result, made, {"curveNumber": i, "x": 4, "y": 2}) for i in panels]
    assert found == [Cell(2, None, 4, "q"), Cell(2, None, 4, "z")]
    assert cell_at(view.result, made, {"curveNumber": 99, "x": 0, "y": 0}) is None
    assert cell_at(view.result, made, {"x": "<b>", "y": None}) is None
    assert cell_at(view.result, made, {"curveNumber": 0, "x": 99, "y": 0}) is None


def test_top_cells_are_the_largest_by_size(view):
    view.run()
    settle(view)
    sizes = np.sort(np.abs(view.result.mean().values.values).ravel())[::-1]
    np.testing.assert_allclose([abs(row["value"]) for row in top_cells(view.result, 5)], sizes[:5])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_largest_cells_and_the_attention_are_named_in_the_colours_of_their_heads(view, theme, tinted):
    view.run()
    settle(view)
    page = CircuitsPage(view)
    tinted(page, theme)
    table = page.top.table
    column = table.head.index("head")
    where = [int(row[table.head.index("layer")]) * families.HEADS + int(row[column]) for row in table.rows]
    assert table.spots == [[[column, 0, colour(index, theme)]] for index in where]
    view.click(figure(view.result), {"curveNumber": 0, "x": 2, "y": 1})
    settle(view)
    title = json.loads(page.attention.chart.figure)["layout"]["title"]["text"]
    assert title.startswith(f"{square(families.HEADS + 2, theme)}<b>Attention in layer 1, head 2")


def test_keys_and_values_that_heads_share_have_no_colour(view):
    view.params = {**view.params, "sites": ("k",)}
    view.run()
    settle(view)
    page = CircuitsPage(view)
    assert page.top.table.rows
    assert not any(page.top.table.spots)


def test_stop_ends_the_run_within_one_batch_and_keeps_what_there_is(view, monkeypatch):
    """Cells are let through one batch at a time; after Stop none more is computed."""
    import workbench.methods.patch as patch

    let, batches, true_sweep = threading.Semaphore(2), [], patch.sweep

    def slow(*args, **kwargs):
        for batch in true_sweep(*args, **kwargs):
            let.acquire()
            batches.append(len(batch[0]))
            yield batch

    monkeypatch.setattr(patch, "sweep", slow)
    view.run()
    end = time.monotonic() + 20
    while not (len(batches) == 2 and view.progress) and time.monotonic() < end:
        time.sleep(0.02)
        view.refresh()
    assert view.result is not None
    assert np.isnan(view.result.values).any(), "the map was not partial"
    assert not np.isnan(view.result.values).all()
    assert not view.whole
    assert view.key == ""
    view.stop()
    let.release(100)
    settle(view)
    assert view.status == "stopped"
    assert len(batches) <= 3
    assert "goes on" in view.told[-1].text
    assert view.result is not None
    assert not view.stored
    view.run()
    settle(view)
    assert view.whole


def test_bad_input_becomes_a_notice_and_no_crash(view):
    view.rows = "clean,corrupt,right,wrong\na b c,a b,g,h\n"
    view.run()
    settle(view)
    assert view.status == "failed"
    assert view.told[-1].level == "error"
    assert "same number of tokens" in view.told[-1].text
    view.rows = " "
    view.run()
    assert "your pairs" in view.told[-1].text
    view.task = "repeated_tokens"
    view.options = {**view.options, "n": 0}
    view.run()
    settle(view)
    assert "at least 1" in view.told[-1].text


def test_a_stored_result_reopens_without_a_model(view, ref):
    view.params = {**view.params, "by": ("layer",), "metric": "kl"}
    view.run()
    settle(view)

    def refuse(ref):
        raise AssertionError("a model was loaded")

    other = Circuits(Jobs(Models(refuse)), view.store, task="ioi")
    other.open(view.key)
    np.testing.assert_array_equal(other.result.values, view.result.values)
    assert (other.task, other.method, other.model) == ("custom", "patch", ref)
    assert (other.params["by"], other.params["metric"]) == (("layer",), "kl")
    assert other.baseline is not None
    assert other.whole
    assert other.rows == view.rows, "the user's own pairs are kept beside it"
    for file in (view.store.folder / "texts").iterdir():
        file.unlink()
    other = Circuits(Jobs(Models(refuse)), view.store, task="ioi")
    other.open(view.key)
    other.choose(Cell(1))
    assert "not kept here" in other.notice.text
    assert not other.live


def test_the_state_is_flat_and_comes_back(view):
    view.params = {**view.params, "metric": "prob_diff", "normalise": False, "sites": ("q", "z")}
    view.run()
    settle(view)
    view.choose(Cell(2, 1, None, "z"))
    settle(view)
    said = written(view)
    assert said == json.loads(json.dumps(said))
    assert all(isinstance(value, str) for value in said.values())
    assert said["method.sites"] == "q+z"
    assert "method.normalise" not in said
    other = Circuits(view.jobs, view.store, rows=ROWS)
    restore(other, said)
    assert other.notice is None
    assert other.params == view.params
    assert other.key == view.key


@pytest.mark.parametrize(
    "query",
    [
        {"model": "gtp2"},
        {"task": "<script>alert(1)</script>"},
        {"method": "path"},
        {"task.n": "many", "task.seed": "1"},
        {"method.by": "layer+moon"},
        {"result": "../../etc/passwd"},
        {"result": "zz"},
        {"result": "abcd" * 4},
        {"layer": "-1", "head": "x", "prompt": "9" * 50, "of": "both"},
        {"size": "7"},
        {"nonsense": "1"},
        {"model": "x" * 5000},
    ],
    ids=str,
)
def test_nonsense_in_the_url_gives_one_notice_and_the_defaults(view, query):
    fresh, plain = (Circuits(view.jobs, view.store) for _ in range(2))
    told = []
    fresh.param.watch(lambda event: told.append(event.new), "notice")
    restore(fresh, query)
    assert len(told) == 1
    assert told[0].level == "warning"
    assert {**written(fresh), "task.seed": "0"} == {**written(plain), "task.seed": "0"}
    assert not fresh.live


def test_opening_a_link_never_loads_a_model_that_is_not_at_hand(view, tmp_path):
    view.run()
    settle(view)
    foreign = view.result.replace(origin=view.result.origin.__class__(**{**vars(view.result.origin), "model": "org/name"}))
    view.store.put(foreign)

    def refuse(ref):
        raise AssertionError("a model was loaded")

    other = Circuits(Jobs(Models(refuse)), view.store, rows=ROWS)
    restore(other, {"model": "org/name", "result": foreign.origin.key, "layer": "1", "head": "1"})
    assert other.key == foreign.origin.key
    assert not other.live


def test_rows_are_recognised_by_how_they_begin():
    assert [shape_of(text) for text in ('[{"clean": 1}]', '\n {"clean": 1}', ROWS)] == ["json", "jsonl", "csv"]


def test_results_of_other_kinds_are_shown_too(view):
    for method in ("lens", "lens_by_layer", "dla"):
        view.method = method
        view.run()
        settle(view)
        assert view.status == "done", view.told[-1].text
        figure(view.result)
        assert isinstance(top_cells(view.result), list)
        assert bool(top_cells(view.result)) == isinstance(view.result, Scores)


def test_a_result_at_several_checkpoints_opens_with_the_run_in_the_form(view, tmp_path):
    """Its cells are of no one model: no attention is shown, and nothing is loaded."""
    for seed, step in enumerate(("step0", "step5")):
        families.save("llama", tmp_path / "run" / step, seed=seed)
    stacked = follow(str(tmp_path / "run"), "patch", pairs=toy_pairs, device="cpu", store=view.store)
    view.store.put(stacked)
    view.open(stacked.origin.key)
    assert view.model == str(tmp_path / "run")
    np.testing.assert_array_equal(view.result.values, stacked.values)
    view.choose(Cell(1, 0))
    assert not view.live
    assert view.attention.scores is None
