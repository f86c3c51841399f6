"""Answers that the store holds already, found without the model."""

from collections.abc import Mapping
from typing import Any

from workbench.jobs.placed import DTYPE
from workbench.result import Origin, Result, canonical
from workbench.store import Store
from workbench.store.asked import noted
from workbench.views.asking import kept
from workbench.views.fields import task_fields
from workbench.views.opened import opened
from workbench.views.question import CUSTOM, Question


def answers(store: Store, asked: Mapping[str, Question]) -> dict[str, Result]:
    """The stored answers of some questions, by name.

    None is found where the name of the model does not say which weights. A question with no task is one to the weights alone;
    of one about the user's own pairs it was noted which result answers it.
    """
    own = {name: result for name, one in asked.items() if (result := _own(store, one)) is not None}
    wanted = {_wanted(one): name for name, one in asked.items() if _told_by_name(one)}
    found: dict[str, str] = {}
    for entry in store.list() if wanted else ():
        origin = entry.origin
        if origin.task == CUSTOM or "prompts" in origin.task_params:
            continue
        has = [origin.method, origin.model, origin.dtype, origin.task, origin.params, _options(origin.task, origin.task_params)]
        name = wanted.get(canonical([*map(_bare, has), _bare(origin.versions)]))
        if name is not None and name not in found:
            found[name] = entry.key
    read = {name: opened(store, key) for name, key in found.items()}
    return own | {name: result for name, result in read.items() if result is not None}


def alike(one: Question, other: Question) -> bool:
    """Whether two questions have one answer: what the one leaves at its default the other may say.

    Of a stored result about the user's own pairs it is not known here; see `noted`.

    Raises:
        BadInput: When one asks a method for what it does not have.
    """
    from workbench.methods import METHODS

    known = one.method in METHODS and other.method in METHODS and one.task != CUSTOM
    return one == other or (known and one.device == other.device and _wanted(one) == _wanted(other))


def made_as_now(origin: Origin, asked: Question) -> bool:
    """Whether a result was made by the versions at hand, on the device that is asked."""
    from workbench.methods.method import versions
    from workbench.models.device import devices

    return _bare(origin.versions) == versions() and origin.device == (asked.device or devices()[0])


def _own(store: Store, asked: Question) -> Result | None:
    """The stored answer about the user's own pairs, where it is there and made as it would be now."""
    key = noted(store.folder, asked.key) if asked.task == CUSTOM and named(asked) else ""
    result = opened(store, key) if key and key in store else None
    sure = result is not None and result.origin is not None and result.origin.method == asked.method
    return result if sure and made_as_now(result.origin, asked) else None


def _told_by_name(asked: Question) -> bool:
    return asked.task != CUSTOM and named(asked)


def named(asked: Question) -> bool:
    """Whether the name of the model says which weights."""
    from workbench.models import CATALOGUE, own_refs
    from workbench.models.revisions import parted

    return parted(asked.model)[0] in (*CATALOGUE, *own_refs())


def _wanted(asked: Question) -> str:
    from workbench.methods import METHODS
    from workbench.methods.method import plain, versions

    bound = plain(METHODS[asked.method].bind(**asked.params))
    dtype = asked.dtype or DTYPE
    return canonical([asked.method, asked.model, dtype, asked.task, bound, _options(asked.task, asked.options), versions()])


def _options(task: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """A value of each option of the task; of a task that is no longer known, what there is."""
    from workbench.tasks import TASKS

    return kept(options, task_fields(task)) if task in TASKS else dict(options)


def _bare(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value
