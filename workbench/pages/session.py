"""Whose jobs are whose, and where they were begun.

Those of a browser session take turns with those of others, and end or go on when it ends.
"""

from collections.abc import Callable

import panel as pn
from panel.io.state import set_curdoc

from workbench.jobs import Jobs
from workbench.pages.in_turn import in_turn
from workbench.views.links import PAGES


def attend(jobs: Jobs) -> None:
    """Let jobs know of this session: who asks, and when it has ended."""
    jobs.who, jobs.where = session, place
    if pn.state.curdoc is not None:
        pn.state.on_session_destroyed(lambda context: jobs.forget(context.id))


def tell_ends(jobs: Jobs, call: Callable[[], None]) -> None:
    """Call something in this session's turn whenever a job that it waits for has ended."""
    document = pn.state.curdoc

    def told() -> None:
        # The worker's thread knows no document, and another session's may be current.
        with set_curdoc(document):
            in_turn(call)

    jobs.tell(session(), lambda: document.add_next_tick_callback(told))


def visited() -> bool:
    """Whether a browser asks for the page."""
    context = None if pn.state.curdoc is None else pn.state.curdoc.session_context
    return context is not None and context.server_context is not None


def place() -> str:
    """The page and the address at which this is called, as a link beside it; '' outside of any session."""
    location = pn.state.location if session() else None
    page = (pn.state.app_url or "").strip("/").rpartition("/")[2]
    return f"{page}{location.search or ''}" if location is not None and page in PAGES else ""


def session() -> str:
    """The id of the session in which this is called; '' outside of any."""
    document = pn.state.curdoc
    context = None if document is None else document.session_context
    return "" if context is None else context.id
