"""Thousands of patched runs that share everything they have in common: see `sweep.engine`."""

from workbench.sweep.engine import (
    PASS_OVERHEAD,
    TOKENS,
    Cell,
    available,
    bytes_of,
    bytes_per_token,
    cells_of,
    planned,
    sweep,
    tokens_at_once,
)
from workbench.sweep.prefix import prefix_cache
from workbench.sweep.recorded import Run, record
from workbench.sweep.slots import Positions, Slots, first_difference, slots_of

__all__ = [
    "PASS_OVERHEAD", "TOKENS", "Cell", "Positions", "Run", "Slots", "available", "bytes_of", "bytes_per_token", "cells_of",
    "first_difference", "planned", "prefix_cache", "record", "slots_of", "sweep", "tokens_at_once",
]  # fmt: skip
