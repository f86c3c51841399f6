"""A model whose answers are known on paper: one head of one layer copies what it sees, and nothing else does anything.

Llama's shape, 2 layers × 3 heads, 12 dims, MLPs zero, queries and keys zero (attention is then uniform over what is seen).
Tokens 0..7 are embedded as the unit vectors times 2. Head 1 of layer 0 reads dims 0..3 and writes them to dims 8..11, from
where the unembedding reads them as the logits of tokens 0..3. With n_i copies of token i among P tokens and the norm's
sqrt(12), the stream at the end has sqrt(12)·n_i/P in dim 8+i beside its own 2, and the final norm divides by
sqrt((4 + sum_i 12·(n_i/P)²)/12).
"""

import numpy as np
import pytest
import torch

from workbench.methods import METHODS, agreement
from workbench.models import load
from workbench.pairs import pairs_from_ids

CLEAN, CORRUPT = [5, 0, 0, 1, 6], [5, 0, 1, 1, 6]
HERE = (0, 1)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    from transformers import LlamaConfig, LlamaForCausalLM

    from tests.families import tokenizer

    config = LlamaConfig(
        vocab_size=8, hidden_size=12, intermediate_size=5, num_hidden_layers=2, num_attention_heads=3, num_key_value_heads=3,
        head_dim=4, max_position_embeddings=32, rms_norm_eps=1e-12, tie_word_embeddings=False, bos_token_id=0,
        eos_token_id=1, pad_token_id=1,
    )  # fmt: skip
    made = LlamaForCausalLM(config)
    with torch.no_grad():
        for name, weight in made.named_parameters():
            weight.fill_(1.0 if name.endswith("norm.weight") else 0.0)
        made.model.embed_tokens.weight[:, :8] = 2 * torch.eye(8)
        attention = made.model.layers[0].self_attn
        attention.v_proj.weight[4:8, :4] = torch.eye(4)
        attention.o_proj.weight[8:12, 4:8] = torch.eye(4)
        made.lm_head.weight[:4, 8:12] = torch.eye(4)
    folder = tmp_path_factory.mktemp("by_hand")
    made.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return load(str(folder), device="cpu")


@pytest.fixture
def pairs(model):
    return pairs_from_ids(model.tokenizer, "by hand", [CLEAN], [CORRUPT], right=[[0]], wrong=[[1]])


def logit_diff(counts, length=5):
    """On paper, from how many zeros, ones, … stand among the tokens."""
    seen = np.sqrt(12) * np.array(counts) / length
    return (seen[0] - seen[1]) / np.sqrt((4 + (seen**2).sum()) / 12)


BEFORE, AFTER = logit_diff([1, 2, 0, 0]), logit_diff([2, 1, 0, 0])


def test_baseline(model, pairs):
    told = METHODS["baseline"](model, pairs)
    assert told.values.sel(run="clean").item() == pytest.approx(AFTER, abs=1e-5)
    assert told.values.sel(run="corrupt").item() == pytest.approx(BEFORE, abs=1e-5)
    assert told.parts["right"].values.tolist() == [[1.0], [0.0]]


def only(values, at, expected):
    """The cell `at` has the expected value and every other cell is exactly zero."""
    array = values.values.copy()
    assert array[at] == pytest.approx(expected, abs=1e-5)
    array[at] = 0
    assert not array.any()


def test_patching_finds_the_one_head_and_the_one_position(model, pairs):
    heads = METHODS["patch"](model, pairs).values.isel(prompt=0)
    only(heads, HERE, AFTER - BEFORE)
    fine = METHODS["patch"](model, pairs, by=("layer", "head", "pos")).values.isel(prompt=0)
    only(fine, (*HERE, 4), AFTER - BEFORE)


def test_noising_is_denoising_with_the_sign_turned(model, pairs):
    only(METHODS["patch"](model, pairs, direction="noise").values.isel(prompt=0), HERE, BEFORE - AFTER)


