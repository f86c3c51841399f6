"""The state of the page of heads as the query of its URL: flat, short (defaults are left out), read back with care."""

from collections.abc import Mapping
from typing import Any

from workbench.errors import BadInput, one_of
from workbench.views.arranged import FIRST, NAME
from workbench.views.heads import Heads
from workbench.views.heads_columns import ABOUT, JOINED
from workbench.views.looks_address import draw_as, drawn_as, reopen
from workbench.views.onward import on_prompt
from workbench.views.query import Query, changed, count, ready, setting

# Before the settings of the grid of attention.
GRID = "grid."
ORDERS = {"up": False, "down": True}


def written(view: Heads) -> dict[str, str]:
    """What the URL says: model, task, their options, what is joined, how the table is sorted and narrowed, the head."""
    said = setting(view) | changed("heads", view.method_fields, view.params)
    said |= {"joined": " ".join(view.joined)} if view.joined else {}
    said |= {"detector": view.detector} if view.detector != FIRST else {}
    said |= {"sort": view.sort} if view.sort != view.detector else {}
    said |= {"order": "down" if view.descending else "up"} if view.descending == (view.sort == NAME) else {}
    said |= {"least": f"{view.at_least:g}"} if view.at_least is not None else {}
    said |= {"only": view.only} if view.only else {}
    looked = view.head.attention
    if view.head.head is not None:
        said |= {"head": ".".join(map(str, view.head.head))}
        said |= {"prompt": str(looked.prompt)} if looked.prompt else {}
        said |= {"of": looked.of} if looked.of != "clean" else {}
    if view.grid.asked is not None:
        said |= on_prompt(looked.prompt, looked.of) | {GRID + name: text for name, text in drawn_as(view.grid).items()}
    return said


def restore(view: Heads, query: Mapping[str, str]) -> None:
    """Set the view to what a URL says; what cannot be used becomes one notice."""
    asked = Query(query)
    asked.setting(view)
    asked.fields("heads", view.method_fields, view, "params")
    asked.attempt("joined", lambda text: view.param.update(joined=_joined(text)))
    chosen: dict[str, Any] = {}
    asked.attempt("detector", lambda text: chosen.update(detector=_column(text), sort=_column(text)))
    asked.attempt("sort", lambda text: chosen.update(sort=NAME if text == NAME else _column(text)))
    chosen |= {"descending": False} if chosen.get("sort") == NAME else {}
    asked.attempt("order", lambda text: (one_of("order", text, ORDERS), chosen.update(descending=ORDERS[text])))
    view.param.update(**chosen)
    asked.attempt("least", view.bound)
    asked.attempt("only", view.narrow)
    _open(view, asked)
    shown = draw_as(view.grid, asked, GRID)
    asked.tell(view)
    view.rejoin()
    if shown:
        reopen(view.grid)


def _open(view: Heads, asked: Query) -> None:
    """Open the head of the URL; it is looked at if its model is at hand: opening a link must not fetch a model."""
    shown: dict[str, Any] = {}
    asked.attempt("head", lambda text: shown.update(head=head_named(text)))
    asked.attempt("prompt", lambda text: view.head.attention.param.update(prompt=count("prompt", text)))
    asked.attempt("of", lambda text: (one_of("of", text, ("clean", "corrupt")), view.head.attention.param.update(of=text)))
    if "head" in shown:
        asked.use(lambda: view.open(shown["head"], load=ready(view)))


def head_named(text: str) -> tuple[int, int]:
    """The layer and head of a text.

    Raises:
        BadInput: When it is none.
    """
    from workbench.channels.weights import parsed

    place = parsed(text)
    if len(place) != 2:
        raise BadInput(f"the head must be written LAYER.HEAD; got {text[:40]!r}.")
    return place[0], place[1]


def _column(text: str) -> str:
    one_of("the column", text, [*ABOUT, *JOINED])
    return text


def _joined(text: str) -> list[str]:
    for method in text.split():
        one_of("what is joined", method, JOINED)
    return [method for method in JOINED if method in text.split()]
