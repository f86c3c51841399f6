"""Relevance patching: where the divisor of the norm is held, the estimate is the exact effect of the model by hand."""

import numpy as np
import pytest

from tests.conftest import toy_pairs
from tests.methods.conftest import HEAD, prompts
from workbench.errors import BadInput
from workbench.methods import METHODS
from workbench.rules import DEFAULT, RULES

relp = METHODS["relp"]


@pytest.mark.parametrize("rules", [("ln",), DEFAULT, RULES])
def test_the_whole_effect_on_paper(byhand, easy, rules):
    """Clean and corrupt have one divisor, 1.25: linear in between, 3.75·0.8 for each of the two tokens."""
    effects = relp(byhand, easy, rules=rules).values
    assert np.allclose(effects.sel(layer=0, head=HEAD), 6, atol=1e-4)
    assert np.abs(effects.values).sum() == pytest.approx(18, abs=1e-3)


def test_the_stream_too(byhand, easy):
    effects = relp(byhand, easy, sites="resid_pre", by=("layer", "pos")).values.mean("prompt").values
    expected = np.zeros((2, 5))
    expected[0, 1] = expected[1, 4] = 6
    assert np.allclose(effects, expected, atol=1e-4)


def test_rules_are_noted_and_one_may_be_given_alone(byhand, easy):
    assert relp(byhand, easy, rules=("ln", "half")).notes["rules"] == "ln, half"
    without = relp(byhand, easy, rules=())
    assert np.allclose(without.values.sel(layer=0, head=HEAD), 4.92, atol=1e-4)
    with pytest.raises(BadInput, match="relp: rules must be one of 'ln', 'identity', 'half', 'ah'; got 'lm'"):
        relp(byhand, easy, rules=("ln", "lm"))


def test_with_ah_queries_and_keys_have_no_share(llama):
    """The pattern is a constant to what lies before it; what it lets through to the values' readers is still its own."""
    pairs = toy_pairs(llama)
    ah = relp(llama, pairs, sites=("q", "k", "pattern"), by="layer", rules=RULES).values
    assert not ah.sel(site=["q", "k"]).values.any()
    assert ah.sel(site="pattern").values.any()
    assert relp(llama, pairs, sites=("q", "k"), by="layer", rules=DEFAULT).values.values.any()


def test_named_positions_and_normalise(byhand):
    pairs = prompts(byhand, n=4, lengths=(5, 7))
    effects = relp(byhand, pairs, sites="v", by=("layer", "head", "pos"), normalise=True)
    assert effects.values.token.values.tolist() == ["TOKEN", "AFTER", "END"]
    assert effects.mean().values.sel(layer=0, head=0, pos=0).item() == pytest.approx(1, abs=1e-4)
    assert not effects.values.sel(pos=[1, 2]).values.any()
