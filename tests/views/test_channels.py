"""The channels page without a browser: search, stop, choose a pair by every route, drag, reopen, and its state in the URL."""

import json
import threading
from dataclasses import replace

import numpy as np
import pytest

from tests import families
from tests.views.conftest import PROMPTS, ROWS, opened, settle
from workbench.channels.evidence import Bench
from workbench.channels.pair import ALPHAS, component_effects, component_scores, scaled
from workbench.channels.weights import Heads
from workbench.jobs import Jobs, Models
from workbench.methods import METHODS
from workbench.pages import channel_words
from workbench.pages.channels import ChannelsPage
from workbench.pages.swatch import swatch
from workbench.plots import figure
from workbench.plots.hues import colour
from workbench.store import Store
from workbench.store.texts import text_key
from workbench.views.channels import Channels
from workbench.views.channels_address import restore, written
from workbench.views.composed import between, by_layer, cell_at
from workbench.views.pair import strongest
from workbench.views.search import effects_of

pytestmark = pytest.mark.usefixtures("lenient")
UNNAMED = "clean,corrupt,right,wrong\na b c d e,a b f d e,g,h\n"


@pytest.fixture
def view(ref, models, tmp_path):
    jobs = Jobs(models)
    made = opened(Channels(jobs, Store(tmp_path / "store"), model=ref, task="custom", rows=ROWS))
    yield made
    jobs.stop_all(10)


def bench_of(view):
    model = view.jobs.models.take(view.model)
    return Bench(Heads(model), view.question().pairs(model))


def refuse(ref):
    raise AssertionError("a model was loaded")


def test_the_search_gives_the_methods_own_numbers_and_chooses_the_strongest(view):
    view.find()
    assert view.status == "queued"
    settle(view)
    assert (view.status, view.told, view.reason) == ("done", [], "")
    model = view.jobs.models.take(view.model)
    direct = METHODS["channels"](model, view.question().pairs(model), slots="q")
    np.testing.assert_array_equal(view.channels.values, direct.values)
    assert view.channels.origin == direct.origin
    layers = METHODS["composition"](model, slots="q", of="component")
    np.testing.assert_allclose(view.layers.values, layers.values[0], rtol=1e-6)
    best = str(direct.values.channel.values[0])
    pair = view.pair
    assert f"{pair.writer[0]}.{pair.writer[1]}.{pair.component} -> {pair.reader[0]}.{pair.reader[1]} q" == best
    assert pair.scaled is not None
    assert view.between == (pair.writer[0], pair.reader[0])


def test_names_of_heads_have_their_colours_in_the_table_and_in_the_pairs_title(view, ref, tmp_path, tinted):
    view.find()
    settle(view)
    page = ChannelsPage(view)
    (layer, head), (later, reads) = view.pair.writer, view.pair.reader
    one, other = layer * families.HEADS + head, later * families.HEADS + reads
    for theme in ("light", "dark"):
        tinted(page, theme)
        assert page.bars.says.object.count(f"{swatch(one, theme)}{layer}.{head} → {swatch(other, theme)}{later}.{reads}<") == 1
        first = page.table.rows[0][0]
        assert first == str(view.channels.values.channel.values[0]).replace("->", "→"), "the names themselves stay as they are"
        places = [0, first.index(f"{later}.{reads} q")]
        assert page.table.spots[0] == [[0, places[0], colour(one, theme)], [0, places[1], colour(other, theme)]]
        assert len(page.table.spots) == len(page.table.rows)
    # A pair that is named before anything was searched.
    fresh = Channels(view.jobs, Store(tmp_path / "other"), model=ref, task="custom", rows=ROWS)
    assert fresh.heads == 0
    fresh.choose((0, 1), (2, 3))
    assert "aria-hidden" not in channel_words.pair(fresh, "light")
    settle(fresh)
    assert f"{swatch(2 * families.HEADS + 3, 'light')}2.3" in channel_words.pair(fresh, "light")


def test_cells_lead_from_layers_to_heads_to_the_pair(view):
    view.find()
    settle(view)
    made = figure(view.layers)
    view.click_layers(made, {"curveNumber": 0, "x": 0, "y": 2})
    assert view.between != (2, 0), "no head of layer 2 stands before layer 0"
    view.click_layers(made, {"curveNumber": 0, "x": 2, "y": 0})
    assert view.between == (0, 2)
    heads = METHODS["composition"](view.jobs.models.take(view.model), slots="q", by="head", of="component")
    for writer in range(families.HEADS):
        for reader in range(families.HEADS):
            there = heads.values.sel(slot="q", writer=f"0.{writer}", reader=f"2.{reader}")
            assert float(view.block.values[writer, reader]) == float(there)
    view.click_heads(figure(view.block), {"curveNumber": 0, "x": 3, "y": 1})
    assert (view.pair.writer, view.pair.reader) == ((0, 1), (2, 3))
    settle(view)
    bench = bench_of(view)
    known = view.pair.known
    np.testing.assert_array_equal(known.scores.values, component_scores(bench.heads, "q", (0, 1), (2, 3)).values)
    np.testing.assert_allclose(known.effects.values, component_effects(bench, (0, 1), (2, 3)).values, atol=1e-7)
    assert view.pair.component == int(known.effects.mean().values.values.argmax())
    np.testing.assert_allclose(
        view.pair.scaled.attention, scaled(bench, (0, 1), (2, 3), view.pair.component).attention, atol=1e-7
    )


