"""The page of attention without a browser: show, lock, pin, a text of one's own, what is refused, and its state in the URL."""

import numpy as np
import pytest

from tests import families
from tests.views.conftest import PROMPTS, ROWS, opened, settle
from workbench.jobs import Jobs
from workbench.methods import METHODS
from workbench.pages import attention_words as words
from workbench.pages.swatch import swatch
from workbench.store import Store
from workbench.views.files import stem
from workbench.views.looks import Looks
from workbench.views.looks_address import restore, written
from workbench.widgets.attention_grid import exact_state

TEXT = "c d e c d e f g"
COUNT = families.LAYERS * families.HEADS
HOSTILE = "<img src=x onerror=window.hacked=1> \u05e9 \U0001f389"


@pytest.fixture
def view(ref, models, tmp_path):
    jobs = Jobs(models)
    yield opened(Looks(jobs, Store(tmp_path / "store"), model=ref, task="custom", rows=ROWS))
    jobs.stop_all(10)


def shown(view, **state):
    view.param.update(**state)
    view.show()
    settle(view)
    assert (view.status, [one.text for one in view.told]) == ("done", [])
    return view


def direct(view):
    """The same, asked of the method."""
    model = view.jobs.models.take(view.model)
    asked = view.asked
    return METHODS["attention"](model, asked.pairs(model) if asked.task else None, **asked.params)


def test_the_grid_is_that_of_the_method_and_the_locked_head_is_exact(view):
    shown(view)
    whole = direct(view)
    assert view.grid.origin == whole.origin
    made = view.grid.thumbnails
    assert (made.layers, made.heads, made.tokens, made.pool) == (families.LAYERS, families.HEADS, 7, 1)
    assert view.grid.words == PROMPTS[0].split()
    np.testing.assert_allclose(made.scales, whole.values.max(("query", "key")).values.ravel(), atol=1e-6)
    assert [one["name"] for one in view.columns] == [f"here {name}" for name in whole.parts]
    view.lock((2, 1))
    settle(view)
    assert np.array_equal(view.exact.values, whole.values[2, 1])
    assert view.exact.origin.params["layer"] == 2
    query, key, value = view.largest[0]
    assert value == whole.values[2, 1].values.max() == whole.values[2, 1, query, key]
    state = exact_state(0, view.exact.values.values, view.window)
    assert len(state["exact"]) == 4 * 7 * 7
    view.lock(None)
    assert (view.head, view.exact, view.largest) == (None, None, [])


def pasted(code):
    names = {}
    exec(code, names)
    return names["result"]


@pytest.mark.parametrize("weighted", [False, True])
def test_a_prompt_too_long_to_be_kept_whole_keeps_its_menu_and_the_locked_head_has_all(view, weighted, monkeypatch):
    from workbench.pages.attention import AttentionPage

    monkeypatch.setattr("workbench.views.looking.KEPT", COUNT * 7 * 7 - 1)
    page = AttentionPage(view)
    shown(view, weighted=weighted)
    whole, menu = direct(view), page.grid.menu
    assert view.grid.whole is None
    assert whole.origin.key not in view.store, "what is too large is not stored"
    assert menu.visible
    again = pasted(menu.about["code"])
    assert again.origin == whole.origin
    assert np.array_equal(again.values, whole.values)
    told = dict(menu.about["told"])
    assert (told["unit"], told["key"]) == (whole.unit, whole.origin.key)
    assert told["axes"] == "layer (3) × head (4) × query (7) × key (7)"
    assert (menu.about["title"], menu.about["file"]) == (whole.title, stem(whole))
    assert "lock a head and save that" in menu.about["missing"]
    sent = []
    monkeypatch.setattr(menu, "_send_msg", sent.append)
    for want in ("numbers", "csv", "json", "html"):
        menu._handle_msg({"want": want})
    assert sent == [{"problem": menu.about["missing"]}] * 4
    assert not page.menu.visible, "no head is locked"
    view.lock((2, 1))
    settle(view)
    assert page.menu.visible
    assert page.menu.about["missing"] == ""
    head = pasted(page.menu.about["code"])
    assert np.array_equal(head.values, whole.values[2, 1])
    assert head.origin == view.exact.origin
    # A prompt that is kept whole has everything again.
    monkeypatch.setattr("workbench.views.looking.KEPT", COUNT * 7 * 7)
    shown(view, prompt=1)
    assert view.grid.whole is not None
    assert menu.about["missing"] == ""


@pytest.mark.parametrize("by", ["layer", "head"])
def test_the_code_of_more_numbers_than_one_call_gives_asks_for_them_in_parts(view, by, monkeypatch, capsys):
    shown(view)
    whole, layer = direct(view), families.HEADS * 7 * 7
    assert view.grid.code(ROWS) == ""
    monkeypatch.setattr("workbench.methods.attention.MOST", layer if by == "layer" else layer - 1)
    code = view.grid.code(ROWS)
    capsys.readouterr()
    last = pasted(code)
    parts = capsys.readouterr().out.splitlines()
    assert len([one for one in parts if one.startswith("Attention in layer")]) == (3 if by == "layer" else COUNT)
    assert np.array_equal(last.values, whole.values[-1] if by == "layer" else whole.values[-1, -1])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_locked_head_is_named_in_its_colour(view, theme):
    shown(view)
    assert "aria-hidden" not in words.head_link(view, theme)
    view.lock((2, 1))
    assert f"{swatch(2 * families.HEADS + 1, theme)}Head 2.1<" in words.head_link(view, theme)


