"""The colour of a head: the same wherever the head is drawn, and neighbours differ most.

It tells heads apart and stands for no number; the head's name is always written beside it, in the colour of any text.
"""

import colorsys
import re
from typing import Any

from workbench.errors import at_least
from workbench.plots.theme import THEMES, tone

# Degrees from a head to the next, counted layer after layer: the golden angle comes near no hue twice for long.
TURN = 137.508
# Saturation and lightness at which every hue can be told from the page, as CSS has them.
SHADES = {"light": "70% 40%", "dark": "75% 68%"}
assert SHADES.keys() == THEMES.keys()
SQUARE = "■"
# L5H1 in a sum, a5.h1 in a graph. Not a5.kv1: several heads share it, and it has no colour of its own.
_NAMES = re.compile(r"(?<![\w.])(?:L(\d+)H(\d+)|a(\d+)\.h(\d+))(?!\d)")
# 5.1, and 5.1.3 of its component: numbers look the same.
_PLAIN = re.compile(r"(?<![\w.])(\d+)\.(\d+)(?!\d)")


def hue(index: int) -> float:
    """The hue of a head in degrees, from 0 up to 360.

    Args:
        index: The head, counted layer after layer: layer times heads of a layer, and the head.
    Raises:
        BadInput: When it is below 0.
    """
    at_least("the head's index", index, 0)
    return round(index * TURN % 360, 1)


def colour(index: int, theme: str) -> str:
    """The colour of a head on a page, as #rrggbb.

    Args:
        index: The head, counted layer after layer.
        theme: 'light' or 'dark'.
    Raises:
        BadInput: When there is no such theme, or the index is below 0.
    """
    tone(theme)
    saturation, lightness = (float(part.rstrip("%")) / 100 for part in SHADES[theme].split())
    parts = colorsys.hls_to_rgb(hue(index) / 360, lightness, saturation)
    return "#" + "".join(f"{round(255 * part):02x}" for part in parts)


def counted(head: tuple[int, int] | None, heads: int) -> int | None:
    """A head counted layer after layer; None for no head, or where it is not known how many heads a layer has.

    Args:
        head: Its layer, and its number in it.
        heads: Heads of a layer; 0 where that is not known.
    """
    return None if head is None or not heads else head[0] * heads + head[1]


def heads_in(text: str, heads: int, plain: bool = False) -> list[tuple[int, int]]:
    """Where heads are named in a text: the place of each name's first letter, and the head counted layer after layer.

    Args:
        text: A name, or a sentence with names.
        heads: Heads of a layer; 0 where that is not known, and then none is found.
        plain: Whether names are LAYER.HEAD, and the text holds no numbers that look like them.
    """
    found = [
        (one.start(), *(int(part) for part in one.groups() if part)) for one in (_PLAIN if plain else _NAMES).finditer(text)
    ]
    return [(at, layer * heads + head) for at, layer, head in found if head < heads]


def square(index: int, theme: str) -> str:
    """A square in the colour of a head, as plotly's labels take it, with the space after it.

    Args:
        index: The head, counted layer after layer.
        theme: 'light' or 'dark'.
    """
    return f'<span style="color:{colour(index, theme)}">{SQUARE}</span> '


def squared(fig: Any, heads: int, theme: str, plain: bool = False) -> Any:
    """The figure with a square before every label of a row that begins with the name of a head; nothing else changes.

    Args:
        fig: A figure of plotly; it is changed.
        heads: Heads of a layer; 0 where that is not known, and then there are no squares.
        theme: 'light' or 'dark'.
        plain: Whether names are LAYER.HEAD; only for rows that are heads, for numbers look the same.
    """

    def marked(label: str) -> str:
        named = [index for at, index in heads_in(label, heads, plain) if at == 0]
        return f"{square(named[0], theme)}{label}" if named else label

    for rows in fig.select_yaxes():
        if rows.ticktext is not None:
            rows.ticktext = [marked(label) for label in rows.ticktext]
    return fig


def headed(fig: Any, index: int | None, theme: str) -> Any:
    """The figure of one head with a square before its title; nothing else changes.

    Args:
        fig: A figure of plotly; it is changed.
        index: The head, counted layer after layer; None for no head, and then there is no square.
        theme: 'light' or 'dark'.
    """
    if index is not None:
        fig.layout.title.text = f"{square(index, theme)}{fig.layout.title.text}"
    return fig
