"""How much memory a model will take and how much there is: the forecast before loading."""

import json
import math
import struct
from pathlib import Path

from workbench.errors import BadInput
from workbench.models.catalogue import BYTES

# Beside the weights: one tensor in flight while they are read, and the activations of a small batch.
SLACK = 1.15
FIXED = 300e6
# Of the free memory, what one batch may take.
SHARE = 0.5


def free_memory(device: str) -> int:
    """Bytes that can still be taken on a device ('cpu', 'cuda', 'cuda:1', 'mps')."""
    import psutil
    import torch

    if device.startswith("cuda"):
        # What PyTorch keeps of freed memory can be taken again.
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(torch.device(device))[0] + kept
    free = psutil.virtual_memory().available
    # A container's own limit is not in the machine's figures.
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    try:
        return min(free, int(limit.read_text()) - int(used.read_text()))
    except (OSError, ValueError):
        return free


def as_many(most: int | float, each: int | float, device: str) -> int:
    """How many things of so many bytes to take at once: at most `most`, as `SHARE` of the free memory takes, at least 1."""
    return max(1, int(min(most, SHARE * free_memory(device) / max(1, each))))


def count_weights(folder: Path) -> int | None:
    """Number of weights in a local folder's safetensors files, read from their headers; None if it has none."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        return None
    return sum(_count_in_header(file) for file in files)


def _count_in_header(file: Path) -> int:
    try:
        with file.open("rb") as stream:
            length = struct.unpack("<Q", stream.read(8))[0]
            if length > file.stat().st_size:
                raise ValueError("header longer than the file")
            header = json.loads(stream.read(length))
        return sum(math.prod(map(int, entry["shape"])) for name, entry in header.items() if name != "__metadata__")
    except (ValueError, struct.error, AttributeError, KeyError, TypeError) as problem:
        raise BadInput(f"weights must be a whole safetensors file; got a damaged one, {file}. Fetch it again.") from problem


def forecast(n_params: int, dtype: str) -> int:
    """Bytes that loading a model of `n_params` weights takes."""
    return int(n_params * BYTES[dtype] * SLACK + FIXED)


def check_fits(ref: str, n_params: int, dtype: str, device: str) -> None:
    """Raise BadInput, with the figures and what would fit, when the forecast exceeds what is free."""
    needed, free = forecast(n_params, dtype), free_memory(device)
    if needed <= free:
        return
    fits = [name for name in ("bfloat16", "float16") if BYTES[name] < BYTES[dtype] and forecast(n_params, name) <= free]
    hint = f"Use dtype={fits[0]!r} ({gigabytes(forecast(n_params, fits[0]))})." if fits else "Take a smaller model."
    raise BadInput(
        f"{ref} must fit into free memory; got a forecast of {gigabytes(needed)} in {dtype}, and {gigabytes(free)} is free "
        f"on {device}. {hint}"
    )


def gigabytes(count: int | float) -> str:
    """Bytes for reading: '0.54 GB'."""
    return f"{count / 1e9:.2f} GB" if count < 10e9 else f"{count / 1e9:.0f} GB"
