import pytest

from tests.tasks.conftest import LISTS, TWOS, word_level
from workbench.errors import BadInput
from workbench.tasks import words as room
from workbench.tasks.words import one_token, one_token_words, split, word_list, word_pairs


@pytest.mark.parametrize("name", LISTS)
def test_lists_have_no_entry_twice_and_no_stray_space(name):
    lines = word_list(name)
    assert len(lines) == len(set(lines)) > 30
    assert all(line == line.strip() and line for line in lines)


def test_no_name_is_in_both_lists():
    assert not set(word_list("men")) & set(word_list("women"))


def test_pairs_are_two_words():
    assert dict(word_pairs("capitals"))["France"] == "Paris"
    assert dict(word_pairs("nouns"))["key"] == "keys"


def test_lists_are_found_inside_the_package_too(tmp_path, monkeypatch):
    inside = tmp_path / "workbench" / "data" / "words"
    inside.mkdir(parents=True)
    (inside / "few.txt").write_text("one\ntwo\n")
    monkeypatch.setattr(room, "_PACKAGE", tmp_path / "workbench")
    assert word_list("few") == ["one", "two"]


def test_an_unknown_list_suggests_the_nearest():
    with pytest.raises(BadInput, match=r"the word list must be one of .*; got 'place'\. Did you mean 'places'\?"):
        word_list("place")


def test_one_token_keeps_words_with_the_id_they_have_after_a_space(tokenizer):
    found = one_token(tokenizer, ["Mary", "Maryland", "Xerxes"])
    assert list(found) == ["Mary"]
    assert tokenizer.decode([found["Mary"]]) == " Mary"


def test_too_few_words_are_told_with_all_numbers():
    men = word_list("men")
    with pytest.raises(BadInput, match=rf"some: the men that are one token .* at least 3; got 2 of {len(men)}"):
        one_token_words(word_level(TWOS, digits=2, without=men[2:]), "some", ["men"], least=3)


def test_split_stays_on_one_line(words):
    assert split(words, words("Mary gave\n it")["input_ids"]).count("\n") == 0
