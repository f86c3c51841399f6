"""The query of a page's URL, written short and read back with care: what pages share.

Whatever stands in an edited URL: what can be used is used, the rest keeps its default and is named in one notice.
"""

import difflib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from workbench.errors import BadInput, one_of, within
from workbench.jobs import limits
from workbench.store import Store
from workbench.store.texts import keep_text, kept_text
from workbench.views.fields import MOST_PROMPTS, Field
from workbench.views.question import CUSTOM
from workbench.views.working import Working

_LONGEST = 300


class Query:
    """The settings of a URL; each is used up by an attempt."""

    def __init__(self, query: Mapping[str, str]):
        self._left, self._problems = dict(query), []

    def attempt(self, name: str, use: Callable[[str], None], longest: int = _LONGEST) -> None:
        """Use a setting, if it is given; a BadInput is kept for the notice."""
        if name in self._left:
            text = self._left.pop(name)
            if len(text) > longest:
                self._problems.append(f"{name} must have at most {longest} characters; got {len(text)}.")
                return
            self.use(lambda: use(text))

    def use(self, what: Callable[[], None]) -> None:
        """Use several settings together; a BadInput is kept for the notice."""
        try:
            what()
        except BadInput as problem:
            self._problems.append(str(problem))

    def fields(self, prefix: str, fields: Mapping[str, Field], view: Any, target: str) -> None:
        """Attempt all fields of a form, whose values are a dict of the view."""

        def use(one: Field, text: str) -> None:
            setattr(view, target, {**getattr(view, target), one.name: one.read(text)})

        for name, one in fields.items():
            self.attempt(f"{prefix}.{name}", lambda text, one=one: use(one, text))

    def setting(self, view: Any) -> None:
        """Attempt what nearly every page has: the model and where it is, the user's own pairs, the task and its options."""
        self.attempt("model", lambda text: view.param.update(model=model(text)))
        self.placed(view)
        self.rows(view)
        self.attempt("task", lambda text: view.param.update(task=task(text)))
        self.fields("task", view.task_fields, view, "options")

    def placed(self, view: Any) -> None:
        """Attempt the dtype and the device of the model."""
        from workbench.models.catalogue import BYTES
        from workbench.models.device import devices

        self.attempt("dtype", lambda text: (one_of("dtype", text, BYTES), view.param.update(dtype=text)))
        self.attempt("device", lambda text: (one_of("device", text, devices()), view.param.update(device=text)))

    def rows(self, view: Any) -> None:
        """Attempt the key of the user's own pairs; the text that it names is read back, and nothing else."""
        self.attempt("rows", lambda text: view.param.update(rows=kept_text(folder(view), text)))

    def tell(self, view: Working) -> None:
        """One notice of all that could not be used, if anything."""
        problems = list(self._problems)
        if self._left:
            problems.append(f"the address names settings that do not exist here: {', '.join(sorted(self._left))[:200]}.")
        if problems:
            view.tell("warning", "Part of the address could not be used. " + " ".join(problems))


def setting(view: Any) -> dict[str, str]:
    """What a page is set to, as the URL says it: model, dtype and device, task with its options, the user's own pairs."""
    said = {"model": view.model, "task": view.task} | placed(view) | _rows_kept(view)
    return said | changed("task", view.task_fields, view.options)


def placed(view: Any) -> dict[str, str]:
    """The dtype and the device of the model that are not the defaults, as the URL says them."""
    return {name: value for name, value in (("dtype", view.dtype), ("device", view.device)) if value}


def changed(prefix: str, fields: Mapping[str, Field], values: Mapping[str, Any]) -> dict[str, str]:
    """The values that are not defaults, as the URL says them."""
    return {
        f"{prefix}.{name}": one.write(values[name])
        for name, one in fields.items()
        if values.get(name, one.default) != one.default
    }


def _rows_kept(view: Any) -> dict[str, str]:
    """The key of the user's own pairs, which are kept beside the results: they are too long for a URL.

    Nothing where they are not asked about, or cannot be kept.
    """
    if view.task != CUSTOM or not view.rows.strip():
        return {}
    try:
        return {"rows": keep_text(folder(view), view.rows)}
    except BadInput:
        return {}


def folder(view: Any) -> Path:
    """Where the texts of a view are kept; views that store nothing have no store of their own."""
    return (getattr(view, "store", None) or Store()).folder


def ready(view: Any) -> bool:
    """Whether the model of a page is in memory, or can be loaded without the network: opening a link must not fetch one."""
    return view.placed in view.jobs.models or at_hand(view.model)


def at_hand(ref: str) -> bool:
    """Whether a model of the catalogue, or of this project, can be loaded without the network."""
    from workbench.models import CATALOGUE, on_disk, own_refs
    from workbench.models.revisions import parted

    return parted(ref)[0] in own_refs() or (ref in CATALOGUE and on_disk(CATALOGUE[ref]))


def model(text: str) -> str:
    """The text as a model's ref.

    Raises:
        BadInput: When it is none.
    """
    from workbench.models import CATALOGUE, own_refs
    from workbench.models.revisions import parted

    ref, _ = parted(text)
    limits().check_model(text)
    if "/" not in ref and not ref.endswith(".gguf"):
        names = [*CATALOGUE, *own_refs()]
        if ref not in names:
            near = difflib.get_close_matches(text, names, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else " Choose one in the menu."
            raise BadInput(f"the model must be one of the catalogue, a folder or a hub name; got {text[:60]!r}.{hint}")
    return text


def task(text: str) -> str:
    """The text as a task's id.

    Raises:
        BadInput: When it is none.
    """
    from workbench.tasks import TASKS

    one_of("the task", text, [*TASKS, CUSTOM])
    return text


def count(name: str, text: str) -> int:
    """The text as a whole number from 0.

    Raises:
        BadInput: When it is none.
    """
    if not text.isascii() or not text.isdecimal() or len(text) > 6:
        raise BadInput(f"{name} must be a whole number from 0; got {text[:40]!r}.")
    within(name, int(text), 0, MOST_PROMPTS if name == "prompt" else 10**6)
    return int(text)
