"""BadInput, the one exception meant for users, and the few checks that word its messages.

Template: ``{What} must be {constraint}; got {value}. {The fix, or a hint}``. Everything that is not a BadInput is a bug of
ours and keeps its traceback.
"""

import difflib
import re
from collections.abc import Iterable


class BadInput(ValueError):
    """What the user asked for cannot be done; the message is one sentence they can act on."""


class NotFinite(BadInput):
    """A NaN or an infinity turned up in a model's activations or logits.

    Args:
        said: The message, with '{prompt}' for the number of the prompt, if there is one.
        prompt: That prompt, from 0, of those that were run.
    """

    def __init__(self, said: str, prompt: int | None = None):
        super().__init__(said if prompt is None else said.format(prompt=prompt + 1))
        self._said, self._prompt = said, prompt

    def counted_from(self, first: int) -> "NotFinite":
        """The same, where the prompts that were run are those from `first` on."""
        return self if self._prompt is None else NotFinite(self._said, first + self._prompt)


def one_of(what: str, value: object, allowed: Iterable[object]) -> None:
    """Raise BadInput unless `value` is among `allowed`; suggests the nearest name."""
    options = list(allowed)
    if value in options:
        return
    near = difflib.get_close_matches(str(value), [str(option) for option in options], n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    listed = ", ".join(repr(option) for option in options)
    raise BadInput(f"{what} must be one of {listed}; got {value!r}.{hint}")


def at_least(what: str, value: int | float, least: int | float) -> None:
    """Raise BadInput unless `value` >= `least`."""
    if not value >= least:
        raise BadInput(f"{what} must be at least {least}; got {value!r}.")


def within(what: str, value: int | float, low: int | float, high: int | float) -> None:
    """Raise BadInput unless `low` <= `value` < `high`."""
    if not low <= value < high:
        raise BadInput(f"{what} must be from {low} to {high - 1}; got {value!r}.")


def whole_numbers(what: str, text: str, low: int, high: int) -> list[int]:
    """The whole numbers that a text lists, each once, the smallest first; BadInput where one is not from `low` to `high`."""
    words = [word for word in re.split(r"[+, ]", text) if word]
    if not words or not all(re.fullmatch(r"\d{1,4}", word, re.ASCII) and low <= int(word) <= high for word in words):
        raise BadInput(f"{what} must be whole numbers from {low} to {high}, as in '{low},{high}'; got {text[:60]!r}.")
    return sorted(set(map(int, words)))
