"""Figures of the residual stream: bars along the layers, paths in a plane, colours by logarithm, heights that are asked for."""

import numpy as np
import pytest
import xarray as xr

from tests.plots.samples import ORIGIN, scores
from workbench.plots import figure
from workbench.result import Scores


def shares(**notes):
    made = scores("layer", "part", "prompt", part=2, notes=notes)
    return made.replace(values=made.values.assign_coords(part=["attention", "MLP"]))


def paths(dim="pos", count=7, share=(0.5, 0.2)):
    values = np.random.default_rng(0).normal(size=(len(share), 3, count))
    coords = {"token": ("pos", [f"<{index}>" for index in range(count)])} if dim == "pos" else {}
    parts = {"variance": xr.DataArray(list(share), dims=("component",))}
    if dim == "prompt":
        parts["answer"] = xr.DataArray([f"<{index % 8}>" for index in range(count)], dims=("prompt",))
    values = xr.DataArray(values, dims=("component", "layer", dim), coords=coords)
    return Scores("Paths", "coordinate", values, parts=parts, notes={"sign": "none"}, origin=ORIGIN)


def test_parts_of_layers_are_bars_along_the_layers_where_that_is_asked_for():
    fig = figure(shares(), along=True, width=500)
    mean = shares().values.mean("prompt")
    assert [trace.name for trace in fig.data] == ["attention", "MLP"]
    for trace, part in zip(fig.data, ("attention", "MLP"), strict=True):
        assert np.allclose(trace.x, mean.sel(part=part))
        assert list(trace.y) == [0, 1, 2]
    assert fig.layout.meta == {"rows": "layer"}
    assert "s.e." in fig.data[0].hovertext[0]
    assert figure(shares()).data[0].type == "heatmap"
    assert figure(scores("layer", "head"), along=True).data[0].type == "heatmap", "heads are no parts"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_paths_are_a_line_for_each_token_from_first_to_last_layer(theme):
    made = paths()
    fig = figure(made, theme=theme, width=500)
    for index in range(7):
        assert np.allclose(fig.data[index].x, made.values.sel(component=0).isel(pos=index))
        assert np.allclose(fig.data[index].y, made.values.sel(component=1).isel(pos=index))
        assert "&lt;" in fig.data[index].hovertext[0]
        assert "output" in fig.data[index].hovertext[-1]
    assert fig.layout.meta == {"paths": "pos", "points": "layer"}
    assert "50%" in fig.layout.xaxis.title.text
    assert "20%" in fig.layout.yaxis.title.text
    assert len({trace.line.color for trace in fig.data[:7]}) == 7


def test_ends_take_the_colour_of_their_answer_and_the_rest_is_grey():
    fig = figure(paths("prompt", 16))
    inks = [trace.line.color for trace in fig.data[:16]]
    assert inks[:8] == inks[8:]
    assert len(set(inks)) == 7
    assert [trace.name for trace in fig.data[16:]][-1] == "2·others" or "2 others" in [trace.name for trace in fig.data[16:]]


def test_one_component_alone_and_no_variance_are_said():
    assert figure(paths(share=(1.0,))).layout.yaxis.title.text == "no second component"
    assert "no variance" in figure(paths(share=(np.nan, np.nan))).layout.xaxis.title.text


def test_colours_go_by_the_logarithm_where_that_is_asked_for_and_numbers_stay():
    made = scores("layer", "pos", notes={"range": "positive"})
    made = made.replace(values=np.abs(made.values) * 1000)
    fig = figure(made, log=True)
    assert np.allclose(fig.data[0].z, np.log10(1 + made.values))
    assert fig.data[0].zmax == pytest.approx(np.log10(1 + float(made.values.max())))
    assert "1,000" in fig.data[0].colorbar.ticktext
    assert f"{made.values.values[0, 0]:.4g}" in fig.data[0].hovertext[0][0]
    signed = scores("layer", "pos")
    assert np.allclose(figure(signed, log=True).data[0].z, signed.values), "numbers below 0 have none"


def test_the_height_of_many_rows_is_what_is_asked_for():
    made = scores("layer", "head", layer=30)
    tall, low = (figure(made, tall=tall).layout.height for tall in (600, 300))
    assert tall - low == pytest.approx(300, abs=2)


def test_without_its_colour_bar_a_map_keeps_its_cells_in_less_width():
    whole, bare = figure(scores("layer", "head"), width=500), figure(scores("layer", "head"), width=410, bar=False)
    assert whole.data[0].showscale
    assert not bare.data[0].showscale
    inside = [fig.layout.width - fig.layout.margin.l - fig.layout.margin.r for fig in (whole, bare)]
    assert inside[0] == pytest.approx(inside[1], abs=1)
    assert figure(scores("layer", "head"), width=240, bar=False).layout.width == 240
