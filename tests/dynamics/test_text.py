"""Text with repeated phrases: what is told again stands before, all else follows the table or is new, each draw is its own."""

from itertools import pairwise

import numpy as np
import pytest

from workbench.dynamics.text import SPECIAL, TEST, Text
from workbench.errors import BadInput

SMALL = Text(words=20, followers=3, phrases=2, shortest=3, longest=5, length=40)


def test_the_same_seed_and_step_give_the_same_texts_and_others_give_others():
    one, again, other, test = (SMALL.batch(seed, step, 4).tokens for seed, step in ((1, 2), (1, 2), (1, 3), (1, TEST)))
    assert (one == again).all()
    assert (one != other).any()
    assert (one != test).any()


@pytest.mark.parametrize("text", [SMALL, Text()], ids=["small", "usual"])
def test_what_is_told_again_was_told_before_and_all_else_follows_the_table_or_is_new(text):
    table, _ = text._followers()
    batch = text.batch(0, 0, 64)
    follows = total = 0
    for tokens, again in zip(batch.tokens.numpy(), batch.again.numpy(), strict=True):
        assert tokens[0] == 0
        assert not again[0]
        assert tokens[1:].min() >= len(SPECIAL)
        assert tokens.max() < text.words + len(SPECIAL)
        pairs = list(pairwise(tokens))
        for at in np.flatnonzero(again):
            # With the word before it, it stands somewhere earlier.
            assert pairs[at - 1] in pairs[: at - 1]
        for at in range(2, len(tokens)):
            if not again[at]:
                total += 1
                follows += tokens[at] - len(SPECIAL) in table[tokens[at - 1] - len(SPECIAL)]
    # Of the others some are words of a phrase that is told for the first time, which follow nothing.
    assert 0.3 < follows / total < 0.9


def test_followers_come_as_often_as_their_weights_say():
    """The k-th follower of a word has a weight of 1 / k."""
    text = Text(words=20, followers=3, phrases=1, shortest=2, longest=2, often=0.01, length=100)
    table, _ = text._followers()
    tokens = text.batch(0, 0, 300).tokens.numpy() - len(SPECIAL)
    ranks = [list(table[a]).index(b) for row in tokens for a, b in pairwise(row[2:]) if b in table[a]]
    shares = np.bincount(ranks, minlength=3) / len(ranks)
    expected = np.array([1, 1 / 2, 1 / 3]) / (1 + 1 / 2 + 1 / 3)
    assert np.abs(shares - expected).max() < 4 * (0.25 / len(ranks)) ** 0.5


def test_one_word_is_one_token():
    words = SMALL.tokenizer()
    ids = SMALL.batch(0, 0, 1).tokens[0, 1:].tolist()
    names = words.convert_ids_to_tokens(ids)
    assert words(" ".join(names))["input_ids"] == [0, *ids]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"words": 500}, "words must be at most"),
        ({"followers": 21, "words": 20}, "followers must be at most words, 20; got 21"),
        ({"shortest": 1}, "shortest must be at least 2; got 1"),
        ({"longest": 4, "shortest": 5}, "longest, the words of a phrase, must be at least 5; got 4"),
        ({"longest": 60}, "longest must leave room to come twice in 104 tokens; got 60"),
        ({"often": 0}, "often must be above 0 and at most 1; got 0"),
    ],
)
def test_bad_input_is_one_line(changed, said):
    with pytest.raises(BadInput, match=said):
        Text(**changed)
