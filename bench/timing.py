"""Timing: medians of repeats with a warm-up, the device waited for; and what machine this is."""

import os
import platform
import re
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Timed:
    """Seconds of each repeat, and what the last one returned."""

    seconds: list[float]
    value: Any

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def timed(work: Callable[[], Any], repeats: int, device: str, warm_up: bool = True) -> Timed:
    """Run `work` once to warm up, then `repeats` times."""
    if warm_up:
        work()
    seconds, value = [], None
    for _ in range(repeats):
        _wait(device)
        start = time.perf_counter()
        value = work()
        _wait(device)
        seconds.append(time.perf_counter() - start)
    return Timed(seconds, value)


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        import torch

        torch.cuda.synchronize()


def machine(device: str) -> dict[str, Any]:
    """What the figures were taken on."""
    import psutil
    import torch

    named = {
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "torch_threads": torch.get_num_threads(),
        "peak_rss_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
    }
    if device.startswith("cuda"):
        named["gpu"] = torch.cuda.get_device_name()
    return named


def _cpu() -> str:
    try:
        with open("/proc/cpuinfo") as lines:
            return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def beyond_bytes(setup: str, work: str, told: dict[str, int] | None = None) -> int:
    """Memory that `work` takes at its peak beyond what is held after `setup`, in a fresh Python process (Linux only).

    The peak of the whole process would not do: loading a model holds more for a moment than most work after it. Freed memory
    goes back to the system at once, so that the peak is of what is held and not of what the allocator keeps for later.
    Lines 'WORD number' that the code prints go into `told`.
    """
    code = f"""{setup}
def _read(name):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name)) * 1024
open("/proc/self/clear_refs", "w").write("5")  # the peak starts again from what is held now
_before = _read("VmRSS")
{work}
print("BEYOND", _read("VmHWM") - _before)
"""
    returning = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=returning)
    said = dict(line.split() for line in done.stdout.splitlines() if re.fullmatch(r"[A-Z]+ \d+", line))
    if told is not None:
        told.update({word: int(number) for word, number in said.items()})
    return int(said["BEYOND"])
