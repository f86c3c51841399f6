"""The state of the page of the residual stream as the query of its URL: flat, short, read back with care."""

from collections.abc import Mapping
from typing import Any

from workbench.errors import one_of
from workbench.views.heads_address import head_named
from workbench.views.query import Query, count, ready, setting
from workbench.views.residual import Residual

CHOICES = ("part", "of", "points", "norm", "cosine", "lens", "shares")
NUMBERS = ("layer", "pos")


def written(view: Residual) -> dict[str, str]:
    """What the URL says: model, task, its options, the prompt, what each panel shows, the cell and the head chosen."""
    said = setting(view)
    said |= {"prompt": str(view.prompt)} if view.prompt else {}
    said |= {name: getattr(view, name) for name in CHOICES if getattr(view, name) != view.param[name].default}
    said |= {name: str(getattr(view, name)) for name in NUMBERS if getattr(view, name) is not None}
    said |= {"head": ".".join(map(str, view.head))} if view.head is not None else {}
    return said


def restore(view: Residual, query: Mapping[str, str]) -> None:
    """Set the view to what a URL says; what cannot be used becomes one notice."""
    asked = Query(query)
    asked.setting(view)
    chosen: dict[str, Any] = {}
    for name in CHOICES:
        asked.attempt(name, lambda text, name=name: chosen.update({name: _choice(view, name, text)}))
    for name in ("prompt", *NUMBERS):
        asked.attempt(name, lambda text, name=name: chosen.update({name: count(name, text)}))
    view.param.update(**chosen)
    head: dict[str, tuple[int, int]] = {}
    asked.attempt("head", lambda text: head.update(head=head_named(text)))
    # Opening a link must not fetch a model.
    if "head" in head:
        asked.use(lambda: view.open(head["head"], load=ready(view)))
    asked.tell(view)
    view.rejoin()


def _choice(view: Residual, name: str, text: str) -> str:
    one_of(name, text, view.param[name].objects)
    return text
