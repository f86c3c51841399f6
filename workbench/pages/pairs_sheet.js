const style = `
  * { box-sizing: border-box }
  .pair { display: grid; grid-template-columns: 30px 1fr; padding: 10px 0; border-top: 1px solid rgba(128,128,128,.35);
    font-size: 13px; line-height: 1.35 }
  .place { font-weight: 600; font-variant-numeric: tabular-nums; padding-top: 5px; opacity: .8 }
  .texts { display: grid; grid-template-columns: 56px minmax(0, 1fr) 46px 130px 78px; gap: 4px 6px; align-items: start }
  @container (max-width: 640px) {
    .texts { grid-template-columns: 56px minmax(0, 1fr) 46px minmax(0, 1fr) 78px }
    textarea { grid-column: span 4 }
    .corrupt { grid-row: 2 }
    .right, .wrong { grid-row: 3 }
    .does { grid-column: 5 }
  }
  .texts label, .places label { opacity: .75; padding-top: 5px; font-size: 12px }
  textarea, input { font: inherit; color: inherit; background: rgba(128,128,128,.09); width: 100%; margin: 0;
    border: 1px solid rgba(128,128,128,.4); border-radius: 4px; padding: 4px 7px }
  textarea { resize: vertical; min-height: 28px; max-height: 130px; field-sizing: content; overflow: auto }
  textarea:focus, input:focus, button:focus-visible { outline: 2px solid #4a90cf; outline-offset: -1px }
  .bad { border-color: #d55e00; border-width: 2px }
  button { font: inherit; font-size: 12px; color: inherit; background: none; cursor: pointer; padding: 3px 7px;
    border: 1px solid rgba(128,128,128,.55); border-radius: 4px }
  button:hover { background: rgba(90,150,220,.16) }
  .does { display: flex; gap: 4px }
  .places { display: flex; flex-wrap: wrap; gap: 4px 10px; margin-top: 4px }
  .places span { display: flex; gap: 4px }
  .places input { width: 76px }
  .tokens { display: flex; flex-wrap: wrap; gap: 2px 3px; margin: 7px 0 3px }
  .column { display: flex; flex-direction: column; gap: 2px; align-items: stretch; min-width: 16px }
  .label { font-size: 10px; line-height: 13px; height: 13px; opacity: .8; white-space: nowrap; text-align: center }
  .token { font-family: ui-monospace, monospace; font-size: 12px; line-height: 17px; padding: 0 3px; white-space: pre;
    background: rgba(128,128,128,.14); border: 1px solid transparent; border-radius: 3px; unicode-bidi: isolate;
    max-width: 240px; overflow: hidden; text-overflow: ellipsis }
  .same .token + .token { opacity: .5 }
  .differs .token, .gap .token { background: rgba(213,94,0,.2); border-color: #d55e00 }
  .gap .none { border-style: dashed; background: none; text-align: center }
  .hidden .token { font-style: italic; border: 1px dotted currentColor }
  .mark { font-size: 10px; line-height: 12px; height: 12px; text-align: center; color: #d55e00; font-weight: 700;
    white-space: nowrap }
  .line { margin-top: 3px }
  .quiet { opacity: .75; font-size: 12px }
  .problem { display: flex; flex-wrap: wrap; gap: 4px 10px; align-items: center; margin-top: 4px; padding: 3px 8px;
    border-left: 4px solid #e69f00; background: rgba(230,159,0,.1); overflow-wrap: anywhere }
  .problem.grave { border-left-color: #d55e00; background: rgba(213,94,0,.12) }
  .drop { margin-top: 8px; padding: 8px; border: 1px dashed rgba(128,128,128,.6); border-radius: 4px; font-size: 13px }
  .drop.over { background: rgba(90,150,220,.16) }
  .drop input { width: auto; border: 0; background: none }
  .whole { container-type: inline-size }`
