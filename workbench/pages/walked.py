"""A chart walked by keys: arrows go from cell to cell or along a line, Enter chooses like a click, Esc lets go.

This is the part of a chart's JavaScript that does it. Where the walk is shows as the hover of that point. While a cell is
chosen for all charts of a group the page moves it, see `workbench.pages.keys`, and arrows are left to it.
"""

WALKED = """
const walked = (model, box, link, choose) => {
  let at = null
  const said = Object.assign(document.createElement("div"), {className: "said", ariaLive: "polite"})

  // Traces that can be walked, with the rows and columns of each; a line has one row.
  const lanes = () => (box._fullData ?? []).flatMap((trace, curve) => {
    if (trace.hoverinfo === "skip" || trace.visible !== true) return []
    const grid = trace.type === "heatmap"
    const rows = grid ? trace.z?.length : 1, columns = grid ? trace.z?.[0]?.length : trace._length
    return rows && columns ? [{trace, curve, grid, rows, columns}] : []
  })
  const stand = (lane, row, column) => {
    const inside = (index, size) => Math.min(Math.max(index, 0), size - 1)
    at = {curve: lane.curve, row: inside(row, lane.rows), column: inside(column, lane.columns)}
    const point = {curveNumber: at.curve, pointNumber: lane.grid ? [at.row, at.column] : at.column}
    Plotly.Fx.hover(box, [point], [lane.trace.xaxis + lane.trace.yaxis])
    link.point(box._hoverdata?.[0])
    said.textContent = [...box.querySelectorAll(".hoverlayer text")].map((one) => one.textContent).join(" ")
  }
  const release = () => {
    at = null
    Plotly.Fx.unhover(box)
    link.point(null)
  }
  const step = (up, right) => {
    const all = lanes()
    if (!all.length) return
    let index = all.findIndex(({curve}) => curve === at?.curve)
    if (index < 0) return stand(all[0], 0, 0)
    const here = all[index], column = at.column + right
    // Rows are drawn upwards unless their axis is turned; lines lie one after the other.
    const axis = box._fullLayout["yaxis" + here.trace.yaxis.slice(1)]
    const turned = axis.range[0] > axis.range[1] ? -1 : 1
    const beside = (by) => all[index + by]?.grid === here.grid ? all[index + by] : null
    if (!here.grid && up) return stand(beside(-up) ?? here, 0, at.column)
    if (column < 0 && here.grid && beside(-1)) return stand(beside(-1), at.row, Infinity)
    if (column >= here.columns && here.grid && beside(1)) return stand(beside(1), at.row, 0)
    stand(here, at.row + up * turned, column)
  }
  const steps = {ArrowUp: [1, 0], ArrowDown: [-1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1]}
  const hear = (event) => {
    const modified = event.ctrlKey || event.altKey || event.metaKey || event.shiftKey
    if (modified || !box.data || Object.keys(model.cell ?? {}).length) return
    const chosen = event.key === "Enter" && at && box._hoverdata?.[0]
    if (event.key in steps) step(...steps[event.key])
    else if (chosen) choose(chosen)
    else if (event.key === "Escape" && at) release()
    else return
    event.preventDefault()
  }
  box.addEventListener("keydown", hear)
  box.addEventListener("blur", () => { if (at) release() })
  return {
    // After every drawing.
    drawn: (layout) => {
      // A square is for eyes alone: it has the colour of the head that is named after it.
      const title = (layout.title?.text ?? "").replace(/■/g, "").replace(/<[^>]*>/g, " ").replace(/\\s+/g, " ").trim()
      box.tabIndex = 0
      box.role = "application"
      box.ariaLabel = `${title || "Chart"}: arrows go from point to point, Enter chooses`
      if (!said.isConnected) box.after(said)
    },
    end: () => { box.removeAttribute("tabindex"); said.remove() },
  }
}
"""
