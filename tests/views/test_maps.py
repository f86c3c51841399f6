"""The page of maps without a browser: three maps of the same cells, their agreement, the locked cell, and the URL."""

import json
import threading
from dataclasses import replace
from html import escape
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest

from tests import families
from tests.views.conftest import HOSTILE, ROWS, opened, settle
from workbench import progress
from workbench.errors import BadInput
from workbench.jobs import Jobs, Models
from workbench.methods import METHODS, agreement
from workbench.pages import maps_words as words
from workbench.pages.maps_cards import Looks, MapCard
from workbench.pages.swatch import swatch
from workbench.plots import figure
from workbench.plots.hues import square
from workbench.store import Store
from workbench.views.cells import Cell
from workbench.views.maps import PAIRS, Maps
from workbench.views.maps_address import restore, written
from workbench.views.maps_kinds import KINDS
from workbench.views.onward import looking


@pytest.fixture
def view(ref, models, tmp_path):
    jobs = Jobs(models)
    yield opened(Maps(jobs, Store(tmp_path / "store"), model=ref, task="custom", rows=ROWS))
    jobs.stop_all(10)


def shown(view):
    view.show()
    settle(view)
    assert (view.status, view.told) == ("done", [])
    return view


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_has_three_maps_of_the_methods_own_numbers(view, kind):
    view.kind = kind
    shown(view)
    model = view.jobs.models.take(view.placed)
    site, by = KINDS[kind].site, KINDS[kind].by
    for method in ("patch", "atp", "relp"):
        direct = METHODS[method](model, view.questions()[method].pairs(model), sites=site, by=by)
        assert view.results[method].origin == direct.origin
        np.testing.assert_allclose(view.results[method].values.values, direct.values.values, atol=1e-6, equal_nan=True)
        made = view.map(method)
        assert len(made.values.dims) == 2
        assert figure(made, limit=view.limit, bar=False, width=280).data[0].zmax == view.limit
    limit = max(np.abs(view.map(method).values.values).max() for method in ("patch", "atp", "relp"))
    assert view.limit == pytest.approx(limit)


def test_agreement_is_the_methods_own_and_stored(view):
    shown(view)
    assert set(view.agreements) == set(PAIRS)
    for pair in PAIRS:
        direct = agreement(*(view.results[method] for method in pair))
        assert np.array_equal(view.agreements[pair].values, direct.values)
        assert view.agreements[pair].origin.key in view.store
    assert f"{view.agreements[PAIRS[0]].values.values[0]:.3f}" in words.agreed(view)


def test_estimates_come_first_and_exact_cells_as_they_are_computed_and_stop_keeps_them(view, monkeypatch):
    let, begun, true = threading.Event(), threading.Event(), METHODS["patch"].run

    def slow(model, pairs, **params):
        whole = true(model, pairs, **params)
        values = whole.values.copy()
        values[1:] = np.nan
        part = whole.replace(values=values, notes={**whole.notes, "nan": "not computed yet"})
        progress.show(lambda: part)
        begun.set()
        let.wait(20)
        for _ in progress.track(range(3), "Patching"):
            pass
        return whole

    monkeypatch.setitem(METHODS, "patch", replace(METHODS["patch"], run=slow))
    view.show()
    assert begun.wait(30)
    view.refresh()
    assert {"atp", "relp"} <= set(view.results)
    assert view.partial is not None
    assert "33% of the cells" in words.reason(view, "patch")
    view.lock(Cell(2, 1))
    assert np.isnan(view.numbers()["patch"][0])
    assert "not computed" in words.locked(view, "light")
    view.stop()
    let.set()
    settle(view)
    assert view.status == "stopped"
    assert np.isfinite(view.map("patch").values.values[0]).all(), "what is finished stays"
    assert "Compute goes on" in words.reason(view, "patch")
    assert ("patch", "atp") not in view.agreements
    monkeypatch.undo()
    shown(view)
    assert view.partial is None
    assert set(view.agreements) == set(PAIRS)


