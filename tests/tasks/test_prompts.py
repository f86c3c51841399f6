import random

import pytest

from tests.tasks.conftest import strip
from workbench.errors import BadInput
from workbench.pairs import encode, token_strings
from workbench.tasks.prompts import choose_templates, compose, draw_distinct, tokenise


def test_slots_are_found_where_they_stand(tokenizer):
    words = {"A": "Mary", "B": "John", "C": "Mary"}
    ids, at = compose(tokenizer, "some", "Then, {A} and {B} walked to the market, and {C} gave it to", words)
    tokens = strip(token_strings(tokenizer, ids))
    assert {slot: tokens[where] for slot, where in at.items()} == words
    assert at["A"] < at["B"] < at["C"]
    assert ids == encode(tokenizer, "Then, Mary and John walked to the market, and Mary gave it to")


def test_a_word_of_several_tokens_is_told(bytes_):
    with pytest.raises(BadInput, match=r"some: 'Maryland' must be one token where it stands; got .* Mary\|l"):
        compose(bytes_, "some", "Then, {A} gave it to", {"A": "Maryland"})


def test_a_tokenizer_without_offsets_finds_the_same_tokens(tokenizer):
    class Slow:
        is_fast = False

        def __call__(self, text):
            return {"input_ids": tokenizer(text)["input_ids"]}

    text = "Then, Mary and John walked to the market"
    _, fast = tokenise(tokenizer, text)
    _, slow = tokenise(Slow(), text)
    for word in ("Then", "Mary", "John", "market"):
        last = text.index(word) + len(word) - 1
        assert slow(last) == fast(last)


def test_draws_are_distinct_until_there_are_no_more():
    rng = random.Random(0)
    drawn = draw_distinct(8, lambda index: rng.randrange(5), key=lambda item: item)
    assert len(drawn) == 8
    assert sorted(drawn[:5]) == [0, 1, 2, 3, 4]


def test_templates_are_one_for_all_or_one_for_each():
    some = ["a", "b", "c"]
    assert choose_templates("some", random.Random(0), some, 2, 3) == ["c"] * 3
    assert len(set(choose_templates("some", random.Random(0), some, None, 30))) == 1
    assert set(choose_templates("some", random.Random(0), some, "all", 30)) == set(some)
    with pytest.raises(BadInput, match="some: template must be from 0 to 2; got 3"):
        choose_templates("some", random.Random(0), some, 3, 3)
