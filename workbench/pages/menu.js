const style = `
  :host { position: absolute; top: -8px; right: 0; z-index: 3; width: auto }
  .bar { display: flex; gap: 2px; font: 13px system-ui, sans-serif; justify-content: flex-end; align-items: center }
  button { font: inherit; color: inherit; cursor: pointer; background: none; border: 1px solid transparent; border-radius: 6px }
  .bar > button { width: 28px; height: 26px; padding: 0; font-size: 16px; line-height: 1; opacity: .65 }
  .bar > button:hover, .bar > button[aria-expanded=true] { opacity: 1; background: rgba(128,128,128,.16) }
  button:focus-visible { outline: 2px solid #4a90cf; outline-offset: 1px; opacity: 1 }
  .said { padding: 2px 8px; border-radius: 6px; background: var(--ground); border: 1px solid rgba(128,128,128,.4) }
  .said:empty { display: none }
  .list { position: absolute; top: 28px; right: 0; min-width: 190px; padding: 4px; border-radius: 8px; color: var(--ink);
    background: var(--ground); border: 1px solid rgba(128,128,128,.45); box-shadow: 0 6px 18px rgba(0,0,0,.25) }
  .list[hidden] { display: none }
  .list button { display: block; width: 100%; text-align: left; padding: 5px 10px; white-space: nowrap }
  .list button:hover, .list button:focus { background: rgba(90,150,220,.2); outline: none }
  .list button[disabled] { opacity: .5; cursor: default }
  .list hr { border: 0; border-top: 1px solid rgba(128,128,128,.3); margin: 4px 0 }
  dialog { color: var(--ink); background: var(--ground); border: 1px solid rgba(128,128,128,.5); border-radius: 10px; padding: 0;
    width: min(1000px, 92vw); max-height: 86vh; font: 14px/1.45 system-ui, sans-serif; overflow: hidden }
  dialog[open] { display: flex; flex-direction: column }
  dialog::backdrop { background: rgba(0,0,0,.45) }
  .top { display: flex; gap: 10px; align-items: baseline; padding: 12px 16px 8px }
  .top b { font-size: 16px; overflow-wrap: anywhere; flex: 1 }
  .top button, .foot button { padding: 3px 12px; border-color: rgba(128,128,128,.5) }
  .what { padding: 0 16px 8px; opacity: .8; font-size: 13px }
  .inside { overflow: auto; padding: 0 16px 14px; outline-offset: -2px }
  table { border-collapse: separate; border-spacing: 0; font-size: 13px; font-variant-numeric: tabular-nums }
  th, td { padding: 3px 18px 3px 0; text-align: left; border-bottom: 1px solid rgba(128,128,128,.25); white-space: pre }
  th { position: sticky; top: 0; background: var(--ground); cursor: pointer }
  .number { text-align: right }
  dl { display: grid; grid-template-columns: max-content 1fr; gap: 3px 16px; margin: 0 }
  dt { opacity: .7 }
  dd { margin: 0; overflow-wrap: anywhere; white-space: pre-line }
  pre { margin: 0; font-size: 13px; white-space: pre-wrap; overflow-wrap: anywhere; padding: 10px 12px; border-radius: 6px;
    background: rgba(128,128,128,.14) }`

const made = (tag, text, name) => {
  const one = document.createElement(tag)
  if (text !== undefined) one.textContent = text
  if (name) one.className = name
  return one
}

// Every element that matches below a node, through the shadow roots of Panel's own elements.
const deep = (node, selector, found = []) => {
  if (node.matches?.(selector)) found.push(node)
  for (const child of [...(node.shadowRoot?.children ?? []), ...(node.children ?? [])]) deep(child, selector, found)
  return found
}

const save = (name, blob) => {
  const link = made("a")
  link.href = URL.createObjectURL(blob)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10000)
}

const copy = async (text) => {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    // Away from localhost a page without https has no clipboard: only what is selected can be copied.
    return false
  }
}

const sorted = (rows, column, numeric, down) => {
  const key = (row) => {
    const number = parseFloat(row[column])
    return Number.isNaN(number) ? -Infinity : number
  }
  const order = numeric ? (a, b) => key(a) - key(b) : (a, b) => a[column].localeCompare(b[column])
  return [...rows].sort((a, b) => (down ? -order(a, b) : order(a, b)))
}

