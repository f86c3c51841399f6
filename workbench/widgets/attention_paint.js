// Painting: colours from a palette, all heads as thumbnails into one image, one head large with its tokens.

const LABEL = 92 // most pixels of the tokens beside a large head
const GAP = 4

function parsed(colour) {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16))
}

// 256 colours as pixels of an image, mixed with the ground by a share.
function table(colours, ground, share) {
  const ends = colours.map(parsed)
  const under = parsed(ground)
  const made = new Uint32Array(256)
  for (let step = 0; step < 256; step += 1) {
    const place = (step / 255) * (ends.length - 1)
    const low = Math.min(ends.length - 2, Math.floor(place))
    const [red, green, blue] = [0, 1, 2].map((i) => {
      const full = ends[low][i] + (ends[low + 1][i] - ends[low][i]) * (place - low)
      return Math.round(under[i] + (full - under[i]) * share)
    })
    made[step] = (255 << 24) | (blue << 16) | (green << 8) | red
  }
  return made
}

// How the thumbnails stand: as layers × heads either way round, or in rows as they are sorted; the largest that fit, up
// to `most` pixels.
function arranged(numbers, sorted, width, height, most) {
  const { layers, heads, count } = numbers
  const shapes = sorted
    ? []
    : [
        { rows: layers, columns: heads, across: "head", place: (head) => [Math.floor(head / heads), head % heads] },
        { rows: heads, columns: layers, across: "layer", place: (head) => [head % heads, Math.floor(head / heads)] },
      ]
  const sizes = shapes.map((one) =>
    Math.floor(Math.min((width - 40) / one.columns, (height - 34) / one.rows)) - GAP)
  const best = sizes[1] > sizes[0] ? 1 : 0
  if (!sorted) {
    const least = Math.floor((width - 40) / shapes[best].columns) - GAP
    const size = Math.max(8, Math.min(most, least, Math.max(26, sizes[best])))
    return { ...shapes[best], size, pitch: size + GAP, line: size + GAP, left: 36, top: 30, sorted }
  }
  let size = most
  const fits = (side) => Math.ceil(count / Math.floor(width / (side + GAP))) * (side + GAP + 13) <= height
  while (size > 34 && !fits(size)) size -= 2
  const columns = Math.max(1, Math.floor(width / (size + GAP)))
  const place = (head, at) => [Math.floor(at / columns), at % columns]
  return { rows: Math.ceil(count / columns), columns, place, size, pitch: size + GAP, line: size + GAP + 13, left: 2, top: 2, sorted }
}

// Every head as a square of `size` pixels of an image; of several cells in a pixel the largest is shown.
function paintThumbnail(pixels, width, left, top, size, numbers, head, colours, factor, scratch) {
  const { side, bytes } = numbers
  const start = head * numbers.size
  if (size >= side) {
    for (let y = 0; y < size; y += 1) {
      const row = Math.floor((y * side) / size)
      const base = start + triangle(row)
      for (let x = 0; x < size; x += 1) {
        const column = Math.floor((x * side) / size)
        if (column <= row) pixels[(top + y) * width + left + x] = colours[Math.min(255, bytes[base + column] * factor) | 0]
      }
    }
    return
  }
  const places = scratch.places
  const lit = scratch.lit.fill(0)
  let at = start
  for (let row = 0; row < side; row += 1) {
    const line = places[row] * size
    for (let column = 0; column <= row; column += 1, at += 1) {
      const value = bytes[at]
      const place = line + places[column]
      if (value > lit[place]) lit[place] = value
    }
  }
  for (let y = 0; y < size; y += 1)
    for (let x = 0; x <= y; x += 1) pixels[(top + y) * width + left + x] = colours[Math.min(255, lit[y * size + x] * factor) | 0]
}

