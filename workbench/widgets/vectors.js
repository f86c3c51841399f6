// A pen for SVG in place of a canvas's own: what is drawn with it becomes elements, so that one function draws both. It
// knows only what the components ask of a pen, and text in a font given in pixels.

const SVG_SPACE = "http://www.w3.org/2000/svg"
// What no XML may hold; one such character in a token, and no program opens the file.
const NOT_XML = /[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu

const rounded = (value) => String(Math.round(value * 100) / 100)

class Vectors {
  // An SVG of so many pixels, in `root`, on which `scale` pixels are one unit of the pen.
  constructor(width, height, scale = 1) {
    this.root = this.inside = this.element("svg", null, {
      width: rounded(width), height: rounded(height), viewBox: `0 0 ${rounded(width / scale)} ${rounded(height / scale)}`,
    })
    this.ruler = document.createElement("canvas").getContext("2d")
    Object.assign(this, {
      font: "10px sans-serif", textAlign: "start", textBaseline: "alphabetic", fillStyle: "#000000", strokeStyle: "#000000",
      lineWidth: 1, globalAlpha: 1, dashes: [], moved: "", of: null, path: [], box: null, kept: [],
    })
  }

  element(tag, parent, given) {
    const one = document.createElementNS(SVG_SPACE, tag)
    for (const [name, value] of Object.entries(given)) one.setAttribute(name, value)
    parent?.append(one)
    return one
  }

  // What is drawn from here on belongs to a thing of that kind and name, said in a title; with no kind to none.
  about(kind, name) {
    this.of = kind ? { kind, name, group: null } : null
  }

  titled(one, { kind, name }) {
    one.setAttribute("class", kind)
    this.element("title", one, {}).textContent = name.replace(NOT_XML, "\ufffd")
    return one
  }

  put(tag, given) {
    if (this.of && !this.of.group) this.of.group = this.titled(this.element("g", this.inside, {}), this.of)
    if (this.moved) given.transform = this.moved.trim()
    if (this.globalAlpha < 1) given.opacity = rounded(this.globalAlpha)
    return this.element(tag, this.of ? this.of.group : this.inside, given)
  }

  // As #rrggbb: other programs than browsers do not know every way to say a colour.
  colour(said) {
    this.ruler.fillStyle = said
    return this.ruler.fillStyle
  }

  get stroked() {
    const dashed = this.dashes.length ? { "stroke-dasharray": this.dashes.join(" ") } : {}
    return { fill: "none", stroke: this.colour(this.strokeStyle), "stroke-width": rounded(this.lineWidth), ...dashed }
  }

  area(x, y, width, height) {
    return { x: rounded(x), y: rounded(y), width: rounded(width), height: rounded(height) }
  }

  save() {
    const { font, textAlign, textBaseline, fillStyle, strokeStyle, lineWidth, globalAlpha, dashes, moved, inside } = this
    this.kept.push({ font, textAlign, textBaseline, fillStyle, strokeStyle, lineWidth, globalAlpha, dashes, moved, inside })
  }

  restore() {
    Object.assign(this, this.kept.pop())
  }

  translate(x, y) {
    this.moved += ` translate(${rounded(x)} ${rounded(y)})`
  }

  rotate(turn) {
    this.moved += ` rotate(${rounded((turn * 180) / Math.PI)})`
  }

  beginPath() {
    this.path = []
    this.box = null
  }

  rect(...box) {
    this.box = box
  }

  // By a picture in the picture: it needs no name, which two in one file could share.
  clip() {
    const area = this.area(...this.box)
    this.inside = this.element("svg", this.inside, { ...area, viewBox: Object.values(area).join(" ") })
  }

  moveTo(x, y) {
    this.path.push({ of: this.of, drawn: `M${rounded(x)} ${rounded(y)}` })
  }

  lineTo(x, y) {
    this.path.at(-1).drawn += `L${rounded(x)} ${rounded(y)}`
  }

  // A path for each line, faded as one: lines that cross are no darker there, as on canvas.
  stroke() {
    const of = this.of
    this.of = null
    const all = this.put("g", this.stroked)
    this.of = of
    for (const one of this.path) {
      const line = this.element("path", all, { d: one.drawn })
      if (one.of) this.titled(line, one.of)
    }
  }

  fillRect(...box) {
    this.put("rect", { ...this.area(...box), fill: this.colour(this.fillStyle) })
  }

  strokeRect(...box) {
    this.put("rect", { ...this.area(...box), ...this.stroked })
  }

  setLineDash(dashes) {
    this.dashes = dashes
  }

  measureText(said) {
    this.ruler.font = this.font
    return this.ruler.measureText(said)
  }

  fillText(said, x, y, most = Infinity) {
    const [, size, family] = /^([\d.]+)px (.*)$/.exec(this.font)
    const ascent = (baseline) => {
      this.ruler.textBaseline = baseline
      return this.measureText(said).actualBoundingBoxAscent
    }
    // Shifted here, since not every program knows of baselines.
    const down = ascent("alphabetic") - ascent(this.textBaseline)
    const anchor = { center: "middle", right: "end" }[this.textAlign] ?? "start"
    const narrowed = this.measureText(said).width > most ? { textLength: rounded(most), lengthAdjust: "spacingAndGlyphs" } : {}
    this.put("text", {
      x: rounded(x), y: rounded(y + down), "font-size": rounded(Number(size)), "font-family": family.replaceAll('"', "'"),
      "text-anchor": anchor, fill: this.colour(this.fillStyle), "xml:space": "preserve", ...narrowed,
    }).textContent = said.replace(NOT_XML, "\ufffd")
  }

  // Pixels stay pixels however large they are shown.
  drawImage(canvas, ...box) {
    const drawn = { href: canvas.toDataURL(), preserveAspectRatio: "none", "image-rendering": "pixelated" }
    this.put("image", { ...this.area(...box), ...drawn })
  }
}

