"""The page of runs without a browser: what is listed, opened, deleted, taken up; jobs; and links between pages."""

import threading
from dataclasses import replace

import pytest

from tests.plots import samples
from tests.views.conftest import opened
from workbench.errors import BadInput
from workbench.formats import write_circuit
from workbench.jobs import Jobs, Models
from workbench.store import Store
from workbench.store.as_json import to_json
from workbench.views import address as circuits_address
from workbench.views.asking import Asking
from workbench.views.circuits import Circuits
from workbench.views.index import Index
from workbench.views.links import PAGES, address, carried, links, parted, served
from workbench.views.runs import Runs

SCORES = samples.scores("layer", "head")


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path / "store")
    for model, method in (("tiny", "patch"), ("gpt2", "patch"), ("gpt2", "baseline")):
        made.put(SCORES.replace(title=f"{method} of {model}", origin=replace(samples.ORIGIN, model=model, method=method)))
    return made


@pytest.fixture
def pages(monkeypatch):
    monkeypatch.setenv("WORKBENCH_PAGES", "runs circuits heads index dynamics nonsense")


@pytest.fixture
def view(store, pages):
    jobs = Jobs(Models())
    yield opened(Runs(jobs, store))
    jobs.stop_all(10)


def keys(view):
    return {entry.key for entry in view.shown}


def test_search_and_filters_narrow_what_is_listed(view):
    assert len(view.shown) == 3
    assert view.values("model") == ["all", "gpt2", "tiny"]
    view.narrow(model="gpt2")
    assert {entry.origin.model for entry in view.shown} == {"gpt2"}
    view.narrow(search="PATCH gpt2")
    assert [entry.origin.method for entry in view.shown] == ["patch"]
    view.narrow(search="no such thing")
    assert view.shown == []
    with pytest.raises(BadInput, match="the model must be one of"):
        view.narrow(model="<b>moon</b>")


def test_a_result_opens_on_the_page_that_has_its_tools(view, monkeypatch):
    by_method = {entry.origin.method: entry.key for entry in view.entries}
    view.choose(by_method["patch"])
    assert view.address == f"circuits?result={by_method['patch']}"
    view.choose(by_method["baseline"])
    assert view.address == ""
    monkeypatch.setenv("WORKBENCH_PAGES", "runs")
    view.choose(by_method["patch"])
    assert view.address == ""
    view.choose("feed0000")
    assert view.told[-1].text.startswith("key must be one of the stored ones")


def test_what_is_deleted_can_be_had_back(view, store):
    key = view.shown[0].key
    before = store.path(key).read_bytes()
    view.choose(key)
    view.delete()
    assert key not in store
    assert key not in keys(view)
    assert (view.chosen, view.result) == ("", None)
    view.restore()
    assert store.path(key).read_bytes() == before
    assert view.deleted == []
    view.restore()
    view.close()
    view.delete()
    assert len(view.entries) == 3


def test_what_is_exported_is_taken_up_elsewhere(view, tmp_path):
    elsewhere = opened(Runs(Jobs(Models()), Store(tmp_path / "elsewhere")))
    name, data = view.exported()
    assert name == "runs.zip"
    elsewhere.take(name, data)
    assert keys(elsewhere) == keys(view)
    view.choose(view.shown[-1].key)
    name, data = view.exported()
    assert name == f"{view.chosen}.npz"
    other = Runs(Jobs(Models()), Store(tmp_path / "other"))
    other.take(name, data)
    assert other.chosen == view.chosen
    other.take("a.json", to_json(SCORES.replace(origin=replace(samples.ORIGIN, method="dla"))).encode())
    assert len(other.entries) == 2


def test_a_circuit_of_another_tool_is_shown_and_not_stored(view, tmp_path):
    path = write_circuit(samples.circuit(), tmp_path / "circuit.graphml")
    view.take(path.name, path.read_bytes())
    assert view.result.kind == "circuit"
    assert view.chosen == ""
    assert len(view.entries) == 3


@pytest.mark.parametrize("name", ["x.csv", "../../x.npz", "circuit.json", "circuit.pt", "c.graphml", "<b>.zip"])
def test_a_file_that_is_none_is_told(view, name):
    view.take(name, b"clean,corrupt\n<script>1</script>")
    assert view.told[-1].level == "error"
    assert len(view.entries) == 3


