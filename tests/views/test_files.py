"""What a panel's menu gives: code that runs as pasted, tables, files."""

import io
import json

import numpy as np
import pandas as pd
import pytest

from tests import families
from tests.plots import samples
from tests.views.conftest import settle
from workbench.errors import BadInput
from workbench.graph import graph_from
from workbench.jobs import Jobs, Models
from workbench.methods import METHODS, agreement
from workbench.store import Store
from workbench.store.as_json import from_json
from workbench.views.attention import of_head
from workbench.views.circuit_size import CircuitSize
from workbench.views.code import code_of
from workbench.views.compared import Compared, Other
from workbench.views.descent import Nested
from workbench.views.example import Example
from workbench.views.files import about, file_of, numbers, stem
from workbench.views.forming import Forming
from workbench.views.heads import Heads
from workbench.views.maps import Maps
from workbench.views.pairs import OwnPairs
from workbench.views.question import Question
from workbench.views.writes import written

ROWS = "clean,corrupt,right,wrong\na b c d e,a b f d e,g,h\nb c d e f,b c a e f,i,j\n"
OPTIONS = {
    "discover": {"scorer": "eap", "random": 1, "resamples": 0}, "heads": {"examples": 2, "length": 8, "copies": 3},
    "patch": {"sites": ("z", "mlp_out"), "by": ("layer", "pos")},
}  # fmt: skip
REPEATED = Question("tiny:repeat", "repeated_tokens", "patch", {"n": 4})


@pytest.fixture(scope="module")
def models():
    return Models()


def pasted(code):
    names = {}
    exec(code, names)
    return names["result"]


def same(one, other):
    assert one.origin == other.origin
    assert one.values.dims == other.values.dims
    assert np.array_equal(one.values.values, other.values.values, equal_nan=True)


@pytest.mark.parametrize("method", ["patch", "atp", "dla", "lens", "eap", "heads", "discover", "composition"])
def test_the_code_runs_as_pasted_and_gives_the_same_numbers(method, models):
    model = models.take(REPEATED.model)
    pairs = REPEATED.pairs(model) if METHODS[method].needs_pairs else None
    options = OPTIONS.get(method, {})
    result = METHODS[method](model, pairs, **options)
    same(pasted(code_of(result)), result)


def test_the_table_of_heads_has_a_menu_whose_code_makes_the_table_with_what_is_joined(tmp_path, models):
    from workbench.pages.heads import HeadsPage

    jobs = Jobs(models)
    model, task, few = REPEATED.model, REPEATED.task, OPTIONS["heads"]
    view = Heads(jobs, Store(tmp_path), model=model, task=task, options=REPEATED.options, params=few)
    page = HeadsPage(view)
    menu = page.table.menu
    assert not menu.visible, "nothing is shown yet"
    view.find()
    settle(view)
    assert menu.visible
    found = view.results["heads"]
    same(pasted(menu.about["code"]), found)
    assert menu.about["file"] == stem(found)
    view.joined = ["dla", "atp"]
    settle(view)
    names = {}
    exec(menu.about["code"], names)
    pd.testing.assert_frame_equal(names["table"], view.table.frame)
    view.task = "ioi"
    assert not menu.visible, "the table is gone"
    jobs.stop_all(10)


def test_the_menu_of_pairs_gives_the_baseline_of_what_was_measured_not_of_later_changes(tmp_path, models):
    from workbench.pages.pairs import PairsPage

    jobs, ref = Jobs(models), str(families.save("llama", tmp_path))
    # The last pair cannot be used, so that it is not measured.
    view = OwnPairs(jobs, Store(tmp_path / "store"), model=ref, task="custom", rows=ROWS + "a b c,a b,e,f\n")
    page = PairsPage(view)
    settle(view)
    assert not page.menu.visible, "nothing is measured yet"
    view.check()
    settle(view)
    assert page.menu.visible
    assert view.baseline.values.sizes["prompt"] == 2
    same(pasted(page.menu.about["code"]), view.baseline)
    view.change(lambda table: table.write(view.lines[0].number, {"right": "i"}, typed=True))
    settle(view)
    same(pasted(page.menu.about["code"]), view.baseline)
    view.change(lambda table: table.write(view.lines[1].number, {"right": "j", "wrong": "i"}, typed=True))
    settle(view)
    assert not page.menu.visible, "no pair is as it was measured"
    view.task = "ioi"
    assert not page.menu.visible
    jobs.stop_all(10)


@pytest.mark.parametrize("of", ["clean", "corrupt"])
def test_the_code_of_the_panels_of_a_head_runs_too(of, models):
    model = models.take(REPEATED.model)
    pairs = REPEATED.pairs(model)
    looked = of_head(METHODS["attention"](model, pairs, layer=1, prompt=2, of=of), 3)
    same(pasted(code_of(looked)), looked)
    wrote = written(model, pairs, 1, 0, 1, of)
    same(pasted(code_of(wrote)), wrote)


