// A circuit as layers of boxes joined by lines, on canvas. Positions and colours are computed in Python; here it is drawn,
// pointed at and walked through. Edges and scores are sent once: another size is another `shown`.

const LEFT = 66, RIGHT = 14, TOP = 14, BOTTOM = 14
const BOX_WIDE = 34, BOX_HIGH = 24, LEAST_BOX = 5
const THIN = 0.7, WIDE = 6, LEVELS = 6
const LARGEST = 3
const NEAR = 9, DRAGGED = 4
const KEPT = 1, REFERENCE = 2
const SLOTS = [0, -0.3, 0, 0.3], SLOT_NAMES = ["", "<q>", "<k>", "<v>"]
const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, sans-serif'
const DASHES = { both: [], here: [9, 4], there: [2, 4], replaced: [5, 3] }
const HUES = "A box's left edge: the head's own colour, the same on every page."
const HELP = "Drag moves, the wheel zooms after a click, a double click resets, Shift holds the label."

const STYLE = `
.circuit-graph { position: relative; font: 12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif }
.circuit-graph .sheets { position: relative; overflow: hidden }
.circuit-graph canvas { position: absolute; left: 0; top: 0; display: block }
.circuit-graph canvas.base { outline: none; touch-action: none; cursor: grab; border-radius: 4px }
.circuit-graph canvas.base:focus-visible { box-shadow: inset 0 0 0 2px var(--ring) }
.circuit-graph canvas.over { pointer-events: none }
.circuit-graph .tip { position: absolute; pointer-events: none; display: none; max-width: 320px; padding: 3px 8px;
  border-radius: 4px; border: 1px solid var(--quiet); background: var(--paper); color: var(--ink); white-space: pre-line;
  line-height: 1.35; z-index: 2; font-variant-numeric: tabular-nums }
.circuit-graph .legend { display: flex; flex-wrap: wrap; gap: 2px 16px; padding: 4px 2px; color: var(--quiet); line-height: 1.5 }
.circuit-graph .legend svg { vertical-align: middle; margin-right: 5px }
.circuit-graph .heard { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) }
`

const floats = (data) => new Float32Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength))
const whole = (data) => new Int32Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength))
const small = (data) => new Uint8Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength))

function made(tag, name, parent) {
  const element = document.createElement(tag)
  element.className = name
  parent.append(element)
  return element
}

const channels = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16))

function mixed(scale, share) {
  const place = Math.max(0, Math.min(1, share)) * (scale.length - 1)
  const low = Math.min(scale.length - 2, Math.floor(place))
  const [one, other] = [channels(scale[low]), channels(scale[low + 1])]
  return one.map((value, index) => Math.round(value + (other[index] - value) * (place - low)))
}

const dark = ([r, g, b]) => 0.299 * r + 0.587 * g + 0.114 * b < 140

function number(value) {
  if (Number.isNaN(value)) return "not scored"
  return value === 0 ? "0" : String(Number(value.toPrecision(4)))
}

