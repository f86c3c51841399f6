// What the bytes say: a number for every head, query and key, in which order the heads stand, and how they are told.

const triangle = (row) => (row * (row + 1)) / 2

// DataViews need not be aligned: floats are copied out of them.
const bytesOf = (view) => (view ? new Uint8Array(view.buffer, view.byteOffset, view.byteLength) : new Uint8Array(0))
const floatsOf = (view) =>
  new Float32Array(view ? view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength) : new ArrayBuffer(0))

class Numbers {
  constructor(model) {
    Object.assign(this, { layers: 0, heads: 0, tokens: 0, pool: 1, scales: [], words: [], unit: "" }, model.get("about"))
    this.count = this.layers * this.heads
    this.side = Math.ceil(this.tokens / this.pool)
    this.bytes = bytesOf(model.get("data"))
    this.size = triangle(this.side)
    // One change of several arrives piece by piece: until all are there nothing fits.
    this.whole = this.count > 0 && this.bytes.length === this.count * this.size && this.words.length === this.tokens
    this.most = Math.max(0, ...this.scales)
    this.hues = model.get("hues")
    this.columns = model.get("columns").filter((column) => column.values.length === this.count)
    const given = model.get("given")
    this.given = given.heads ? { ...given, heads: given.heads.filter((head) => head < this.count) } : null
    this.left = new Set(this.given ? [...Array(this.count).keys()] : [])
    for (const head of this.given?.heads ?? []) this.left.delete(head)
    this.exact = { head: -1, query: 0, key: 0, rows: 0, columns: 0, ...model.get("exact_of") }
    this.floats = floatsOf(model.get("exact"))
    if (this.floats.length !== this.exact.rows * this.exact.columns) this.exact.head = -1
  }

  name(head) {
    return `${Math.floor(head / this.heads)}.${head % this.heads}`
  }

  // The hue of a head is its own wherever it is drawn; neighbours differ most.
  colour(head, dark) {
    return `hsl(${((head * this.hues.turn) % 360).toFixed(1)} ${dark ? this.hues.dark : this.hues.light})`
  }

  holds(head, query, key) {
    const { query: top, key: left, rows, columns } = this.exact
    return head === this.exact.head && query >= top && query < top + rows && key >= left && key < left + columns
  }

  // The number of a pair of tokens: full where the head is the locked one, else of its cell, in 255 steps.
  at(head, query, key) {
    if (key > query) return 0
    if (this.holds(head, query, key))
      return this.floats[(query - this.exact.query) * this.exact.columns + key - this.exact.key]
    return this.cell(head, Math.floor(query / this.pool), Math.floor(key / this.pool))
  }

  cell(head, row, column) {
    return (this.bytes[head * this.size + triangle(row) + column] / 255) * this.scales[head]
  }

  said(head, query, key) {
    if (key > query) return "later token, not seen"
    if (this.holds(head, query, key)) return plain(this.at(head, query, key), 4)
    const step = this.scales[head] / 255
    const digits = step > 0 ? Math.min(8, Math.max(0, Math.floor(-Math.log10(step)))) : 2
    return `≈ ${this.at(head, query, key).toFixed(digits)}`
  }

  // What a head has at the pinned tokens: of a pair its number, of one token the largest in its row or column.
  pinned(head, [query, key]) {
    if (query >= 0 && key >= 0) return key > query ? 0 : this.at(head, query, key)
    let most = 0
    if (query >= 0) for (let at = 0; at <= query; at += 1) most = Math.max(most, this.at(head, query, at))
    else for (let at = key; at < this.tokens; at += 1) most = Math.max(most, this.at(head, at, key))
    return most
  }

  by(sort) {
    return sort === "given" ? this.given?.column : this.columns.find((one) => one.name === sort)
  }

  // Heads from the first to the last: by layer, as given, or by a column with the largest first and what is missing last.
  order(sort, pins) {
    const all = [...Array(this.count).keys()]
    if (sort === "given" && this.given) return this.asGiven(all)
    const column = this.by(sort)
    let values = column?.values
    if (sort === "pinned" && (pins[0] >= 0 || pins[1] >= 0)) values = all.map((head) => this.pinned(head, pins))
    if (!values) return all
    const key = (head) => (values[head] === null ? -Infinity : column?.signed ? Math.abs(values[head]) : values[head])
    return all.sort((one, other) => key(other) - key(one) || one - other)
  }

  // Heads in the order of layers stay where they are, the others among them.
  asGiven(all) {
    const { heads, column } = this.given
    const upwards = heads.every((head, at) => !at || head > heads[at - 1])
    return !column && upwards ? all : [...heads, ...this.left]
  }
}

// Four digits that count, and no exponent where none is needed.
function plain(value, digits = 3) {
  if (!value) return "0"
  const size = Math.abs(value)
  if (size < 1e-4) return value.toExponential(1).replace("-", "−")
  return value.toFixed(Math.max(0, Math.min(8, digits - 1 - Math.floor(Math.log10(size))))).replace("-", "−")
}
