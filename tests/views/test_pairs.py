"""The page of pairs without a browser: make, edit, mend, measure, carry to other pages, and its state in the URL."""

import time

import numpy as np
import pytest

from tests import families
from tests.tasks.conftest import TWOS, word_level
from tests.views.conftest import opened, settle
from workbench.jobs import Jobs, Models
from workbench.methods import METHODS
from workbench.store import Store
from workbench.store.texts import keep_text, kept_text
from workbench.tasks import TASKS, custom
from workbench.views import address, heads_address, looks_address, residual_address
from workbench.views.circuits import Circuits
from workbench.views.heads import Heads
from workbench.views.looks import Looks
from workbench.views.onward import link
from workbench.views.pairs import OwnPairs
from workbench.views.pairs_address import restore, written
from workbench.views.pairs_table import MOST_ROWS
from workbench.views.pairs_table import written as as_csv
from workbench.views.residual import Residual

CLEAN = "When Mary and John arrived at the market, John gave the book to"
ROWS = f'clean,corrupt,right,wrong\n"{CLEAN}","{CLEAN.replace("John", "James")}",Mary,John\n'


@pytest.fixture(scope="module")
def ref(tmp_path_factory):
    """A tiny model with the tasks' words."""
    return str(families.save("llama", tmp_path_factory.mktemp("pairs"), words=word_level(TWOS, digits=2)))


@pytest.fixture(scope="module")
def models(ref):
    made = Models()
    made.take(ref)
    return made


@pytest.fixture
def make(ref, models, tmp_path):
    """Views of one server."""
    jobs = Jobs(models)
    store = Store(tmp_path / "store")

    def made(kind=OwnPairs, **state):
        return opened(kind(jobs, store, **({"model": ref} | state)))

    yield made
    jobs.stop_all(10)


@pytest.fixture
def view(make):
    """Set to one pair of the user's own, and read."""
    made = make(task="custom", rows=ROWS)
    settle(made)
    return made


def line(view, place=0):
    return view.lines[place]


def layout(view, place=0):
    return view.layouts[line(view, place).number]


def write(view, **changes):
    view.change(lambda table: table.write(line(view).number, changes, typed=True))
    settle(view)


def test_the_pairs_of_a_task_are_shown_at_once_with_the_baseline_of_each(make):
    view = make(task="ioi", options={"n": 3})
    settle(view)
    model = view.jobs.models.take(view.model)
    pairs = TASKS["ioi"](model, n=3)
    direct = METHODS["baseline"](model, pairs)
    assert [layout(view, at).clean for at in range(3)] == list(pairs.clean_strings)
    np.testing.assert_array_equal(view.baseline.values, direct.values)
    for at in range(3):
        told = view.answers[line(view, at).number]
        assert told["metric clean"] == float(direct.values.sel(run="clean")[at])
        assert told["rank corrupt"] == float(direct.parts["rank"].sel(run="corrupt")[at])
        assert 0 <= told["probability clean"] <= 1
    assert view.counts == {"lines": 3, "read": 3, "unusable": 0, "fixes": 0}
    assert not view.own


def test_the_rank_is_that_of_the_models_own_logits(view):
    view.check()
    settle(view)
    model = view.jobs.models.take(view.model)
    pairs = custom(model, [dict(line(view).row)])
    logits = model(pairs.clean)[0, -1]
    right = int(pairs.right[0][0])
    told = view.answers[line(view).number]
    assert told["rank clean"] == int((logits > logits[right]).sum()) + 1
    assert told["probability clean"] == pytest.approx(float(logits.softmax(-1)[right]), abs=1e-6)


def test_a_change_makes_a_tasks_pairs_ones_own_and_undo_takes_it_back(make):
    view = make(task="ioi", options={"n": 3})
    settle(view)
    before = [dict(one.row) for one in view.lines]
    write(view, right="Paul")
    assert view.own
    assert view.task == "custom"
    assert view.told[-1].level == "info"
    assert line(view).row["right"] == "Paul"
    assert line(view).number not in view.answers, "what was measured was another pair"
    assert line(view, 1).number in view.answers
    assert len(view.rows.splitlines()) == 4
    view.change(lambda table: table.undo())
    assert [dict(one.row) for one in view.lines] == before
    assert line(view).revision == 1, "what was typed is written over"


