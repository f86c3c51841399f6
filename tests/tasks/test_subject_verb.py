import pytest

from tests.tasks.conftest import TWOS, at, texts, word_level
from workbench.errors import BadInput
from workbench.tasks import TASKS
from workbench.tasks.subject_verb import TEMPLATES
from workbench.tasks.words import word_pairs

subject_verb = TASKS["subject_verb"]
SINGULAR = {singular for singular, _ in word_pairs("nouns")}
PLURAL = dict(word_pairs("nouns"))
FORMS = {True: ["are", "were", "have"], False: ["is", "was", "has"]}


@pytest.mark.parametrize("template", range(len(TEMPLATES)))
def test_the_verb_agrees_with_the_subject(tokenizer, template):
    pairs = subject_verb(tokenizer, n=8, template=template)
    for i in range(len(pairs)):
        plural = at(pairs, i, "SUBJECT") not in SINGULAR
        assert texts(tokenizer, pairs.right[i]) == FORMS[plural]
        assert texts(tokenizer, pairs.wrong[i]) == FORMS[not plural]


def test_corrupt_has_the_same_subject_in_the_other_number(tokenizer):
    pairs = subject_verb(tokenizer, n=20, template="all")
    for i in range(len(pairs)):
        one, other = at(pairs, i, "SUBJECT"), at(pairs, i, "SUBJECT", "corrupt")
        assert PLURAL.get(one) == other or PLURAL.get(other) == one
        assert at(pairs, i, "DISTRACTOR") not in (one, other)
        assert int(pairs.differs[i].sum()) == 1


@pytest.mark.parametrize("number", ["singular", "plural", "mixed"])
@pytest.mark.parametrize("distractor", ["opposite", "same"])
def test_numbers_are_as_asked(tokenizer, number, distractor):
    pairs = subject_verb(tokenizer, n=8, number=number, distractor=distractor)
    singular = [at(pairs, i, "SUBJECT") in SINGULAR for i in range(8)]
    shown = [at(pairs, i, "DISTRACTOR") in SINGULAR for i in range(8)]
    assert singular == {"singular": [True] * 8, "plural": [False] * 8, "mixed": [True, False] * 4}[number]
    assert shown == (singular if distractor == "same" else [not one for one in singular])


def test_a_pair_of_forms_that_is_not_one_token_is_left_out():
    tokenizer = word_level(TWOS, digits=2, without=["were"])
    pairs = subject_verb(tokenizer, n=2)
    assert texts(tokenizer, pairs.right[0]) == ["is", "has"]


def test_no_pair_of_forms_is_told():
    with pytest.raises(BadInput, match=r"subject_verb: the verb forms in both numbers .* at least 1; got 0 of 3"):
        subject_verb(word_level(TWOS, digits=2, without=["is", "was", "has"]))
