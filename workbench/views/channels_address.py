"""The state of the channels page as the query of its URL: flat, short (defaults are left out), read back with care."""

from collections.abc import Mapping
from typing import Any

from workbench.errors import BadInput, one_of
from workbench.views.channels import SLOTS, Channels
from workbench.views.query import Query, count, ready, setting
from workbench.views.search import named


def written(view: Channels) -> dict[str, str]:
    """What the URL says: model, task and its options, slot, and the pair, component, factor and prompt chosen."""
    said = setting(view)
    said |= {"slot": view.slot} if view.slot != "q" else {}
    pair = view.pair
    if pair.writer is not None and pair.reader is not None:
        said |= {name: ".".join(map(str, head)) for name, head in (("writer", pair.writer), ("reader", pair.reader))}
        said |= {"component": str(pair.component)} if pair.component is not None else {}
        said |= {"alpha": f"{pair.alpha:g}"} if pair.alpha != 1 else {}
        said |= {"prompt": str(pair.prompt)} if pair.prompt else {}
    return said


def restore(view: Channels, query: Mapping[str, str]) -> None:
    """Set the view to what a URL says; what cannot be used becomes one notice."""
    asked = Query(query)
    asked.setting(view)
    asked.attempt("slot", lambda text: (one_of("slot", text, SLOTS), view.param.update(slot=text)))
    chosen: dict[str, Any] = {}
    for name in ("writer", "reader"):
        asked.attempt(name, lambda text, name=name: chosen.update({name: text}))
    for name in ("component", "prompt"):
        asked.attempt(name, lambda text, name=name: chosen.update({name: count(name, text)}))
    asked.attempt("alpha", lambda text: chosen.update(alpha=_alpha(text)))
    if {"writer", "reader"} & set(chosen):
        asked.use(lambda: _choose(view, chosen))
    asked.tell(view)
    view.rejoin()


def _choose(view: Channels, chosen: Mapping[str, Any]) -> None:
    """Choose the pair of the URL; it is computed if its model is at hand: opening a link must not fetch a model."""
    if not {"writer", "reader"} <= set(chosen):
        raise BadInput("writer and reader must both be given, or none; got one.")
    writer, reader, _ = named(chosen["writer"], chosen["reader"])
    show = ready(view)
    view.choose(writer, reader, chosen.get("component"), show=show)
    view.pair.param.update(alpha=chosen.get("alpha", 1.0), prompt=chosen.get("prompt", 0))


def _alpha(text: str) -> float:
    from workbench.channels.pair import ALPHAS

    known = {f"{alpha:g}": alpha for alpha in ALPHAS}
    if text not in known:
        raise BadInput(f"alpha must be from {ALPHAS[0]:g} to {ALPHAS[-1]:g} in steps of 0.5; got {text[:40]!r}.")
    return known[text]
