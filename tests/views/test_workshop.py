"""Workshops without a browser: plans, checks, learners, and every exercise that is shipped, solved as a learner would."""

from pathlib import Path

import pytest
import yaml

import workbench
from tests.views.conftest import opened, settle
from workbench.errors import BadInput
from workbench.jobs import Jobs, Models
from workbench.store import Store
from workbench.views import address, dynamics_address, heads_address, pairs_address
from workbench.views.cells import Cell, cell_of_row, top_cells
from workbench.views.circuits import Circuits
from workbench.views.classroom import MOST, Classroom
from workbench.views.dynamics import Dynamics
from workbench.views.heads import Heads
from workbench.views.pairs import OwnPairs
from workbench.views.workshop import Workshop
from workbench.views.workshop_checks import KINDS, check_of
from workbench.views.workshop_kinds import Seen
from workbench.views.workshop_plan import plan_of, read_plan

FOLDER = Path(workbench.__file__).parents[1] / "data" / "workshops"
PAGES = {
    "pairs": (OwnPairs, pairs_address), "heads": (Heads, heads_address), "circuits": (Circuits, address),
    "dynamics": (Dynamics, dynamics_address),
}  # fmt: skip
ID = "0123456789abcdef"
PLAN = {
    "title": "A plan",
    "models": ["tiny:repeat"],
    "exercises": [
        {"title": "One", "page": "heads", "goal": "g", "hints": ["a", "b", "c"], "check": {"kind": "baseline"}},
        {"title": "Two", "page": "pairs", "goal": "g", "hints": ["a", "b", "c"], "check": {"kind": "pairs"}},
    ],
}


@pytest.fixture(scope="module")
def models():
    return Models()


@pytest.fixture
def at(models, tmp_path):
    """Opens an exercise on its page as the drawer's link does; gives the exercises and the view."""
    jobs = Jobs(models)

    def made(plan, index):
        exercise = plan.exercises[index]
        kind, room = PAGES[exercise.page]
        view = opened(kind(jobs, Store(tmp_path / "store")))
        room.restore(view, exercise.opens)
        assert not [one for one in view.told if one.level != "info"], view.told[-1].text
        settle(view)
        shop = Workshop(Classroom(plan), exercise.page, view, lambda: room.written(view))
        shop.meet(ID)
        shop.go(index)
        assert shop.here
        return shop, view

    yield made
    jobs.stop_all(10)


def passes(shop, typed=""):
    shop.check(typed)
    return shop.passed


def run(view):
    for name in ("check", "run", "find"):
        if hasattr(view, name):
            getattr(view, name)()
            break
    settle(view, 300)
    assert view.status == "done", [one.text for one in view.told]


def open_best(view, column, place=0, lowest=False):
    view.open(view.table.head(view.table.order(column, not lowest, view.table.columns[column].values < 9e9)[place]))
    settle(view)


def choose_top(view, place=0):
    view.choose(cell_of_row(top_cells(view.result, 20)[place], view.result))
    settle(view)


INDUCTION = read_plan(FOLDER / "induction.yaml")
IOI = read_plan(FOLDER / "ioi.yaml")


def test_induction_1_the_baseline(at):
    shop, view = at(INDUCTION, 0)
    if view.baseline is None:
        assert not passes(shop)
        assert "has not been measured" in shop.says
        run(view)
    assert passes(shop)
    assert shop.says.startswith("It is right on 100%")


def test_induction_2_and_3_two_heads(at):
    for index, column, other in ((1, "induction", "previous token"), (2, "previous token", "induction")):
        shop, view = at(INDUCTION, index)
        assert not passes(shop)
        run(view)
        assert not passes(shop)
        assert "No head is open" in shop.says
        open_best(view, other)
        assert not passes(shop)
        assert f"in {column}" in shop.says
        open_best(view, column)
        assert passes(shop)
        assert "place 1 of 8" in shop.says


def test_induction_4_the_count_typed(at):
    shop, view = at(INDUCTION, 3)
    assert not passes(shop, "4")
    assert "Find heads" in shop.says
    run(view)
    right = int((view.table.columns["induction"].values >= 0.5).sum())
    assert not passes(shop, str(right + 1))
    assert not passes(shop, "")
    assert passes(shop, f"  {right} ")


def test_induction_5_a_large_cell(at):
    shop, view = at(INDUCTION, 4)
    assert not passes(shop)
    run(view)
    assert not passes(shop)
    choose_top(view, 7)
    assert not passes(shop)
    assert "place 8 of" in shop.says
    choose_top(view, 1)
    assert passes(shop)
    view.choose(Cell(layer=0, head=3))


