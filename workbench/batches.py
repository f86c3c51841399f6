"""How many prompts go through a pass together: the bytes that passes take, batches by free memory, halves where that fails."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor

from workbench.errors import NotFinite
from workbench.models.memory import as_many
from workbench.pairs import Pairs
from workbench.progress import track

Part = TypeVar("Part")

# Tokens that go together at most: more gain nothing.
TOKENS = {"cpu": 2048, "cuda": 32768, "mps": 4096}
# Numbers per token and layer that a pass keeps for its gradient, in widths of the stream; and of the attention, per key.
SAVED, SAVED_PER_KEY = 24, 5


def size_of_number(model: Any) -> int:
    """Bytes of a number of the model's own dtype."""
    return next(model.parameters()).element_size()


def in_pass(model: Any, rows: int, length: int, read: int = 1) -> int:
    """Bytes that a pass without gradients takes at most, of so many rows, and `read` positions of logits per row."""
    cfg = model.cfg
    width = 4 * (cfg.d_mlp or 0) + 12 * cfg.d_model + 4 * cfg.n_heads * length
    return int(rows * (length * width * size_of_number(model) + 8 * read * cfg.d_vocab))


def in_gradient(model: Any, rows: int, length: int) -> int:
    """Bytes that a pass keeps for its gradient, of so many rows."""
    cfg = model.cfg
    width = SAVED * cfg.d_model + 8 * (cfg.d_mlp or 0) + SAVED_PER_KEY * cfg.n_heads * length
    return int(rows * length * cfg.n_layers * width * size_of_number(model)) + in_pass(model, rows, length)


def kept(model: Any, sites: Iterable[str], rows: int, length: int) -> int:
    """Bytes of the activations at these places in every layer."""
    return int(rows * length * model.cfg.n_layers * size_of_number(model) * sum(_width(model, site, length) for site in sites))


def _width(model: Any, site: str, length: int) -> int:
    cfg = model.cfg
    if site in ("pattern", "scores"):
        return cfg.n_heads * length
    return cfg.n_heads * cfg.d_head if site in ("z", "q", "k", "v") else cfg.d_model


def prompts_at_once(model: Any, pairs: Pairs, sites: Iterable[str] = (), gradient: bool = False) -> int:
    """How many prompts go through a pass together, as `TOKENS` and free memory allow; at least 1.

    Args:
        model: The model.
        pairs: The prompts.
        sites: What is kept of them in every layer.
        gradient: Whether the pass keeps what a backward pass needs, and gradients at the sites.
    """
    length, device = pairs.clean.shape[1], torch.device(model.cfg.device)
    taken = in_gradient(model, 1, length) if gradient else in_pass(model, 1, length)
    each = taken + (5 if gradient else 1) * kept(model, sites, 1, length)
    most = max(1, TOKENS.get(device.type, TOKENS["cpu"]) // length)
    return min(len(pairs), as_many(most, each, str(device)))


def in_batches(work: Callable[[slice], Part], count: int, most: int, label: str) -> list[Part]:
    """What `work` gives of each batch of at most `most` of `count` prompts, in order.

    Args:
        work: Takes the slice of prompts.
        count: How many prompts there are.
        most: How many go together, at least 1; fewer where memory runs out all the same.
        label: Name of the work for its progress.
    Raises:
        NotFinite: When `work` does; its prompt is counted over all of them.
        Stopped: When the listener of the progress asks for it.
    """

    def on(rows: range) -> Part:
        with counted_from(rows.start):
            return work(slice(rows.start, rows.stop))

    batches = [range(first, min(count, first + most)) for first in range(0, count, most)]
    return [part for rows in track(batches, label) for part in in_halves(on, rows)]


@contextmanager
def counted_from(first: int) -> Iterator[None]:
    """While the prompts from `first` on are run: a NotFinite that names one of them counts it over all."""
    try:
        yield
    except NotFinite as problem:
        raise problem.counted_from(first) from None


def in_halves(work: Callable[[Any], Part], items: Sequence[Any]) -> list[Part]:
    """`work` of all items at once; where memory runs out, of one half and then the other."""
    try:
        return [work(items)]
    except (torch.cuda.OutOfMemoryError, RuntimeError, MemoryError) as problem:
        if len(items) == 1 or not is_out_of_memory(problem):
            raise
    # Outside the handler: inside it the traceback would keep the failed batch's tensors alive.
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    half = len(items) // 2
    return [*in_halves(work, items[:half]), *in_halves(work, items[half:])]


def halving(work: Callable[[Any], Tensor], items: Sequence[Any], dim: int = 0) -> Tensor:
    """The same of work that gives a tensor, put together along `dim`."""
    found = in_halves(work, items)
    return found[0] if len(found) == 1 else torch.cat(found, dim)


def is_out_of_memory(problem: BaseException) -> bool:
    """Whether an error is the machine running out of memory: a CPU says so in words only."""
    words = str(problem).lower()
    return isinstance(problem, torch.cuda.OutOfMemoryError | MemoryError) or any(
        said in words for said in ("out of memory", "can't allocate memory", "not enough memory")
    )
