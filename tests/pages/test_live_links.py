"""Links from the node or edge chosen in a network to its heads on other pages, without a browser."""

import re
from dataclasses import replace
from html import unescape
from urllib.parse import parse_qsl

import pytest

from tests.plots import samples
from workbench.graph import Graph
from workbench.jobs import Jobs
from workbench.pages import live_words as words
from workbench.pages import palettes
from workbench.pages.circuits import CircuitsPage
from workbench.store import Store
from workbench.views.cells import heads_of_place
from workbench.views.circuits import Circuits

HOSTILE = "<img src=x onerror=alert(1)>\"'"
ROWS = "clean,corrupt,right,wrong\na b,a c,d,e\n"
SHOWN = {"model": "tiny", "task": "ioi", "task.n": "3", "head": "1.2"}


@pytest.fixture
def view(tmp_path):
    """A view that shows a stored circuit whose keys and values are shared by two heads each."""
    made = Circuits(Jobs(), Store(tmp_path))
    made.open(made.store.put(samples.circuit()))
    return made


def linked(said):
    """The pages that HTML links to, in its order, each with its label and what its address says."""
    found = re.findall(r'href="([^"]*)">([^<]*)</a>', said)
    parted = [(unescape(to).partition("?"), says) for to, says in found]
    return [(page, says, dict(parse_qsl(query))) for (page, _, query), says in parted]


def test_the_heads_of_a_place_are_told_and_a_shared_one_stands_for_the_first_it_serves():
    graph = Graph(3, 4, 2)
    for place, wanted in {
        "a1.h2": [(1, 2, None)],
        "a0.h3->a2.h1<q>": [(0, 3, None), (2, 1, None)],
        "a0.h3->a2.kv1<v>": [(0, 3, None), (2, 2, (2, 3))],
        "a2.kv0": [(2, 0, (0, 1))],
        "m0->a1.h0<q>": [(1, 0, None)],
        "input->m0": [],
        "logits": [],
        "": [],
    }.items():
        assert heads_of_place(graph, place) == wanted, place


def test_a_node_links_to_its_head_on_three_pages_with_the_prompt_and_the_model_of_the_circuit(view):
    assert words.links(view, "light") == ""
    view.ablation.look("a1.h2")
    view.attention.param.update(prompt=2, of="corrupt")
    # The form may be set to something else by now.
    view.model, view.task = "gpt2", "greater_than"
    assert linked(words.links(view, "light")) == [
        ("heads", "row among all heads", SHOWN | {"prompt": "2", "of": "corrupt"}),
        ("attention", "attention", SHOWN | {"prompt": "2", "of": "corrupt"}),
        ("residual", "residual stream", SHOWN | {"part": "answer", "prompt": "2", "of": "corrupt"}),
    ]
    view.ablation.look("m1")
    assert words.links(view, "light") == ""


def test_an_edge_links_to_both_heads_and_says_which_a_shared_one_stands_for(view):
    view.ablation.look("a0.h3->a2.kv1<v>")
    said = words.links(view, "light")
    assert [query["head"] for _, _, query in linked(said)] == ["0.3"] * 3 + ["2.2"] * 3
    assert "Serves heads 2.2 to 2.3; the first, " in said
    assert said.count("Serves") == 1


def test_only_pages_that_are_served_are_linked_to(view, monkeypatch):
    view.ablation.look("a1.h2")
    monkeypatch.setenv("WORKBENCH_PAGES", "circuits residual")
    assert [page for page, _, _ in linked(words.links(view, "light"))] == ["residual"]
    monkeypatch.setenv("WORKBENCH_PAGES", "circuits")
    assert words.links(view, "light") == ""


def test_own_pairs_and_colours_are_carried_along_and_whatever_stands_in_them_is_text(view, monkeypatch):
    made = samples.circuit()
    view.rows = ROWS
    view.open(view.store.put(made.replace(origin=replace(made.origin, task="custom", task_params={}, model=HOSTILE))))
    view.ablation.look("a1.h2")
    monkeypatch.setattr(palettes, "chosen", lambda: {"palette": HOSTILE})
    said = words.links(view, "dark")
    assert "<img" not in said
    for _, _, query in linked(said):
        assert (query["model"], query["palette"], query["theme"]) == (HOSTILE, HOSTILE, "dark")
        assert (view.store.folder / "texts" / f"{query['rows']}.txt").read_text() == ROWS


def test_the_card_follows_the_place_the_prompt_and_the_theme(view):
    page = CircuitsPage(view)
    links = page.cards.live.links
    assert not links.visible
    view.ablation.look("a1.h2")
    assert links.visible
    assert links.object == words.links(view, "light")
    view.attention.prompt = 1
    assert {query["prompt"] for _, _, query in linked(links.object)} == {"1"}
    page.cards.live.tint("dark")
    assert {query["theme"] for _, _, query in linked(links.object)} == {"dark"}
    view.ablation.look("")
    assert not links.visible
