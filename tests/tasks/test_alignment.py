"""Pairs laid out token by token, by tokenizers made on the spot: every problem is found, and its fix is one."""

import pytest

from tests.tasks.conftest import TWOS, word_level
from workbench.errors import BadInput
from workbench.pairs import encode
from workbench.tasks import TASKS, custom
from workbench.tasks.alignment import align, alignment_of, columns, shown
from workbench.tasks.custom import rows_of

CLEAN = "When Mary and John arrived at the market, John gave the book to"
GOOD = {
    "clean": CLEAN,
    "corrupt": CLEAN.replace("John", "James").replace("Mary", "Helen"),
    "right": "Mary",
    "wrong": "John",
}


def kinds(layout):
    return [problem.kind for problem in layout.problems]


def mended(tokenizer, row, kind, **options):
    """The row with the fix for its first problem of a kind."""
    layout = align(tokenizer, row, **options)
    fix = next(problem.fix for problem in layout.problems if problem.kind == kind)
    assert fix is not None
    return {**row, **fix.changes}


def test_a_good_pair_is_laid_out_as_custom_reads_it(tokenizer):
    row = {**GOOD, "pos:S2": "John gave"}
    layout = align(tokenizer, row)
    pairs = custom(tokenizer, [row])
    assert layout.problems == ()
    assert layout.usable
    assert (layout.clean, layout.corrupt) == (pairs.clean_strings[0], pairs.corrupt_strings[0])
    assert layout.positions == {name: int(where[0]) for name, where in pairs.positions.items()}
    assert (layout.right, layout.wrong) == ((" Mary",), (" John",))
    first = layout.columns[layout.first_difference]
    assert layout.clean[first[0]] == " Mary"
    assert sum(layout.differs(column) for column in layout.columns) == 3


def test_the_hidden_bos_is_told(words, bytes_):
    assert align(words, GOOD).hidden == 0
    assert align(bytes_, GOOD).hidden == 1
    assert align(bytes_, GOOD).clean[0] == "<s>"


def test_a_word_of_more_tokens_is_replaced_by_one_as_long(bytes_):
    row = {**GOOD, "corrupt": CLEAN.replace("John", "Xylophonius")}
    layout = align(bytes_, row)
    assert kinds(layout) == ["length"]
    assert not layout.usable
    assert any(None in column for column in layout.columns)
    fixed = mended(bytes_, row, "length")
    assert fixed["corrupt"].count(fixed["corrupt"].split()[3]) == 2, "both places take the same word"
    assert kinds(align(bytes_, fixed)) == []
    custom(bytes_, [fixed])


def test_prompts_of_other_plans_have_no_fix(words):
    layout = align(words, {**GOOD, "corrupt": "Mary gave the book to"})
    assert kinds(layout) == ["length"]
    assert layout.problems[0].fix is None
    assert "14" in layout.problems[0].says or "15" in layout.problems[0].says


def test_an_answer_of_several_tokens_is_replaced_wherever_it_stands(bytes_):
    row = {name: text.replace("Mary", "Xylophonius") for name, text in GOOD.items()}
    layout = align(bytes_, row)
    assert "answer" in kinds(layout)
    fixed = mended(bytes_, row, "answer")
    assert "Xylophonius" not in "".join(fixed.values())
    assert fixed["right"] in fixed["clean"]
    assert "answer" not in kinds(align(bytes_, fixed))


def test_an_answer_that_no_prompt_has_gives_its_first_token(bytes_):
    row = {**GOOD, "right": "Marketwise"}
    fixed = mended(bytes_, row, "answer")
    assert align(bytes_, fixed).usable
    assert "Marketwise".startswith(fixed["right"].strip())
    assert align(bytes_, row, first_token=True).usable, "the option does the same for all"


def test_a_missing_space_is_told_and_added(words):
    assert kinds(align(words, GOOD)) == []
    layout = align(words, GOOD, add_space=False)
    assert set(kinds(layout)) <= {"space", "answer"}
    assert kinds(layout)
    fixed = mended(words, GOOD, kinds(layout)[0], add_space=False)
    assert " Mary" in (fixed["right"], fixed["wrong"]) or " John" in (fixed["right"], fixed["wrong"])


