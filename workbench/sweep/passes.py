"""What makes a pass fit and spares it work: kept keys and values before the new ones, and halves when memory runs out."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor


def prefix_cache(cache: list[tuple[Tensor, Tensor]], repeats: int) -> Any:
    """A cache object that puts kept keys and values before the new ones and keeps nothing of those."""
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer

    class Prefix(DynamicLayer):
        def update(self, key_states, value_states, *args, **kwargs):
            return _before(self.keys, key_states, repeats), _before(self.values, value_states, repeats)

    made = DynamicCache()
    for keys, values in cache:
        layer = Prefix()
        layer.lazy_initialization(keys, values)
        layer.keys, layer.values = keys, values
        made.layers.append(layer)
    return made


def _before(kept: Tensor, new: Tensor, repeats: int) -> Tensor:
    """The kept positions, repeated, before the new ones, in one copy: layers that are not run cost nothing."""
    length = kept.shape[-2]
    whole = new.new_empty(*new.shape[:2], length + new.shape[2], new.shape[3])
    whole.view(repeats, -1, *whole.shape[1:])[..., :length, :] = kept
    whole[..., length:, :] = new
    return whole


def halving(work: Callable[[Any], Tensor], items: Sequence[Any], dim: int = 0) -> Tensor:
    """`work` of all items at once; where memory runs out, of one half and then the other, put together along `dim`."""
    try:
        return work(items)
    except (torch.cuda.OutOfMemoryError, RuntimeError, MemoryError) as problem:
        if len(items) == 1 or not is_out_of_memory(problem):
            raise
    # Outside the handler: inside it the traceback would keep the failed batch's tensors alive.
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    half = len(items) // 2
    return torch.cat([halving(work, items[:half], dim), halving(work, items[half:], dim)], dim)


def is_out_of_memory(problem: BaseException) -> bool:
    """Whether an error is the machine running out of memory: a CPU says so in words only."""
    words = str(problem).lower()
    return isinstance(problem, torch.cuda.OutOfMemoryError | MemoryError) or any(
        said in words for said in ("out of memory", "can't allocate memory", "not enough memory")
    )
