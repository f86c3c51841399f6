import pytest

from tests.tasks.conftest import at, strip, texts
from workbench.tasks import TASKS
from workbench.tasks.ioi import TEMPLATES

ioi = TASKS["ioi"]


@pytest.mark.parametrize("order", ["ABBA", "BABA", "mixed"])
@pytest.mark.parametrize("template", range(len(TEMPLATES)))
def test_clean_names_io_once_and_s_twice(tokenizer, order, template):
    pairs = ioi(tokenizer, n=4, order=order, template=template)
    for i in range(len(pairs)):
        (io,), (s,) = texts(tokenizer, pairs.right[i]), texts(tokenizer, pairs.wrong[i])
        words = strip(pairs.clean_strings[i])
        assert (words.count(io), words.count(s)) == (1, 2)
        assert (at(pairs, i, "IO"), at(pairs, i, "S1"), at(pairs, i, "S2"), at(pairs, i, "END")) == (io, s, s, "to")


def test_the_answers_are_the_prompts_own_tokens(tokenizer):
    pairs = ioi(tokenizer, template="all")
    for i in range(len(pairs)):
        assert pairs.right[i] == (int(pairs.clean[i, pairs.positions["IO"][i]]),)
        assert pairs.wrong[i] == (int(pairs.clean[i, pairs.positions["S2"][i]]),)


def test_order_is_the_order_of_the_names(tokenizer):
    first = {order: ioi(tokenizer, order=order) for order in ("ABBA", "BABA", "mixed")}
    before = {order: (pairs.positions["IO"] < pairs.positions["S1"]).tolist() for order, pairs in first.items()}
    assert before == {"ABBA": [True] * 8, "BABA": [False] * 8, "mixed": [True, False] * 4}
    for pairs in first.values():
        assert (pairs.positions["S1"] < pairs.positions["S2"]).all()
        assert (pairs.positions["S1+1"] == pairs.positions["S1"] + 1).all()


def test_abc_replaces_all_names_by_three_others(tokenizer):
    pairs = ioi(tokenizer, n=20, corruption="abc", template="all")
    for i in range(len(pairs)):
        old = {at(pairs, i, name) for name in ("IO", "S1", "S2")}
        new = {at(pairs, i, name, "corrupt") for name in ("IO", "S1", "S2")}
        assert len(new) == 3
        assert not old & set(strip(pairs.corrupt_strings[i]))
        assert _changed(pairs, i) == {"IO", "S1", "S2"}


def test_s2_puts_a_third_name_there(tokenizer):
    pairs = ioi(tokenizer, n=20, corruption="s2", template="all")
    for i in range(len(pairs)):
        assert _changed(pairs, i) == {"S2"}
        assert at(pairs, i, "S2", "corrupt") not in strip(pairs.clean_strings[i])


def test_s2_io_makes_the_wrong_answer_right(tokenizer):
    pairs = ioi(tokenizer, n=20, corruption="s2_io", template="all")
    for i in range(len(pairs)):
        assert _changed(pairs, i) == {"S2"}
        assert at(pairs, i, "S2", "corrupt") == at(pairs, i, "IO")
        assert strip(pairs.corrupt_strings[i]).count(at(pairs, i, "S1")) == 1


def _changed(pairs, index: int) -> set[str]:
    """Names of the positions that differ; fails when any other differs."""
    changed = {name for name in ("IO", "S1", "S2") if pairs.differs[index, pairs.positions[name][index]]}
    assert int(pairs.differs[index].sum()) == len(changed)
    return changed
