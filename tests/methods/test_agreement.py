"""Agreement of two Scores: scipy's own numbers, an interval that holds them, and what cannot be compared."""

import dataclasses

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from tests.test_result import ORIGIN
from workbench.errors import BadInput
from workbench.methods import agreement
from workbench.result import Scores


def scores(values, dims=("layer", "head", "prompt"), unit="logits", origin=None):
    coords = {dim: np.arange(size) for dim, size in zip(dims, values.shape, strict=True)}
    if "site" in dims:
        coords["site"] = ["z", "v"][: values.shape[dims.index("site")]]
    notes = {"nan": "no such head"} if np.isnan(values).any() else {}
    return Scores("Made up", unit, xr.DataArray(values, dims=dims, coords=coords), notes=notes, origin=origin)


def drawn(shape=(3, 4, 6), seed=0, noise=0.5):
    """Two Scores that follow each other up to noise."""
    rng = np.random.default_rng(seed)
    first = rng.normal(size=shape[:-1])[..., None] + 0.2 * rng.normal(size=shape)
    return first, 2 * first + noise * rng.normal(size=shape)


def test_numbers_are_scipys():
    first, second = drawn()
    told = agreement(scores(first), scores(second))
    x, y = first.mean(-1).ravel(), second.mean(-1).ravel()
    assert told.values.dims == ("measure",)
    assert told.values.sel(measure="pearson").item() == pytest.approx(stats.pearsonr(x, y).statistic)
    assert told.values.sel(measure="spearman").item() == pytest.approx(stats.spearmanr(x, y).statistic)
    assert told.values.sel(measure="slope").item() == pytest.approx(np.polyfit(x, y, 1)[0])


def test_ties_share_their_rank():
    first = np.array([0.0, 0, 0, 1, 2, 2, 3, 4])[:, None]
    second = np.array([1.0, 0, 1, 1, 3, 2, 2, 5])[:, None]
    told = agreement(scores(first, ("layer", "prompt")), scores(second, ("layer", "prompt")))
    assert told.values.sel(measure="spearman").item() == pytest.approx(stats.spearmanr(first, second).statistic)


@pytest.mark.parametrize("seed", range(5))
def test_the_interval_holds_the_estimate_and_narrows_with_prompts(seed):
    few, many = (agreement(*map(scores, drawn((5, 5, n), seed=seed))) for n in (5, 200))
    for told in (few, many):
        assert (told.lower <= told.values).all()
        assert (told.values <= told.upper).all()
    assert ((many.upper - many.lower) < (few.upper - few.lower)).all()


def test_the_seed_is_that_of_the_resampling():
    first, second = map(scores, drawn())
    one, same, other = (agreement(first, second, seed=seed) for seed in (1, 1, 2))
    assert one.lower.identical(same.lower)
    assert one.upper.identical(same.upper)
    assert not one.lower.identical(other.lower)
    assert one.values.identical(other.values)


def test_prompts_are_resampled_together():
    """Both Scores of a resample are of the same prompts: equal Scores agree in every one of them."""
    first, _ = drawn()
    told = agreement(scores(first), scores(first))
    assert np.allclose(told.lower, 1)
    assert np.allclose(told.upper, 1)


def test_one_prompt_has_no_interval_but_the_estimate():
    first, second = drawn((3, 4, 1))
    told = agreement(scores(first), scores(second))
    assert told.lower.identical(told.values)
    assert told.upper.identical(told.values)
    mean = agreement(scores(first[..., 0], ("layer", "head")), scores(second[..., 0], ("layer", "head")))
    assert np.array_equal(mean.values, told.values)


def test_each_site_has_its_own_and_heads_it_lacks_are_left_out():
    first, second = drawn((2, 3, 4, 6))
    first[1, :, 2:] = second[1, :, 2:] = np.nan
    dims = ("site", "layer", "head", "prompt")
    told = agreement(scores(first, dims), scores(second, dims))
    assert told.values.dims == ("site", "measure")
    assert told.values.site.values.tolist() == ["z", "v"]
    alone = agreement(scores(first[1, :, :2]), scores(second[1, :, :2]))
    assert np.array_equal(told.values.sel(site="v"), alone.values)
    assert "nan" not in told.notes


def test_scores_that_do_not_vary_have_no_correlation():
    first, second = drawn((2, 3, 4, 6))
    second[1] = 0.25
    dims = ("site", "layer", "head", "prompt")
    told = agreement(scores(first, dims), scores(second, dims))
    assert told.values.sel(site="v").isnull().all()
    assert told.values.sel(site="z").notnull().all()
    assert told.notes["nan"] == "scores that do not vary have no correlation"


def test_clouds_names_and_origin():
    first, second = drawn()
    other = dataclasses.replace(ORIGIN, method="atp")
    told = agreement(scores(first, origin=ORIGIN), scores(second, origin=other), seed=3)
    assert np.allclose(told.parts["first"], first.mean(-1))
    assert np.allclose(told.parts["second"], second.mean(-1))
    assert told.title == "Agreement: atp against patch"
    assert told.unit == "correlation"
    assert told.origin.method == "agreement"
    assert told.origin.params == {"first": ORIGIN.key, "second": other.key, "seed": 3}
    assert told.origin.pairs == ORIGIN.pairs
    assert agreement(scores(first), scores(second)).origin is None


def refused(first, second) -> str:
    with pytest.raises(BadInput) as caught:
        agreement(first, second)
    return str(caught.value)


def test_what_cannot_be_compared():
    first, second = drawn()
    said = refused(scores(first), scores(second[:2]))
    assert said.startswith(
        "the two Scores must be over the same cells; got {'layer': 3, 'head': 4, 'prompt': 6} and {'layer': 2"
    )
    assert "the same cells" in refused(scores(first), scores(second, ("layer", "pos", "prompt")))
    said = refused(scores(first), scores(second, unit="nats"))
    assert said == "the two Scores must have one unit; got 'logits' and 'nats'."
    other = dataclasses.replace(ORIGIN, pairs="other")
    said = refused(scores(first, origin=ORIGIN), scores(second, origin=other))
    assert said.startswith("the two Scores must be of the same pairs;")


def test_cells_of_other_names_are_not_the_same():
    """As many cells are not the same cells: other layers, heads or sites must not be laid upon each other."""
    first, second = drawn((2, 3, 4, 6))
    dims = ("site", "layer", "head", "prompt")
    swapped = scores(second, dims)
    swapped = swapped.replace(values=swapped.values.assign_coords(site=["v", "q"]))
    assert "the same cells" in refused(scores(first, dims), swapped)


def test_sites_in_another_order_are_found_by_name():
    first, second = drawn((2, 3, 4, 6))
    dims = ("site", "layer", "head", "prompt")
    plain = agreement(scores(first, dims), scores(second, dims))
    turned = scores(second, dims)
    turned = turned.replace(values=turned.values.isel(site=[1, 0]))
    assert np.allclose(agreement(scores(first, dims), turned).values, plain.values)
