import pytest

from tests.tasks.conftest import at, texts
from workbench.tasks import TASKS
from workbench.tasks.gendered_pronouns import TEMPLATES
from workbench.tasks.words import word_list

gendered_pronouns = TASKS["gendered_pronouns"]
NAMES = {"he": set(word_list("men")), "she": set(word_list("women"))}


@pytest.mark.parametrize("template", range(len(TEMPLATES)))
def test_the_pronoun_is_that_of_the_name(tokenizer, template):
    pairs = gendered_pronouns(tokenizer, n=8, template=template)
    for i in range(len(pairs)):
        (right,), (wrong,) = texts(tokenizer, pairs.right[i]), texts(tokenizer, pairs.wrong[i])
        assert {right, wrong} == {"he", "she"}
        assert at(pairs, i, "NAME") in NAMES[right]
        assert at(pairs, i, "NAME", "corrupt") in NAMES[wrong]
        assert int(pairs.differs[i].sum()) == 1


def test_pronoun_chooses_the_right_answers(tokenizer):
    found = {
        pronoun: [texts(tokenizer, ids)[0] for ids in gendered_pronouns(tokenizer, n=4, pronoun=pronoun).right]
        for pronoun in ("he", "she", "mixed")
    }
    assert found == {"he": ["he"] * 4, "she": ["she"] * 4, "mixed": ["he", "she"] * 2}
