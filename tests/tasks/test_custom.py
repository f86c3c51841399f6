import json

import pytest

from tests.tasks.conftest import TWOS, texts, word_level
from workbench.errors import BadInput
from workbench.tasks import TASKS, custom

ROW = {
    "clean": "Then, Mary and John walked to the market, and John gave it to",
    "corrupt": "Then, Mary and John walked to the market, and Mary gave it to",
    "right": "Mary",
    "wrong": "John",
}
LONGER = {**ROW, "corrupt": "Then, Mary and John walked to the market, and Mary gave it it to"}


def message(call, *args, **options) -> str:
    """The one line that a user reads."""
    with pytest.raises(BadInput) as told:
        call(*args, **options)
    assert "\n" not in str(told.value)
    return str(told.value)


def test_prompts_and_answers_are_the_rows(tokenizer):
    pairs = custom(tokenizer, [ROW, {**ROW, "right": "John", "wrong": "Mary"}])
    assert (pairs.task, len(pairs)) == ("custom", 2)
    assert tokenizer.decode(pairs.clean[0], skip_special_tokens=True) == ROW["clean"]
    assert tokenizer.decode(pairs.corrupt[1], skip_special_tokens=True) == ROW["corrupt"]
    assert [texts(tokenizer, ids) for ids in pairs.right] == [["Mary"], ["John"]]
    assert "custom" not in TASKS


