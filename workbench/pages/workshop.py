"""The exercises of a workshop beside a page, in a drawer that closes."""

from collections.abc import Mapping
from typing import Any

import panel as pn
import panel_material_ui as pmui
from panel.io.callbacks import PeriodicCallback

from workbench.pages import workshop_words as words
from workbench.views.classroom import LONGEST_NAME, Classroom, classroom
from workbench.views.workshop import Workshop
from workbench.views.workshop_plan import HINTS

WIDE: dict[str, Any] = {"sizing_mode": "stretch_width"}
WIDTH = 310
LOOK = 2000


class Learner(pn.custom.JSComponent):
    """Tells whose browser this is: a number it drew itself and keeps."""

    _esm = """
    const NAME = "circuit-workbench-learner"
    const two = (one) => one.toString(16).padStart(2, "0")
    const drawn = () => Array.from(crypto.getRandomValues(new Uint8Array(8)), two).join("")
    export function render({model}) {
      let id = ""
      try {
        id = localStorage.getItem(NAME) ?? ""
        if (!/^[0-9a-f]{16,32}$/.test(id)) { id = drawn(); localStorage.setItem(NAME, id) }
      } catch { id = drawn() }
      model.send_msg(id)
      return document.createElement("span")
    }
    """

    def __init__(self, meet: Any):
        super().__init__(margin=0, height=0)
        self._meet = meet

    def _handle_msg(self, data: Any) -> None:
        # What is changed on a page before it has loaded never reaches the browser.
        if isinstance(data, str):
            pn.state.onload(lambda: self._meet(data))


class Drawer:
    """The exercises of a Workshop in `column`."""

    def __init__(self, workshop: Workshop):
        self._workshop = workshop
        self._setting = False
        self.progress, self.task, self.hints, self.verdict = (_line() for _ in range(4))
        self.hint = self._button("Hint", workshop.hint)
        self.typed = pmui.TextInput(label="Your answer", size="small", margin=(4, 0), max_length=100, **WIDE)
        self.check = pmui.Button(label="Check", color="primary", variant="contained", size="small", margin=(6, 0), **WIDE)
        self.back = self._button("Previous", lambda: workshop.go(workshop.at - 1))
        self.on = self._button("Next", lambda: workshop.go(workshop.at + 1))
        self.name = pmui.TextInput(
            label="Your name, if you like", size="small", margin=(16, 0, 4, 0), max_length=LONGEST_NAME, **WIDE
        )
        seen = _line('<span style="font-size:11px;opacity:.7">The teacher sees it, and which exercises you solved.</span>')
        moves = pmui.Row(self.back, self.on, margin=(6, 0), sx={"gap": "6px"}, **WIDE)
        # What a button changes stands below it: else it would move away from under the pointer.
        self.column = pmui.Column(
            Learner(workshop.meet), self.progress, moves, self.task, self.hint, self.hints, self.typed, self.check,
            self.verdict, self.name, seen, margin=(10, 14), **WIDE,
        )  # fmt: skip
        self.check.on_click(lambda event: workshop.check(self.typed.value_input or self.typed.value or ""))
        self.name.param.watch(lambda event: None if self._setting else workshop.call(event.new or ""), "value")
        workshop.param.watch(lambda *_: self.show(), ["at", "hints", "solved", "passed", "says", "known", "name_typed"])
        workshop.param.watch(lambda *_: self.typed.param.update(value="", value_input=""), "at")
        self.show()

    def _button(self, label: str, do: Any) -> pmui.Button:
        made = pmui.Button(label=label, variant="outlined", size="small", margin=0, **WIDE)
        made.on_click(lambda event: do())
        return made

    @property
    def opens(self) -> Mapping[str, str]:
        """What the page begins with, where its address says nothing."""
        return self._workshop.exercise.opens if self._workshop.here else {}

    def show(self) -> None:
        """Show the exercise that is open."""
        shop = self._workshop
        self.progress.object, self.task.object, self.hints.object = words.progress(shop), words.task(shop), words.hints(shop)
        self.hints.visible = shop.hints > 0
        self.hint.label = f"Hint {min(shop.hints + 1, HINTS)} of {HINTS}"
        self.hint.visible = shop.hints < HINTS
        self.typed.visible = shop.here and bool(shop.question)
        self.typed.label = shop.question or "Your answer"
        self.check.visible = shop.here
        self.back.disabled, self.on.disabled = shop.at == 0, shop.at == shop.count - 1
        self.verdict.object, self.verdict.visible = words.verdict(shop), shop.passed is not None
        self._setting = True
        self.name.value = shop.name_typed
        self._setting = False


def accompany(made: Any, room: Classroom | None = None) -> Drawer | None:
    """Put the exercises of this server's workshop beside a page; None where there are none.

    Args:
        made: The page, with `view`, `page` and what its URL says.
        room: The classroom; that of the server where None.
    """
    room = room or classroom()
    if room is None or getattr(made, "page", None) is None:
        return None
    name = type(made).__module__.rpartition(".")[2]
    workshop = Workshop(room, name, made.view, made._written)
    drawer = Drawer(workshop)
    made.page.param.update(
        contextbar=[drawer.column], contextbar_open=True, contextbar_variant="persistent", contextbar_width=WIDTH
    )
    if pn.state.curdoc is not None and pn.state.curdoc.session_context is not None:
        ticker = PeriodicCallback(callback=workshop.look, period=LOOK, background=True)
        pn.state.onload(ticker.start)
    return drawer


def _line(text: str = "") -> pn.pane.HTML:
    return pn.pane.HTML(text, margin=(2, 0), sizing_mode="stretch_width")
