"""Train many small networks at once: batches that depend on seed and step alone, and runs that go on after a kill.

What is reached is written to a folder whole or not at all (`checkpoints`), and found again by the same call: on a CPU, the
numbers are those of a run that was never interrupted, to the last bit.
"""

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from workbench import progress
from workbench.dynamics.checkpoints import Folder
from workbench.dynamics.nested import THREE, TWO
from workbench.dynamics.network import ATTENTION, UNBIASED
from workbench.dynamics.stack import Member, Recipe, Stack, Trace
from workbench.errors import BadInput, at_least, one_of
from workbench.result import canonical

ARCHITECTURES = {kind.name: kind for kind in (ATTENTION, UNBIASED, THREE, TWO)}
# What all networks of a run share: it decides the shapes.
SHARED = ("labels", "items", "dim", "longest", "novel")
SAVE_EVERY = 30.0
# Networks per stack on a CPU.
GROUP = 4


@dataclass(frozen=True, eq=False)
class Trained:
    """Networks after their last step, and how they came there.

    Attributes:
        trace: Their measures.
        parameters: By name; float32.
    """

    trace: Trace
    parameters: dict[str, Float[Tensor, "network *shape"]]


def train(
    members: Sequence[Member],
    recipe: Recipe | None = None,
    *,
    steps: int = 1500,
    every: int = 50,
    keep: Sequence[int] = (),
    folder: str | Path | None = None,
    architecture: str = "attention",
    sequences: int = 512,
    device: str = "cpu",
    watch: Callable[[Trace], None] | None = None,
    label: str = "Training",
) -> Trained:
    """Train networks side by side.

    Args:
        members: The networks; their settings share labels, items, dim, longest and novel.
        recipe: How; the paper's where None.
        steps: Steps in all, those of an earlier run in `folder` counted in.
        every: Steps between evaluations; there is one before the first step and one after the last.
        keep: Steps after which the parameters are written to `folder`, one file each.
        folder: Where the run is kept, so that the same call goes on with it; None keeps nothing.
        architecture: 'attention', the same 'unbiased', or the head of 'three' or 'two' numbers of `nested`.
        sequences: Test sequences per measure.
        device: Where to compute; the numbers repeat to the last bit on 'cpu', whatever the number of threads.
        watch: Called with the measures after each evaluation.
        label: What the progress bar says.
    Returns:
        The networks and their measures.
    Raises:
        BadInput: When the members do not go together, a number is out of range, or the folder holds another run.
        NotFinite: When a network diverges; it names the network and the step.
        Stopped: When the listener of `progress` asks for it; the run is kept.
    """
    recipe = recipe or Recipe()
    one_of("architecture", architecture, ARCHITECTURES)
    _check(members, steps, every, keep, sequences)
    with _Run(list(members), recipe, architecture, sequences, every, torch.device(device)) as run:
        kept = None if folder is None else Folder(Path(folder), run.plan())
        if kept is not None:
            run.restore(kept.state())
            _at_least_done(steps, run.step, folder)
        _drive(run, steps, every, set(keep), kept, watch, label)
        return Trained(run.trace(), {name: values.clone() for name, values in run.parameters().items()})


def _at_least_done(steps: int, done: int, folder: str | Path) -> None:
    if steps < done:
        raise BadInput(f"steps must be at least {done}, which the run in {folder} has done; got {steps}. Use another folder.")


def _drive(
    run: "_Run",
    steps: int,
    every: int,
    keep: set[int],
    kept: Folder | None,
    watch: Callable[[Trace], None] | None,
    label: str,
) -> None:
    """Step and evaluate until the end; keep the state at evaluations, and when asked to stop."""
    saved = time.monotonic()
    with progress.bar(label, steps, unit="step") as bar:
        bar.advance(run.step)
        while True:
            due = run.step % every == 0 or run.step == steps
            if due and run.evaluate() and watch is not None:
                watch(run.trace())
            if kept is not None and run.step in keep:
                kept.write(run.step, run.parameters())
            if kept is not None and (due or time.monotonic() - saved > SAVE_EVERY):
                kept.save(run.state())
                saved = time.monotonic()
            if run.step >= steps:
                return
            run.advance()
            try:
                bar.advance()
            except progress.Stopped:
                if kept is not None:
                    kept.save(run.state())
                raise


