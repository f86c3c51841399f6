"""The open head and the stored circuits it is in, without a browser and without the model."""

import os
import re
import time
from dataclasses import replace
from datetime import datetime
from html import unescape
from pathlib import Path
from urllib.parse import parse_qsl

import numpy as np
import pytest
import xarray as xr

from tests.plots import samples
from tests.views.conftest import HOSTILE, ROWS, opened
from workbench.jobs import Jobs
from workbench.pages import heads_words as words
from workbench.pages import palettes
from workbench.pages.head import HeadCards
from workbench.result import Scores
from workbench.store import Store
from workbench.views.address import restore
from workbench.views.circuits import Circuits
from workbench.views.heads import HEADS, Heads
from workbench.views.in_circuits import held_by

IN, OUT = (0, 1), (2, 3)
EDGES = ["input->a0.h1<q>", "a0.h1->a2.kv0<k>", "a0.h1->logits"]


def circuit(seed=0, edges=EDGES, **origin):
    """A circuit of these edges alone; by default a0.h1 is in it, a2.h3 is not."""
    made = samples.circuit()
    kept = xr.DataArray(np.isin(made.names().astype(str), edges), dims=("edge",))
    known = replace(samples.ORIGIN, method="discover", params={"seed": seed}, **{"model": "gpt2", **origin})
    return made.replace(parts={**made.parts, "kept": kept}, origin=known)


def put(store, result, at):
    """Store a result as if at that time."""
    key = store.put(result)
    os.utime(store.path(key), (at, at))
    return key


def rest(store):
    """As if nothing had changed in the store for a while."""
    past = time.time() - 60
    os.utime(store.folder, (past, past))


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def view(store):
    made = opened(Heads(Jobs(), store, model="gpt2", task="ioi"))
    made.open(IN, load=False)
    return made


def linked(said):
    """The links of HTML to circuits with a node chosen: what each says, and its address."""
    found = [(unescape(text), unescape(to)) for to, text in re.findall(r'href="([^"]*)">([^<]*)</a>', said)]
    return [(text, to) for text, to in found if "&at=" in to]


def query(to):
    page, _, said = to.partition("?")
    assert page == "circuits"
    return dict(parse_qsl(said))


def test_the_newest_three_circuits_of_the_model_and_task_are_looked_into_and_no_others(view, store):
    now = time.time()
    keys = [put(store, circuit(seed), now - 10 * seed) for seed in range(5)]
    others = [{"model": "gpt2-medium"}, {"task": "capitals"}, {"dtype": "bfloat16"}, {"fingerprint": "e" * 16}]
    for seed, other in enumerate(others[:3]):
        put(store, circuit(seed, **other), now + 10)
    put(store, samples.circuit(kept=False).replace(origin=replace(samples.ORIGIN, model="gpt2")), now + 20)
    assert [query(to)["result"] for _, to in linked(words.links(view))] == keys[:3]
    text, _ = linked(words.links(view))[0]
    assert text == f"In the circuit of {datetime.fromtimestamp(now):%H:%M}, 3 edges"
    # The weights of a folder may be others by now.
    values = xr.DataArray(np.zeros((1, 1, 1)), dims=("detector", "layer", "head"))
    view.results = {HEADS: Scores("Heads", "", values, origin=replace(samples.ORIGIN, method=HEADS, fingerprint="d" * 16))}
    assert linked(words.links(view)) == []
    assert "of this task" not in words.links(view)


def test_a_head_that_is_in_some_or_none_is_told_so_and_nothing_where_no_circuit_is_stored(view, store):
    assert "method=discover" in words.links(view)
    assert "of this task" not in words.links(view)
    now = time.time()
    put(store, circuit(0), now)
    view.open(OUT, load=False)
    assert "a2.h3 is not in the last circuit of this task" in words.links(view)
    put(store, circuit(1, ["a2.h3->logits"]), now - 86400 * 3)
    (text, to), *more = linked(words.links(view))
    assert (text, more) == (f"In the circuit of {datetime.fromtimestamp(now - 86400 * 3):%Y-%m-%d %H:%M}, 1 edge", [])
    assert query(to)["at"] == "a2.h3"
    assert "of this task" not in words.links(view)
    for seed in (2, 3):
        put(store, circuit(seed), now)
    assert "a2.h3 is in none of the last 3 circuits of this task" in words.links(view)


