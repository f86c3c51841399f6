"""The search for channels: the job that does it, what the store holds of it, and the names of what it finds."""

from dataclasses import replace
from typing import Any

from workbench.errors import BadInput
from workbench.jobs import Job
from workbench.result import Result, Scores
from workbench.store import Store
from workbench.views.composed import Head, head
from workbench.views.question import Question
from workbench.views.stored import answers

FROM_WEIGHTS = (
    "What is read through keys and values is listed from the weights alone: a task tells only of what is read at END, "
    "through queries."
)


def found(asked: Question, model: Any, job: Job, store: Store) -> Result:
    """The channels of a task, or of the weights alone where it tells none; composition and the reason are told before."""
    from workbench.channels.evidence import Bench
    from workbench.channels.weights import Heads
    from workbench.methods import METHODS

    job.say("Composition of heads")
    job.tell(
        composed=store.compute(METHODS["composition"], model, None, slots=asked.params["slots"], by="head", of="component")
    )
    job.check()
    reason = FROM_WEIGHTS
    if asked.params["slots"] == "q":
        try:
            pairs = asked.pairs(model)
            # Before the search through the weights: it takes seconds, and this none.
            Bench(Heads(model), pairs).check_names()
            asked.check_cells(model, pairs)
            job.say("Channels on the task")
            return store.compute(METHODS["channels"], model, pairs, **asked.params)
        except BadInput as problem:
            reason = str(problem)
    job.say("Channels of the weights")
    job.tell(reason=reason)
    return store.compute(METHODS["channels"], model, None, **asked.params)


def stored(store: Store, asked: Question | None, method: str, **params: Any) -> Result | None:
    """The stored result of a part of the search, found without the model; None where its name does not say which weights."""
    if asked is None:
        return None
    slot = asked.params["slots"]
    params = {"slots": slot, **params}
    alone = Question(asked.model, "", method, {}, params)
    part = replace(asked, method=method, params=params) if method == "channels" and slot == "q" else alone
    return answers(store, {method: part}).get(method)


def channel_of(name: str) -> tuple[Head, int, Head]:
    """Writer, component and reader of '7.9.6 -> 9.9 q'."""
    writer, _, reader = name.rpartition(" ")[0].partition(" -> ")
    place, _, component = writer.rpartition(".")
    return head(place), int(component), head(reader)


def effects_of(channels: Scores | None, writer: Head, reader: Head) -> Scores | None:
    """The effects of a pair's components that the search has computed, or None."""
    from workbench.channels.pair import effects

    if channels is None or "components" not in channels.parts:
        return None
    part = channels.parts["components"]
    pairs = [channel_of(str(name))[::2] for name in part.row.values]
    if (writer, reader) not in pairs:
        return None
    falls = part.isel(row=pairs.index((writer, reader)), drop=True)
    return effects(reader, falls).replace(origin=channels.origin)


def named(writer: str, reader: str) -> tuple[Head, Head, int | None]:
    """A pair by the names of its heads; the writer's may name a component too.

    Raises:
        BadInput: When one is no name of a head.
    """
    from workbench.channels.weights import parsed

    at, of = parsed(writer), parsed(reader)
    if len(of) != 2:
        raise BadInput(f"the reader must be a head, LAYER.HEAD; got {reader!r}.")
    return at[:2], of, at[2] if len(at) == 3 else None