const tabled = ({head, rows, numeric}) => {
  const table = made("table"), top = made("thead"), body = made("tbody"), line = made("tr")
  let by = -1, down = false
  const fill = (given) => {
    body.replaceChildren(...given.map((cells) => {
      const row = made("tr")
      row.append(...cells.map((cell, at) => made("td", cell, numeric[at] ? "number" : "")))
      return row
    }))
  }
  const heads = head.map((name, at) => {
    const one = made("th", name, numeric[at] ? "number" : "")
    one.tabIndex = 0
    one.title = "Click to sort"
    const sort = () => {
      down = at === by ? !down : numeric[at]
      by = at
      heads.forEach((other, index) => {
        other.textContent = head[index] + (index === at ? (down ? " ▼" : " ▲") : "")
        other.setAttribute("aria-sort", index !== at ? "none" : down ? "descending" : "ascending")
      })
      fill(sorted(rows, at, numeric[at], down))
    }
    one.addEventListener("click", sort)
    one.addEventListener("keydown", (event) => { if (event.key === "Enter") sort() })
    return one
  })
  line.append(...heads)
  top.append(line)
  fill(rows)
  table.append(top, body)
  return table
}

export function render({model, el}) {
  const host = el.getRootNode().host ?? el
  const bar = made("div", undefined, "bar"), sheet = made("style", style), said = made("span", "", "said")
  const full = made("button", "⤢"), more = made("button", "⋯"), list = made("div", undefined, "list")
  const dialog = made("dialog")
  said.setAttribute("role", "status")
  full.title = "Maximise (Esc returns)"
  full.setAttribute("aria-label", "Maximise this panel")
  more.title = "Code, numbers, files, about"
  more.setAttribute("aria-label", "Menu of this panel")
  more.setAttribute("aria-haspopup", "menu")
  more.setAttribute("aria-expanded", "false")
  list.setAttribute("role", "menu")
  list.hidden = true

  // The page's own colours, light or dark, as they are now.
  const paint = () => {
    const page = getComputedStyle(document.body)
    const dark = page.colorScheme.includes("dark") || /\(1\d, /.test(page.backgroundColor)
    bar.parentElement.style.setProperty("--ink", page.color)
    bar.parentElement.style.setProperty("--ground", dark ? "#1d2025" : "#ffffff")
    return dark
  }
  const tell = (text) => {
    paint()
    said.textContent = text
    clearTimeout(tell.timer)
    tell.timer = setTimeout(() => { said.textContent = "" }, 2500)
  }

  const panel = () => host.parentNode.host ?? host.parentNode
  const plots = () => deep(panel(), ".js-plotly-plot").filter((one) => one.data && one.offsetWidth)
  // What takes the room of a maximised panel by a function of its own: canvases, and boxes that are scrolled.
  const growing = () => deep(panel(), "canvas, .grows").filter((one) => one.grow && one.offsetWidth)
  const canvases = () => deep(panel(), "canvas").filter((one) => one.offsetWidth && !one.closest(".js-plotly-plot"))

  const show = (title, what, inside, ...buttons) => {
    paint()
    const top = made("div", undefined, "top"), close = made("button", "Close"), holder = made("div", undefined, "inside")
    holder.tabIndex = 0
    close.addEventListener("click", () => dialog.close())
    top.append(made("b", title), ...buttons, close)
    holder.append(inside)
    dialog.setAttribute("aria-label", title)
    dialog.replaceChildren(top, made("div", what, "what"), holder)
    if (!dialog.open) dialog.showModal()
    holder.focus()
  }
  // A click beside it closes it.
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close() })

  const showCode = () => {
    const again = made("button", "Copy")
    again.addEventListener("click", async () => { again.textContent = await copy(model.about.code) ? "Copied" : "Select it, press Ctrl+C" })
    show("Code", "Paste it into a notebook: it computes the same numbers.", made("pre", model.about.code), again)
  }
  const copyCode = async () => { (await copy(model.about.code)) ? tell("Code copied") : showCode() }
  const showAbout = () => {
    const told = made("dl")
    for (const [name, value] of model.about.told) told.append(made("dt", name), made("dd", value))
    show(model.about.title, "What it means, and all that it depends on.", told)
  }

  // A saved figure is that of the Result: the squares in the colours of heads are the page's own.
  const plain = (text) => text?.replace?.(/<span style="color:#[0-9a-f]{6}">■<\/span> /g, "") ?? text
  const unmarked = (layout) => {
    const axes = Object.entries(layout).filter(([name, one]) => /^[xy]axis\d*$/.test(name) && one.ticktext)
    const named = Object.fromEntries(axes.map(([name, one]) => [name, {...one, ticktext: [...one.ticktext].map(plain)}]))
    return {...layout, ...named, title: {...layout.title, text: plain(layout.title?.text)}}
  }
  const blobOf = async (url) => (await fetch(url)).blob()
  const ground = () => (paint() ? "#17191d" : "#ffffff")
  // Canvases with their places in one picture of them all: as they stand, or over each other where one covers another whole.
  // What is scrolled in a box of its own reaches behind what stands below that box, and is put above it here.
  const pictured = (parts) => {
    const boxes = parts.map((one) => one.getBoundingClientRect())
    const left = Math.min(...boxes.map((one) => one.left)), top = Math.min(...boxes.map((one) => one.top))
    const places = boxes.map((one) => ({x: one.left - left, y: one.top - top, width: one.width, height: one.height}))
    const same = (one, other) => ["x", "y", "width", "height"].every((name) => Math.abs(one[name] - other[name]) < 1)
    const meet = (one, other) => ["x:width", "y:height"].map((names) => names.split(":"))
      .every(([from, size]) => one[from] < other[from] + other[size] - 1 && other[from] < one[from] + one[size] - 1)
    for (const one of [...places].sort((a, b) => a.y - b.y))
      for (const other of places) if (other.y > one.y && !same(one, other) && meet(one, other)) other.y = one.y + one.height
    const [width, height] = [["x", "width"], ["y", "height"]].map(([from, size]) => Math.max(...places.map((one) => one[from] + one[size])))
    return {places, width, height}
  }
  // A canvas whose script can draw it in vectors too says so by a function of its own.
  const vectorial = () => canvases().filter((one) => one.svg)
  const vectors = (parts) => {
    const {places, width, height} = pictured(parts)
    const space = "http://www.w3.org/2000/svg", whole = document.createElementNS(space, "svg")
    const put = (one, given) => {
      for (const [name, value] of Object.entries(given)) one.setAttribute(name, value)
      return one
    }
    put(whole, {width, height, viewBox: `0 0 ${width} ${height}`})
    whole.append(put(document.createElementNS(space, "rect"), {width, height, fill: ground()}))
    parts.forEach((one, at) => whole.append(put(one.svg(), {x: places[at].x, y: places[at].y})))
    return new XMLSerializer().serializeToString(whole)
  }
  const image = async (format) => {
    for (const [index, plot] of plots().entries()) {
      const name = model.about.file + (index ? `-${index + 1}` : "")
      const {width, height} = plot.layout
      const layout = {...unmarked(plot.layout), paper_bgcolor: ground()}
      const url = await Plotly.toImage({data: plot.data, layout}, {format, width, height, scale: format === "png" ? 2 : 1})
      const text = format === "svg" && decodeURIComponent(url.slice(url.indexOf(",") + 1))
      save(`${name}.${format}`, text ? new Blob([text], {type: "image/svg+xml"}) : await blobOf(url))
    }
    const parts = format === "svg" ? vectorial() : canvases()
    if (!parts.length) return
    if (format === "svg") return save(`${model.about.file}.svg`, new Blob([vectors(parts)], {type: "image/svg+xml"}))
    const {places, width, height} = pictured(parts)
    const whole = made("canvas"), scale = Math.max(1, ...parts.map((one, at) => one.width / places[at].width))
    whole.width = Math.round(width * scale)
    whole.height = Math.round(height * scale)
    const pen = whole.getContext("2d")
    pen.fillStyle = ground()
    pen.fillRect(0, 0, whole.width, whole.height)
    parts.forEach((one, at) => {
      const {x, y, width, height} = places[at]
      pen.drawImage(one, x * scale, y * scale, width * scale, height * scale)
    })
    whole.toBlob((blob) => save(`${model.about.file}.png`, blob))
  }

  // Asked of the server, which has the numbers.
  const ask = (what) => { tell("…"); model.send_msg({want: what}) }
  model.on("msg:custom", (event) => {
    const answer = event.data ?? event
    tell("")
    if (answer.problem) tell(answer.problem)
    else if (answer.file) save(answer.file, new Blob([answer.text], {type: answer.media}))
    else if (answer.head) {
      const csv = made("button", "CSV")
      csv.addEventListener("click", () => ask("csv"))
      show(model.about.title, answer.said, tabled(answer), csv)
    }
  })

  let small = null
  // What fills the window is as large as it now allows.
  const fit = () => {
    const width = window.innerWidth - 56, height = window.innerHeight - 48 - Math.min(small.rest, window.innerHeight / 3)
    for (const plot of small.plots) {
      const times = Math.max(1, Math.min(3, width / plot.offsetWidth, height / plot.offsetHeight))
      plot.dispatchEvent(new CustomEvent("scaled", {detail: times}))
    }
    for (const one of small.drawings) one.grow({width, height})
  }
  const maximise = () => {
    if (small) return
    const box = panel()
    small = {style: box.getAttribute("style") ?? "", plots: plots(), drawings: growing()}
    paint()
    Object.assign(box.style, {
      position: "fixed", inset: "0", zIndex: "1250", width: "auto", height: "auto", maxWidth: "none", maxHeight: "none",
      margin: "0", padding: "16px 20px", boxSizing: "border-box", overflow: "auto",
      background: bar.parentElement.style.getPropertyValue("--ground"),
    })
    const tallest = Math.max(0, ...[...small.plots, ...small.drawings].map((one) => one.offsetHeight))
    small.rest = [...box.shadowRoot.children].reduce((sum, one) => sum + (one.offsetHeight || 0), 0) - tallest
    fit()
    window.addEventListener("resize", fit)
    full.title = "Back (Esc)"
    full.setAttribute("aria-label", "Make this panel small again")
    full.textContent = "⤡"
  }
  const restore = () => {
    if (!small) return
    panel().setAttribute("style", small.style)
    window.removeEventListener("resize", fit)
    for (const plot of small.plots) plot.dispatchEvent(new CustomEvent("scaled", {detail: 1}))
    for (const one of small.drawings) one.grow(null)
    small = null
    full.title = "Maximise (Esc returns)"
    full.setAttribute("aria-label", "Maximise this panel")
    full.textContent = "⤢"
  }
  full.addEventListener("click", () => (small ? restore() : maximise()))

  const fold = () => { list.hidden = true; more.setAttribute("aria-expanded", "false") }
  const item = (label, act, missing = "") => {
    const one = made("button", label)
    one.setAttribute("role", "menuitem")
    one.disabled = Boolean(missing)
    one.title = missing
    one.addEventListener("click", () => { fold(); more.focus(); act() })
    return one
  }
  const unfold = () => {
    paint()
    const none = model.about.code ? "" : "unavailable: this panel is no single call of the library"
    const drawn = plots().length || vectorial().length ? "" : "unavailable: this panel is drawn on a canvas, in pixels alone"
    const any = plots().length || canvases().length ? "" : "unavailable: no figure is drawn here"
    // Why the numbers are not there, where they are not.
    const missing = model.about.missing ?? ""
    list.replaceChildren(
      item("Copy as code", copyCode, none), item("Show the code", showCode, none),
      item("Numbers as a table", () => ask("numbers"), missing), item("About: origin, versions", showAbout), made("hr"),
      item("Save PNG", () => image("png"), any), item("Save SVG", () => image("svg"), any || drawn),
      item("Save CSV", () => ask("csv"), missing), item("Save JSON", () => ask("json"), missing),
      item("Save HTML (opens offline)", () => ask("html"), missing), made("hr"),
      item(small ? "Make small again" : "Maximise", () => (small ? restore() : maximise())),
    )
    list.hidden = false
    more.setAttribute("aria-expanded", "true")
    list.querySelector("button:not([disabled])").focus()
  }
  more.addEventListener("click", () => (list.hidden ? unfold() : fold()))
  list.addEventListener("keydown", (event) => {
    const all = [...list.querySelectorAll("button:not([disabled])")]
    const at = all.indexOf(event.target)
    const to = {ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1}[event.key]
    if (to === undefined) return
    event.preventDefault()
    all[(to + all.length) % all.length].focus()
  })
  const escape = (event) => {
    if (event.key !== "Escape" || dialog.open || event.defaultPrevented) return
    if (!list.hidden) { fold(); more.focus(); event.preventDefault() }
    else if (small) { restore(); full.focus(); event.preventDefault() }
  }
  // Before others hear of it: what is open on top goes first.
  document.addEventListener("keydown", escape, true)
  const away = (event) => { if (!list.hidden && !event.composedPath().includes(bar)) fold() }
  document.addEventListener("pointerdown", away, true)
  model.on("remove", () => {
    document.removeEventListener("keydown", escape, true)
    document.removeEventListener("pointerdown", away, true)
    restore()
  })

  bar.append(said, full, more, list)
  const whole = made("div")
  whole.append(sheet, bar, dialog)
  return whole
}