def test_a_space_at_the_end_is_told_and_removed(words):
    row = {**GOOD, "clean": GOOD["clean"] + " ", "corrupt": GOOD["corrupt"] + " "}
    assert "space" in kinds(align(words, row))
    assert mended(words, row, "space") == GOOD


def test_equal_answers_get_another_wrong_one(words):
    row = {**GOOD, "wrong": "Mary"}
    assert kinds(align(words, row)) == ["equal"]
    assert mended(words, row, "equal")["wrong"] == "John"


@pytest.mark.parametrize("column", ["clean", "corrupt", "right", "wrong"])
def test_what_is_missing_is_named(words, column):
    layout = align(words, {**GOOD, column: " "})
    assert not layout.usable
    assert f"The {column}" in layout.problems[0].says


def test_the_same_prompts_and_too_long_ones_are_told(words):
    same = align(words, {**GOOD, "corrupt": CLEAN})
    assert kinds(same) == ["same"]
    assert same.usable, "custom takes them"
    long = align(words, GOOD, longest=5)
    assert kinds(long) == ["long"]
    assert not long.usable


def test_what_only_custom_finds_is_told_in_its_words(words):
    layout = align(words, {**GOOD, "pos:S1": "Peter"})
    assert kinds(layout) == ["other"]
    with pytest.raises(BadInput, match="must occur once"):
        custom(words, [{**GOOD, "pos:S1": "Peter"}])
    assert "must occur once" in layout.problems[0].says


HOSTILE = ["<script>alert(1)</script>", "שלום עולם", "🎉🧑🏽‍🔬", "\u202e abc", "a|b|", "\\", "=1+1", "a\nb", "\ufffd"]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("column", ["clean", "corrupt", "right", "wrong"])
def test_no_text_is_too_strange_to_lay_out_and_custom_agrees(tokenizer, text, column):
    row = {**GOOD, column: text}
    layout = align(tokenizer, row)
    try:
        custom(tokenizer, [row])
    except BadInput:
        assert not layout.usable
    else:
        assert layout.usable


def test_ten_thousand_tokens_are_laid_out_by_position(words):
    long = " ".join(["book"] * 10_000)
    layout = align(words, {**GOOD, "clean": long, "corrupt": f"{long} book"}, longest=8192)
    assert kinds(layout) == ["long", "length"]
    assert layout.columns[-1] == (None, len(layout.corrupt) - 1)


def test_columns_line_up_what_both_have():
    assert columns([1, 2, 3], [1, 9, 3]) == ((0, 0), (1, 1), (2, 2))
    assert columns([1, 2, 3], [1, 3]) == ((0, 0), (1, None), (2, 1))
    assert columns([], [5]) == ((None, 0),)


def test_spaces_are_seen():
    assert shown(" Mary\n") == "·Mary⏎"
    assert shown("") == "∅"


@pytest.mark.parametrize("task", ["ioi", "gendered_pronouns", "capitals", "laundry_list"])
def test_rows_of_a_task_make_its_pairs_again(tokenizer, task):
    pairs = TASKS[task](tokenizer, n=3)
    again = custom(tokenizer, rows_of(tokenizer, pairs))
    assert again.digest() == pairs.digest()
    layout = alignment_of(tokenizer, pairs, 1)
    assert layout.clean == pairs.clean_strings[1]
    assert layout.positions == {name: int(where[1]) for name, where in pairs.positions.items()}
    assert align(tokenizer, rows_of(tokenizer, pairs)[1]) == layout


def test_a_fix_for_every_pair_of_a_poor_vocabulary():
    """Names that the tokenizer does not know are replaced by some that it does."""
    few = word_level(TWOS, digits=2, without=["Mary"])
    layout = align(few, GOOD)
    assert not layout.usable
    fixed = mended(few, GOOD, "answer")
    assert "Mary" not in fixed["clean"]
    assert align(few, fixed).usable
    assert encode(few, fixed["clean"])
