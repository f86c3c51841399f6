"""What surrounds every page: header, colours, buttons and progress, notices, the URL, the clock that looks at jobs."""

import logging
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any, ClassVar
from urllib.parse import urlencode

import panel as pn
import panel_material_ui as pmui
from panel.io.callbacks import PeriodicCallback
from panel.util import edit_readonly

from workbench.errors import BadInput
from workbench.jobs import JOBS, LIVE
from workbench.pages import palettes
from workbench.pages.header import Header
from workbench.pages.in_turn import take_turns
from workbench.pages.late import after_load, late
from workbench.pages.mended import SCRIPTS, mend
from workbench.pages.ruler import Ruler
from workbench.pages.session import attend, tell_ends, visited
from workbench.pages.shown import PADDING
from workbench.pages.workshop import accompany
from workbench.views.asking import ASKED, Asking
from workbench.views.links import carried, links, parted
from workbench.views.working import Notice, Working

log = logging.getLogger(__name__)

TICK = 200
LONGEST_NOTICE = 700
# With less left for the page when it opens, the form gives way; its button brings it back.
NARROW = 560
WIDE: dict[str, Any] = {"sizing_mode": "stretch_width"}
THEME = {
    "light": {"palette": {"primary": {"main": "#0b5cad"}, "background": {"default": "#f6f7f9", "paper": "#ffffff"}}},
    "dark": {
        "palette": {"primary": {"main": "#7db7ee"}, "background": {"default": "#101215", "paper": "#17191d"}},
        "components": {"MuiAppBar": {"styleOverrides": {"root": {"backgroundColor": "#123554", "color": "#ffffff"}}}},
    },
}


# Names in an address that say how pages look.
LOOK = (*palettes.KINDS, "theme")


class Shell:
    """The frame of a page; each page lays out its own `page` and says how its state is read and written.

    Args:
        view: The page's state.
        run: What the button that starts the work says.
        width: Its width in pixels.
    """

    page: pmui.Page
    # What the page's panels mean, as names and sentences, for the help sheet.
    help: ClassVar[Sequence[tuple[str, str]]] = ()
    # The modules that word the page's status, and that write and restore its view.
    worded: ClassVar[Any]
    addressed: ClassVar[Any]
    sidebar: Any

    def __init__(self, view: Any, run: str, width: int):
        self.view = view
        self.location: Any = None
        self._along: dict[str, str] = {}
        self.header = Header(self._recolour, self.help)
        self.run = pmui.Button(label=run, color="primary", variant="contained", icon="play_arrow", width=width, margin=0)
        self.stop = pmui.Button(label="Stop", color="error", variant="outlined", icon="stop", width=110, margin=0)
        self.bar = pmui.LinearProgress(value=0, sizing_mode="stretch_width", margin=(6, 0, 2, 0), visible=False)
        self.says, self.expects = line(), line()
        self.ruler = Ruler(sizing_mode="stretch_width", height=1, margin=0)
        self.ruler.param.watch(lambda event: event.old or pn.state.onload(lambda: self._give_way(event.new)), "pixels")

    def _buttons(self) -> pmui.Row:
        """The row of buttons, with the progress beside them."""
        state = pmui.Column(self.bar, self.says, sizing_mode="stretch_width", margin=(0, 0, 0, 8))
        buttons = pmui.Row(self.run, self.stop, margin=0, sx={"gap": "8px"})
        return pmui.Row(buttons, state, sizing_mode="stretch_width", margin=0, align="center")

    def _framed(self, title: str, sidebar: Any | None, *main: Any) -> pmui.Page:
        """The page around what it holds; without a sidebar where there is None."""
        column = pmui.Column(*main, sizing_mode="stretch_width", margin=(12, 20), sx={"gap": "4px"})
        return alone(pmui.Page(
            title="Circuit workbench", meta_title=title, header=[self.header], sidebar=[sidebar] * (sidebar is not None),
            main=[column], sidebar_width=300, theme_config=THEME,
        ))  # fmt: skip

    def _give_way(self, pixels: int) -> None:
        if pixels < NARROW and self.page.sidebar:
            self.page.sidebar_open = False

    def _status(self) -> str:
        """How far the work is, as plain text."""
        return self.worded.status(self.view)

    def _written(self) -> dict[str, str]:
        """What the URL says."""
        return self.addressed.written(self.view)

    def _restore(self, query: Mapping[str, str]) -> None:
        """Take up what the URL says."""
        self.addressed.restore(self.view, query)
        self.sidebar.show()

    def follow(self, location: Any, query: Mapping[str, str]) -> None:
        """Take up what the URL says, and keep it in step from now on."""
        self._along, own = parted(query)
        self.page.param.watch(lambda *_: self._address(), "dark_theme")
        problem = self._take_palettes()
        # What a page does not ask for itself it hands on: from circuits by way of runs to heads it is the same model.
        asked = {name: text for name, text in query.items() if name not in LOOK}
        self._restore(asked if isinstance(self.view, Asking) else own)
        if problem:
            self.view.tell("warning", f"Part of the address could not be used. {problem}")
        self.location = location
        self.page_name = (pn.state.app_url or "").strip("/").rpartition("/")[2] or "index"
        self._link()
        # In the background: else the page would show itself busy three times a second.
        self._ticker = PeriodicCallback(callback=self.view.refresh, period=TICK, background=True)
        # What is changed before the page has loaded never reaches the browser: an answer that comes at once waits for it.
        pn.state.onload(self._ticker.start)
        pn.state.onload(lambda: tell_ends(getattr(self.view, "jobs", JOBS), self.view.refresh))

    def _take_palettes(self) -> str:
        """Take up the palettes that the URL names; gives what could not be used."""
        try:
            self.header.take(self._along)
        except BadInput as problem:
            return str(problem)
        return ""

    def _draw(self) -> None:
        """Draw all figures anew."""

    def _recolour(self) -> None:
        self._draw()
        self._address()

    @property
    def _tint(self) -> dict[str, str]:
        """What an address says of colours."""
        return palettes.tint(self.theme)

    def _tinted(self, to: str) -> str:
        """The address of another page, in the colours of this one; '' stays ''."""
        return palettes.tinted(to, self.theme)

    def _link(self) -> None:
        """Let the links of the header carry along what is set now."""
        along = carried(self.view) or {name: text for name, text in self._along.items() if name not in LOOK}
        made = links(self.page_name, along | self._tint)
        if made != self.header.links:
            self.header.links = made

    @property
    def theme(self) -> str:
        """'light' or 'dark'."""
        return "dark" if self.page.dark_theme else "light"

    @property
    def across(self) -> int:
        """Pixels of the main area."""
        return self.ruler.pixels or 1000

    def _width(self, half: bool) -> int | float:
        """Pixels of a figure in a card of the whole, or of half of the main area."""
        return (self.across - 12) / 2 - PADDING - 2 if half else self.across - PADDING - 2

    def _watch_status(self, *more: str) -> None:
        """Keep buttons, progress and notices in step with the view."""
        self.stop.on_click(lambda event: self.view.stop())
        self.view.param.watch(lambda *_: self._tell_status(), ["status", "label", "progress", "seconds_left", *more])
        self.view.param.watch(lambda event: toast(event.new), "notice")
        # Why it failed is told after that it did.
        self.view.param.watch(lambda *_: self._tell_status(), "notice")

    def _watch_looks(self) -> None:
        """Draw all anew where the page gets another width or other colours."""
        # What is changed before the page has loaded never reaches the browser.
        self.ruler.param.watch(lambda *_: pn.state.onload(self._draw), "pixels")
        self.page.param.watch(lambda *_: self._draw(), "dark_theme")

    def _tell_status(self) -> None:
        view: Working = self.view
        busy = view.status in ("queued", "running")
        self.stop.disabled = not busy
        self.run.disabled = busy
        self.bar.visible = busy
        if view.progress is None:
            self.bar.param.update(value=-1, variant="indeterminate")
        else:
            self.bar.param.update(value=round(100 * view.progress), variant="determinate")
        self.says.object = f'<span style="font-size:13px">{escape(self._status())}</span>'

    def _watch_expected(self) -> None:
        """Say beside the button what it takes, where it would compute something."""
        self.view.expected.param.watch(lambda *_: self._tell_expected(), "said")
        self.view.param.watch(lambda *_: self._tell_expected(), "status")
        self._tell_expected()

    def _tell_expected(self) -> None:
        said = self.view.expected.said
        self.expects.visible = bool(said) and self.view.status not in LIVE
        self.expects.object = f'<span style="font-size:12px;opacity:.75">{escape(f"{self.run.label}: {said}")}</span>'

    def _keep_address(self, *more: str) -> None:
        """Write the address anew whenever the page is set to something else, or anything `more` of its view changes."""
        self.view.param.watch(lambda *_: self._address(), [*ASKED, *more])

    def _address(self) -> None:
        if self.location is not None:
            self.location.search = "?" + urlencode(self._written() | self._tint)
            self._link()