def test_a_click_locks_the_same_cell_in_all_maps_and_keys_move_it(view):
    shown(view)
    view.click(figure(view.map("patch")), {"curveNumber": 0, "x": 3, "y": 1})
    assert view.cell[:2] == (1, 3)
    assert view.frame == {"layer": 1, "head": 3}
    settle(view)
    assert view.attention.scores.values.sizes["query"] == 7
    for method in ("patch", "atp", "relp"):
        each = view.results[method].values.sel(layer=1, head=3).values
        assert view.numbers()[method] == pytest.approx((each.mean(), each.std(ddof=1) / 3**0.5))
        assert f"{each.mean():+.4g}" in words.locked(view, "light")
    view.show_prompt(2)
    assert view.numbers()["patch"][0] == pytest.approx(float(view.results["patch"].values.sel(layer=1, head=3, prompt=2)))
    assert np.isnan(view.numbers()["patch"][1])
    settle(view)
    assert view.attention.scores.origin.params["prompt"] == 2
    view.move(9, -1)
    assert view.cell[:2] == (families.LAYERS - 1, 2)
    view.move(-9, -9)
    assert view.cell[:2] == (0, 0)
    view.release()
    assert view.frame == {}
    assert view.attention.scores is None
    for nonsense in ({}, {"x": "a", "y": 1}, {"x": 99, "y": 1}, {"curveNumber": 7, "x": 1, "y": 1}):
        view.click(figure(view.map("patch")), nonsense)
        assert view.cell is None


def test_heads_by_position_are_rows_the_largest_first_and_the_same_in_all_maps(view):
    view.kind = "positions"
    shown(view)
    largest = np.abs(view.results["atp"].values.mean("prompt")).max("pos")
    first = view.top_heads[0]
    assert float(largest.sel(layer=first[0], head=first[1])) == pytest.approx(float(largest.max()))
    names = [view.map(method).values["head"].values.tolist() for method in ("patch", "atp", "relp")]
    assert names[0] == names[1] == names[2]
    view.click(figure(view.map("relp")), {"curveNumber": 0, "x": 4, "y": 2})
    assert view.cell[:3] == (*view.top_heads[2], 4)
    drawn = float(view.map("relp").values.values[2, 4])
    assert view.numbers()["relp"][0] == pytest.approx(drawn)
    view.move(-1, 0)
    assert view.cell[:2] == view.top_heads[3], "heads go downwards"
    # The prompts have other tokens there.
    assert words.named(view).endswith("position 4 “*”")
    seen = looking(view, view.cell[:2], {}, 4)
    assert f'href="{escape(seen)}"' in words.locked(view, "light")
    query = dict(parse_qsl(urlsplit(seen).query))
    assert (query["head"], query["pinned"]) == (".".join(map(str, view.cell[:2])), "4.")
    view.params = {**view.params, "positions": "named"}
    shown(view)
    view.click(figure(view.map("relp")), {"curveNumber": 0, "x": 0, "y": 2})
    assert "attention?" in words.locked(view, "light")
    assert "pinned" not in words.locked(view, "light"), "which token a named position is, is the prompt's own"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_rows_and_the_locked_cell_have_the_colours_of_their_heads(view, theme):
    view.kind = "positions"
    shown(view)
    card = MapCard(view, "atp", True)
    card.show(theme, 700, False)
    made = json.loads(card.chart.figure)
    wanted = [f"{square(layer * families.HEADS + head, theme)}{layer}.{head}" for layer, head in view.top_heads]
    assert made["layout"]["yaxis"]["ticktext"] == wanted
    assert "■" not in str(made["data"]), "hovers are as they were"
    view.click(figure(view.map("atp")), {"curveNumber": 0, "x": 4, "y": 2})
    settle(view)
    layer, head = view.top_heads[2]
    assert f"{swatch(layer * families.HEADS + head, theme)}Head {layer}.{head}" in words.locked(view, theme)
    looks = Looks(view)
    looks.show(theme, 700)
    title = json.loads(looks.panel.chart.figure)["layout"]["title"]["text"]
    assert title.startswith(f"{square(layer * families.HEADS + head, theme)}<b>Attention in layer {layer}, head {head}")
    view.kind = "v"
    shown(view)
    view.click(figure(view.map("atp")), {"curveNumber": 0, "x": 1, "y": 0})
    assert "aria-hidden" not in words.locked(view, theme), "what heads share has no colour of its own"


