"""The front page: what this is, every page with its first result one click away, the last runs, and what is here."""

from collections.abc import Mapping
from html import escape
from typing import Any, ClassVar

import panel as pn
import panel_material_ui as pmui

from workbench.pages.shell import LOOK, WIDE, Shell, opened, toast
from workbench.pages.shown import heading, paper
from workbench.pages.stored import when
from workbench.views.index import MOST_RUNS, Index
from workbench.views.links import address, served
from workbench.views.query import Query
from workbench.views.runs import address_of

WELCOME = (
    '<div style="padding:14px 2px 6px;max-width:860px">'
    '<h1 style="font-size:26px;margin:0 0 8px">See how a transformer computes</h1>'
    '<div style="font-size:15px;line-height:1.5">Choose a model and a task; find which heads, layers and positions do the '
    "work, take them out or replace them, and keep what you found. All of it runs on this machine, and every number that "
    "is shown was computed.</div></div>"
)
STYLE = (
    "<style>.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(270px,1fr));gap:12px}"
    ".card{border:1px solid rgba(128,128,128,.35);border-radius:8px;padding:12px 14px;display:flex;flex-direction:column}"
    ".card h2{font-size:16px;margin:0 0 4px}.card p{font-size:13px;line-height:1.45;margin:0 0 8px;flex:1}"
    "a{color:#2f7fc1;text-decoration:none}a:hover{text-decoration:underline}"
    "a:focus-visible{outline:2px solid #4a90cf;outline-offset:2px}.card .first{font-size:13px}"
    "table{border-collapse:collapse;width:100%;font-size:13px}td{padding:4px 12px 4px 0;vertical-align:top;"
    "border-bottom:1px solid rgba(128,128,128,.18);overflow-wrap:anywhere}"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:3px 16px;margin:4px 0;font-size:13px}"
    "dt{opacity:.7}dd{margin:0;overflow-wrap:anywhere}</style>"
)


def page(view: Index | None = None) -> pmui.Page:
    """The page."""
    return opened(lambda: IndexPage(view or Index()))


class IndexPage(Shell):
    """Layout of an Index view."""

    help: ClassVar = (
        ("This page", "every page in a card; its links go to a first result, computed once and then kept"),
    )  # fmt: skip

    def __init__(self, view: Index):
        super().__init__(view, "Run", 110)
        self.cards, self.runs, self.here, self.health = (pn.pane.HTML("", margin=0, **WIDE) for _ in range(4))
        self.page = self._framed(
            "Circuit workbench", None, self.ruler, pn.pane.HTML(WELCOME, margin=0, **WIDE), self.cards,
            paper(heading("Last runs", "click one to reopen it; no model is loaded"), self.runs, margin=(12, 0)),
            paper(heading("On this disk"), self.here), paper(heading("This machine"), self.health),
        )  # fmt: skip
        self.page.param.watch(lambda *_: self._fill(), "dark_theme")
        view.param.watch(lambda event: toast(event.new), "notice")
        self._fill()
        # It asks the libraries, which takes a moment the first time.
        pn.state.onload(self._tell_health)

    def _status(self) -> str:
        return ""

    def _written(self) -> dict[str, str]:
        return {name: text for name, text in self._along.items() if name not in LOOK}

    def _restore(self, query: Mapping[str, str]) -> None:
        Query(query).tell(self.view)
        self._fill()

    def _draw(self) -> None:
        """There are no figures, but links that carry the palettes along."""
        self._fill()

    def _fill(self) -> None:
        self.cards.object = STYLE + '<div class="cards">' + "".join(map(self._card, self.view.cards())) + "</div>"
        rows = "".join(
            f"<tr><td>{escape(when(entry))}</td><td>{self._to(entry.title, address_of(entry) or _in_runs(entry.key))}</td>"
            f"<td>{escape(entry.origin.task)}</td><td>{escape(entry.origin.model)}</td></tr>"
            for entry in self.view.entries[:MOST_RUNS]
        )
        all_of_them = self._to(f"All {len(self.view.entries):,} runs", "runs" if "runs" in served() else "")
        none = '<div style="font-size:13px">Nothing yet: press one of the links above, then Run.</div>'
        self.runs.object = STYLE + (f"<table>{rows}</table><div>{all_of_them}</div>" if rows else none)
        told = [(name, ", ".join(refs) or "none") for name, refs in self.view.here().items()]
        told += [("Notebooks (make lab)", ", ".join(self.view.notebooks()) or "none")]
        self.here.object = STYLE + _listed(told)
        self.health.object = STYLE + _listed([("…", "reading")])

    def _card(self, card: Mapping[str, Any]) -> str:
        first = " · ".join(self._to(label, to) for label, to in card["first"].items())
        first = f'<div class="first">First result: {first}</div>' if first else ""
        title = self._to(card["title"], card["address"])
        return f'<div class="card"><h2>{title}</h2><p>{escape(card["about"])}</p>{first}</div>'

    def _to(self, label: str, to: str) -> str:
        """A link, or its label where it leads nowhere."""
        return f'<a href="{escape(self._tinted(to), quote=True)}">{escape(label)}</a>' if to else escape(label)

    def _tell_health(self) -> None:
        self.health.object = STYLE + _listed(self.view.health())


def _in_runs(key: str) -> str:
    return address("runs", {"result": key}) if "runs" in served() else ""


def _listed(told: list[tuple[str, str]]) -> str:
    return "<dl>" + "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in told) + "</dl>"