@pytest.mark.parametrize(
    "point", [{"x": "<b>", "y": None}, {"x": 99, "y": 0}, {"x": -1, "y": 0}, {"curveNumber": 9, "x": 1, "y": 0}]
)
def test_what_is_no_cell_chooses_nothing(view, point):
    view.find()
    settle(view)
    assert cell_at(figure(view.layers), point) is None


def test_a_row_of_the_table_shows_its_effects_at_once(view):
    view.find()
    settle(view)
    view.choose((0, 0), (1, 0))
    settle(view)
    view.pair._kept.clear()
    view.choose_row(0)
    assert view.live
    np.testing.assert_array_equal(view.pair.known.effects.values, view.channels.parts["components"][0])
    settle(view)
    assert view.pair.known.effects.values.dims == ("component", "prompt")


def test_dragging_does_no_model_work(view, monkeypatch):
    view.find()
    settle(view)
    monkeypatch.setattr(view.jobs, "submit", refuse)
    for alpha in ALPHAS:
        view.pair.alpha = alpha
        view.pair.prompt = 1
        for result in (view.pair.scaled.looks(alpha, 1), view.pair.scaled.logits(alpha, 1)):
            figure(result)
        assert not view.live
    values = view.pair.scaled.looks(2, 1).values
    assert values.sizes == {"α": 2, "looked at": 7}
    assert not np.allclose(values[0], values[1])


def test_another_component_is_computed_once(view, monkeypatch):
    view.find()
    settle(view)
    first = view.pair.component
    view.choose_component(first ^ 1)
    assert view.live
    assert view.pair.scaled is None, "what was computed of another component must not stand there"
    assert view.pair.known.effects is not None
    settle(view)
    assert view.pair.scaled.channel.endswith(f".{first ^ 1}")
    monkeypatch.setattr(view.jobs, "submit", refuse)
    view.choose_component(first)
    assert view.pair.scaled.channel.endswith(f".{first}")


@pytest.mark.parametrize(
    ("writer", "reader", "said"),
    [
        ("x", "2.1", "LAYER.HEAD"),
        ("0.1", "2", "LAYER.HEAD"),
        ("0.²", "2.1", "LAYER.HEAD"),
        ("<b>", "2.1", "LAYER.HEAD"),
        ("0.1", "2.1.1", "the reader must be a head"),
        ("2.1", "0.1", "the reader must be in a later layer"),
        ("1.1", "1.2", "the reader must be in a later layer"),
        ("0.9", "2.1", "must be a head from 0.0 to 2.3; got 0.9"),
        ("0.1", "7.1", "must be a head from 0.0 to 2.3; got 7.1"),
    ],
)
def test_a_bad_name_gives_one_notice_and_keeps_the_pair(view, writer, reader, said):
    view.find()
    settle(view)
    before = (view.pair.writer, view.pair.reader)
    view.choose_named(writer, reader)
    settle(view)
    assert [notice.level for notice in view.told] == ["error"]
    assert said in view.told[0].text
    assert (view.pair.writer, view.pair.reader) == before


def test_a_pair_is_typed_without_a_search(view):
    view.choose_named("0.1", "")
    assert view.pair.writer is None
    view.choose_named(" 0.1.4 ", "2.3")
    settle(view)
    assert (view.pair.writer, view.pair.reader, view.pair.component) == ((0, 1), (2, 3), 4)
    assert view.pair.scaled.channel == "0.1.4"
    assert view.composed is None
    view.slot = "v"
    settle(view)
    assert view.pair.known.scores.title.endswith("(v)")
    view.slot = "q"
    view.choose_named("0.1", "9.9")
    settle(view)
    assert [notice.text for notice in view.told] == ["layer must be from 0 to 2; got 9."]
    assert view.pair.known.scores is None
    for slot in ("q", "k"):
        view.slot = slot
        view.choose_named("0.1.77", "2.3")
        settle(view)
        assert view.told[-1].text == "component must be from 0 to 5; got 77."
        view.choose_named("0.1.3", "2.3")
        view.told.append(None)


