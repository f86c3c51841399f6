"""Which circuits and prompts are run together, and the bytes that their runs take."""

from collections.abc import Iterator

import torch

from workbench.edges.wiring import Wiring
from workbench.models.memory import as_many

# Bytes that the contributions of one pass may take.
BUDGET = {"cpu": 6e8, "cuda": 8e9, "mps": 1e9}


def bytes_kept(wiring: Wiring, tokens: int) -> int:
    """Bytes that the two recorded runs of so many tokens each take."""
    cfg = wiring.model.cfg
    width = 9 * cfg.d_model + 4 * wiring.graph.n_readers * cfg.d_head
    return 2 * tokens * cfg.n_layers * width * next(wiring.model.parameters()).element_size()


def bytes_per_row(wiring: Wiring, length: int) -> int:
    """Bytes that one circuit takes on one prompt, of so many positions that are run."""
    return length * wiring.model.cfg.d_model * 4 * (wiring.graph.n_sources + 6 * wiring.graph.slots_per_layer)


def learned_at_once(wiring: Wiring, batch: int, length: int) -> int:
    """How many prompts one differentiable run of a circuit takes at once, as free memory allows."""
    return as_many(batch, bytes_learned(wiring, length), str(wiring.model.cfg.device))


def bytes_learned(wiring: Wiring, length: int) -> int:
    """Bytes that a differentiable run of one circuit on one prompt keeps: every reader's input, and the layers'."""
    cfg, graph = wiring.model.cfg, wiring.graph
    layer = 24 * cfg.d_model + 8 * (cfg.d_mlp or 0) + 5 * cfg.n_heads * length
    return 4 * length * (cfg.d_model * (graph.n_sources + 6 * graph.n_destinations) + cfg.n_layers * layer)


def blocks(wiring: Wiring, batch: int, length: int, n_circuits: int) -> Iterator[tuple[slice, slice]]:
    """Circuits and prompts that run together, within the budget and as free memory allows."""
    device, per_row = torch.device(wiring.model.cfg.device), bytes_per_row(wiring, length)
    rows = as_many(BUDGET.get(device.type, 6e8) / per_row, per_row, str(device))
    prompts = min(batch, rows)
    circuits = max(1, rows // prompts)
    for first in range(0, n_circuits, circuits):
        for prompt in range(0, batch, prompts):
            yield slice(first, min(n_circuits, first + circuits)), slice(prompt, min(batch, prompt + prompts))
