"""One name for each place, and one HookPoint behind each name."""

import gc
import weakref
from typing import get_args

import pytest
import torch

from tests import families
from tests.conftest import toy_pairs
from workbench.errors import BadInput
from workbench.hooks import end_logits, writing
from workbench.models import load
from workbench.sites import HEADS, HOOKS, KEY_VALUE, STREAM, Site, SiteName, hook_point, hook_points, n_heads, why_missing


def there(model):
    return [Site(name, layer) for layer in range(model.cfg.n_layers) for name in HOOKS if not why_missing(model, name)]


@pytest.mark.parametrize("family", families.FAMILIES)
def test_one_hook_point_per_site_and_one_site_per_hook_point(model_of, family):
    model = model_of(family)
    points = {site: hook_point(model, site) for site in there(model)}
    assert len({id(point) for point in points.values()}) == len(points)


@pytest.mark.parametrize("family", families.FAMILIES)
def test_every_site_fires_once_in_a_forward_pass(model_of, family):
    model = model_of(family)
    pairs = toy_pairs(model)
    fired = dict.fromkeys(there(model), 0)

    def counting(site):
        def count(_):
            fired[site] += 1

        return count

    with torch.no_grad():
        with writing(model, {site: counting(site) for site in fired}):
            end_logits(model, pairs.clean, pairs.end)
        end_logits(model, pairs.clean, pairs.end)
    assert set(fired.values()) == {1}, fired


@pytest.mark.parametrize("family", families.FAMILIES)
def test_shapes_are_those_the_module_tells(model_of, family):
    model = model_of(family)
    pairs = toy_pairs(model)
    batch, length = pairs.clean.shape
    d_head = model.cfg.d_head
    seen = {}
    with torch.no_grad(), writing(model, {site: lambda x, site=site: seen.update({site: x.shape}) for site in there(model)}):
        end_logits(model, pairs.clean, pairs.end)
    for site, shape in seen.items():
        if site.name in STREAM or site.name == "mlp_in":
            assert shape == (batch, length, model.cfg.d_model)
        elif site.name in ("pattern", "scores"):
            assert shape == (batch, n_heads(model, site.name), length, length)
        else:
            assert shape == (batch, length, n_heads(model, site.name), d_head)


@pytest.mark.parametrize("family", families.FAMILIES)
def test_keys_and_values_have_fewer_heads_where_queries_share_them(model_of, family):
    model = model_of(family)
    grouped = family not in ("gpt2", "neox")
    for name in HEADS:
        fewer = grouped and name in KEY_VALUE
        assert n_heads(model, name) == (families.KV_HEADS if fewer else families.HEADS), name


def test_names_that_methods_list_are_sites_and_tuples_hold_sites():
    assert set(get_args(SiteName)) == set(HOOKS) - {"scores", "mlp_in"}
    assert set(STREAM) | set(HEADS) | {"scores", "mlp_in"} == set(HOOKS)


def test_what_is_no_site_no_layer_or_not_in_this_model_is_told(llama, model_of):
    with pytest.raises(BadInput, match=r"site must be one of 'resid_pre', .*; got 'resid_prr'. Did you mean 'resid_pre'\?"):
        hook_point(llama, Site("resid_prr", 0))
    for layer in (-1, 3):
        with pytest.raises(BadInput, match=f"layer must be from 0 to 2; got {layer}."):
            hook_point(llama, Site("z", layer))
    with pytest.raises(BadInput, match=r"attention and MLP read the same stream in parallel. Use 'resid_pre' or 'resid_post'"):
        hook_point(model_of("neox"), Site("resid_mid", 0))
    assert why_missing(llama, "resid_mid") is None


def test_a_place_that_a_model_lacks_for_another_reason_is_told_too():
    class Bare:
        class cfg:
            n_layers, model_name, parallel_attn_mlp = 1, "bare", False

    Bare.hook_dict = Bare._hook_registry = {}
    with pytest.raises(BadInput, match="site must be a place this model has; got 'resid_mid', which bare lacks"):
        hook_point(Bare, Site("resid_mid", 0))


@pytest.mark.parametrize("family", families.FAMILIES)
def test_hook_points_are_the_librarys_and_gathered_once(model_of, family, monkeypatch):
    model = model_of(family)
    theirs = model.hook_dict
    assert hook_points(model).keys() == theirs.keys()
    assert all(point is theirs[name] for name, point in hook_points(model).items())
    monkeypatch.setattr(type(model), "hook_dict", property(lambda _: pytest.fail("gathered again")))
    hook_point(model, Site("z", 1))
    # What the library registers later is seen.
    monkeypatch.setattr(type(model), "hook_dict", theirs | {"later": None})
    monkeypatch.setitem(model._hook_registry, "later", None)
    assert "later" in hook_points(model)


def test_hook_points_hold_no_model(tmp_path):
    model = load(str(families.save("llama", tmp_path)), device="cpu")
    hook_point(model, Site("z", 0))
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


def test_a_site_reads_as_words():
    assert str(Site("z", 3)) == "z of layer 3"
