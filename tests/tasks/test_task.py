"""Laws that every task keeps, and the options' messages."""

import dataclasses
import inspect
import random

import pytest
import torch

from tests.tasks.conftest import TWOS, word_level
from workbench.errors import BadInput
from workbench.tasks import TASKS, Task
from workbench.tasks.words import word_list

every_task = pytest.mark.parametrize("name", list(TASKS))


@every_task
def test_same_call_same_pairs(tokenizer, name):
    random.seed(1)
    first = TASKS[name](tokenizer, n=5, seed=3)
    random.seed(2)
    assert TASKS[name](tokenizer, n=5, seed=3).digest() == first.digest()


@every_task
def test_other_seed_other_pairs(tokenizer, name):
    assert TASKS[name](tokenizer, n=5, seed=3).digest() != TASKS[name](tokenizer, n=5, seed=4).digest()


@every_task
def test_params_make_the_pairs_again(tokenizer, name):
    pairs = TASKS[name](tokenizer, n=5, seed=3)
    assert list(pairs.params) == ["n", "seed", *list(TASKS[name].options)[2:]]
    assert TASKS[name](tokenizer, **pairs.params).digest() == pairs.digest()


@every_task
def test_params_of_a_selection_make_the_selection_again(words, name):
    chosen = TASKS[name](words, n=5).select([4, 1])
    assert TASKS[name](words, **chosen.params).digest() == chosen.digest()


@every_task
def test_pairs_are_as_many_as_asked_and_distinct(tokenizer, name):
    pairs = TASKS[name](tokenizer, n=40)
    assert len(pairs) == 40
    assert len(set(zip(pairs.clean_strings, pairs.corrupt_strings, strict=True))) == 40


@every_task
def test_clean_and_corrupt_differ_and_have_the_default_layout_in_common(tokenizer, name):
    pairs = TASKS[name](tokenizer, n=12)
    assert pairs.differs.any(dim=1).all()
    assert pairs.same_layout
    assert torch.equal(pairs.end, pairs.lengths - 1)


@every_task
def test_bos_stands_first_where_the_tokenizer_adds_it(bytes_, name):
    pairs = TASKS[name](bytes_, n=3)
    assert (pairs.clean[:, 0] == bytes_.bos_token_id).all()
    assert (pairs.clean[:, 1] != bytes_.bos_token_id).all()


@every_task
def test_a_model_with_a_tokenizer_serves_as_well(words, name):
    class Model:
        tokenizer = words

    assert TASKS[name](Model(), n=3).digest() == TASKS[name](words, n=3).digest()


@every_task
def test_too_few_words_are_told_with_their_number(poor, name):
    with pytest.raises(BadInput, match=rf"^{name}: .* must be at least \d+; got \d+"):
        TASKS[name](poor, n=3)


@every_task
def test_is_documented(name):
    task = TASKS[name]
    assert task.name == name
    assert task.source.startswith(tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
    assert "https://" in task.source
    for option in task.options:
        assert f"{option}: " in inspect.getdoc(task.make)


@pytest.mark.parametrize("name", ["ioi", "gendered_pronouns", "subject_verb", "capitals"])
def test_a_template_of_each_pair_and_a_fixed_one(tokenizer, name):
    fixed = TASKS[name](tokenizer, n=24, template=1)
    each = TASKS[name](tokenizer, n=24, template="all")
    assert len(set(fixed.lengths.tolist())) == 1
    assert len(set(each.lengths.tolist())) > 1


def test_pairs_repeat_only_when_there_are_no_more():
    few = {"France", "Paris", "Italy", "Rome", "Peru", "Lima"}
    others = {word for line in word_list("capitals") for word in line.split()} - few
    pairs = TASKS["capitals"](word_level(TWOS, digits=2, without=others), n=9, template=0)
    assert len(pairs) == 9
    assert len(set(zip(pairs.clean_strings, pairs.corrupt_strings, strict=True))) == 6


def test_unknown_task_suggests_the_nearest():
    with pytest.raises(BadInput, match=r"the task must be one of 'ioi', .*; got 'iio'\. Did you mean 'ioi'\?"):
        TASKS["iio"]
    assert "iio" not in TASKS
    assert TASKS.get("iio") is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ordre": "ABBA"}, r"an option of ioi must be one of 'n', .*; got 'ordre'\. Did you mean 'order'\?"),
        ({"order": "ABAB"}, r"ioi: order must be one of 'ABBA', 'BABA', 'mixed'; got 'ABAB'\. Did you mean"),
        ({"template": "each"}, r"ioi: template must be int or None or 'all'; got 'each'"),
        ({"template": 99}, r"ioi: template must be from 0 to 14; got 99"),
        ({"template": True}, r"ioi: template must be int or None or 'all'; got True"),
        ({"n": 0}, r"ioi: n must be at least 1; got 0"),
        ({"prompts": [8]}, r"ioi: prompts must be from 0 to 7; got 8"),
    ],
)
def test_a_wrong_option_is_told(words, options, message):
    with pytest.raises(BadInput, match=message):
        TASKS["ioi"](words, **options)


def test_no_tokenizer_is_told():
    class Model:
        tokenizer = None

    with pytest.raises(BadInput, match="must have a tokenizer; got Model without one"):
        TASKS["ioi"](Model())


def test_a_task_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        TASKS["ioi"].name = "other"
    assert all(isinstance(task, Task) for task in TASKS.values())
