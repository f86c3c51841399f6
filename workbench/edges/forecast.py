"""The memory that scoring edges will take, forecast from probes of a few tokens.

What a run holds depends on the architecture, on what autograd saves and on the library between; so it is not guessed. Three
probes of a few tokens are followed tensor by tensor, and give how each phase grows with the number of tokens and, by
attention, with the square of the length. Beside a tenth of a full run's compute they cost nothing.
"""

import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from workbench.edges.gradients import read_gradients
from workbench.edges.scores import BUDGET, chunk, contract
from workbench.edges.wiring import Wiring
from workbench.errors import BadInput
from workbench.models.memory import free_memory, gigabytes
from workbench.pairs import Pairs

# Tokens of the shortest probe.
PROBE = 8
# Tokens whose activations and gradients are held at once at most: on a CPU more gain nothing.
TOKENS = {"cpu": 2048, "cuda": 8192, "mps": 2048}
# The share of the free memory that a run may be forecast to take.
SHARE = 0.8


@dataclass(frozen=True)
class Forecast:
    """Peak bytes beyond the model, by phase.

    Attributes:
        recording: While the clean and the corrupt run are recorded.
        gradients: While a forward and backward pass is taken.
        products: While contributions and gradients are multiplied out.
    """

    recording: int | float
    gradients: int | float
    products: int | float

    @property
    def peak(self) -> int:
        """The most of all phases."""
        return int(max(self.recording, self.gradients, self.products))


@dataclass(frozen=True)
class Growth:
    """Bytes as a function of prompts and length: fixed + tokens · per_token + tokens · length · per_pair."""

    fixed: int | float
    per_token: int | float
    per_pair: int | float

    def at(self, batch: int, length: int) -> int | float:
        return max(0.0, self.fixed + batch * length * (self.per_token + length * self.per_pair))


@dataclass(frozen=True)
class Growths:
    """What probes found of a model.

    Attributes:
        recorded, recording: Held after both runs were recorded, and at most while they were.
        gradient, passing: Held by one pass's gradients, and at most while it was taken, beyond what was held before.
        per_token: Bytes multiplied out per token, beyond what was held and the scores.
    """

    recorded: Growth
    recording: Growth
    gradient: Growth
    passing: Growth
    per_token: int | float


class Live(TorchDispatchMode):
    """Counts the bytes of all tensors made within it that are still held, now and at most."""

    def __init__(self):
        super().__init__()
        self.now = self.peak = 0
        self._known: dict[int, weakref.ref] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        self._meet(args, 0)
        self._meet(list(kwargs.values()), 0)
        made = func(*args, **kwargs)
        self._meet(made, None)
        return made

    def taken(self) -> int:
        """The most since this was last asked."""
        peak, self.peak = self.peak, self.now
        return peak

    def _meet(self, found: Any, size: int | None) -> None:
        if isinstance(found, list | tuple):
            for one in found:
                self._meet(one, size)
        if not isinstance(found, torch.Tensor):
            return
        storage = found.untyped_storage()
        place = id(storage)
        if place in self._known:
            return
        size = storage.nbytes() if size is None else size
        self._known[place] = weakref.ref(storage, lambda _: self._forget(place, size))
        self.now += size
        self.peak = max(self.peak, self.now)

    def _forget(self, place: int, size: int) -> None:
        self._known.pop(place, None)
        self.now -= size


def forecast(
    wiring: Wiring,
    batch: int,
    length: int,
    held: int = 1,
    rules: Any = None,
    by_position: bool = False,
    growths: Growths | None = None,
) -> Forecast:
    """What scoring some prompts at once will take, before it is done.

    Args:
        wiring: The model.
        batch, length: Prompts at once, and their tokens.
        held: Gradients held together, as many as a method averages.
        rules: Rules of relevance, if any.
        by_position: Whether scores are kept by position.
        growths: What probes of this model found, if they were made.
    """
    found = growths or probed(wiring, rules)
    recorded, gradient = found.recorded.at(batch, length), found.gradient.at(batch, length)
    prompts, positions = chunk(wiring, batch, length)
    graph = wiring.graph
    # Scores of a few prompts, and all prompts' on the host: two indices and a number per edge, and the sums.
    each = length if by_position else 1
    scores = 4 * prompts * graph.n_sources * graph.n_destinations * each
    host = graph.n_edges * each * (16 + 4 * prompts + 4 * batch + 24)
    # Where a norm follows attention, W_O with its gain is a copy; elsewhere it is the model's own.
    copied = sum(weight.nbytes for weight in wiring.out) if hasattr(wiring.model.blocks[0], "ln1_post") else 0
    return Forecast(
        recording=copied + found.recording.at(batch, length),
        gradients=copied + recorded + (held - 1) * gradient + found.passing.at(batch, length),
        products=copied + recorded + held * gradient + scores + host + prompts * positions * found.per_token,
    )