def test_induction_6_the_known_circuit(at):
    shop, view = at(INDUCTION, 5)
    assert not passes(shop)
    run(view)
    view.resize(view.sizes.sizes[-1])
    assert not passes(shop)
    view.resize(view.sizes.chosen)
    assert passes(shop)
    assert "2 edges give back 1.00" in shop.says


def test_induction_7_the_step(at):
    shop, view = at(INDUCTION, 6)
    assert not passes(shop)
    assert "not the first" in shop.says
    view.forming.look(view.forming.steps[0])
    assert not passes(shop)
    for step in view.forming.steps:
        view.forming.look(step)
        if passes(shop):
            break
    assert step == 850


@pytest.mark.slow
def test_ioi_the_pairs(at, smollm):
    shop, view = at(IOI, 0)
    assert not passes(shop) or view.baseline is not None
    run(view)
    assert passes(shop)
    shop, view = at(IOI, 1)
    run(view)
    assert not passes(shop)
    assert "they are the task's" in shop.says
    name = view.lines[0].row["right"]
    row = {side: view.lines[0].row[side].replace(name, "Alice") for side in ("clean", "right")}
    view.change(lambda table: table.write(view.lines[0].number, row))
    settle(view)
    assert not passes(shop)
    run(view)
    assert passes(shop)


@pytest.mark.slow
def test_ioi_the_heads(at, smollm):
    shop, view = at(IOI, 2)
    assert not passes(shop)
    run(view)
    choose_top(view, 9)
    assert not passes(shop)
    choose_top(view, 2)
    assert passes(shop)
    for index, lowest in ((3, False), (5, True)):
        shop, view = at(IOI, index)
        run(view)
        open_best(view, "dla", 40)
        assert not passes(shop)
        open_best(view, "dla", 2, lowest)
        assert passes(shop)
    shop, view = at(IOI, 4)
    run(view)
    open_best(view, "dla")
    looked = view.head.attention.scores.values.isel(query=-1)
    token = str(looked["key"].values[int(looked.values.argmax())]).strip()
    assert not passes(shop, "elephant")
    assert passes(shop, token.upper())


@pytest.mark.slow
def test_ioi_the_circuit(at, smollm):
    shop, view = at(IOI, 6)
    run(view)
    view.resize(view.sizes.sizes[0])
    assert not passes(shop)
    assert "it takes 0.75 or more" in shop.says
    good = [size for size in view.sizes.sizes if view.sizes.measured(size) and view.sizes.measured(size).value >= 0.75]
    view.resize(min(good))
    assert passes(shop), shop.says


@pytest.mark.parametrize("name", ["induction", "ioi"])
def test_the_plans_that_are_shipped_are_in_order(name):
    plan = read_plan(FOLDER / f"{name}.yaml")
    assert 6 <= len(plan.exercises) <= 8
    assert set(plan.pages) <= {file.stem for file in (FOLDER.parents[1] / "apps").glob("*.py")}
    for exercise in plan.exercises:
        assert exercise.page in PAGES
        assert exercise.opens.get("model", plan.models[0]) in plan.models


def changed(**changes):
    """The plan with its first exercise changed."""
    return {**PLAN, "exercises": [{**PLAN["exercises"][0], **changes}]}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "the plan must be a table"),
        ({**PLAN, "titel": "x"}, "Did you mean 'title'"),
        ({"title": "x", "models": ["m"]}, "exercises is missing"),
        ({**PLAN, "exercises": {}}, "exercises is missing"),
        (changed(title=""), "exercise 1 must have title"),
        (changed(hints=["a"]), "exercise 1 ('One'): hints must be 3"),
        (changed(minutes="soon"), "minutes must be a whole number"),
        (changed(difficulty=4), "difficulty must be a whole number from 1 to 3"),
        (changed(page="../x"), "the page must be a file of apps/"),
        (changed(opens=["x"]), "opens must be a table"),
        (changed(check="open(1)"), "the check must have a kind"),
        (changed(check={"kind": "exec"}), "the kind of check must be one of"),
        (changed(check={"kind": "head_has"}), "must say column"),
        (changed(check={"kind": "head_has", "column": 3}), "column must be str"),
        (changed(check={"kind": "head_has", "column": "x", "code": "1"}), "must be one of 'column'"),
        (changed(check={"kind": "head_open", "any_of": "1.0"}), "any_of must be a list"),
        (changed(check={"kind": "baseline", "at_least": True}), "at_least must be float"),
        (changed(check={"kind": "all", "of": []}), "of must be a list of checks"),
        (changed(check={"kind": "page", "says": "x"}), "a table of names and values"),
    ],
)
def test_a_plan_that_is_not_in_order_is_one_sentence(given, said):
    with pytest.raises(BadInput) as told:
        plan_of(given)
    assert said in str(told.value)
    assert "\n" not in str(told.value)