function paintThumbnails(canvas, numbers, layout, order, look) {
  const ratio = Math.max(1, Math.round(window.devicePixelRatio || 1))
  const wide = layout.left + layout.columns * layout.pitch
  const high = layout.top + layout.rows * layout.line
  Object.assign(canvas, { width: wide * ratio, height: high * ratio })
  Object.assign(canvas.style, { width: `${wide}px`, height: `${high}px` })
  const context = canvas.getContext("2d")
  const image = context.createImageData(canvas.width, canvas.height)
  const pixels = new Uint32Array(image.data.buffer).fill(table([look.ground, look.ground], look.ground, 1)[0])
  const size = layout.size * ratio
  const scratch = scratched(size, numbers)
  order.forEach((head, index) => {
    const [left, top] = corner(layout, head, index).map((one) => one * ratio)
    paintThumbnail(pixels, canvas.width, left, top, size, numbers, head, ...shades(numbers, head, look), scratch)
  })
  context.putImageData(image, 0, 0)
  context.scale(ratio, ratio)
  drawFrames(context, numbers, layout, order, look)
}

// The same with a pen for SVG: of every head a picture, a pixel for a cell. Where there are more cells than pixels it is
// the one on the screen: a program that shrinks a picture drops thin lines, here the largest stays.
function drawThumbnails(pen, numbers, layout, order, look) {
  const size = Math.min(numbers.side, layout.size * Math.max(1, Math.round(window.devicePixelRatio || 1)))
  const scratch = scratched(size, numbers)
  const ground = table([look.ground, look.ground], look.ground, 1)[0]
  drawFrames(pen, numbers, layout, order, look, (head, left, top) => {
    const image = new ImageData(size, size)
    const pixels = new Uint32Array(image.data.buffer).fill(ground)
    paintThumbnail(pixels, size, 0, 0, size, numbers, head, ...shades(numbers, head, look), scratch)
    pen.drawImage(pixelled(image), left, top, layout.size, layout.size)
  })
}

function drawFrames(pen, numbers, layout, order, look, picture) {
  order.forEach((head, index) => {
    const [left, top] = corner(layout, head, index)
    pen.about?.("head", numbers.name(head))
    picture?.(head, left, top)
    frame(pen, numbers, layout, head, left, top, look)
  })
  pen.about?.()
  if (!layout.sorted) axes(pen, numbers, layout, look)
}

const corner = (layout, head, index) => {
  const [row, column] = layout.place(head, index)
  return [layout.left + column * layout.pitch, layout.top + row * layout.line]
}

const shades = (numbers, head, look) => [
  look.faded(head) ? look.pale : look.full, look.own ? 1 : numbers.scales[head] / (numbers.most || 1),
]

const scratched = (size, numbers) => ({
  places: Array.from({ length: numbers.side }, (_, cell) => Math.floor((cell * size) / numbers.side)),
  lit: new Uint8Array(size * size),
})

function pixelled(image) {
  const canvas = document.createElement("canvas")
  Object.assign(canvas, { width: image.width, height: image.height })
  canvas.getContext("2d").putImageData(image, 0, 0)
  return canvas
}

function frame(context, numbers, layout, head, left, top, look) {
  context.globalAlpha = look.faded(head) ? 0.35 : 1
  context.strokeStyle = context.fillStyle = numbers.colour(head, look.dark)
  context.strokeRect(left - 0.5, top - 0.5, layout.size + 1, layout.size + 1)
  if (layout.sorted) {
    context.font = "10px system-ui, sans-serif"
    context.textAlign = "left"
    context.fillText(numbers.name(head), left, top + layout.size + 11)
  }
  const cell = layout.size / numbers.tokens
  const [query, key] = look.pins
  context.fillStyle = look.pin
  context.globalAlpha *= 0.6
  if (query >= 0) context.fillRect(left, top + query * cell, layout.size, Math.max(1, cell))
  if (key >= 0) context.fillRect(left + key * cell, top, Math.max(1, cell), layout.size)
  context.globalAlpha = 1
}

