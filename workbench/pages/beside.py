"""A form with what follows of it beside it, or below it where the window is narrow."""

from typing import Any

import panel_material_ui as pmui

from workbench.pages.pair import framed

FORM = 300
_GAP = 24


class Beside:
    """A column of widgets and a column of what follows, in `box`.

    Args:
        form: What stands in the first.
        shown: What stands in the second.
    """

    def __init__(self, form: list[Any], shown: list[Any]):
        self._form = pmui.Column(*form, sizing_mode="stretch_width", margin=(0, 12, 0, 0))
        self.box = framed(self._form, pmui.Column(*shown, sizing_mode="stretch_width", margin=0))

    def fit(self, width: int | float, halved: bool) -> int | float:
        """Lay them out for a card of this width; gives the width that is left for figures."""
        self.box.flex_direction = "row" if halved else "column"
        # Said anew and not taken away: a browser keeps what it was told before, and above the other it is a height.
        self._form.styles = {"flex": f"0 0 {FORM}px" if halved else "0 0 auto"}
        return width - FORM - _GAP if halved else width
