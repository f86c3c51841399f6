"""What mends a pair of prompts: another word of the tasks' lists that is as long in tokens, a space more or less."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from workbench.pairs import encode, token_strings
from workbench.tasks.rows import Row
from workbench.tasks.words import one_token, word_list

NAMES = ("men", "women")
# Of lists whose entries are two words, each column is a list: countries do not stand in for capitals.
LISTS = (*NAMES, "places", "objects", "events", "words", "capitals 0", "capitals 1", "nouns 0", "nouns 1")
# Words tried for one place; trying one takes a tokenisation of the prompt.
_MOST_TRIED = 300


@dataclass(frozen=True)
class Fix:
    """What a click does.

    Attributes:
        label: It in a few words; not safe as HTML.
        changes: Column -> its new text.
    """

    label: str
    changes: Mapping[str, str]


@cache
def listed(name: str) -> tuple[str, ...]:
    """The words of a list; 'NAME 1' is the second column of one."""
    of, _, column = name.partition(" ")
    return tuple(line.split()[int(column or 0)] for line in word_list(of))


def alike(words: Iterable[str]) -> list[str]:
    """The words of the lists that hold one of these; where none does, names, or words for one in small letters."""
    wanted = list(words)
    lists = [name for name in LISTS if set(wanted) & set(listed(name))]
    if set(lists) & set(NAMES):
        lists = list(NAMES)
    others = ("words", "objects", "places") if all(word.islower() for word in wanted) else NAMES
    return list(dict.fromkeys(word for name in lists or others for word in listed(name)))


def same_length(tokenizer: Any, row: Row) -> Fix | None:
    """Other words for those of the corrupt prompt that are not as many tokens as their partners; None where none fit."""
    clean, corrupt = str(row["clean"]), str(row["corrupt"])
    one, other = _pieces(clean), _pieces(corrupt)
    if len(one) != len(other):
        return None
    taken = {piece.lower() for piece in (*one, *other, *_pieces(str(row.get("right"))), *_pieces(str(row.get("wrong"))))}
    put: dict[str, str] = {}
    for mine, theirs in zip(one, other, strict=True):
        size = _size(tokenizer, mine)
        if mine == theirs or theirs in put or size == _size(tokenizer, theirs):
            continue
        if not (mine.isalpha() and theirs.isalpha()):
            return None
        fits = (
            word for word in alike([theirs, mine])[:_MOST_TRIED] if word.lower() not in taken and _size(tokenizer, word) == size
        )
        found = next(fits, None)
        if found is None:
            return None
        put[theirs] = found
        taken.add(found.lower())
    new = "".join(put.get(piece, piece) for piece in other)
    if not put or len(encode(tokenizer, new)) != len(encode(tokenizer, clean)):
        return None
    said = ", ".join(f"'{after}' for '{before}'" for before, after in put.items())
    return Fix(f"Put {said} in the corrupt prompt", {"corrupt": new})


def one_token_word(tokenizer: Any, row: Row, side: str, text: str) -> Fix | None:
    """Another word for an answer, one of the same list that is one token, wherever the pair has it; None where none fits.

    A word of no list that the prompts do not hold has no substitute: any would be another question.
    """
    word = text.strip()
    inside = any(word in _pieces(str(row.get(name) or "")) for name in ("clean", "corrupt"))
    if not word.isalpha() or not (inside or any(word in listed(name) for name in LISTS)):
        return None
    taken = {piece for value in row.values() for piece in _pieces(str(value))}
    free = [other for other in alike([word]) if other not in taken][:_MOST_TRIED]
    found = next(iter(one_token(tokenizer, free)), None)
    if found is None:
        return None
    changes = {}
    for name, value in row.items():
        new = "".join(found if piece == word else piece for piece in _pieces(str(value)))
        if isinstance(value, str) and new != value:
            changes[name] = new
    return Fix(f"Put '{found}' for '{word}'", changes)


def first_piece(tokenizer: Any, row: Row, side: str, text: str, ids: list[int]) -> Fix | None:
    """The first token of an answer in its place."""
    piece = token_strings(tokenizer, ids[:1])[0] if ids else ""
    if not piece.strip() or "\ufffd" in piece:
        return None
    return Fix(f"Take its first token '{piece.strip()}'", {side: _swapped(row, side, text, piece)})


def another_wrong(tokenizer: Any, row: Row) -> Fix | None:
    """Another word of the clean prompt, of the same list as the right answer, or any other of that list."""
    right = str(row["right"]).split("|")[0].strip()
    there = [word for word in _pieces(str(row["clean"])) if word in alike([right]) and word != right]
    found = next(iter(one_token(tokenizer, [*there, *(word for word in alike([right])[:50] if word != right)])), None)
    return None if found is None else Fix(f"Take '{found}' as the wrong answer", {"wrong": found})


def spaced(row: Row, side: str, text: str, likely: str) -> Fix:
    """The answer as the tokenizer has it after the prompt."""
    label = "Add the space" if len(likely) > len(text) else "Remove the space"
    return Fix(label, {side: _swapped(row, side, text, likely)})


def trimmed(row: Row) -> Fix:
    """The prompts without the white space at their ends."""
    changes = {side: str(row[side]).rstrip() for side in ("clean", "corrupt") if row.get(side)}
    return Fix("Remove the space at the end", {side: new for side, new in changes.items() if new != row[side]})


def _swapped(row: Row, side: str, text: str, new: str) -> str:
    """The answers of a side with one of them changed."""
    parts = [part.rstrip() for part in str(row[side]).split("|")] if "|" in str(row[side]) else [text]
    return "|".join(new if part == text else part for part in parts)


def _pieces(text: str) -> list[str]:
    """Words, and what stands between them."""
    return re.findall(r"\w+|\W+", text)


def _size(tokenizer: Any, word: str) -> int:
    """Tokens of a word in running text."""
    return len(encode(tokenizer, f"a {word}")) - len(encode(tokenizer, "a"))
