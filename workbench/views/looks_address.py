"""The state of the page of attention as the query of its URL: flat, short (defaults are left out), read back with care."""

from collections.abc import Callable, Mapping
from typing import Any

from workbench.errors import BadInput, one_of
from workbench.store.texts import keep_text, kept_text
from workbench.views.arranged import NAME
from workbench.views.composed import Head
from workbench.views.looks import Looks
from workbench.views.query import Query, count, folder, ready, setting
from workbench.views.question import CUSTOM

# A longer text is kept beside the results: servers and browsers cut long addresses.
MOST_TEXT = 2000
SWITCHES = {"yes": True, "no": False}


def written(view: Looks) -> dict[str, str]:
    """What the URL says: model, task, options, the prompt or the text, how it is shown, the locked head, what is pinned."""
    said = setting(view)
    if view.source == "text":
        said |= {"source": "text"} | ({"text": view.text} if len(view.text) <= MOST_TEXT else _kept(view))
    else:
        said |= {"prompt": str(view.prompt)} if view.prompt else {}
        said |= {"of": view.of} if view.of != "clean" else {}
    said |= {"head": ".".join(map(str, view.head))} if view.head is not None else {}
    return said | drawn_as(view)


def _kept(view: Looks) -> dict[str, str]:
    """The key of a long text, which is kept beside the results; nothing where it cannot be kept."""
    try:
        return {"kept": keep_text(folder(view), view.text)}
    except BadInput:
        return {}


def drawn_as(view: Looks) -> dict[str, str]:
    """What the URL says of the grid itself: whether it is shown, and how."""
    said = {"shown": "yes"} if view.asked is not None else {}
    said |= {"weighted": "yes"} if view.weighted else {}
    said |= {"pinned": ".".join("" if at < 0 else str(at) for at in view.pinned)} if max(view.pinned) >= 0 else {}
    said |= {"least": f"{view.least:g}"} if view.least and max(view.pinned) >= 0 else {}
    said |= {"sort": view.sort or NAME} if view.sort != view.param["sort"].default else {}
    return said | ({"own": "no"} if not view.own else {})


def restore(view: Looks, query: Mapping[str, str]) -> None:
    """Set the view to what a URL says; what cannot be used becomes one notice."""
    asked = Query(query)
    asked.setting(view)
    asked.attempt("text", lambda text: view.param.update(text=text), MOST_TEXT)
    asked.attempt("kept", lambda key: view.param.update(text=kept_text(folder(view), key, "kept")))
    chosen: dict[str, Any] = {}
    asked.attempt("source", lambda text: (one_of("source", text, ("task", "text")), chosen.update(source=text)))
    asked.attempt("prompt", lambda text: chosen.update(prompt=count("prompt", text)))
    asked.attempt("of", lambda text: (one_of("of", text, ("clean", "corrupt")), chosen.update(of=text)))
    asked.attempt("head", lambda text: chosen.update(head=_head(text)))
    view.param.update(**chosen)
    shown = draw_as(view, asked)
    asked.tell(view)
    if (shown or view.head is not None) and (view.task != CUSTOM or view.rows or view.source == "text"):
        reopen(view)


def draw_as(view: Looks, asked: Query, prefix: str = "") -> bool:
    """Take up what the URL says of the grid itself, each setting after a prefix; gives whether it is to be shown."""
    chosen: dict[str, Any] = {}
    shown: list[bool] = []
    uses: dict[str, Callable[[str], Any]] = {
        "shown": lambda text: shown.append(_switch("shown", text)),
        "weighted": lambda text: chosen.update(weighted=_switch("weighted", text)),
        "own": lambda text: chosen.update(own=_switch("own", text)),
        "pinned": lambda text: chosen.update(pinned=_pinned(text)),
        "least": lambda text: chosen.update(least=_share(text)),
        "sort": lambda text: chosen.update(sort="" if text == NAME else text),
    }
    for name, use in uses.items():
        asked.attempt(prefix + name, use)
    view.param.update(**chosen)
    return any(shown)


def reopen(view: Looks) -> None:
    """Show the grid of a URL: opening a link must not fetch a model."""
    view.show(load=ready(view))


def _switch(name: str, text: str) -> bool:
    one_of(name, text, SWITCHES)
    return SWITCHES[text]


def _head(text: str) -> Head:
    from workbench.channels.weights import parsed

    place = parsed(text)
    if len(place) != 2:
        raise BadInput(f"the head must be written LAYER.HEAD; got {text[:40]!r}.")
    return place[0], place[1]


def _pinned(text: str) -> list[int]:
    parts = text.split(".")
    if len(parts) != 2:
        raise BadInput(f"pinned must be two tokens, QUERY.KEY, each a number or nothing; got {text[:40]!r}.")
    return [count("pinned", part) if part else -1 for part in parts]


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise BadInput(f"least must be a number from 0 to 1; got {text[:40]!r}.")
    return share