def alone(page: pmui.Page) -> pmui.Page:
    """The page, which no longer shows itself busy whenever any session of the server is.

    Each click of anyone was told to the pages of all: with thirty of them this cost more than the clicks themselves.
    """
    with edit_readonly(page):
        page.param.update(busy=False, busy_indicator=None)
    return page


def opened(make: Callable[[], Shell]) -> pmui.Page:
    """A page made for the session that asks for it, set to what the session's URL says."""
    pn.extension("plotly", notifications=True, exception_handler=_failed, js_files=SCRIPTS)
    take_turns()
    mend()
    query = _query(pn.state.session_args)
    # Before anything is made: whatever is made light tells the page to be light once it stands.
    if pn.state.curdoc is not None:
        pn.config.theme = "dark" if query.get("theme") == "dark" else "default"
    made = make()
    attend(getattr(made.view, "jobs", JOBS))
    beside = accompany(made)
    # A server that warms up makes every page once before the first visitor: then there is no session, and no address.
    if pn.state.location is not None and visited():
        made.follow(pn.state.location, query or (beside.opens if beside else {}))
        for column in made.page.sidebar:
            # A stored result is what one came for; else one came for the form.
            (after_load if "result" in query else late)(column)
    return made.page


def _query(arguments: Mapping[str, list[bytes]]) -> dict[str, str]:
    return {name: values[-1].decode("utf-8", "replace") for name, values in arguments.items() if values}


def _failed(problem: Exception) -> None:
    log.error("a callback failed", exc_info=problem)
    if pn.state.notifications is not None:
        pn.state.notifications.error("Internal error: the log of the server has the details.", duration=8000)


def toast(notice: Notice | None) -> None:
    """Show a notice for some seconds."""
    if notice is None or pn.state.notifications is None:
        return
    text = notice.text if len(notice.text) <= LONGEST_NOTICE else notice.text[: LONGEST_NOTICE - 1] + "…"
    send = getattr(pn.state.notifications, notice.level)
    send(text, duration=10000 if notice.level == "error" else 6000)


def line() -> pn.pane.HTML:
    """A line of HTML."""
    return pn.pane.HTML("", margin=(2, 0), sizing_mode="stretch_width")
