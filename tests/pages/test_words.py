"""What the page says is safe as HTML, whatever stands in it."""

import numpy as np
import pytest
import xarray as xr

from workbench.jobs import Jobs
from workbench.pages import words
from workbench.result import Scores
from workbench.store import Store
from workbench.views.circuits import Circuits

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def view(tmp_path):
    return Circuits(Jobs(), Store(tmp_path))


def test_a_message_of_the_attention_panel_is_text(view):
    view.attention.param.update(status=HOSTILE, layer=1)
    assert "<img" not in words.looks(view)
    assert "&lt;img" in words.looks(view)


def test_a_baseline_says_its_warning_as_text():
    values = xr.DataArray(
        np.array([[1.0, 2.0], [-0.001, -0.001]]), dims=("run", "prompt"), coords={"run": ["clean", "corrupt"]}
    )
    found = Scores("Baseline", HOSTILE, values, notes={"accuracy": HOSTILE, "warning": HOSTILE})
    said = words.baseline(found)
    assert "<img" not in said
    assert said.count("&lt;img") == 3
    assert "+1.50 on clean, +0.00 on corrupt" in said
    assert "alert" in said, "a warning has a role of its own"


@pytest.mark.parametrize(
    ("status", "progress", "left", "said"),
    [
        ("running", 0.5, 12.4, "Patching z · 50% · about 12 s left"),
        ("running", 0.5, 200.0, "Patching z · 50% · about 3 min left"),
        ("queued", None, None, "Patching z"),
        ("idle", None, None, "Shown from the store."),
        ("done", 1.0, None, "Done."),
    ],
)
def test_the_status_is_a_short_line(view, status, progress, left, said):
    view.param.update(status=status, label="Patching z", progress=progress, seconds_left=left, result=1)
    assert words.status(view) == said