function render({ model, el }) {
  const box = made("div", "circuit-graph", el)
  made("style", "", box).textContent = STYLE
  const sheets = made("div", "sheets", box)
  const base = made("canvas", "base", sheets), over = made("canvas", "over", sheets)
  const tip = made("div", "tip", sheets), legend = made("div", "legend", box), heard = made("div", "heard", box)
  base.tabIndex = 0
  base.setAttribute("role", "application")
  heard.setAttribute("aria-live", "polite")

  let things, names, labels, hues, nodeScores, ends, slots, scores, shown, places, colours
  let ranks, level, strongest, width, height, view = { k: 1, x: 0, y: 0 }
  let x, y, wide, high, visible, of, walked = null, hovered = null, frozen = false, selected = null
  let drawn = 0
  // Pixels that there are in a panel that fills the window, and how many of them are one of those that things stand in.
  let room = null, scale = 1

  // ---- what is drawn ----

  function network() {
    names = model.get("nodes")
    labels = model.get("labels")
    hues = model.get("hues")
    nodeScores = floats(model.get("node_scores"))
    ends = whole(model.get("ends"))
    slots = small(model.get("slots"))
    scores = floats(model.get("scores"))
    const sizes = scores.map((score) => (Number.isNaN(score) ? 0 : Math.abs(score)))
    const most = sizes.reduce((one, other) => Math.max(one, other), 0)
    level = sizes.map((size) => (most ? Math.min(LEVELS - 1, Math.floor(Math.sqrt(size / most) * LEVELS)) : 0))
    const order = [...sizes.keys()].sort((one, other) => sizes[other] - sizes[one])
    ranks = new Int32Array(order.length)
    order.forEach((edge, rank) => { ranks[edge] = rank + 1 })
    strongest = nodeScores.reduce((one, other) => (Number.isNaN(other) ? one : Math.max(one, Math.abs(other))), 0)
    hovered = walked = null
    things = new Map(names.map((name, node) => [name, ["node", node]]))
    for (let edge = 0; edge < scores.length; edge++) things.set(keyOf(["edge", edge]), ["edge", edge])
  }

  function size() {
    shown = small(model.get("shown"))
    places = floats(model.get("places"))
    visible = []
    of = new Map()
    for (let edge = 0; edge < shown.length; edge++) {
      if (!shown[edge]) continue
      visible.push(edge)
      for (const node of [ends[2 * edge], ends[2 * edge + 1]]) {
        if (!of.has(node)) of.set(node, [])
        of.get(node).push(edge)
      }
    }
  }

  const there = (node) => !Number.isNaN(places[2 * node])
  const nameOf = (edge) => `${names[ends[2 * edge]]} → ${names[ends[2 * edge + 1]]}${SLOT_NAMES[slots[edge]]}`
  const keyOf = ([kind, index]) => (kind === "node" ? names[index] : nameOf(index).replace(" → ", "->"))
  const classOf = (bits) => (bits === KEPT + REFERENCE ? "both" : bits & KEPT ? "here" : "there")

  function layOut() {
    const across = [], rows = model.get("rows").length
    for (let node = 0; node < names.length; node++) if (there(node)) across.push(places[2 * node])
    const low = Math.min(...across, -1) - 0.7, wideness = Math.max(...across, 1) + 0.7 - low
    const column = (width - LEFT - RIGHT) / wideness, row = Math.min(64, (height - TOP - BOTTOM) / Math.max(1, rows))
    const first = height - (height - row * rows) / 2
    wide = Math.max(LEAST_BOX, Math.min(BOX_WIDE, 0.86 * column)) * view.k
    high = Math.max(LEAST_BOX, Math.min(BOX_HIGH, 0.7 * row)) * view.k
    x = new Float32Array(names.length)
    y = new Float32Array(names.length)
    for (let node = 0; node < names.length; node++) {
      x[node] = (LEFT + (places[2 * node] - low) * column) * view.k + view.x
      y[node] = (first - (places[2 * node + 1] + 0.5) * row) * view.k + view.y
    }
    return (place) => (first - (place + 0.5) * row) * view.k + view.y
  }

  const leaves = (edge) => [x[ends[2 * edge]], y[ends[2 * edge]] - high / 2]
  const enters = (edge) => [x[ends[2 * edge + 1]] + SLOTS[slots[edge]] * wide, y[ends[2 * edge + 1]] + high / 2]

  function sheet(canvas) {
    const dots = (window.devicePixelRatio || 1) * scale
    if (canvas.width !== Math.round(width * dots) || canvas.height !== Math.round(height * dots)) {
      canvas.width = Math.round(width * dots)
      canvas.height = Math.round(height * dots)
      canvas.style.width = `${width * scale}px`
      canvas.style.height = `${height * scale}px`
    }
    const pen = canvas.getContext("2d")
    pen.setTransform(dots, 0, 0, dots, 0, 0)
    pen.clearRect(0, 0, width, height)
    return pen
  }

  function line(pen, edge) {
    const [x0, y0] = leaves(edge), [x1, y1] = enters(edge)
    pen.moveTo(x0, y0)
    pen.lineTo(x1, y1)
  }

  const thickness = (step) => THIN + ((WIDE - THIN) * (step + 0.5)) / LEVELS
  const colourOf = (edge) => (scores[edge] < 0 ? colours.low : Number.isNaN(scores[edge]) ? colours.quiet : colours.high)

  // Where there is more room all is larger, as far as both sides allow, and the rest of it keeps things apart.
  function measure() {
    const across = model.get("across"), down = model.get("down")
    scale = room ? Math.max(1, Math.min(LARGEST, room.width / across, room.height / down)) : 1
    width = Math.max(across, (room?.width ?? 0) / scale)
    height = Math.max(down, (room?.height ?? 0) / scale)
  }

  function draw() {
    const began = performance.now()
    measure()
    colours = model.get("colours")
    for (const name of ["paper", "ink", "quiet", "ring"]) box.style.setProperty(`--${name}`, colours[name])
    sheets.style.width = `${width * scale}px`
    sheets.style.height = `${height * scale}px`
    picture(sheet(base))
    tell(model.get("comparing"))
    point()
    drawn += 1
    Object.assign(base.dataset, { drawn, took: (performance.now() - began).toFixed(1), edges: visible.length })
  }

  // With a canvas's pen, or with one for SVG, which also takes what things are called.
  function picture(pen) {
    const rowAt = layOut(), replaced = model.get("replaced"), comparing = model.get("comparing")
    drawRows(pen, rowAt)
    pen.save()
    pen.beginPath()
    pen.rect(LEFT - 8, 0, width - LEFT + 8, height)
    pen.clip()
    drawEdges(pen, replaced, comparing)
    drawNodes(pen, replaced, comparing)
    pen.restore()
  }

  function vectors(drawing) {
    const pen = new Vectors(width * scale, height * scale, scale)
    drawing(pen)
    return pen.root
  }

  function drawRows(pen, rowAt) {
    pen.font = `11px ${FONT}`
    pen.textAlign = "right"
    pen.textBaseline = "middle"
    let free = Infinity
    model.get("rows").forEach((said, row) => {
      const up = rowAt(row)
      if (up < -20 || up > height + 20) return
      pen.strokeStyle = colours.grid
      pen.lineWidth = 1
      pen.beginPath()
      pen.moveTo(LEFT - 8, up)
      pen.lineTo(width - RIGHT, up)
      pen.stroke()
      if (free - up < 12) return
      pen.fillStyle = colours.quiet
      pen.fillText(said, LEFT - 12, up)
      free = up
    })
  }

  function drawEdges(pen, replaced, comparing) {
    // Lines of one look are one path: thousands of edges are some dozens of strokes.
    const looks = new Map()
    for (const edge of visible) {
      if (keyOf(["edge", edge]) in replaced) continue
      const kind = comparing ? classOf(shown[edge]) : "both"
      const look = `${kind === "there" ? 0 : 1}${level[edge]}${kind}${colourOf(edge)}`
      if (!looks.has(look)) looks.set(look, { kind, step: level[edge], colour: colourOf(edge), edges: [] })
      looks.get(look).edges.push(edge)
    }
    for (const name of [...looks.keys()].sort()) {
      const look = looks.get(name)
      pen.strokeStyle = look.kind === "there" ? colours.quiet : look.colour
      pen.globalAlpha = look.kind === "there" ? 0.8 : 0.35 + (0.6 * (look.step + 1)) / LEVELS
      pen.lineWidth = look.kind === "there" ? 1.4 : thickness(look.step)
      pen.setLineDash(DASHES[look.kind])
      pen.beginPath()
      for (const edge of look.edges) {
        pen.about?.("edge", nameOf(edge))
        line(pen, edge)
      }
      pen.about?.()
      pen.stroke()
    }
    pen.globalAlpha = 1
    for (const edge of visible) {
      if (!(keyOf(["edge", edge]) in replaced)) continue
      const [x0, y0] = leaves(edge), [x1, y1] = enters(edge)
      pen.strokeStyle = colours.ink
      pen.lineWidth = 1.6
      pen.setLineDash(DASHES.replaced)
      pen.beginPath()
      pen.about?.("edge", nameOf(edge))
      line(pen, edge)
      pen.about?.()
      pen.stroke()
      pen.setLineDash([])
      cross(pen, (x0 + x1) / 2, (y0 + y1) / 2, 5, 5)
    }
    pen.setLineDash([])
  }

  function cross(pen, across, up, half, tall) {
    pen.strokeStyle = colours.ink
    pen.lineWidth = 2
    pen.beginPath()
    pen.moveTo(across - half, up - tall)
    pen.lineTo(across + half, up + tall)
    pen.moveTo(across - half, up + tall)
    pen.lineTo(across + half, up - tall)
    pen.stroke()
  }

  function drawNodes(pen, replaced, comparing) {
    pen.textAlign = "center"
    pen.textBaseline = "middle"
    const letters = Math.max(7, Math.min(12 * Math.max(1, view.k), wide / 2.9, high / 1.5))
    pen.font = `${letters}px ${FONT}`
    for (let node = 0; node < names.length; node++) {
      if (!there(node)) continue
      const score = nodeScores[node], bits = (of.get(node) || []).reduce((all, edge) => all | shown[edge], 0)
      const fill = Number.isNaN(score) || !strongest ? channels(colours.paper) : mixed(colours.scale, 0.5 + score / strongest / 2)
      const kind = comparing ? classOf(bits) : "both"
      pen.fillStyle = kind === "there" ? colours.paper : `rgb(${fill})`
      pen.strokeStyle = kind === "there" ? colours.quiet : colours.ink
      pen.lineWidth = kind === "both" && comparing ? 2 : 1
      pen.about?.("node", names[node])
      pen.setLineDash(names[node] in replaced ? DASHES.replaced : DASHES[kind])
      pen.fillRect(x[node] - wide / 2, y[node] - high / 2, wide, high)
      if (hues[node] != null) {
        pen.fillStyle = `hsl(${hues[node]} ${colours.head})`
        pen.fillRect(x[node] - wide / 2, y[node] - high / 2, Math.min(5 * view.k, wide / 4), high)
      }
      pen.strokeRect(x[node] - wide / 2, y[node] - high / 2, wide, high)
      if (wide > 15 && high > 9) {
        pen.fillStyle = kind === "there" ? colours.ink : dark(fill) ? "#ffffff" : "#1f2328"
        pen.fillText(labels[node], x[node], y[node] + 0.5, wide - 2)
      }
      pen.about?.()
      if (names[node] in replaced) {
        pen.setLineDash([])
        cross(pen, x[node], y[node], wide / 2 + 3, high / 2 + 3)
      }
    }
    pen.setLineDash([])
  }

  function tell(comparing) {
    const drawnNodes = names.filter((_, node) => there(node)).length
    base.setAttribute(
      "aria-label",
      `${model.get("title")}: ${drawnNodes} nodes, ${visible.length} edges. Arrows go from node to node, E through the edges `
        + "of a node, Enter selects, Escape unselects, plus and minus zoom.",
    )
    legend.replaceChildren()
    const entry = (said, colour, dash, thick) => {
      const part = made("span", "", legend)
      const space = "http://www.w3.org/2000/svg", svg = document.createElementNS(space, "svg")
      const stroke = document.createElementNS(space, "line")
      for (const [name, value] of Object.entries({ width: 30, height: 8 })) svg.setAttribute(name, value)
      const drawnAs = { x1: 1, x2: 29, y1: 4, y2: 4, stroke: colour, "stroke-width": thick, "stroke-dasharray": dash.join(" ") }
      for (const [name, value] of Object.entries(drawnAs)) stroke.setAttribute(name, value)
      svg.append(stroke)
      part.append(svg, said)
    }
    for (const said of model.get("said")) made("span", "", legend).textContent = said
    const words = model.get("meanings")
    if (words.high) entry(words.high, colours.high, [], 3)
    if (words.low) entry(words.low, colours.low, [], 3)
    if (comparing) {
      entry(words.both, colours.ink, [], 2)
      entry(words.here, colours.ink, DASHES.here, 2)
      entry(words.there, colours.quiet, DASHES.there, 2)
    }
    if (Object.keys(model.get("replaced")).length) entry("replaced ×", colours.ink, DASHES.replaced, 2)
    if (hues.some((hue) => hue != null)) made("span", "", legend).textContent = HUES
    made("span", "", legend).textContent = HELP
  }

  // ---- what is pointed at ----

  function nearest(across, up) {
    let found = null, least = Infinity
    for (let node = 0; node < names.length; node++) {
      if (!there(node)) continue
      const dx = Math.max(0, Math.abs(across - x[node]) - wide / 2), dy = Math.max(0, Math.abs(up - y[node]) - high / 2)
      const far = dx * dx + dy * dy
      if (far < least && far <= 9) [found, least] = [["node", node], far]
    }
    if (found) return found
    least = NEAR * NEAR
    for (const edge of visible) {
      const [x0, y0] = leaves(edge), [x1, y1] = enters(edge)
      const vx = x1 - x0, vy = y1 - y0
      const share = Math.max(0, Math.min(1, ((across - x0) * vx + (up - y0) * vy) / (vx * vx + vy * vy || 1)))
      const dx = x0 + share * vx - across, dy = y0 + share * vy - up, far = dx * dx + dy * dy
      if (far < least) [found, least] = [["edge", edge], far]
    }
    return found
  }

  function about([kind, index]) {
    const unit = model.get("unit"), words = model.get("meanings"), replaced = model.get("replaced")[keyOf([kind, index])]
    const told = replaced ? `\nreplaced: ${replaced}` : ""
    if (kind === "node") {
      const score = nodeScores[index]
      const out = Number.isNaN(score) ? "" : `\nall its edges out: ${number(score)} ${unit}`
      return names[index] + out + told
    }
    const score = Number.isNaN(scores[index]) ? "not scored" : `${number(scores[index])} ${unit}, rank ${ranks[index]}`
    const where = model.get("comparing") ? `\n${words[classOf(shown[index])]}` : ""
    return `${nameOf(index)}\n${score}${where}${told}`
  }

  const isShown = (thing) => thing && (thing[0] === "node" ? thing[1] < names.length && there(thing[1]) : shown[thing[1]])

  function middle([kind, index]) {
    if (kind === "node") return [x[index] + wide / 2, y[index]]
    const [x0, y0] = leaves(index), [x1, y1] = enters(index)
    return [(x0 + x1) / 2, (y0 + y1) / 2]
  }

  function outlined(pen, [kind, index], thick, colour) {
    pen.strokeStyle = colour
    if (kind === "node") {
      for (const edge of of.get(index) || []) {
        pen.lineWidth = Math.max(1.5, thickness(level[edge]))
        pen.strokeStyle = colourOf(edge)
        pen.beginPath()
        line(pen, edge)
        pen.stroke()
      }
      pen.strokeStyle = colour
      pen.lineWidth = thick
      pen.strokeRect(x[index] - wide / 2 - 3, y[index] - high / 2 - 3, wide + 6, high + 6)
      return
    }
    pen.lineWidth = thickness(level[index]) + 2 * thick
    pen.beginPath()
    line(pen, index)
    pen.stroke()
    pen.strokeStyle = colourOf(index)
    pen.lineWidth = thickness(level[index])
    pen.beginPath()
    line(pen, index)
    pen.stroke()
  }

  const pointedAt = () => (isShown(walked) ? walked : isShown(hovered) ? hovered : null)

  function rings(pen) {
    const thing = pointedAt()
    if (isShown(selected)) outlined(pen, selected, 2.5, colours.ring)
    if (thing) outlined(pen, thing, 1.5, colours.ink)
  }

  function point() {
    const thing = pointedAt()
    rings(sheet(over))
    base.dataset.at = thing ? (thing[0] === "node" ? names[thing[1]] : nameOf(thing[1])) : ""
    tip.style.display = thing ? "block" : "none"
    if (!thing) return
    tip.textContent = about(thing)
    const [across, up] = middle(thing)
    tip.style.left = `${Math.max(0, Math.min(across * scale + 12, width * scale - tip.offsetWidth - 4))}px`
    tip.style.top = `${Math.max(0, Math.min(up * scale + 12, height * scale - tip.offsetHeight - 4))}px`
  }

  function select(thing) {
    selected = thing
    model.set("selected", thing ? keyOf(thing) : "")
    model.save_changes()
    point()
  }

  // ---- pointer ----

  const pointers = new Map()
  let moved = 0

  function at(event) {
    const area = base.getBoundingClientRect()
    return [(event.clientX - area.left) / scale, (event.clientY - area.top) / scale]
  }

  function zoom(across, up, times) {
    const k = Math.max(0.5, Math.min(20, view.k * times))
    view = { k, x: across - ((across - view.x) * k) / view.k, y: up - ((up - view.y) * k) / view.k }
    draw()
  }

  function down(event) {
    base.setPointerCapture(event.pointerId)
    pointers.set(event.pointerId, at(event))
    moved = 0
  }

  function move(event) {
    const now = at(event), before = pointers.get(event.pointerId)
    if (!before) {
      if (event.shiftKey && hovered) frozen = true
      if (!event.shiftKey) frozen = false
      if (frozen) return
      const found = nearest(...now)
      if (String(found) === String(hovered) && !walked) return
      walked = null
      hovered = found
      base.style.cursor = found ? "pointer" : "grab"
      point()
      return
    }
    const others = [...pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place)
    pointers.set(event.pointerId, now)
    moved += Math.hypot(now[0] - before[0], now[1] - before[1])
    if (others.length) {
      const far = (one) => Math.hypot(one[0] - others[0][0], one[1] - others[0][1])
      zoom((now[0] + others[0][0]) / 2, (now[1] + others[0][1]) / 2, far(now) / Math.max(1, far(before)))
    } else if (moved > DRAGGED) {
      view = { ...view, x: view.x + now[0] - before[0], y: view.y + now[1] - before[1] }
      draw()
    }
  }

  function up(event) {
    const was = pointers.delete(event.pointerId)
    if (!was || moved > DRAGGED) return
    const found = nearest(...at(event))
    base.focus({ preventScroll: true })
    if (found) select(found)
  }

  function wheel(event) {
    // Else the page could not be scrolled past the network.
    if (!event.ctrlKey && base.getRootNode().activeElement !== base) return
    event.preventDefault()
    zoom(...at(event), Math.exp(-event.deltaY / (event.ctrlKey ? 120 : 500)))
  }

  function leave() {
    if (frozen) return
    hovered = null
    point()
  }

  function reset() {
    view = { k: 1, x: 0, y: 0 }
    draw()
  }

  // ---- keyboard ----

  function beside(node, across, rows) {
    const others = [...names.keys()].filter((other) => there(other) && other !== node)
    const [column, row] = [places[2 * node], places[2 * node + 1]]
    const found = others.filter((other) => {
      const step = places[2 * other + 1] - row
      return rows ? Math.sign(step) === rows : step === 0 && Math.sign(places[2 * other] - column) === across
    })
    const far = (other) => 1000 * Math.abs(places[2 * other + 1] - row) + Math.abs(places[2 * other] - column)
    return found.sort((one, other) => far(one) - far(other))[0] ?? node
  }

  let around = null
  // The node whose edges are gone through, else the one that the edge leaves.
  const nodeOf = (edge) => ((of.get(around) || []).includes(edge) ? around : ends[2 * edge])
  const ARROWS = { ArrowUp: [0, 1], ArrowDown: [0, -1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }

  function walk(thing) {
    walked = thing
    hovered = null
    const [across, up] = middle(thing)
    if (across < LEFT || across > width || up < 0 || up > height) {
      view = { ...view, x: view.x + width / 2 - across, y: view.y + height / 2 - up }
      draw()
    }
    point()
    heard.textContent = tip.textContent
  }

  function key(event) {
    // Escape that makes a panel small again leaves what is selected.
    if (event.defaultPrevented) return
    const from = isShown(walked) ? walked : isShown(selected) ? selected : null
    const first = [...names.keys()].find(there)
    if (event.key in ARROWS && first !== undefined) {
      const node = from === null ? null : from[0] === "node" ? from[1] : nodeOf(from[1])
      walk(["node", node === null ? first : beside(node, ...ARROWS[event.key])])
    } else if (event.key.toLowerCase() === "e" && from) {
      if (from[0] === "node") around = from[1]
      else around = nodeOf(from[1])
      const edges = of.get(around) || []
      if (!edges.length) return
      const before = from[0] === "node" ? (event.shiftKey ? 0 : -1) : edges.indexOf(from[1])
      walk(["edge", edges[(before + (event.shiftKey ? -1 : 1) + edges.length) % edges.length]])
    } else if (event.key === "Enter" || event.key === " ") {
      if (!from) return
      select(from)
    } else if (event.key === "Escape") {
      walked = hovered = null
      frozen = false
      select(null)
    } else if (event.key === "+" || event.key === "-" || event.key === "=") {
      zoom(width / 2, height / 2, event.key === "-" ? 1 / 1.25 : 1.25)
    } else if (event.key === "0") {
      reset()
    } else {
      return
    }
    event.preventDefault()
  }

  // ---- in step with Python ----

  // Several values that change together are drawn once.
  let waiting = false
  function later(change) {
    return () => {
      change()
      if (waiting) return
      waiting = true
      queueMicrotask(() => {
        waiting = false
        if (consistent()) draw()
      })
    }
  }
  const consistent = () => shown.length === scores.length && places.length === 2 * names.length
    && ends.length === 2 * scores.length && labels.length === names.length && nodeScores.length === names.length

  const renewed = later(() => { network(); size(); selected = things.get(model.get("selected")) ?? null }), sized = later(size), again = later(() => {})
  const chosen = () => {
    selected = things.get(model.get("selected")) ?? null
    if (consistent()) point()
  }
  const heardBy = {
    nodes: renewed, labels: renewed, hues: renewed, node_scores: renewed, ends: renewed, slots: renewed, scores: renewed,
    shown: sized, places: sized, selected: chosen,
  }
  for (const name of ["rows", "replaced", "comparing", "said", "meanings", "colours", "across", "down", "unit", "title"]) {
    heardBy[name] = again
  }
  for (const [name, change] of Object.entries(heardBy)) model.on(`change:${name}`, change)
  const pointed = {
    pointerdown: down, pointermove: move, pointerup: up, pointercancel: (event) => pointers.delete(event.pointerId), pointerleave: leave, wheel, dblclick: reset, keydown: key,
    blur: () => { walked = null; point() },
  }
  for (const [name, act] of Object.entries(pointed)) base.addEventListener(name, act, name === "wheel" ? { passive: false } : {})
  network()
  size()
  selected = things.get(model.get("selected")) ?? null
  measure()
  if (consistent()) draw()
  // Asked for by what saves and shows pictures around it.
  base.grow = (given) => {
    const before = [width, height]
    room = given
    measure()
    // What was moved into sight stays there.
    view = { ...view, x: (view.x * width) / before[0], y: (view.y * height) / before[1] }
    if (consistent()) draw()
  }
  base.svg = () => vectors(picture)
  over.svg = () => vectors(rings)
  return () => {
    for (const [name, change] of Object.entries(heardBy)) model.off(`change:${name}`, change)
    box.remove()
  }
}

export default { render }
