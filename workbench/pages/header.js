const style = `
  :host { display: flex; flex: 1; min-width: 0 }
  .whole { display: flex; align-items: center; gap: 8px; width: 100%; min-width: 0; color: #fff; padding-left: 12px;
    box-sizing: border-box; font: 14px system-ui, sans-serif }
  nav { flex: 1; min-width: 0; display: flex; gap: 2px }
  a { color: inherit; text-decoration: none; padding: 5px 8px; border-radius: 6px; white-space: nowrap; opacity: .9 }
  a:hover { background: rgba(255,255,255,.16); opacity: 1 }
  a[aria-current] { background: rgba(255,255,255,.24); font-weight: 600; opacity: 1 }
  button, select { font: inherit; color: inherit; cursor: pointer }
  a:focus-visible, button:focus-visible { outline: 2px solid #fff; outline-offset: -2px }
  .tool { background: none; border: 1px solid rgba(255,255,255,.45); border-radius: 6px; height: 28px; min-width: 28px; padding: 0 8px }
  .tool:hover { background: rgba(255,255,255,.16) }
  .drop { position: relative }
  .fold { position: absolute; top: 34px; z-index: 1300; color: var(--ink); background: var(--ground); border-radius: 8px;
    border: 1px solid rgba(128,128,128,.45); box-shadow: 0 6px 18px rgba(0,0,0,.3); padding: 6px; min-width: 180px }
  .fold[hidden] { display: none }
  .fold a { display: block }
  .fold a:hover, .fold a[aria-current] { background: rgba(90,150,220,.2) }
  .fold a:focus-visible, .fold button:focus-visible, dialog button:focus-visible { outline-color: #4a90cf }
  .right { right: 0; padding: 10px 12px }
  .kind { margin: 2px 0 4px; font-size: 12px; opacity: .75 }
  .palette { display: flex; align-items: center; gap: 8px; width: 100%; background: none; border: 1px solid transparent;
    border-radius: 6px; padding: 4px 6px; text-align: left; white-space: nowrap }
  .palette:hover { background: rgba(90,150,220,.16) }
  .palette[aria-checked=true] { border-color: #4a90cf; font-weight: 600 }
  .band { width: 90px; height: 14px; border-radius: 3px; border: 1px solid rgba(128,128,128,.4) }
  dialog { color: var(--ink); background: var(--ground); border: 1px solid rgba(128,128,128,.5); border-radius: 10px; padding: 0;
    width: min(820px, 92vw); max-height: 86vh; font: 14px/1.45 system-ui, sans-serif; overflow: auto }
  dialog::backdrop { background: rgba(0,0,0,.45) }
  .top { display: flex; align-items: baseline; padding: 14px 18px 4px; position: sticky; top: 0; background: var(--ground) }
  .top b { flex: 1; font-size: 17px }
  .top button { background: none; border: 1px solid rgba(128,128,128,.5); border-radius: 6px; padding: 3px 12px }
  h3 { font-size: 14px; margin: 12px 18px 4px }
  dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 18px; margin: 0 18px 14px }
  dt { white-space: nowrap; font-weight: 600 }
  dd { margin: 0 }
  kbd { font: 12px ui-monospace, monospace; border: 1px solid rgba(128,128,128,.6); border-radius: 4px; padding: 1px 6px }`

const made = (tag, text, name) => {
  const one = document.createElement(tag)
  if (text !== undefined) one.textContent = text
  if (name) one.className = name
  return one
}
// Below this many pixels the links fold into one menu.
const NARROW = 1240

