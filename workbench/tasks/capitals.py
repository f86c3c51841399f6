"""Capitals: the capital of a country, as a fact that the model has stored.

"The capital of France is the city of" -> " Paris". The list of countries and the sentences are this project's own; only
countries and capitals of one token are used.
"""

import random
from typing import Any, Literal

from workbench.pairs import Pairs
from workbench.tasks.prompts import Draft, choose_templates, draw_distinct, pairs_from_drafts
from workbench.tasks.task import Task
from workbench.tasks.words import enough, one_token, tokenizer_of, word_pairs

TEMPLATES = (
    "The capital of {COUNTRY} is the city of",
    "The government of {COUNTRY} has its seat in the city of",
    "She moved to {COUNTRY} and found a flat in the capital,",
    "Every child in {COUNTRY} knows that the capital is",
)


def make(model: Any, n: int = 8, seed: int = 0, *, template: int | Literal["all"] | None = None) -> Pairs:
    """Pairs whose right answer is the capital of the country, and whose wrong answer is that of the corrupt country.

    Convention: positions are COUNTRY and END; the answers change places on the corrupt prompt. Source: the relation
    between country and capital of Hernandez et al. 2023, https://arxiv.org/abs/2308.09124; list and
    sentences our own.

    Args:
        model: A model with a tokenizer, or a tokenizer.
        n: Pairs.
        seed: Seed of the draw.
        template: Index of a sentence, None for one drawn by the seed, 'all' for one drawn for each pair.
    Returns:
        Pairs.
    Raises:
        BadInput: When there are not two countries that are one token each and whose capital is.
    """
    tokenizer = tokenizer_of(model)
    rng = random.Random(f"capitals:{seed}")
    entries = word_pairs("capitals")
    ids = one_token(tokenizer, [word for entry in entries for word in entry])
    capital = {country: ids[city] for country, city in entries if country in ids and city in ids}
    enough("capitals", "the countries and capitals", len(capital), len(entries), 2)
    templates = choose_templates("capitals", rng, TEMPLATES, template, n)

    def draw(index: int) -> Draft:
        country, other = rng.sample(list(capital), 2)
        return Draft(
            template=templates[index],
            clean={"COUNTRY": country},
            corrupt={"COUNTRY": other},
            right=(capital[country],),
            wrong=(capital[other],),
        )

    drafts = draw_distinct(n, draw, key=lambda draft: draft.texts)
    return pairs_from_drafts(tokenizer, "capitals", drafts, {"COUNTRY": ("COUNTRY", 0)})


TASK = Task(
    name="capitals",
    title="Capitals of countries",
    source="Hernandez et al. 2023, https://arxiv.org/abs/2308.09124",
    make=make,
)
