"""What a browser session asks of the server is done in turn, whatever the number of the server's threads.

Panel hands each click, each tick of a clock and each change to any of its threads: two of one session would run at once, and
no page is made for that. Those of different sessions do run at once.
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import panel as pn
from bokeh.document import Document


class InTurn(ThreadPoolExecutor):
    """Threads in which the calls of one document wait for each other; documents take turns."""

    def __init__(self, threads: int):
        super().__init__(max_workers=threads)
        self._changed = threading.Lock()
        self._waiting: dict[Document, deque[tuple[Future, Callable[[], Any]]]] = {}

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        """Call something in the turn of its document; at once what has none.

        A call that waits already is not added: a clock must not run ahead of a page that is slow.
        """
        document = _document(fn, args)
        call = partial(fn, *args, **kwargs)
        if document is None:
            return super().submit(call)
        with self._changed:
            line = self._waiting.get(document)
            if line is None:
                line = self._waiting[document] = deque()
                super().submit(self._next, document)
            for future, other in line:
                if (other.func, other.args, other.keywords) == (call.func, call.args, call.keywords):
                    return future
            future: Future = Future()
            line.append((future, call))
        return future

    def _next(self, document: Document) -> None:
        """Do one call of a document; the next is asked for after those of other documents."""
        with self._changed:
            future, call = self._waiting[document].popleft()
        try:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(call())
                except BaseException as problem:
                    future.set_exception(problem)
        finally:
            with self._changed:
                if self._waiting[document]:
                    super().submit(self._next, document)
                else:
                    del self._waiting[document]


def take_turns() -> None:
    """Let the threads of Panel, if there are any, do what one session asks in turn."""
    pool = pn.state._thread_pool
    if pool is not None and not isinstance(pool, InTurn):
        pn.state._thread_pool = InTurn(pool._max_workers)
        pool.shutdown(wait=False)


def in_turn(call: Callable[[], None]) -> None:
    """Call something in the turn of the current session, from the server's own loop."""
    if pn.state._thread_pool is None:
        call()
    else:
        pn.state.execute(call, schedule="thread")


def _document(fn: Callable[..., Any], args: tuple[Any, ...]) -> Document | None:
    """The document that a call is of: Panel gives it among the arguments, or the clock knows it, or it is the current one."""
    given = [*args, *getattr(fn, "args", ()), getattr(getattr(fn, "__self__", None), "_doc", None), pn.state.curdoc]
    return next((one for one in given if isinstance(one, Document)), None)
