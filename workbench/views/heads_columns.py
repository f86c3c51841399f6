"""The columns of the table of heads: what each measures, its numbers, how they are written, and who has the most."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

# What can be joined to the detectors, by method: what its column is called, and what it says.
JOINED = {
    "dla": ("direct logits", "What the head adds to the answer past all later layers: + towards the right one."),
    "atp": ("attribution", "Patching to first order, by gradients: + restores the right answer."),
    "patch": ("patching", "What the answer gains when the clean run's output of the head is put into the corrupt run."),
    "retrieval": ("retrieval", "How often the head looks at the very token of a needle that is copied out of a long text."),
}
ABOUT = {
    "previous token": "Attention to the token before, on running text.",
    "duplicate token": "Attention to earlier copies of the token, on random tokens that repeat.",
    "induction": "Attention to what followed earlier copies of the token, on random tokens that repeat.",
    "copying": "Of what the head raises among the text's own tokens, the part that is what it looks at.",
    "copying, weights": "1 where the weights alone copy every token, -1 where they lower it.",
    "1-gram": "Attention to what followed earlier copies of the token, on few tokens in random order.",
    "2-gram": "The same, of the last two tokens.",
    "3-gram": "The same, of the last three tokens.",
    "2-gram beyond 1-gram": "What matches of the last two tokens get beyond their number among those of the last one.",
    "first token": "Attention to the first token, on running text: where a head rests.",
    "later sink": "The largest mean attention that one token after the first is given, on running text.",
    "entropy": "How widely the head looks, on running text.",
    "distance": "How far back the head looks, the first token left out, on running text.",
    "name mover": "What the head takes straight from the right answer's places into the logits; - is a negative mover.",
    "S-inhibition": "How far the heads that add most to the answer turn back to the wrong one without this head.",
}


@dataclass(frozen=True, eq=False)
class Column:
    """A detector or a joined score of every head.

    Attributes:
        name: As in the data frame and the CSV.
        label: As on the page.
        unit: Of its numbers.
        about: What it measures, in a sentence; '' where that is not known.
        reason: Why numbers are missing, or ''.
        values: A number per head, layer after layer.
    """

    name: str
    label: str
    unit: str
    about: str
    reason: str
    values: np.ndarray

    @property
    def signed(self) -> bool:
        """Whether there are numbers below 0."""
        return bool((self.values < 0).any())

    @property
    def limit(self) -> float:
        """The largest size there is; 1 where all are 0 or missing."""
        sizes = np.abs(self.values[np.isfinite(self.values)])
        return float(sizes.max(initial=0)) or 1.0

    def text(self, number: int | float) -> str:
        """A number of it in as many digits as tell heads apart, '–' for one that is missing."""
        if number != number:
            return "–"
        power = math.floor(math.log10(self.limit))
        digits = max(0, min(5, 2 - power if power >= 0 else 1 - power))
        # No -0.00.
        return f"{round(number, digits) + 0.0:{'+' if self.signed else ''}.{digits}f}".replace("-", "−")

    @cached_property
    def ranks(self) -> np.ndarray:
        """1 for the head with the most, in size where there are signs; the same for equal ones, 0 for missing ones."""
        sizes = np.abs(self.values) if self.signed else self.values
        found = np.array([1 + int((sizes > size).sum()) for size in sizes])
        return np.where(np.isfinite(sizes), found, 0)


def file_name(model: str, task: str) -> str:
    """The name of the CSV: of model and task, without what file systems refuse."""
    return (
        "".join(
            char if char.isascii() and (char.isalnum() or char in "-_.") else "-" for char in f"heads-{model}-{task}"[-120:]
        )
        + ".csv"
    )
