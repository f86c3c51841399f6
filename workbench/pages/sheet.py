"""A large table of numbers: sorted by its heads, rows opened by click or keyboard, cells shaded by size.

Cells are set as text nodes, so that nothing in them is ever read as HTML. Sorting and narrowing are asked for, not done here:
`order` says which rows stand where.
"""

from collections.abc import Callable
from typing import Any

import panel as pn
import param

from workbench.plots.hues import SHADES
from workbench.plots.theme import PALETTES, THEMES

# Pale enough for text in one colour: the last of the pale blues, and the two beside the middle of a diverging palette.
TONES = {
    theme: {
        "ground": THEMES[theme].paper, "ink": THEMES[theme].ink, "up": getattr(PALETTES["pale-blues"], theme)[-1],
        "low": getattr(PALETTES["blue-orange"], theme)[2], "high": getattr(PALETTES["blue-orange"], theme)[4],
        "head": SHADES[theme],
    }
    for theme in ("light", "dark")
}  # fmt: skip


class Sheet(pn.custom.JSComponent):
    """Rows of numbers under heads that are clicked.

    `content` holds `columns` (a dict each: label, title as a tooltip, signed for two colours, note for missing cells), `names`
    (the first cell of every row), `hues` (in degrees, of the swatches beside them), and by row and column `cells` (text) and
    `shades` (from -1 to 1, None for a missing number).
    `said` is what the user did last: 'open' and a row, 'sort' and a column (-1 for the names) or 'close', and a count.
    """

    content = param.Dict(default={"columns": [], "names": [], "hues": [], "cells": [], "shades": []})
    order = param.List(default=[], doc="The rows shown, from the top.")
    sort = param.List(default=[-1, False], doc="The column sorted by, and whether the largest come first.")
    chosen = param.Integer(default=-1, doc="The row that is open; -1 for none.")
    short = param.Boolean(default=False, doc="Whether it is kept short, as it is while a row is open.")
    tones = param.Dict(default=TONES["light"])
    said = param.List(default=[])

    _esm = """
    const style = `
      .sheet { max-height: 432px; overflow: auto; color: var(--ink); background: var(--ground); outline: none;
        border: 1px solid rgba(128,128,128,.3) }
      .sheet.low { max-height: 236px }
      table { border-collapse: separate; border-spacing: 0; width: 100%; font-size: 13px; line-height: 1.3;
        font-variant-numeric: tabular-nums }
      th { position: sticky; top: 0; z-index: 2; background: var(--ground); font-weight: 600; font-size: 12px; cursor: pointer;
        text-align: right; vertical-align: bottom; padding: 6px 8px; min-width: 50px; max-width: 78px; user-select: none;
        border-bottom: 1px solid rgba(128,128,128,.6); }
      th span { white-space: nowrap }
      th:hover, th:focus-visible { text-decoration: underline }
      th:focus-visible, tr:focus-visible { outline: 2px solid #4a90cf; outline-offset: -2px }
      td { text-align: right; padding: 3px 8px; white-space: nowrap; border-bottom: 1px solid rgba(128,128,128,.16) }
      .name { position: sticky; left: 0; z-index: 1; background: var(--ground); text-align: left; font-weight: 600;
        min-width: 48px; border-right: 1px solid rgba(128,128,128,.4) }
      th.name { z-index: 3 }
      .swatch { display: inline-block; width: 9px; height: 9px; border-radius: 2px; margin-left: 7px }
      tbody tr { cursor: pointer; scroll-margin-top: 56px; scroll-margin-bottom: 18px }
      tbody tr:hover td { box-shadow: inset 0 0 0 99px rgba(90,150,220,.14) }
      tr.chosen td { border-top: 2px solid var(--ink); border-bottom: 2px solid var(--ink) }`
    const made = (tag, text, name) => {
      const one = document.createElement(tag)
      one.textContent = text
      if (name) one.className = name
      return one
    }
    export function render({model}) {
      const sheet = document.createElement("style"), box = document.createElement("div")
      sheet.textContent = style
      box.className = "sheet grows"
      // The room of the window while the panel fills it; see menu.js.
      box.grow = (room) => { box.style.maxHeight = room ? `${room.height}px` : "" }
      let count = 0, rows = [], heads = [], body = made("tbody", "")
      const say = (...what) => { count += 1; model.said = [...what, count] }

      const paint = () => {
        for (const [name, colour] of Object.entries(model.tones)) box.style.setProperty("--" + name, colour)
      }

      const mark = () => {
        rows.forEach((row, index) => {
          row.classList.toggle("chosen", index === model.chosen)
          row.setAttribute("aria-selected", String(index === model.chosen))
        })
        // An open head needs the room; its row stays in sight.
        box.classList.toggle("low", model.chosen >= 0 || model.short)
        const row = rows[model.chosen]
        if (!row?.isConnected) return
        const top = row.offsetTop - heads[0].offsetHeight, bottom = row.offsetTop + row.offsetHeight - box.clientHeight
        box.scrollTop = Math.min(top, Math.max(box.scrollTop, bottom + 24))
      }

      const reach = () => {
        // Of a column that is left out the sort is told a moment later.
        const by = model.sort[0], head = heads[by + 1]
        if (by < 0 || !head) return
        const left = head.offsetLeft - heads[0].offsetWidth, right = head.offsetLeft + head.offsetWidth - box.clientWidth
        box.scrollLeft = Math.min(left, Math.max(box.scrollLeft, right))
      }

      const arrange = () => {
        body.replaceChildren(...model.order.filter((index) => index < rows.length).map((index) => rows[index]))
        rows.forEach((row) => { row.tabIndex = -1 })
        if (body.firstChild) (rows[model.chosen]?.isConnected ? rows[model.chosen] : body.firstChild).tabIndex = 0
        const [by, down] = model.sort
        heads.forEach((head, index) => {
          head.setAttribute("aria-sort", index - 1 !== by ? "none" : down ? "descending" : "ascending")
          head.lastChild.textContent = index - 1 !== by ? "" : down ? "▼" : "▲"
        })
        reach()
        mark()
      }

      const headed = (column, index) => {
        const head = made("th", "", index < 0 ? "name" : "")
        // A line is broken between words only, not at a hyphen.
        for (const word of column.label.split(" ")) head.append(made("span", word), " ")
        head.append(made("span", ""))
        head.title = column.title
        head.scope = "col"
        head.tabIndex = 0
        head.addEventListener("click", () => say("sort", index))
        head.addEventListener("keydown", (event) => { if (event.key === "Enter") say("sort", index) })
        return head
      }

      const swatch = (hue) => {
        const one = made("span", "", "swatch")
        one.style.background = `hsl(${hue} var(--head))`
        return one
      }

      const celled = (text, shade, column) => {
        const cell = made("td", text)
        if (shade === null) cell.title = column.note
        else if (shade) {
          const tone = column.signed ? (shade < 0 ? "--low" : "--high") : "--up"
          cell.style.background = `color-mix(in srgb, var(${tone}) ${Math.round(100 * Math.abs(shade))}%, transparent)`
        }
        return cell
      }

      const draw = () => {
        const [table, top, line] = ["table", "thead", "tr"].map((tag) => document.createElement(tag))
        const {columns, names, hues, cells, shades} = model.content
        const title = "LAYER.HEAD, from 0, and the head's own colour. Click to sort by layer."
        heads = [headed({label: "head", title}, -1), ...columns.map(headed)]
        line.append(...heads)
        top.append(line)
        body = made("tbody", "")
        rows = names.map((name, index) => {
          const row = document.createElement("tr")
          const cell = made("td", name, "name")
          cell.append(swatch(hues[index]))
          row.append(cell)
          row.append(...columns.map((column, at) => celled(cells[index][at], shades[index][at], column)))
          row.addEventListener("click", () => { row.focus({preventScroll: true}); say("open", index) })
          return row
        })
        table.append(top, body)
        box.replaceChildren(table)
        paint()
        arrange()
      }

      const step = (event) => {
        const row = event.composedPath().find((one) => one.tagName === "TR" && rows.includes(one))
        if (!row) return
        const all = [...body.children], at = all.indexOf(row), last = all.length - 1
        const to = {ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + 10, PageUp: at - 10, Home: 0, End: last}[event.key]
        if (event.key === "Enter") say("open", rows.indexOf(row))
        if (to === undefined) return
        event.preventDefault()
        const next = all[Math.max(0, Math.min(last, to))]
        row.tabIndex = -1
        next.tabIndex = 0
        next.focus({preventScroll: true})
        next.scrollIntoView({block: "nearest"})
      }
      box.addEventListener("keydown", step)

      // Esc closes the head from anywhere, but not where it means something else: in a field or an open menu.
      const escape = (event) => {
        const other = "input:not([type=radio]), textarea, [role=listbox], [role=menu], [role=dialog]"
        const inside = event.composedPath().some((one) => one.matches?.(other))
        if (event.key !== "Escape" || model.chosen < 0 || inside || event.defaultPrevented) return
        rows[model.chosen]?.focus({preventScroll: true})
        say("close", 0)
      }
      document.addEventListener("keydown", escape)

      model.on("content", draw)
      model.on(["order", "sort"], arrange)
      model.on(["chosen", "short"], mark)
      model.on("tones", paint)
      // Before it stands on the page no row has a place to scroll to.
      let laid = false
      model.on("after_layout", () => {
        if (laid || !box.clientWidth) return
        laid = true
        mark()
        reach()
      })
      model.on("remove", () => document.removeEventListener("keydown", escape))
      draw()
      const whole = document.createElement("div")
      whole.append(sheet, box)
      return whole
    }
    """

    def __init__(self, do: Callable[[str, int], None]):
        super().__init__(sizing_mode="stretch_width", margin=(6, 0))
        self._do = do
        self.param.watch(self._heard, "said")

    def _heard(self, event: Any) -> None:
        if len(event.new) == 3 and isinstance(event.new[0], str) and isinstance(event.new[1], int):
            self._do(event.new[0], event.new[1])
