"""What a run will take, before it is begun: cells and passes counted, seconds by the pace of this model, and its memory.

Passes are counted by the plan that the method itself follows. Seconds come of two probes of the model, made once; of methods
whose passes are not counted here they are those of the last run, where there was one. What is not known is None.
"""

import json
import os
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from workbench.result import canonical

# A backward pass costs about two forward passes.
BACKWARD = 2.0
# Tokens of the probes.
PROBES = (8, 96)
TIMES = "times.json"
MOST_TIMES = 500


@dataclass(frozen=True)
class Work:
    """What a method does with a model on some prompts.

    Attributes:
        forwards: Forward passes, of all layers or of some.
        backwards: Backward passes.
        tokens: Tokens that pass through a layer, divided by the layers: those of as many whole passes.
        cells: Patched runs asked for, those that causality decides among them; None for what patches nothing.
        held: Bytes held at most beyond the model; None where not known.
    """

    forwards: int
    backwards: int
    tokens: float | int
    cells: int | None = None
    held: int | None = None


@dataclass(frozen=True)
class Pace:
    """Seconds of a forward pass: so many each, and so many per token."""

    each: float
    per_token: float


@dataclass(frozen=True)
class Forecast:
    """What a run will take; None is what is not known.

    Attributes:
        seconds: From the first pass to the last.
        held: Bytes beyond the model.
        cells: Patched runs.
        before: Whether the seconds are those of an earlier run like it.
    """

    seconds: float | None = None
    held: int | None = None
    cells: int | None = None
    before: bool = False


def forecast(model: Any, pairs: Any, method: str, params: Mapping[str, Any], folder: Path | None = None) -> Forecast:
    """What a method will take on these prompts.

    Args:
        model: The model, loaded.
        pairs: The prompts; None for methods that need none.
        method: Id of the method.
        params: Its parameters that are not its defaults.
        folder: The store, whose times of earlier runs are looked at.
    Raises:
        BadInput: When the method would raise it for these parameters.
    """
    work = counted(model, pairs, method, params)
    if work is not None:
        pace = paced(model)
        passes = work.forwards + BACKWARD * work.backwards
        weighed = work.tokens * (1 + BACKWARD * work.backwards / max(1, work.forwards))
        return Forecast(passes * pace.each + weighed * pace.per_token, work.held, work.cells)
    seconds = None if folder is None else recalled(folder, model, pairs, method, params)
    return Forecast(seconds, None, None, seconds is not None)


def counted(model: Any, pairs: Any, method: str, params: Mapping[str, Any]) -> Work | None:
    """The passes of a method; None where they are not known beforehand.

    Raises:
        BadInput: When the method would raise it for these parameters.
    """
    if method not in COUNTS or pairs is None:
        return None
    from workbench.methods import METHODS

    return COUNTS[method](model, pairs, METHODS[method].bind(**params))


def _baseline(model: Any, pairs: Any, params: Mapping[str, Any]) -> Work:
    return Work(2, 0, 2 * pairs.clean.numel())


def _attributed(model: Any, pairs: Any, params: Mapping[str, Any]) -> Work | None:
    if params.get("qk_correction"):
        return None
    return Work(2, 1, 2 * pairs.clean.numel())


def _patched(model: Any, pairs: Any, params: Mapping[str, Any]) -> Work:
    from workbench.effects import plan
    from workbench.sweep import bytes_of, cells_of, first_difference, planned

    names = ("sites", "by", "positions", "metric", "direction", "replacement", "normalise", "seed")
    asked = plan(model, pairs, **{name: params[name] for name in names})
    same_before = first_difference(pairs) if asked.replacement == "other" else first_difference(pairs) * 0
    layers, tokens, cells, passes, most = model.cfg.n_layers, 2.0 * pairs.clean.numel(), 0, 2, pairs.clean.numel()
    for site in asked.sites:
        wanted = cells_of(model, site, asked.by, asked.slots)
        cells += len(wanted)
        for layer, size in planned(model, asked.base, asked.end, site, wanted, asked.slots, same_before):
            passes += 1
            tokens += size * (layers - layer) / layers
            most = max(most, size)
    return Work(passes, 0, tokens, cells, bytes_of(model, asked.base, most))


COUNTS: dict[str, Callable[[Any, Any, Mapping[str, Any]], Work | None]] = {
    "baseline": _baseline,
    "patch": _patched,
    "atp": _attributed,
    "relp": _attributed,
}

_paces: WeakKeyDictionary[Any, Pace] = WeakKeyDictionary()


def paced(model: Any) -> Pace:
    """How fast a model is here: measured once, by passes of a few tokens."""
    if model not in _paces:
        import torch

        few, many = PROBES
        many = min(many, model.cfg.n_ctx or many)
        taken = {}
        with torch.no_grad():
            for length in (few, few, many, many):
                tokens = torch.arange(length, device=model.cfg.device)[None] % model.cfg.d_vocab
                start = time.perf_counter()
                model(tokens)[0, -1, 0].item()
                # The first of each size pays for what is made once.
                taken[length] = time.perf_counter() - start
        per_token = max(0.0, taken[many] - taken[few]) / max(1, many - few)
        _paces[model] = Pace(max(0.0, taken[few] - few * per_token), per_token)
    return _paces[model]


def remember(folder: Path, model: Any, pairs: Any, method: str, params: Mapping[str, Any], seconds: float) -> None:
    """Write down how long a run took, for those that come; what cannot be written is let go."""
    times = _times(folder)
    name = _named(model, method, params)
    times.pop(name, None)
    times[name] = [seconds, _size(pairs)]
    while len(times) > MOST_TIMES:
        times.pop(next(iter(times)))
    temporary = folder / f".{TIMES}.{uuid.uuid4().hex}.tmp"
    with suppress(OSError):
        temporary.write_text(json.dumps(times))
        os.replace(temporary, folder / TIMES)


def recalled(folder: Path, model: Any, pairs: Any, method: str, params: Mapping[str, Any]) -> float | None:
    """Seconds that the last run like it took, for as many tokens as there are now; None where there was none."""
    found = _times(folder).get(_named(model, method, params))
    try:
        seconds, size = (float(number) for number in found or ())
    except (TypeError, ValueError):
        return None
    return seconds * _size(pairs) / size if size > 0 and seconds >= 0 else None


def _size(pairs: Any) -> int:
    return 1 if pairs is None else int(pairs.clean.numel())


def _named(model: Any, method: str, params: Mapping[str, Any]) -> str:
    from workbench.models import card

    known = card(model)
    return canonical([method, known.ref, known.dtype, known.device, dict(params)])


def _times(folder: Path) -> dict[str, Any]:
    try:
        times = json.loads((folder / TIMES).read_text())
    except (OSError, ValueError):
        return {}
    return times if isinstance(times, dict) else {}
