import pytest

from tests.tasks.conftest import TWOS, at, texts, word_level
from workbench.errors import BadInput
from workbench.tasks import TASKS
from workbench.tasks.capitals import TEMPLATES
from workbench.tasks.words import word_list, word_pairs

capitals = TASKS["capitals"]
CAPITAL = dict(word_pairs("capitals"))


@pytest.mark.parametrize("template", range(len(TEMPLATES)))
def test_each_country_has_its_capital(tokenizer, template):
    pairs = capitals(tokenizer, n=8, template=template)
    for i in range(len(pairs)):
        assert texts(tokenizer, pairs.right[i]) == [CAPITAL[at(pairs, i, "COUNTRY")]]
        assert texts(tokenizer, pairs.wrong[i]) == [CAPITAL[at(pairs, i, "COUNTRY", "corrupt")]]
        assert int(pairs.differs[i].sum()) == 1


def test_a_capital_of_several_tokens_leaves_its_country_out():
    cities = {city for _, city in word_pairs("capitals")} - {"Paris", "Rome"}
    tokenizer = word_level(TWOS, digits=2, without=cities)
    pairs = capitals(tokenizer, n=4)
    assert {at(pairs, i, "COUNTRY") for i in range(4)} == {"France", "Italy"}


def test_one_country_is_too_few():
    cities = {city for _, city in word_pairs("capitals")} - {"Paris"}
    total = len(word_list("capitals"))
    with pytest.raises(BadInput, match=rf"capitals: the countries and capitals .* at least 2; got 1 of {total}"):
        capitals(word_level(TWOS, digits=2, without=cities))