function axes(context, numbers, layout, look) {
  context.fillStyle = look.quiet
  context.font = "11px system-ui, sans-serif"
  const every = (room) => Math.max(1, Math.ceil(room / layout.pitch))
  context.textAlign = "center"
  for (let at = 0; at < layout.columns; at += every(20))
    context.fillText(String(at), layout.left + at * layout.pitch + layout.size / 2, layout.top - 5)
  context.textAlign = "right"
  for (let at = 0; at < layout.rows; at += every(13))
    context.fillText(String(at), layout.left - 5, layout.top + at * layout.line + layout.size / 2 + 4)
  context.textAlign = "left"
  context.fillText(`${layout.across} →`, layout.left, 11)
  context.fillText(layout.across === "head" ? "layer" : "head", 0, layout.top - 5)
}

// One head large: the queries down, the keys across, with the tokens where there is room for them.
function paintLarge(canvas, numbers, head, view, width, look) {
  const ratio = Math.max(1, Math.round(window.devicePixelRatio || 1))
  Object.assign(canvas, { width: width * ratio, height: width * ratio })
  Object.assign(canvas.style, { width: `${width}px`, height: `${width}px` })
  const context = canvas.getContext("2d")
  context.scale(ratio, ratio)
  return drawLarge(context, numbers, head, view, width, look)
}

function drawLarge(context, numbers, head, view, width, look) {
  context.about?.("large", numbers.name(head))
  const labelled = (width - LABEL - 4) / view.side >= 8.5
  const margin = labelled ? room(context, numbers, view) : 6
  const size = width - margin - 4
  // Where a cell of the thumbnails is all there is, it is drawn as one.
  const step = numbers.holds(head, view.query, view.key) && view.side <= numbers.exact.rows ? 1 : numbers.pool
  const count = Math.ceil(view.side / step)
  const image = new ImageData(count, count)
  const pixels = new Uint32Array(image.data.buffer)
  const most = look.own ? numbers.scales[head] : numbers.most
  for (let row = 0; row < count; row += 1)
    for (let column = 0; column < count; column += 1) {
      const [query, key] = [view.query + row * step, view.key + column * step]
      if (query >= numbers.tokens || Math.floor(key / step) > Math.floor(query / step)) continue
      const value = step > 1 ? numbers.cell(head, Math.floor(query / step), Math.floor(key / step)) : numbers.at(head, query, key)
      pixels[row * count + column] = look.full[Math.min(255, Math.round((value / (most || 1)) * 255))]
    }
  context.imageSmoothingEnabled = false
  context.drawImage(pixelled(image), margin, margin, size, size)
  const place = { margin, size, cell: size / view.side }
  if (labelled) tokens(context, numbers, view, place, look)
  context.strokeStyle = numbers.colour(head, look.dark)
  context.lineWidth = 2
  context.strokeRect(margin - 1, margin - 1, size + 2, size + 2)
  context.about?.()
  return place
}

// Pixels that the longest token in view takes.
function room(context, numbers, view) {
  context.font = "12px system-ui, sans-serif"
  const seen = [view.query, view.key].flatMap((from) => numbers.words.slice(from, from + view.side))
  return Math.ceil(Math.min(LABEL, Math.max(24, 10 + Math.max(...seen.map((word) => context.measureText(word).width)))))
}

function tokens(context, numbers, view, place, look) {
  context.font = `${Math.min(12, Math.max(8.5, place.cell - 1))}px system-ui, sans-serif`
  context.textBaseline = "middle"
  for (let at = 0; at < view.side; at += 1) {
    const middle = place.margin + (at + 0.5) * place.cell
    label(context, numbers.words[view.query + at], look.pins[0] === view.query + at, look, () => context.translate(place.margin - 6, middle), "right")
    label(context, numbers.words[view.key + at], look.pins[1] === view.key + at, look, () => {
      context.translate(middle, place.margin - 6)
      context.rotate(-Math.PI / 2)
    }, "left")
  }
}

function label(context, word, pinned, look, move, align) {
  if (word === undefined) return
  context.save()
  move()
  context.textAlign = align
  context.direction = "ltr"
  context.fillStyle = pinned ? look.pin : look.ink
  let said = word
  while (said.length > 2 && context.measureText(said).width > LABEL - 10) said = [...said].slice(0, -2).join("") + "…"
  context.fillText(said, 0, 0)
  context.restore()
}
