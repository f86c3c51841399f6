"""Direct logit attribution: on paper, and as TransformerLens computes it where the final norm has no gain of its own."""

import numpy as np
import pytest
import torch

from tests import families
from tests.conftest import toy_pairs
from tests.methods.conftest import HEAD, logit, prompts
from workbench.errors import BadInput
from workbench.methods import METHODS
from workbench.models import load

dla = METHODS["dla"]


@pytest.mark.parametrize(("of", "sign"), [("clean", 1), ("corrupt", -1)])
def test_the_head_writes_three_logits_and_nothing_else_any(byhand, easy, of, sign):
    heads = dla(byhand, easy, of=of).values
    assert heads.sizes == {"layer": 2, "head": 4, "prompt": 3}
    assert np.allclose(heads.sel(layer=0, head=HEAD), sign * 3, atol=1e-5)
    assert np.count_nonzero(heads.values) == 3
    layers = dla(byhand, easy, by="layer", of=of).values
    assert np.allclose(layers.sel(layer=0, part="attention"), sign * 3, atol=1e-5)
    assert np.count_nonzero(layers.values) == 3
    components = dla(byhand, easy, by="component", of=of).values
    assert np.allclose(components.sel(component=f"L0H{HEAD}"), sign * 3, atol=1e-5)
    assert np.count_nonzero(components.values) == 3


def test_the_embedding_writes_where_the_last_token_is_the_answer(byhand, easy):
    """5 over a divisor of 1.25: four logits for the last token itself."""
    answered = type(easy)(**{**vars(easy), "right": ((12,),) * 3, "wrong": ((0,),) * 3})
    components = dla(byhand, answered, by="component").values
    assert np.allclose(components.sel(component="embedding"), 4, atol=1e-5)
    assert np.count_nonzero(components.values) == 3


@pytest.mark.parametrize("by", ["head", "layer", "component"])
def test_a_difference_is_clean_less_corrupt_and_adds_up_to_that_of_the_logit_differences(llama, by):
    pairs = toy_pairs(llama)
    # With one right answer its mean is itself.
    pairs = type(pairs)(**{**vars(pairs), "right": ((3,),) * 3})
    clean, corrupt, between = (dla(llama, pairs, by=by, of=of).values for of in ("clean", "corrupt", "difference"))
    assert np.allclose(between, clean - corrupt, atol=1e-6)
    assert np.abs(between).max() > 1e-3
    if by == "component":
        told = METHODS["baseline"](llama, pairs).values
        assert np.allclose(between.sum("component"), told.sel(run="clean") - told.sel(run="corrupt"), atol=1e-4)


def test_every_prompt_is_read_at_its_own_end(byhand):
    heads = dla(byhand, prompts(byhand, n=4, lengths=(5, 7))).values
    assert np.allclose(heads.sel(layer=0, head=HEAD), [logit(5), logit(7)] * 2, atol=1e-5)


def test_several_answers_count_by_their_mean(byhand, easy):
    """The right answer and a token that nothing writes: half of three logits."""
    answered = type(easy)(**{**vars(easy), "right": tuple((ids[0], 20) for ids in easy.right)})
    assert np.allclose(dla(byhand, answered).values.sel(layer=0, head=HEAD), 1.5, atol=1e-5)


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def folded(request, tmp_path_factory):
    """A random model whose final norm has gain one and no bias, as theirs asks for."""
    from safetensors.torch import load_file, save_file

    folder = families.save(request.param, tmp_path_factory.mktemp("folded"))
    tensors = load_file(folder / "model.safetensors")
    for name in tensors:
        if name.endswith(("model.norm.weight", "ln_f.weight")):
            tensors[name] = torch.ones_like(tensors[name])
        elif name.endswith("ln_f.bias"):
            tensors[name] = torch.zeros_like(tensors[name])
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return load(str(folder), device="cpu")


@pytest.mark.parametrize("unit", ["head", "component"])
def test_numbers_are_those_of_transformer_lens(folded, unit):
    from transformer_lens.tools.analysis.direct_logit_attribution import direct_logit_attribution

    pairs = toy_pairs(folded, length=5)
    pairs = type(pairs)(**{**vars(pairs), "right": ((3,),) * 3})
    wrong = torch.tensor([ids[0] for ids in pairs.wrong])
    theirs = direct_logit_attribution(folded, pairs.clean, torch.full((3,), 3), wrong, unit=unit)
    told = {label: row.numpy() for label, row in zip(theirs.labels, theirs.attribution.detach(), strict=True)}
    if unit == "head":
        ours = dla(folded, pairs).values
        for layer in range(families.LAYERS):
            for head in range(families.HEADS):
                assert np.allclose(ours.sel(layer=layer, head=head).values, told[f"L{layer}H{head}"], atol=2e-5)
    else:
        ours = dla(folded, pairs, by="layer").values
        for layer in range(families.LAYERS):
            assert np.allclose(ours.sel(layer=layer, part="attention").values, told[f"{layer}_attn_out"], atol=2e-5)
            assert np.allclose(ours.sel(layer=layer, part="MLP").values, told[f"{layer}_mlp_out"], atol=2e-5)
    assert np.abs(ours.values).max() > 1e-2


def test_soft_caps_are_noted(model_of):
    assert "cap" in dla(model_of("gemma2"), toy_pairs(model_of("gemma2"))).notes
    assert "cap" not in dla(model_of("llama"), toy_pairs(model_of("llama"))).notes


def test_what_it_refuses(byhand, easy):
    with pytest.raises(BadInput, match="dla: by must be one of 'head', 'layer', 'component'; got 'heads'"):
        dla(byhand, easy, by="heads")
