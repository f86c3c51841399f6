"""Docstrings: the third documented parameter of a Python function, whose name must be copied from its definition.

    def river(self, level, mode, path, size, width, total):
        \"\"\"Return stone cloud

        :param path: winter silver
        :param size: market paper
        :param

-> " width". Function names, parameters and descriptions are this project's own words.
"""

import random
from typing import Any

from workbench.errors import at_least
from workbench.pairs import Pairs
from workbench.tasks.prompts import Draft, draw_distinct, pairs_from_drafts
from workbench.tasks.task import Task
from workbench.tasks.words import one_token_words, tokenizer_of


def make(model: Any, n: int = 8, seed: int = 0, *, n_before: int = 2, n_after: int = 1) -> Pairs:
    """Pairs whose right answer is the third documented parameter, and whose wrong answers are the definition's others.

    Convention: positions are A_def, B_def, ',_B' (the token after B_def), C_def, A_doc, B_doc and END (the third
    ':param'). The corrupt prompt has five further names in the places of the three parameters in the definition and of
    the two in the docstring ('random_random': nothing in it can be copied). Source: Heimersheim & Janiak 2023,
    https://www.alignmentforum.org/posts/u6KXXmKFbXfWzoAXn/a-circuit-for-python-docstrings-in-a-4-layer-attention-only;
    the counts of parameters and words are those of its published prompts.

    Args:
        model: A model with a tokenizer, or a tokenizer.
        n: Pairs.
        seed: Seed of the draw.
        n_before: Parameters of the definition between self and the documented three, at least 0.
        n_after: Parameters of the definition after them, at least 0.
    Returns:
        Pairs.
    Raises:
        BadInput: When too few parameter names or words are one token in this tokenizer.
    """
    at_least("docstring: n_before", n_before, 0)
    at_least("docstring: n_after", n_after, 0)
    tokenizer = tokenizer_of(model)
    rng = random.Random(f"docstring:{seed}")
    others = n_before + n_after
    names = one_token_words(tokenizer, "docstring", ["arguments"], least=8 + others)
    words = list(one_token_words(tokenizer, "docstring", ["words"], least=7))
    template = _template(n_before, n_after)

    def draw(index: int) -> Draft:
        a, b, c, *drawn = rng.sample(list(names), 8 + others)
        rest = {f"other{number}": name for number, name in enumerate(drawn[5:])}
        rest |= {f"word{number}": word for number, word in enumerate(rng.sample(words, 7))}
        slots = ("A_def", "B_def", "C_def", "A_doc", "B_doc")
        return Draft(
            template=template,
            clean=rest | dict(zip(slots, (a, b, c, a, b), strict=True)),
            corrupt=rest | dict(zip(slots, drawn[:5], strict=True)),
            right=(names[c],),
            wrong=tuple(names[name] for name in (a, b, *drawn[5:])),
        )

    drafts = draw_distinct(n, draw, key=lambda draft: draft.texts)
    positions = {slot: (slot, 0) for slot in ("A_def", "B_def", "C_def", "A_doc", "B_doc")}
    return pairs_from_drafts(tokenizer, "docstring", drafts, positions | {",_B": ("B_def", 1)})


def _template(n_before: int, n_after: int) -> str:
    before = [f"{{other{number}}}" for number in range(n_before)]
    after = [f"{{other{number}}}" for number in range(n_before, n_before + n_after)]
    parameters = ", ".join(["self", *before, "{A_def}", "{B_def}", "{C_def}", *after])
    return (
        f"def {{word0}}({parameters}):\n"
        '    """Return {word1} {word2}\n\n'
        "    :param {A_doc}: {word3} {word4}\n"
        "    :param {B_doc}: {word5} {word6}\n"
        "    :param"
    )


TASK = Task(
    name="docstring",
    title="Docstring parameters",
    source="Heimersheim & Janiak 2023, "
    "https://www.alignmentforum.org/posts/u6KXXmKFbXfWzoAXn/a-circuit-for-python-docstrings-in-a-4-layer-attention-only",
    make=make,
)
