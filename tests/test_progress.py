"""Progress is carried by context: a method tells, whoever runs it listens, and Stop goes through the `with` blocks."""

import threading

import pytest

from tests.conftest import Memory
from workbench import progress
from workbench.progress import Ledger, Step, Stopped, bar, keeping, ledger, listening, show, track, viewing


@pytest.fixture
def bars(monkeypatch):
    """Every tqdm bar that is made, with what it is told."""
    made = []

    class Drawn:
        def __init__(self, **options):
            self.options, self.updates, self.closed = options, [], False
            made.append(self)

        def update(self, amount):
            self.updates.append(amount)

        def close(self):
            self.closed = True

    monkeypatch.setattr("tqdm.auto.tqdm", Drawn)
    return made


def test_track_yields_every_item_and_reports_each_one_finished(bars):
    steps, at = [], []
    with listening(steps.append):
        for item in track("abc", "Letters"):
            at.append((item, len(steps)))
    assert steps == [Step("Letters", done, 3) for done in range(4)]
    assert at == [("a", 1), ("b", 2), ("c", 3)]
    assert not bars


@pytest.mark.parametrize(("items", "total", "told"), [([1, 2], None, 2), (iter([1, 2]), None, None), (iter([1, 2]), 2, 2)])
def test_total_is_the_length_where_there_is_one(items, total, told):
    steps = []
    with listening(steps.append):
        assert list(track(items, "x", total)) == [1, 2]
    assert {step.total for step in steps} == {told}


def test_nobody_listening_draws_one_bar_and_closes_it(bars):
    assert list(track(range(3), "Thinking")) == [0, 1, 2]
    (drawn,) = bars
    assert drawn.options["desc"] == "Thinking"
    assert drawn.options["total"] == 3
    assert drawn.options["delay"] > 0
    assert drawn.updates == [1, 1, 1]
    assert drawn.closed


def test_the_bar_is_closed_when_the_work_fails(bars):
    def fail():
        with bar("Work", 2):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert bars[0].closed


def test_a_bar_by_hand_adds_up_and_counts_bytes():
    steps = []
    with listening(steps.append), bar("Fetching", 10, unit="B", bytes=True) as made:
        made.advance(4)
        made.advance(5.5)
    assert [step.done for step in steps] == [0, 4, 9.5]


def test_bars_of_bytes_are_drawn_at_once(bars):
    with bar("Fetching", 10, unit="B", bytes=True):
        pass
    assert bars[0].options["delay"] == 0
    assert bars[0].options["unit_scale"] is True


def test_stopped_passes_through_and_nothing_more_is_done(bars):
    done = []

    def stop(step):
        if step.done == 2:
            raise Stopped

    with listening(stop), pytest.raises(Stopped):
        done.extend(track(range(5), "x"))
    assert done == [0, 1]
    assert not bars


def test_stop_is_no_value_error():
    """What catches the user's mistakes must not swallow the user's Stop."""
    assert not issubclass(Stopped, ValueError)


def test_show_makes_a_partial_result_only_if_somebody_watches():
    made = []

    def make():
        made.append(1)
        return "half"

    show(make)
    assert not made
    seen = []
    with viewing(lambda half: seen.append(half())):
        show(make)
    show(make)
    assert seen == ["half"]
    assert made == [1]
    with viewing(lambda half: None):
        show(make)
    assert made == [1]


def test_the_inner_context_goes_before_and_the_outer_comes_back():
    outer, inner = [], []
    with listening(outer.append):
        list(track([1], "first"))
        with listening(inner.append):
            list(track([1], "second"))
        list(track([1], "third"))
    assert {step.label for step in outer} == {"first", "third"}
    assert {step.label for step in inner} == {"second"}


def test_a_bar_keeps_the_listener_it_was_made_with():
    mine, theirs = [], []
    with listening(mine.append), bar("x", 1) as made, listening(theirs.append):
        made.advance()
    assert len(mine) == 2
    assert not theirs


def test_contexts_are_reset_after_an_exception():
    def fail():
        with listening(lambda step: None), viewing(lambda make: None), keeping(Memory()):
            assert ledger() is not None
            raise Stopped

    with pytest.raises(Stopped):
        fail()
    assert ledger() is None
    assert progress._listener.get() is None
    assert progress._viewer.get() is None


def test_ledgers_nest_and_the_protocol_is_checked():
    one, other = Memory(), Memory()
    assert isinstance(one, Ledger)
    assert not isinstance(object(), Ledger)
    with keeping(one):
        with keeping(other):
            assert ledger() is other
        assert ledger() is one


def test_threads_do_not_inherit(bars):
    """A worker enters the contexts itself; a bar of another thread's work must not reach this one's listener."""
    steps, seen = [], []

    def work():
        seen.append(ledger())
        list(track([1], "elsewhere"))

    with listening(steps.append), keeping(Memory()):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert seen == [None]
    assert not steps
    assert len(bars) == 1
