"""The menu of a panel that shows a Result: copy as code, its numbers as a table, files, what it depends on, maximise.

A figure of plotly has one with `Panel`:

    self.map = Panel(self._clicked)                                  # in place of Chart(self._clicked)
    self.card = paper(heading("Map"), self.map.box)
    ...
    self.map.show(drawn(result, self.theme, width), result, self.view.rows)     # `rows` only for a task 'custom'

and anything else (a widget, a table, figures with their choosers) with `Menu` and `menued`:

    self.menu = Menu()
    self.card = paper(menued(self.menu, self.chooser, self.widget))
    ...
    self.menu.show(result, self.view.rows)                           # or None for nothing

The menu stands at the top right of the box, which is what fills the window when it is maximised. PNG and SVG are made in
the browser of what is drawn in the box: plotly figures, else canvases; SVG of those whose script can draw in vectors too,
see `widgets.widget`. Texts are set as text nodes, never as HTML.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import panel as pn
import param

from workbench.errors import BadInput
from workbench.pages.chart import Chart
from workbench.result import Result
from workbench.views.code import code_by, code_of
from workbench.views.files import FILES, Unkept, about, file_of, numbers, stem

BESIDE: dict[str, Any] = {"position": "relative"}
# The margin of a first line beside which the menu stands.
BESIDE_MENU = (0, 70, 0, 0)


class Menu(pn.custom.JSComponent):
    """Two small buttons, maximise and a menu; there as long as something is shown."""

    about = param.Dict(default={}, doc="Title, name of files, code, what is told of the Result, why numbers are missing.")

    _esm = (Path(__file__).parent / "menu.js").read_text(encoding="utf-8")

    def __init__(self):
        super().__init__(visible=False, margin=0, width=64, height=26)
        self._result: Result | Unkept | None = None
        self._told: tuple[Any, str, str] | None = None

    def show(self, result: Result | Unkept | None, rows: str = "", code: str = "") -> None:
        """Take up what the panel shows.

        Args:
            result: The Result, whole or partial; an Unkept where its numbers are not kept, and then there are no files of
                them; None for nothing, and then there is no menu.
            rows: The user's own pairs as text, so that the code of a task 'custom' runs as pasted.
            code: What computes it again, where its origin alone does not say; '' where it does.
        """
        if result is not None and (result, rows, code) != self._told:
            missing = result.missing if isinstance(result, Unkept) else ""
            made = code or (code_by(result.origin, rows) if isinstance(result, Unkept) else code_of(result, rows))
            told = {"title": result.title, "file": stem(result), "code": made, "told": about(result), "missing": missing}
            if told != self.about:
                self.about = told
            self._told = (result, rows, code)
        self._result = result
        self.visible = result is not None

    def _handle_msg(self, data: Any) -> None:
        want = data.get("want") if isinstance(data, dict) else None
        if self._result is None or want not in ("numbers", *FILES):
            return
        if isinstance(self._result, Unkept):
            self._send_msg({"problem": self._result.missing})
            return
        try:
            if want == "numbers":
                self._send_msg(numbers(self._result))
            else:
                name, media, text = file_of(self._result, want)
                self._send_msg({"file": name, "media": media, "text": text})
        except BadInput as problem:
            self._send_msg({"problem": str(problem)})


def menued(menu: Menu, *objects: Any) -> pn.Column:
    """What belongs together, with its menu at the top right."""
    return pn.Column(*objects, menu, sizing_mode="stretch_width", margin=0, styles=BESIDE)


class Panel:
    """A figure of plotly with its menu, in `box`.

    Args:
        click: Called with the figure and the point that was clicked.
    """

    def __init__(self, click: Callable[[Any, dict], None] | None = None):
        self.chart, self.menu = Chart(click), Menu()
        self.box = menued(self.menu, self.chart)

    def show(
        self,
        made: Any | None,
        result: Result | None,
        rows: str = "",
        code: str = "",
        frames: Sequence[dict[str, Any]] = (),
    ) -> None:
        """Show the figure that was made of a result, or nothing; see `Menu.show` and `Chart.show`."""
        self.chart.show(made, frames)
        self.menu.show(result if made is not None else None, rows, code)
