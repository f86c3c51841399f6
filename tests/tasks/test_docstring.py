import pytest

from tests.tasks.conftest import at, strip, texts
from workbench.errors import BadInput
from workbench.tasks import TASKS

docstring = TASKS["docstring"]


def test_clean_documents_the_first_two_and_asks_for_the_third(tokenizer):
    pairs = docstring(tokenizer, n=20)
    for i in range(len(pairs)):
        assert at(pairs, i, "A_doc") == at(pairs, i, "A_def")
        assert at(pairs, i, "B_doc") == at(pairs, i, "B_def")
        assert texts(tokenizer, pairs.right[i]) == [at(pairs, i, "C_def")]
        assert at(pairs, i, "END").endswith("param")
        assert at(pairs, i, ",_B").startswith(",")


def test_wrong_are_all_other_parameters(tokenizer):
    pairs = docstring(tokenizer, n=20)
    for i in range(len(pairs)):
        text = tokenizer.decode(pairs.clean[i], skip_special_tokens=True)
        parameters = text[text.index("(") + 1 : text.index(")")].split(", ")
        assert parameters[0] == "self"
        assert set(texts(tokenizer, pairs.wrong[i])) == set(parameters[1:]) - {at(pairs, i, "C_def")}


def test_nothing_in_corrupt_can_be_copied(tokenizer):
    pairs = docstring(tokenizer, n=20)
    slots = ("A_def", "B_def", "C_def", "A_doc", "B_doc")
    for i in range(len(pairs)):
        new = {at(pairs, i, slot, "corrupt") for slot in slots}
        assert len(new) == 5
        assert not new & set(strip(pairs.clean_strings[i]))
        assert texts(tokenizer, pairs.right[i])[0] not in strip(pairs.corrupt_strings[i])
        assert int(pairs.differs[i].sum()) == 5


@pytest.mark.parametrize(("before", "after"), [(0, 0), (3, 0), (0, 2)])
def test_other_parameters_stand_before_and_after(tokenizer, before, after):
    pairs = docstring(tokenizer, n=3, n_before=before, n_after=after)
    for i in range(len(pairs)):
        text = tokenizer.decode(pairs.clean[i], skip_special_tokens=True)
        parameters = text[text.index("(") + 1 : text.index(")")].split(", ")
        assert len(parameters) == 1 + before + 3 + after
        assert parameters[1 + before : 4 + before] == [at(pairs, i, slot) for slot in ("A_def", "B_def", "C_def")]


def test_a_negative_number_is_told(words):
    with pytest.raises(BadInput, match="docstring: n_before must be at least 0; got -1"):
        docstring(words, n_before=-1)
