"""The page of models without a browser: what there is, why one is refused, loading with Stop, letting go, the URL."""

import json
import threading
import time

import pytest

from tests import families
from tests.views.conftest import opened, settle
from workbench.jobs import Jobs, Models, Placed
from workbench.models.refusal import here, refusal
from workbench.progress import track
from workbench.views.models import at, checkpoints, offered
from workbench.views.shelf import Shelf, restore, written

LARGE = 10**12


@pytest.fixture
def folder(tmp_path):
    return families.save("llama", tmp_path / "model")


@pytest.fixture
def view(folder):
    jobs = Jobs(Models())
    yield opened(Shelf(jobs, ref=str(folder)))
    jobs.stop_all(10)


def row(view, ref):
    return next(row for row in view.rows if row.ref == ref)


def test_the_table_tells_what_each_takes_and_what_lies_here(view):
    known = row(view, "gpt2-xl")
    assert (known.weights, known.memory["float32"], known.memory["bfloat16"]) == ("1.6B", "7.47 GB", "3.88 GB")
    own = row(view, "tiny:repeat")
    assert own.here
    assert not own.refused
    assert view.rows.index(own) < view.rows.index(known)


def test_load_with_progress_then_let_go(view):
    view.load()
    settle(view)
    assert view.loaded
    assert view.used > 0
    assert row(view, view.ref).loaded == "float32 on cpu"
    view.dtype = "bfloat16"
    assert not view.loaded
    view.load()
    settle(view)
    assert row(view, view.ref).loaded == "float32 on cpu, bfloat16 on cpu"
    view.unload()
    assert row(view, view.ref).loaded == "float32 on cpu"
    view.dtype = ""
    view.unload()
    assert view.ref not in [row.ref for row in view.rows]
    assert view.used == 0


def test_stop_while_a_model_is_loaded():
    begun = threading.Event()

    def load(ref):
        for _ in track(range(1000), "Loading"):
            begun.set()
            time.sleep(0.02)

    view = opened(Shelf(Jobs(Models(load)), ref="tiny:repeat"))
    view.load()
    assert begun.wait(10)
    view.stop()
    settle(view, 5)
    assert (view.status, view.loaded) == ("stopped", False)
    assert "not loaded" in view.told[-1].text


def test_a_model_that_is_too_large_is_refused_with_its_figures(view, monkeypatch):
    monkeypatch.setenv("WORKBENCH_MEMORY", "1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    view.look()
    assert row(view, "gpt2-xl").refused == "Not enough memory: it takes 7.47 GB in float32, and models may take 1.00 GB."
    assert not row(view, "gpt2").refused
    view.choose("gpt2-xl")
    view.load()
    assert not view.live
    assert "Not enough memory" in view.told[-1].text


def test_why_a_folder_is_refused(folder, tmp_path):
    ref, config = str(folder), folder / "config.json"
    assert refusal(ref, "float32", LARGE) == ""
    told = json.loads(config.read_text())
    config.write_text(json.dumps({**told, "architectures": ["NoSuchNet"]}))
    assert refusal(ref, "float32", LARGE) == "Unknown architecture: TransformerLens has no bridge for NoSuchNet."
    config.write_text(json.dumps({**told, "auto_map": {"AutoModel": "code.Model"}}))
    assert "Python code of its own" in refusal(ref, "float32", LARGE)
    for damaged in ("{", "[]", ""):
        config.write_text(damaged)
        assert "config.json cannot be read" in refusal(ref, "float32", LARGE)
    config.write_text(json.dumps(told))
    for file in folder.glob("*.safetensors"):
        file.write_bytes(b"xx")
    assert "damaged" in refusal(ref, "float32", LARGE)
    for file in folder.glob("*.safetensors"):
        file.unlink()
    assert refusal(ref, "float32", LARGE) == "It has no weights in safetensors."
    (tmp_path / "empty").mkdir()
    assert "must hold a config.json" in refusal(str(tmp_path / "empty"), "float32", LARGE)


def test_what_is_not_here_is_told_apart_from_what_is_nowhere(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    assert refusal("gpt2", "float32", LARGE) == ""
    assert refusal("org/name", "float32", LARGE) == ""
    assert "no such folder" in refusal("nosuch.gguf", "float32", LARGE)
    assert "no such folder" in refusal("nosuch", "float32", LARGE)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "fetching is switched off" in refusal("org/name", "float32", LARGE)
    assert here("tiny:repeat")
    assert not here("gpt2@step1000")


@pytest.mark.parametrize("ref", ["../../etc", "<img src=x onerror=alert(1)>", "a/../b", "x" * 5000, "a\x00b"])
def test_hostile_names_change_nothing(view, ref):
    before = view.ref
    view.choose(ref)
    assert view.ref == before
    assert "must be" in view.told[-1].text
    restore(view, {"model": ref})
    assert view.ref == before
    view.ref = ref
    view.load()
    assert not view.live
    assert view.told[-1].level == "error"


def test_a_device_or_dtype_of_the_url_that_is_none_is_told(view):
    restore(view, {"model": "tiny:repeat", "dtype": "int3", "device": "tpu", "what": "1"})
    assert (view.ref, view.dtype, view.device) == ("tiny:repeat", "", "")
    assert all(word in view.told[-1].text for word in ("dtype", "device", "what"))
    restore(view, {"dtype": "bfloat16", "device": "cpu"})
    assert written(view) == {"model": "tiny:repeat", "dtype": "bfloat16", "device": "cpu"}
    assert view.placed == Placed("tiny:repeat", "bfloat16", "cpu")
    assert Placed.of(view.placed) == Placed.of(Placed("tiny:repeat", "bfloat16"))


def test_where_a_server_allows_some_models_only_these_are_listed(view, monkeypatch):
    monkeypatch.setenv("WORKBENCH_ALLOW", "tiny:repeat\ngpt2")
    view.look()
    assert [row.ref for row in view.rows] == ["tiny:repeat", "gpt2"]
    assert [ref for group in offered().values() for ref in group.values()] == ["tiny:repeat", "gpt2"]
    view.choose("smollm2-135m")
    assert "this server allows" in view.told[-1].text


def test_checkpoints_of_a_run_are_offered():
    named = checkpoints("trained:attention")
    assert named[0] == "step0"
    assert checkpoints("trained:attention@step0") == named
    assert checkpoints("pythia-70m")[-1] == "step143000"
    assert checkpoints("gpt2") == checkpoints("nosuch") == []
    assert at("trained:attention", "step0") == at("trained:attention@step100", "step0") == "trained:attention@step0"
    assert at("trained:attention@step0", "") == "trained:attention"
