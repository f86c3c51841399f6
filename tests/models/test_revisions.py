"""Checkpoints by name: what a ref with an '@' means, on disk and in the hub's cache."""

import shutil

import pytest
import torch

from tests import families
from tests.conftest import toy_pairs
from workbench.errors import BadInput
from workbench.models import card, load, own_refs, revisions
from workbench.models.revisions import in_folder, parted, several, step_of


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run's folder with two checkpoints."""
    folder = tmp_path_factory.mktemp("run")
    for seed, step in ((0, "step0"), (1, "step20"), (2, "step100")):
        families.save("llama", folder / step, seed=seed)
    return folder


def logits(model):
    with torch.no_grad():
        return model(toy_pairs(model).clean)


def test_a_ref_is_taken_apart():
    assert parted("gpt2") == ("gpt2", None)
    assert parted("pythia-70m@step1000") == ("pythia-70m", "step1000")
    assert parted("org/name@a1b2") == ("org/name", "a1b2")
    assert several("org/name@step0") is None
    assert several("org/name@step0,step5") == ("org/name", ["step0", "step5"])
    assert several("org/name@all") == ("org/name", None)
    assert [step_of(name) for name in ("step1000", "stage1-step5-tokens20B", "checkpoint-7")] == [1000, 5, 7]
    assert parted("org/name@refs/pr/1") == ("org/name", "refs/pr/1")
    assert parted("x" * 5000 + "@step1") == ("x" * 5000 + "@step1", None)


@pytest.mark.parametrize("ref", ["gpt2@", "@step1", "gpt2@../secret", "gpt2@a/../b", "gpt2@a b", "gpt2@-x"])
def test_what_is_no_revision_is_one_line(ref):
    with pytest.raises(BadInput, match=r"^a revision must be a name such as 'step1000'"):
        parted(ref)


def test_a_step_must_be_told():
    with pytest.raises(BadInput, match="must tell its step, as 'step1000' does; got 'main'"):
        step_of("main")


def test_a_folder_with_an_at_in_its_name_is_a_folder(tmp_path):
    families.save("llama", tmp_path / "run@3")
    assert load(str(tmp_path / "run@3"), device="cpu").cfg.n_layers == 3


def test_checkpoints_of_a_folder_are_loaded_by_name_and_are_told_apart(run):
    assert in_folder(run) == revisions(str(run)) == ["step0", "step20", "step100"]
    early, late = (load(f"{run}@{name}", device="cpu") for name in ("step0", "step100"))
    assert card(early).ref == f"{run}@step0"
    assert card(early).fingerprint != card(late).fingerprint
    assert torch.equal(logits(early), logits(load(str(run / "step0"), device="cpu")))
    assert torch.equal(logits(load(str(run), device="cpu", revision="step0")), logits(early))
    assert torch.equal(logits(load(str(run), device="cpu")), logits(late)), "a run without a revision is its last checkpoint"


def test_a_checkpoint_that_is_not_there_is_named(run):
    with pytest.raises(BadInput, match=r"must be one of 'step0', 'step20', 'step100'; got 'step3'"):
        load(f"{run}@step3", device="cpu")
    with pytest.raises(BadInput, match=r"checkpoints that are known; got 'gpt2'\. Name them: 'gpt2@step100,step200'"):
        revisions("gpt2")
    with pytest.raises(BadInput, match=r"tiny:repeat has none\. Leave out '@step5'"):
        load("tiny:repeat@step5", device="cpu")
    with pytest.raises(BadInput, match="model must be a name of the catalogue"):
        load("x" * 5000, device="cpu")
    with pytest.raises(BadInput, match="must come without a revision; got 'step1'"):
        load("model.gguf@step1", device="cpu")


def test_pythias_checkpoints_are_known():
    listed = revisions("pythia-70m")
    assert listed == revisions("EleutherAI/pythia-70m-deduped")
    assert len(listed) == 154
    assert listed[:4] == ["step0", "step1", "step2", "step4"]
    assert listed[10:12] == ["step512", "step1000"]
    assert listed[-1] == "step143000"


def test_a_hub_models_revision_is_that_branch_of_its_cache(run, tmp_path, monkeypatch):
    """The cache as the hub's client lays it out: a snapshot per commit, and a file per branch that names its commit."""
    root = tmp_path / "models--org--trained"
    (root / "refs").mkdir(parents=True)
    for number, step in enumerate(("step0", "step20")):
        shutil.copytree(run / step, root / "snapshots" / (str(number) * 40))
        (root / "refs" / step).write_text(str(number) * 40)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for step in ("step0", "step20"):
        model = load(f"org/trained@{step}", device="cpu")
        assert torch.equal(logits(model), logits(load(f"{run}@{step}", device="cpu")))
        assert card(model).ref == f"org/trained@{step}"
    with pytest.raises(BadInput, match="must be on this disk or reachable"):
        load("org/trained@step5", device="cpu")


def test_models_with_checkpoints_are_listed():
    assert {"trained:attention", "trained:full"} <= set(own_refs())
    for ref in ("trained:attention", "trained:full"):
        assert load(f"{ref}@step0", device="cpu").cfg.n_layers == 2
