"""The colour of a head beside its name, in HTML and in tables; what reads a page aloud passes over it."""

from collections.abc import Sequence
from html import escape

from workbench.plots.hues import colour, heads_in

# A spot in a text: before which of its letters a swatch stands, and its colour.
Spot = tuple[int, str]


def swatch(index: int | None, theme: str) -> str:
    """A swatch as high as the letters beside it; '' for no head. Safe as HTML.

    Args:
        index: The head, counted layer after layer.
        theme: 'light' or 'dark'.
    """
    if index is None:
        return ""
    return (
        '<span aria-hidden="true" title="The colour of this head on every page" style="display:inline-block;width:.7em;'
        f'height:.7em;border-radius:.2em;margin-right:.4em;background:{colour(index, theme)}"></span>'
    )


def swatched(text: str, heads: int, theme: str, plain: bool = False) -> str:
    """A text with a swatch before every head that it names; safe as HTML.

    Args:
        text: The text; not safe.
        heads: Heads of a layer; 0 where that is not known, and then there are no swatches.
        theme: 'light' or 'dark'.
        plain: Whether names are LAYER.HEAD, and the text holds no numbers that look like them.
    """
    made, before = "", 0
    for at, index in heads_in(text, heads, plain):
        made += escape(text[before:at]) + swatch(index, theme)
        before = at
    return made + escape(text[before:])


def spots(texts: Sequence[str], heads: int, theme: str, plain: bool = False) -> list[list[Spot]]:
    """Where swatches stand in each of some texts, for `Table.show`; see `swatched`.

    Args:
        texts: The texts.
        heads: Heads of a layer, or 0.
        theme: 'light' or 'dark'.
        plain: Whether names are LAYER.HEAD.
    """
    return [[(at, colour(index, theme)) for at, index in heads_in(text, heads, plain)] for text in texts]
