"""The state of the page of maps as the query of its URL: flat, short (defaults are left out), read back with care."""

from collections.abc import Mapping
from typing import Any

from workbench.errors import BadInput, one_of
from workbench.views.cells import Cell
from workbench.views.maps import PAIRS, Maps
from workbench.views.maps_kinds import KINDS
from workbench.views.query import Query, changed, count, setting

PLACE = ("layer", "head", "pos")


def written(view: Maps) -> dict[str, str]:
    """What the URL says: model, task, their options, the cells, what the methods share, the prompt and the cell locked."""
    said = setting(view)
    said |= {"kind": view.kind} if view.kind != "heads" else {}
    said |= changed("method", view.method_fields, view.params)
    said |= {} if view.exact else {"exact": "no"}
    said |= {"prompt": str(view.prompt)} if view.prompt is not None else {}
    said |= {"against": "-".join(PAIRS[view.pair])} if view.pair else {}
    if view.cell is not None:
        said |= {name: str(getattr(view.cell, name)) for name in PLACE if getattr(view.cell, name) is not None}
    return said


def restore(view: Maps, query: Mapping[str, str]) -> None:
    """Set the view to what a URL says; what cannot be used becomes one notice."""
    asked = Query(query)
    asked.setting(view)
    asked.attempt("kind", lambda text: (one_of("kind", text, KINDS), view.param.update(kind=text)))
    asked.fields("method", view.method_fields, view, "params")
    asked.attempt("exact", lambda text: (one_of("exact", text, ("yes", "no")), view.param.update(exact=text == "yes")))
    asked.attempt("prompt", lambda text: view.param.update(prompt=count("prompt", text)))
    asked.attempt("against", lambda text: view.param.update(pair=_pair(text)))
    place: dict[str, Any] = {}
    for name in PLACE:
        asked.attempt(name, lambda text, name=name: place.update({name: count(name, text)}))
    if place:
        asked.use(lambda: _lock(view, place))
    asked.tell(view)
    view.rejoin()


def _pair(text: str) -> int:
    names = ["-".join(pair) for pair in PAIRS]
    one_of("against", text, names)
    return names.index(text)


def _lock(view: Maps, place: Mapping[str, int]) -> None:
    missing = [name for name in KINDS[view.kind].by if name not in place]
    if missing or set(place) - set(KINDS[view.kind].by):
        raise BadInput(f"the cell must be given by {', '.join(KINDS[view.kind].by)}; got {', '.join(place)}.")
    view.lock(Cell(**place))
