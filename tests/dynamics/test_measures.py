"""Measures on attention and logits made by hand, where the answer is known."""

import pytest
import torch

from workbench.dynamics import measures
from workbench.dynamics.bursty import Batch
from workbench.dynamics.network import Seen

# Three items, tokens x1 l1 x2 l2 x3 l3 x; the last item is of the class of the first and third.
SAME = torch.tensor([[[True, False, True], [False, False, False]]])
BATCH = Batch(torch.zeros(1, 2, 7, 4), torch.tensor([[4, 1]]), torch.tensor([[[4, 2, 4], [0, 1, 2]]]), SAME)


def test_attention_of_an_ideal_induction_head_is_all_ones():
    first = torch.zeros(1, 2, 7, 7)
    for place in range(1, 7):
        first[..., place, place - 1] = 1
    second = torch.tensor([[[0, 0.5, 0, 0, 0, 0.5, 0], [0, 0.5, 0, 0, 0, 0.5, 0]]])
    assert measures.item_label(first).tolist() == [[1, 1]]
    assert measures.target_labels(second).tolist() == [[1, 1]]
    assert measures.target_item_label(second, BATCH).tolist() == [[1, 0]]


def test_each_entry_counts_where_it_should():
    first = torch.arange(49.0).view(1, 1, 7, 7).expand(1, 2, -1, -1)
    # Rows 1, 3, 5 at columns 0, 2, 4.
    assert measures.item_label(first).tolist() == [[(7 + 23 + 39) / 3] * 2]
    second = torch.tensor([[[1.0, 2, 4, 8, 16, 32, 64]]]).expand(1, 2, -1)
    assert measures.target_labels(second).tolist() == [[42, 42]]
    assert measures.target_item_label(second, BATCH).tolist() == [[34, 0]]


def test_uniform_attention_gives_the_values_of_chance():
    first = torch.full((7, 7), -torch.inf).triu(1).softmax(-1).expand(1, 2, -1, -1)
    assert measures.item_label(first)[0, 0] == pytest.approx((1 / 2 + 1 / 4 + 1 / 6) / 3)
    assert measures.target_labels(torch.full((1, 2, 7), 1 / 7))[0, 0] == pytest.approx(3 / 7)


def test_answers_among_the_labels_shown():
    logits = torch.zeros(1, 2, 6)
    logits[0, 0, 2] = 1.0
    logits[0, 1, 5] = 1.0
    assert measures.context_label(logits, BATCH.context).tolist() == [[1, 0]]
    assert measures.right(logits, BATCH).tolist() == [[0, 0]]
    whole = 5 + torch.e
    # A label that is shown twice counts once.
    assert measures.context_label_mass(logits, BATCH.context)[0].tolist() == pytest.approx([(1 + torch.e) / whole, 3 / whole])
    loss = measures.cross_entropy(logits, BATCH)[0].tolist()
    assert loss == pytest.approx([float(torch.tensor(whole).log())] * 2)


def test_units_above_zero_are_alive():
    assert measures.alive(torch.tensor([[[0.0, 1, 2, 0], [0, 0, 0, 0]]])).tolist() == [[0.5, 0]]


def test_all_that_is_taken_is_described():
    seen = Seen(torch.zeros(1, 2, 6), torch.zeros(1, 2, 7, 7), torch.zeros(1, 2, 7), torch.zeros(1, 2, 5))
    taken = measures.of_context(seen, BATCH)
    assert {*taken, "loss", "ic2", "iw"} == set(measures.MEASURES)
    assert {values.shape for values in taken.values()} == {(1, 2)}
