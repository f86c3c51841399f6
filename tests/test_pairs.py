"""Pairs: aligned, padded on the right, checked when made, and named by everything a result depends on."""

import dataclasses

import pytest
import torch

from tests import families
from workbench.errors import BadInput
from workbench.pairs import Pairs, encode, pairs_from_ids, token_strings

CLEAN = [[2, 3, 4, 5], [6, 7], [8, 9, 10]]
CORRUPT = [[2, 3, 11, 5], [6, 12], [13, 9, 10]]


@pytest.fixture(scope="module")
def words():
    return families.tokenizer()


def made(words, clean=CLEAN, corrupt=CORRUPT, right=((3,), (4, 5), (6,)), wrong=((7,), (8,), (9, 10)), **more) -> Pairs:
    return pairs_from_ids(words, "toy", clean, corrupt, right, wrong, **more)


def test_padding_is_on_the_right_and_lengths_say_where_it_begins(words):
    pairs = made(words)
    assert len(pairs) == 3
    assert pairs.lengths.tolist() == [4, 2, 3]
    for tokens, rows in ((pairs.clean, CLEAN), (pairs.corrupt, CORRUPT)):
        assert tokens.shape == (3, 4)
        for got, row in zip(tokens.tolist(), rows, strict=True):
            assert got == row + [words.pad_token_id] * (4 - len(row))
    assert words.pad_token_id != 0


def test_a_tokenizer_without_padding_pads_with_zero(words):
    class Bare:
        decode = staticmethod(words.decode)
        pad_token_id = None

    assert made(Bare()).clean[1].tolist() == [6, 7, 0, 0]


def test_padding_never_differs(words):
    pairs = made(words)
    assert pairs.differs.tolist() == [[False, False, True, False], [False, True, False, False], [True, False, False, False]]


def test_end_is_the_last_token_unless_it_is_given(words):
    assert made(words).end.tolist() == [3, 1, 2]
    assert made(words, positions={"END": [2, 0, 1]}).end.tolist() == [2, 0, 1]


def test_strings_are_the_tokens_without_the_padding(words):
    pairs = made(words)
    assert pairs.clean_strings[1] == ("e", "f")
    assert pairs.corrupt_strings == tuple(token_strings(words, row) for row in CORRUPT)


def test_encode_is_the_tokenizers_own(words):
    assert encode(words, "a b c") == [2, 3, 4]

    class Beginning:
        def __call__(self, text):
            return {"input_ids": [0, *words(text)["input_ids"]]}

    assert encode(Beginning(), "a b") == [0, 2, 3]


def test_same_layout_means_one_length_and_the_same_places(words):
    even = [[2, 3, 4], [5, 6, 7]]
    one = dict(clean=even, corrupt=even, right=[[3], [3]], wrong=[[4], [4]])
    assert made(words, **one).same_layout
    assert made(words, **one, positions={"S": [1, 1]}).same_layout
    assert not made(words, **one, positions={"S": [1, 2]}).same_layout
    assert not made(words).same_layout
    assert not made(words, positions={"END": [1, 1, 1]}).same_layout


def test_selection_cuts_the_padding_and_keeps_each_pairs_own(words):
    pairs = made(words, positions={"S": [2, 0, 1]}, params={"n": 3, "seed": 5})
    some = pairs.select([2, 1])
    assert some.clean.tolist() == [[8, 9, 10], [6, 7, words.pad_token_id]]
    assert some.corrupt[0].tolist() == [13, 9, 10]
    assert some.lengths.tolist() == [3, 2]
    assert some.right == ((6,), (4, 5))
    assert some.wrong == ((9, 10), (8,))
    assert some.positions["S"].tolist() == [1, 0]
    assert some.end.tolist() == [2, 1]
    assert some.clean_strings == (pairs.clean_strings[2], pairs.clean_strings[1])
    assert some.corrupt_strings == (pairs.corrupt_strings[2], pairs.corrupt_strings[1])
    assert some.params == {"n": 3, "seed": 5, "prompts": [2, 1]}


def test_a_selection_of_a_selection_is_named_by_the_first(words):
    pairs = made(words)
    nested, direct = pairs.select([2, 0, 1]).select([1, 2]), pairs.select([0, 1])
    assert nested.params == direct.params == {"prompts": [0, 1]}
    assert nested.digest() == direct.digest()


def test_the_digest_changes_with_each_ingredient(words):
    pairs = made(words, positions={"S": [2, 0, 1]})
    changes = {
        "clean": pairs.clean + 1,
        "corrupt": pairs.corrupt + 1,
        "lengths": pairs.lengths - 1,
        "right": ((3,), (4,), (6,)),
        "wrong": ((7,), (8,), (9,)),
        "positions": {**pairs.positions, "S": torch.tensor([1, 0, 1])},
    }
    digests = [dataclasses.replace(pairs, **{name: value}).digest() for name, value in changes.items()]
    digests += [dataclasses.replace(pairs, positions={"END": pairs.end}).digest(), pairs.digest()]
    assert len(set(digests)) == len(changes) + 2
    assert made(words, positions={"S": [2, 0, 1]}, params={"seed": 1}).digest() == pairs.digest()


def sentence(words, **given) -> str:
    with pytest.raises(BadInput) as caught:
        made(words, **given)
    return str(caught.value)


def test_no_pairs(words):
    said = sentence(words, clean=[], corrupt=[], right=[], wrong=[])
    assert said == "toy: the pairs must be at least 1; got 0. Give some rows."


def test_prompts_of_two_lengths_are_shown_token_by_token(words):
    said = sentence(words, clean=[*CLEAN[:2], [8, 9, 10]], corrupt=[*CORRUPT[:2], [8, 9]])
    assert said == (
        "toy: clean and corrupt prompts must have the same number of tokens; pair 3 has 3 and 2: g|h|i against g|h. "
        "Use words that are as many tokens long in both."
    )


def test_a_line_break_in_a_token_stays_one_line():
    class Lines:
        @staticmethod
        def decode(ids, **_):
            return "\n" if ids == [1] else str(ids[0])

    with pytest.raises(BadInput, match=r"2\|\\n against 2\. Use") as caught:
        pairs_from_ids(Lines(), "toy", [[2, 1]], [[2]], [[3]], [[4]])
    assert "\n" not in str(caught.value)


def test_an_empty_prompt(words):
    assert sentence(words, clean=[[]], corrupt=[[]]) == "toy: a prompt must have at least 1 token; pair 1 is empty."


def test_answers_must_be_there_and_differ(words):
    lacking = "toy: a pair must have a right and a wrong answer; pair 2 lacks one."
    assert sentence(words, right=[[3], [], [6]]) == lacking
    assert sentence(words, wrong=[[7], [], [9]]) == lacking
    said = sentence(words, right=[[3], [4], [6]], wrong=[[7], [8], [9, 6]])
    assert said == "toy: the wrong answer must differ from the right one; pair 3 has 'e' for both."


@pytest.mark.parametrize("where", [2, -1])
def test_positions_lie_within_their_own_prompt(words, where):
    said = sentence(words, positions={"S": [3, where, 0]})
    assert said == f"toy: position S must be from 0 to 1; got {where} in pair 2."
