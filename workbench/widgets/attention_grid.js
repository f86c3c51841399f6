// The grid of all heads' attention: hover previews, a click locks, Esc unlocks; tokens are pinned; one head stands large.

// Pixels down of the heads, across of what stands beside them, and across of a head at most, small and large.
const HIGH = 520, BESIDE = 436, SMALL = 120, LARGE = 600
// So many times as many, at most, in a panel that fills the window.
const LARGEST = 3

function render({ model, el }) {
  performance.mark("attention-grid:start")
  const {
    sheet, root, bar, row, box, base, over, side, large, said, note, sort, palette, own, pinning, least, share, unpin, help, keys,
    chip, state, inwards, outwards, unlock, legend,
  } = built(el)
  let numbers, look, order, layout, place, spots
  let at = null // the head under the pointer or the cursor, with its pair of tokens
  let cursor = 0
  let view = { query: 0, key: 0, side: 1 }
  // How much more room there is down, and how much larger a head may be where there is.
  let times = 1, most = 1
  let drag = null
  let pending = null

  const put = (values) => {
    for (const [name, value] of Object.entries(values)) model.set(name, value)
    model.save_changes()
  }
  const locked = () => (model.get("locked") < numbers.count ? model.get("locked") : -1)
  const shown = () => (locked() >= 0 ? locked() : (at?.head ?? cursor))
  const dark = () => {
    const theme = model.get("theme")
    if (theme !== "auto") return theme === "dark"
    const lab = document.body.dataset.jpThemeLight
    return lab === undefined ? matchMedia("(prefers-color-scheme: dark)").matches : lab === "false"
  }

  const dress = () => {
    const theme = dark() ? "dark" : "light"
    const tones = model.get("tones")[theme]
    const all = model.get("palettes")
    const colours = (all[model.get("palette")] ?? Object.values(all)[0])[theme]
    const pins = [0, 1].map((end) => {
      const pin = model.get("pinned")[end] ?? -1
      return pin < numbers.tokens ? pin : -1
    })
    const any = pins[0] >= 0 || pins[1] >= 0
    const limit = model.get("least") * (any ? Math.max(...[...Array(numbers.count).keys()].map((one) => numbers.pinned(one, pins))) : 0)
    const faint = new Set(any && limit > 0 ? [...Array(numbers.count).keys()].filter((one) => numbers.pinned(one, pins) < limit) : [])
    look = {
      ...tones, dark: theme === "dark", own: model.get("own"), pins, limit, faded: (head) => faint.has(head) || numbers.left.has(head), faint: faint.size,
      full: table(colours, tones.ground, 1), pale: table(colours, tones.ground, 0.22), colours,
    }
    for (const [name, colour] of Object.entries(tones)) root.style.setProperty("--" + name, colour)
  }

  const controls = () => {
    const pins = look.pins.some((pin) => pin >= 0)
    const columns = numbers.columns.map((one) => [one.name, one.label])
    const given = numbers.given ? [["given", numbers.given.label]] : []
    choose(sort, [...given, ["", "layer and head"], ...(pins ? [["pinned", "attention at the pinned tokens"]] : []), ...columns], model.get("sort"))
    choose(palette, Object.keys(model.get("palettes")).map((name) => [name, name]), model.get("palette"))
    // A page that has a choice of its own gives one palette, and then there is none here.
    palette.parentElement.style.display = palette.options.length > 1 ? "" : "none"
    own.checked = model.get("own")
    pinning.style.display = pins ? "" : "none"
    least.value = model.get("least")
    share.textContent = `${plain(look.limit)} ${numbers.unit}: ${numbers.count - look.faint} of ${numbers.count} heads`
  }

  const chips = () => {
    const from = numbers.tokens > 512 ? view.query : 0
    row.replaceChildren()
    if (from > 0 || numbers.tokens > 512) made("span", "quiet", row, `tokens ${from} to ${Math.min(numbers.tokens, from + 512) - 1} of ${numbers.tokens}: `)
    numbers.words.slice(from, from + 512).forEach((word, index) => {
      const token = made("button", "", row, word)
      const pin = from + index
      token.tabIndex = index ? -1 : 0
      token.dataset.at = pin
      token.title = `Token ${pin}. Click pins it as the one that looks, Shift-click as the one looked at.`
      token.setAttribute("aria-pressed", String(look.pins.includes(pin)))
      token.classList.toggle("query", look.pins[0] === pin)
      token.classList.toggle("key", look.pins[1] === pin)
      token.addEventListener("click", (event) => pinOne(event.shiftKey ? 1 : 0, pin))
    })
  }

  const pinOne = (end, pin) => {
    const pins = [...look.pins]
    pins[end] = pins[end] === pin ? -1 : pin
    put({ pinned: pins })
  }

  const heading = () => {
    const head = shown()
    const colour = numbers.colour(head, look.dark)
    const is = locked() >= 0
    chip.textContent = `Head ${numbers.name(head)}`
    Object.assign(chip.style, { color: colour, borderColor: colour })
    state.textContent = is ? "locked" : "click a head to lock it"
    unlock.style.display = is ? "" : "none"
    inwards.disabled = view.side <= 4
    outwards.disabled = view.side >= numbers.tokens
    legend.replaceChildren(made("span", "", null, "0"))
    made("span", "ramp", legend).style.background = `linear-gradient(to right, ${look.colours.join(",")})`
    made("span", "", legend, `${plain(look.own ? numbers.scales[head] : numbers.most)} ${numbers.unit}`)
    const exact = numbers.holds(head, view.query, view.key)
    const cells = numbers.pool > 1 ? ` A dot is the largest of ${numbers.pool} × ${numbers.pool} tokens` : ""
    note.textContent =
      "A row is the token that looks, a column what it looks at." +
      (exact && numbers.pool === 1 ? "" : exact ? `${cells} in the thumbnails.` : ` ≈ Numbers in 255 steps${is ? "" : "; lock a head for full precision"}.${cells && cells + "; zoom in on a locked head for every token."}`)
  }

  const paintOne = () => {
    // A short prompt needs no more room than its tokens.
    const width = Math.max(240, Math.min(side.clientWidth || 480, Math.max(LARGE, HIGH * times), (120 + 30 * view.side) * most))
    place = paintLarge(large, numbers, shown(), view, width, look)
    heading()
    mark()
    ask()
  }

  const rings = (pen) => {
    const ring = (head, colour) => {
      const [left, top] = corner(layout, head, order.indexOf(head))
      pen.strokeStyle = colour
      pen.lineWidth = 3
      pen.strokeRect(left - 1.5, top - 1.5, layout.size + 3, layout.size + 3)
    }
    if (locked() >= 0) ring(locked(), look.ink)
    if (at) ring(at.head, numbers.colour(at.head, look.dark))
  }

  // The pair under the pointer as a ring, in the large head and in the thumbnail.
  const mark = () => {
    const ratio = Math.max(1, Math.round(window.devicePixelRatio || 1))
    Object.assign(over, { width: base.width, height: base.height })
    Object.assign(over.style, { width: base.style.width, height: base.style.height })
    const context = over.getContext("2d")
    context.scale(ratio, ratio)
    rings(context)
    for (const token of row.querySelectorAll("button"))
      token.classList.toggle("seen", at?.query !== undefined && [at.query, at.key].includes(Number(token.dataset.at)))
    if (at?.query === undefined) {
      said.textContent = at ? sentence(at.head) : ""
      return
    }
    const value = numbers.said(at.head, at.query, at.key)
    const words = [at.query, at.key].map((one) => `“${numbers.words[one]}” (${one})`)
    said.textContent = `${numbers.name(at.head)}: ${words[0]} → ${words[1]}: ${value}${at.key > at.query ? "" : " " + numbers.unit}`
  }

  const sentence = (head) => {
    const column = numbers.by(model.get("sort"))
    if (!column) return `Head ${numbers.name(head)}`
    const value = column.values[head]
    return `Head ${numbers.name(head)}: ${column.label} ${value === null ? "not computed" : `${plain(value)} ${column.unit}`}`
  }

  // Of a long prompt full precision is sent by the window: ask for what is looked at.
  const ask = () => {
    const head = locked()
    if (head < 0 || numbers.exact.head !== head || view.side > numbers.exact.rows) return
    const last = { query: view.query + view.side - 1, key: view.key + view.side - 1 }
    if (numbers.holds(head, view.query, view.key) && numbers.holds(head, last.query, last.key)) return
    const spare = Math.floor((numbers.exact.rows - view.side) / 2)
    const corner = [view.query, view.key].map((one) => Math.max(0, one - spare))
    if (String(corner) !== String(model.get("window"))) put({ window: corner })
  }

  const drawHeads = () => {
    const whole = root.clientWidth || 900
    const wanted = model.get("sort")
    const known = sort.value === wanted
    order = numbers.order(known ? wanted : "", look.pins)
    const sorted = known && wanted !== "" && !(wanted === "given" && order.every((head, index) => head === index))
    // Beside the large head where both have room, else above it.
    const beside = whole >= 760
    const fitted = (across) => arranged(numbers, sorted, across, HIGH * times, SMALL * most)
    const next = fitted(beside ? whole - BESIDE * times : whole)
    const above = beside && next.size < 26 ? fitted(whole) : null
    layout = above && above.size > 1.2 * next.size ? above : next
    root.classList.toggle("narrow", !beside || layout === above)
    root.classList.toggle("wide", layout === above)
    box.style.maxHeight = `${HIGH * times + 60}px`
    spots = new Map(order.map((head, index) => [String(layout.place(head, index)), head]))
    paintThumbnails(base, numbers, layout, order, look)
    over.setAttribute("aria-label", `Attention of ${numbers.count} heads: arrows move, Enter locks a head, Esc unlocks it`)
  }

  const draw = () => {
    pending = null
    const before = numbers
    numbers = new Numbers(model)
    root.style.display = numbers.whole ? "" : "none"
    if (!numbers.whole) return
    if (before?.tokens !== numbers.tokens) view = { query: 0, key: 0, side: numbers.tokens }
    if (before?.count !== numbers.count) [at, cursor] = [null, 0]
    if (at?.query >= numbers.tokens || at?.key >= numbers.tokens) at = null
    dress()
    controls()
    chips()
    drawHeads()
    paintOne()
    performance.mark("attention-grid:drawn")
    tell()
  }
  // What is drawn, for who cannot see it: where each head stands, which is first, locked or faded.
  const tell = () => {
    const placed = order.map((head, index) => {
      const [down, across] = layout.place(head, index)
      return `${numbers.name(head)}:${layout.left + across * layout.pitch},${layout.top + down * layout.line},${layout.size}`
    })
    const exact = locked() >= 0 && numbers.exact.head === locked()
    Object.assign(base.dataset, {
      drawn: 1 + Number(base.dataset.drawn ?? 0), locked: locked() < 0 ? "" : numbers.name(locked()), exact, spots: placed.join(" "),
      first: numbers.name(order[0]), faint: look.faint, left: numbers.left.size, pinned: look.pins.join(","), dark: look.dark,
    })
  }
  const soon = () => {
    // Several changes that come together are drawn once.
    pending ??= setTimeout(draw, 0)
  }
  const heard = () => {
    performance.mark("attention-grid:data")
    soon()
  }

  const limit = (one, room) => Math.max(0, Math.min(room, one))
  const zoom = (factor) => {
    const [query, key] = [0, 1].map((end) => {
      const found = at?.query !== undefined ? [at.query, at.key][end] : look.pins[end] >= 0 ? look.pins[end] : null
      return found ?? [view.query, view.key][end] + view.side / 2
    })
    const next = limit(Math.max(4, Math.round(view.side * factor)), numbers.tokens)
    move(Math.round(query - next / 2), Math.round(key - next / 2), next)
  }
  const move = (query, key, size = view.side) => {
    view = { query: limit(query, numbers.tokens - size), key: limit(key, numbers.tokens - size), side: size }
    if (numbers.tokens > 512) chips()
    paintOne()
  }

  const headAt = (event) => {
    const edge = over.getBoundingClientRect()
    const [x, y] = [event.clientX - edge.left - layout.left, event.clientY - edge.top - layout.top]
    const [column, line] = [Math.floor(x / layout.pitch), Math.floor(y / layout.line)]
    if (column < 0 || line < 0 || column >= layout.columns || line >= layout.rows) return null
    const head = spots.get(String([line, column]))
    if (head === undefined) return null
    const [key, query] = [x - column * layout.pitch, y - line * layout.line].map((one) => Math.floor((one / layout.size) * numbers.tokens))
    return query < numbers.tokens && key < numbers.tokens ? { head, query, key } : { head }
  }
  const pairAt = (event) => {
    const edge = large.getBoundingClientRect()
    const [key, query] = [event.clientX - edge.left, event.clientY - edge.top].map((one) => Math.floor((one - place.margin) / place.cell))
    if (query < 0 || key < 0 || query >= view.side || key >= view.side) return null
    const pair = { head: shown(), query: view.query + query, key: view.key + key }
    return pair.query < numbers.tokens && pair.key < numbers.tokens ? pair : null
  }
  const hover = (next) => {
    const before = shown()
    at = next
    if (at) cursor = at.head
    if (shown() === before) mark()
    else paintOne()
  }
  const lock = (head) => put({ locked: head, window: [Math.max(0, view.query), Math.max(0, view.key)] })

  const stepHead = (event) => {
    const here = order.indexOf(at?.head ?? (locked() >= 0 ? locked() : cursor))
    const spot = layout.place(order[here], here)
    const [down, across] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key] ?? []
    const to = { Home: 0, End: numbers.count - 1 }[event.key]
    const next = to !== undefined ? order[to] : spots.get(String([spot[0] + down, spot[1] + across]))
    if (event.key === "Enter" || event.key === " ") lock(order[here])
    else if (next === undefined) return down !== undefined
    else hover({ head: next })
    return true
  }
  const stepPair = (event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key]
    if (event.key === "+" || event.key === "=") zoom(1 / 1.5)
    else if (event.key === "-") zoom(1.5)
    else if (event.key === "Enter" && at?.query !== undefined) put({ pinned: [at.query, at.key] })
    else if (event.key === "Escape" && look.pins.some((pin) => pin >= 0)) put({ pinned: [-1, -1] })
    else if (step && event.shiftKey) move(...[view.query, view.key].map((one, end) => one + step[end] * Math.ceil(view.side / 8)))
    else if (step) {
      const from = at?.query !== undefined ? [at.query, at.key] : [view.query, view.key]
      const [query, key] = from.map((one, end) => limit(one + step[end], numbers.tokens - 1))
      at = { head: shown(), query, key }
      const room = (one, first) => Math.min(one, Math.max(first, one - view.side + 1))
      move(room(query, view.query), room(key, view.key))
    } else return false
    return true
  }
  const stepToken = (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key]
    const all = [...row.querySelectorAll("button")]
    const next = all[all.indexOf(event.target) + step]
    if (!step || !next) return false
    event.target.tabIndex = -1
    next.tabIndex = 0
    next.focus()
    return true
  }
  const typed = (step) => (event) => {
    // Escape that makes a panel small again leaves what is locked.
    if (!numbers?.whole || event.defaultPrevented) return
    const used = step(event) || (event.key === "Escape" && locked() >= 0 && (put({ locked: -1 }), true))
    if (!used) return
    event.preventDefault()
    event.stopPropagation()
  }

  over.addEventListener("pointermove", (event) => hover(headAt(event)))
  over.addEventListener("pointerleave", () => hover(null))
  over.addEventListener("click", (event) => {
    const found = headAt(event)
    if (found) lock(found.head)
  })
  over.addEventListener("keydown", typed(stepHead))
  large.addEventListener("pointermove", (event) => {
    if (!drag) return hover(pairAt(event))
    const [x, y] = [event.clientX - drag.x, event.clientY - drag.y]
    drag.far ||= Math.hypot(x, y) > 4
    if (drag.far) move(Math.round(drag.query - y / place.cell), Math.round(drag.key - x / place.cell))
  })
  large.addEventListener("pointerdown", (event) => {
    drag = { x: event.clientX, y: event.clientY, query: view.query, key: view.key, far: false }
    large.setPointerCapture(event.pointerId)
  })
  large.addEventListener("pointerup", (event) => {
    const pair = drag?.far ? null : pairAt(event)
    drag = null
    if (pair && pair.key <= pair.query) put({ pinned: [pair.query, pair.key] })
  })
  large.addEventListener("pointerleave", () => hover(null))
  large.addEventListener("keydown", typed(stepPair))
  row.addEventListener("keydown", typed(stepToken))
  sort.addEventListener("change", () => put({ sort: sort.value }))
  palette.addEventListener("change", () => put({ palette: palette.value }))
  own.addEventListener("change", () => put({ own: own.checked }))
  least.addEventListener("input", () => put({ least: Number(least.value) }))
  unpin.addEventListener("click", () => put({ pinned: [-1, -1], sort: model.get("sort") === "pinned" ? "" : model.get("sort") }))
  unlock.addEventListener("click", () => put({ locked: -1 }))
  inwards.addEventListener("click", () => zoom(1 / 1.5))
  outwards.addEventListener("click", () => zoom(1.5))
  help.addEventListener("click", () => {
    const open = !keys.isConnected
    if (open) bar.after(keys)
    else keys.remove()
    help.setAttribute("aria-expanded", String(open))
  })
  const names = ["about", "data", "columns", "exact", "exact_of", "locked", "pinned", "sort", "given", "least", "palette", "palettes", "theme", "own"]
  for (const name of names) model.on("change:" + name, name === "data" ? heard : soon)
  let wide = 0
  const observer = new ResizeObserver(() => {
    if (Math.abs(root.clientWidth - wide) > 2) {
      wide = root.clientWidth
      soon()
    }
  })
  observer.observe(el)
  draw()
  // Asked for by what saves and shows pictures around it.
  const vectors = (canvas, drawing) => {
    const [width, height] = [canvas.style.width, canvas.style.height].map(parseFloat)
    const pen = new Vectors(width, height)
    drawing(pen, width)
    return pen.root
  }
  base.grow = (room) => {
    times = room ? Math.max(1, Math.min(LARGEST, room.height / HIGH)) : 1
    most = room ? LARGEST : 1
    draw()
  }
  base.svg = () => vectors(base, (pen) => drawThumbnails(pen, numbers, layout, order, look))
  over.svg = () => vectors(over, rings)
  large.svg = () => vectors(large, (pen, width) => drawLarge(pen, numbers, shown(), view, width, look))
  return () => {
    observer.disconnect()
    clearTimeout(pending)
    for (const name of names) model.off("change:" + name, name === "data" ? heard : soon)
    sheet.remove()
    root.remove()
  }
}

export default { render }
