"""Colours and the two plotly templates, 'workbench-light' and 'workbench-dark'; importing this only registers them.

Every palette can be told apart with the common kinds of colour blindness: blue against orange or red, purple against
green, or one hue growing darker. On a dark page the middle of a diverging palette is dark, so that 0 stays quiet.
"""

from dataclasses import dataclass

import plotly.graph_objects as go
import plotly.io as pio

from workbench.errors import one_of

FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, "Noto Sans", sans-serif'


@dataclass(frozen=True)
class Palette:
    """Colours from the lowest to the highest number.

    Attributes:
        kind: 'diverging' around 0, or 'sequential' from 0 up.
        light: Colours on a light page.
        dark: Colours on a dark page.
    """

    kind: str
    light: tuple[str, ...]
    dark: tuple[str, ...]


_VIRIDIS = ("#440154", "#46327e", "#365c8d", "#277f8e", "#1fa187", "#4ac16d", "#a0da39", "#fde725")
_CIVIDIS = (
    "#00224e",
    "#123570",
    "#3b496c",
    "#575d6d",
    "#707173",
    "#8a8678",
    "#a59c74",
    "#c3b369",
    "#e1cc55",
    "#fee838",
)
_DARK_BLUES = ("#9ccdf5", "#4a90cf", "#1f4e7d")

PALETTES: dict[str, Palette] = {
    "blue-orange": Palette(
        "diverging",
        ("#083d7a", "#2f7fc1", "#9cc8e6", "#f8f8f8", "#fdc586", "#e07b1a", "#863a02"),
        (*_DARK_BLUES, "#17191d", "#7d4316", "#d9791f", "#ffc98a"),
    ),
    "blue-red": Palette(
        "diverging",
        ("#083d7a", "#2f7fc1", "#9cc8e6", "#f8f8f8", "#f6b3a0", "#cf4a43", "#7a0a1c"),
        (*_DARK_BLUES, "#17191d", "#7d2424", "#dd5a4c", "#ffb3a6"),
    ),
    "purple-green": Palette(
        "diverging",
        ("#47135c", "#8c5aa5", "#cdb3d8", "#f8f8f8", "#b3dfae", "#4a9d57", "#0b4a20"),
        ("#dcbcee", "#9a66b5", "#513163", "#17191d", "#1f5a36", "#4fae6b", "#b8ebc0"),
    ),
    "blues": Palette(
        "sequential",
        ("#f7fafd", "#cfe1f2", "#93c4de", "#4a97c9", "#1a65a9", "#08306b"),
        ("#17191d", "#163452", "#205a8c", "#3f8dcb", "#86bff0", "#d6ebff"),
    ),
    # Pale enough for text in one colour on every cell.
    "pale-blues": Palette("sequential", ("#ffffff", "#c3ddf2", "#7db7e2"), ("#17191d", "#1c3f60", "#2466a0")),
    "viridis": Palette("sequential", _VIRIDIS, _VIRIDIS),
    "cividis": Palette("sequential", _CIVIDIS, _CIVIDIS),
}

# Okabe and Ito's colours, without their yellow, which fades on white.
SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#7f7f7f")


@dataclass(frozen=True)
class Tone:
    """The colours of a page.

    Attributes:
        paper: The page.
        ink: Text.
        quiet: Captions and axis lines.
        grid: Grid lines.
        gap: Cells that were not computed.
        low: A bar below 0.
        high: A bar above 0.
    """

    paper: str
    ink: str
    quiet: str
    grid: str
    gap: str
    low: str
    high: str


THEMES: dict[str, Tone] = {
    "light": Tone("#ffffff", "#1f2328", "#59636e", "#e3e6ea", "#d4d6d9", "#2f7fc1", "#e07b1a"),
    "dark": Tone("#17191d", "#e6e8eb", "#a3abb5", "#32363c", "#4b4f55", "#4a90cf", "#d9791f"),
}


def tone(theme: str) -> Tone:
    """The colours of 'light' or 'dark'; BadInput for anything else."""
    one_of("theme", theme, THEMES)
    return THEMES[theme]


def colours(palette: str | None, kind: str, theme: str) -> list[list[float | str]]:
    """A palette as plotly's colour scale.

    Args:
        palette: A name in PALETTES, or None for the first of its kind.
        kind: 'diverging' or 'sequential'.
        theme: 'light' or 'dark'.
    Raises:
        BadInput: When the palette is unknown or of the other kind, or the theme is unknown.
    """
    one_of("theme", theme, THEMES)
    fitting = [name for name, one in PALETTES.items() if one.kind == kind]
    if palette is not None:
        one_of(f"palette for these numbers ({kind})", palette, fitting)
    chosen = getattr(PALETTES[palette or fitting[0]], theme)
    return [[index / (len(chosen) - 1), colour] for index, colour in enumerate(chosen)]


def signs(palette: str | None, theme: str) -> tuple[str, str]:
    """The colours of a number below 0 and of one above it, for bars and edges.

    Args:
        palette: A name in PALETTES, or None for the usual one; one of a sequential palette has the same colour for both.
        theme: 'light' or 'dark'.
    Raises:
        BadInput: When the palette or the theme is unknown.
    """
    if palette is None:
        return tone(theme).low, tone(theme).high
    one_of("theme", theme, THEMES)
    one_of("palette", palette, PALETTES)
    chosen = getattr(PALETTES[palette], theme)
    if PALETTES[palette].kind == "sequential":
        return chosen[len(chosen) * 3 // 5], chosen[len(chosen) * 3 // 5]
    return chosen[1], chosen[-2]


def _template(of: Tone) -> go.layout.Template:
    axis = {
        "gridcolor": of.grid,
        "linecolor": of.quiet,
        "zeroline": False,
        "ticks": "outside",
        "ticklen": 4,
        "tickcolor": of.quiet,
        "tickfont": {"size": 11},
        "title": {"font": {"size": 12}, "standoff": 8},
    }
    return go.layout.Template(
        layout={
            "font": {"family": FONT, "size": 12, "color": of.ink},
            "paper_bgcolor": of.paper,
            "plot_bgcolor": of.paper,
            "colorway": list(SERIES),
            "xaxis": axis,
            "yaxis": axis,
            "hoverlabel": {"align": "left", "font": {"family": FONT, "size": 12}, "namelength": -1},
            "modebar": {"remove": ["sendChartToCloud", "select2d", "lasso2d"], "color": of.quiet, "bgcolor": "rgba(0,0,0,0)"},
        }
    )


for _name, _tone in THEMES.items():
    pio.templates[f"workbench-{_name}"] = _template(_tone)
