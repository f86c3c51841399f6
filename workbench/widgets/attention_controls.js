// What surrounds the canvases: the style, the row of choices, the tokens, the places of the heads and of the large one.

const STYLE = `
  .grid { font: 13px/1.4 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; color: var(--ink); background: var(--ground);
    display: flex; flex-direction: column; gap: 8px; padding: 2px }
  .grid .bar { display: flex; flex-wrap: wrap; gap: 6px 16px; align-items: center }
  .grid label { display: inline-flex; gap: 6px; align-items: center; white-space: nowrap }
  .grid select, .grid button { font: inherit; color: inherit; background: var(--ground); border: 1px solid var(--line);
    border-radius: 4px; padding: 2px 6px; max-width: 260px }
  .grid option { background: var(--ground); color: var(--ink) }
  .grid button { cursor: pointer }
  .grid button:disabled { opacity: .4; cursor: default }
  .grid .tokens { display: flex; flex-wrap: wrap; gap: 2px; max-height: 84px; overflow: auto }
  .grid .tokens button { padding: 0 4px; border-radius: 3px; line-height: 1.5; white-space: pre; unicode-bidi: isolate }
  .grid .tokens button.query { background: var(--pin); color: var(--ground); border-color: var(--pin) }
  .grid .tokens button.key { border-color: var(--pin); box-shadow: inset 0 -3px 0 var(--pin) }
  .grid .tokens button.seen { outline: 2px solid var(--ink); outline-offset: -1px }
  .grid .both { display: flex; gap: 16px; align-items: flex-start }
  .grid.narrow .both { flex-direction: column }
  .grid .heads { position: relative; flex: none; overflow: auto; max-width: 100% }
  .grid .heads canvas { display: block }
  .grid .heads .over { position: absolute; left: 0; top: 0; cursor: pointer }
  .grid canvas:focus-visible, .grid button:focus-visible, .grid select:focus-visible { outline: 2px solid #4a90cf;
    outline-offset: 1px }
  .grid .large { flex: 1 1 0; min-width: 0; display: flex; flex-direction: column; gap: 4px }
  .grid.narrow .large { width: 100% }
  .grid.wide .large { flex-flow: row wrap; align-items: flex-start; column-gap: 16px }
  .grid.wide .large .title { width: 100% }
  .grid.wide .words { flex: 1 1 200px }
  .grid .chip { font-weight: 600; font-size: 15px; padding: 0 8px; border-radius: 4px; border: 2px solid }
  .grid .quiet { color: var(--quiet); font-size: 12px }
  .grid .said { min-height: 1.4em; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; unicode-bidi: isolate }
  .grid .ramp { width: 120px; height: 10px; border: 1px solid var(--line) }`

const KEYS = "On the heads: arrows move, Enter locks, Esc unlocks. On the large head: arrows move, Enter pins both tokens, + and − zoom, Shift and arrows (or drag) shift, Esc takes the pins out. On the tokens: arrows move, Enter pins the token that looks, Shift and Enter the one looked at."
const made = (tag, name, parent, text) => {
  const one = document.createElement(tag)
  if (name) one.className = name
  if (text !== undefined) one.textContent = text
  parent?.append(one)
  return one
}

// Everything of a grid, in `el`, empty; by name.
function built(el) {
  const sheet = made("style", "", el, STYLE)
  const root = made("div", "grid", el)
  const bar = made("div", "bar", root)
  const row = made("div", "tokens", root)
  row.setAttribute("role", "toolbar")
  row.setAttribute("aria-label", "Tokens of the prompt: Enter pins the one that looks, Shift and Enter the one looked at")
  const both = made("div", "both", root)
  const box = made("div", "heads", both)
  const base = made("canvas", "base", box)
  const over = made("canvas", "over", box)
  over.tabIndex = 0
  over.setAttribute("role", "application")
  const side = made("div", "large", both)
  const title = made("div", "bar title", side)
  const large = made("canvas", "one", side)
  large.tabIndex = 0
  large.setAttribute("role", "application")
  large.setAttribute("aria-label", "The head shown large: arrows move over pairs of tokens, Enter pins them, plus and minus zoom")
  const words = made("div", "words", side)
  const said = made("div", "said", words)
  said.setAttribute("aria-live", "polite")
  const note = made("div", "quiet", words)

  const labelled = (text, tag) => {
    const label = made("label", "", bar, text)
    return made(tag, "", label)
  }
  const sort = labelled("Sort by", "select")
  const palette = labelled("Colours", "select")
  const own = labelled("Each head up to its own largest", "input")
  own.type = "checkbox"
  const pinning = made("span", "bar", bar)
  const least = made("input", "", made("label", "", pinning, "Fade heads with less than"))
  Object.assign(least, { type: "range", min: 0, max: 1, step: 0.01 })
  const share = made("output", "", pinning)
  const unpin = made("button", "", pinning, "Unpin")
  const help = made("button", "", bar, "Keys")
  const keys = made("div", "quiet", null, KEYS)
  help.setAttribute("aria-expanded", "false")
  const chip = made("span", "chip", title)
  const state = made("span", "quiet", title)
  const [inwards, outwards, unlock] = ["+", "−", "Unlock (Esc)"].map((text) => made("button", "", title, text))
  inwards.setAttribute("aria-label", "Zoom in")
  outwards.setAttribute("aria-label", "Zoom out")
  const legend = made("span", "bar quiet", title)
  return {
    sheet, root, bar, row, box, base, over, side, large, said, note, sort, palette, own, pinning, least, share, unpin, help, keys,
    chip, state, inwards, outwards, unlock, legend,
  }
}

function choose(select, options, value) {
  select.replaceChildren(...options.map(([name, text]) => Object.assign(made("option", "", null, text), { value: name })))
  select.value = options.some(([name]) => name === value) ? value : options[0]?.[0]
}
