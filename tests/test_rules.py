"""Relevance rules: the forward pass keeps its logits, the backward pass is what each rule says, relevance is conserved."""

import pytest
import torch

from tests import families
from tests.conftest import toy_pairs
from workbench.errors import BadInput
from workbench.hooks import read_with_grad
from workbench.rules import DEFAULT, RULES, relevance
from workbench.sites import Site


def relevances(model, tokens, end, rules, names=("resid_pre", "resid_mid")):
    sites = [Site(name, layer) for layer in range(model.cfg.n_layers) for name in names]
    with relevance(model, rules):
        value, kept, gradient = read_with_grad(model, tokens, end, sites, lambda logits: logits[:, 3])
    return value, {site: (kept[site] * gradient[site]).flatten(1).sum(1) for site in sites}, gradient


@pytest.mark.parametrize("family", families.FAMILIES)
@pytest.mark.parametrize("rules", [DEFAULT, RULES, ("ln",), ("identity",), ("half",)])
def test_forward_pass_keeps_its_logits(model_of, family, rules):
    model = model_of(family)
    tokens = toy_pairs(model).clean
    with torch.no_grad():
        plain = model(tokens)
        with relevance(model, rules):
            ruled = model(tokens)
        after = model(tokens)
    assert (ruled - plain).abs().max() < 1e-5 * plain.abs().max()
    assert torch.equal(after, plain)


def test_relevance_is_conserved_at_every_layer_without_biases(model_of):
    """Llama has no biases: with all four rules sum_i h_i · dm/dh_i = m, and with fewer it is not."""
    model = model_of("llama")
    pairs = toy_pairs(model)
    value, sums, _ = relevances(model, pairs.clean, pairs.end, RULES)
    for site, total in sums.items():
        assert torch.allclose(total, value, rtol=1e-4, atol=1e-4), site
    for rules in (DEFAULT, ("identity", "half", "ah"), ("ln", "half", "ah"), ("ln", "identity", "ah"), ()):
        value, sums, _ = relevances(model, pairs.clean, pairs.end, rules)
        assert not torch.allclose(sums[Site("resid_pre", 0)], value, rtol=1e-2, atol=1e-2), rules


@pytest.mark.slow
def test_conservation_holds_on_the_real_model_too(smollm):
    tokens = torch.tensor([smollm.tokenizer("When Mary and John went out, John gave a drink to")["input_ids"]])
    value, sums, _ = relevances(smollm, tokens, torch.tensor([tokens.shape[1] - 1]), RULES, names=("resid_pre",))
    for total in sums.values():
        assert torch.allclose(total, value, rtol=1e-3)


def mlp_gradient(model, layer, rules, x):
    """Gradient of a fixed projection of one MLP's output, under the rules, in the library's own modules."""
    x = x.clone().requires_grad_(True)
    with relevance(model, rules):
        out = model.blocks[layer].mlp(x)
        (gradient,) = torch.autograd.grad((out * torch.linspace(-1, 1, out.shape[-1])).sum(), x)
    return gradient


def test_gated_mlp_follows_identity_and_half(llama):
    """The proposition restated in plain torch: act(g)·u with g·(act(g)/g) and half a gradient for each branch."""
    torch.manual_seed(0)
    x = torch.randn(2, 5, families.D_MODEL)
    mlp = llama.blocks[1].mlp.original_component
    gate, up, down = (getattr(mlp, name).weight for name in ("gate_proj", "up_proj", "down_proj"))
    for rules in (("identity", "half"), ("identity",), ("half",), ("ln",)):
        plain = x.clone().requires_grad_(True)
        g, u = plain @ gate.T, plain @ up.T
        act = g * (torch.nn.functional.silu(g) / g).detach() if "identity" in rules else torch.nn.functional.silu(g)
        product = act * u / 2 if "half" in rules else act * u
        out = product @ down.T
        (expected,) = torch.autograd.grad((out * torch.linspace(-1, 1, out.shape[-1])).sum(), plain)
        # The stabiliser's 1e-6 beside a pre-activation near zero moves the ratio by up to a thousandth.
        assert torch.allclose(mlp_gradient(llama, 1, rules, x), expected, rtol=1e-3, atol=1e-3), rules


def test_plain_mlp_follows_identity(model_of):
    model = model_of("gpt2")
    torch.manual_seed(0)
    x = torch.randn(2, 5, families.D_MODEL)
    mlp = model.blocks[1].mlp.original_component
    plain = x.clone().requires_grad_(True)
    pre = plain @ mlp.c_fc.weight + mlp.c_fc.bias
    post = pre * (mlp.act(pre) / pre).detach()
    out = post @ mlp.c_proj.weight
    (expected,) = torch.autograd.grad((out * torch.linspace(-1, 1, out.shape[-1])).sum(), plain)
    assert torch.allclose(mlp_gradient(model, 1, ("identity",), x), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("family", "centred"), [("llama", False), ("gpt2", True), ("gemma2", False)])
def test_norm_divides_by_a_constant(model_of, family, centred):
    model = model_of(family)
    torch.manual_seed(0)
    x = torch.randn(2, 5, families.D_MODEL, requires_grad=True)
    norm = model.blocks[0].ln2
    with relevance(model, ("ln",)):
        (gradient,) = torch.autograd.grad((norm(x) * torch.linspace(-1, 1, families.D_MODEL)).sum(), x)
    plain = x.detach().clone().requires_grad_(True)
    moved = plain - plain.mean(-1, keepdim=True) if centred else plain
    scale = (moved.pow(2).mean(-1, keepdim=True) + model.cfg.eps).sqrt().detach()
    gain = norm.original_component.weight + (1 if family == "gemma2" else 0)
    (expected,) = torch.autograd.grad((moved / scale * gain * torch.linspace(-1, 1, families.D_MODEL)).sum(), plain)
    assert torch.allclose(gradient, expected, rtol=1e-4, atol=1e-5)


def test_ah_sends_nothing_to_queries_and_keys(model_of):
    for family in ("llama", "gpt2"):
        model = model_of(family)
        pairs = toy_pairs(model)
        _, _, gradient = relevances(model, pairs.clean, pairs.end, RULES, names=("q", "k", "v"))
        assert all(not value.any() for site, value in gradient.items() if site.name in "qk")
        assert any(value.any() for site, value in gradient.items() if site.name == "v")


def test_post_norms_of_gemma_have_the_rule(model_of):
    model = model_of("gemma2")
    pairs = toy_pairs(model)
    relevances(model, pairs.clean, pairs.end, ("ln",))
    hooks = [point.fwd_hooks for name, point in model.hook_dict.items() if "hook_scale" in name]
    assert not any(hooks)
    with relevance(model, ("ln",)):
        assert all(block.ln1_post.hook_scale.fwd_hooks and block.ln2_post.hook_scale.fwd_hooks for block in model.blocks)


def test_unknown_rule_and_cleanup_after_an_error(llama):
    with (
        pytest.raises(BadInput, match=r"rule must be one of 'ln', .*; got 'lnn'\. Did you mean 'ln'"),
        relevance(llama, ("lnn",)),
    ):
        pass
    with pytest.raises(KeyError), relevance(llama):
        raise KeyError
    assert not any(point.fwd_hooks for point in llama.hook_dict.values())
