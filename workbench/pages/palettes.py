"""The palettes that a session draws with: one for signed numbers, one for those from 0 up."""

from typing import Any
from urllib.parse import urlencode
from weakref import WeakKeyDictionary

import panel as pn

from workbench.errors import one_of
from workbench.plots.theme import PALETTES
from workbench.result import Result

# By name in the address; a result takes the one that fits its numbers.
KINDS = {"palette": "diverging", "shades": "sequential"}
_CHOSEN: WeakKeyDictionary[Any, dict[str, str]] = WeakKeyDictionary()


def fitting(kind: str) -> list[str]:
    """The palettes of a kind, the usual one first."""
    return [name for name, one in PALETTES.items() if one.kind == kind and name != "pale-blues"]


def chosen() -> dict[str, str]:
    """What this session has chosen, by name in the address; what stands at the usual one is left out."""
    return dict(_CHOSEN.get(pn.state.curdoc, {})) if pn.state.curdoc is not None else {}


def choose(name: str, palette: str) -> None:
    """Choose a palette for this session.

    Raises:
        BadInput: When it is none of those that fit.
    """
    one_of("what a palette is for", name, KINDS)
    one_of(f"the {name}", palette, fitting(KINDS[name]))
    if pn.state.curdoc is None:
        return
    now = chosen() | {name: palette}
    _CHOSEN[pn.state.curdoc] = {key: one for key, one in now.items() if one != fitting(KINDS[key])[0]}


def tint(theme: str) -> dict[str, str]:
    """What an address says of this session's colours, on a page of this theme."""
    return chosen() | ({"theme": "dark"} if theme == "dark" else {})


def tinted(to: str, theme: str) -> str:
    """The address of another page, in the colours of this session; '' stays ''."""
    said = urlencode(tint(theme))
    return f"{to}{'&' if '?' in to else '?'}{said}" if to and said else to


def palette_of(kind: str) -> str | None:
    """The palette to draw numbers of a kind with: 'diverging' or 'sequential'; None for the usual one."""
    return chosen().get(next(name for name, one in KINDS.items() if one == kind))


def palette_for(result: Result) -> str | None:
    """The palette to draw a result with; None for the usual one, and for curves, whose series have no order."""
    if result.kind == "curve":
        return None
    positive = result.kind == "readout" or result.notes.get("range") == "positive"
    return palette_of("sequential" if positive else "diverging")
