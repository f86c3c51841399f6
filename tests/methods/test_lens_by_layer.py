"""The lens by layer: the metric grows on paper where the head writes, with the spread over prompts as its band."""

import numpy as np
import pytest

from tests.conftest import toy_pairs
from tests.methods.conftest import logit, prompts
from workbench.methods import METHODS

by_layer = METHODS["lens_by_layer"]


def test_the_answer_comes_with_the_head(byhand, easy):
    curve = by_layer(byhand, easy)
    assert curve.values.dims == ("series", "layer")
    assert np.allclose(curve.values.sel(series="clean"), [0, 3, 3], atol=1e-5)
    assert np.allclose(curve.values.sel(series="corrupt"), [0, -3, -3], atol=1e-5)
    assert np.allclose(curve.upper, curve.lower, atol=1e-5)


def test_the_band_is_the_standard_error_over_prompts(byhand):
    curve = by_layer(byhand, prompts(byhand, n=4, lengths=(5, 7)))
    each = np.array([logit(5), logit(7)] * 2)
    at = dict(series="clean", layer=2)
    assert curve.values.sel(at).item() == pytest.approx(each.mean(), abs=1e-5)
    error = each.std(ddof=1) / 2
    assert (curve.upper - curve.values).sel(at).item() == pytest.approx(error, abs=1e-5)
    assert (curve.values - curve.lower).sel(at).item() == pytest.approx(error, abs=1e-5)


def test_one_prompt_has_no_spread(byhand):
    curve = by_layer(byhand, prompts(byhand, n=1))
    assert np.array_equal(curve.lower, curve.values)
    assert np.array_equal(curve.upper, curve.values)


def test_kl_is_to_the_clean_output(llama):
    """Zero where the clean run ends, and at the corrupt run's end the distance between the two outputs."""
    pairs = toy_pairs(llama)
    curve = by_layer(llama, pairs, metric="kl")
    assert curve.unit == "nats"
    assert curve.values.sel(series="clean", layer=3).item() == pytest.approx(0, abs=1e-6)
    between = METHODS["baseline"](llama, pairs, metric="kl").values.sel(run="corrupt").mean().item()
    assert curve.values.sel(series="corrupt", layer=3).item() == pytest.approx(between, abs=1e-5)
    assert between > 1e-3
