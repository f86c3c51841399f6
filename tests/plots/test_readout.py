"""Readouts show the likeliest token of each cell, its probability as a colour, and the others in the hover."""

import numpy as np
import pytest
import xarray as xr

from tests.plots import samples
from workbench.errors import BadInput
from workbench.plots import figure
from workbench.plots.text import token


def said(fig):
    return next((one.text for one in fig.layout.annotations if one.name == "subtitle"), "")


@pytest.mark.parametrize("dims", [("layer", "pos"), ("pos", "layer"), ("layer", "head")])
def test_cells_hold_the_likeliest_token(dims):
    made = samples.readout(*dims)
    fig = figure(made)
    rows, columns = fig.layout.meta["rows"], fig.layout.meta["columns"]
    best = made.values.isel(rank=0).transpose(rows, columns)
    words = made.parts["token"].isel(rank=0).transpose(rows, columns)
    (drawn,) = fig.data
    assert np.array_equal(drawn.z, best.values)
    assert [list(row) for row in drawn.text] == [[token(word) for word in row] for row in words.values]
    assert (drawn.zmin, drawn.zmax) == (0, 1)
    assert drawn.colorbar.title.text == "probability"
    if columns == "pos":
        assert list(fig.layout.xaxis.ticktext) == samples.SHOWN


def test_hover_lists_all_ranks():
    made = samples.readout()
    (drawn,) = figure(made).data
    p = made.values.values[2, 3]
    words = made.parts["token"].values[2, 3]
    expected = ["layer 2", "pos 3 “·the”", *(f"{q:.3f}  {token(word)}" for q, word in zip(p, words, strict=True))]
    assert drawn.hovertext[2][3].split("<br>") == expected


def test_ranks_side_by_side_where_there_is_one_dim():
    made = samples.readout("layer")
    fig = figure(made)
    (drawn,) = fig.data
    assert np.array_equal(drawn.z, made.values.values)
    assert (fig.layout.yaxis.title.text, fig.layout.xaxis.title.text) == ("layer", "rank")
    assert drawn.hovertext[1][1] == f"layer 1<br>rank 1<br>{made.values.values[1, 1]:.3f}  ·w3"


def test_a_single_cell():
    (drawn,) = figure(samples.readout("layer").replace(**_first(samples.readout("layer")))).data
    assert drawn.z.shape == (1, 2)


def _first(made):
    return {"values": made.values[0], "parts": {"token": made.parts["token"][0]}}


def test_further_dims_are_chosen_and_named():
    made = samples.readout("prompt", "layer", "pos")
    fig = figure(made)
    assert np.array_equal(fig.data[0].z, made.values.values[0, ..., 0])
    assert said(fig) == "prompt 0 (1 of 5)"
    fig = figure(made, at={"prompt": 4})
    assert np.array_equal(fig.data[0].z, made.values.values[4, ..., 0])
    assert said(fig) == "prompt 4 (5 of 5)"
    fig = figure(made, at={"layer": 1})
    assert np.array_equal(fig.data[0].z, made.values.transpose("layer", "prompt", "pos", "rank").values[1, ..., 0])
    with pytest.raises(BadInput, match=r"at\['prompt'\] must be from 0 to 4; got 5"):
        figure(made, at={"prompt": 5})
    with pytest.raises(BadInput, match="at must be one of"):
        figure(made, at={"rank": 0})


def test_a_missing_cell_says_why():
    made = samples.readout()
    values = made.values.copy()
    values[1, 2] = np.nan
    fig = figure(made.replace(values=values, notes={"nan": "padding"}))
    assert fig.data[0].hovertext[1][2].endswith("not computed: padding")
    assert len(fig.data) == 3


def test_tokens_are_cut_in_cells_only():
    made = samples.readout()
    words = made.parts["token"].copy(data=np.full(made.values.shape, " " + "x" * 40))
    fig = figure(made.replace(parts={"token": words}))
    (drawn,) = fig.data
    assert drawn.text[0][0] == "·" + "x" * 12 + "…"
    assert drawn.hovertext[0][0].endswith("·" + "x" * 40)


def lens():
    made = samples.readout()
    dims = made.values.dims[:-1]
    ranks = xr.DataArray(np.arange(21.0).reshape(3, 7) ** 4, dims=dims)
    return made.replace(parts={**made.parts, "answer_rank": ranks, "kl": ranks / 1000})


def test_a_part_over_the_cells_colours_the_table_and_stands_in_it():
    fig = figure(lens(), by="answer_rank")
    ranks = lens().parts["answer_rank"].values
    assert np.allclose(fig.data[0].z, np.log10(1 + ranks))
    assert fig.data[0].text[2][6] == "160k"
    assert fig.data[0].text[0][3] == "81"
    assert "<b>rank of the answer: 160,000</b>" in fig.data[0].hovertext[2][6]
    assert " w" in fig.data[0].hovertext[2][6].replace("·", " ")
    assert fig.data[0].colorbar.ticktext[:3] == ("0", "1", "10")
    told = figure(lens(), by="kl")
    assert np.allclose(told.data[0].z, ranks / 1000)
    assert told.data[0].text[2][6] == "160"


def test_where_there_is_no_room_for_numbers_the_cells_hold_none():
    assert figure(lens(), by="kl", tall=20).data[0].text is None
    assert figure(lens(), by="kl", width=330).data[0].text is None


def test_a_part_that_is_not_over_the_cells_is_refused():
    with pytest.raises(BadInput, match="by must be one of 'answer_rank', 'kl'; got 'token'"):
        figure(lens(), by="token")
