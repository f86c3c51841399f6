"""Kept keys and values put before new ones, so that what comes before the first difference is not run again."""

from typing import Any

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