def prompts_at_once(wiring: Wiring, pairs: Pairs, held: int = 1, rules: Any = None, by_position: bool = False) -> int:
    """How many prompts to score together, by `TOKENS` and by the forecast against the memory there is.

    Raises:
        BadInput: When not even one prompt fits.
    """
    device, length = torch.device(wiring.model.cfg.device), pairs.clean.shape[1]
    size = max(1, min(len(pairs), TOKENS.get(device.type, 2048) // length))
    free = SHARE * free_memory(str(device))
    if _at_most(wiring, size, length, held, by_position) < free:
        return size
    growths = probed(wiring, rules)
    while (needed := forecast(wiring, size, length, held, rules, by_position, growths).peak) > free and size > 1:
        size //= 2
    if needed > free:
        raise BadInput(
            f"scores of edges must fit into free memory; got a forecast of {gigabytes(needed)} for one prompt of {length} "
            f"tokens, and {gigabytes(free)} to take on {device}. Use shorter prompts, or dtype='bfloat16'."
        )
    return size


def _at_most(wiring: Wiring, batch: int, length: int, held: int, by_position: bool) -> int | float:
    """More bytes than any run takes: enough to see, without a probe, that memory is no question."""
    cfg, graph = wiring.model.cfg, wiring.graph
    per_layer = (100 + 20 * held) * cfg.d_model + 20 * (cfg.d_mlp or 0) + 20 * cfg.n_heads * length
    scores = 4 * graph.n_sources * graph.n_destinations * (length if by_position else 1)
    return 4 * batch * (length * cfg.n_layers * per_layer + scores) + 10 * BUDGET["cpu"]


Probe = tuple[int, ...]
_found: WeakKeyDictionary[Any, dict[tuple[Any, ...], Probe]] = WeakKeyDictionary()


def probed(wiring: Wiring, rules: Sequence[str] | None = None) -> Growths:
    """What probes find of a model; each is run once."""
    short = max(1, min(PROBE, (wiring.model.cfg.n_ctx or 2 * PROBE) // 2))
    known = _found.setdefault(wiring.model, {})

    def found(batch: int, length: int) -> Probe:
        asked = wiring.graph.readers, tuple(rules or ()), batch, length
        if asked not in known:
            known[asked] = _probe(wiring, batch, length, rules)
        return known[asked]

    probes = [found(1, short), found(2, short), found(1, 2 * short)]
    grown = [_growth(*values, short) for values in zip(*(probe[:4] for probe in probes), strict=True)]
    return Growths(*grown, per_token=(probes[2][4] - probes[0][4]) / short)


def _growth(one: int, two: int, long: int, length: int) -> Growth:
    """From the bytes of one prompt, of two, and of one of twice the length."""
    per_pair = (long - two) / (2 * length**2)
    return Growth(2 * one - two, (two - one) / length - length * per_pair, per_pair)


def _probe(wiring: Wiring, batch: int, length: int, rules: Sequence[str] | None) -> Probe:
    device = wiring.model.cfg.device
    tokens = torch.arange(batch * length, device=device).view(batch, length) % wiring.model.cfg.d_vocab
    end = torch.full((batch,), length - 1, device=device)
    # Made once and kept by the wiring: no part of what a run takes.
    _ = wiring.out, wiring.projections
    with Live() as live:
        runs = [wiring.record(tokens, end), wiring.record(tokens, end)]
        difference = runs[0][1] - runs[1][1]
        kept, recording = live.now, live.taken()
        gradients = read_gradients(wiring, tokens, end, lambda logits: logits[:, 0] - logits[:, 1], rules)
        held, passing = live.now, live.taken()
        scores = 4 * batch * wiring.graph.n_sources * wiring.graph.n_destinations
        for _found in contract(wiring, difference, [gradients]):
            pass
        products = live.taken() - held - scores
    return kept, recording, held - kept, passing - kept, products
