"""How wide the main area is: figures are drawn to the pixel, and so are drawn again when the window changes."""

import panel as pn
import param


class Ruler(pn.custom.JSComponent):
    """An empty line that reports its width, and is scrolled to when `calls` changes."""

    pixels = param.Integer(default=0)
    calls = param.Integer(default=0)

    _esm = """
    export function render({model, el}) {
      const line = document.createElement("div")
      line.style.width = "100%"
      line.style.height = "0px"
      let timer = null
      const report = () => {
        timer = null
        const now = Math.round(line.getBoundingClientRect().width)
        if (now > 0 && Math.abs(now - model.pixels) > 4) model.pixels = now
      }
      const observer = new ResizeObserver(() => { if (timer === null) timer = setTimeout(report, 120) })
      observer.observe(line)
      model.on("calls", () => line.scrollIntoView({behavior: "smooth", block: "start"}))
      model.on("remove", () => observer.disconnect())
      return line
    }
    """
