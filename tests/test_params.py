"""A signature's annotations as an interface: what they list, what they allow, and what a word of the command line means."""

from collections.abc import Sequence
from typing import Literal

import pytest

from workbench.errors import BadInput
from workbench.params import check, choices, parse, parts, takes_several

Colour = Literal["red", "green"]


@pytest.mark.parametrize(
    ("annotation", "listed", "several"),
    [
        (Colour, ["red", "green"], False),
        (Colour | Sequence[Colour], ["red", "green"], True),
        (Sequence[Colour], ["red", "green"], True),
        (Sequence[Colour] | Literal["all"], ["red", "green", "all"], True),
        (Literal["off"] | int, ["off"], False),
        (Colour | Literal["blue", "red"], ["red", "green", "blue"], False),
        (str | Sequence[str], [], True),
        (int, [], False),
        (str, [], False),
        (int | None, [], False),
        (list[str], [], True),
        (tuple[str, ...], [], True),
    ],
)
def test_choices_and_several(annotation, listed, several):
    assert choices(annotation) == listed
    assert takes_several(annotation) is several


def test_parts_are_the_alternatives():
    assert parts(int | None) == (int, type(None))
    assert parts(int) == (int,)
    assert len(parts(Colour | Sequence[Colour])) == 2


@pytest.mark.parametrize(
    ("value", "annotation"),
    [
        ("red", Colour),
        ("red", Colour | Sequence[Colour]),
        (("red", "green"), Colour | Sequence[Colour]),
        (["green"], Sequence[Colour]),
        ((), Sequence[Colour]),
        (3, int),
        (True, bool),
        (None, int | None),
        (3, int | None),
        ("any", str | Sequence[str]),
        (("any", "other"), str | Sequence[str]),
        ("off", Literal["off"] | int),
        (3, Literal["off"] | int),
    ],
)
def test_what_is_allowed_passes(value, annotation):
    check("it", value, annotation)


@pytest.mark.parametrize(
    ("value", "annotation", "said"),
    [
        ("redd", Colour, "it must be one of 'red', 'green'; got 'redd'. Did you mean 'red'?"),
        (("red", "blue"), Colour | Sequence[Colour], "it must be one of 'red', 'green'; got 'blue'."),
        (3, Colour | Sequence[Colour], "it must be one of 'red', 'green'; got 3."),
        (("a", 3), str | Sequence[str], "it must be words; got 3."),
        (True, int, "it must be int; got True."),
        (1, bool, "it must be bool; got 1."),
        ("3", int, "it must be int; got '3'."),
        (3.0, int | None, "it must be int or None; got 3.0."),
        ("on", Literal["off"] | int, "it must be int or 'off'; got 'on'."),
        (None, int, "it must be int; got None."),
        (["red"], Colour, "it must be one of 'red', 'green'; got ['red']. Did you mean 'red'?"),
    ],
)
def test_what_is_not_allowed_is_told(value, annotation, said):
    with pytest.raises(BadInput) as caught:
        check("it", value, annotation)
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("text", "annotation", "value"),
    [
        ("red", Colour, "red"),
        ("z", str | Sequence[str], "z"),
        ("z,q", str | Sequence[str], ("z", "q")),
        ("z,", str | Sequence[str], "z"),
        ("ln,half", Sequence[Literal["ln", "half"]], ("ln", "half")),
        ("ln", Sequence[Literal["ln", "half"]], ("ln",)),
        ("", Sequence[Literal["ln", "half"]], ()),
        ("12", int, 12),
        ("-3", int, -3),
        ("many", int, "many"),
        ("0.5", float, 0.5),
        ("half", float, "half"),
        ("none", int | None, None),
        ("None", int | None, None),
        ("", int | None, None),
        ("none", str, "none"),
        ("yes", bool, True),
        ("FALSE", bool, False),
        ("7", str, "7"),
        ("7", str | None, "7"),
    ],
)
def test_words_mean_what_the_annotation_takes(text, annotation, value):
    meant = parse(text, annotation)
    assert meant == value
    assert type(meant) is type(value)


@pytest.mark.parametrize(
    ("text", "annotation", "value"),
    [
        ("red", Colour | Sequence[Colour], "red"),
        ("red,green", Colour | Sequence[Colour], ("red", "green")),
        ("red", Sequence[Colour] | Literal["all"], ("red",)),
        ("all", Sequence[Colour] | Literal["all"], "all"),
    ],
)
def test_one_word_is_itself_where_it_may_stand_alone(text, annotation, value):
    """A flag and a notebook that ask the same must give the store one key: 'red' and not ('red',)."""
    assert parse(text, annotation) == value


def test_words_that_are_no_number_are_then_refused():
    with pytest.raises(BadInput, match="it must be int; got 'many'"):
        check("it", parse("many", int), int)
