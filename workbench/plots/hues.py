"""The colour of a head: the same wherever the head is drawn, and neighbours differ most.

It tells heads apart and stands for no number; the head's name is always written beside it.
"""

import colorsys

from workbench.errors import at_least
from workbench.plots.theme import THEMES, tone

# Degrees from a head to the next, counted layer after layer: the golden angle comes near no hue twice for long.
TURN = 137.508
# Saturation and lightness at which every hue can be told from the page, as CSS has them.
SHADES = {"light": "70% 40%", "dark": "75% 68%"}
assert SHADES.keys() == THEMES.keys()


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
