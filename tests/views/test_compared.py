"""A circuit beside another: what they share is counted, curves are the two's own, and another model's edges are not matched."""

import re

import numpy as np
import pytest

from tests.views.conftest import opened
from tests.views.test_circuit_size import found
from workbench.edges.estimate import as_circuit
from workbench.jobs import Jobs
from workbench.pages.compared import ComparedCard
from workbench.pages.swatch import swatch
from workbench.references import reference
from workbench.store import Store
from workbench.views.address import restore, written
from workbench.views.circuits import Circuits


@pytest.fixture
def view(tmp_path):
    """A view that shows a stored circuit, another of it in the store."""
    made = opened(Circuits(Jobs(), Store(tmp_path)))
    other = found(absolute=False, size=60)
    made.store.put(other)
    made.list_stored()
    made.open(made.store.put(found()))
    made.list_stored()
    return made


def test_shared_edges_precision_and_recall(view):
    (key,) = view.compared.choices(view.stored).values()
    view.compared.choose(key)
    kept, other = view.result.parts["kept"].values, found(absolute=False, size=60).parts["kept"].values
    both = int((kept & other).sum())
    said = view.compared.words(kept)
    assert 0 < both < other.sum()
    assert f"{both} edges are in both. Precision {both / kept.sum():.2f}" in said
    assert f"Recall {both / other.sum():.2f}: the share of the {other.sum()} edges" in said
    np.testing.assert_array_equal(view.compared.mask, other)
    view.compared.choose("")
    assert view.compared.words(kept) == ""
    assert view.compared.mask is None


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_heads_in_both_have_their_colours(view, theme):
    card, graph = ComparedCard(view), view.sizes.ranking.graph
    (key,) = view.compared.choices(view.stored).values()
    view.compared.choose(key)
    card.show(theme, 600)
    said = view.compared.words(view.result.parts["kept"].values)
    names = re.findall(r"a\d+\.h\d+", said)
    assert names
    for name in names:
        layer, _, head = graph.place(name)
        assert f"{swatch(layer * graph.n_heads + head, theme)}{name}" in card.says.object
    assert card.says.object.count("aria-hidden") == len(names), "numbers are no heads"


def test_the_address_brings_it_back_and_nonsense_is_a_notice(view):
    (key,) = view.compared.choices(view.stored).values()
    view.compared.choose(key)
    said = written(view)
    again = opened(Circuits(Jobs(), view.store))
    restore(again, said)
    assert again.compared.against == key
    assert not again.told
    for nonsense in ("published:nothing", "<b>", "0" * 16):
        other = opened(Circuits(Jobs(), view.store))
        restore(other, {**said, "against": nonsense})
        assert "could not be used" in other.told[0].text
        assert other.compared.other is None


def test_a_published_circuit_is_offered_where_the_graph_is_its_own(view):
    known = reference("ioi")
    scores = np.random.default_rng(0).normal(size=known.graph.n_edges)
    circuit = as_circuit(known.graph, "Edges", "logits", scores, None, {}, {})
    view.compared.ask_about(circuit)
    assert "published:ioi" in view.compared.choices([]).values()
    assert "published:docstring" not in view.compared.choices([]).values()
    view.compared.choose("published:ioi")
    everything = np.ones(known.graph.n_edges, bool)
    assert "Recall 1.00" in view.compared.words(everything)
    assert view.compared.curves() is None
    # Another graph: no edge is matched.
    view.compared.ask_about(found())
    view.compared.choose("published:ioi")
    assert view.compared.mask is None
    assert "edges cannot be matched" in view.compared.words(found().parts["kept"].values)


def test_channels_are_compared_with_nothing(view):
    circuit = view.result
    view.compared.ask_about(circuit.replace(parts={**circuit.parts, "counts": circuit.parts["kept"]}))
    assert view.compared.choices(view.stored) == {}