def test_the_code_of_own_pairs_has_the_rows(tmp_path, models):
    ref = str(families.save("llama", tmp_path))
    model = models.take(ref)
    asked = Question(ref, "custom", "dla", rows=ROWS)
    result = METHODS["dla"](model, asked.pairs(model))
    same(pasted(code_of(result, ROWS)), result)
    # Other rows than those of the result are not said to be its own.
    for other in ("", ROWS + "c d,e f,g,h\n", "no rows"):
        assert "PATH_OR_ROWS" in code_of(result, other)


def test_the_code_of_a_circuit_at_another_size_its_curve_and_two_circuits_runs(models):
    model = models.take(REPEATED.model)
    pairs = REPEATED.pairs(model)
    found, other = (METHODS["discover"](model, pairs, **OPTIONS["discover"], target=target) for target in (0.8, 0.5))
    sizes = CircuitSize(found)
    size = next(one for one in sizes.sizes if one != sizes.chosen)
    made = pasted(sizes.code(size, ""))
    assert made.title == sizes.select(size).title
    assert np.array_equal(made.parts["kept"], sizes.kept(size))
    assert "CircuitSize" not in sizes.code(sizes.chosen, "")
    same(pasted(code_of(found, "", "result = result.curve()\n")), found.curve())
    compared = Compared(Store())
    compared.ask_about(found)
    compared.other = Other(other.title, "", graph_from(other), other.parts["kept"].values, CircuitSize(other))
    same(pasted(compared.code("")), compared.curves())


def test_the_code_of_how_far_two_maps_agree_runs(models):
    model = models.take(REPEATED.model)
    view, pairs = Maps(Jobs(models)), REPEATED.pairs(model)
    view.results = {method: METHODS[method](model, pairs, **OPTIONS["patch"]) for method in ("patch", "atp")}
    same(pasted(view.agreement_code), agreement(*view.results.values()))


def test_the_code_of_what_is_at_hand_on_the_page_of_dynamics_runs():
    example, forming, nested = Example(step=600), Forming("attention"), Nested(items=4, steps=200)
    example.of = "mean"
    shown = [
        (example.code("course"), example.course), (example.code("attention"), example.attention(600)),
        (forming.code("curve"), forming.curve), (forming.code("losses"), forming.losses),
        (forming.code("attention 1"), forming.attention(forming.step)[1]),
        (nested.code("loss"), nested.loss()), (nested.code("shares"), nested.shares()),
    ]  # fmt: skip
    for code, result in shown:
        same(pasted(code), result)


def test_what_is_no_call_of_the_library_has_no_code():
    made = samples.scores("layer", "head")
    assert code_of(made.replace(origin=None)) == ""
    from dataclasses import replace

    assert code_of(made.replace(origin=replace(samples.ORIGIN, method="channel_pair"))) == ""


def test_files_hold_every_number():
    made = samples.missing("layer", "head", reason="none")
    name, media, text = file_of(made, "csv")
    frame = pd.read_csv(io.StringIO(text))
    assert name == f"patch-tiny-ioi-{samples.ORIGIN.key[:8]}.csv"
    assert media == "text/csv"
    assert np.array_equal(frame["value"].to_numpy(), made.values.values.ravel(), equal_nan=True)
    assert from_json(file_of(made, "json")[2]).origin == made.origin
    page = file_of(made, "html")[2]
    assert page.startswith("<!DOCTYPE html>")
    assert "http-equiv" in page
    with pytest.raises(BadInput, match="the file must be one of"):
        file_of(made, "exe")


def test_a_hostile_name_is_no_path():
    from dataclasses import replace

    origin = replace(samples.ORIGIN, model="../../etc/<b>passwd", task="a/b\\c")
    name = stem(samples.scores("layer", "head").replace(origin=origin))
    assert not set(name) & set("/\\<>:")
    assert ".." not in name
    assert stem(samples.scores("layer").replace(origin=None, title="///")) == "result"


def test_the_table_is_what_the_figure_shows_and_says_so():
    whole = samples.scores("layer", "head", "prompt")
    told = numbers(whole)
    assert told["head"] == ["layer", "head", "value", "lower", "upper"]
    assert len(told["rows"]) == 12
    assert float(told["rows"][0][2]) == pytest.approx(float(whole.values[0, 0].mean()), rel=1e-4)
    assert told["said"].startswith("12 rows, in logits; mean over prompts")
    assert all(told["numeric"])
    few = numbers(samples.readout(), most=3)
    assert len(few["rows"]) == 3
    assert few["said"].startswith("the first 3 of 42 rows")
    assert few["numeric"][few["head"].index("token")] is False
    json.dumps([told, few])


def test_about_tells_seed_device_type_versions_and_notes():
    from dataclasses import replace

    origin = replace(samples.ORIGIN, task_params={"n": 3, "seed": 7}, versions={"torch": "2.6"})
    told = dict(about(samples.missing("layer", "head", reason="why").replace(origin=origin)))
    assert (told["seed"], told["device"], told["number format"]) == ("7", "cpu", "float32")
    assert (told["versions"], told["nan"], told["key"]) == ("torch = 2.6", "why", origin.key)
    assert "origin" in dict(about(samples.scores("layer").replace(origin=None)))
