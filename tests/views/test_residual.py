"""The page of the residual stream without a browser: every panel, cells and heads, other prompts, and its state in the URL."""

import json
import threading
from dataclasses import replace
from html import escape

import numpy as np
import pytest

from tests import families
from tests.views.conftest import HOSTILE, PROMPTS, ROWS, opened, settle
from workbench.jobs import Jobs, Models
from workbench.methods import METHODS
from workbench.pages import residual_words as words
from workbench.pages.residual_cards import HeadLooks, cards
from workbench.pages.swatch import swatch
from workbench.plots import figure
from workbench.plots.hues import square
from workbench.store import Store
from workbench.views.onward import link, looking, on_prompt
from workbench.views.residual import PANELS, Residual
from workbench.views.residual_address import restore, written
from workbench.views.residual_cells import Place, component_of, place_at

LENGTH = 7


@pytest.fixture
def view(ref, models, tmp_path):
    jobs = Jobs(models)
    yield opened(Residual(jobs, Store(tmp_path / "store"), model=ref, task="custom", rows=ROWS))
    jobs.stop_all(10)


def shown(view):
    view.show()
    settle(view)
    assert (view.status, view.told) == ("done", [])
    return view


def test_every_panel_holds_its_methods_own_numbers(view):
    shown(view)
    assert set(view.results) == set(PANELS)
    model = view.jobs.models.take(view.model)
    for panel, asked in view.questions().items():
        direct = METHODS[asked.method](model, asked.pairs(model), **asked.params)
        assert view.results[panel].origin == direct.origin
        np.testing.assert_allclose(view.results[panel].values.values, direct.values.values, atol=1e-6, equal_nan=True)
    assert view.tokens == PROMPTS[0].split()
    assert view.prompts[1].startswith("2: bhd")
    assert "accuracy" in view.baseline.notes


def test_what_is_chosen_of_a_panel_is_that_part_of_its_result(view):
    shown(view)
    view.norm, view.cosine = "MLP", "last layer"
    assert np.array_equal(view.panel("norms").values, view.results["norms"].values.sel(part="MLP"), equal_nan=True)
    assert np.array_equal(view.panel("cosines").values, view.results["cosines"].values.sel(part="last layer"), equal_nan=True)
    assert view.panel("components").values.dims == ("component",)
    view.shares = "mean"
    assert view.panel("components").values.dims == ("component", "prompt")
    for panel in PANELS:
        assert figure(view.panel(panel), width=500).data


def test_the_shares_add_up_to_the_logit_difference(view):
    shown(view)
    clean = view.baseline.values.sel(run="clean").values
    assert view.total == pytest.approx(clean[0], abs=1e-4)
    view.shares = "mean"
    assert view.total == pytest.approx(clean.mean(), abs=1e-4)
    assert f"{clean.mean():+.3f}" in words.shares(view)


def test_another_prompt_of_the_loaded_model_is_read_at_once_and_what_does_not_depend_on_it_stays(view):
    shown(view)
    kept = view.results["components"]
    view.prompt = 1
    assert view.live
    assert "norms" not in view.results, "numbers of another prompt are not shown"
    assert view.results["components"] is kept
    settle(view)
    assert view.tokens == PROMPTS[1].split()
    assert set(view.results) == set(PANELS)
    view.prompt = 0
    settle(view)
    assert view.tokens == PROMPTS[0].split()


def test_a_difference_has_no_lens_and_no_paths_and_says_why(view):
    view.of = "difference"
    shown(view)
    assert set(view.results) == set(PANELS) - {"lens", "paths"}
    for panel in ("lens", "paths"):
        assert view.panel(panel) is None
        assert "Unavailable" in words.reason(view, panel)
        assert "choose clean or corrupt" in words.reason(view, panel)
    assert np.all(view.results["norms"].values.sel(part="stream").isel(pos=0) > 0)
    between = view.baseline.values.sel(run="clean") - view.baseline.values.sel(run="corrupt")
    assert view.total == pytest.approx(float(between[0]), abs=1e-4)
    view.of = "clean"
    settle(view)
    assert set(view.results) == set(PANELS)


def test_a_panel_that_fails_says_why_and_the_others_are_there(view, monkeypatch):
    from workbench.errors import BadInput

    def fail(*args, **kwargs):
        raise BadInput(f"the lens must be another; got {HOSTILE}.")

    monkeypatch.setitem(METHODS, "lens", replace(METHODS["lens"], run=fail))
    view.show()
    settle(view)
    assert view.status == "failed"
    assert set(view.results) == set(PANELS) - {"lens"}
    assert "&lt;img" in words.reason(view, "lens")
    assert "<img" not in words.reason(view, "lens")
    assert view.told[-1].level == "error"


