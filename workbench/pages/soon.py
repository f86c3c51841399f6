"""Settings that come in a burst, as from a slider that is dragged: the last of each is used, a moment later."""

from collections.abc import Callable
from typing import Any

import panel as pn

from workbench.pages.in_turn import in_turn

# Milliseconds; in this time all that a browser has sent is read, so that no redraw is one of the past.
WAIT = 12


class Soon:
    """Gathers settings and hands the last of each to `use`; at once where there is no browser."""

    def __init__(self, use: Callable[..., None]):
        self._use, self._waiting = use, {}

    def set(self, **state: Any) -> None:
        """Use these settings soon."""
        waits = bool(self._waiting)
        self._waiting |= state
        if waits:
            return
        document = pn.state.curdoc
        if document is None or document.session_context is None:
            self._flush()
        else:
            document.add_timeout_callback(lambda: in_turn(self._flush), WAIT)

    def _flush(self) -> None:
        state, self._waiting = self._waiting, {}
        self._use(**state)
