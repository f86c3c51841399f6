"""Progress, partial results and Stop, carried by context so that a method knows nothing of bars, buttons or files.

A method wraps its long loop in `track` and may `show` what it has so far. Whoever runs it decides what becomes of that:

* nobody listening: a tqdm bar with the time left (terminal or notebook), for loops that last over two seconds;
* `listening(fn)`: each step goes to `fn` instead; `fn` raises `Stopped` to stop the work within one step;
* `viewing(fn)`: `fn` receives partial Results as they grow;
* `keeping(ledger)`: finished pieces of a long loop are written down and found again after a kill.

Context variables are per thread: a worker thread enters these contexts itself.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable

Item = TypeVar("Item")


class Stopped(Exception):
    """The user stopped the work. Raised through the `with` blocks, so hooks come off by themselves."""


@dataclass(frozen=True)
class Step:
    """One report of a long loop.

    Attributes:
        label: What is being done.
        done: Units finished.
        total: Units in all, or None where unknown.
    """

    label: str
    done: int | float
    total: int | float | None


@runtime_checkable
class Ledger(Protocol):
    """Finished pieces of a long loop, by name; survives a kill."""

    def get(self, name: str) -> Any | None:
        """The array written under `name`, or None."""
        ...

    def put(self, name: str, values: Any) -> None:
        """Write an array of float64 down under `name`."""
        ...


Listener = Callable[[Step], None]
Viewer = Callable[[Callable[[], Any]], None]

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)
_viewer: ContextVar[Viewer | None] = ContextVar("viewer", default=None)
_ledger: ContextVar[Ledger | None] = ContextVar("ledger", default=None)


@contextmanager
def _holding(variable: ContextVar, value: Any) -> Iterator[None]:
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


def listening(listener: Listener):
    """Context in which every step of `track` goes to `listener` and no bar is drawn."""
    return _holding(_listener, listener)


def viewing(viewer: Viewer):
    """Context in which `show` hands its function to `viewer`; calling that function makes the partial Result."""
    return _holding(_viewer, viewer)


def keeping(ledger: Ledger):
    """Context in which long loops write finished pieces to `ledger` and skip the pieces they find there."""
    return _holding(_ledger, ledger)


def ledger() -> Ledger | None:
    """The ledger of the run in progress, if it has one."""
    return _ledger.get()


def show(make: Callable[[], Any]) -> None:
    """Offer a partial Result: `make()` is called only if somebody watches."""
    viewer = _viewer.get()
    if viewer is not None:
        viewer(make)


# Numbers of a finished piece worth a place on disk; what is larger is computed again after a kill.
LARGEST = 20_000_000


def remembered(name: str, make: Callable[[], Any]) -> Any:
    """The array that a killed run wrote down under `name`; else what `make` gives, which is then written down.

    The name must tell all that the piece depends on and the run's Origin does not: see `digest`.
    """
    ledger = _ledger.get()
    found = None if ledger is None else ledger.get(name)
    if found is None:
        found = make()
        if ledger is not None and found.size <= LARGEST:
            ledger.put(name, found)
    return found


def digest(*parts: Any) -> str:
    """Twelve digits that differ when what is said of a piece differs."""
    found = hashlib.sha256()
    for part in parts:
        found.update(part if isinstance(part, bytes) else repr(part).encode())
    return found.hexdigest()[:12]


class Bar:
    """A progress bar, or the listener standing in for it; `advance` reports and may raise Stopped."""

    def __init__(self, label: str, total: int | float | None, unit: str = "it", bytes: bool = False):
        self._listener = _listener.get()
        self._label, self._total, self.done = label, total, 0.0
        self._bar = None
        if self._listener is None:
            from tqdm.auto import tqdm

            # delay: a loop that ends within two seconds draws no bar.
            self._bar = tqdm(
                desc=label, total=total, unit=unit, unit_scale=bytes, delay=0 if bytes else 1, leave=False, dynamic_ncols=True
            )
        else:
            self._listener(Step(label, 0.0, total))

    def advance(self, amount: int | float = 1) -> None:
        self.done += amount
        if self._bar is not None:
            self._bar.update(amount)
        if self._listener is not None:
            self._listener(Step(self._label, self.done, self._total))

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


@contextmanager
def bar(label: str, total: int | float | None = None, *, unit: str = "it", bytes: bool = False) -> Iterator[Bar]:
    """A bar advanced by hand, for work that is not a plain loop."""
    made = Bar(label, total, unit, bytes)
    try:
        yield made
    finally:
        made.close()


def track(items: Iterable[Item], label: str, total: int | float | None = None) -> Iterator[Item]:
    """Yield `items`, reporting each one finished under `label`.

    Args:
        items: What to go through.
        label: A few words naming the work.
        total: Number of items, where `items` has no length.
    Raises:
        Stopped: When the listener asks for it.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    with bar(label, total) as made:
        for item in items:
            yield item
            made.advance()
