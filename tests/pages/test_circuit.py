"""The card of a Circuit without a browser: what the slider does, what stays, what goes."""

import numpy as np
import pytest

from tests.views.test_circuit_size import GRAPH, SCORES, found, pruned, scored
from workbench.jobs import Jobs
from workbench.pages import words
from workbench.pages.circuits import CircuitsPage
from workbench.pages.swatch import swatch
from workbench.store import Store
from workbench.views.circuits import Circuits
from workbench.widgets.circuit_graph import colouring

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def view(tmp_path):
    """A view that shows a stored circuit."""
    made = Circuits(Jobs(), Store(tmp_path))
    made.open(made.store.put(found()))
    return made


def test_the_page_keeps_the_size_when_it_is_drawn_again_and_shows_no_network_without_edges(view):
    page = CircuitsPage(view)
    page.cards.size.slider.value = 60
    assert view.size == 60
    page.ruler.pixels = 700
    page.page.dark_theme = True
    assert (view.size, page.cards.size.slider.value) == (60, 60)
    assert not page.map.chart.visible
    assert page.cards.network.pane.visible
    assert "60 edges asked for" in page.cards.network.title.object
    assert page.cards.network.pane.across == page._width(page._halved)
    assert page.cards.network.pane.colours == colouring("dark")["colours"]
    assert np.frombuffer(page.cards.network.pane.shown, np.uint8).sum() == pruned("top", 60, True).sum()
    assert '"x0":60' in page.cards.size.curve.chart.figure
    assert not pruned("top", 3, True).any()
    page.cards.size.slider.value = 3
    assert not page.cards.network.pane.visible
    assert "3 edges asked for, 0 kept after pruning: none lies on a path" in page.cards.size.says.object


def test_a_step_of_the_slider_sends_no_edges_again(view):
    page, sent = CircuitsPage(view), []
    page.cards.network.pane.param.watch(
        lambda *events: sent.extend(event.name for event in events), ["ends", "scores", "nodes", "shown", "places"]
    )
    for size in (60, 20, GRAPH.n_edges, 60):
        page.cards.size.slider.value = size
    assert set(sent) == {"shown", "places"}
    assert len(page.cards.network.pane.shown) == len(page.cards.network.pane.scores) // 4


def test_an_unfinished_circuit_is_a_network_without_a_slider(view):
    page = CircuitsPage(view)
    assert page.cards.size.chooser.visible
    scores = SCORES.copy()
    scores[5:] = np.nan
    view.param.update(result=scored(scores, nan="not yet"), whole=False)
    assert not page.cards.size.chooser.visible
    assert not page.cards.size.card.visible
    assert page.cards.network.pane.visible
    assert not page.cards.live.card.visible


def test_scores_alone_have_a_slider_and_no_curve(view):
    page = CircuitsPage(view)
    view.result = scored()
    assert page.cards.size.chooser.visible
    assert not page.cards.size.card.visible
    assert "not measured" in page.cards.size.says.object


def test_what_is_noted_of_a_circuit_is_text(view):
    view.result = found().replace(notes={"selection": HOSTILE, "hold-out": HOSTILE})
    said = words.summary(view.sizes)
    assert "<img" not in said
    assert said.count("&lt;img") == 2


def test_what_is_said_of_a_node_or_an_edge(view):
    page, card = CircuitsPage(view), CircuitsPage(view).cards.live
    assert "Click a node or an edge" in card.about.object
    assert not card.buttons.visible
    view.pick("a0.h1")
    out = SCORES[view.result.values.coords["src"].values == GRAPH.source("a0.h1")].sum()
    assert f"edges out: {out:+.3g} logits" in card.chosen.object
    assert card.buttons.visible
    assert page.cards.network.pane.selected == "a0.h1"
    edge = view.result.names()[int(np.argmax(np.abs(SCORES)))]
    view.pick(edge)
    assert f"rank 1 of {len(SCORES)}" in card.chosen.object
    assert edge.replace("->", " → ").replace("<", "&lt;").replace(">", "&gt;") in card.chosen.object
    view.pick("a1.kv0")
    assert not card.buttons.visible
    assert "serves several heads" in card.about.object
    view.pick("logits")
    assert "write nothing" in card.about.object
    assert "Click a node" not in card.about.object


def test_what_is_replaced_is_listed_crossed_out_and_taken_back(view, monkeypatch):
    monkeypatch.setattr(view.ablation, "measure", lambda: None)
    page, card = CircuitsPage(view), CircuitsPage(view).cards.live
    view.replace("a0.h1", "zero")
    view.replace("a0.h1->logits", "mean")
    assert page.cards.network.pane.replaced == {"a0.h1": "zero", "a0.h1->logits": "mean"}
    assert f"<b>{swatch(1, page.theme)}a0.h1</b> writes zero" in card.list[0][0].object
    assert "carries its mean over the corrupt prompts" in card.list[1][0].object
    card.list[0][1].clicks += 1
    assert [each.place for each in view.ablation.replaced] == ["a0.h1->logits"]
    card.undo.clicks += 1
    assert len(view.ablation.replaced) == 2
    card.clear.clicks += 1
    assert not view.ablation.replaced
    assert page.cards.network.pane.replaced == {}


def test_channels_and_several_checkpoints_say_why_nothing_is_replaced(view):
    circuit = view.result
    weights = circuit.replace(parts={**circuit.parts, "counts": circuit.parts["kept"]})
    view.ablation.ask_about(view._question, weights)
    assert "Unavailable" in view.ablation.unavailable
    view.ablation.ask_about(None, circuit)
    assert "several checkpoints" in view.ablation.why_not("m0")
    card = CircuitsPage(view).cards.live
    assert not card.buttons.visible
    assert "Unavailable" in card.about.object
