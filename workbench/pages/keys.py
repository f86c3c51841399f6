"""Keys that move the chosen cell of a page, or let it go; typing in a field and open menus keep theirs."""

from collections.abc import Callable
from typing import Any

import panel as pn
import param

ARROWS = {"ArrowUp": (1, 0), "ArrowDown": (-1, 0), "ArrowLeft": (0, -1), "ArrowRight": (0, 1)}


class Keys(pn.custom.JSComponent):
    """An empty line that hears arrow keys and Esc while `active`.

    Keys come as messages: of a parameter that is set twice within a moment only the last value arrives.

    Args:
        move: Called with steps up and to the right.
        release: Called on Esc.
    """

    active = param.Boolean(default=False)

    _esm = """
    const other = "input:not([type=radio]):not([type=checkbox]), textarea, select, [contenteditable=true], [role=listbox]," +
      " [role=combobox], [role=menu], [role=dialog], [role=slider], [role=radiogroup], [role=tablist], tr"
    export function render({model}) {
      const hear = (event) => {
        const keys = ["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "Escape"]
        const modified = event.ctrlKey || event.altKey || event.metaKey || event.shiftKey
        if (!model.active || modified || event.defaultPrevented || !keys.includes(event.key)) return
        if (event.composedPath().some((one) => one.matches?.(other))) return
        event.preventDefault()
        model.send_msg(event.key)
      }
      document.addEventListener("keydown", hear)
      model.on("remove", () => document.removeEventListener("keydown", hear))
      return document.createElement("div")
    }
    """

    def __init__(self, move: Callable[[int, int], None], release: Callable[[], None]):
        super().__init__(height=1, sizing_mode="stretch_width", margin=0)
        self._move, self._release = move, release

    def _handle_msg(self, data: Any) -> None:
        if data == "Escape":
            self._release()
        elif isinstance(data, str) and data in ARROWS:
            self._move(*ARROWS[data])
