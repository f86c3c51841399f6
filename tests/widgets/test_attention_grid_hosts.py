"""The grid of attention in its other hosts: a file that opens offline, and a notebook in a real JupyterLab."""

import pytest

from tests.pages.conftest import EXPECT, chromium  # noqa: F401
from tests.widgets.conftest import ran, until
from tests.widgets.test_attention_grid import made
from workbench.widgets.attention_grid import ATTENTION_GRID, exact_state, state_of
from workbench.widgets.widget import static

pytestmark = pytest.mark.browser

CELL = """
import numpy as np, xarray as xr
from workbench import Scores, attention_grid
values = np.tril(np.ones((2, 3, 4, 4)) * np.arange(1, 7).reshape(2, 3, 1, 1) / 10)
words = ["a", "<b>b</b>", "c", "d"]
over = xr.DataArray(values, dims=("layer", "head", "query", "key"), coords={"query": words, "key": words})
grid = attention_grid(Scores("Attention", "share of attention", over))
grid.observe(lambda change: print("locked", grid.head, len(grid.exact), file=open("heard.txt", "a")), "locked")
grid
"""


def spot(tab, head):
    """Where a head's thumbnail stands on the canvas."""
    said = tab.locator("canvas.base").evaluate("canvas => canvas.dataset.spots")
    x, y, size = next(list(map(float, one.split(":")[1].split(","))) for one in said.split(" ") if one.startswith(head + ":"))
    return {"x": x + size / 2, "y": y + size / 2}


def test_a_file_draws_all_heads_offline_and_a_click_locks(chromium, tmp_path):  # noqa: F811
    policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
    result = made()
    state = state_of(result) | {"locked": 4} | exact_state(4, result.values.values[1, 1])
    file = tmp_path / "grid.html"
    head = f'<!doctype html><meta charset=utf-8><meta http-equiv=Content-Security-Policy content="{policy}">'
    file.write_text(head + static(ATTENTION_GRID, state), encoding="utf-8")
    tab = chromium.new_page(viewport={"width": 1000, "height": 800})
    requests, errors = [], []
    tab.on("request", lambda request: requests.append(request.url))
    tab.on("pageerror", lambda problem: errors.append(str(problem)))
    tab.goto(file.as_uri())
    tab.locator("canvas.base[data-locked='1.1'][data-exact='true']").wait_for(timeout=EXPECT)
    assert tab.locator(".tokens button").first.text_content() == "<b>0</b>"
    tab.locator("canvas.over").click(position=spot(tab, "0.2"))
    tab.locator("canvas.base[data-locked='0.2'][data-exact='false']").wait_for(timeout=EXPECT)
    tab.get_by_text("≈ Numbers in 255 steps").wait_for(timeout=EXPECT)
    assert requests == [file.as_uri()]
    assert not errors
    tab.close()


@pytest.mark.slow
def test_in_jupyterlab_the_grid_is_drawn_and_a_click_arrives_in_python(chromium, lab, tmp_path):  # noqa: F811
    tab = chromium.new_page(viewport={"width": 1300, "height": 900})
    requests = []
    tab.on("request", lambda request: requests.append(request.url))
    ran(tab, lab)
    tab.locator("canvas.over").click(position=spot(tab, "1.2"))
    tab.locator("canvas.base[data-locked='1.2'][data-exact='true']").wait_for(timeout=EXPECT)
    heard = tmp_path / "heard.txt"
    until(tab, lambda: heard.is_file() and heard.read_text(), EXPECT / 1000)
    assert heard.read_text().startswith("locked (1, 2)")
    assert not [one for one in requests if not one.startswith(("http://127.0.0.1", "data:", "blob:"))]
    tab.close()