def test_a_file_that_is_no_yaml_names_the_line(tmp_path):
    file = tmp_path / "plan.yaml"
    file.write_text("title: x\nmodels: [a\nb: c\n")
    with pytest.raises(BadInput, match=r"plan.yaml is not at line 3"):
        read_plan(file)
    file.write_text("title: !!python/object/apply:os.system ['touch hacked']")
    with pytest.raises(BadInput, match="the plan must be YAML"):
        read_plan(file)
    with pytest.raises(BadInput, match="can be read"):
        read_plan(tmp_path / "none.yaml")


@pytest.mark.parametrize("kind", KINDS)
def test_no_check_passes_on_a_page_where_nothing_was_done(kind, at):
    given = {"column": "induction", "method": "patch", "measure": "prefix matching", "ask": "?", "best": "induction"}
    given |= {"any_of": ["9.9"], "at_least": 0.5, "says": {"head": "*"}, "of": [{"kind": "baseline"}]}
    known = set(KINDS[kind].__dataclass_fields__)
    check = check_of("here", {"kind": kind} | {name: value for name, value in given.items() if name in known})
    for page, room in PAGES.values():
        view = page(Jobs(Models()), Store("/nowhere"))
        verdict = check.judge(Seen(view, room.written(view), "0.0"))
        if not (kind == "formed" and page is Dynamics):
            assert not verdict.passed, verdict.says
        assert verdict.says.endswith(".")


def test_hints_come_one_at_a_time_and_a_solved_exercise_stays_so():
    room = Classroom(plan_of(PLAN), "secret")
    view = Heads(Jobs(Models()), Store("/nowhere"))
    shop = Workshop(room, "heads", view, dict)
    shop.meet(ID)
    for count in (1, 2, 3, 3):
        shop.hint()
        assert shop.hints == count
    shop.go(1)
    assert (shop.hints, shop.here, shop.address) == (0, False, "pairs?")
    shop.check()
    assert "done on the page pairs" in shop.says
    shop.go(9)
    shop.go(0)
    assert shop.hints == 3
    shop._solve()
    shop.call("  <b>Ada</b>\n Lovelace " + "x" * 99)
    again = Workshop(room, "heads", view, dict)
    again.meet(ID)
    assert again.solved == [0]
    assert again.name_typed.startswith("<b>Ada</b> Lovelace")
    assert len(again.name_typed) == 40
    (row,) = room.rows
    assert row["solved"] == "1 of 2"
    assert (row["hints"], row["tries"], row["page"]) == (3, 0, "heads")
    view.param.update(status="running", label="Patching z")
    again.look()
    assert room.rows[0]["running"] == "Patching z"
    again.meet("<script>")
    assert len(room.rows) == 1


def test_the_teachers_key_and_no_other():
    room = Classroom(plan_of(PLAN), "sesame")
    assert room.opens_for("sesame")
    assert not room.opens_for("sesam")
    assert not room.opens_for("")
    assert not room.opens_for("ключ")
    assert not Classroom(plan_of(PLAN)).opens_for("")


def test_a_classroom_has_an_end():
    room = Classroom(plan_of(PLAN))
    for number in range(MOST + 3):
        room.learner(f"{number:016x}").seen = number
    assert len(room.learners) == MOST
    assert room.learners[-1].number == MOST + 3
    assert room.learners[0].number == 4, "those silent for longest went"


def test_serve_takes_models_and_pages_of_the_plan(tmp_path, capsys):
    from workbench.cli import _parser
    from workbench.cli.serving import command, teach

    asked = _parser(["serve"]).parse_args(["serve", "--workshop", str(FOLDER / "induction.yaml")])
    env = teach(asked)
    words, more = command(asked)
    served = {Path(word).stem for word in words if word.endswith(".py")} - {"setup"}
    assert served == {"pairs", "heads", "circuits", "dynamics", "teacher"}
    assert more["WORKBENCH_ALLOW"].splitlines() == ["tiny:repeat", "trained:attention", "known:induction"]
    assert f"teacher?key={env['WORKBENCH_TEACHER']}" in capsys.readouterr().out
    assert len(env["WORKBENCH_TEACHER"]) >= 16
    file = tmp_path / "plan.yaml"
    file.write_text(yaml.safe_dump({**PLAN, "pages": ["nowhere"]}))
    asked = _parser(["serve"]).parse_args(["serve", "--workshop", str(file)])
    teach(asked)
    with pytest.raises(BadInput, match="page must be one of"):
        command(asked)
