import pytest

from tests.families import tokenizer as tiny
from tests.tasks.conftest import strip
from workbench.errors import BadInput
from workbench.tasks import TASKS

repeated_tokens = TASKS["repeated_tokens"]


@pytest.mark.parametrize("corruption", ["answer", "copy"])
@pytest.mark.parametrize(("length", "stop"), [(2, 1), (7, None), (7, 6), (10, 1)])
def test_right_is_what_followed_in_the_first_copy(tokenizer, corruption, length, stop):
    pairs = repeated_tokens(tokenizer, n=10, length=length, stop=stop, corruption=corruption)
    shown = length // 2 if stop is None else stop
    for i in range(len(pairs)):
        ids = pairs.clean[i, 1:].tolist()
        assert len(set(ids[:length])) == length
        assert ids[length:] == ids[:shown]
        assert pairs.right[i] == (ids[shown],)
        assert pairs.wrong[i] == (int(pairs.corrupt[i, 1 + shown]),)
        assert int(pairs.positions["A1"][i]) == shown
        assert int(pairs.positions["B1"][i]) == shown + 1
        assert int(pairs.end[i]) == length + shown


def test_answer_replaces_only_the_answer(tokenizer):
    pairs = repeated_tokens(tokenizer, n=10)
    for i in range(len(pairs)):
        assert pairs.differs[i].nonzero().flatten().tolist() == [int(pairs.positions["B1"][i])]
        assert pairs.wrong[i][0] not in pairs.clean[i].tolist()


def test_copy_leaves_nothing_repeated(tokenizer):
    pairs = repeated_tokens(tokenizer, n=10, corruption="copy")
    for i in range(len(pairs)):
        ids = pairs.corrupt[i].tolist()
        assert len(set(ids)) == len(ids)
        assert pairs.right[i][0] not in ids


def test_bos_stands_first_if_asked_for(words, poor):
    assert (repeated_tokens(words).clean[:, 0] == words.bos_token_id).all()
    assert words.bos_token_id not in repeated_tokens(words, bos=False).clean
    assert int(repeated_tokens(words, length=4, bos=False).positions["B1"][0]) == 2
    assert poor.bos_token_id is None
    assert repeated_tokens(poor, n=2, length=2).clean.shape == (2, 3)


def test_tokens_are_ordinary_text(tokenizer):
    pairs = repeated_tokens(tokenizer, n=50, bos=False)
    assert not set(pairs.clean.flatten().tolist()) & set(tokenizer.all_special_ids)
    assert all(all(strip(strings)) and "\ufffd" not in "".join(strings) for strings in pairs.clean_strings)


def test_a_vocabulary_of_23_is_enough_for_the_default_and_too_small_for_more():
    assert len(repeated_tokens(tiny(), n=20)) == 20
    with pytest.raises(BadInput, match=r"ordinary tokens of this tokenizer must be at least 24; got 21"):
        repeated_tokens(tiny(), corruption="copy")


@pytest.mark.parametrize(
    ("options", "message"),
    [({"length": 1}, "length must be at least 2"), ({"length": 5, "stop": 5}, "stop must be from 1 to 4; got 5")],
)
def test_a_wrong_length_is_told(words, options, message):
    with pytest.raises(BadInput, match=f"repeated_tokens: {message}"):
        repeated_tokens(words, **options)
