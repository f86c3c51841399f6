"""What a run will take, before it is begun: cells and passes counted, seconds by the pace of this model, and its memory.

Passes are counted by the method's plan. Seconds come of two probes of the model and one product of matrices, made once; of
searches, which may end sooner, they are those of the last run like it, where there was one.
"""

import json
import os
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from workbench.result import canonical

# A backward pass costs about two forward passes.
BACKWARD = 2.0
# Tokens of the probes.
PROBES = (8, 96)
# Rows and columns of the matrices whose product is timed.
SIDE = 384
TIMES = "times.json"
MOST_TIMES = 500


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
        at_most: Whether it may take less.
        at_once: How many go together through a pass; None where nothing is batched.
        of: What goes together.
        passes: Passes of the model, forward and backward; 0 where the weights say it all.
    """

    seconds: float | None = None
    held: int | None = None
    cells: int | None = None
    before: bool = False
    at_most: bool = False
    at_once: int | None = None
    of: str = ""
    passes: int = 0


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
    from workbench.plans import planned

    work = planned(model, pairs, method, params)
    # The last run like it tells more of a search than what it may take at most.
    before = recalled(folder, model, pairs, method, params) if folder is not None and work.at_most else None
    seconds = timed(model, work) if before is None else before
    passes = work.forwards + work.backwards
    at_most = work.at_most and before is None
    return Forecast(seconds, work.held, work.cells, before is not None, at_most, work.at_once, work.of, passes)


def timed(model: Any, work: Any) -> float:
    """Seconds of a plan's work, by the pace of this model and of this machine's products."""
    each = work.forwards + BACKWARD * work.backwards
    tokens = work.tokens + BACKWARD * work.back
    seconds = work.products * pace_of_products(str(model.cfg.device)) if work.products else 0.0
    if each:
        pace = paced(model)
        seconds += each * pace.each + tokens * pace.per_token
    return seconds


_paces: WeakKeyDictionary[Any, Pace] = WeakKeyDictionary()


def paced(model: Any) -> Pace:
    """How fast a model is here: measured once, by passes of a few tokens."""
    if model not in _paces:
        import torch

        from workbench.hooks import read
        from workbench.sites import Site

        few, many = PROBES
        many = min(many, model.cfg.n_ctx or many)
        sites = [Site(name, layer) for layer in range(model.cfg.n_layers) for name in ("resid_pre", "z")]
        taken = {}
        with torch.no_grad():
            for length in (few, few, many, many):
                tokens = torch.arange(length, device=model.cfg.device)[None] % model.cfg.d_vocab
                start = time.perf_counter()
                # With hooks, as methods pass: on a small model they take as long as the pass itself.
                read(model, tokens, torch.tensor([length - 1]), sites)[0][0, 0].item()
                # The first of each size pays for what is made once.
                taken[length] = time.perf_counter() - start
        per_token = max(0.0, taken[many] - taken[few]) / max(1, many - few)
        _paces[model] = Pace(max(0.0, taken[few] - few * per_token), per_token)
    return _paces[model]


@cache
def pace_of_products(device: str) -> float:
    """Seconds per multiplication in products of matrices on a device: measured once."""
    import torch

    one = torch.ones(SIDE, SIDE, device=device)
    taken = []
    for _ in range(3):
        start = time.perf_counter()
        (one @ one)[0, 0].item()
        taken.append(time.perf_counter() - start)
    return min(taken) / SIDE**3


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
