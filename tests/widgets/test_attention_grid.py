"""What the grid of attention is drawn from: bytes that say the numbers, and the twins of its script."""

import numpy as np
import pytest
import xarray as xr

from workbench.errors import BadInput
from workbench.result import Scores
from workbench.widgets.attention_grid import ATTENTION_GRID, WINDOW, exact_state, state_of
from workbench.widgets.thumbnails import MOST_BYTES, Packing, pool_for


def made(layers=2, heads=3, tokens=5, seed=0):
    values = np.tril(np.random.default_rng(seed).random((layers, heads, tokens, tokens)) + 0.1)
    words = [f"<b>{at}</b>" for at in range(tokens)]
    coords = {"layer": np.arange(layers), "head": np.arange(heads), "query": words, "key": words}
    values[1, 2] = 0
    parts = {"induction": xr.DataArray(values[..., 0, 0] - 0.5, dims=("layer", "head"))}
    parts["induction"][0, 0] = np.nan
    over = xr.DataArray(values, dims=("layer", "head", "query", "key"), coords=coords)
    return Scores("Attention", "share of attention", over, parts=parts)


def unpacked(state):
    """The numbers that the bytes stand for, head × query × key."""
    about = state["about"]
    side = -(-about["tokens"] // about["pool"])
    each = np.frombuffer(state["data"], np.uint8).reshape(-1, side * (side + 1) // 2)
    found = np.zeros((len(each), side, side))
    found[:, *np.tril_indices(side)] = each / 255 * np.array(about["scales"])[:, None]
    return found


def test_the_bytes_give_every_number_back_to_half_a_step():
    result = made()
    state = state_of(result)
    whole = result.values.values.reshape(-1, 5, 5)
    assert np.abs(unpacked(state) - whole).max() <= whole.max() / 510 + 1e-9
    assert state["about"]["scales"][-1] == 0
    assert state["about"]["words"][0] == "<b>0</b>"
    (column,) = state["columns"]
    assert column["values"][0] is None
    assert column["values"][1] == pytest.approx(float(result.parts["induction"][0, 1]))
    assert column["signed"]


def test_long_prompts_are_pooled_by_their_largest():
    packing = Packing(1, 2, 1030)
    values = np.zeros((2, 1030, 1030), np.float32)
    values[0, 700, 3] = values[1, 1029, 1029] = 0.5
    packing.add(values)
    thumbnails = packing.done()
    assert (thumbnails.pool, thumbnails.side) == (3, 344)
    state = {"about": {"tokens": 1030, "pool": 3, "scales": thumbnails.scales}, "data": thumbnails.data}
    found = unpacked(state)
    assert np.argwhere(found).tolist() == [[0, 700 // 3, 1], [1, 343, 343]]


@pytest.mark.parametrize(("heads", "tokens", "pool"), [(270, 64, 1), (144, 256, 1), (270, 256, 1), (12, 512, 1), (12, 513, 2)])
def test_prompts_are_pooled_only_where_they_must_be(heads, tokens, pool):
    assert pool_for(heads, tokens) == pool
    side = -(-tokens // pool)
    assert heads * side * (side + 1) // 2 <= MOST_BYTES


def test_270_heads_of_64_tokens_and_144_of_256_cross_the_wire_small():
    assert 270 * 64 * 65 // 2 < 700_000
    assert 144 * 256 * 257 // 2 < 5_000_000


def test_the_locked_head_is_sent_whole_or_by_the_window():
    values = np.random.default_rng(0).random((5, 5))
    state = exact_state(4, values)
    assert np.array_equal(np.frombuffer(state["exact"], "<f4").reshape(5, 5), values.astype("<f4"))
    assert state["exact_of"] == {"head": 4, "query": 0, "key": 0, "rows": 5, "columns": 5}
    long = np.zeros((700, 700))
    long[699, 650] = 1
    state = exact_state(0, long, [690, 100_000])
    assert (state["exact_of"]["query"], state["exact_of"]["key"]) == (700 - WINDOW, 700 - WINDOW)
    assert np.frombuffer(state["exact"], "<f4").reshape(WINDOW, WINDOW)[-1, 650 - 700 + WINDOW] == 1


def test_only_attention_of_all_heads_makes_a_grid():
    result = made()
    with pytest.raises(BadInput, match="over layer, head, query and key; got query, key"):
        state_of(result.replace(values=result.values[0, 0], parts={}))


def test_the_widget_sends_the_head_that_is_locked_in_full_precision():
    pytest.importorskip("anywidget", reason="needs anywidget: pip install -e '.[notebooks]'")
    from workbench import attention_grid

    result = made()
    grid = attention_grid(result, locked="1.1")
    assert grid.head == (1, 1)
    assert np.array_equal(np.frombuffer(grid.exact, "<f4").reshape(5, 5), result.values.values[1, 1].astype("<f4"))
    grid.locked = 2
    assert grid.head == (0, 2)
    assert grid.exact_of["head"] == 2
    grid.locked = -1
    assert grid.head is None
    for locked, said in (("2.0", "layer must be from 0 to 1"), ("0.3", "head must be from 0 to 2"), ("x", "LAYER.HEAD")):
        with pytest.raises(BadInput, match=said):
            attention_grid(result, locked=locked)


def test_the_twins_have_the_same_traits():
    pytest.importorskip("anywidget", reason="needs anywidget: pip install -e '.[notebooks]'")
    from workbench.pages.widget import panel_class
    from workbench.widgets.widget import notebook

    twin, other = notebook(ATTENTION_GRID)(), panel_class(ATTENTION_GRID)()
    for trait in ATTENTION_GRID.traits:
        assert getattr(twin, trait.name) == getattr(other, trait.name) == trait.default
