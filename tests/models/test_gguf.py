"""GGUF files: the same weights give the same logits, and what is no whole GGUF file is told in one line."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests import families
from tests.conftest import toy_pairs
from workbench.errors import BadInput
from workbench.models import card, load
from workbench.models.gguf import check_gguf, count_gguf_weights

NAMES = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "model.layers": "blk",
}


def paired(weight: np.ndarray, heads: int) -> np.ndarray:
    """Rows of a query or key projection as GGUF keeps Llama's: the two halves of each head interleaved."""
    return weight.reshape(heads, 2, -1, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)


def write_gguf(folder: Path, file: Path) -> Path:
    """Write the tiny llama of `folder` as a GGUF file of float32 tensors, with a byte-level tokenizer of 23 words."""
    from gguf import GGUFWriter
    from safetensors.numpy import load_file

    writer = GGUFWriter(file, "llama")
    writer.add_context_length(64)
    writer.add_block_count(families.LAYERS)
    writer.add_embedding_length(families.D_MODEL)
    writer.add_feed_forward_length(families.D_MLP)
    writer.add_head_count(families.HEADS)
    writer.add_head_count_kv(families.KV_HEADS)
    writer.add_rope_dimension_count(families.D_HEAD)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_vocab_size(families.VOCAB)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([*families.WORDS[:-1], "ab"])
    writer.add_token_types([3, 3] + [1] * (families.VOCAB - 2))
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_pad_token_id(1)
    for name, weight in load_file(folder / "model.safetensors").items():
        if "q_proj" in name or "k_proj" in name:
            weight = paired(weight, families.HEADS if "q_proj" in name else families.KV_HEADS)
        for ours, theirs in NAMES.items():
            name = name.replace(ours, theirs)
        writer.add_tensor(name, np.ascontiguousarray(weight))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return families.save("llama", tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="module")
def file(folder, tmp_path_factory):
    return write_gguf(folder, tmp_path_factory.mktemp("gguf") / "tiny.gguf")


def test_logits_are_those_of_the_folder(file, folder):
    model, reference = load(str(file), device="cpu"), load(str(folder), device="cpu")
    tokens = toy_pairs(reference).clean
    with torch.no_grad():
        assert torch.equal(model(tokens), reference(tokens))
    assert card(model).source == "gguf"
    assert card(model).ref == str(file)


def test_queries_and_keys_matter_to_it(file, folder, tmp_path, monkeypatch):
    """Without the interleaving the logits are others: the test above is one of the order of heads' rows."""
    monkeypatch.setattr("tests.models.test_gguf.paired", lambda weight, heads: weight)
    plain = load(str(write_gguf(folder, tmp_path / "plain.gguf")), device="cpu")
    reference = load(str(folder), device="cpu")
    tokens = toy_pairs(reference).clean
    with torch.no_grad():
        assert (plain(tokens) - reference(tokens)).abs().max() > 1e-2


def test_the_tokenizer_comes_with_it(file):
    model = load(str(file), device="cpu")
    assert model.tokenizer("cd")["input_ids"] == [4, 5]
    assert model.tokenizer("cab")["input_ids"] == [4, 22]
    assert model.to_tokens("cd").tolist() == [[4, 5]]
    assert model.tokenizer.eos_token_id == 1


def test_another_dtype(file):
    model = load(str(file), device="cpu", dtype="bfloat16")
    assert {weight.dtype for weight in model.original_model.parameters()} == {torch.bfloat16}


def test_weights_are_counted_from_the_header(file, folder):
    from workbench.models.memory import count_weights

    assert count_gguf_weights(file) == count_weights(folder)


def refused(ref) -> str:
    with pytest.raises(BadInput) as caught:
        load(str(ref), device="cpu")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    assert refused(tmp_path / "no.gguf") == f"model ref must be a file that exists; got {str(tmp_path / 'no.gguf')!r}."
    (tmp_path / "folder.gguf").mkdir()
    assert refused(tmp_path / "folder.gguf").startswith("model ref must be a file that exists")


@pytest.mark.parametrize("content", [b"", b"GGU", b"PK\x03\x04 and more"])
def test_a_file_that_is_no_gguf(tmp_path, content):
    wrong = tmp_path / "wrong.gguf"
    wrong.write_bytes(content)
    assert refused(wrong) == f"model ref must be a GGUF file; got {str(wrong)!r}, which does not start with 'GGUF'."
    with pytest.raises(BadInput):
        check_gguf(wrong)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.02, 0.05, 0.1, 0.5, 0.9, 0.999])
def test_a_file_cut_off(file, tmp_path, share):
    whole = file.read_bytes()
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(whole[: max(4, int(share * len(whole)))])
    assert "GGUF file" in refused(cut)


def test_an_architecture_that_transformers_does_not_read(tmp_path):
    from gguf import GGUFWriter

    writer = GGUFWriter(tmp_path / "other.gguf", "no-such-architecture")
    writer.add_tensor("a", np.zeros(3, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert refused(tmp_path / "other.gguf").startswith("other.gguf must be a GGUF file that transformers can read; it says: ")
