"""Method: a run function with its name, and the Origin stamped on what it returns."""

import dataclasses
import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from workbench.errors import BadInput, one_of
from workbench.models.card import card
from workbench.pairs import Pairs
from workbench.params import check
from workbench.result import Origin, Result, canonical


@dataclass(frozen=True)
class Method:
    """A method of the catalogue; calling it runs it and stamps the Origin on the result.

    Attributes:
        name: Its id everywhere: command line, file, test.
        title: A few words for menus.
        source: Where it comes from.
        run: `run(model, pairs, *, …) -> Result`; its keyword-only parameters are its interface.
        kind: Kind of the result it returns.
        needs_pairs: Whether there is nothing to ask of a model alone.
    """

    name: str
    title: str
    source: str
    run: Callable[..., Result]
    kind: str = "scores"
    needs_pairs: bool = True

    @property
    def params(self) -> dict[str, inspect.Parameter]:
        """The keyword-only parameters of `run`, in order."""
        return {
            name: parameter
            for name, parameter in inspect.signature(self.run).parameters.items()
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY
        }

    def bind(self, **params: Any) -> dict[str, Any]:
        """All parameters, defaults filled in; BadInput for a name it does not have, or a value it does not take."""
        for name, value in params.items():
            one_of(f"a parameter of {self.name}", name, self.params)
            check(f"{self.name}: {name}", value, self.params[name].annotation)
        return {name: params.get(name, parameter.default) for name, parameter in self.params.items()}

    def origin(self, model: Any, pairs: Pairs | None = None, **params: Any) -> Origin:
        """The Origin of the result that this call would give.

        Raises:
            BadInput: When there are no pairs and the method needs some.
        """
        if pairs is None and self.needs_pairs:
            raise BadInput(f"{self.name} must have pairs; got none. Make some: TASKS['ioi'](model).")
        known = card(model)
        return Origin(
            method=self.name,
            model=known.ref,
            fingerprint=known.fingerprint,
            task="" if pairs is None else pairs.task,
            pairs="" if pairs is None else pairs.digest(),
            task_params={} if pairs is None else plain(pairs.params),
            params=plain(self.bind(**params)),
            device=known.device,
            dtype=known.dtype,
            versions=versions(),
        )

    def __call__(self, model: Any, pairs: Pairs | None = None, **params: Any) -> Result:
        """Run the method; see `run` for its parameters."""
        origin = self.origin(model, pairs, **params)
        return dataclasses.replace(self.run(model, pairs, **self.bind(**params)), origin=origin)


def plain(params: dict[str, Any]) -> dict[str, Any]:
    """Parameters as they read back from the store: tuples as lists."""
    return json.loads(canonical(dict(params)))


@cache
def versions() -> dict[str, str]:
    """Versions of the libraries that numbers depend on."""
    found = {}
    for package in ("circuit-workbench", "torch", "transformer-lens", "transformers"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    return found
