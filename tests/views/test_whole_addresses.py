"""What the address of a page holds: all that it is set to, taken up by a page that is set to nothing."""

import threading
from types import SimpleNamespace

import pytest

from tests.views.conftest import PROMPTS, ROWS, opened, settle
from tests.views.test_edited_addresses import PAGES
from workbench.jobs import Jobs, Models
from workbench.pages.circuits import CircuitsPage
from workbench.store import Store
from workbench.views import address, links, looks_address, maps_address, residual_address
from workbench.views.cells import Cell
from workbench.views.circuits import Circuits
from workbench.views.looks import Looks
from workbench.views.maps import Maps
from workbench.views.query import setting
from workbench.views.residual import Residual

ASKING = ["pairs", "maps", "heads", "attention", "residual", "circuits", "channels"]
ELSE = "clean,corrupt,right,wrong\n" + "".join(f"{prompt},h{prompt[1:]},b,d\n" for prompt in PROMPTS)


def refuse(ref, **options):
    raise AssertionError("a model was loaded")


@pytest.mark.parametrize("page", ASKING)
def test_an_address_gives_an_empty_page_all_it_was_set_to(page, tmp_path):
    """The user's own pairs, dtype and device too; and the links between pages carry the same."""
    view, reads = PAGES[page]
    store = Store(tmp_path)
    set_to = {"model": "gpt2", "task": "custom", "rows": ROWS, "dtype": "bfloat16", "device": "cpu"}
    first = view(Jobs(Models(refuse)), store, **set_to)
    first.options = {**first.options, "add_space": False}
    again = opened(view(Jobs(Models(refuse)), store))
    reads.restore(again, reads.written(first))
    assert again.told == []
    assert {name: getattr(again, name) for name in set_to} == set_to
    assert again.options["add_space"] is False
    assert reads.written(again) == reads.written(first)
    linked = opened(view(Jobs(Models(refuse)), store))
    reads.restore(linked, links.carried(first))
    assert linked.told == []
    assert setting(linked) == setting(first)


@pytest.mark.parametrize("name", ["circuits", "heads", "attention", "residual", "channels", "maps", "pairs"])
def test_the_address_follows_whatever_is_set(name, tmp_path):
    from importlib import import_module

    view, _ = PAGES[name]
    module = import_module(f"workbench.pages.{name}")
    shell = next(one for key, one in vars(module).items() if key.endswith("Page") and one.__module__ == module.__name__)
    made = shell(view(Jobs(Models(refuse)), Store(tmp_path)))
    made.location, made.page_name = SimpleNamespace(search=""), name
    for state in ({"dtype": "float16"}, {"device": "cpu"}, {"task": "custom", "rows": ROWS}):
        made.view.param.update(**state)
        key = next(iter(state))
        assert f"{key}={state[key]}" in made.location.search
    before = made.location.search
    made.view.rows = ELSE
    assert made.location.search != before
    assert "rows=" in made.location.search


def held(jobs, ref):
    """A job that holds the device until it is let go."""
    let = threading.Event()
    return let, jobs.submit(ref, "held", lambda model, job: let.wait(20), "Held")


@pytest.mark.parametrize("page", ["attention", "pairs"])
def test_a_grid_or_a_check_whose_tab_was_closed_goes_on_though_its_model_is_not_at_hand(page, ref, models, tmp_path):
    view, reads = PAGES[page]
    jobs, store = Jobs(models), Store(tmp_path)
    models.unload(ref)
    let, _ = held(jobs, "tiny:repeat")
    first = opened(view(jobs, store, model=ref, task="custom", rows=ROWS))
    press = "show" if page == "attention" else "check"
    getattr(first, press)()
    assert first.status == "queued"
    said = reads.written(first)
    idle = opened(view(Jobs(Models(refuse)), store))
    reads.restore(idle, said)
    assert idle.status == "idle", "what nobody computes is not begun by an address"
    again = opened(view(jobs, store))
    reads.restore(again, said)
    assert again.status == "queued"
    let.set()
    settle(again)
    settle(first)
    assert again.status == "done"
    assert (again.grid if page == "attention" else again.baseline) is not None


@pytest.mark.parametrize(("view", "reads"), [(Maps, maps_address), (Residual, residual_address)], ids=["maps", "residual"])
def test_a_page_whose_tab_was_closed_goes_on_where_its_address_is_opened(view, reads, models, tmp_path):
    jobs, store = Jobs(models), Store(tmp_path)
    set_to = {"model": "tiny:repeat", "task": "repeated_tokens", "options": {"n": 3}}
    let, _ = held(jobs, "tiny:repeat")
    first = opened(view(jobs, store, **set_to))
    first.show()
    assert first.live
    again = opened(view(jobs, store))
    reads.restore(again, reads.written(first))
    assert again.live
    assert again.status in ("queued", "running")
    let.set()
    settle(again)
    assert set(again.results) == set(again.questions())
    idle = opened(view(Jobs(models), Store(tmp_path / "other")))
    reads.restore(idle, reads.written(first))
    assert not idle._several, "what nobody computes is not begun by an address"
    settle(first)


