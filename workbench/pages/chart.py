"""A plotly figure on a page, drawn exactly as it was made.

Not Panel's own pane: on a Material page that pane's title, margins, fonts and colour scale are overwritten in the
browser whenever the page's theme is applied, and the caption falls off. The copy of plotly.js is still Panel's.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import panel as pn
import param

from workbench.pages.linked import LINKED
from workbench.pages.walked import WALKED

_STYLE = """
.plotly, .plotly div { direction: ltr; margin: 0; padding: 0; }
.svg-container { position: relative; }
.plotly svg { overflow: hidden; }
.plotly .main-svg { position: absolute; top: 0; left: 0; pointer-events: none; }
.plotly .main-svg .draglayer { pointer-events: all; }
.plotly .cursor-crosshair, .plotly .nsewdrag { cursor: default; }
.js-plotly-plot:focus-visible { outline: 2px solid #4c8dff; outline-offset: 2px; }
.said { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
:host(.clicks) .plotly .nsewdrag { cursor: pointer; }
"""


class Finished:
    """A figure of plotly that nobody changes any more: written as JSON once, however often it is shown."""

    def __init__(self, figure: Any):
        self.figure, self.text = figure, figure.to_json()


class Chart(pn.custom.JSComponent):
    """Shows `figure` at its own size; `clicked` is the last point clicked: curveNumber, x, y, and a count of clicks."""

    figure = param.String(default="", doc="The figure as JSON, '' for none.")
    clicked = param.Dict(default={})
    group = param.String(default="", doc="Charts of one group show the same cell; '' for none.")
    cell = param.Dict(default={}, doc="The cell that is framed in all charts of the group, by dim.")
    frames = param.List(default=[], doc="What is framed in this chart alone, as shapes of plotly without a line.")

    _stylesheets: ClassVar[list[str]] = [_STYLE]

    _esm = (
        LINKED
        + WALKED
        + """
    const config = {
      displaylogo: false, responsive: false, doubleClick: false, displayModeBar: false,
    }
    export function render({model, el}) {
      const box = document.createElement("div")
      const link = linked(model, box)
      let clicks = 0, scale = 1
      const choose = (point) => {
        clicks += 1
        model.clicked = {curveNumber: point.curveNumber, x: point.x, y: point.y, clicks}
      }
      const walk = walked(model, box, link, choose)
      const grow = () => {
        const more = (side) => (scale > 1 ? `${(scale - 1) * parseFloat(box.style[side] || 0)}px` : "")
        Object.assign(box.style, {
          transform: scale > 1 ? `scale(${scale})` : "", transformOrigin: "0 0",
          marginBottom: more("height"), marginRight: more("width"),
        })
      }
      const draw = async () => {
        if (!model.figure) {
          Plotly.purge(box)
          box.replaceChildren()
          walk.end()
          box.listens = false
          return
        }
        const made = JSON.parse(model.figure)
        box.style.width = made.layout.width + "px"
        box.style.height = made.layout.height + "px"
        grow()
        await Plotly.react(box, made.data, made.layout, config)
        link.drawn(made.layout)
        walk.drawn(made.layout)
        if (box.on && box.data && !box.listens) {
          box.listens = true
          link.listen()
          box.on("plotly_click", (event) => choose(event.points[0]))
        }
      }
      // The menu asks for another scale while its panel fills the window.
      box.addEventListener("scaled", (event) => { scale = event.detail; grow() })
      model.on("figure", draw)
      model.on("cell", link.frame)
      model.on("frames", link.frame)
      model.on("after_render", draw)
      model.on("remove", () => { link.end(); Plotly.purge(box) })
      return box
    }
    """
    )

    def __init__(self, click: Callable[[Any, dict], None] | None = None, **settings: Any):
        # Without a width and height of its own: what holds it takes them for the least it may have, and never shrinks again.
        super().__init__(visible=False, margin=0, sizing_mode="stretch_width", css_classes=["clicks"] * bool(click), **settings)
        self._click, self._made = click, None
        self.param.watch(self._was_clicked, "clicked")

    def show(self, made: Any | None, frames: Sequence[dict[str, Any]] = ()) -> None:
        """Show a figure of plotly, Finished or not, or nothing, with frames around what is chosen in it."""
        if made is None:
            self._made = None
            self.param.update(figure="", visible=False)
            return
        self._made, text = (made.figure, made.text) if isinstance(made, Finished) else (made, made.to_json())
        self.param.update(figure=text, frames=list(frames), visible=True)

    def _was_clicked(self, event: Any) -> None:
        if self._click is not None and self._made is not None and event.new:
            self._click(self._made, event.new)
