"""The laundry list: what is left, by the words themselves."""

import re

import pytest

from workbench.errors import BadInput
from workbench.tasks import TASKS

LIST = TASKS["laundry_list"]


def parts(text):
    listed, again = re.search(r"put (.*) in a bag\. Then .* took out (.*)\. The only", text).groups()
    return ([re.sub(r"^the ", "", one) for one in re.split(r", | and ", words)] for words in (listed, again))


@pytest.mark.parametrize("objects", [2, 3, 7, 20])
@pytest.mark.parametrize("order", ["same", "shuffled", "reversed"])
@pytest.mark.parametrize("layout", ["one", "each"])
def test_the_answer_is_the_one_left(tokenizer, objects, order, layout):
    pairs = LIST(tokenizer, n=6, seed=1, objects=objects, order=order, layout=layout)
    assert pairs.same_layout == (layout == "one")
    decode = lambda ids: tokenizer.decode(list(ids)).strip()  # noqa: E731
    for row in range(6):
        for tokens, answers, others in ((pairs.clean, pairs.right, pairs.wrong), (pairs.corrupt, pairs.wrong, pairs.right)):
            listed, again = parts(tokenizer.decode(tokens[row, : pairs.lengths[row]].tolist()))
            assert len(listed) == len(set(listed)) == objects
            assert set(listed) - set(again) == {decode(answers[row])}
            assert decode(others[row]) in again
        listed, again = parts(tokenizer.decode(pairs.clean[row, : pairs.lengths[row]].tolist()))
        left = [thing for thing in listed if thing in again]
        assert order == "shuffled" or again == (left if order == "same" else left[::-1])
    assert (pairs.differs.sum(1) == 1).all()
    rows = range(6)
    at = {name: [decode([pairs.clean[row, where[row]]]) for row in rows] for name, where in pairs.positions.items()}
    assert at["LEFT"] == [decode(answer) for answer in pairs.right]
    assert at["TAKEN"] == at["AGAIN"] == [decode(answer) for answer in pairs.wrong]
    for row in range(6):
        listed, _ = parts(tokenizer.decode(pairs.clean[row, : pairs.lengths[row]].tolist()))
        assert [at[f"ITEM{place + 1}"][row] for place in range(objects)] == listed
    assert (pairs.positions["TAKEN"] < pairs.positions["AGAIN"]).all()


def test_the_place_of_the_one_left_can_be_chosen(tokenizer):
    for place in range(4):
        pairs = LIST(tokenizer, n=5, seed=0, objects=4, place=place)
        for row in range(5):
            listed, again = parts(tokenizer.decode(pairs.clean[row].tolist()))
            assert listed[place] not in again


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"objects": 1}, "objects must be from 2 to 20; got 1"),
        ({"objects": 21}, "objects must be from 2 to 20; got 21"),
        ({"objects": 3, "place": 3}, "place must be from 0 to 2, a place in the list; got 3"),
    ],
)
def test_bad_input(tokenizer, asked, said):
    with pytest.raises(BadInput, match=said):
        LIST(tokenizer, **asked)
