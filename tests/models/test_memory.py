"""What a model will take is known before it is loaded."""

import json
import struct

import pytest

from tests import families
from workbench.errors import BadInput
from workbench.models import load, memory
from workbench.models.memory import check_fits, count_weights, forecast, free_memory, gigabytes


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return families.save("qwen3", tmp_path_factory.mktemp("counted"))


def test_headers_tell_how_many_weights_there_are(folder):
    from safetensors.torch import load_file

    tensors = load_file(folder / "model.safetensors")
    assert count_weights(folder) == sum(weight.numel() for weight in tensors.values())


def test_every_file_of_several_is_counted(folder, tmp_path):
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    names = sorted(tensors)
    save_file({name: tensors[name] for name in names[:5]}, tmp_path / "model-00001-of-00002.safetensors", {"format": "pt"})
    save_file({name: tensors[name] for name in names[5:]}, tmp_path / "model-00002-of-00002.safetensors")
    assert count_weights(tmp_path) == count_weights(folder)


def test_a_scalar_is_one_weight_and_a_folder_without_files_is_none(tmp_path):
    assert count_weights(tmp_path) is None
    header = json.dumps({"one": {"dtype": "F32", "shape": [], "data_offsets": [0, 4]}}).encode()
    (tmp_path / "m.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    assert count_weights(tmp_path) == 1


@pytest.mark.parametrize(
    "damaged",
    [b"", b"\x01\x02", struct.pack("<Q", 10**12) + b"{}", struct.pack("<Q", 4) + b"{{{{", struct.pack("<Q", 2) + b"\xff\xfe"],
    ids=["empty", "two bytes", "header longer than the file", "no json", "no text"],
)
def test_a_damaged_header_is_told_in_one_line(tmp_path, damaged):
    (tmp_path / "model.safetensors").write_bytes(damaged)
    with pytest.raises(BadInput, match="weights must be a whole safetensors file; got a damaged one") as caught:
        count_weights(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("header", [b"[1, 2]", b'{"a": 3}', b'{"a": {"dtype": "F32"}}', b'{"a": {"shape": ["x"]}}'])
def test_a_header_that_is_json_and_no_header_is_damaged_too(tmp_path, header):
    (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(BadInput, match="weights must be a whole safetensors file"):
        count_weights(tmp_path)


def test_the_forecast_is_more_than_the_weights_and_grows_with_them():
    for dtype, size in (("float32", 4), ("bfloat16", 2), ("float64", 8)):
        assert forecast(10**9, dtype) > size * 10**9
        assert forecast(2 * 10**9, dtype) > forecast(10**9, dtype)


def test_what_fits_passes_and_what_does_not_is_refused_with_figures(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda device: forecast(10**9, "float32"))
    check_fits("big", 10**9, "float32", "cpu")
    monkeypatch.setattr(memory, "free_memory", lambda device: forecast(10**9, "float32") - 1)
    with pytest.raises(BadInput) as caught:
        check_fits("big", 10**9, "float32", "cpu")
    assert str(caught.value) == (
        "big must fit into free memory; got a forecast of 4.90 GB in float32, and 4.90 GB is free on cpu. "
        "Use dtype='bfloat16' (2.60 GB)."
    )


def test_no_dtype_is_offered_that_does_not_fit(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda device: 10**9)
    for dtype in ("float32", "bfloat16"):
        with pytest.raises(BadInput, match=rf"in {dtype}, and 1.00 GB is free on cuda:1\. Take a smaller model\.$"):
            check_fits("big", 10**9, dtype, "cuda:1")


def test_a_real_folder_that_fits_loads_and_one_that_does_not_is_not_read(folder, monkeypatch):
    asked = []

    def free(device):
        asked.append(device)
        return 10**6

    monkeypatch.setattr(memory, "free_memory", free)
    monkeypatch.setattr("transformers.AutoModelForCausalLM.from_pretrained", lambda *_, **__: pytest.fail("it was read"))
    with pytest.raises(
        BadInput, match=r"must fit into free memory; got a forecast of 0\.30 GB in float32, and 0\.00 GB is free"
    ):
        load(str(folder), device="cpu")
    assert asked == ["cpu"]
    monkeypatch.undo()
    assert load(str(folder), device="cpu").cfg.n_layers == families.LAYERS


def test_free_memory_is_that_of_the_machine_or_of_its_container():
    import psutil

    assert 0 < free_memory("cpu") <= psutil.virtual_memory().total


def test_gigabytes_for_reading():
    assert gigabytes(5.4e8) == "0.54 GB"
    assert gigabytes(12.3e9) == "12 GB"
