"""Any method at several checkpoints of a training run: `follow('trained:attention', 'induction', ['step0', 'step1500'])`."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from workbench import progress
from workbench.errors import BadInput, one_of
from workbench.methods import METHODS
from workbench.models import card, load, revisions
from workbench.models.revisions import step_of
from workbench.pairs import Pairs
from workbench.result import Origin, Result
from workbench.stacking import stack
from workbench.store import Store
from workbench.tasks import TASKS


def follow(
    ref: str,
    method: str,
    steps: Sequence[str] | None = None,
    pairs: Callable[[Any], Pairs | None] | str | None = None,
    *,
    device: str | None = None,
    dtype: str = "float32",
    store: Store | None = None,
    again: bool = False,
    **params: Any,
) -> Result:
    """Run a method at several checkpoints and put its results along 'step'; each is stored by itself, and found again.

    Args:
        ref: A model with checkpoints: 'trained:attention', the folder of a run, 'pythia-70m', or any on the hub.
        method: Id of a method.
        steps: Revisions: folders of the run ('step700'), or branches and tags of the hub; their names tell the step. All that
            are known where None: 154 of a Pythia model.
        pairs: What makes the pairs for a model: id of a task, taken as it is by default, or a function of the model; None for
            methods that need none.
        device: Where to compute.
        dtype: Of the weights.
        store: Where results are kept; the usual one where None.
        again: Compute even what is stored.
        params: The method's parameters.
    Returns:
        What `stack` gives: Scores, a Readout or a Curve over step. Its Origin names all checkpoints.
    Raises:
        BadInput: When there are fewer than two checkpoints, two of the same step, or their results have other cells.
    """
    one_of("method", method, METHODS)
    if isinstance(pairs, str):
        one_of("task", pairs, TASKS)
    named = sorted(revisions(ref) if steps is None else steps, key=step_of)
    if len(named) < 2:
        raise BadInput(f"checkpoints to follow must be at least 2; got {', '.join(named) or 'none'}.")
    if len({step_of(name) for name in named}) < len(named):
        raise BadInput(f"checkpoints must be of different steps; got {', '.join(named)}.")
    make = TASKS[pairs] if isinstance(pairs, str) else pairs
    kept = store or Store()
    found: dict[int, Result] = {}
    prints = []
    for name in progress.track(named, "Checkpoints"):
        model = load(f"{ref}@{name}", device=device, dtype=dtype)
        prints.append(card(model).fingerprint)
        asked = None if make is None else make(model)
        found[step_of(name)] = kept.compute(METHODS[method], model, asked, again=again, **params)
        # Else two models would be held while the next is loaded.
        del model, asked
        if len(found) > 1:
            # Results that cannot be stacked are found out at the second.
            so_far = stack(found)
            progress.show(lambda so_far=so_far: so_far)
    return so_far.replace(origin=_origin(ref, named, prints, found))


def _origin(ref: str, named: list[str], prints: list[str], found: dict[int, Result]) -> Origin:
    """The Origin of the last result, of all checkpoints."""
    last = found[max(found)].origin
    if last is None:
        raise ValueError("a method stamps an Origin on what it returns")
    return dataclasses.replace(last, model=f"{ref}@{','.join(named)}", fingerprint=progress.digest(*prints))
