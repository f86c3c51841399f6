"""What stands in every page's header: links to the other pages, the palettes, and the help sheet."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import panel as pn
import param

from workbench.errors import BadInput
from workbench.pages import palettes
from workbench.plots.theme import PALETTES

KEYS = (
    ("Tab, Shift+Tab", "to the next or the previous control; Enter or Space presses it"),
    ("?", "this sheet"),
    ("Esc", "closes what is on top: a menu, a dialog, a panel that fills the window, the open head"),
    ("↑ ↓ Home End", "from row to row of a table, from item to item of a menu; Enter opens"),
    ("← → ↑ ↓ in a figure", "from point to point, its numbers shown; Enter chooses like a click, Esc lets go"),
    ("← →", "one step on a slider"),
)
PANELS = (
    ("⤢", "a panel fills the window; Esc makes it small again"),
    ("⋯", "its menu: copy as code, its numbers as a table, PNG, SVG, CSV, JSON, HTML, and all that it depends on"),
    ("grey, crossed cells", "were not computed; the line under the figure says why"),
    ("the line under a figure", "the sign convention, then method, parameters, model, task, device and the result's key"),
    ("the address of the page", "holds its whole state: copy it to come back to just this, or to send it"),
)
TITLES = {"palette": "Signed numbers, 0 in the middle", "shades": "From 0 up"}


class Header(pn.custom.JSComponent):
    """Links, palettes and help.

    Args:
        recolour: Called when another palette was chosen.
        help: What this page's panels mean, as names and sentences.
    """

    links = param.List(default=[], doc="As `views.links.links` has them.")
    palettes = param.List(default=[])
    chosen = param.Dict(default={})
    help = param.List(default=[])

    _esm = (Path(__file__).parent / "header.js").read_text(encoding="utf-8")

    def __init__(self, recolour: Callable[[], None], help: Sequence[tuple[str, str]] = ()):
        super().__init__(
            sizing_mode="stretch_width", margin=0, palettes=_offered(),
            help=[["On this page", [*map(list, help)]]] * bool(help)
            + [["On every page", [*map(list, PANELS)]], ["Keys", [*map(list, KEYS)]]],
        )  # fmt: skip
        self._recolour = recolour
        self.tell()

    def tell(self) -> None:
        """Show which palettes are chosen."""
        usual = {name: palettes.fitting(kind)[0] for name, kind in palettes.KINDS.items()}
        self.chosen = usual | palettes.chosen()

    def take(self, query: Mapping[str, str]) -> None:
        """Take up the palettes of an address.

        Raises:
            BadInput: When one is none of those offered.
        """
        for name in palettes.KINDS:
            if name in query:
                palettes.choose(name, query[name])
        self.tell()

    def _handle_msg(self, data: Any) -> None:
        asked = data.get("palette") if isinstance(data, dict) else None
        if not isinstance(asked, list) or len(asked) != 2 or not all(isinstance(one, str) for one in asked):
            return
        try:
            palettes.choose(*asked)
        except BadInput:
            return
        self.tell()
        self._recolour()


def _offered() -> list[dict[str, Any]]:
    return [
        {
            "key": key, "title": TITLES[key],
            "names": [
                {"name": name, "light": list(PALETTES[name].light), "dark": list(PALETTES[name].dark)}
                for name in palettes.fitting(kind)
            ],
        }
        for key, kind in palettes.KINDS.items()
    ]  # fmt: skip
