"""load(ref): transformers' own logits bit for bit, from wherever the weights come, and one line where they do not."""

import json
import shutil
import sys

import pytest
import torch

from tests import families
from tests.conftest import toy_pairs
from workbench import models
from workbench.errors import BadInput
from workbench.models import CATALOGUE, card, load, on_disk, own_refs


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder of each family, saved once; tests that change one copy it."""
    folders = {}

    def get(family):
        if family not in folders:
            folders[family] = families.save(family, tmp_path_factory.mktemp(family))
        return folders[family]

    return get


@pytest.fixture
def copied(saved, tmp_path):
    """A llama folder of one's own."""
    shutil.copytree(saved("llama"), tmp_path / "model")
    return tmp_path / "model"


def refused(ref, **options) -> str:
    with pytest.raises(BadInput) as caught:
        load(str(ref), **{"device": "cpu", **options})
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("family", families.FAMILIES)
def test_logits_are_those_of_transformers_bit_for_bit(saved, family):
    from transformers import AutoModelForCausalLM

    model = load(str(saved(family)), device="cpu")
    plain = AutoModelForCausalLM.from_pretrained(saved(family), attn_implementation="eager", dtype=torch.float32).eval()
    tokens = toy_pairs(model, length=9).clean
    with torch.no_grad():
        logits, expected = model(tokens), plain(tokens).logits
    if family == "gpt2":
        # The library multiplies GPT-2's queries, keys and values apart, transformers together: rounding differs.
        assert torch.allclose(logits, expected, rtol=1e-5, atol=1e-5)
    else:
        assert torch.equal(logits, expected)


def test_logits_differ_from_transformers_by_rounding_alone(saved):
    """What is rounding in float32 is smaller by as much as float64 is finer."""
    from transformers import AutoModelForCausalLM

    model = load(str(saved("gpt2")), device="cpu", dtype="float64")
    plain = AutoModelForCausalLM.from_pretrained(saved("gpt2"), attn_implementation="eager", dtype=torch.float64).eval()
    tokens = toy_pairs(model, length=9).clean
    with torch.no_grad():
        assert (model(tokens) - plain(tokens).logits).abs().max() < 1e-13


@pytest.mark.parametrize("family", families.FAMILIES)
def test_weights_stay_as_published(saved, family):
    from safetensors.torch import load_file

    published = load_file(saved(family) / "model.safetensors")
    kept = load(str(saved(family)), device="cpu").original_model.state_dict()
    found = {name.replace("_original_component.", ""): weight for name, weight in kept.items()}
    assert sum(any(torch.equal(weight, each) for each in found.values()) for weight in published.values()) == len(published)


def test_gradients_are_off_and_the_mode_is_evaluation(saved):
    model = load(str(saved("gpt2")), device="cpu")
    assert not any(weight.requires_grad for weight in model.parameters())
    assert not any(weight.requires_grad for weight in model.original_model.parameters())
    assert not any(module.training for module in model.modules())


def test_a_tied_embedding_stays_tied(saved):
    model = load(str(saved("llama")), device="cpu")
    inner = model.original_model
    assert inner.get_input_embeddings().weight.data_ptr() == inner.get_output_embeddings().weight.data_ptr()


@pytest.mark.parametrize("dtype", ["bfloat16", "float64"])
def test_other_dtypes(saved, dtype):
    model = load(str(saved("llama")), device="cpu", dtype=dtype)
    wanted = getattr(torch, dtype)
    assert {weight.dtype for weight in model.original_model.parameters()} == {wanted}
    assert card(model).dtype == dtype
    reference = load(str(saved("llama")), device="cpu")
    pairs = toy_pairs(model)
    with torch.no_grad():
        logits, expected = model(pairs.clean), reference(pairs.clean)
    assert logits.dtype == wanted
    far = (logits.double() - expected.double()).abs().max() / expected.abs().max()
    assert 0 < far < (0.05 if dtype == "bfloat16" else 1e-5)


def test_dtype_and_device_are_checked_before_anything_is_read():
    assert refused("nowhere", dtype="float31").startswith(
        "dtype must be one of 'float64', 'float32', 'bfloat16', 'float16'; got"
    )
    assert refused("nowhere", device="cpuu") == "device must be one of 'cpu', 'cuda', 'mps'; got 'cpuu'. Did you mean 'cpu'?"
    if not torch.cuda.is_available():
        assert refused("nowhere", device="cuda:1") == "device must be one this machine has; got 'cuda:1'. Use 'cpu'."


