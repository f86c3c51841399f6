"""Word lists of the tasks, and which of their words are one token for a tokenizer.

The lists are plain text in `data/words/`, one entry a line (two words where an entry is a pair, as country and
capital).
"""

import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from workbench.errors import BadInput, one_of
from workbench.pairs import encode, token_strings

# Decoding a whole vocabulary to find its ordinary tokens takes seconds; so many random ones are enough to draw from.
_POOL = 2000
_PACKAGE = Path(__file__).resolve().parents[1]


def word_list(name: str) -> list[str]:
    """The lines of `data/words/NAME.txt`, from beside the package (a checkout) or inside it (a wheel)."""
    folders = [data / "words" for data in (_PACKAGE.parent / "data", _PACKAGE / "data")]
    for folder in folders:
        if (folder / f"{name}.txt").is_file():
            return (folder / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    one_of("the word list", name, sorted(path.stem for folder in folders for path in folder.glob("*.txt")))
    raise FileNotFoundError(name)


def word_pairs(name: str) -> list[tuple[str, str]]:
    """The lines of a list whose entries are two words."""
    return [(first, second) for first, second in map(str.split, word_list(name))]


def tokenizer_of(model: Any) -> Any:
    """The model's tokenizer, or `model` itself where it is one.

    Raises:
        BadInput: When the model has none.
    """
    tokenizer = getattr(model, "tokenizer", model)
    if tokenizer is None or not callable(tokenizer):
        raise BadInput(f"the model must have a tokenizer; got {type(model).__name__} without one. Load one that has.")
    return tokenizer


def split(tokenizer: Any, ids: Sequence[int]) -> str:
    """The tokens' text joined by '|', on one line, for messages."""
    return "|".join(token_strings(tokenizer, ids)).replace("\n", "\\n")


def one_token(tokenizer: Any, words: Iterable[str]) -> dict[str, int]:
    """Those of the words that are one token after a space in running text, with that token's id."""
    before = encode(tokenizer, "a")
    found = {}
    for word in words:
        ids = encode(tokenizer, f"a {word}")
        # The text is compared, since an unknown word is one token too.
        if ids[:-1] == before and tokenizer.decode([ids[-1]]).strip() == word:
            found[word] = ids[-1]
    return found


def one_token_words(tokenizer: Any, task: str, lists: Iterable[str], least: int) -> dict[str, int]:
    """The one-token words of some lists, in the lists' order, with their ids.

    Raises:
        BadInput: When fewer than `least` are left.
    """
    names = list(lists)
    words = [word for name in names for word in word_list(name)]
    found = one_token(tokenizer, words)
    enough(task, f"the {' and '.join(names)}", len(found), len(words), least)
    return found


def ordinary_tokens(tokenizer: Any, what: str, rng: random.Random, needed: int) -> list[int]:
    """Random tokens that are text: no special or added ones, no pieces of a character; at least as many as needed.

    Raises:
        BadInput: When the tokenizer has too few.
    """
    added = set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder)
    ids = sorted(set(tokenizer.get_vocab().values()) - added)
    drawn = rng.sample(ids, min(len(ids), max(_POOL, 4 * needed)))
    pool = [token for token in drawn if _is_text(tokenizer.decode([token]))]
    if len(pool) < needed:
        raise BadInput(
            f"{what}: the ordinary tokens of this tokenizer must be at least {needed}; got {len(pool)}. Take a smaller length."
        )
    return pool


def _is_text(token: str) -> bool:
    return bool(token.strip()) and "\ufffd" not in token


def enough(task: str, what: str, found: int, total: int, least: int) -> None:
    """Raise BadInput unless at least `least` words of a list are one token."""
    if found < least:
        raise BadInput(
            f"{task}: {what} that are one token in this tokenizer must be at least {least}; got {found} of {total}. "
            "Take a model with a larger vocabulary, or another task."
        )