def test_a_task_written_out_and_read_back_is_the_same(tokenizer, tmp_path):
    made = TASKS["ioi"](tokenizer, n=4)
    rows = [
        {
            "clean": tokenizer.decode(made.clean[i], skip_special_tokens=True),
            "corrupt": tokenizer.decode(made.corrupt[i], skip_special_tokens=True),
            "right": texts(tokenizer, made.right[i]),
            "wrong": texts(tokenizer, made.wrong[i]),
            **{f"pos:{name}": int(where[i]) for name, where in made.positions.items()},
        }
        for i in range(len(made))
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    assert custom(tokenizer, rows).digest() == made.digest()
    assert custom(tokenizer, path).digest() == made.digest()


def test_several_answers_as_a_list_or_separated(words):
    listed = custom(words, [{**ROW, "right": ["Mary", "Anna"], "wrong": ["John", "Carl"]}])
    joined = custom(words, [{**ROW, "right": "Mary|Anna", "wrong": "John | Carl"}])
    assert listed.digest() == joined.digest()
    assert texts(words, listed.right[0]) == ["Mary", "Anna"]


@pytest.mark.parametrize(
    ("prompt", "answer", "token"),
    [
        ("John gave it to", "Mary", " Mary"),
        ("John gave it to", " Mary", " Mary"),
        ("John gave it to (", "Mary", "Mary"),
        ("The war lasted from the year 17", "32", "32"),
        ("The war lasted from the year", "17", " 17"),
        ("John gave it to", "(", " ("),
        ("John gave it to", ",", ","),
    ],
)
def test_a_space_is_put_before_an_answer_where_a_reader_expects_one(words, prompt, answer, token):
    pairs = custom(words, [{"clean": prompt, "corrupt": prompt, "right": answer, "wrong": "to"}])
    assert words.decode(pairs.right[0]) == token


def test_as_written_without_add_space(words):
    row = {**ROW, "right": "Mary", "wrong": " John"}
    pairs = custom(words, [row], add_space=False)
    assert (words.decode(pairs.right[0]), words.decode(pairs.wrong[0])) == ("Mary", " John")
    assert pairs.params == {"n": 1, "first_token": False, "add_space": False}


def test_a_position_is_an_index_or_a_piece_of_the_prompt(tokenizer):
    row = {**ROW, "pos:IO": "Mary", "pos:PLACE": "the market", "pos:NEAR": -2, "pos:S1": "3"}
    pairs = custom(tokenizer, [row])
    clean = pairs.clean_strings[0]
    found = {name: clean[int(where[0])].strip() for name, where in pairs.positions.items()}
    assert found == {"IO": "Mary", "PLACE": "market", "NEAR": "it", "S1": clean[3].strip(), "END": "to"}


def test_unequal_lengths_show_both_prompts_cut(tokenizer):
    told = message(custom, tokenizer, [ROW, LONGER])
    assert told.startswith("custom: clean and corrupt prompts must have the same number of tokens; pair 2 has ")
    assert "John| gave| it| to against" in told
    assert "Mary| gave| it| it| to" in told


def test_an_answer_of_two_tokens_shows_both_ways_to_cut_it(bytes_):
    told = message(custom, bytes_, [ROW, {**ROW, "right": "Maryland"}])
    assert told.startswith("custom: right must be one token; pair 2 has 'Maryland': ' Maryland' is  Mary|")
    assert "'Maryland' is M" in told
    assert "first_token=True" in told
    pairs = custom(bytes_, [{**ROW, "right": "Maryland"}], first_token=True)
    assert bytes_.decode(pairs.right[0]) == " Mary"


def test_first_tokens_that_are_the_same_are_told(bytes_):
    told = message(custom, bytes_, [{**ROW, "right": "Maryland", "wrong": "Mary"}], first_token=True)
    assert told == "custom: the wrong answer must differ from the right one; pair 1 has ' Mary' for both."


def test_an_unknown_word_is_told(words):
    told = message(custom, words, [{**ROW, "wrong": "Xerxes"}])
    assert told == "custom: wrong must be a word of this tokenizer; pair 1 has 'Xerxes', which is not."


def test_the_same_answer_twice_is_told(tokenizer):
    assert "must differ from the right one; pair 2 has ' Mary' for both" in message(
        custom, tokenizer, [ROW, {**ROW, "wrong": "Mary"}]
    )


@pytest.mark.parametrize("column", ["clean", "corrupt"])
@pytest.mark.parametrize("value", ["", "  ", None, 3])
def test_a_prompt_without_text_is_told(words, column, value):
    told = message(custom, words, [ROW, {**ROW, column: value}])
    assert told.startswith(f"custom: {column} must be a prompt's text; pair 2 has {value!r}.")


@pytest.mark.parametrize("column", ["right", "wrong"])
@pytest.mark.parametrize("value", ["", None, [], ["Mary", ""], "Mary||Anna", True, 1.5])
def test_an_answer_without_text_is_told(words, column, value):
    told = message(custom, words, [ROW, {**ROW, column: value}])
    assert told.startswith(f"custom: {column} must be an answer's text; pair 2 has {value!r}.")


def test_a_number_is_an_answer(words):
    row = {
        "clean": "The war lasted from the year 17",
        "corrupt": "The war lasted from the year 18",
        "right": 32,
        "wrong": 12,
    }
    assert texts(words, custom(words, [row]).right[0]) == ["32"]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("John", "'John' 2 times. Give the token's index instead: 0:Then|1:,|2: Mary|3: and|4: John|"),
        ("Anna", "'Anna' 0 times."),
        ("99", "must be from 0 to 14; pair 1 has 99"),
        (-16, "must be from 0 to 14; pair 1 has -16"),
        ("", "must be a token's index or a piece of the prompt; pair 1 has none"),
    ],
)
def test_a_position_that_is_not_there_is_told(words, value, told):
    assert told in message(custom, words, [{**ROW, "pos:S": value}])


def test_a_position_that_one_row_lacks_is_told(words):
    assert "pos:IO must be a token's index or a piece of the prompt; pair 2 has none" in message(
        custom, words, [{**ROW, "pos:IO": "Mary"}, ROW]
    )


def test_a_line_break_is_shown_on_one_line(words):
    row = {**ROW, "clean": "Then\nMary gave it to", "corrupt": "Then\n\nMary gave it to"}
    assert "\\n" in message(custom, words, [row])


def test_no_tokenizer_is_needed_to_hear_of_a_missing_column():
    told = message(custom, word_level(TWOS, digits=1), [{"clean": "a", "corrupt": "a", "right": "b", "wrnog": "c"}])
    assert told.endswith("row 1 lacks wrong and has clean, corrupt, right, wrnog. Rename 'wrnog' to 'wrong'.")