@pytest.mark.parametrize("device", ["cuda:2", "cuda:x", "cuda:", "cuda:-1"])
def test_a_gpu_that_is_not_there_is_told(monkeypatch, device):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert refused("nowhere", device=device) == f"device must be one of 2 GPUs; got {device!r}."


def test_a_ref_that_leads_nowhere_is_told_with_the_nearest_name():
    assert "got 'gpt3'. Did you mean 'gpt2'?" in refused("gpt3")
    for ref in ("", "../x", "/no/where", "~/model", "a/b/c", "./x", "org/.."):
        said = refused(ref)
        assert said.startswith("model must be a name of the catalogue, a hub name 'org/name', a folder that exists")
        assert f"got {ref!r}" in said


def test_a_hub_name_without_a_network_is_one_line(monkeypatch, tmp_path):
    said = refused("nobody/nothing-of-this-name")
    assert said.startswith("model must be on this disk or reachable on the hub; got 'nobody/nothing-of-this-name'")
    assert said.endswith("or connect to the network.")
    assert refused("-bad-/na me").startswith("model must be a hub name 'org/name'; got '-bad-/na me'")


def test_a_folder_must_hold_a_model(tmp_path):
    assert refused(tmp_path) == f"model folder must hold a config.json; got {str(tmp_path)!r}. Save it with save_pretrained."
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    assert refused(tmp_path).startswith("model folder must hold weights as safetensors; got none")


@pytest.mark.parametrize("config", ["{", "[]", "{}", '{"model_type": "no-such"}'])
def test_a_config_that_transformers_cannot_read_is_one_line(copied, config):
    (copied / "config.json").write_text(config)
    assert refused(copied).startswith("model must be one that transformers can read; model says: ")


@pytest.mark.parametrize("words", ["", "{", "{}", '{"model": 3}'])
def test_a_damaged_tokenizer_is_one_line(copied, words):
    (copied / "tokenizer.json").write_text(words)
    assert refused(copied).startswith("model must be one that transformers can read; model says: ")


def test_weights_of_another_shape_than_the_config_says_are_one_line(copied):
    told = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps(told | {"intermediate_size": 29}))
    assert refused(copied).startswith("model must be one that transformers can read; model says: ")


def test_a_family_that_is_not_bridged_is_one_line(copied):
    from transformers import AutoModelForCausalLM, BertGenerationConfig, BertGenerationDecoder

    config = BertGenerationConfig(
        vocab_size=23, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, is_decoder=True
    )
    BertGenerationDecoder(config).save_pretrained(copied)
    assert AutoModelForCausalLM.from_pretrained(copied)
    assert refused(copied).startswith("model must be of a family that TransformerLens bridges;")


@pytest.mark.parametrize("kind", ["tiny", "known"])
def test_our_own_models_go_by_their_names(saved, tmp_path, monkeypatch, kind):
    shutil.copytree(saved("llama"), tmp_path / kind / "mine")
    # The module's name is taken by the function that the room exports.
    monkeypatch.setattr(sys.modules["workbench.models.find"], "DATA", tmp_path)
    assert own_refs() == [f"{kind}:mine"]
    model = load(f"{kind}:mine", device="cpu")
    assert card(model).source == kind
    assert card(model).ref == f"{kind}:mine"
    assert refused(f"{kind}:mind") == f"{kind} model must be one of 'mine'; got 'mind'. Did you mean 'mine'?"


@pytest.mark.parametrize("size", [0, 7, 400, -1])
def test_a_safetensors_file_cut_short_is_told(copied, size):
    file = copied / "model.safetensors"
    file.write_bytes(file.read_bytes()[:size])
    said = refused(copied)
    assert said.startswith("weights must be ")
    assert "etch" in said


def test_a_tensor_that_is_missing_is_not_made_up(copied):
    """transformers fills in missing weights with random ones; numbers from those would be made up."""
    from safetensors.torch import load_file, save_file

    tensors = load_file(copied / "model.safetensors")
    del tensors["model.layers.1.mlp.down_proj.weight"]
    save_file(tensors, copied / "model.safetensors", {"format": "pt"})
    assert "model.layers.1.mlp.down_proj.weight" in refused(copied)