def test_stop_keeps_what_is_done_and_show_goes_on(view, monkeypatch):
    let, begun, true = threading.Event(), threading.Event(), METHODS["lens"].run

    def slow(*args, **kwargs):
        begun.set()
        let.wait(20)
        return true(*args, **kwargs)

    monkeypatch.setitem(METHODS, "lens", replace(METHODS["lens"], run=slow))
    view.show()
    assert begun.wait(20)
    view.refresh()
    assert {"norms", "cosines"} <= set(view.results), "panels fill as their jobs end"
    view.stop()
    let.set()
    settle(view)
    assert view.status == "stopped"
    assert "components" not in view.results
    assert "Stopped" in words.reason(view, "components")
    shown(view)
    assert set(view.results) == set(PANELS)


def test_a_click_in_any_panel_chooses_the_same_cell(view):
    shown(view)
    for panel in ("norms", "cosines", "lens"):
        view.release()
        view.click(panel, figure(view.panel(panel)), {"curveNumber": 0, "x": 4, "y": 2})
        assert (view.layer, view.pos) == (2, 4)
    view.click("layers", figure(view.panel("layers"), along=True), {"curveNumber": 1, "x": 0.3, "y": 1})
    assert (view.layer, view.pos) == (1, 4), "a layer alone leaves the position"
    paths = figure(view.panel("paths"))
    view.click("paths", paths, {"curveNumber": 5, "x": float(paths.data[5].x[3]), "y": float(paths.data[5].y[3])})
    assert (view.layer, view.pos) == (3, 5)
    view.points = "ends"
    settle(view)
    ends = figure(view.panel("paths"))
    view.click("paths", ends, {"curveNumber": 2, "x": float(ends.data[2].x[1]), "y": float(ends.data[2].y[1])})
    assert (view.prompt, view.layer) == (2, 1)
    for nonsense in ({}, {"x": "a", "y": None}, {"curveNumber": 99, "x": 1, "y": 1}):
        assert place_at(ends, nonsense) is None
        assert component_of(ends, nonsense, view.results["components"]) is None


def test_arrow_keys_move_the_cell_and_stop_at_the_edges(view):
    shown(view)
    view.choose(0, 0)
    view.move(1, 1)
    assert (view.layer, view.pos) == (1, 1)
    view.move(99, 99)
    assert (view.layer, view.pos) == (families.LAYERS, LENGTH - 1)
    view.move(-99, -99)
    assert (view.layer, view.pos) == (0, 0)
    view.release()
    view.move(1, 0)
    assert view.layer is None


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_bars_of_heads_and_the_head_looked_at_are_named_in_its_colour(view, theme):
    shown(view)
    card = cards(view)["components"]
    card.show(theme, 700)
    made, plain = json.loads(card.chart.figure), figure(view.panel("components"), theme=theme, width=700, top=24)
    rows = dict(zip(plain.layout.yaxis.ticktext, made["layout"]["yaxis"]["ticktext"], strict=True))
    assert rows["L1H2"] == square(families.HEADS + 2, theme) + "L1H2"
    assert rows["embedding"] == "embedding"
    assert rows["L1 MLP"] == "L1 MLP"
    assert made["data"][0]["marker"]["color"] == list(plain.data[0].marker.color), "the colour of a bar is its sign"
    assert "■" not in str(made["data"])
    layers = cards(view)["layers"]
    layers.show(theme, 700)
    assert "■" not in layers.chart.figure
    view.open((1, 2))
    settle(view)
    looks = HeadLooks(view)
    looks.show(theme, 700)
    title = json.loads(looks.panel.chart.figure)["layout"]["title"]["text"]
    assert title.startswith(f"{square(families.HEADS + 2, theme)}<b>Attention in layer 1, head 2")


def test_a_bar_of_a_head_shows_where_it_looks_and_links_to_it(view):
    shown(view)
    bars = figure(view.panel("components"))
    names = view.results["components"].values.component.values[list(bars.layout.meta["order"])]
    at = next(index for index, name in enumerate(names) if name == "L1H2")
    view.click("components", bars, {"curveNumber": 0, "x": 0.1, "y": at})
    assert (view.head, view.layer) == ((1, 2), 1)
    settle(view)
    assert view.attention.scores.values.sizes["query"] == LENGTH
    assert words.head(view, "light").count("head=1.2") == 2
    assert "pinned" not in words.head(view, "light")
    for theme in ("light", "dark"):
        assert f"{swatch(families.HEADS + 2, theme)}<b>Head 1.2</b>" in words.head(view, theme)
    view.choose(1, 3)
    assert f'href="{escape(looking(view, (1, 2), {}, 3))}"' in words.head(view, "light")
    mlp = next(index for index, name in enumerate(names) if name == "L2 MLP")
    view.click("components", bars, {"curveNumber": 0, "x": 0.1, "y": mlp})
    assert (view.head, view.layer) == ((1, 2), 2)
    # With another prompt its attention is that of the new one.
    view.prompt = 1
    settle(view)
    assert view.attention.scores.origin.params["prompt"] == 1
    embedding = {"curveNumber": 0, "x": 1, "y": list(names).index("embedding")}
    assert component_of(bars, embedding, view.results["components"]) is None


