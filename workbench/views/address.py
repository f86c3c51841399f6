"""The page's state as the query of its URL: flat, short (defaults are left out), read back with care.

Whatever stands in an edited URL: what can be used is used, the rest keeps its default and is named in one notice.
"""

import difflib
from collections.abc import Callable, Mapping

from workbench.errors import BadInput, one_of, within
from workbench.views.cells import Cell
from workbench.views.circuits import Circuits
from workbench.views.fields import Field
from workbench.views.question import CUSTOM

_LONGEST = 300


def written(view: Circuits) -> dict[str, str]:
    """What the URL says: model, task, method, their settings, the cell, prompt and size chosen, the key of the result."""
    said = {"model": view.model, "task": view.task, "method": view.method}
    for prefix, fields, values in (("task", view.task_fields, view.options), ("method", view.method_fields, view.params)):
        for name, one in fields.items():
            if values.get(name, one.default) != one.default:
                said[f"{prefix}.{name}"] = one.write(values[name])
    looked = view.attention
    if view.key:
        said["result"] = view.key
        said |= {"size": str(view.size)} if view.size is not None else {}
        if looked.layer is not None:
            said |= {"layer": str(looked.layer), "head": str(looked.head)}
            said |= {"prompt": str(looked.prompt)} if looked.prompt else {}
            said |= {"of": looked.of} if looked.of != "clean" else {}
    return said


def restore(view: Circuits, query: Mapping[str, str]) -> None:
    """Set the view to what a URL says; what cannot be used becomes one notice."""
    problems: list[str] = []

    def attempt(name: str, use: Callable[[str], None]) -> None:
        if name in left:
            text = left.pop(name)
            try:
                if len(text) > _LONGEST:
                    raise BadInput(f"{name} must have at most {_LONGEST} characters; got {len(text)}.")
                use(text)
            except BadInput as problem:
                problems.append(str(problem))

    left = dict(query)
    attempt("model", lambda text: view.param.update(model=_model(text)))
    attempt("task", lambda text: view.param.update(task=_task(text)))
    attempt("method", lambda text: view.param.update(method=_method(text)))
    attempt("result", lambda text: _open(view, text))
    attempt("size", lambda text: view.resize(_count("size", text)))
    for prefix, fields, target in (("task", view.task_fields, "options"), ("method", view.method_fields, "params")):
        for name, one in fields.items():
            attempt(f"{prefix}.{name}", lambda text, one=one, target=target: _set(view, target, one, text))
    _look(view, left, attempt)
    if left:
        problems.append(f"the address names settings that do not exist here: {', '.join(sorted(left))[:200]}.")
    if problems:
        view.tell("warning", "Part of the address could not be used. " + " ".join(problems))


def _look(view: Circuits, left: dict[str, str], attempt: Callable[[str, Callable[[str], None]], None]) -> None:
    """Choose the cell of the URL, if its model is at hand: opening a link must not fetch a model."""
    chosen: dict[str, int] = {}
    for name in ("layer", "head", "prompt"):
        attempt(name, lambda text, name=name: chosen.update({name: _count(name, text)}))
    attempt("of", lambda text: (one_of("of", text, ("clean", "corrupt")), view.attention.param.update(of=text)))
    if view.result is None or "layer" not in chosen:
        return
    sizes = view.result.values.sizes
    for name in ("layer", "head"):
        if name in chosen and name in sizes and chosen[name] >= sizes[name] and name == "layer":
            view.tell("warning", f"layer must be from 0 to {sizes[name] - 1}; got {chosen[name]}.")
            return
    view.attention.prompt = min(chosen.get("prompt", 0), max(0, len(view.attention.prompts) - 1))
    if at_hand(view.model) and (view.task != CUSTOM or view.rows):
        view.choose(Cell(chosen["layer"], chosen.get("head", 0)))


def at_hand(ref: str) -> bool:
    """Whether a model of the catalogue, or of this project, can be loaded without the network."""
    from workbench.jobs import JOBS
    from workbench.models import CATALOGUE, on_disk, own_refs

    if ref in JOBS.models or ref in own_refs():
        return True
    return ref in CATALOGUE and on_disk(CATALOGUE[ref])


def _model(text: str) -> str:
    from workbench.models import CATALOGUE, own_refs

    if "/" not in text and not text.endswith(".gguf"):
        names = [*CATALOGUE, *own_refs()]
        if text not in names:
            near = difflib.get_close_matches(text, names, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else " Choose one in the menu."
            raise BadInput(f"the model must be one of the catalogue, a folder or a hub name; got {text[:60]!r}.{hint}")
    return text


def _task(text: str) -> str:
    from workbench.tasks import TASKS

    one_of("the task", text, [*TASKS, CUSTOM])
    return text


def _method(text: str) -> str:
    from workbench.methods import METHODS

    one_of("the method", text, METHODS)
    return text


def _open(view: Circuits, key: str) -> None:
    if key not in view.store:
        raise BadInput(f"the result must be a stored one; got {key!r}. Press Run to compute it.")
    view.open(key)


def _set(view: Circuits, target: str, one: Field, text: str) -> None:
    setattr(view, target, {**getattr(view, target), one.name: one.read(text)})


def _count(name: str, text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 6:
        raise BadInput(f"{name} must be a whole number from 0; got {text[:40]!r}.")
    within(name, int(text), 0, 10**6)
    return int(text)