def test_a_key_value_head_that_others_share_puts_none_of_them_in_the_circuit():
    held = held_by(circuit())
    assert held == (3, frozenset({"input", "a0.h1", "a2.kv0", "logits"}))


def test_no_file_is_read_twice_and_the_store_is_not_listed_again_until_it_changes(view, store, monkeypatch):
    read, listed = [], []
    true_bytes, true_list = Path.read_bytes, Store.list
    monkeypatch.setattr(Path, "read_bytes", lambda path: read.append(path.stem) or true_bytes(path))
    monkeypatch.setattr(Store, "list", lambda self: listed.append(1) or true_list(self))
    now = time.time()
    keys = [put(store, circuit(seed), now - seed) for seed in range(5)]
    rest(store)
    for head in (IN, OUT, IN):
        view.open(head, load=False)
        words.links(view)
    assert sorted(read) == sorted(keys[:3])
    assert len(listed) == 1
    newest = put(store, circuit(9), now + 5)
    assert query(linked(words.links(view))[0][1])["result"] == newest
    assert read[3:] == [newest]
    store.delete(newest)
    assert [query(to)["result"] for _, to in linked(words.links(view))] == keys[:3]


@pytest.mark.filterwarnings("ignore:.*is damaged")
def test_a_circuit_that_cannot_be_read_is_none(view, store):
    now = time.time()
    broken, whole = put(store, circuit(0), now), put(store, circuit(1), now - 1)
    data = bytearray(store.path(broken).read_bytes())
    data[len(data) // 2] ^= 255
    store.path(broken).write_bytes(bytes(data))
    assert [query(to)["result"] for _, to in linked(words.links(view))] == [whole]


def test_of_own_pairs_only_circuits_of_just_these_are_told(view, store):
    now = time.time()
    mine = put(store, circuit(0, task="custom", pairs="b" * 16), now)
    put(store, circuit(1, task="custom", pairs="c" * 16), now)
    view.param.update(task="custom", rows=ROWS)
    view.open(IN, load=False)
    assert linked(words.links(view)) == [], "what the pairs are is not known yet"
    values = xr.DataArray(np.zeros((1, 1, 1)), dims=("detector", "layer", "head"))
    view.results = {HEADS: Scores("Heads", "", values, origin=replace(samples.ORIGIN, method=HEADS, pairs="b" * 16))}
    [(_, to)] = linked(words.links(view))
    assert query(to)["result"] == mine
    assert (store.folder / "texts" / f"{query(to)['rows']}.txt").read_text() == ROWS


def test_the_link_opens_the_circuit_with_the_node_chosen_and_the_prompt_carried_along(view, store):
    key = put(store, circuit(task_params={"n": 7}), time.time())
    view.options = {**view.options, "n": 5}
    view.open(IN, load=False)
    view.head.attention.param.update(prompt=2, of="corrupt")
    [(_, to)] = linked(words.links(view))
    there = opened(Circuits(Jobs(), store))
    there.choose = lambda cell, load=True: None
    restore(there, query(to))
    assert (there.told, there.key, there.ablation.place) == ([], key, "a0.h1")
    assert (there.attention.prompt, there.attention.of) == (2, "corrupt")
    assert there.options["n"] == 7, "the circuit's own"


def test_only_pages_that_are_served_are_linked_to(view, store, monkeypatch):
    put(store, circuit(), time.time())
    monkeypatch.setenv("WORKBENCH_PAGES", "heads attention")
    assert re.findall('href="([a-z]*)', words.links(view)) == ["attention"]
    monkeypatch.setenv("WORKBENCH_PAGES", "heads circuits")
    assert re.findall('href="([a-z]*)', words.links(view)) == ["circuits", "circuits"]
    view.open(OUT, load=False)
    monkeypatch.setenv("WORKBENCH_PAGES", "heads")
    assert words.links(view) == ""


def test_the_card_has_the_links_in_the_colours_of_the_page_and_hostile_names_as_text(view, store, monkeypatch):
    model = f"folder/{HOSTILE}"
    key = put(store, circuit(model=model), time.time())
    view.model = model
    view.open(IN, load=False)
    monkeypatch.setattr(palettes, "chosen", lambda: {"palette": "\"'>"})
    cards = HeadCards(view)
    cards.tell("dark")
    assert "<img" not in cards.links.object
    [(_, to)] = linked(cards.links.object)
    said = query(to)
    assert (said["result"], said["model"], said["theme"], said["palette"]) == (key, model, "dark", "\"'>")
