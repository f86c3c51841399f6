"""Tables hold every number once, beside the names of its cell."""

import numpy as np
import pytest

from tests.plots import samples
from workbench.errors import BadInput
from workbench.plots import rows, table


@pytest.mark.parametrize("dims", [(), ("component",), ("layer", "pos"), ("site", "layer", "head", "prompt")])
def test_every_number_stands_in_its_row(dims):
    made = samples.scores(*dims)
    made = made.replace(lower=made.values - 1, upper=made.values + 2)
    listed = table(made)
    assert len(listed) == made.values.size
    assert list(listed.columns) == [*_named(dims), "value", "lower", "upper"]
    for row in listed.to_dict("records"):
        cell = {dim: row[dim] for dim in dims if dim != "site"}
        here = made.values.sel(site=row["site"]) if "site" in dims else made.values
        assert float(here.isel(cell)) == row["value"]
        assert (row["lower"], row["upper"]) == (row["value"] - 1, row["value"] + 2)


def _named(dims):
    return [name for dim in dims for name in ((dim, "token") if dim == "pos" else (dim,))]


def test_tokens_stand_beside_their_positions():
    listed = table(samples.scores("layer", "pos"))
    assert listed["token"].tolist() == samples.TOKENS * 3


def test_a_readout_holds_its_tokens():
    made = samples.readout()
    listed = table(made)
    assert list(listed.columns) == ["layer", "pos", "position token", "rank", "token", "value"]
    assert listed["token"].tolist() == made.parts["token"].values.ravel().tolist()
    assert listed["value"].tolist() == made.values.values.ravel().tolist()


def test_a_curve():
    listed = table(samples.curve())
    assert listed["series"].tolist() == ["exact"] * 6 + ["estimate"] * 6
    assert listed["size"].tolist() == [1, 2, 4, 8, 16, 32] * 2


def test_rows_are_the_largest_by_size():
    made = samples.missing("layer", "head")
    top = rows(made, top=4)
    sizes = np.sort(np.abs(made.values.values[~np.isnan(made.values.values)]))[::-1]
    assert [abs(row["value"]) for row in top] == sizes[:4].tolist()
    assert any(row["value"] < 0 for row in rows(made, top=20))
    assert len(rows(made, top=20)) == 11
    assert all(type(value) in (int, float, str) for row in top for value in row.values())
    with pytest.raises(BadInput, match="top must be at least 1"):
        rows(made, top=0)
