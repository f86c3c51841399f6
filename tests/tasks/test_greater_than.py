import pytest

from tests.tasks.conftest import TWOS, at, texts, word_level
from workbench.errors import BadInput
from workbench.tasks import TASKS

greater_than = TASKS["greater_than"]


def test_two_digits_later_years_are_right_and_all_others_wrong(words):
    pairs = greater_than(words, n=30)
    for i in range(len(pairs)):
        year = int(at(pairs, i, "YY"))
        assert 2 <= year <= 98
        assert texts(words, pairs.right[i]) == [f"{later:02d}" for later in range(year + 1, 100)]
        assert texts(words, pairs.wrong[i]) == [f"{other:02d}" for other in range(year + 1)]


def test_two_digits_prompt_ends_in_the_century_and_corrupt_begins_in_01(words):
    pairs = greater_than(words, n=30, century=16)
    for i in range(len(pairs)):
        assert pairs.clean_strings[i][-4:] == (" to", " the", " year", " 16")
        assert at(pairs, i, "YY", "corrupt") == "01"
        assert int(pairs.differs[i].sum()) == 1


def test_single_digits_ask_for_the_tens(bytes_):
    pairs = greater_than(bytes_, n=30)
    for i in range(len(pairs)):
        tens = int(at(pairs, i, "TENS"))
        assert 1 <= tens <= 8
        assert texts(bytes_, pairs.right[i]) == [str(later) for later in range(tens + 1, 10)]
        assert texts(bytes_, pairs.wrong[i]) == [str(earlier) for earlier in range(tens)]
        assert at(pairs, i, "TENS", "corrupt") == "0"
        assert int(pairs.differs[i].sum()) == 1
        assert bytes_.decode(pairs.clean[i, -2:]) == "17"
        assert bytes_.decode(pairs.clean[i, int(pairs.positions["TENS"][i]) - 2 :][:4]).startswith(f"17{tens}")


def test_three_digits_ask_for_the_first_three(threes):
    pairs = greater_than(threes, n=30)
    for i in range(len(pairs)):
        shown = int(at(pairs, i, "TENS"))
        assert 171 <= shown <= 178
        assert texts(threes, pairs.right[i]) == [str(later) for later in range(shown + 1, 180)]
        assert texts(threes, pairs.wrong[i]) == [str(earlier) for earlier in range(170, shown)]
        assert at(pairs, i, "TENS", "corrupt") == "170"
        assert threes.decode(pairs.clean[i]).endswith("to the year ")


def test_a_year_of_its_own_token_is_no_prompt_but_still_an_answer():
    tokenizer = word_level(rf" 1776|{TWOS}", digits=2, extra=(" 1776",))
    pairs = greater_than(tokenizer, n=200)
    assert "76" not in {at(pairs, i, "YY") for i in range(len(pairs))}
    for i in range(len(pairs)):
        assert len(pairs.right[i]) + len(pairs.wrong[i]) == 100


def test_a_tokenizer_that_does_not_know_numbers_is_told():
    tokenizer = word_level(TWOS, digits=2, without=[f"{number:02d}" for number in range(100)])
    with pytest.raises(BadInput, match=r"greater_than: the years of a century must be cut .*; got .*year.*<unk>"):
        greater_than(tokenizer)


def test_the_century_must_have_four_digits(words):
    with pytest.raises(BadInput, match="greater_than: century must be from 10 to 20; got 9"):
        greater_than(words, century=9)