def test_typing_is_read_live_and_mended_by_one_click(view):
    write(view, corrupt="When Mary and")
    assert [problem.kind for problem in layout(view).problems] == ["length"]
    assert view.counts["unusable"] == 1
    write(view, corrupt=line(view).row["clean"].replace("John", "James"), wrong="Mary")
    (problem,) = layout(view).problems
    assert problem.kind == "equal"
    view.mend(line(view).number, 0)
    settle(view)
    assert line(view).row["wrong"] == "John"
    assert view.counts["unusable"] == 0
    view.mend(line(view).number, 7)
    view.mend(-5, 0)


def test_all_fixes_at_once_and_unusable_lines_removed(view):
    view.change(lambda table: table.add(line(view).number))
    view.change(lambda table: table.write(line(view).number, {"wrong": "Mary"}))
    view.change(lambda table: table.write(line(view, 1).number, {"clean": CLEAN + " "}))
    view.change(lambda table: table.add())
    settle(view)
    assert view.counts == {"lines": 3, "read": 3, "unusable": 3, "fixes": 2}
    view.mend_all()
    settle(view)
    assert view.counts["fixes"] == 0
    assert view.counts["unusable"] == 1
    view.drop_unusable()
    settle(view)
    assert view.counts == {"lines": 2, "read": 2, "unusable": 0, "fixes": 0}
    view.check()
    settle(view)
    assert view.status == "done"
    assert len(view.answers) == 2


def test_only_usable_pairs_are_measured_and_with_none_it_is_said(view):
    view.change(lambda table: table.add())
    settle(view)
    view.check()
    settle(view)
    assert view.baseline.values.sizes["prompt"] == 1
    view.change(lambda table: table.remove(line(view).number))
    view.check()
    settle(view)
    assert view.baseline is None
    assert "None of the pairs" in view.told[-1].text


def test_cells_of_a_spreadsheet_are_pasted(view):
    cells = 'Clean\tCorrupt\tright\twrong\r\na\tb\tMary\tJohn\r\n"c\tc"\td\tMary|Helen\tJohn\r\n'
    view.change(lambda table: table.paste(line(view).number, "clean", cells))
    settle(view)
    assert [dict(one.row) for one in view.lines] == [
        {"clean": "a", "corrupt": "b", "right": "Mary", "wrong": "John"},
        {"clean": "c\tc", "corrupt": "d", "right": "Mary|Helen", "wrong": "John"},
    ]
    view.change(lambda table: table.paste(line(view).number, "wrong", "x\ty\tz"))
    assert line(view).row["wrong"] == "x", "what has no column is left out"


def test_an_upload_takes_the_tables_place_and_one_that_cannot_be_read_changes_nothing(view):
    before = view.lines
    bad = {
        "a.csv": "\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        "b.csv": "just some words\nand more",
        "c.json": '{"clean": ',
        "d.csv": "",
        "e.csv": "clean,corrupt,right,wrong\n" + "a,b,c,d\n" * (MOST_ROWS + 1),
        "f.jsonl": "x" * 1_000_001,
    }
    for name, text in bad.items():
        told = len(view.told)
        view.upload(name, text)
        assert len(view.told) == told + 1, name
        assert view.told[-1].level == "error"
        assert "custom" not in view.told[-1].text
        assert view.lines == before
    view.upload("g.jsonl", '{"clean": "a", "corrupt": "b", "right": ["Mary", "Helen"], "wrong": 7, "pos:X": 0}\n')
    assert dict(line(view).row) == {"clean": "a", "corrupt": "b", "right": "Mary|Helen", "wrong": "7", "pos:X": "0"}
    view.upload("no ending", ROWS)
    assert line(view).row["clean"] == CLEAN
    view.change(lambda table: table.undo())
    assert line(view).row["pos:X"] == "0"


def test_a_position_is_named(view):
    view.check()
    settle(view)
    view.name_position("S1")
    settle(view)
    assert line(view).number in view.answers, "a name changes no number"
    assert layout(view).positions["S1"] == layout(view).positions["END"]
    write(view, **{"pos:S1": "Mary"})
    assert layout(view).clean[layout(view).positions["S1"]] == " Mary"
    view.name_position("a,b")
    assert "a position must have a name" in view.told[-1].text


