"""The grid of attention beside the table of heads, without a browser: asked for only when wanted, and tied both ways."""

import numpy as np
import pytest

from tests import families
from tests.views.conftest import opened, settle
from workbench.jobs import Jobs, Models
from workbench.methods import METHODS
from workbench.store import Store
from workbench.views.heads import Heads
from workbench.views.heads_address import restore, written
from workbench.widgets.attention_grid import GIVEN

PROMPTS = ("d h b c f g a", "b h d e f g a", "e d c b h g a")
ROWS = "clean,corrupt,right,wrong\n" + "".join(f"{words},i{words[1:]},b,d\n" for words in PROMPTS)
SMALL = {"examples": 3, "length": 4, "copies": 3}
COUNT = families.LAYERS * families.HEADS


@pytest.fixture(scope="module")
def ref(tmp_path_factory):
    """A tiny model as a folder."""
    return str(families.save("llama", tmp_path_factory.mktemp("heads_grid")))


@pytest.fixture(scope="module")
def models():
    return Models()


@pytest.fixture
def view(ref, models, tmp_path):
    jobs = Jobs(models)
    made = opened(Heads(jobs, Store(tmp_path / "store"), model=ref, task="custom", rows=ROWS, params=SMALL))
    made.find()
    settle(made)
    yield made
    jobs.stop_all(10)


def shown(view):
    view.grid.show()
    settle(view)
    assert (view.grid.status, view.told) == ("done", [])
    return view.grid


def test_nothing_is_computed_for_the_grid_until_it_is_asked_for(view):
    view.open((1, 2))
    settle(view)
    assert (view.grid.grid, view.grid.asked, view.grid.exact) == (None, None, None)
    whole = shown(view).grid.whole
    direct = METHODS["attention"](view.jobs.models.take(view.model), view.question().pairs(view.jobs.models.take(view.model)))
    assert whole.origin == direct.origin
    assert np.array_equal(view.grid.exact.values, direct.values[1, 2]), "the open head is locked"


@pytest.mark.parametrize("weighted", [False, True])
def test_the_locked_head_has_a_menu_of_its_own_where_not_all_are_kept(view, weighted, monkeypatch):
    from workbench.pages.heads import HeadsPage

    monkeypatch.setattr("workbench.views.looking.KEPT", 1)
    page = HeadsPage(view)
    view.grid.weighted = weighted
    shown(view)
    assert view.grid.grid.whole is None
    assert page.grid.grid.menu.visible
    assert (page.grid.row.visible, page.grid.menu.visible) == (False, False), "no head is locked"
    view.open((1, 2))
    settle(view)
    assert page.grid.menu.visible
    assert page.grid.row.visible
    assert ("weighted by values" in page.grid.locked.object) == weighted
    names = {}
    exec(page.grid.menu.about["code"], names)
    assert names["result"].origin == view.grid.exact.origin
    assert np.array_equal(names["result"].values, view.grid.exact.values)
    assert page.head.attention.menu.visible, "so has the card of the open head"
    view.close()
    assert (page.grid.row.visible, page.grid.menu.visible) == (False, False)


def test_a_row_locks_its_head_and_a_locked_head_is_that_of_the_row(view):
    grid = shown(view)
    view.open((2, 1))
    assert grid.head == (2, 1)
    grid.lock((0, 3))
    assert view.head.head == (0, 3)
    settle(view)
    assert view.head.attention.scores.origin.params["head"] == 3
    grid.lock(None)
    assert view.head.head is None
    view.open((1, 1))
    view.close()
    assert grid.head is None


def test_heads_stand_as_the_rows_do_and_those_filtered_out_are_left(view):
    grid = shown(view)
    assert grid.sort == GIVEN
    assert grid.given["heads"] == view.order
    assert grid.given["column"]["name"] == "induction"
    view.sort_by("entropy")
    assert grid.given["heads"] == np.argsort(-view.table.columns["entropy"].values, kind="stable").tolist()
    view.sort_by("entropy")
    assert grid.given["heads"] == view.order == np.argsort(view.table.columns["entropy"].values, kind="stable").tolist()
    view.narrow("layer>=1")
    assert grid.given["heads"] == view.order
    assert len(view.order) == COUNT - families.HEADS
    grid.sort = "here entropy"
    view.sort_by("name")
    assert (grid.sort, grid.given["column"]) == (GIVEN, None)
    assert not any(one["name"] in view.table.columns for one in grid.columns)


def test_prompt_and_side_are_those_of_the_open_head(view):
    grid = shown(view)
    view.open((1, 2))
    view.head.look(prompt=2, of="corrupt")
    settle(view)
    assert (grid.prompt, grid.of) == (2, "corrupt")
    assert grid.grid.origin.params["prompt"] == 2
    grid.param.update(prompt=1, of="clean")
    settle(view)
    looked = view.head.attention
    assert (looked.prompt, looked.of, looked.scores.origin.params["prompt"]) == (1, "clean", 1)
    np.testing.assert_allclose(grid.exact.values, looked.scores.values, atol=1e-6)


def test_other_pairs_empty_the_grid_and_the_head_stays_open(view):
    grid = shown(view)
    view.open((1, 2))
    settle(view)
    view.rows = ROWS.replace("d h b", "d i b")
    assert (grid.grid, grid.asked, grid.rows) == (None, None, view.rows)
    assert view.head.head == grid.head == (1, 2)
    assert grid.given == {}
    view.find()
    settle(view)
    assert grid.given["heads"] == view.order
    shown(view)
    grid.hide()
    assert (grid.grid, grid.asked, grid.head) == (None, None, (1, 2))


def test_the_url_brings_the_grid_back(view):
    view.open((1, 2))
    grid = shown(view)
    view.sort_by("distance")
    grid.param.update(weighted=True, pinned=[4, -1], least=0.25)
    settle(view)
    said = written(view)
    assert said["grid.shown"] == "yes"
    assert "grid.sort" not in said
    other = opened(Heads(view.jobs, view.store, params=SMALL))
    restore(other, said)
    other.find()
    settle(other)
    assert other.told == []
    for name in ("head", "weighted", "pinned", "least", "sort", "given"):
        assert getattr(other.grid, name) == getattr(grid, name), name
    assert other.grid.grid.origin == grid.grid.origin
    assert written(other) == said
    grid.sort = ""
    assert written(view)["grid.sort"] == "name"
    restore(other, {"grid.pinned": "x", "grid.sort": "name", "grid.moon": "1"})
    assert other.grid.sort == ""
    assert "pinned" in other.told[-1].text
    assert "grid.moon" in other.told[-1].text
