"""The state of the circuits page as the query of its URL: flat, short (defaults are left out), read back with care."""

from collections.abc import Mapping

from workbench.errors import BadInput, one_of
from workbench.views import query as queries
from workbench.views.cells import KEY_VALUE, Cell
from workbench.views.circuits import Circuits
from workbench.views.query import Query, changed, count, ready, setting
from workbench.views.question import CUSTOM

# Letters of a list of interventions.
LONGEST = 1500
# What names a cell; a site is said of keys and values alone.
PLACE = ("layer", "head", "pos", "site")


def written(view: Circuits) -> dict[str, str]:
    """What the URL says: model, task, method, their settings, the cell, prompt and size chosen, the key of the result."""
    said = setting(view) | {"method": view.method} | changed("method", view.method_fields, view.params)
    looked = view.attention
    if view.key:
        said["result"] = view.key
        said |= {"size": str(view.size)} if view.size is not None else {}
        said |= {"at": view.ablation.place} if view.ablation.place else {}
        said |= {"against": view.compared.against} if view.compared.against else {}
        said |= {"live": view.ablation.written} if view.ablation.replaced else {}
        if looked.layer is not None:
            said |= {name: str(value) for name in PLACE if (value := getattr(view.framed, name)) is not None}
            said |= {"prompt": str(looked.prompt)} if looked.prompt else {}
            said |= {"of": looked.of} if looked.of != "clean" else {}
    return said


def restore(view: Circuits, query: Mapping[str, str]) -> None:
    """Set the view to what a URL says; what cannot be used becomes one notice."""
    asked = Query(query)
    asked.attempt("model", lambda text: view.param.update(model=queries.model(text)))
    asked.placed(view)
    asked.rows(view)
    asked.attempt("task", lambda text: view.param.update(task=queries.task(text)))
    asked.attempt("method", lambda text: view.param.update(method=_method(text)))
    asked.attempt("result", lambda text: _open(view, text))
    asked.attempt("size", lambda text: view.resize(count("size", text)))
    asked.fields("task", view.task_fields, view, "options")
    asked.fields("method", view.method_fields, view, "params")
    _look(view, asked)
    asked.attempt("at", view.ablation.look)
    asked.attempt("against", view.compared.choose)
    asked.attempt(
        "live",
        lambda text: view.ablation.restore(text, load=ready(view) and (view.task != CUSTOM or bool(view.rows))),
        LONGEST,
    )
    asked.tell(view)
    view.rejoin()


def _look(view: Circuits, asked: Query) -> None:
    """Choose the cell of the URL: opening a link must not fetch a model."""
    chosen: dict[str, int] = {}
    for name in ("layer", "head", "pos", "prompt"):
        asked.attempt(name, lambda text, name=name: chosen.update({name: count(name, text)}))
    site: list[str] = []
    asked.attempt("site", lambda text: (one_of("site", text, KEY_VALUE), site.append(text)))
    asked.attempt("of", lambda text: (one_of("of", text, ("clean", "corrupt")), view.attention.param.update(of=text)))
    if view.result is None or "layer" not in chosen:
        return
    sizes = view.result.values.sizes
    for name in ("layer", "pos"):
        if chosen.get(name, 0) >= sizes.get(name, chosen.get(name, 0) + 1):
            view.tell("warning", f"{name} must be from 0 to {sizes[name] - 1}; got {chosen[name]}.")
            return
    view.attention.prompt = min(chosen.get("prompt", 0), max(0, len(view.attention.prompts) - 1))
    if view.task != CUSTOM or view.rows:
        cell = Cell(chosen["layer"], chosen.get("head", 0), chosen.get("pos"), site[0] if site else None)
        view.choose(cell, load=ready(view))


def _method(text: str) -> str:
    from workbench.methods import METHODS

    one_of("the method", text, METHODS)
    return text


def _open(view: Circuits, key: str) -> None:
    if key not in view.store:
        raise BadInput(f"the result must be a stored one; got {key!r}. Press Run to compute it.")
    view.open(key)