def test_cells_of_the_stream_have_no_head_and_keys_are_shared(view):
    view.kind = "stream"
    shown(view)
    view.click(figure(view.map("atp")), {"curveNumber": 0, "x": 2, "y": 1})
    assert view.frame == {"layer": 1, "pos": 2}
    assert view.attention.layer is None
    assert "no head" in words.looks(view)
    assert "residual?" in words.locked(view, "light")
    view.kind = "k"
    assert view.cell is None, "a cell is of its kind"
    settle(view)
    view.click(figure(view.map("atp")), {"curveNumber": 0, "x": 1, "y": 0})
    settle(view)
    assert words.named(view) == "Key-value head 0.1"
    assert view.attention.head == families.HEADS // families.KV_HEADS
    assert "heads?" not in words.locked(view, "light")
    assert "attention?" not in words.locked(view, "light")


def test_other_cells_of_the_loaded_model_are_computed_at_once_and_estimates_alone_where_exact_is_off(view):
    view.exact = False
    shown(view)
    assert set(view.results) == {"atp", "relp"}
    assert "Switched off" in words.reason(view, "patch")
    view.kind = "mlp"
    assert view.live
    assert not view.results
    settle(view)
    assert set(view.results) == {"atp", "relp"}
    view.exact = True
    settle(view)
    assert set(view.agreements) == set(PAIRS)
    view.params = {**view.params, "metric": "kl"}
    settle(view)
    assert view.results["patch"].unit == "nats"


def test_a_map_that_cannot_be_says_why_and_the_others_are_there(view, monkeypatch):
    def fail(*args, **kwargs):
        raise BadInput(f"the model must have rules; got {HOSTILE}.")

    monkeypatch.setitem(METHODS, "relp", replace(METHODS["relp"], run=fail))
    view.show()
    settle(view)
    assert view.status == "failed"
    assert set(view.results) == {"patch", "atp"}
    assert set(view.agreements) == {("patch", "atp")}
    assert "Unavailable" in words.reason(view, "relp")
    assert "<img" not in words.reason(view, "relp")


def test_stored_maps_are_shown_at_once_without_a_model_and_the_url_holds_the_state(models, tmp_path):
    store, options = Store(tmp_path / "store"), {"n": 3}
    jobs = Jobs(models)
    first = opened(Maps(jobs, store, model="tiny:repeat", task="repeated_tokens", options=options))
    shown(first)
    first.lock(Cell(1, 2))
    first.param.update(pair=1)
    first.show_prompt(1)
    settle(first)
    jobs.stop_all(10)

    def refuse(ref):
        raise AssertionError("a model was loaded")

    again = opened(Maps(Jobs(Models(refuse)), store))
    restore(again, written(first))
    settle(again)
    assert again.told == []
    assert written(again) == written(first)
    assert set(again.results) == {"patch", "atp", "relp"}
    assert again.frame == {"layer": 1, "head": 2}
    assert again.baseline is not None


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"kind": "<b>"}, "kind must be one of"),
        ({"against": "patch"}, "against must be one of"),
        ({"layer": "1"}, "the cell must be given by layer, head; got layer"),
        ({"layer": "1", "pos": "2"}, "the cell must be given by layer, head; got"),
        ({"prompt": "x"}, "prompt must be a whole number"),
        ({"method.metric": "moon"}, "metric must be one of"),
        ({"exact": "perhaps"}, "exact must be one of 'yes', 'no'"),
    ],
)
def test_an_edited_url_gives_one_notice(view, query, told):
    restore(view, query)
    assert told in view.told[-1].text
    assert len(view.told) == 1


def test_a_cell_of_the_url_that_is_not_there_is_let_go(view):
    restore(view, {"layer": "50", "head": "1"})
    shown(view)
    assert view.cell is None