def test_a_task_that_names_no_answers_gives_the_weights_and_says_why(view):
    view.rows = UNNAMED
    view.find()
    settle(view)
    assert view.status == "done"
    assert [notice.level for notice in view.told] == ["warning"]
    assert "do not. Use a task like ioi" in view.told[0].text
    assert view.channels.origin.task == ""
    assert (view.channels.values.q > 0.01).all(), "of a random model no component counts"
    view.choose((0, 1), (2, 3))
    settle(view)
    assert "do not" in view.pair.known.reason
    assert len(view.told) == 1
    assert view.pair.known.scores is not None
    assert view.pair.scaled is None


def test_a_task_on_which_nothing_inhibits_gives_the_weights_and_says_why(view, monkeypatch):
    monkeypatch.setattr("workbench.channels.find.RATE", -1.0)
    view.find()
    settle(view)
    assert "channels must find a head that pushes a reader" in view.told[0].text
    assert "channels must find a head that pushes a reader" in view.reason
    assert view.channels.origin.task == ""
    view.choose((0, 1), (2, 3))
    settle(view)
    assert view.pair.scaled is not None, "the pair's own effects can be told all the same"


@pytest.mark.parametrize("slot", ["k", "v"])
def test_other_slots_are_searched_at_once_and_have_no_effects(view, slot):
    view.find()
    settle(view)
    view.slot = slot
    settle(view)
    assert view.layers.title.endswith(f"({slot})")
    assert view.channels.origin.params["slots"] == slot
    assert not view.told
    assert "queries only" in view.pair.known.reason
    assert view.pair.known.scores.title.endswith(f"({slot})")
    assert (view.pair.known.effects, view.pair.scaled) == (None, None)
    view.slot = "q"
    settle(view)
    assert view.pair.scaled is not None


def test_what_was_asked_of_other_prompts_goes(view):
    view.find()
    settle(view)
    pair, before = (view.pair.writer, view.pair.reader), view.pair.known
    view.rows = ROWS.replace("d h b c f g a,i", "d h b c g f a,i")
    assert view.channels is None
    assert view.layers is not None
    assert view.pair.scaled is None
    settle(view)
    assert (view.pair.writer, view.pair.reader) == pair
    assert not np.allclose(view.pair.known.effects.values, before.effects.values)
    view.model = "smollm2-135m"
    assert (view.layers, view.pair.writer, view.between) == (None, None, None)
    assert not view.live


def test_stop_ends_the_search_and_keeps_what_there_is(view, monkeypatch):
    import workbench.channels.find as find

    begun, let, true = threading.Event(), threading.Event(), find.whole_heads

    def slow(*args):
        begun.set()
        let.wait(20)
        return true(*args)

    monkeypatch.setattr(find, "whole_heads", slow)
    view.find()
    assert begun.wait(30)
    view.refresh()
    assert view.layers is not None
    assert view.channels is None
    view.choose((0, 0), (1, 0))
    assert view.pair.waits
    view.stop()
    let.set()
    settle(view)
    assert view.status == "stopped"
    assert view.told[-1].level == "info"
    assert view.layers is not None
    assert view.channels is None
    assert view.pair.scaled is not None


def test_what_is_stored_comes_at_once_without_a_model(view):
    view.find()
    settle(view)
    options = {"n": 8, "seed": 0, "order": "ABBA", "corruption": "abc", "template": None}
    for result in (view.composed, view.channels):
        origin = replace(result.origin, model="smollm2-135m")
        view.store.put(result.replace(origin=replace(origin, task="ioi", task_params=options) if origin.task else origin))
    other = opened(Channels(Jobs(Models(refuse)), view.store))
    np.testing.assert_array_equal(other.channels.values, view.channels.values)
    np.testing.assert_array_equal(other.layers.values, view.layers.values)
    assert not other.live
    other.options = {**other.options, "n": 9}
    assert other.channels is None
    assert other.layers is not None
    other.slot = "k"
    assert other.layers is None
    assert not other.live


def test_bad_input_becomes_a_notice(view):
    view.rows = " "
    view.find()
    assert "press Find channels" in view.told[-1].text
    view.model = ""
    view.find()
    assert "the model must be" in view.told[-1].text
    assert not view.live


def test_the_state_is_flat_and_comes_back(view):
    view.choose((0, 1), (2, 3), 4)
    settle(view)
    view.pair.param.update(alpha=2.5, prompt=1)
    said = written(view)
    assert said == json.loads(json.dumps(said))
    assert {**said, "model": ""} == {
        "model": "", "task": "custom", "writer": "0.1", "reader": "2.3", "component": "4", "alpha": "2.5", "prompt": "1",
        "rows": text_key(ROWS),
    }  # fmt: skip
    other = opened(Channels(view.jobs, view.store, rows=ROWS))
    restore(other, said)
    settle(other)
    assert not other.told
    assert written(other) == said
    np.testing.assert_array_equal(other.pair.scaled.answer, view.pair.scaled.answer)