const made = (tag, text, name) => {
  const one = document.createElement(tag)
  if (text !== undefined) one.textContent = text
  if (name) one.className = name
  return one
}
export function render({model}) {
  const whole = made("div", "", "whole"), sheet = made("style", style), box = made("div"), drop = made("div", "", "drop")
  const rows = new Map(), waiting = new Map()
  const say = (...what) => model.send_msg(what)
  const flush = () => {
    for (const [key, [timer, tell]] of [...waiting]) { clearTimeout(timer); waiting.delete(key); tell() }
  }
  const act = (...what) => { flush(); say(...what) }

  const field = (tag, number, column, label) => {
    const one = made(tag)
    one.setAttribute("aria-label", label)
    one.dir = "auto"
    one.spellcheck = false
    one.dataset.column = column
    if (tag === "textarea") one.rows = 1
    const key = number + " " + column
    one.addEventListener("input", () => {
      clearTimeout(waiting.get(key)?.[0])
      waiting.set(key, [setTimeout(flush, 250), () => say("write", number, column, one.value)])
    })
    one.addEventListener("blur", flush)
    one.addEventListener("paste", (event) => {
      const text = event.clipboardData?.getData("text/plain") ?? ""
      // Several cells of a spreadsheet; anything else is pasted as into any field.
      if (!text.includes("\t")) return
      event.preventDefault()
      act("paste", number, column, text)
    })
    return one
  }

  const begin = (pair) => {
    const {number} = pair, element = made("div", "", "pair"), texts = made("div", "", "texts"), body = made("div")
    const fields = {}, place = made("div", "", "place")
    element.setAttribute("role", "group")
    const labelled = (name, tag) => {
      fields[name] = field(tag, number, name, "")
      fields[name].classList.add(name)
      texts.append(made("label", name, name), fields[name])
    }
    const button = (text, what, label) => {
      const one = made("button", text)
      one.addEventListener("click", () => act(what, number, 0))
      one.title = label
      return one
    }
    labelled("clean", "textarea")
    labelled("right", "input")
    const does = made("div", "", "does right")
    does.append(button("Copy", "copy", "Duplicate"), button("✕", "remove", "Remove"))
    texts.append(does)
    labelled("corrupt", "textarea")
    labelled("wrong", "input")
    const places = made("div", "", "places"), told = made("div")
    body.append(texts, places, told)
    element.append(place, body)
    return {element, fields, places, place, told, does, revision: -1, number}
  }

  const token = (text, title) => {
    const one = made("span", text ?? "none", text === null ? "token none" : "token")
    one.title = title
    one.dir = "auto"
    return one
  }

  const column = ([label, clean, corrupt, kind, mark, title]) => {
    const one = made("div", "", "column " + kind)
    one.append(made("div", label, "label"), token(clean, title), token(corrupt, title), made("div", mark, "mark"))
    return one
  }

  const tell = (row, pair) => {
    const told = []
    if (pair.tokens.length) {
      const tokens = made("div", "", "tokens")
      tokens.append(...pair.tokens.map(column))
      told.push(tokens)
    }
    for (const [text, name] of pair.lines) told.push(made("div", text, "line " + name))
    pair.problems.forEach(([says, grave, fix], index) => {
      const line = made("div", "", grave ? "problem grave" : "problem")
      line.setAttribute("role", "alert")
      line.append(made("span", (grave ? "✗ " : "⚠ ") + says))
      if (fix) {
        const mend = made("button", fix)
        mend.addEventListener("click", () => act("mend", pair.number, index))
        line.append(mend)
      }
      told.push(line)
    })
    row.told.replaceChildren(...told)
  }

  const fit = (pair) => {
    const row = rows.get(pair.number) ?? begin(pair)
    rows.set(pair.number, row)
    row.place.textContent = pair.place
    row.element.setAttribute("aria-label", "Pair " + pair.place)
    row.does.firstChild.setAttribute("aria-label", "Duplicate pair " + pair.place)
    row.does.lastChild.setAttribute("aria-label", "Remove pair " + pair.place)
    for (const name of Object.keys(pair.texts)) {
      if (row.fields[name]) continue
      const span = made("span")
      row.fields[name] = field("input", pair.number, name, "")
      span.append(made("label", name.slice(4)), row.fields[name])
      row.places.append(span)
    }
    for (const [name, one] of Object.entries(row.fields)) {
      one.setAttribute("aria-label", name + " " + pair.place)
      one.classList.toggle("bad", pair.bad.includes(name))
      const forced = pair.revision > row.revision, typing = waiting.has(pair.number + " " + name)
      if (forced || (one !== whole.getRootNode().activeElement && !typing)) {
        if (one.value !== (pair.texts[name] ?? "")) one.value = pair.texts[name] ?? ""
      }
    }
    row.revision = pair.revision
    const told = JSON.stringify([pair.tokens, pair.lines, pair.problems])
    if (told !== row.shown) tell(row, pair)
    row.shown = told
    return row.element
  }

  const draw = () => {
    const pairs = model.content.pairs, now = new Set(pairs.map((pair) => pair.number))
    for (const number of [...rows.keys()]) {
      if (!now.has(number)) { rows.get(number).element.remove(); rows.delete(number) }
    }
    // Moved only where it has to: a field that is moved loses the focus.
    pairs.map(fit).forEach((element, index) => {
      if (box.children[index] !== element) box.insertBefore(element, box.children[index] ?? null)
    })
  }

  const take = async (file) => {
    if (!file) return
    const size = (file.size / 1e6).toFixed(1)
    if (file.size > model.most) {
      act("refused", `the file must have at most ${model.most / 1e6} MB; ${file.name.slice(-60)} has ${size} MB.`)
      return
    }
    try {
      act("file", file.name, new TextDecoder("utf-8", {fatal: true}).decode(await file.arrayBuffer()))
    } catch {
      const name = file.name.slice(-60)
      act("refused", `the file must be text in UTF-8; ${name} is not. From a spreadsheet, save it as 'CSV UTF-8'.`)
    }
  }
  const chooser = made("input")
  chooser.type = "file"
  chooser.accept = ".csv,.tsv,.jsonl,.json,.txt"
  chooser.setAttribute("aria-label", "Upload pairs")
  chooser.addEventListener("change", async () => { await take(chooser.files[0]); chooser.value = "" })
  const about = "Upload CSV, JSONL or JSON, or drop it here; cells of a spreadsheet can be pasted into any field. "
  drop.append(made("span", about), chooser)
  drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over") })
  drop.addEventListener("dragleave", () => drop.classList.remove("over"))
  drop.addEventListener("drop", (event) => {
    event.preventDefault()
    drop.classList.remove("over")
    take(event.dataTransfer.files[0])
  })
  model.on("content", draw)
  model.on("remove", flush)
  whole.append(sheet, box, drop)
  draw()
  return whole
}
