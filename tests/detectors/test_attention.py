"""Measures of attention on patterns made by hand, where the answer is known."""

import math

import pytest
import torch

from workbench.detectors import attention

TOKENS = torch.tensor([[0, 7, 8, 9, 7, 8, 9, 7]])
ALL = torch.ones(1, 8, dtype=torch.bool)


def looking(at):
    """One head that puts all of its attention where `at` says, by query."""
    pattern = torch.zeros(1, 1, 8, 8)
    for query in range(8):
        pattern[0, 0, query, at(query)] = 1.0
    return pattern


def test_a_previous_token_head():
    head = looking(lambda query: max(0, query - 1))
    assert float(attention.share_on(head, attention.previous(TOKENS))) == 1.0
    assert float(attention.share_on(looking(lambda query: query), attention.previous(TOKENS))) == 0.0
    assert attention.previous(TOKENS)[0].sum().item() == 7


def test_a_duplicate_token_head_and_an_induction_head():
    copies = {4: 1, 5: 2, 6: 3, 7: 4}
    duplicate = looking(lambda query: copies.get(query, 0))
    induction = looking(lambda query: copies[query] + 1 if query in copies else 0)
    names = (attention.duplicates, attention.followers)
    shares = [[float(attention.share_on(head, name(TOKENS))) for name in names] for head in (duplicate, induction)]
    assert shares == [[1.0, 0.0], [0.0, 1.0]]
    # Only queries whose token stood before count: 4 of 8.
    assert attention.duplicates(TOKENS)[0].any(-1).nonzero().flatten().tolist() == [4, 5, 6, 7]


def test_matching_two_tokens_beyond_one():
    """By hand: above 0 for a head that looks at matches of two tokens alone, 0 for one that tells them not apart."""
    tokens = torch.randint(0, 4, (3, 40), generator=torch.Generator().manual_seed(0))
    longer, shorter = attention.followers(tokens, 2), attention.followers(tokens, 1)

    def evenly(mask):
        return (mask / mask.sum(-1, keepdim=True).clamp(min=1)).unsqueeze(1)

    found = [attention.beyond(evenly(mask), longer, shorter) for mask in (longer, shorter, shorter & ~longer)]
    due = (longer & shorter).sum(-1) / shorter.sum(-1).clamp(min=1)
    rows = longer.any(-1) & (shorter & ~longer).any(-1)
    share = (due * rows).sum(-1) / rows.sum(-1)
    assert torch.allclose(found[0][:, 0], 1 - share)
    assert torch.allclose(found[1], torch.zeros(3, 1), atol=1e-6)
    assert torch.allclose(found[2][:, 0], -share)
    first = torch.zeros(3, 1, 40, 40)
    first[..., 0] = 1
    wanted = longer.clone()
    wanted[..., 0] = False
    assert torch.allclose(attention.beyond(first, wanted, wanted | (shorter & (torch.arange(40) > 0))), torch.zeros(3, 1))


@pytest.mark.parametrize("n", [1, 2, 3])
def test_n_gram_targets_are_those_of_a_loop(n):
    tokens = torch.randint(0, 3, (4, 20), generator=torch.Generator().manual_seed(n))
    found = attention.followers(tokens, n)
    for row in range(4):
        x = tokens[row].tolist()
        for i in range(20):
            for j in range(20):
                target = j <= i and j - n >= 0 and i - n + 1 >= 0 and x[j - n : j] == x[i - n + 1 : i + 1] and j - 1 < i
                assert bool(found[row, i, j]) == target, (i, j)


def test_a_bigram_head_and_a_unigram_head_are_told_apart():
    tokens = torch.randint(0, 4, (1, 60), generator=torch.Generator().manual_seed(0))
    two, one = (attention.followers(tokens, n).float() for n in (2, 1))
    bigram = two.unsqueeze(1) / two.sum(-1).clamp(min=1).view(1, 1, 60, 1)
    unigram = one.unsqueeze(1) / one.sum(-1).clamp(min=1).view(1, 1, 60, 1)
    measured = [[float(attention.share_on(head, attention.followers(tokens, n))) for n in (1, 2)] for head in (bigram, unigram)]
    assert measured[0][1] == pytest.approx(1.0)
    assert measured[1][0] == pytest.approx(1.0)
    assert measured[1][1] < 0.5


def test_sinks():
    first = looking(lambda query: 0)
    later = looking(lambda query: 3 if query > 3 else 0)
    assert float(attention.share_on(first, attention.first_token(TOKENS))) == 1.0
    assert float(attention.later_sink(first, ALL)) == 0.0
    assert float(attention.later_sink(later, ALL)) == 1.0
    # A key that only the last tokens look at is no sink.
    assert float(attention.later_sink(looking(lambda query: 5 if query > 5 else 0), ALL)) == 0.0


def test_entropy_and_distance():
    even = torch.tril(torch.ones(8, 8)).div(torch.arange(1, 9).unsqueeze(1)).view(1, 1, 8, 8)
    assert float(attention.entropy(even, ALL)) == pytest.approx(sum(math.log(n) for n in range(2, 9)) / 7, rel=1e-5)
    assert float(attention.entropy(looking(lambda query: 0), ALL)) == 0.0
    assert float(attention.distance(looking(lambda query: max(0, query - 2)), ALL)) == 2.0
    assert float(attention.distance(looking(lambda query: 0), ALL)) == 0.0


def test_padding_does_not_count():
    counted = ALL.clone()
    counted[0, 5:] = False
    head = looking(lambda query: max(0, query - 1) if query < 5 else 0)
    assert float(attention.share_on(head, attention.previous(TOKENS), counted)) == 1.0
    assert float(attention.share_on(head, attention.previous(TOKENS))) < 1.0
    assert float(attention.entropy(head, counted)) == 0.0


def test_a_sequence_without_any_such_key_has_no_number():
    tokens = torch.arange(8).unsqueeze(0)
    assert attention.share_on(looking(lambda query: 0), attention.duplicates(tokens)).isnan().all()
