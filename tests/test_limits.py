"""What the owner of a server allows: read from text, told in one sentence, held wherever a model is asked for."""

import pytest

from tests import families
from tests.conftest import toy_pairs
from workbench.errors import BadInput
from workbench.jobs import Jobs, Limits, Models, limits
from workbench.store import Store
from workbench.views.circuits import Circuits
from workbench.views.index import Index
from workbench.views.query import model as model_of_url
from workbench.views.question import Question
from workbench.views.shelf import Shelf

HOSTILE = [
    "../../etc/passwd", "a/../../b", "<img src=x onerror=alert(1)>", "a\x00b", "a\nb", "x" * 2000, "org/name<script>",
    "..", "/tmp/../etc", 'a"b', "a|b",
]  # fmt: skip


def test_limits_are_read_from_text():
    assert Limits.read("tokens=256, pairs=64 cells=1000") == Limits(tokens=256, pairs=64, cells=1000)
    assert Limits.read("") == Limits()


@pytest.mark.parametrize(
    "text", ["tokens", "tokens=", "tokens=0", "tokens=-1", "tokens=many", "tokens=1e9", "allow=gpt2", "x=1"]
)
def test_what_is_no_limit_is_told(text):
    with pytest.raises(BadInput, match="limit"):
        Limits.read(text)


@pytest.mark.parametrize("ref", HOSTILE)
def test_what_can_be_no_model_is_refused_in_one_sentence_everywhere(ref, tmp_path):
    loaded = []
    with pytest.raises(BadInput, match="the model must be") as caught:
        Limits().check_model(ref)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300
    with pytest.raises(BadInput):
        model_of_url(ref)
    jobs = Jobs(Models(loaded.append))
    view = Circuits(jobs, Store(tmp_path), model=ref)
    with pytest.raises(BadInput, match="the model must be"):
        view.question()
    job = jobs.submit(ref, "k", lambda model, job: 1)
    assert job.wait(10)
    assert job.status == "failed"
    assert not loaded


def test_only_allowed_models_are_loaded_and_their_checkpoints_with_them(monkeypatch, tmp_path):
    monkeypatch.setenv("WORKBENCH_ALLOW", "pythia-70m\ntiny:repeat\n")
    for ref in ("tiny:repeat", "pythia-70m", "pythia-70m@step1000", "pythia-70m@step0,step1000", "pythia-70m@all"):
        limits().check_model(ref)
    for ref in ("gpt2", "tiny:other", "org/pythia-70m", "gpt2@pythia-70m"):
        with pytest.raises(BadInput, match="one that this server allows: pythia-70m, tiny:repeat"):
            limits().check_model(ref)
    with pytest.raises(BadInput, match="this server allows"):
        model_of_url("gpt2")
    view = Circuits(Jobs(Models(lambda ref: 1 / 0)), Store(tmp_path), model="gpt2")
    view.run()
    assert "this server allows" in view.notice.text
    assert not view.live


def test_pages_begin_with_a_model_that_is_allowed_and_offer_no_other(monkeypatch, tmp_path):
    store = Store(tmp_path)
    assert Circuits(Jobs(Models()), store).model == Shelf(Jobs(Models())).ref == "smollm2-135m"
    monkeypatch.setenv("WORKBENCH_ALLOW", "trained:attention\nknown:copy")
    monkeypatch.setenv("WORKBENCH_PAGES", "index circuits heads")
    assert Circuits(Jobs(Models()), store).model == Shelf(Jobs(Models())).ref == "trained:attention"
    assert Circuits(Jobs(Models()), store, model="known:copy").model == "known:copy"
    front = Index(Jobs(Models()), store)
    assert not any(card["first"] for card in front.cards())
    assert {name for names in front.here().values() for name in names} == {"trained:attention", "known:copy"}
    monkeypatch.setenv("WORKBENCH_ALLOW", "smollm2-135m\ntiny:repeat")
    assert Circuits(Jobs(Models()), store).model == "smollm2-135m"
    assert "a tiny model, in seconds" in front.cards()[0]["first"]