class Harmful:
    """What a pickle may do when it is read."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return (open, (str(self.file), "w"))


def test_a_pickle_that_holds_code_is_refused_and_not_run(copied, tmp_path):
    file = tmp_path / "was here"
    (copied / "model.safetensors").unlink()
    torch.save({"model.embed_tokens.weight": Harmful(file)}, copied / "pytorch_model.bin")
    assert refused(copied).startswith("pickled weights must hold tensors only;")
    assert not file.exists()
    torch.load(copied / "pytorch_model.bin", weights_only=False)
    assert file.exists(), "the pickle was harmless: the test shows nothing"


def test_a_pickle_that_holds_tensors_loads(copied, saved):
    from safetensors.torch import load_file

    torch.save(load_file(copied / "model.safetensors"), copied / "pytorch_model.bin")
    (copied / "model.safetensors").unlink()
    model, reference = load(str(copied), device="cpu"), load(str(saved("llama")), device="cpu")
    tokens = toy_pairs(model).clean
    with torch.no_grad():
        assert torch.equal(model(tokens), reference(tokens))
    assert card(model).fingerprint == card(reference).fingerprint


@pytest.mark.parametrize("where", ["config.json", "tokenizer_config.json"])
def test_code_that_comes_with_a_model_is_not_run(copied, tmp_path, where):
    file = tmp_path / "was here"
    told = json.loads((copied / where).read_text())
    if where == "config.json":
        told |= {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Mine", "AutoModelForCausalLM": "mine.Mine"}}
    else:
        told |= {"tokenizer_class": "Mine", "auto_map": {"AutoTokenizer": ["mine.Mine", "mine.Mine"]}}
        (copied / "tokenizer.json").unlink()
    (copied / where).write_text(json.dumps(told))
    (copied / "mine.py").write_text(f"open({str(file)!r}, 'w')\nclass Mine: pass\n")
    said = refused(copied)
    assert said.startswith("model must come without code of its own; model brings some, which was not run.")
    assert said.endswith("load with trust_remote_code=True.")
    assert not file.exists()


def with_bos(folder):
    """Make the folder's tokenizer put its BOS before every text by itself."""
    from tokenizers.processors import TemplateProcessing
    from transformers import AutoTokenizer

    words = AutoTokenizer.from_pretrained(folder)
    words.backend_tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    words.save_pretrained(folder)


def test_the_tokenizer_is_the_models_own(copied):
    model = load(str(copied), device="cpu")
    assert model.tokenizer("a b c")["input_ids"] == [2, 3, 4]
    assert model.to_tokens("a b c").tolist() == [[2, 3, 4]]
    assert not model.cfg.default_prepend_bos
    with_bos(copied)
    model = load(str(copied), device="cpu")
    assert model.tokenizer("a b c")["input_ids"] == [0, 2, 3, 4]
    assert model.to_tokens("a b c").tolist() == [[0, 2, 3, 4]]
    assert model.cfg.default_prepend_bos


def test_the_card_says_what_was_loaded(saved, copied):
    model, again = load(str(saved("llama")), device="cpu"), load(str(copied), device="cpu")
    assert card(model).ref == str(saved("llama"))
    assert card(model).source == "folder"
    assert card(model).device == "cpu"
    assert card(model).dtype == "float32"
    assert card(model).fingerprint == card(again).fingerprint
    assert len(card(model).fingerprint) == 16


def test_the_fingerprint_changes_with_one_weight_and_with_a_swap(copied):
    from safetensors.torch import load_file, save_file

    before = card(load(str(copied), device="cpu")).fingerprint
    file = copied / "model.safetensors"
    tensors = load_file(file)
    seen = {before}
    name = "model.layers.2.mlp.up_proj.weight"
    for change in (lambda weight: weight[27, 19].add_(1e-3), lambda weight: weight.copy_(weight.flip(0))):
        changed = {key: value.clone() for key, value in tensors.items()}
        change(changed[name])
        save_file(changed, file, {"format": "pt"})
        seen.add(card(load(str(copied), device="cpu")).fingerprint)
    assert len(seen) == 3


def test_a_model_that_load_did_not_load_has_a_card_from_memory(saved):
    from transformer_lens.model_bridge import TransformerBridge
    from transformers import AutoModelForCausalLM, AutoTokenizer

    weights = AutoModelForCausalLM.from_pretrained(saved("gpt2"))
    made = TransformerBridge.boot_transformers(
        "mine", hf_model=weights, tokenizer=AutoTokenizer.from_pretrained(saved("gpt2")), device="cpu"
    )
    assert card(made).source == "memory"
    assert card(made) is card(made)


def test_what_lies_in_the_hubs_cache_is_on_disk(monkeypatch, tmp_path):
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: None)
    assert not any(on_disk(known) for known in CATALOGUE.values())
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda hub, name: "x" if "gpt2" in hub else object())
    assert on_disk(CATALOGUE["gpt2"])
    assert not on_disk(CATALOGUE["pythia-70m"])


def test_public_names():
    assert set(models.__all__) <= set(dir(models))
