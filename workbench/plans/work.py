"""What a run does with a model, counted before it is done: passes, tokens, products of matrices, memory."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True)
class Work:
    """What a method does with a model on some prompts; works add up.

    Attributes:
        forwards: Forward passes, of all layers or of some.
        backwards: Backward passes.
        tokens: Tokens that pass forward through a layer, divided by the layers: those of as many whole passes.
        back: The same of backward passes.
        products: Multiplications of numbers in matrices, beside the passes.
        cells: Patched runs asked for, those that causality decides among them; None for what patches nothing.
        held: Bytes held at most beyond the model.
        at_once: How many go together through a pass, at most; None where nothing is batched.
        of: What goes together: 'cells', 'prompts', 'edges', 'circuits', 'heads', 'trials' or 'sequences'.
        at_most: Whether it may take less: a search that ends when it has found, or follows what it finds.
    """

    forwards: int = 0
    backwards: int = 0
    tokens: float | int = 0
    back: float | int = 0
    products: float | int = 0
    cells: int | None = None
    held: int = 0
    at_once: int | None = None
    of: str = ""
    at_most: bool = False

    def __add__(self, other: "Work") -> "Work":
        cells = [one.cells for one in (self, other) if one.cells is not None]
        batched = other if self.at_once is None or (self.of == other.of and (other.at_once or 0) > self.at_once) else self
        return Work(
            self.forwards + other.forwards,
            self.backwards + other.backwards,
            self.tokens + other.tokens,
            self.back + other.back,
            self.products + other.products,
            sum(cells) if cells else None,
            max(self.held, other.held),
            batched.at_once,
            batched.of,
            self.at_most or other.at_most,
        )

    def __mul__(self, count: int) -> "Work":
        return Work(
            self.forwards * count,
            self.backwards * count,
            self.tokens * count,
            self.back * count,
            self.products * count,
            None if self.cells is None else self.cells * count,
            self.held if count else 0,
            self.at_once,
            self.of,
            self.at_most,
        )


def total(works: Iterable[Work]) -> Work:
    """All of these, one after the other."""
    return sum(works, Work())


def parts_of(count: int, most: int) -> int:
    """How many parts of at most `most` there are."""
    return ceil(count / most)
