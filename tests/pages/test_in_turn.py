"""What one session asks is done in turn, without a browser."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import SimpleNamespace

import panel as pn
import pytest
from bokeh.document import Document

from workbench.pages.in_turn import InTurn, take_turns

SOON = 10


@pytest.fixture
def pool():
    made = InTurn(4)
    yield made
    made.shutdown(wait=False)


def test_calls_of_one_document_wait_for_each_other(pool):
    document, running, seen, most = Document(), [0], [], []

    def call(doc, number):
        running[0] += 1
        most.append(running[0])
        time.sleep(0.002)
        seen.append(number)
        running[0] -= 1

    made = [pool.submit(call, document, number) for number in range(40)]
    assert all(future.result(SOON) is None for future in made)
    assert seen == list(range(40))
    assert max(most) == 1
    assert not pool._waiting, "nothing is kept of a document that asks for nothing"


def test_documents_run_beside_each_other(pool):
    met = threading.Barrier(3, timeout=SOON)
    made = [pool.submit(lambda doc: met.wait(), Document()) for _ in range(3)]
    assert all(future.result(SOON) is not None for future in made)


@pytest.mark.parametrize("way", ["clock", "partial", "none"])
def test_the_document_is_found_as_panel_gives_it(pool, way):
    """A clock knows its document, what is executed later has it among its arguments; what has none is done at once."""
    document, let = Document(), threading.Event()
    held = pool.submit(lambda doc: let.wait(SOON), document)
    if way == "clock":
        clock = SimpleNamespace(_doc=document)
        after = pool.submit(type("Clock", (), {"tick": lambda self: 1, "_doc": clock._doc})().tick)
    elif way == "partial":
        after = pool.submit(partial(lambda doc, call: call(), document, lambda: 1))
    else:
        assert pool.submit(lambda: 1).result(SOON) == 1
        let.set()
        return
    time.sleep(0.05)
    assert not after.done()
    let.set()
    assert held.result(SOON)
    assert after.result(SOON) == 1


def test_a_tick_that_waits_is_not_added_again(pool):
    document, let, ticks = Document(), threading.Event(), []
    held = pool.submit(lambda doc: let.wait(SOON), document)

    def tick(doc):
        ticks.append(1)

    waiting = [pool.submit(tick, document) for _ in range(5)]
    other = pool.submit(ticks.append, document)
    let.set()
    assert held.result(SOON)
    assert all(future.result(SOON) is None for future in (*waiting, other))
    assert ticks == [1, document]
    assert pool.submit(tick, document).result(SOON) is None
    assert len(ticks) == 3, "one that comes later is"


def test_what_fails_is_told_and_the_next_is_done(pool):
    document = Document()

    def fail(doc):
        raise ValueError("broken")

    bad, good = pool.submit(fail, document), pool.submit(lambda doc: 1, document)
    with pytest.raises(ValueError, match="broken"):
        bad.result(SOON)
    assert good.result(SOON) == 1


def test_the_threads_of_panel_take_turns():
    before = pn.state._thread_pool
    try:
        pn.state._thread_pool = None
        take_turns()
        assert pn.state._thread_pool is None
        pn.state._thread_pool = ThreadPoolExecutor(3)
        take_turns()
        made = pn.state._thread_pool
        assert isinstance(made, InTurn)
        assert made._max_workers == 3
        take_turns()
        assert pn.state._thread_pool is made
    finally:
        pn.state._thread_pool = before