def test_paths_lie_in_the_folder_of_the_server(monkeypatch, tmp_path):
    inside, outside = tmp_path / "models" / "one", tmp_path / "other"
    inside.mkdir(parents=True)
    outside.mkdir()
    monkeypatch.setenv("WORKBENCH_FOLDER", str(tmp_path / "models"))
    limits().check_model(str(inside))
    limits().check_model("gpt2")
    limits().check_model("org/name")
    (tmp_path / "models" / "link").symlink_to(outside)
    for ref in (str(outside), str(tmp_path / "models" / "link"), "/etc", "~/models", "x.gguf", "./here"):
        with pytest.raises(BadInput, match="a folder in"):
            limits().check_model(ref)
    monkeypatch.setenv("WORKBENCH_FOLDER", "")
    with pytest.raises(BadInput, match="no folder of this server"):
        limits().check_model(str(inside))


def test_prompts_that_are_too_many_or_too_long_are_told_before_anything_is_computed(monkeypatch, llama):
    asked = Question("llama", "toy", "patch")
    monkeypatch.setattr(Question, "_made", lambda self, model: toy_pairs(model, n=4))
    assert len(asked.pairs(llama)) == 4
    monkeypatch.setenv("WORKBENCH_LIMITS", "pairs=3")
    with pytest.raises(BadInput, match="the pairs must be at most 3 on this server; got 4"):
        asked.pairs(llama)
    monkeypatch.setenv("WORKBENCH_LIMITS", "tokens=6")
    with pytest.raises(BadInput, match="tokens of the longest prompt must be at most 6 on this server; got 7"):
        asked.pairs(llama)


def test_too_many_pairs_are_told_when_typed(monkeypatch, tmp_path):
    monkeypatch.setenv("WORKBENCH_LIMITS", "pairs=8")
    view = Circuits(Jobs(Models(lambda ref: 1 / 0)), Store(tmp_path))
    view.question()
    view.options = {**view.options, "n": 9}
    with pytest.raises(BadInput, match="pairs must be at most 8"):
        view.question()


def test_two_tabs_that_press_stop_at_once_and_one_that_goes_on(tmp_path):
    """The views of two tabs on one run: the first Stop is for its tab alone, the second ends the work."""
    ref = str(families.save("llama", tmp_path / "model"))
    models = Models()
    models.take(ref)
    jobs, rows = Jobs(models), "clean,corrupt,right,wrong\n" + "a b c d e,a b f d e,g,h\n" * 6
    tabs = [Circuits(jobs, Store(tmp_path / "store"), model=ref, task="custom", rows=rows) for _ in range(2)]
    import threading

    gate = threading.Event()
    blocked = jobs.submit(ref, "before", lambda model, job: gate.wait(10))
    for at, tab in enumerate(tabs):
        jobs.who = lambda at=at: str(at)
        tab.run()
    job = tabs[0]._job
    assert job is tabs[1]._job
    jobs.who = lambda: "0"
    tabs[0].stop()
    tabs[0].stop()
    assert (tabs[0].status, tabs[0]._job) == ("stopped", None)
    assert "its work goes on" in tabs[0].notice.text
    assert job.live
    jobs.who = lambda: "1"
    tabs[1].stop()
    tabs[1].stop()
    tabs[1].refresh()
    assert tabs[1].status == "stopped"
    gate.set()
    assert blocked.wait(10)


@pytest.mark.parametrize(
    ("method", "params", "limit", "told"),
    [
        ("heads", {"examples": 9}, "pairs=8", "the pairs must be at most 8 on this server; got 9"),
        ("heads", {"length": 40}, "tokens=100", "longest prompt must be at most 100 on this server; got 160"),
        ("induction", {"copies": 8}, "tokens=100", "got 200"),
        ("in_context", {"length": 300}, "tokens=256", "got 300"),
        ("retrieval", {"lengths": "100,900"}, "tokens=256", "got 900"),
        ("attention", {"text": "a b c d e f g h"}, "tokens=6", "at most 6 on this server; got"),
    ],
)
def test_sequences_that_a_method_makes_itself_are_bounded_too(monkeypatch, llama, method, params, limit, told):
    asked = Question("llama", "", method, params=params)
    asked.check(llama)
    monkeypatch.setenv("WORKBENCH_LIMITS", limit)
    with pytest.raises(BadInput, match=told):
        asked.check(llama)
    # A page that asks for nothing of its own goes on under any limit.
    Question("llama", "", method).check(llama)