def _check(members: Sequence[Member], steps: int, every: int, keep: Sequence[int], sequences: int) -> None:
    at_least("the number of networks", len(members), 1)
    for name, value, least in (("steps", steps, 1), ("every", every, 1), ("sequences", sequences, 2)):
        at_least(name, value, least)
    for step in keep:
        at_least("a step to keep", step, 0)
    for member in members:
        at_least("seed", member.seed, 0)
        for name in SHARED:
            one, own = getattr(members[0].setting, name), getattr(member.setting, name)
            if own != one:
                raise BadInput(f"networks trained at once must share {name}; got {one} and {own}. Train them one by one.")


class _Run:
    """All networks of a run, as stacks that are worked on at once; entered and left as a context.

    Products this small are slower on two threads than on one: each stack has one thread, and there are as many at work as
    PyTorch would use. A stack of a few networks stays in a core's cache. A GPU takes all networks in one stack. While it is
    entered PyTorch's number of threads is 1 in the whole process.
    """

    def __init__(
        self,
        members: list[Member],
        recipe: Recipe,
        architecture: str,
        sequences: int,
        every: int,
        device: torch.device,
    ):
        self.members, self.recipe, self.architecture, self.sequences = members, recipe, architecture, sequences
        self.every = every
        self._threads = torch.get_num_threads()
        size = GROUP if device.type == "cpu" else len(members)
        if device.type == "cpu":
            size = min(size, -(-len(members) // self._threads))
        kind = ARCHITECTURES[architecture]
        self.stacks = [
            Stack(members[first : first + size], recipe, kind, sequences, device, first)
            for first in range(0, len(members), size)
        ]

    def __enter__(self) -> "_Run":
        self._pool = ThreadPoolExecutor(self._threads, initializer=torch.set_num_threads, initargs=(1,))
        torch.set_num_threads(1)
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        torch.set_num_threads(self._threads)

    @property
    def step(self) -> int:
        """Steps done."""
        return self.stacks[0].step

    def plan(self) -> dict[str, Any]:
        """All that the numbers depend on but the number of steps."""
        made = {
            "architecture": self.architecture,
            "recipe": asdict(self.recipe),
            "sequences": self.sequences,
            "every": self.every,
            "members": [asdict(member) for member in self.members],
        }
        return json.loads(canonical(made))

    def advance(self) -> None:
        """One step of every network."""
        self._all(Stack.advance)

    def evaluate(self) -> bool:
        """Take the measures; whether they were not yet taken at this step."""
        if self.step in self.stacks[0].found:
            return False
        self._all(Stack.evaluate)
        return True

    def parameters(self) -> dict[str, Tensor]:
        """The parameters of all networks, by name."""
        each = [stack.parameters() for stack in self.stacks]
        return {name: torch.cat([one[name] for one in each]) for name in each[0]}

    def trace(self) -> Trace:
        """The measures so far; that of an earlier end which is no place of an evaluation is left out."""
        steps = sorted(step for step in self.stacks[0].found if step % self.every == 0 or step == self.step)
        values = np.concatenate([np.stack([stack.found[step] for step in steps], 1) for stack in self.stacks])
        return Trace(self.members, np.array(steps), values[..., 0], values[..., 1])

    def state(self) -> dict[str, Tensor]:
        """All that is needed to go on."""
        each = [stack.state() for stack in self.stacks]
        evaluated = torch.tensor(sorted(self.stacks[0].found))
        together = {name: torch.cat([one[name] for one in each]) for name in each[0]}
        return {"step": torch.tensor(self.step), "evaluated": evaluated, **together}

    def restore(self, state: dict[str, Tensor] | None) -> None:
        """Go on from a state; None is the beginning."""
        if state is None:
            return
        step, evaluated = int(state.pop("step")), state.pop("evaluated").tolist()
        for stack in self.stacks:
            rows = slice(stack.first, stack.first + len(stack.members))
            stack.restore(step, evaluated, {name: values[rows].clone() for name, values in state.items()})

    def _all(self, work: Callable[[Stack], None]) -> None:
        """Do the work on every stack; the first failure is raised when all have ended."""
        if len(self.stacks) == 1:
            work(self.stacks[0])
            return
        for done in [self._pool.submit(work, stack) for stack in self.stacks]:
            done.result()
