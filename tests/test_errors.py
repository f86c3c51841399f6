"""The sentences of BadInput: what must be, what was given, and the nearest name."""

import pytest

from workbench.errors import BadInput, NotFinite, at_least, one_of, within


def sentence(check, *words) -> str:
    with pytest.raises(BadInput) as caught:
        check(*words)
    return str(caught.value)


def test_what_is_allowed_passes():
    one_of("method", "eap", ("atp", "eap"))
    one_of("bits", None, (None, 8))
    at_least("n", 1, 1)
    at_least("n", 1.5, 1)
    within("layer", 0, 0, 3)
    within("layer", 2, 0, 3)


def test_one_of_lists_all_and_suggests_the_nearest():
    said = sentence(one_of, "method", "eapp", ("atp", "eap", "patch"))
    assert said == "method must be one of 'atp', 'eap', 'patch'; got 'eapp'. Did you mean 'eap'?"


def test_one_of_suggests_nothing_where_nothing_is_near():
    assert sentence(one_of, "method", "zzz", ("atp", "eap")) == "method must be one of 'atp', 'eap'; got 'zzz'."


def test_one_of_takes_any_iterable_once_and_any_value():
    assert sentence(one_of, "bits", 5, iter((4, 8))) == "bits must be one of 4, 8; got 5."
    assert sentence(one_of, "bits", ["a"], {"a": 1}) == "bits must be one of 'a'; got ['a']."


@pytest.mark.parametrize(("value", "shown"), [(0, "0"), (-3, "-3"), (0.5, "0.5"), (float("nan"), "nan")])
def test_at_least_refuses_what_is_less_and_what_is_no_number(value, shown):
    assert sentence(at_least, "n", value, 1) == f"n must be at least 1; got {shown}."


@pytest.mark.parametrize(("value", "shown"), [(3, "3"), (-1, "-1"), (float("nan"), "nan")])
def test_within_names_the_last_value_allowed(value, shown):
    assert sentence(within, "layer", value, 0, 3) == f"layer must be from 0 to 2; got {shown}."


def test_bad_input_is_a_value_error_and_not_finite_is_bad_input():
    assert issubclass(BadInput, ValueError)
    assert issubclass(NotFinite, BadInput)