def test_a_cell_of_keys_and_its_position_come_back(models, ref, tmp_path):
    store, jobs = Store(tmp_path), Jobs(models)
    set_to = {"model": ref, "task": "custom", "rows": ROWS, "method": "patch"}
    first = opened(Circuits(jobs, store, **set_to))
    first.params = {**first.params, "sites": ("k", "z"), "by": ("layer", "head", "pos")}
    first.run()
    settle(first)
    first.choose(Cell(0, 1, 3, "k"))
    settle(first)
    assert first.framed == Cell(0, 1, 3, "k")
    said = address.written(first)
    assert (said["head"], said["pos"], said["site"]) == ("1", "3", "k")
    again = opened(Circuits(jobs, store))
    address.restore(again, said)
    settle(again)
    assert again.told == []
    assert again.framed == first.framed
    assert again.attention.head == first.attention.head
    assert address.written(again) == said
    # Another head of the layer is that head, of no shared keys.
    again.attend(head=0)
    assert again.framed == Cell(0, 0, 3)
    assert "site" not in address.written(again)


def test_a_frame_stands_where_the_site_has_its_panel(models, ref, tmp_path):
    page = CircuitsPage(opened(Circuits(Jobs(models), Store(tmp_path), model=ref, task="custom", rows=ROWS, method="patch")))
    view = page.view
    view.params = {**view.params, "sites": ("k", "z"), "by": ("layer", "head")}
    view.run()
    settle(view)
    view.choose(Cell(0, 1, None, "k"))
    settle(view)
    from workbench.pages.shown import finished, frames_of

    figure = finished(view.shown, "light", 900).figure
    (frame,) = frames_of(figure, view.framed)
    trace = next(one for one in figure.data if one.meta == "site k")
    assert frame["xref"].startswith(trace.xaxis or "x")
    assert (frame["y0"], frame["x0"]) in [(-0.5, 0.5), (0.5, -0.5)]


@pytest.mark.parametrize("page", ASKING)
def test_a_number_of_prompts_that_no_form_takes_is_told_and_fills_no_memory(page, tmp_path):
    view, reads = PAGES[page]
    made = opened(view(Jobs(Models(refuse)), Store(tmp_path)))
    reads.restore(made, {"task": "ioi", "task.n": "999999999"})
    assert "n must be at most 10,000; got 999,999,999" in made.told[-1].text
    # From the form itself.
    made.options = {**made.options, "n": 999_999_999}
    for labels in (getattr(made, "prompts", []), getattr(made, "labels", [])):
        assert len(labels) <= 10_000


@pytest.mark.parametrize("page", ASKING)
@pytest.mark.parametrize("ref", ["gpt2@", "gpt2@step 1000", "me@home.org/x y", "gpt2@step0,step1000"])
def test_a_checkpoint_that_is_none_leaves_nothing_of_another_model(page, ref, models, tmp_path):
    view, _ = PAGES[page]
    made = opened(view(Jobs(models), Store(tmp_path), model="tiny:repeat", task="repeated_tokens"))
    before = getattr(made, "results", None)
    if page in ("maps", "residual"):
        made.show()
        settle(made)
        assert made.results
    made.model = ref
    if before is not None:
        assert not made.results
    from workbench.pages.sidebar import ModelAndTask

    form = ModelAndTask(made)
    form.show()
    form.model.value = "gpt2"
    assert made.model == "gpt2", "the form goes on"


@pytest.mark.parametrize(("view", "reads"), [(Maps, maps_address), (Residual, residual_address)], ids=["maps", "residual"])
def test_what_was_computed_of_own_pairs_is_there_again_without_the_model(view, reads, models, tmp_path):
    from workbench.tasks import TASKS
    from workbench.views.pairs_table import lines_of, written

    store, model = Store(tmp_path), models.take("tiny:repeat")
    pairs = TASKS["repeated_tokens"](model, n=2)
    texts = [["".join(words) for words in each] for each in (pairs.clean_strings, pairs.corrupt_strings)]
    say = [[model.tokenizer.decode(ids) for ids in each] for each in (pairs.right, pairs.wrong)]
    rows = [dict(zip(("clean", "corrupt", "right", "wrong"), row, strict=True)) for row in zip(*texts, *say, strict=True)]
    first = opened(view(Jobs(models), store, model="tiny:repeat", task="custom", rows=written(lines_of(rows))))
    first.show()
    settle(first)
    assert first.status == "done", [one.text for one in first.told]
    again = opened(view(Jobs(Models(refuse)), store))
    reads.restore(again, reads.written(first))
    assert set(again.results) == set(first.results) != set()
    assert {one.origin.key for one in again.results.values()} == {one.origin.key for one in first.results.values()}
    # Other pairs, or a result that was made otherwise, are no answer.
    other = opened(view(Jobs(Models(refuse)), store, model="tiny:repeat", task="custom", rows=written(lines_of(rows[:1]))))
    assert not other.results
    for entry in store.list():
        store.delete(entry.key)
    assert not opened(view(Jobs(Models(refuse)), store, model="tiny:repeat", task="custom", rows=first.rows)).results


def test_a_long_text_comes_back(tmp_path):
    store, text = Store(tmp_path), "héllo <b>wörld</b> " * 300
    first = opened(Looks(Jobs(Models(refuse)), store, source="text", text=text, model="gpt2"))
    said = looks_address.written(first)
    assert sum(map(len, said.values())) < 200
    again = opened(Looks(Jobs(Models(refuse)), store))
    looks_address.restore(again, said)
    assert again.told == []
    assert (again.source, again.text) == ("text", text)
    looks_address.restore(again, {**said, "kept": "f" * 16})
    assert "kept must name a text that this server keeps" in again.told[-1].text
