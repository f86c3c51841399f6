"""Mends to the library: no change of a page is lost, neither in the browser nor between threads, and none locks another out."""

import base64
import threading
from collections.abc import Callable, Iterator
from functools import cache, wraps
from pathlib import Path
from typing import Any

import panel as pn
from panel.pane.base import Pane
from panel.reactive import Syncable

# In the page itself: there is no folder of scripts to serve, and it must run before the page's first component.
SCRIPTS = {
    "mended": "data:text/javascript;base64," + base64.b64encode(Path(__file__).with_suffix(".js").read_bytes()).decode("ascii")
}
# Held while models are made in the server's loop.
_making = threading.RLock()


@cache
def mend() -> None:
    """Mend the library once, before the first session.

    Models of what was put into a page are made in the server's loop, while the thread that put it there goes on: what it
    changes after its value was read and before its model was known, the browser never heard of. Now such a change waits
    until the model is there.

    What the library keeps from being set by hand it unlocks for a moment, of the class and so for all sessions: a second
    thread found it locked again before it had set it, and its click ended in an error. Now it is unlocked for good.
    """
    _wrap(Syncable, "_scheduled_update_model", _alone)
    for kind, name in ((Syncable, "_param_change"), (Syncable, "_update_manual"), (Pane, "_update_pane")):
        _wrap(kind, name, _afterwards)
    for kind in (type(pn.state), Syncable, *_below(Syncable)):
        for name, parameter in kind.param.objects("existing").items():
            if name != "name":
                parameter.readonly = parameter.constant = False


def _wrap(kind: type, name: str, how: Callable[..., Any]) -> None:
    true = getattr(kind, name)
    setattr(kind, name, wraps(true)(lambda *given, **more: how(true, *given, **more)))


def _alone(call: Callable[..., Any], *given: Any, **more: Any) -> Any:
    with _making:
        return call(*given, **more)


def _afterwards(call: Callable[..., Any], *given: Any, **more: Any) -> Any:
    # Models made from here on read the value that was set.
    with _making:
        pass
    return call(*given, **more)


def _below(kind: type) -> Iterator[type]:
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)