def test_another_prompt_is_shown_at_once_and_the_locked_head_follows(view):
    view.prompt = 1
    assert not view._several, "nothing is computed before Show"
    view.prompt = 0
    shown(view)
    view.lock((1, 0))
    settle(view)
    for state in ({"prompt": 2}, {"of": "corrupt"}, {"weighted": True}):
        view.param.update(**state)
        assert view.live
        settle(view)
        whole = direct(view)
        assert view.grid.origin == whole.origin
        assert np.array_equal(view.exact.values, whole.values[1, 0])
    assert view.grid.unit == "norm"
    assert view.prompts == [f"{at + 1}: {''.join(words.split())}" for at, words in enumerate(PROMPTS)]


def test_a_text_of_ones_own_needs_no_pairs(view):
    shown(view, rows="", source="text", text=TEXT)
    assert (view.asked.task, view.asked.rows) == ("", "")
    assert view.grid.words == TEXT.split()
    assert view.grid.origin == direct(view).origin
    view.text = "c d"
    assert not view._several, "typing asks for nothing"
    shown(view, text=HOSTILE)
    assert len(view.grid.words) == len(HOSTILE.split())


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"source": "text", "text": "  "}, "at least one word"),
        ({"source": "text", "text": "c " * 60_000}, "at most 100000 characters"),
        ({"source": "text", "text": "c " * 10_000}, "at most 2048 tokens to be shown; got 10000"),
        ({"source": "text", "text": "c " * 200}, "at most 160 tokens, this model's context"),
        ({"rows": ""}, "your pairs must be at least 1 row"),
        ({"prompt": 9}, "prompt must be from 0 to 2"),
        ({"model": "../x"}, "without '..'"),
    ],
)
def test_what_cannot_be_shown_is_one_notice(view, state, said):
    view.param.update(**state)
    if "prompt" in state:
        view.prompt = 9
    view.show()
    settle(view)
    assert [said in one.text for one in view.told] == [True]
    assert view.grid is None


def test_a_head_there_is_not_is_told(view):
    view.head = (9, 9)
    view.show()
    settle(view)
    assert any("must be from 0" in one.text for one in view.told)
    assert (view.head, view.exact) == (None, None)
    assert view.grid is not None


def test_what_is_shown_goes_with_its_model_and_task(view):
    shown(view, pinned=[3, 1], sort="pinned")
    view.lock((0, 1))
    view.rows = ROWS.replace("d h b", "d i b")
    assert (view.grid, view.head, view.pinned, view.columns, bool(view._several)) == (None, None, [-1, -1], [], False)


def test_heads_are_sorted_by_a_stored_table_of_heads(view, monkeypatch):
    store, model = view.store, view.jobs.models.take(view.model)
    asked = {"examples": 2, "length": 4, "copies": 2}
    found = METHODS["heads"](model, view.question().pairs(model), **asked)
    monkeypatch.setattr("workbench.views.looks.answers", lambda at, asked: {"heads": found} if at is store else {})
    shown(view, sort="entropy")
    columns = {one["name"]: one for one in view.columns}
    np.testing.assert_allclose(
        columns["entropy"]["values"], found.values.sel(detector="entropy").values.ravel(), rtol=1e-6
    )  # fmt: skip
    assert columns["name mover"]["signed"]
    assert view.sort == "entropy"
    shown(view, sort="moon")
    assert view.sort == ""


def test_stop_ends_it(view):
    view.show()
    view.stop()
    settle(view)
    assert view.status in ("stopped", "done")


def test_the_url_brings_the_state_back(view, ref):
    shown(view, weighted=True, of="corrupt", prompt=1, own=False)
    view.lock((1, 2))
    settle(view)
    view.param.update(pinned=[4, -1], sort="pinned", least=0.25)
    said = written(view)
    other = opened(Looks(view.jobs, view.store, rows=ROWS))
    restore(other, said)
    settle(other)
    assert other.told == []
    for name in ("model", "weighted", "of", "prompt", "own", "head", "pinned", "sort", "least", "source"):
        assert getattr(other, name) == getattr(view, name), name
    assert written(other) == said
    assert other.grid.origin == view.grid.origin
    assert np.array_equal(other.exact.values, view.exact.values)


def test_a_text_is_in_the_url_where_it_is_short(view):
    view.param.update(source="text", text=HOSTILE)
    assert written(view)["text"] == HOSTILE
    other = opened(Looks(view.jobs, view.store))
    restore(other, written(view))
    assert (other.text, other.source, other.grid) == (HOSTILE, "text", None)
    view.text = "c " * 2000
    assert "text" not in written(view)


def test_a_url_edited_by_hand_gives_one_notice(view):
    query = {
        "model": "../../etc", "task": "moon", "source": "x", "prompt": "-1", "of": "both", "weighted": "1", "head": "1.2.3",
        "pinned": "a.b", "least": "9", "colours": "red", "own": "<b>", "shown": "maybe", "moon": "1", "text": "c" * 9999,
    }  # fmt: skip
    restore(view, query)
    assert len(view.told) == 1
    assert view.told[0].level == "warning"
    for name in ("model", "task", "source", "prompt", "weighted", "head", "pinned", "least", "own", "moon", "text"):
        assert name in view.told[0].text
    assert not view._several