def test_what_is_said_of_a_cell_are_its_numbers_and_a_hostile_prompt_is_text(view):
    shown(view)
    view.choose(1, 3)
    said = words.chosen(view)
    assert f"{view.results['norms'].values.sel(part='stream', layer=1, pos=3).item():.4g}" in said
    assert f"{view.results['lens'].parts['kl'].sel(layer=1, pos=3).item():.4g}" in said
    lens = view.results["lens"]
    hostile = lens.parts["token"].copy(data=np.full(lens.parts["token"].shape, HOSTILE))
    view.results = {**view.results, "lens": lens.replace(parts={**lens.parts, "token": hostile})}
    assert "<img" not in words.chosen(view)
    assert "&lt;img" in words.chosen(view)
    view.choose(families.LAYERS, 3)
    assert "Output" in words.chosen(view)


def test_stored_answers_are_shown_at_once_without_a_model(models, tmp_path):
    store, options = Store(tmp_path / "store"), {"n": 4}
    jobs = Jobs(models)
    first = opened(Residual(jobs, store, model="tiny:repeat", task="repeated_tokens", options=options))
    shown(first)
    jobs.stop_all(10)

    def refuse(ref):
        raise AssertionError("a model was loaded")

    again = opened(Residual(Jobs(Models(refuse)), store, model="tiny:repeat", task="repeated_tokens", options=options))
    assert set(again.results) == set(PANELS)
    assert not again.live
    assert again.baseline is not None
    assert again.labels[0].startswith("1: ")
    assert again.labels[1] == "prompt 2"


def test_the_url_holds_the_state(view, ref, models, tmp_path):
    shown(view)
    view.param.update(prompt=1, of="corrupt", points="ends", norm="MLP", cosine="attention", lens="KL to output", shares="mean")
    settle(view)
    view.choose(2, 5)
    view.open((1, 3))
    settle(view)
    said = json.loads(json.dumps(written(view)))
    again = opened(Residual(view.jobs, view.store, rows=ROWS))
    restore(again, said)
    settle(again)
    assert again.told == []
    assert written(again) == said
    assert again.attention.scores is not None


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"of": "<b>"}, "of must be one of 'clean', 'corrupt', 'difference'"),
        ({"layer": "-1"}, "layer must be a whole number"),
        ({"prompt": "9" * 9}, "prompt must be a whole number"),
        ({"head": "1.2.3"}, "the head must be written LAYER.HEAD"),
        ({"moon": "1"}, "settings that do not exist here: moon"),
    ],
)
def test_an_edited_url_gives_one_notice(view, query, told):
    restore(view, query)
    assert told in view.told[-1].text
    assert len(view.told) == 1


def test_a_cell_of_the_url_that_the_prompt_does_not_have_is_let_go(view):
    restore(view, {"layer": "50", "pos": "2"})
    shown(view)
    assert view.layer is None
    restore(view, {"layer": "1", "pos": "70"})
    view.prompt = 1
    settle(view)
    assert (view.layer, view.pos) == (1, None)


def test_a_prompt_that_is_not_there_is_told(view):
    view.prompt = 50
    view.show()
    settle(view)
    assert "prompt must be from 0 to 2; got 50" in view.reasons["norms"]
    assert "components" in view.results
    assert len(view.labels) >= 3


def test_links_carry_model_task_and_options(view):
    view.model, view.task, view.options = "tiny:repeat", "repeated_tokens", {**view.options}
    to = link("heads", view, {"head": "1.2"} | on_prompt(2, "corrupt"))
    assert to == "heads?model=tiny%3Arepeat&task=repeated_tokens&head=1.2&prompt=2&of=corrupt"
    assert on_prompt(0, "difference") == {}


def test_places_are_of_layers(view):
    shown(view)
    assert place_at(figure(view.panel("norms")), {"x": 1, "y": 2}) == Place(2, 1)
    assert place_at(figure(view.results["components"]), {"x": 1, "y": 2}) is None
