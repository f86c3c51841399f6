"""Curves hold their numbers; bands stop where numbers are missing."""

import numpy as np
import pytest
import xarray as xr

from tests.plots import samples
from workbench.plots import figure
from workbench.result import Curve


def lines(fig):
    return [trace for trace in fig.data if trace.fill is None]


def bands(fig):
    return [trace for trace in fig.data if trace.fill == "toself"]


def test_lines_hold_the_numbers():
    made = samples.curve()
    fig = figure(made)
    drawn = lines(fig)
    assert [np.array_equal(one.y, made.values.values[i]) for i, one in enumerate(drawn)] == [True, True]
    assert [list(one.x) for one in drawn] == [[1, 2, 4, 8, 16, 32]] * 2
    assert [one.name for one in drawn] == ["exact", "estimate"]
    assert len({one.line.color for one in drawn}) == 2
    assert (fig.layout.xaxis.title.text, fig.layout.yaxis.title.text) == ("size", "share")
    assert drawn[1].hovertext[2] == f"<b>estimate</b><br>size 4<br>{made.values.values[1, 2]:.4g} share"
    assert bands(fig) == []


def test_titles_legend_and_scale_of_the_axis():
    made = samples.curve()
    fig = figure(made.replace(notes={"x": "edges kept"}), log=True)
    assert fig.layout.xaxis.title.text == "edges kept"
    assert fig.layout.xaxis.type == "log"
    assert fig.layout.showlegend
    assert not figure(made.replace(values=made.values[:1])).layout.showlegend


def test_words_on_the_axis():
    made = samples.curve()
    fig = figure(made.replace(values=made.values.assign_coords(size=list("abcdef"))))
    assert list(lines(fig)[0].x) == [0, 1, 2, 3, 4, 5]
    assert list(fig.layout.xaxis.ticktext) == list("abcdef")


def test_bands_go_around_the_lines():
    made = samples.curve()
    made = made.replace(lower=made.values - 0.5, upper=made.values + 0.25, notes={"interval": "s.e."})
    fig = figure(made)
    low, high = made.lower.values[1], made.upper.values[1]
    assert list(bands(fig)[1].y[:-1]) == [*high, *low[::-1]]
    assert list(bands(fig)[1].x[:-1]) == [1, 2, 4, 8, 16, 32, 32, 16, 8, 4, 2, 1]
    assert lines(fig)[1].line.color == "#d55e00"
    assert bands(fig)[1].fillcolor == "rgba(213,94,0,0.18)"
    assert bands(fig)[1].legendgroup == lines(fig)[1].legendgroup
    assert lines(fig)[1].hovertext[0].endswith(f"<br>{low[0]:.4g} to {high[0]:.4g} s.e.")


def test_missing_numbers_are_gaps_in_line_and_band():
    made = samples.curve()
    values = made.values.copy()
    values[0, 2:4] = np.nan
    made = made.replace(values=values, lower=values - 1, upper=values + 1, notes={"nan": "diverged"})
    fig = figure(made)
    assert np.isnan(lines(fig)[0].y).tolist() == [False, False, True, True, False, False]
    assert not lines(fig)[0].connectgaps
    assert list(bands(fig)[0].x) == [1, 2, 2, 1, None, 16, 32, 32, 16, None]
    said = next(one.text for one in fig.layout.annotations if one.name == "caption")
    assert said.startswith("Gaps in a line, not computed: diverged")


@pytest.mark.parametrize("count", [7, 8, 30])
def test_more_series_than_colours_can_be_told_apart(count):
    made = samples.curve()
    many = samples.array("series", "size", series=count).assign_coords(series=[f"s{i}" for i in range(count)])
    drawn = lines(figure(made.replace(values=many)))
    assert len({(one.line.color, one.line.dash) for one in drawn}) == min(count, 28)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_transition_is_marked_at_its_median(theme):
    values = xr.DataArray([[0.0, 0.5, 1.0]], dims=("series", "step"), coords={"series": ["a"], "step": [0, 50, 100]})
    moved = [40.0, np.nan, 60.0, 70.0]
    marked = Curve("C", "share", values, parts={"transition": xr.DataArray(moved, dims="seed")})
    made = figure(marked, theme=theme)
    (line,) = made.layout.shapes
    assert (line.x0, line.x1) == (60, 60)
    assert [note.text for note in made.layout.annotations if note.x == 60] == ["transition, step 60"]
    none = Curve("C", "share", values, parts={"transition": xr.DataArray([np.nan], dims="seed")})
    assert not figure(none).layout.shapes