def test_a_job_is_told_and_stopped_and_its_page_joins_it_again(view, store, tmp_path):
    """A circuits page whose tab was closed: the address is opened again, and the job is its own once more."""
    let = threading.Event()
    asked = Circuits(view.jobs, store, model="tiny:repeat", task="repeated_tokens", options={"n": 4})
    view.jobs.where = lambda: "circuits?model=tiny%3Arepeat"
    job = view.jobs.submit("tiny:repeat", f"run {asked.question().key}", lambda model, job: let.wait(20) and SCORES, "Held")
    view.refresh()
    assert [(one["key"], one["where"]) for one in view.running] == [(job.key, "circuits?model=tiny%3Arepeat")]
    again = Circuits(view.jobs, store)
    circuits_address.restore(again, circuits_address.written(asked))
    assert again.live
    assert again._job is job
    let.set()
    assert job.wait(20)
    again.refresh()
    assert again.status == "done"
    view.refresh()
    assert view.running == []
    idle = Circuits(view.jobs, store)
    circuits_address.restore(idle, circuits_address.written(asked))
    assert idle._job is None


def test_links_carry_model_and_task_along_and_name_the_page(pages):
    asking = Asking(model="tiny:repeat", task="repeated_tokens")
    asking.options = {**asking.options, "n": 4}
    assert carried(asking) == {"model": "tiny:repeat", "task": "repeated_tokens", "task.n": "4"}
    assert carried(object()) == {}
    made = links("circuits", {"model": "a&b", "task": "x"})
    assert [one["label"] for one in made] == ["Start", "Heads", "Circuits", "Dynamics", "Runs"]
    assert [one["label"] for one in made if one["current"]] == ["Circuits"]
    assert made[1]["address"] == "heads?model=a%26b&task=x"
    assert links("models", {}) == []
    assert address("runs", {}) == "runs"


def test_a_page_served_alone_has_no_links(monkeypatch):
    monkeypatch.setenv("WORKBENCH_PAGES", "circuits")
    assert links("circuits", {}) == []
    monkeypatch.delenv("WORKBENCH_PAGES")
    monkeypatch.setattr("sys.orig_argv", ["python", "-m", "panel", "serve", "apps/heads.py", "apps/circuits.py", "--show"])
    assert served() == ["heads", "circuits"]
    monkeypatch.setattr("sys.orig_argv", ["python", "-m", "pytest", "circuits.py"])
    assert served() == []


def test_a_query_is_parted_into_what_goes_along_and_the_pages_own():
    along, own = parted({"model": "m", "task": "t", "task.n": "3", "palette": "p", "search": "s", "part": "x"})
    assert along == {"model": "m", "task": "t", "task.n": "3", "palette": "p"}
    assert own == {"search": "s", "part": "x"}


def test_the_front_page_has_a_card_per_page_with_its_first_result(store, pages):
    view = Index(Jobs(Models()), store)
    cards = {card["title"]: card for card in view.cards()}
    assert list(cards) == ["Heads", "Circuits", "Dynamics", "Runs"]
    first = cards["Circuits"]["first"]["a tiny model, in seconds"]
    assert first == "circuits?model=tiny%3Arepeat&task=repeated_tokens&method=patch"
    assert cards["Runs"]["first"] == {}
    assert "tiny:repeat" in view.here()["Of this project"]
    assert "01_quickstart.ipynb" in view.notebooks()
    told = dict(view.health())
    assert told["Results stored"].startswith("3 (")
    assert "torch" in told
    assert all(about for _, about in PAGES.values())


def test_a_job_that_an_open_page_waits_for_is_stopped_when_asked_twice(view):
    let = threading.Event()
    job = view.jobs.submit("tiny:repeat", "run 1", lambda model, job: let.wait(20) and SCORES, "Held", owner="another")
    alone = view.jobs.submit("tiny:repeat", "run 2", lambda model, job: SCORES, "Held", owner="gone")
    alone.forget("gone")
    view.stop_job("run 2")
    assert alone.status == "stopped", "nobody waits for it: its tab was closed"
    view.stop_job("run 1")
    assert not job.stopping
    assert "Press Stop once more" in view.told[-1].text
    view.stop_job("run 1")
    assert job.stopping
    let.set()
    assert job.wait(20)
