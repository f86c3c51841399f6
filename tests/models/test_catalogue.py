"""The catalogue's shapes count the weights that transformers' own models have."""

import pytest
import torch

from workbench.models.catalogue import BYTES, CATALOGUE, Known


def config_of(known: Known):
    """A transformers configuration of the row's shape."""
    import transformers as hf

    shared = dict(
        vocab_size=known.vocab,
        hidden_size=known.d_model,
        intermediate_size=known.d_mlp,
        num_hidden_layers=known.layers,
        num_attention_heads=known.heads,
        max_position_embeddings=known.context,
        tie_word_embeddings=known.tied,
    )
    grouped = dict(shared, num_key_value_heads=known.kv_heads, head_dim=known.d_head)
    match known.family:
        case "gpt2":
            return hf.GPT2Config(
                vocab_size=known.vocab, n_embd=known.d_model, n_layer=known.layers, n_head=known.heads, n_inner=known.d_mlp,
                n_positions=known.context, tie_word_embeddings=known.tied,
            )  # fmt: skip
        case "neox":
            return hf.GPTNeoXConfig(**shared)
        case "llama":
            return hf.LlamaConfig(**grouped)
        case "qwen2":
            return hf.Qwen2Config(**grouped)
        case "qwen3":
            return hf.Qwen3Config(**grouped)
        case "gemma2":
            return hf.Gemma2Config(**grouped)


@pytest.mark.parametrize("known", CATALOGUE.values(), ids=CATALOGUE)
def test_n_params_is_the_count_of_transformers(known):
    """Layers are all alike: built with one and with two of them, on no device, the rest is a product."""
    from transformers import AutoModelForCausalLM

    counts = []
    for layers in (1, 2):
        config = config_of(known)
        config.num_hidden_layers = layers
        if getattr(config, "layer_types", None):
            config.layer_types = config.layer_types[:layers]
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config)
            model.tie_weights()
        counts.append(sum(weight.numel() for weight in model.parameters()))
    assert known.n_params == counts[0] + (known.layers - 1) * (counts[1] - counts[0])


def test_published_sizes():
    """The names on the hub say how large a model is."""
    for name, millions in (
        ("gpt2", 124),
        ("smollm2-135m", 135),
        ("pythia-70m", 70),
        ("llama-3.2-1b", 1236),
        ("gemma-2-2b", 2614),
    ):
        assert CATALOGUE[name].n_params / 1e6 == pytest.approx(millions, abs=1), name


def test_memory_is_bytes_per_weight():
    known = CATALOGUE["gpt2"]
    assert known.memory("float32") == 4 * known.n_params
    assert known.memory("float64") == 2 * known.memory("float32")
    assert known.memory("bfloat16") == known.memory("float16") == 2 * known.n_params
    for dtype, size in BYTES.items():
        assert torch.zeros((), dtype=getattr(torch, dtype)).element_size() == size


def test_rows_are_whole():
    for name, known in CATALOGUE.items():
        assert known.name == name
        assert known.hub.count("/") == 1
        assert known.heads % known.kv_heads == 0
        if known.family in ("gpt2", "neox"):
            assert known.heads == known.kv_heads
            assert known.heads * known.d_head == known.d_model
    assert len({known.hub for known in CATALOGUE.values()}) == len(CATALOGUE)


def test_the_wheel_of_the_catalogue_is_the_one_fetched():
    from workbench.models.wheel import PACKAGE

    assert [known.wheel for known in CATALOGUE.values() if known.wheel] == [PACKAGE]
