"""What is wrong with a pair of the user's own, in sentences, and what mends it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workbench.errors import BadInput
from workbench.pairs import token_strings
from workbench.tasks.custom import answer_forms, answer_id, answer_texts, continuation
from workbench.tasks.mending import Fix, first_piece, one_token_word, same_length, spaced, trimmed
from workbench.tasks.rows import Row


@dataclass(frozen=True)
class Problem:
    """Something wrong with a pair.

    Attributes:
        kind: 'missing', 'length', 'same', 'space', 'answer', 'equal', 'long' or 'other'.
        says: What it is, in a sentence; not safe as HTML.
        grave: Whether the pair cannot be used as it is.
        fix: What mends it, or None where nothing is known to.
    """

    kind: str
    says: str
    grave: bool = True
    fix: Fix | None = None


def what(column: str) -> str:
    """What a column holds: a prompt, or an answer."""
    return "prompt" if column in ("clean", "corrupt") else "answer"


def of_prompts(tokenizer: Any, row: Row, ids: Mapping[str, list[int]], longest: int | None) -> list[Problem]:
    """What is wrong with the two prompts: too long, of different lengths, the same, or ending in a space."""
    clean, corrupt = ids["clean"], ids["corrupt"]
    found = []
    most = max(len(clean), len(corrupt))
    if longest is not None and most > longest:
        found.append(Problem("long", f"The prompt has {most:,} tokens; at most {longest:,} are read here. Shorten it."))
    if clean and corrupt and len(clean) != len(corrupt):
        at = next((i for i, (a, b) in enumerate(zip(clean, corrupt, strict=False)) if a != b), min(len(clean), len(corrupt)))
        one, other = (token_strings(tokenizer, each[at : at + 1]) for each in (clean, corrupt))
        met = f"{shown(one[0]) if one else 'nothing'} against {shown(other[0]) if other else 'nothing'}"
        found.append(
            Problem(
                "length",
                f"The clean prompt has {len(clean)} tokens, the corrupt one {len(corrupt)}; they first differ at token {at}: "
                f"{met}.",
                fix=same_length(tokenizer, row),
            )
        )
    elif clean and clean == corrupt:
        found.append(Problem("same", "The two prompts are the same: there is no effect to explain.", grave=False))
    ends = [side for side in ("clean", "corrupt") if row.get(side) and str(row[side])[-1].isspace()]
    if ends and any(not token_strings(tokenizer, ids[side][-1:])[0].strip() for side in ends if ids[side]):
        said = (
            f"The {' and the '.join(ends)} prompt ends in a space that is a token of its own; an answer brings its own space."
        )
        found.append(Problem("space", said, grave=False, fix=trimmed(row)))
    return found


def of_answers(tokenizer: Any, row: Row, side: str, first_token: bool, add_space: bool) -> tuple[list[int], list[Problem]]:
    """The tokens of one side's answers, and what is wrong with them."""
    if not str(row.get(side) or "").strip():
        return [], []
    prompt = str(row["clean"])
    found: list[int] = []
    problems: list[Problem] = []
    try:
        texts = answer_texts(1, row, side)
    except BadInput as problem:
        return [], [Problem("answer", str(problem).removeprefix("custom: "))]
    for text in texts:
        likely = answer_forms(prompt, text)[0]
        ids = continuation(tokenizer, prompt, likely)
        try:
            found.append(answer_id(tokenizer, 1, side, prompt, text, first_token, add_space))
        except BadInput:
            if tokenizer.unk_token_id is not None and tokenizer.unk_token_id in ids:
                said, fix = "is no word of this tokenizer", one_token_word(tokenizer, row, side, text)
            else:
                said = f"is {len(ids)} tokens: {' '.join(map(shown, token_strings(tokenizer, ids)))}"
                if not add_space and len(ids) == 1:
                    said, fix = f"is one token only with its space: {shown(likely)}", spaced(row, side, text, likely)
                else:
                    fix = one_token_word(tokenizer, row, side, text) or first_piece(tokenizer, row, side, text, ids)
            problems.append(Problem("answer", f"The {side} answer {text!r} {said}.", fix=fix))
            continue
        problems += _space(tokenizer, row, side, text, likely, ids, add_space)
    return found, problems


def _space(tokenizer: Any, row: Row, side: str, text: str, likely: str, ids: list[int], add_space: bool) -> list[Problem]:
    """What is to be said of the space before an answer that is one token."""
    if not add_space and likely != text and len(ids) == 1:
        said = f"The {side} answer {text!r} lacks its space: as the next word it is {shown(likely)}."
        return [Problem("space", said, grave=False, fix=spaced(row, side, text, likely))]
    if add_space and likely != text and len(ids) != 1:
        said = f"The {side} answer is read as {shown(text)}, without a space: {shown(likely)} is {len(ids)} tokens."
        return [Problem("space", said, grave=False, fix=one_token_word(tokenizer, row, side, text))]
    return []


def shown(token: str) -> str:
    """A token's text with its spaces and line ends to be seen: '·Mary', '⏎'."""
    return "".join({" ": "·", "\n": "⏎", "\t": "⇥", "\r": "␍"}.get(char, char) for char in token) or "∅"
