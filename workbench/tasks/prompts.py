"""Prompts from templates: filled, tokenised and with the positions of their slots; drawn until they are distinct."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Any, TypeVar

from workbench.errors import BadInput, within
from workbench.pairs import Pairs, encode, pairs_from_ids
from workbench.tasks.words import split

T = TypeVar("T")

# So many draws in a row that only repeat earlier pairs are taken to mean that no further pair exists.
_TRIES = 5000


@dataclass(frozen=True)
class Draft:
    """One pair before its tokenisation: a template, what fills its slots in both prompts, and the answers' ids."""

    template: str
    clean: Mapping[str, str]
    corrupt: Mapping[str, str]
    right: tuple[int, ...]
    wrong: tuple[int, ...]

    @property
    def texts(self) -> tuple[str, str]:
        """The clean and the corrupt prompt."""
        return self.template.format(**self.clean), self.template.format(**self.corrupt)


def draw_distinct(n: int, draw: Callable[[int], T], key: Callable[[T], Any]) -> list[T]:
    """n items of draw(index), none twice by `key`, unless there are fewer than n: then they repeat."""
    drawn, seen, tries = [], set(), _TRIES
    for index in range(n):
        item = draw(index)
        left = tries
        while key(item) in seen and left:
            item, left = draw(index), left - 1
        if key(item) in seen:
            tries = 0
        seen.add(key(item))
        drawn.append(item)
    return drawn


def choose_templates(task: str, rng: random.Random, templates: Sequence[str], template: int | str | None, n: int) -> list[str]:
    """A template for each of n pairs: number `template`, one drawn for all (None), or one drawn for each ('all')."""
    if template == "all":
        return [rng.choice(templates) for _ in range(n)]
    if template is None:
        return [rng.choice(templates)] * n
    within(f"{task}: template", template, 0, len(templates))
    return [templates[template]] * n


def pairs_from_drafts(tokenizer: Any, task: str, drafts: Sequence[Draft], positions: Mapping[str, tuple[str, int]]) -> Pairs:
    """Tokenise drafts and make Pairs of them.

    Args:
        tokenizer: The model's tokenizer.
        task: Id of the task, for messages.
        drafts: The pairs as text.
        positions: Name of a position -> (slot, how many tokens after it).
    Returns:
        Pairs, with 'END' as the last token of each prompt.
    Raises:
        BadInput: When a slot's word is not one token where it stands.
    """
    clean = [compose(tokenizer, task, draft.template, draft.clean) for draft in drafts]
    corrupt = [compose(tokenizer, task, draft.template, draft.corrupt) for draft in drafts]
    return pairs_from_ids(
        tokenizer,
        task,
        clean=[ids for ids, _ in clean],
        corrupt=[ids for ids, _ in corrupt],
        right=[draft.right for draft in drafts],
        wrong=[draft.wrong for draft in drafts],
        positions={name: [at[slot] + offset for _, at in clean] for name, (slot, offset) in positions.items()},
    )


def compose(tokenizer: Any, task: str, template: str, words: Mapping[str, str]) -> tuple[list[int], dict[str, int]]:
    """Fill a template and tokenise it: its token ids, and the position of each slot's word.

    Raises:
        BadInput: When a word is not one token where it stands.
    """
    text = template.format(**words)
    ids, locate = tokenise(tokenizer, text)
    at = {}
    for slot, last in _slot_ends(template, words):
        at[slot] = locate(last)
        if tokenizer.decode([ids[at[slot]]]).strip() != words[slot]:
            raise BadInput(
                f"{task}: {words[slot]!r} must be one token where it stands; got {split(tokenizer, ids)}. Take another model."
            )
    return ids, at


def tokenise(tokenizer: Any, text: str) -> tuple[list[int], Callable[[int], int]]:
    """The ids of a text (as `encode` makes them), and a function from a character's index to its token's."""
    encoded = tokenizer(text)
    if getattr(tokenizer, "is_fast", False):
        return list(encoded["input_ids"]), encoded.char_to_token
    # A slow tokenizer keeps no offsets: the token that holds a character ends the text up to it.
    return list(encoded["input_ids"]), lambda index: len(encode(tokenizer, text[: index + 1])) - 1


def _slot_ends(template: str, words: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    length = 0
    for literal, slot, _, _ in Formatter().parse(template):
        length += len(literal)
        if slot is not None:
            length += len(words[slot])
            yield slot, length - 1
