"""The models in memory: each is loaded once, as many are kept as a budget of memory allows, the one used longest ago goes."""

import gc
import math
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from workbench.errors import BadInput
from workbench.jobs.limits import limits
from workbench.jobs.placed import Placed
from workbench.progress import Step, Stopped, listening

# Of the memory that is free, and that models take already.
SHARE = 0.8
LOOK = 0.05


class Models:
    """Loaded models by ref, dtype and device.

    Args:
        load: Called with a ref, and with `dtype` and `device` where they are not the defaults; gives a model.
        keep: How many to keep at most, of all devices.
        budget: Bytes that models may take on a device; WORKBENCH_MEMORY (in GB), else a share of what is free, where None.
        weigh: Bytes that loading takes, or None where that is not known.
        fetch: Called with a ref that is not on this disk before it is loaded; brings its files.
    """

    def __init__(
        self,
        load: Callable[..., Any] | None = None,
        keep: int | None = None,
        budget: int | None = None,
        weigh: Callable[[Placed], int | None] | None = None,
        fetch: Callable[[str], None] | None = None,
    ):
        self._load, self._keep, self._budget = load or _load, keep, budget
        # What a loader of one's own takes is not known.
        self._weigh = weigh or (weighed if load is None else lambda placed: None)
        self._fetch = fetch or (_fetch if load is None else None)
        self._loaded: OrderedDict[Placed, Any] = OrderedDict()
        self._loading: dict[str, _Loading] = {}
        self._lock = threading.RLock()

    def __contains__(self, asked: str | Placed) -> bool:
        return Placed.of(asked) in self._loaded

    def take(self, asked: str | Placed, hear: Callable[[Step | None], None] | None = None) -> Any:
        """The model that is asked for, loaded now if need be.

        Args:
            asked: Ref, or ref with dtype and device.
            hear: Called many times a second while it loads, with the last step or None; what it raises ends the waiting,
                and the loading too if nobody else waits.
        Raises:
            BadInput: When the ref leads nowhere, the server does not allow it, or it does not fit into the budget.
        """
        placed = Placed.of(asked)
        limits().check_model(placed.ref)
        while True:
            with self._lock:
                if placed in self._loaded:
                    self._loaded.move_to_end(placed)
                    return self._loaded[placed]
                # One at a time on a device, so that the budget holds.
                loading = self._loading.get(placed.device)
                new = loading is None or not loading.is_alive()
                if new:
                    loading = self._loading[placed.device] = _Loading(placed, self._take_in, self._drop)
                # Who waits for another model's turn keeps none going that nobody waits for.
                mine = loading.placed == placed
                loading.waiting += mine
                if new:
                    loading.start()
            try:
                loading.wait(hear)
            finally:
                with self._lock:
                    loading.waiting -= mine
            if loading.placed == placed and loading.problem is not None and not isinstance(loading.problem, Stopped):
                raise loading.problem

    def lacks(self, asked: str | Placed) -> bool:
        """Whether files are to be asked for elsewhere before the model can be loaded."""
        from workbench.models.find import lies_here

        placed = Placed.of(asked)
        if self._fetch is None or placed in self:
            return False
        try:
            limits().check_model(placed.ref)
            return not lies_here(placed.ref)
        except BadInput:
            # Told by whoever loads it.
            return False

    def fetch(self, asked: str | Placed) -> None:
        """Bring the files of a model that is allowed, and that fits.

        Raises:
            BadInput: When they cannot be had, or the model does not fit into the budget.
        """
        placed = Placed.of(asked)
        self._check_fits(placed)
        if self._fetch is not None:
            self._fetch(placed.ref)

    def loaded(self) -> dict[Placed, int]:
        """The models in memory and the bytes of their weights, the one used last at the end."""
        with self._lock:
            return {placed: size_of(model) for placed, model in self._loaded.items()}

    def used(self, device: str) -> int:
        """Bytes that the models on a device take."""
        return sum(size for placed, size in self.loaded().items() if placed.device == device)

    def budget(self, device: str) -> int:
        """Bytes that models may take on a device."""
        given = os.environ.get("WORKBENCH_MEMORY", "")
        if self._budget is not None:
            return self._budget
        if given:
            return read_gigabytes(given)
        from workbench.models.memory import free_memory

        return int(SHARE * (free_memory(device) + self.used(device)))

    def weigh(self, asked: str | Placed) -> int | None:
        """Bytes that loading takes; None where that is not known before."""
        return self._weigh(Placed.of(asked))

    def unload(self, asked: str | Placed) -> None:
        """Let a model go; a job that works with it goes on."""
        with self._lock:
            self._loaded.pop(Placed.of(asked), None)
        gc.collect()

    def _take_in(self, placed: Placed) -> None:
        """Load a model into the room that is made for it."""
        self._make_room(placed)
        model = self._load(placed.ref, **placed.options)
        with self._lock:
            self._loaded[placed] = model

    def _drop(self, loading: "_Loading") -> None:
        """Keep nothing of a loading that has ended: what ended it may hold the weights."""
        with self._lock:
            if self._loading.get(loading.placed.device) is loading:
                del self._loading[loading.placed.device]

    def _check_fits(self, placed: Placed) -> tuple[int, int]:
        """The bytes that loading takes, 0 where not known, and the budget."""
        needed = self._weigh(placed) or 0
        budget = self.budget(placed.device) if needed else 0
        if needed > budget:
            from workbench.models.memory import gigabytes

            raise BadInput(
                f"{placed.words} must fit into the memory for models; got a forecast of {gigabytes(needed)}, and the budget on "
                f"{placed.device} is {gigabytes(budget)}. Take a smaller model or a narrower dtype."
            )
        return needed, budget

    def _make_room(self, placed: Placed) -> None:
        gc.collect()
        needed, budget = self._check_fits(placed)
        most = math.inf if self._keep is None else self._keep
        with self._lock:
            while len(self._loaded) >= most or (needed and self.used(placed.device) + needed > budget):
                there = [one for one in self._loaded if one.device == placed.device] or list(self._loaded)
                if not there:
                    break
                del self._loaded[there[0]]
        gc.collect()


