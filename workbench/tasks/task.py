"""Task: a named, cited maker of Pairs; and the catalogue that holds the tasks.

A task's keyword-only parameters are its interface: from them follow its flags, its widgets and its stored parameters.
Choices are annotated with Literal, so that every door can list them and they are checked here once for all tasks.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from workbench.errors import at_least, one_of, within
from workbench.pairs import Pairs
from workbench.params import check


@dataclass(frozen=True)
class Task:
    """A maker of Pairs.

    Attributes:
        name: Id of the task, its module's name.
        title: A few words for menus.
        source: Authors, year, link.
        make: make(model, n, seed, *, options) -> Pairs.
    """

    name: str
    title: str
    source: str
    make: Callable[..., Pairs]

    @property
    def options(self) -> dict[str, inspect.Parameter]:
        """The parameters of `make` after the model, n and seed first: name -> default and annotation."""
        return dict(list(inspect.signature(self.make).parameters.items())[1:])

    def __call__(self, model: Any, n: int = 8, seed: int = 0, *, prompts: Sequence[int] | None = None, **options: Any) -> Pairs:
        """The task's pairs for this model's tokenizer.

        Convention: the same tokenizer and parameters make the same pairs; n, seed and all options, defaults included,
        are kept in `Pairs.params`, so that `task(model, **pairs.params)` makes them again.

        Args:
            model: A model with a tokenizer, or a tokenizer.
            n: Pairs, at least 1.
            seed: Seed of the draw.
            prompts: Keep only these pairs, by index (what `Pairs.select` leaves in its params); None keeps all.
            options: The task's own options.
        Returns:
            Pairs.
        Raises:
            BadInput: When an option is unknown or out of its range, or the tokenizer cannot carry the task.
        """
        known = self.options
        for name in options:
            one_of(f"an option of {self.name}", name, known)
        params = {name: option.default for name, option in known.items()} | {"n": n, "seed": seed} | options
        for name, value in params.items():
            check(f"{self.name}: {name}", value, known[name].annotation)
        at_least(f"{self.name}: n", n, 1)
        pairs = replace(self.make(model, **params), params=params)
        if prompts is None:
            return pairs
        for index in prompts:
            within(f"{self.name}: prompts", index, 0, len(pairs))
        return pairs.select(prompts)


class Catalogue(dict[str, Task]):
    """Tasks by name; an unknown name is a BadInput that suggests the nearest."""

    def __missing__(self, name: str) -> Task:
        one_of("the task", name, self)
        raise KeyError(name)
