"""Charts of one group show the same cell: what is pointed at in one is previewed in all, what is chosen is framed in all.

This is the part of a chart's JavaScript that does it. Figures say by `layout.meta` what their cells are: `rows` and `columns`
name the dims along y and x, or `paths` and `points` those of a trace and of a point on it. Pointing stays in the browser.
"""

LINKED = """
const cells = (window.workbenchCells ??= new EventTarget())

const cellOf = (meta, point) => {
  const cell = {}
  if (meta.paths) return {[meta.paths]: point.curveNumber, [meta.points]: point.pointNumber}
  if (meta.rows) cell[meta.rows] = point.y
  if (meta.columns) cell[meta.columns] = point.x
  return cell
}

// What of a figure is at a cell, as its hover takes it.
const pointsAt = (box, cell) => {
  const meta = box.layout?.meta ?? {}, traces = box._fullData ?? []
  if (meta.paths) {
    const curveNumber = cell[meta.paths], pointNumber = cell[meta.points]
    return box.calcdata?.[curveNumber]?.[pointNumber] === undefined ? [] : [{curveNumber, pointNumber}]
  }
  const row = cell[meta.rows], column = cell[meta.columns]
  if (row === undefined || row === null) return []
  const found = []
  traces.forEach((trace, curveNumber) => {
    if (trace.hoverinfo === "skip" || trace.visible !== true) return
    if (trace.type === "bar" && !meta.columns && row < trace._length) found.push({curveNumber, pointNumber: row})
    const inside = column !== undefined && column !== null && row < trace.z?.length && column < trace.z?.[0]?.length
    if (trace.type === "heatmap" && inside) found.push({curveNumber, pointNumber: [row, column]})
  })
  return found
}

const framesAt = (box, cell) => {
  const meta = box.layout?.meta ?? {}, line = {color: box._fullLayout.font.color, width: 2}
  if (meta.paths) {
    return pointsAt(box, cell).map(({curveNumber, pointNumber}) => {
      const {x, y} = box.calcdata[curveNumber][pointNumber]
      const round = {type: "circle", xsizemode: "pixel", ysizemode: "pixel", x0: -8, x1: 8, y0: -8, y1: 8}
      return {...round, xanchor: x, yanchor: y, line}
    })
  }
  const row = cell[meta.rows], column = cell[meta.columns]
  if (row === undefined || row === null) return []
  const on = new Set(box._fullData.filter((trace) => ["heatmap", "bar"].includes(trace.type)).map((trace) =>
    `${trace.xaxis} ${trace.yaxis}`))
  const whole = column === undefined || column === null
  return [...on].map((axes) => {
    const [x, y] = axes.split(" ")
    const across = whole ? {x0: 0, x1: 1, xref: x + " domain"} : {x0: column - 0.5, x1: column + 0.5, xref: x}
    return {type: "rect", ...across, y0: row - 0.5, y1: row + 0.5, yref: y, line}
  })
}

const linked = (model, box) => {
  let shapes = []
  const alive = () => model.figure && box.data
  const hear = (event) => {
    const other = !model.group || event.detail.group !== model.group || event.detail.box === box
    if (other || !alive() || !box.getClientRects().length) return
    const points = event.detail.cell ? pointsAt(box, event.detail.cell) : []
    const on = points.map(({curveNumber}) => box._fullData[curveNumber]).map((trace) => trace.xaxis + trace.yaxis)
    if (points.length) Plotly.Fx.hover(box, points, on)
    else Plotly.Fx.unhover(box)
  }
  cells.addEventListener("point", hear)
  const tell = (cell) => cells.dispatchEvent(new CustomEvent("point", {detail: {group: model.group, box, cell}}))
  const frame = () => {
    if (!alive()) return
    const line = {color: box._fullLayout.font.color, width: 2}
    const own = model.frames.map((shape) => ({...shape, line}))
    Plotly.relayout(box, {shapes: [...shapes, ...own, ...framesAt(box, model.cell ?? {})]})
  }
  const point = (at) => { if (model.group) tell(at ? cellOf(box.layout.meta ?? {}, at) : null) }
  return {
    frame,
    point,
    // After every drawing: its own shapes are below the frames.
    drawn: (layout) => {
      shapes = layout.shapes ?? []
      if (model.frames.length || Object.keys(model.cell ?? {}).length) frame()
    },
    listen: () => {
      box.on("plotly_hover", (event) => point(event.points[0]))
      box.on("plotly_unhover", () => point(null))
    },
    end: () => cells.removeEventListener("point", hear),
  }
}
"""