class _Loading(threading.Thread):
    """A model on its way into memory; given up at its next step when nobody waits any longer."""

    def __init__(self, placed: Placed, take_in: Callable[[Placed], None], ended: Callable[["_Loading"], None]):
        super().__init__(name=f"loading {placed.ref}", daemon=True)
        self.placed, self._take_in, self._ended = placed, take_in, ended
        self.waiting, self.step, self.problem = 0, None, None

    def run(self) -> None:
        try:
            with listening(self._hear):
                self._take_in(self.placed)
        except BaseException as problem:
            self.problem = problem
        finally:
            self._ended(self)

    def wait(self, hear: Callable[[Step | None], None] | None) -> None:
        while self.is_alive():
            self.join(LOOK)
            if hear is not None:
                hear(self.step)

    def _hear(self, step: Step) -> None:
        if not self.waiting:
            raise Stopped
        self.step = step


def _load(ref: str, **options: Any) -> Any:
    from workbench.models import load

    return load(ref, **options)


def _fetch(ref: str) -> None:
    from workbench.models.find import fetch

    fetch(ref)


def size_of(model: Any) -> int:
    """Bytes of a model's weights; 0 for what has none."""
    parameters = getattr(model, "parameters", None)
    return sum(weight.nbytes for weight in parameters()) if parameters is not None else 0


def weighed(placed: Placed) -> int | None:
    """Bytes that loading a model takes, where it is known before: of the catalogue, or on this disk.

    Raises:
        BadInput: When its device is none of this machine, or its files are damaged.
    """
    from workbench.models.device import device_named
    from workbench.models.find import count
    from workbench.models.memory import forecast

    device_named(placed.device)
    found = count(placed.ref)
    return None if found is None else forecast(found, placed.dtype)


def read_gigabytes(text: str) -> int:
    """The bytes of a number of gigabytes.

    Raises:
        BadInput: When it is none above 0.
    """
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 1e6:
        raise BadInput(f"the memory for models must be a number of GB above 0, as in '8'; got {text[:40]!r}.")
    return int(number * 1e9)