def test_zeroing_the_head_leaves_nothing(model, pairs):
    only(METHODS["patch"](model, pairs, direction="noise", replacement="zero").values.isel(prompt=0), HERE, -AFTER)


def test_values_matter_where_the_prompts_differ_and_queries_and_keys_nowhere(model, pairs):
    values = METHODS["patch"](model, pairs, sites="v", by=("layer", "head", "pos")).values.isel(prompt=0)
    only(values, (*HERE, 2), AFTER - BEFORE)
    for site in ("q", "k", "pattern"):
        assert not METHODS["patch"](model, pairs, sites=site).values.values.any()


def test_the_stream_carries_the_answer_at_position_2_then_at_the_end(model, pairs):
    stream = METHODS["patch"](model, pairs, sites="resid_pre", by=("layer", "pos")).values.isel(prompt=0).values
    expected = np.zeros((2, 5))
    expected[0, 2] = expected[1, 4] = AFTER - BEFORE
    assert np.allclose(stream, expected, atol=1e-5)


def test_normalised_effect_is_one(model, pairs):
    both = pairs_from_ids(model.tokenizer, "by hand", [CLEAN] * 2, [CORRUPT] * 2, right=[[0]] * 2, wrong=[[1]] * 2)
    only(METHODS["patch"](model, both, normalise=True).mean().values, HERE, 1.0)


def test_direct_attribution_gives_the_head_everything(model, pairs):
    only(METHODS["dla"](model, pairs).values.isel(prompt=0), HERE, AFTER)
    parts = METHODS["dla"](model, pairs, by="component").values.isel(prompt=0)
    assert parts.sel(component="L0H1").item() == pytest.approx(AFTER, abs=1e-5)
    assert not parts.drop_sel(component="L0H1").values.any()


def test_attribution_is_the_tangent_and_relevance_holds_the_norm(model, pairs):
    """d(logit diff)/d(stream) by hand; under the norm's rule the divisor of the corrupt run is a constant."""
    seen, clean = np.sqrt(12) * np.array([1, 2]) / 5, np.sqrt(12) * np.array([2, 1]) / 5
    scale = np.sqrt((4 + (seen**2).sum()) / 12)
    held = ((clean - seen) @ [1, -1]) / scale
    only(METHODS["relp"](model, pairs).values.isel(prompt=0), HERE, held)
    tangent = held - (seen[0] - seen[1]) * (seen @ (clean - seen)) / (12 * scale**3)
    only(METHODS["atp"](model, pairs).values.isel(prompt=0), HERE, tangent)


def test_lens_sees_the_answer_after_the_head(model, pairs):
    lens = METHODS["lens"](model, pairs, top=8)
    flat = np.full(8, 1 / 8)
    assert np.allclose(lens.values.sel(layer=0, pos=4).values, flat, atol=1e-6)
    logits = np.zeros(8)
    logits[:2] = np.sqrt(12) * np.array([2, 1]) / 5 / np.sqrt((4 + 12 * 5 / 25) / 12)
    expected = np.sort(np.exp(logits) / np.exp(logits).sum())[::-1]
    assert np.allclose(lens.values.sel(layer=1, pos=4).values, expected, atol=1e-5)
    assert lens.parts["answer_rank"].sel(layer=1, pos=4).item() == 0
    curve = METHODS["lens_by_layer"](model, pairs).values
    assert np.allclose(curve.sel(series="clean").values, [0, AFTER, AFTER], atol=1e-5)


def test_agreement_of_one_point_against_zeros_is_perfect_and_its_slope_the_ratio(model, pairs):
    exact, linear = METHODS["patch"](model, pairs), METHODS["relp"](model, pairs)
    told = agreement(exact, linear).values
    assert told.sel(measure="pearson").item() == pytest.approx(1)
    ratio = linear.values.values.max() / exact.values.values.max()
    assert told.sel(measure="slope").item() == pytest.approx(ratio)
