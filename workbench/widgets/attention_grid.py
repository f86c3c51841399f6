"""The grid of all heads' attention: thumbnails from a byte per cell, one head large in full precision."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from workbench.errors import BadInput, one_of, within
from workbench.plots import heads_table
from workbench.plots.hues import SHADES, TURN
from workbench.plots.text import visible
from workbench.plots.theme import PALETTES, THEMES
from workbench.result import Scores
from workbench.widgets.thumbnails import Packing, Thumbnails
from workbench.widgets.widget import Trait, Widget, notebook

# Tokens along a side of what is sent of the locked head; the rest of a longer prompt follows by the window.
WINDOW = 512
# The sort of heads in an order from elsewhere.
GIVEN = "given"
HERE = Path(__file__).parent
SEQUENTIAL = {
    name: {"light": list(one.light), "dark": list(one.dark)} for name, one in PALETTES.items() if one.kind == "sequential"
}
# The pin is the orange of the palettes: on no scale of them does it stand for a number.
TONES = {
    name: {"ground": one.paper, "ink": one.ink, "quiet": one.quiet, "line": one.grid, "pin": one.high}
    for name, one in THEMES.items()
}

ATTENTION_GRID = Widget(
    "AttentionGrid",
    HERE / "attention_grid.js",
    (
        Trait("about", "dict", {}, "layers, heads, tokens, pool, scales and unit of the thumbnails, and the prompt's words."),
        Trait("data", "bytes", b"", "The lower triangles of all heads in bytes, layer after layer."),
        Trait("columns", "list", [], "What heads can be sorted by: name, label, unit, signed and a number per head or null."),
        Trait("exact", "bytes", b"", "Numbers of the locked head as float32, row after row."),
        Trait("exact_of", "dict", {}, "Which head these are of, from which query and key on, how many rows and columns."),
        Trait("locked", "int", -1, "The head that stands large, counted layer after layer; -1 for none."),
        Trait("window", "list", [0, 0], "The query and key from which on the locked head is wanted, in a long prompt."),
        Trait("pinned", "list", [-1, -1], "The pinned token that looks and the one looked at; -1 for none."),
        Trait("sort", "text", "", "The column sorted by, 'pinned', 'given', or '' for layer and head."),
        Trait(
            "given",
            "dict",
            {},
            "An order of heads from elsewhere, for 'given' as sort: its label, the heads, and the column it is by or null; "
            "other heads are faded and last.",
        ),
        Trait("least", "float", 0.0, "Heads with less of the largest number at the pinned tokens than this share are faded."),
        Trait("palette", "text", "blues", "One of the palettes."),
        Trait("palettes", "dict", SEQUENTIAL),
        Trait("theme", "text", "auto", "'light', 'dark', or 'auto' for that of the page."),
        Trait("tones", "dict", TONES),
        Trait("hues", "dict", {"turn": TURN, **SHADES}, "Degrees from a head's hue to the next, and how strong and light."),
        Trait("own", "flag", True, "Whether the colours of every head end at its own largest number."),
    ),
    before=tuple(HERE / f"{name}.js" for name in ("vectors", "attention_numbers", "attention_paint", "attention_controls")),
)


def thumbnails_state(made: Thumbnails, words: Sequence[str], unit: str) -> dict[str, Any]:
    """The traits of what is drawn: 'about' and 'data'.

    Args:
        made: All heads.
        words: The prompt's tokens as text.
        unit: Of the numbers.
    """
    about = {
        "layers": made.layers, "heads": made.heads, "tokens": made.tokens, "pool": made.pool, "unit": unit,
        # Seven digits are what float32 has.
        "scales": [float(f"{scale:.7g}") for scale in made.scales], "words": [visible(word) for word in words],
    }  # fmt: skip
    return {"about": about, "data": made.data}


def exact_state(head: int, values: np.ndarray, corner: Sequence[int] = (0, 0)) -> dict[str, Any]:
    """The traits of the locked head in full precision: the whole of it, of a long prompt the window from a corner.

    Args:
        head: Which head, layer after layer.
        values: Its numbers, query × key.
        corner: The query and key from which on.
    """
    side = min(WINDOW, len(values))
    query, key = (int(min(max(0, at), len(values) - side)) for at in corner)
    part = np.ascontiguousarray(values[query : query + side, key : key + side], dtype="<f4")
    return {
        "exact": part.tobytes(),
        "exact_of": {"head": head, "query": query, "key": key, "rows": side, "columns": side},
    }


def column(name: str, label: str, unit: str, values: np.ndarray) -> dict[str, Any]:
    """What heads can be sorted by, as the script takes it; a number that is missing is null."""
    numbers = [None if number != number else float(f"{number:.7g}") for number in values.ravel().tolist()]
    signed = any(number is not None and number < 0 for number in numbers)
    return {"name": name, "label": label, "unit": unit, "values": numbers, "signed": signed}


def here_columns(parts: Mapping[str, np.ndarray], units: Mapping[str, str]) -> list[dict[str, Any]]:
    """Where heads look on this prompt, as columns."""
    return [column(f"here {name}", f"{name}, on this prompt", units[name], values) for name, values in parts.items()]


def packed(result: Scores) -> Thumbnails:
    """The thumbnails of a result over (layer, head, query, key), none below 0."""
    packing = Packing(*result.values.shape[:3])
    for layer in result.values.values:
        packing.add(layer)
    return packing.done()


def state_of(result: Scores, *by: Scores) -> dict[str, Any]:
    """The traits of a grid of a result of `attention`, sorted by what the scores of others say if wanted.

    Args:
        result: Scores over (layer, head, query, key), none below 0.
        by: Scores over layer and head, as `heads` or `dla` give them.
    Raises:
        BadInput: When the result is none of `attention` of all heads.
    """
    from workbench.detectors.looking import HERE as here_units

    values = result.values
    if values.dims != ("layer", "head", "query", "key"):
        raise BadInput(
            f"the result must be attention over layer, head, query and key; got {', '.join(map(str, values.dims))}. "
            "Ask METHODS['attention'](model, pairs)."
        )
    layers, heads = values.shape[:2]
    columns = here_columns({name: part.values for name, part in result.parts.items()}, here_units)
    if by:
        table = heads_table(*by)
        if len(table) != layers * heads:
            raise BadInput(f"the scores to sort by must be of the same heads; got {len(table)} for {layers * heads}.")
        names = [name for name in table.columns if name not in ("name", "layer", "head")]
        columns += [column(name, name, "", table[name].to_numpy(dtype=float)) for name in names]
    return {**thumbnails_state(packed(result), values["query"].values.tolist(), result.unit), "columns": columns}


def attention_grid(result: Scores, *by: Scores, theme: str = "auto", palette: str = "blues", locked: str = "") -> Any:
    """All heads of a model on one canvas, for a notebook: hover previews, a click locks, Esc unlocks, tokens can be pinned.

    Args:
        result: What `METHODS['attention'](model, pairs)` gives.
        by: Scores over layer and head to sort by: `heads`, `dla`, `patch`, ….
        theme: 'light', 'dark', or 'auto' for that of the notebook.
        palette: A sequential one of the palettes.
        locked: The head that stands large, LAYER.HEAD; empty for none.
    Returns:
        A widget; `widget.head` is the locked head as (layer, head) or None, `widget.pinned` the pinned query and key.
    Raises:
        BadInput: When the result is none of `attention` of all heads, or there is no such head or palette.
    """
    one_of("theme", theme, ("auto", *THEMES))
    one_of("palette", palette, SEQUENTIAL)
    return _grid()(result, state_of(result, *by), theme=theme, palette=palette, locked=_head(result, locked))


def _head(result: Scores, name: str) -> int:
    from workbench.channels.weights import parsed

    if not name:
        return -1
    layers, heads = result.values.shape[:2]
    place = parsed(name)
    if len(place) != 2:
        raise BadInput(f"locked must be a head, LAYER.HEAD; got {name!r}.")
    within("the head's layer", place[0], 0, layers)
    within("the head", place[1], 0, heads)
    return place[0] * heads + place[1]


@cache
def _grid() -> type:
    """The class of the widget in a notebook; needs anywidget."""

    class AttentionGrid(notebook(ATTENTION_GRID)):
        """All heads of a result; sends the locked one in full precision."""

        def __init__(self, result: Scores, state: Mapping[str, Any], **given: Any):
            super().__init__(**state, **given)
            self.result = result
            self.observe(lambda _: self._follow(), ["locked", "window"])
            self._follow()

        @property
        def head(self) -> tuple[int, int] | None:
            """Layer and head of the locked one, or None."""
            heads = self.result.values.shape[1]
            return divmod(self.locked, heads) if 0 <= self.locked < self.result.values.shape[0] * heads else None

        def _follow(self) -> None:
            if self.head is not None:
                with self.hold_sync():
                    for name, value in exact_state(self.locked, self.result.values.values[self.head], self.window).items():
                        setattr(self, name, value)

    return AttentionGrid