export function render({model}) {
  const whole = made("div", undefined, "whole"), sheet = made("style", style), nav = made("nav")
  const pages = made("div", undefined, "drop"), colours = made("div", undefined, "drop"), dialog = made("dialog")
  nav.setAttribute("aria-label", "Pages")
  let drops = []

  const paint = () => {
    const page = getComputedStyle(document.body)
    const dark = page.colorScheme.includes("dark") || /\(1\d, /.test(page.backgroundColor)
    whole.style.setProperty("--ink", page.color)
    whole.style.setProperty("--ground", dark ? "#1d2025" : "#ffffff")
    return dark ? "dark" : "light"
  }

  const link = (one) => {
    const made_ = made("a", one.label)
    made_.href = one.address
    made_.title = one.about
    if (one.current) made_.setAttribute("aria-current", "page")
    return made_
  }

  // A button with a sheet below it, which Esc or a click elsewhere folds.
  const drop = (box, button, inside, side = "") => {
    const held = made("div", undefined, `fold ${side}`)
    held.hidden = true
    button.setAttribute("aria-expanded", "false")
    const fold = () => { held.hidden = true; button.setAttribute("aria-expanded", "false") }
    button.addEventListener("click", () => {
      if (!held.hidden) return fold()
      held.replaceChildren(...inside(paint(), fold))
      held.hidden = false
      button.setAttribute("aria-expanded", "true")
      held.querySelector("a, button")?.focus()
    })
    box.replaceChildren(button, held)
    drops.push({box, button, held, fold})
  }

  const draw = () => {
    drops = []
    const links = model.links, current = links.find((one) => one.current)
    nav.replaceChildren(...links.map(link))
    const button = made("button", `${current ? current.label : "Pages"} ▾`, "tool")
    button.setAttribute("aria-label", "Pages")
    drop(pages, button, () => model.links.map(link))
    const brush = made("button", "Colours", "tool")
    brush.title = "Palettes of the figures; all can be told apart with the common kinds of colour blindness"
    drop(colours, brush, (theme) => model.palettes.flatMap((kind) => [
      made("div", kind.title, "kind"),
      ...kind.names.map((one) => {
        const choice = made("button", undefined, "palette"), band = made("span", undefined, "band")
        band.style.background = `linear-gradient(90deg, ${one[theme].join(", ")})`
        choice.append(band, made("span", one.name))
        choice.setAttribute("role", "radio")
        choice.setAttribute("aria-checked", String(one.name === model.chosen[kind.key]))
        choice.addEventListener("click", () => {
          model.send_msg({palette: [kind.key, one.name]})
          for (const other of choice.parentNode.querySelectorAll(".palette")) {
            if (other.dataset.key === kind.key) other.setAttribute("aria-checked", String(other === choice))
          }
        })
        choice.dataset.key = kind.key
        return choice
      }),
    ]), "right")
    fit()
  }

  const fit = () => {
    const narrow = window.innerWidth < NARROW
    nav.style.display = narrow ? "none" : ""
    pages.style.display = narrow && model.links.length ? "" : "none"
    pages.style.flex = "1"
    if (!model.links.length) nav.style.display = ""
  }

  const help = () => {
    paint()
    const top = made("div", undefined, "top"), close = made("button", "Close")
    close.addEventListener("click", () => dialog.close())
    top.append(made("b", "Help"), close)
    const parts = [top]
    for (const [title, rows] of model.help) {
      const list = made("dl")
      for (const [name, text] of rows) {
        const term = made("dt")
        term.append(title === "Keys" ? made("kbd", name) : name)
        list.append(term, made("dd", text))
      }
      parts.push(made("h3", title), list)
    }
    dialog.replaceChildren(...parts)
    dialog.setAttribute("aria-label", "Help")
    if (!dialog.open) dialog.showModal()
    close.focus()
  }
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close() })
  const ask = made("button", "?", "tool")
  ask.title = "Keys, and what this page shows (?)"
  ask.setAttribute("aria-label", "Help")
  ask.addEventListener("click", help)

  const keys = (event) => {
    const typing = event.composedPath().some((one) => one.matches?.("input, textarea, select, [contenteditable=true]"))
    if (event.key === "?" && !typing && !event.ctrlKey && !event.metaKey) { event.preventDefault(); help() }
    const open = drops.find((one) => !one.held.hidden)
    if (event.key === "Escape" && open && !event.defaultPrevented) { event.preventDefault(); open.fold(); open.button.focus() }
  }
  const away = (event) => {
    for (const one of drops) if (!one.held.hidden && !event.composedPath().includes(one.box)) one.fold()
  }
  // A number field of the library's takes what is typed and Enter only once for each time it is entered; so it is left and
  // entered anew, in two draws of the page.
  const again = (event) => {
    const field = event.composedPath()[0]
    if (event.key !== "Enter" || field.tagName !== "INPUT" || !field.parentElement.querySelector(".MuiInputAdornment-root")) return
    setTimeout(() => {
      field.blur()
      requestAnimationFrame(() => setTimeout(() => field.focus()))
    })
  }
  document.addEventListener("keydown", keys)
  document.addEventListener("keyup", again)
  document.addEventListener("pointerdown", away, true)
  window.addEventListener("resize", fit)
  model.on("links", () => {
    // A menu that is open stays open: only where its links lead has changed.
    const open = drops.some((one) => !one.held.hidden)
    if (open) nav.replaceChildren(...model.links.map(link))
    else draw()
  })
  model.on("remove", () => {
    document.removeEventListener("keydown", keys)
    document.removeEventListener("keyup", again)
    document.removeEventListener("pointerdown", away, true)
    window.removeEventListener("resize", fit)
  })
  draw()
  whole.append(nav, pages, colours, ask, dialog)
  const box = made("div")
  box.style.cssText = "display: flex; width: 100%; min-width: 0"
  box.append(sheet, whole)
  return box
}