@pytest.mark.parametrize(
    "query",
    [
        {"model": "gtp2"},
        {"task": "<script>alert(1)</script>"},
        {"task.n": "many"},
        {"slot": "z"},
        {"writer": "0.1"},
        {"writer": "<b>", "reader": "2.3"},
        {"writer": "2.1", "reader": "0.1"},
        {"writer": "9" * 250 + ".1", "reader": "x"},
        {"component": "x", "alpha": "0.3", "prompt": "-1"},
        {"alpha": "nan"},
        {"nonsense": "1"},
    ],
    ids=str,
)
def test_nonsense_in_the_url_gives_one_notice_and_the_defaults(view, query):
    fresh, plain = (opened(Channels(Jobs(Models(refuse)), view.store)) for _ in range(2))
    restore(fresh, query)
    assert [notice.level for notice in fresh.told] == ["warning"]
    assert written(fresh) == written(plain)
    assert not fresh.live


def test_opening_a_link_never_loads_a_model_that_is_not_at_hand(view):
    other = opened(Channels(Jobs(Models(refuse)), view.store))
    restore(other, {"model": "org/name", "writer": "7.2", "reader": "9.1", "prompt": "99"})
    assert (other.pair.writer, other.pair.reader, other.live) == ((7, 2), (9, 1), False)


def test_a_prompt_beyond_the_last_is_the_last(view):
    restore(view, {"writer": "0.1", "reader": "2.3", "prompt": "99", "component": "0"})
    settle(view)
    assert view.pair.prompt == 2


def test_the_strongest_and_the_chosen_are_shown(view):
    view.choose((0, 1), (2, 3))
    settle(view)
    effects = view.pair.known.effects
    order = np.argsort(-np.abs(effects.mean().values.values)).tolist()
    assert list(strongest(effects, order[-1], 3).values.component.values) == [*order[:2], order[-1]]
    assert strongest(effects, 0, 99) is effects
    assert "3 of 6" in strongest(effects, None, 3).notes["shown"]


def test_heatmaps_are_parts_of_the_whole(view):
    view.find()
    settle(view)
    assert float(by_layer(view.composed).values[0, 2]) == float(between(view.composed, 0, 2).values.max())
    assert np.isnan(by_layer(view.composed).values[1, 1])


def test_a_pair_that_the_model_lacks_is_forgotten_when_the_model_is_known(view):
    view.choose((5, 0), (9, 0), show=False)
    view.find()
    settle(view)
    assert [notice.level for notice in view.told] == ["error"]
    assert "must be a head from 0.0 to 2.3; got 5.0" in view.told[0].text
    assert view.status == "done"
    assert view.pair.writer is not None, "the strongest channel is chosen in its place"


def test_a_pair_that_comes_back_has_its_prompts(view):
    view.find()
    settle(view)
    labels = list(view.pair.prompts)
    assert len(labels) == len(PROMPTS)
    for slot in ("k", "q"):
        view.slot = slot
        settle(view)
    assert view.pair.prompts == labels


def test_a_component_that_there_is_not_is_not_asked_again(view):
    view.find()
    settle(view)
    view.choose_component(77)
    settle(view)
    assert "component must be from 0 to" in view.told[-1].text
    told = len(view.told)
    view.find()
    settle(view)
    assert len(view.told) == told
    assert view.pair.scaled is not None


def same(code, shown):
    names = {}
    exec(code, names)
    made = names["result"]
    assert made.values.dims == shown.values.dims
    np.testing.assert_allclose(made.values.values, shown.values.values, rtol=1e-5, atol=1e-6)


def test_the_code_of_every_panel_gives_its_numbers(view):
    view.find()
    settle(view)
    pair = view.pair
    same(view.code(view.layers), view.layers)
    same(view.code(view.block), view.block)
    same(pair.code(pair.known.scores), pair.known.scores)
    same(pair.code(pair.known.effects), pair.known.effects)
    kept = effects_of(view.channels, pair.writer, pair.reader)
    same(pair.code(kept), kept)
    pair.param.update(alpha=2.0, prompt=1)
    scaled_now = pair.scaled
    shown = {"looks": scaled_now.looks(2.0, 1), "logits": scaled_now.logits(2.0, 1), "answers": scaled_now.answers(),
             "leaning": scaled_now.leaning()}  # fmt: skip
    for name, result in shown.items():
        same(pair.code(result, name), result)
