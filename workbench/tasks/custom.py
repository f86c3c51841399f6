"""The user's own pairs: prompts, answers and positions from rows or a file, each checked when read."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from workbench.errors import BadInput
from workbench.pairs import Pairs, encode, pairs_from_ids
from workbench.tasks.prompts import tokenise
from workbench.tasks.rows import Row, read_rows
from workbench.tasks.words import split, tokenizer_of

_POSITION = "pos:"
# No space stands after these, and none before those.
_OPEN = "([{<-_/@#$“‘«"
_CLOSE = ",.;:!?)]}>%'’”»"


def custom(
    model: Any,
    rows: Sequence[Mapping[str, Any]] | str | Path,
    *,
    first_token: bool = False,
    add_space: bool = True,
) -> Pairs:
    """Pairs of the user's own rows.

    Convention: a row has the columns clean, corrupt, right and wrong, and any number of columns pos:NAME. `right` and
    `wrong` are one answer, or several as a list or separated by '|'. An answer must be one token as the next one after
    the clean prompt. A space is put before it ('Mary' after '… gave a drink to' means ' Mary') unless it begins with
    white space itself or with one of ,.;:!?)]}>%' or a closing quote, the prompt ends in white space, in one of
    ([{<-_/@#$ or in an opening quote, or a number goes on (prompt and answer meet at two digits); where the answer so
    made is not one token and the other one is, the other one is taken. A position is the index of a token, counted from
    0 with the BOS that the tokenizer adds (negative: from the end), or a piece of the clean prompt that occurs in it
    once, and then means its last token. Columns of other names are not read.

    Args:
        model: A model with a tokenizer, or a tokenizer.
        rows: Rows, or the path of a .csv (with a header), .jsonl or .json file of rows.
        first_token: Take the first token of an answer that has several.
        add_space: False takes the answers exactly as written.
    Returns:
        Pairs of the task 'custom'.
    Raises:
        BadInput: When the file cannot be read, a column or a text is missing, a pair's prompts differ in their number
            of tokens, an answer is not one token, an answer is right and wrong, or a position cannot be found.
    """
    tokenizer = tokenizer_of(model)
    read = read_rows(rows)
    clean = [_prompt(number, row, "clean") for number, row in enumerate(read, start=1)]
    corrupt = [_prompt(number, row, "corrupt") for number, row in enumerate(read, start=1)]
    answers = {
        side: [
            tuple(
                answer_id(tokenizer, number, side, clean[number - 1], text, first_token, add_space)
                for text in answer_texts(number, row, side)
            )
            for number, row in enumerate(read, start=1)
        ]
        for side in ("right", "wrong")
    }
    pairs = pairs_from_ids(
        tokenizer,
        "custom",
        clean=[encode(tokenizer, text) for text in clean],
        corrupt=[encode(tokenizer, text) for text in corrupt],
        right=answers["right"],
        wrong=answers["wrong"],
        positions=_positions(tokenizer, read, clean),
    )
    return replace(pairs, params={"n": len(read), "first_token": first_token, "add_space": add_space})


def rows_of(model: Any, pairs: Pairs) -> list[Row]:
    """Rows that `custom` makes pairs of, from pairs that a task made.

    Args:
        model: A model with a tokenizer, or a tokenizer.
        pairs: The pairs.
    Returns:
        A row per pair, its positions as indices. Where a tokenizer reads a text otherwise than it was written, as it may
        with random tokens, the row makes another pair: compare.
    """
    tokenizer = tokenizer_of(model)
    begins = encode(tokenizer, "")
    rows = []
    for index in range(len(pairs)):
        length = int(pairs.lengths[index])
        row: Row = {}
        for side, ids in (("clean", pairs.clean), ("corrupt", pairs.corrupt)):
            one = ids[index, :length].tolist()
            own = one[len(begins) :] if begins and one[: len(begins)] == begins else one
            row[side] = tokenizer.decode(own, clean_up_tokenization_spaces=False)
        for side, answers in (("right", pairs.right), ("wrong", pairs.wrong)):
            row[side] = "|".join(_written(tokenizer, row["clean"], token) for token in answers[index])
        for name, where in pairs.positions.items():
            if name != "END" or int(where[index]) != length - 1:
                row[f"{_POSITION}{name}"] = str(int(where[index]))
        rows.append(row)
    return rows


def _written(tokenizer: Any, prompt: str, token: int) -> str:
    """An answer as one would type it: without its space where it is put before it anyway."""
    text = tokenizer.decode([token], clean_up_tokenization_spaces=False)
    bare = text.strip()
    likely = continuation(tokenizer, prompt, answer_forms(prompt, bare)[0]) if bare else []
    return bare if likely == [token] else text


def _prompt(number: int, row: Row, column: str) -> str:
    text = row[column]
    if not isinstance(text, str) or not text.strip():
        raise BadInput(f"custom: {column} must be a prompt's text; pair {number} has {text!r}. Fill it in or drop the row.")
    return text


def answer_texts(number: int, row: Row, column: str) -> list[str]:
    """The answers of one side of a row, one or several.

    Raises:
        BadInput: When there is none, or one is no text.
    """
    given = row[column]
    if isinstance(given, str) and "|" in given:
        given = [part.rstrip() for part in given.split("|")]
    texts = list(given) if isinstance(given, (list, tuple)) else [given]
    # A JSON file may hold a year or a digit as a number; a truth value or a null is a slip.
    texts = [str(text) if type(text) is int else text for text in texts]
    if not texts or not all(isinstance(text, str) and text for text in texts):
        raise BadInput(f"custom: {column} must be an answer's text; pair {number} has {row[column]!r}. Write a word.")
    return texts


def answer_id(tokenizer: Any, number: int, column: str, prompt: str, text: str, first_token: bool, add_space: bool) -> int:
    """The token that an answer is after a prompt, see `custom`.

    Raises:
        BadInput: When it is not one token, or no word of the tokenizer.
    """
    forms = answer_forms(prompt, text) if add_space else [text]
    ids = [continuation(tokenizer, prompt, form) for form in forms]
    for one in ids:
        if len(one) == 1 and one[0] != tokenizer.unk_token_id:
            return one[0]
    if first_token and ids[0] and ids[0][0] != tokenizer.unk_token_id:
        return ids[0][0]
    if tokenizer.unk_token_id in ids[0]:
        raise BadInput(f"custom: {column} must be a word of this tokenizer; pair {number} has {text!r}, which is not.")
    both = " and ".join(f"{form!r} is {split(tokenizer, one)}" for form, one in zip(forms, ids, strict=True))
    raise BadInput(
        f"custom: {column} must be one token; pair {number} has {text!r}: {both}. "
        "Take a word that is one token, or its first token with first_token=True."
    )


def answer_forms(prompt: str, text: str) -> list[str]:
    """The answer with and without a space, the likelier first."""
    if text[0].isspace():
        return [text]
    last = prompt[-1]
    quoted = last == '"' and prompt.count('"') % 2 == 1
    number = last.isdigit() and text[0].isdigit()
    joined = last.isspace() or last in _OPEN or quoted or number or text[0] in _CLOSE
    return [text, f" {text}"] if joined else [f" {text}", text]


def continuation(tokenizer: Any, prompt: str, text: str) -> list[int]:
    """The tokens of a text that follows a prompt."""
    before, whole = encode(tokenizer, prompt), encode(tokenizer, prompt + text)
    if whole[: len(before)] == before:
        return whole[len(before) :]
    # The two merge where they meet, but the model is asked for what follows the prompt's own tokens.
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def _positions(tokenizer: Any, rows: Sequence[Row], prompts: Sequence[str]) -> dict[str, list[int]]:
    columns = list(dict.fromkeys(column for row in rows for column in row if column.startswith(_POSITION)))
    return {
        column.removeprefix(_POSITION): [
            _position(tokenizer, number, column, row.get(column), prompt)
            for number, (row, prompt) in enumerate(zip(rows, prompts, strict=True), start=1)
        ]
        for column in columns
    }


def _position(tokenizer: Any, number: int, column: str, given: Any, prompt: str) -> int:
    ids, locate = tokenise(tokenizer, prompt)
    text = "" if given is None else str(given)
    if text.removeprefix("-").isdecimal():
        index = int(text) if int(text) >= 0 else len(ids) + int(text)
        if not 0 <= index < len(ids):
            raise BadInput(f"custom: {column} must be from 0 to {len(ids) - 1}; pair {number} has {text}.")
        return index
    if not text.strip():
        raise BadInput(f"custom: {column} must be a token's index or a piece of the prompt; pair {number} has none.")
    starts = [start for start in range(len(prompt)) if prompt.startswith(text, start)]
    tokens = [locate(start + len(text.rstrip()) - 1) for start in starts]
    if len(tokens) == 1 and tokens[0] is not None:
        return tokens[0]
    numbered = "|".join(f"{index}:{split(tokenizer, [token])}" for index, token in enumerate(ids))
    raise BadInput(
        f"custom: {column} must occur once in the clean prompt; pair {number} has {text!r} {len(tokens)} times. "
        f"Give the token's index instead: {numbered}."
    )
