"""What a browser gets late: what is hidden at first, and a form beside what was asked for.

A widget costs a browser, and the server, more than a figure does. Only for columns of widgets: a pane of HTML that is shown
again before a browser has drawn it for the first time is an error of Panel's there.
"""

from typing import Any

import panel as pn


def late(box: Any) -> None:
    """Leave out of a column what was never visible yet, from now on."""
    _late(box, list(box))


def after_load(box: Any) -> None:
    """Leave a column empty until the page stands; then fill it, as `late` does."""
    objects = list(box)
    box[:] = []
    pn.state.onload(lambda: _late(box, objects))


def _late(box: Any, objects: list[Any]) -> None:
    shown = set()

    def take(*_: Any) -> None:
        shown.update(one for one in objects if one.visible)
        wanted = [one for one in objects if one in shown]
        # Once: a browser that still makes the one list stumbles over the next.
        if wanted != list(box):
            box[:] = wanted

    for one in objects:
        one.param.watch(take, "visible")
    take()
