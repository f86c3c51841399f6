"""Paths of the stream in principal components: distances, shares of variance, answers."""

import numpy as np
import pytest
import torch

from tests import families
from tests.conftest import toy_pairs
from tests.methods.conftest import prompts
from workbench.errors import BadInput
from workbench.hooks import read
from workbench.methods import METHODS
from workbench.sites import Site

trajectories = METHODS["trajectories"]


def streams(model, tokens, end):
    sites = [*(Site("resid_pre", layer) for layer in range(families.LAYERS)), Site("resid_post", families.LAYERS - 1)]
    _, kept = read(model, tokens, end, sites)
    return torch.stack([kept[site] for site in sites]).double()


def distances(vectors):
    return torch.cdist(vectors, vectors).numpy()


@pytest.mark.parametrize("family", ["llama", "neox", "gemma2"])
@pytest.mark.parametrize("unit_length", [True, False])
def test_all_components_keep_every_distance(model_of, family, unit_length):
    model = model_of(family)
    pairs = toy_pairs(model)
    found = trajectories(model, pairs, prompt=1, components=1000, unit_length=unit_length)
    vectors = streams(model, pairs.clean[1:2], pairs.end[1:2])[:, 0]
    if unit_length:
        vectors = vectors / vectors.norm(dim=-1, keepdim=True)
    scores = torch.tensor(found.values.values).flatten(1).T
    assert np.allclose(distances(scores), distances(vectors.flatten(0, 1)), atol=1e-5)
    assert found.parts["variance"].sum().item() == pytest.approx(1)
    assert np.all(np.diff(found.parts["variance"]) <= 1e-12)
    variances = found.values.var(("layer", "pos"))
    assert np.allclose(variances / variances.sum(), found.parts["variance"])


def test_two_components_are_the_first_two_of_all_and_the_plane_is_that_of_no_other(llama):
    pairs = toy_pairs(llama)
    two, every = trajectories(llama, pairs), trajectories(llama, pairs, components=9)
    assert two.values.sizes == {"component": 2, "layer": families.LAYERS + 1, "pos": 7}
    assert np.allclose(two.values, every.values.isel(component=slice(2)))
    assert two.values.token.values.tolist() == list(pairs.clean_strings[0])
    assert abs(float(two.values.mean())) < 1e-9


@pytest.mark.parametrize("of", ["clean", "corrupt"])
def test_ends_are_read_at_each_prompts_own_end_and_know_their_answer(llama, of):
    pairs = toy_pairs(llama, ragged=True, n=4)
    found = trajectories(llama, pairs, points="ends", of=of, components=1000, unit_length=False)
    tokens = pairs.clean if of == "clean" else pairs.corrupt
    vectors = streams(llama, tokens, pairs.end)[:, torch.arange(4), pairs.end]
    scores = torch.tensor(found.values.values).flatten(1).T
    assert np.allclose(distances(scores), distances(vectors.flatten(0, 1)), atol=1e-5)
    ids = [answers[0] for answers in (pairs.right if of == "clean" else pairs.wrong)]
    assert found.parts["answer"].values.tolist() == [llama.tokenizer.decode([token]) for token in ids]


def test_streams_that_never_move_have_no_variance_to_share(byhand):
    """Position 0 sees itself alone, and its token is none that is copied."""
    found = trajectories(byhand, prompts(byhand, n=1), points="ends")
    assert np.isfinite(found.values).all()


def test_what_it_refuses(byhand, easy):
    with pytest.raises(BadInput, match="components must be at least 1; got 0"):
        trajectories(byhand, easy, components=0)
    with pytest.raises(BadInput, match="trajectories: points must be one of 'tokens', 'ends'; got 'all'"):
        trajectories(byhand, easy, points="all")
