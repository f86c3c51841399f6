"""Results along 'step': the same numbers, every label in its place, and a clear word where they do not go together."""

import numpy as np
import pytest
import xarray as xr

from workbench.errors import BadInput
from workbench.plots import figure
from workbench.result import Curve, Origin, Readout, Scores
from workbench.stacking import stack


def scores(add, dims=("layer", "head"), method_parts=None, **notes):
    shape = [2, 3, 2][: len(dims)]
    coords = {dim: np.arange(size) for dim, size in zip(dims, shape, strict=True)}
    values = xr.DataArray(np.arange(np.prod(shape), dtype=float).reshape(shape) + add, dims=dims, coords=coords)
    parts = {"tokens": xr.DataArray(["a", "b"], dims="pos"), **(method_parts or {})}
    return Scores("Some", "logits", values, lower=values - 1, upper=values + 1, parts=parts, notes={"sign": "+", **notes})


def test_scores_are_put_along_step_in_order():
    made = stack({100: scores(100, note="late"), 0: scores(0, note="early")})
    assert isinstance(made, Scores)
    assert made.values.dims == ("step", "layer", "head")
    assert made.values.step.values.tolist() == [0, 100]
    for step, add in ((0, 0), (100, 100)):
        assert made.values.sel(step=step).equals(scores(add).values.assign_coords(step=step))
        assert made.lower.sel(step=step).equals((scores(add).values - 1).assign_coords(step=step))
    assert made.parts["tokens"].sizes == {"step": 2, "pos": 2}
    assert made.notes == {"sign": "+"}, "notes that differ by step are left out"
    assert figure(made).data


def test_a_list_of_numbers_becomes_a_curve():
    made = stack({0: scores(0, ("measure",)), 5: scores(5, ("measure",))})
    assert isinstance(made, Curve)
    assert made.values.dims == ("series", "step")
    assert made.values.values.tolist() == [[0, 5], [1, 6]]
    assert made.lower.values.tolist() == [[-1, 4], [0, 5]]


def test_curves_become_scores_and_readouts_stay_readouts():
    place = {"series": ["a"], "place": [1, 2]}
    curve = Curve("C", "nats", xr.DataArray([[1.0, 2.0]], dims=("series", "place"), coords=place))
    assert stack({1: curve, 2: curve}).values.dims == ("step", "series", "place")
    values = xr.DataArray([[0.5, 0.2]], dims=("layer", "rank"), coords={"layer": [0], "rank": [0, 1]})
    words = values.copy(data=np.array([["x", "y"]]))
    read = stack(
        {
            1: Readout("R", "probability", values, parts={"token": words}),
            2: Readout("R", "probability", values, parts={"token": words}),
        }
    )
    assert isinstance(read, Readout)
    assert read.parts["token"].dims == ("step", "layer", "rank")


def test_what_stands_beside_a_dim_is_kept_only_where_it_is_the_same():
    one, other = scores(0, ("measure",)), scores(1, ("measure",))
    beside = [
        result.replace(
            values=result.values.assign_coords(of=("measure", names), unit=("measure", ["u", "v"])), lower=None, upper=None
        )
        for result, names in ((one, ["0.1", "1.2"]), (other, ["0.3", "1.2"]))
    ]
    made = stack({0: beside[0], 1: beside[1]})
    assert made.values.coords["unit"].values.tolist() == ["u", "v"]
    assert "of" not in made.values.coords
    assert made.lower is None


def test_a_part_that_differs_in_its_labels_is_left_out():
    parts = [{"cloud": xr.DataArray(np.zeros(size), dims="point")} for size in (3, 4)]
    made = stack({0: scores(0, method_parts=parts[0]), 1: scores(0, method_parts=parts[1])})
    assert set(made.parts) == {"tokens"}


def test_reasons_for_nan_are_kept():
    holes = scores(0)
    holes = holes.replace(values=holes.values.where(holes.values > 1), notes={"nan": "too early"})
    made = stack({0: holes, 1: scores(1)})
    assert made.notes["nan"] == "too early"


def test_what_does_not_go_together_is_one_line():
    with pytest.raises(BadInput, match="at least 2; got 1"):
        stack({0: scores(0)})
    with pytest.raises(BadInput, match="at step 7 head differs"):
        stack(
            {0: scores(0), 7: scores(0).replace(values=scores(0).values.assign_coords(head=[0, 1, 9]), lower=None, upper=None)}
        )
    with pytest.raises(BadInput, match="must be of one unit; got 'logits' and 'nats'"):
        stack({0: scores(0), 1: scores(0).replace(unit="nats")})
    origins = [Origin("m", "a", "f", "t", "p", params={"n": n}) for n in (1, 2)]
    with pytest.raises(BadInput, match="must be of one parameters"):
        stack({0: scores(0).replace(origin=origins[0]), 1: scores(0).replace(origin=origins[1])})
    with pytest.raises(BadInput, match="must be of one step each"):
        stack({0: scores(0, ("step", "head")), 1: scores(0, ("step", "head"))})
    curve = Curve("C", "nats", scores(0).values.rename(layer="series"))
    with pytest.raises(BadInput, match="must be of one kind; got 'scores' and 'curve'"):
        stack({0: scores(0), 1: curve})