def test_ones_own_pairs_are_kept_under_their_hash_and_open_on_other_pages(view, make):
    said = written(view)
    assert set(said) == {"model", "task", "rows"}
    assert kept_text(view.store.folder, said["rows"]) == view.rows == as_csv(view.lines)
    assert f"rows={said['rows']}" in link("circuits", view, {})
    again = make()
    restore(again, said)
    settle(again)
    assert [dict(one.row) for one in again.lines] == [dict(one.row) for one in view.lines]
    assert not again.told
    rooms = {Circuits: address, Heads: heads_address, Looks: looks_address, Residual: residual_address}
    for kind, room in rooms.items():
        other = make(kind)
        room.restore(other, said)
        assert (other.task, other.rows) == ("custom", view.rows)
        assert room.written(other)["rows"] == said["rows"]
        assert not other.told


@pytest.mark.parametrize("key", ["0" * 16, "../../../etc/passwd", "z" * 16, "", "a" * 4000])
def test_a_hash_edited_by_hand_is_one_notice(make, key):
    other = make()
    restore(other, {"task": "custom", "rows": key})
    assert [one.level for one in other.told] == ["warning"]
    assert other.lines == ()
    assert other.rows == ""


def test_a_kept_text_that_was_changed_is_refused(tmp_path):
    key = keep_text(tmp_path, ROWS)
    assert keep_text(tmp_path, ROWS) == key
    (tmp_path / "texts" / f"{key}.txt").write_text("clean,corrupt,right,wrong\nx,y,z,w\n")
    with pytest.raises(ValueError, match="rows must name a text that this server keeps"):
        kept_text(tmp_path, key)


def test_a_store_that_cannot_be_written_leaves_the_rows_out_of_the_url(make, tmp_path):
    view = make(task="custom", rows=ROWS)
    (tmp_path / "file").write_text("")
    view.store = Store(tmp_path / "file")
    assert set(written(view)) == {"model", "task"}


def test_another_model_reads_them_anew(view, model_of, tmp_path):
    first = layout(view)
    other = str(families.save("llama", tmp_path / "other"))
    view.model = other
    assert view.layouts == {}
    view.check()
    settle(view)
    assert layout(view) != first
    assert not layout(view).usable, "a tokenizer of 23 letters has no names"


def test_another_task_and_back_keeps_ones_own(view):
    rows = view.rows
    view.task = "ioi"
    settle(view)
    assert len(view.lines) == 8
    view.task = "custom"
    settle(view)
    assert view.rows == rows
    assert len(view.lines) == 1


def test_typing_does_not_wait_for_the_models_queue(view):
    """A long run of somebody else's is in the way of the model, not of its tokenizer."""
    import threading

    go = threading.Event()
    busy = view.jobs.submit(view.model, "busy", lambda model, job: go.wait(30))
    try:
        view.change(lambda table: table.write(line(view).number, {"corrupt": "When Mary and"}, typed=True))
        end = time.monotonic() + 15
        while view.live and time.monotonic() < end:
            view.refresh()
            time.sleep(0.01)
        assert busy.live
        assert [problem.kind for problem in layout(view).problems] == ["length"]
    finally:
        go.set()


def test_two_sessions_with_the_same_rows_share_a_job_and_both_are_told(make):
    one, other = make(task="custom", rows=ROWS), make(task="custom", rows=ROWS)
    one.check()
    other.check()
    settle(one)
    settle(other)
    assert len(one.answers) == len(other.answers) == 1
    assert one.baseline is other.baseline or (one.baseline.values == other.baseline.values).all()


def test_tokens_drawn_at_random_are_said_to_be_no_text(make):
    view = make(task="repeated_tokens", options={"n": 2})
    settle(view)
    warned = [one for one in view.told if one.level == "warning"]
    assert bool(warned) == bool(view._otherwise)
    assert view.counts["unusable"] == 0


def test_pages_of_a_long_table(view):
    view.upload("many.csv", "clean,corrupt,right,wrong\n" + "".join(f"book {i % 9},key {i % 9},Mary,John\n" for i in range(30)))
    settle(view)
    view.turn(8)
    assert [one.number for one in view.shown] == [one.number for one in view.lines[8:16]]
    view.turn(999)
    assert view.first == 24
    view.turn(-9)
    assert view.first == 0
