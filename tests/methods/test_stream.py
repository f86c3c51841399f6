"""Norms and cosines of the residual stream: on paper, within their bounds, and right in every family."""

import numpy as np
import pytest
import torch

from tests import families
from tests.conftest import toy_pairs
from tests.methods.conftest import prompts
from workbench.errors import BadInput
from workbench.hooks import read
from workbench.methods import METHODS
from workbench.methods.stream import COSINES, NORMS
from workbench.sites import Site

stream = METHODS["stream"]


def test_norms_on_paper(byhand, easy):
    """Every token is embedded with length 10; the head adds 7.5 at the end, in a dim of its own; the MLPs add nothing."""
    norms = stream(byhand, easy).values
    assert norms.part.values.tolist() == list(NORMS)
    last = norms.isel(pos=-1)
    assert last.sel(part="stream").values == pytest.approx([10, 12.5, 12.5], abs=1e-4)
    assert last.sel(part="attention").values == pytest.approx([7.5, 0, np.nan], abs=1e-4, nan_ok=True)
    assert last.sel(part="MLP").values == pytest.approx([0, 0, np.nan], abs=1e-6, nan_ok=True)


def test_cosines_on_paper(byhand, easy):
    last = stream(byhand, easy, measure="cosine").values.isel(pos=-1)
    assert last.part.values.tolist() == list(COSINES)
    assert last.sel(part="layer before").values == pytest.approx([np.nan, 0.8, 1], abs=1e-5, nan_ok=True)
    assert last.sel(part="last layer").values == pytest.approx([0.8, 1, 1], abs=1e-5)
    assert last.sel(part="attention").values == pytest.approx([0, np.nan, np.nan], abs=1e-5, nan_ok=True)
    assert np.isnan(last.sel(part="MLP").values).all()


def test_a_difference_is_that_of_the_vectors_and_nothing_before_the_first_token_that_differs(byhand, easy):
    norms = stream(byhand, easy, of="difference").values.sel(part="stream")
    assert np.all(norms.isel(pos=0) == 0)
    # The tokens at position 1 differ: each of length 10, at right angles.
    assert norms.sel(layer=0, pos=1).item() == pytest.approx(200**0.5, abs=1e-4)
    assert norms.isel(layer=-1, pos=-1).item() == pytest.approx(7.5 * 2**0.5, abs=1e-4)
    assert "/" in str(norms.token.values[1])
    cosines = stream(byhand, easy, measure="cosine", of="difference").values
    assert np.isnan(cosines.isel(pos=0)).all()


@pytest.mark.parametrize("family", families.FAMILIES)
@pytest.mark.parametrize("of", ["clean", "corrupt"])
def test_numbers_are_those_of_the_vectors_themselves(model_of, family, of):
    model = model_of(family)
    pairs = toy_pairs(model)
    tokens = (pairs.clean if of == "clean" else pairs.corrupt)[1:2]
    names = ("resid_pre", "attn_out", "mlp_out", "resid_post")
    sites = [Site(name, layer) for layer in range(families.LAYERS) for name in names]
    _, kept = read(model, tokens, pairs.end[1:2], sites)
    norms = stream(model, pairs, prompt=1, of=of).values
    cosines = stream(model, pairs, prompt=1, of=of, measure="cosine").values
    bounded = cosines.values[np.isfinite(cosines.values)]
    assert np.all(np.abs(bounded) <= 1)
    cosine = torch.nn.functional.cosine_similarity
    for layer in range(families.LAYERS):
        pre, attention, mlp, post = (kept[Site(name, layer)][0] for name in names)
        assert np.allclose(norms.sel(part="stream", layer=layer), pre.norm(dim=-1), rtol=1e-5)
        assert np.allclose(norms.sel(part="attention", layer=layer), attention.norm(dim=-1), rtol=1e-5)
        assert np.allclose(norms.sel(part="MLP", layer=layer), mlp.norm(dim=-1), rtol=1e-5)
        assert np.allclose(cosines.sel(part="layer before", layer=layer + 1), cosine(post, pre, dim=-1), atol=1e-5)
        assert np.allclose(cosines.sel(part="attention", layer=layer), cosine(attention, pre, dim=-1), atol=1e-5)
        # What is added is all that is added: in every family the stream is the sum.
        assert torch.allclose(pre + attention + mlp, post, atol=1e-4)
        reads = pre if family == "neox" else pre + attention
        assert np.allclose(cosines.sel(part="MLP", layer=layer), cosine(mlp, reads, dim=-1), atol=1e-5)
    assert np.allclose(cosines.sel(part="last layer").isel(layer=-1), 1)


def test_padding_is_not_shown(byhand):
    pairs = prompts(byhand, n=2, lengths=(5, 7))
    assert [stream(byhand, pairs, prompt=prompt).values.sizes["pos"] for prompt in (0, 1)] == [5, 7]


def test_what_it_refuses(byhand, easy):
    with pytest.raises(BadInput, match="prompt must be from 0 to 2; got 3"):
        stream(byhand, easy, prompt=3)
    with pytest.raises(BadInput, match="stream: of must be one of 'clean', 'corrupt', 'difference'; got 'both'"):
        stream(byhand, easy, of="both")
