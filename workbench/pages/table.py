"""A small table whose rows are clicked. Cells are set as text nodes, so that nothing in them is ever read as HTML."""

from collections.abc import Callable, Sequence

import panel as pn
import param

from workbench.pages.swatch import Spot


class Table(pn.custom.JSComponent):
    """Rows of text under a head; `clicked` is [row, count of clicks]."""

    head = param.List(default=[])
    rows = param.List(default=[])
    spots = param.List(default=[], doc="By row what is coloured in it: column, the letter before which it is, colour.")
    clicked = param.List(default=[])

    _esm = """
    const style = `
      table { border-collapse: collapse; width: 100%; font-size: 13px; font-variant-numeric: tabular-nums }
      th, td { text-align: left; padding: 4px 12px 4px 4px; vertical-align: top; overflow-wrap: anywhere }
      th { font-weight: 600; overflow-wrap: normal; border-bottom: 1px solid rgba(128,128,128,.5) }
      td { border-bottom: 1px solid rgba(128,128,128,.18) }
      tbody tr { cursor: pointer }
      tbody tr:hover, tbody tr:focus { background: rgba(90,150,220,.16); outline: none }
      .swatch { display: inline-block; width: .7em; height: .7em; border-radius: .2em; margin-right: .4em }`
    export function render({model}) {
      const box = document.createElement("div")
      const sheet = document.createElement("style")
      sheet.textContent = style
      box.style.overflowX = "auto"
      let clicks = 0
      const swatch = (colour) => {
        const made = document.createElement("span")
        made.className = "swatch"
        made.ariaHidden = "true"
        made.style.background = colour
        return made
      }
      const line = (tag, cells, spots) => {
        const row = document.createElement("tr")
        for (const [column, cell] of cells.entries()) {
          const made = document.createElement(tag)
          let before = 0
          for (const [, at, colour] of spots.filter((spot) => spot[0] === column)) {
            made.append(cell.slice(before, at), swatch(colour))
            before = at
          }
          made.append(cell.slice(before))
          // A date, a key or a name is not broken; what is longer is, wherever it must, but not letter by letter.
          if (cell.length <= 18) made.style.whiteSpace = "nowrap"
          else made.style.minWidth = "9em"
          row.append(made)
        }
        return row
      }
      const draw = () => {
        const table = document.createElement("table")
        const head = document.createElement("thead"), body = document.createElement("tbody")
        head.append(line("th", model.head, []))
        model.rows.forEach((cells, index) => {
          const row = line("td", cells, model.spots[index] ?? [])
          const choose = () => { clicks += 1; model.clicked = [index, clicks] }
          row.tabIndex = 0
          row.addEventListener("click", choose)
          row.addEventListener("keydown", (event) => { if (event.key === "Enter") choose() })
          body.append(row)
        })
        table.append(head, body)
        box.replaceChildren(sheet, table)
      }
      model.on(["rows", "spots"], draw)
      draw()
      return box
    }
    """

    def __init__(self, click: Callable[[int], None]):
        super().__init__(sizing_mode="stretch_width", margin=(4, 0))
        self._click = click
        self.param.watch(self._was_clicked, "clicked")

    def show(
        self, head: Sequence[str], rows: Sequence[Sequence[object]], column: int = 0, spots: Sequence[Sequence[Spot]] = ()
    ) -> None:
        """Show rows under a head.

        Args:
            head: What stands above the columns.
            rows: The cells of each row.
            column: The column whose cells name heads.
            spots: The swatches in the cell of that column, by row; none where it is empty.
        """
        shown = [[str(cell) for cell in row] for row in rows]
        self.param.update(head=list(head), rows=shown, spots=[[[column, *spot] for spot in row] for row in spots])

    def _was_clicked(self, event: param.parameterized.Event) -> None:
        if event.new and isinstance(event.new[0], int) and 0 <= event.new[0] < len(self.rows):
            self._click(event.new[0])
