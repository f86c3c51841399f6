"""Fields of a form: what each signature of the catalogues asks for, as text and back."""

import pytest

from workbench.dynamics import STUDIES
from workbench.errors import BadInput
from workbench.methods import METHODS
from workbench.tasks import TASKS
from workbench.views.fields import Field, given, method_fields, task_fields
from workbench.views.study import study_fields

ALL = [("method", name, method_fields) for name in METHODS] + [("task", name, task_fields) for name in (*TASKS, "custom")]
ALL += [("study", name, study_fields) for name in STUDIES]


@pytest.mark.parametrize(("kind", "name", "fields"), ALL, ids=[f"{kind} {name}" for kind, name, _ in ALL])
def test_every_default_and_choice_survives_its_text(kind, name, fields):
    for field in fields(name).values():
        assert field.read(field.write(field.default)) == field.default
        for choice in field.choices:
            value = (choice,) if field.kind == "several" else choice
            assert field.read(field.write(value)) == value
        # A name of a head, a list of numbers, or a text of one's own is checked by its method.
        free = field.name in ("channel", "writer", "reader", "objects", "listed", "lengths", "text", "previous", "masked")
        assert field.kind != "text" or field.optional or field.words or free, f"{field.name} can be anything"
        assert not given(fields(name), {field.name: field.default}), "a default would make another key of the store"


def test_the_kinds_follow_from_the_annotations():
    fields = {**method_fields("patch"), **task_fields("ioi")}
    kinds = {name: fields[name].kind for name in ("sites", "by", "metric", "normalise", "n", "template", "order")}
    assert kinds == {
        "sites": "several", "by": "several", "metric": "choice", "normalise": "flag", "n": "number",
        "template": "text", "order": "choice",
    }  # fmt: skip
    assert fields["by"].choices == ("layer", "head", "pos")
    assert fields["template"].read("") is None
    assert fields["template"].read("all") == "all"
    assert fields["template"].read("3") == 3
    assert "Divide by" in fields["normalise"].about


def test_an_optional_number_takes_fractions():
    threshold = method_fields("discover")["threshold"]
    assert (threshold.read(""), threshold.read("2"), threshold.read("0.25")) == (None, 2, 0.25)


def test_fractions_are_read_however_python_writes_them():
    lr = method_fields("codes")["lr"]
    assert lr.kind == "fraction"
    for value in (0.01, 1e-05, 2.0, 3):
        assert lr.check(value) == value
    assert lr.read("3") == 3.0


def test_one_of_several_alone_is_a_plain_name_as_the_signature_has_it():
    fields = method_fields("patch")
    assert given(fields, {"sites": ("q",)}) == {"sites": "q"}
    assert given(fields, {"sites": ("q", "k"), "by": ("layer",)}) == {"sites": ("q", "k"), "by": "layer"}


def test_a_list_of_what_one_likes_is_a_tuple_of_words():
    values = study_fields("reddy_phases")["values"]
    assert (values.kind, values.read("12, 24"), values.write(("12", "24"))) == ("list", ("12", "24"), "12,24")
    assert given({"values": values}, {"values": ("12",)}) == {"values": "12"}


@pytest.mark.parametrize(
    ("field", "text"),
    [
        (Field("n", "number", 8), "<b>"),
        (Field("n", "number", 8), "1e3"),
        (Field("n", "number", 8), "9" * 4000),
        (Field("n", "number", 8), "٣"),
        (Field("lr", "fraction", 0.01), "nan"),
        (Field("lr", "fraction", 0.01), "1e999"),
        (Field("lr", "fraction", 0.01), "0,01"),
        (Field("by", "several", ("layer",), ("layer", "head")), "layer+heads"),
        (Field("by", "several", ("layer",), ("layer", "head")), " + "),
        (Field("metric", "choice", "kl", ("kl",)), "kll"),
        (Field("values", "list", ("1", "2")), " , "),
        (Field("bos", "flag", True), "True"),
        (Field("template", "text", None, (), "", ("all",), True), "al"),
    ],
)
def test_text_that_is_no_value_is_bad_input(field, text):
    with pytest.raises(BadInput, match=field.name):
        field.read(text)
