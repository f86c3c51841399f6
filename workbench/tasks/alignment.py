"""A pair of the user's own before it is used: both tokenisations under each other, what is wrong with it, what mends it.

What is read here is what `custom` reads: a pair without a grave problem is one that it takes. Nothing needs a model; a
tokenizer does. Padding is never proposed: it would put other tokens where the answer is read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from workbench.errors import BadInput
from workbench.pairs import Pairs, encode, token_strings
from workbench.tasks.custom import custom
from workbench.tasks.mending import another_wrong
from workbench.tasks.problems import Problem, of_answers, of_prompts, shown, what
from workbench.tasks.rows import COLUMNS, Row

__all__ = ["Alignment", "Columns", "Problem", "align", "alignment_of", "columns", "hidden", "shown"]

# Longer prompts are laid out by position: finding what they share takes time that grows with the square of the length.
_LONGEST_MATCHED = 600
Columns = tuple[tuple[int | None, int | None], ...]


@dataclass(frozen=True)
class Alignment:
    """The two prompts of a pair, token by token.

    Attributes:
        clean: The clean prompt's tokens as text.
        corrupt: The corrupt prompt's tokens as text.
        columns: What stands under what: an index into each, None where one has nothing.
        hidden: Tokens that the tokenizer puts before the text by itself, as its BOS.
        right: The right answers as the tokens they are read as.
        wrong: The wrong answers, likewise.
        positions: Named positions, as indices into the clean prompt.
        problems: What is wrong.
    """

    clean: tuple[str, ...]
    corrupt: tuple[str, ...]
    columns: Columns
    hidden: int
    right: tuple[str, ...]
    wrong: tuple[str, ...]
    positions: Mapping[str, int]
    problems: tuple[Problem, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether nothing grave is wrong."""
        return not any(problem.grave for problem in self.problems)

    @property
    def first_difference(self) -> int | None:
        """The first column whose tokens differ; None where there is none."""
        return next((at for at, column in enumerate(self.columns) if self.differs(column)), None)

    def differs(self, column: tuple[int | None, int | None]) -> bool:
        """Whether the tokens of a column differ, or one is missing."""
        one, other = column
        return one is None or other is None or self.clean[one] != self.corrupt[other]


def align(
    tokenizer: Any, row: Row, *, first_token: bool = False, add_space: bool = True, longest: int | None = None
) -> Alignment:
    """Lay out a row of the user's own pairs, and say what is wrong with it.

    Args:
        tokenizer: The model's tokenizer.
        row: Columns clean, corrupt, right, wrong and any pos:NAME, as `custom` takes them; empty ones are a problem.
        first_token: As `custom`.
        add_space: As `custom`.
        longest: The most tokens that the model reads, or None where that is not known.
    Returns:
        The layout with its problems; with none that is grave, `custom` takes the row.
    """
    texts = {name: row.get(name) or "" for name in COLUMNS}
    ids = {side: encode(tokenizer, texts[side]) if str(texts[side]).strip() else [] for side in ("clean", "corrupt")}
    problems = [Problem("missing", f"The {name} {what(name)} is missing.") for name in COLUMNS if not str(texts[name]).strip()]
    answers: dict[str, list[int]] = {"right": [], "wrong": []}
    if texts["clean"]:
        problems += of_prompts(tokenizer, row, ids, longest)
        for side in answers:
            found, wrong = of_answers(tokenizer, row, side, first_token, add_space)
            answers[side], problems = found, problems + wrong
        if set(answers["right"]) & set(answers["wrong"]):
            problems.append(
                Problem("equal", "The right and the wrong answer are the same token.", fix=another_wrong(tokenizer, row))
            )
    positions: dict[str, int] = {}
    if not any(problem.grave for problem in problems):
        # The last word is that of what will read the pair.
        try:
            made = custom(tokenizer, [row], first_token=first_token, add_space=add_space)
            positions = {name: int(where[0]) for name, where in made.positions.items()}
        except BadInput as problem:
            problems.append(Problem("other", str(problem).removeprefix("custom: ")))
    if not positions and ids["clean"]:
        positions = {"END": len(ids["clean"]) - 1}
    return Alignment(
        clean=token_strings(tokenizer, ids["clean"]),
        corrupt=token_strings(tokenizer, ids["corrupt"]),
        columns=columns(ids["clean"], ids["corrupt"]),
        hidden=hidden(tokenizer, ids["clean"]),
        right=token_strings(tokenizer, answers["right"]),
        wrong=token_strings(tokenizer, answers["wrong"]),
        positions=positions,
        problems=tuple(problems),
    )


def alignment_of(tokenizer: Any, pairs: Pairs, index: int) -> Alignment:
    """The layout of one pair that a task made; nothing is wrong with it."""
    length = int(pairs.lengths[index])
    clean, corrupt = (one[index, :length].tolist() for one in (pairs.clean, pairs.corrupt))
    special = set(getattr(tokenizer, "all_special_ids", ()))
    return Alignment(
        clean=pairs.clean_strings[index],
        corrupt=pairs.corrupt_strings[index],
        columns=columns(clean, corrupt),
        hidden=next((at for at, token in enumerate(clean) if token not in special), 0),
        right=token_strings(tokenizer, pairs.right[index]),
        wrong=token_strings(tokenizer, pairs.wrong[index]),
        positions={name: int(where[index]) for name, where in pairs.positions.items()},
    )


def columns(clean: list[int], corrupt: list[int]) -> Columns:
    """Which token stands under which: by position where there are as many, else by what both have in common."""
    if len(clean) == len(corrupt) or max(len(clean), len(corrupt)) > _LONGEST_MATCHED:
        most = range(max(len(clean), len(corrupt)))
        return tuple((at if at < len(clean) else None, at if at < len(corrupt) else None) for at in most)
    laid: list[tuple[int | None, int | None]] = []
    for _, first, last, start, end in SequenceMatcher(None, clean, corrupt, autojunk=False).get_opcodes():
        size = max(last - first, end - start)
        laid += [(first + at if first + at < last else None, start + at if start + at < end else None) for at in range(size)]
    return tuple(laid)


def hidden(tokenizer: Any, ids: list[int]) -> int:
    """How many tokens before the text are none of it: special ones that the tokenizer adds by itself."""
    special = set(getattr(tokenizer, "all_special_ids", ()))
    added = len(encode(tokenizer, "")) if ids else 0
    begins = 0
    while begins < min(added, len(ids)) and ids[begins] in special:
        begins += 1
    return begins
