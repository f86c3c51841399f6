"""Gendered pronouns: " he" after a man's name, " she" after a woman's.

"Yesterday Mary stayed at home because" -> " she". Names and sentences are this project's own.
"""

import random
from typing import Any, Literal

from workbench.pairs import Pairs
from workbench.tasks.prompts import Draft, choose_templates, draw_distinct, pairs_from_drafts
from workbench.tasks.task import Task
from workbench.tasks.words import enough, one_token, one_token_words, tokenizer_of

TEMPLATES = (
    "Yesterday {NAME} stayed at home because",
    "The neighbors like {NAME} very much, for",
    "Everyone was surprised when {NAME} said that",
    "We waited for {NAME} until the evening, but",
    "The bus was late, so {NAME} was angry and",
    "My old friend {NAME} is a wonderful cook, isn't",
    "As usual, {NAME} forgot the keys when",
    "The letter made {NAME} so happy that",
)


def make(
    model: Any,
    n: int = 8,
    seed: int = 0,
    *,
    pronoun: Literal["he", "she", "mixed"] = "mixed",
    template: int | Literal["all"] | None = None,
) -> Pairs:
    """Pairs whose right answer is the pronoun of the name, and whose wrong answer is the other one.

    Convention: positions are NAME and END; the corrupt prompt has a name of the other gender, so the answers change
    places. Source: Mathwin & Corlouer 2023,
    https://www.apartresearch.com/project/identifying-a-preliminary-circuit-for-predicting-gendered-pronouns-in-gpt-2-small;
    we use several sentences, all of our own.

    Args:
        model: A model with a tokenizer, or a tokenizer.
        n: Pairs.
        seed: Seed of the draw.
        pronoun: The right answer: 'he', 'she', or one after the other ('mixed').
        template: Index of a sentence, None for one drawn by the seed, 'all' for one drawn for each pair.
    Returns:
        Pairs.
    Raises:
        BadInput: When too few names, or not both pronouns, are one token in this tokenizer.
    """
    tokenizer = tokenizer_of(model)
    rng = random.Random(f"gendered_pronouns:{seed}")
    names = {
        "he": list(one_token_words(tokenizer, "gendered_pronouns", ["men"], least=1)),
        "she": list(one_token_words(tokenizer, "gendered_pronouns", ["women"], least=1)),
    }
    answers = one_token(tokenizer, names)
    enough("gendered_pronouns", "the pronouns he and she", len(answers), 2, 2)
    templates = choose_templates("gendered_pronouns", rng, TEMPLATES, template, n)

    def draw(index: int) -> Draft:
        right = ("he", "she")[index % 2] if pronoun == "mixed" else pronoun
        wrong = {"he": "she", "she": "he"}[right]
        return Draft(
            template=templates[index],
            clean={"NAME": rng.choice(names[right])},
            corrupt={"NAME": rng.choice(names[wrong])},
            right=(answers[right],),
            wrong=(answers[wrong],),
        )

    drafts = draw_distinct(n, draw, key=lambda draft: draft.texts)
    return pairs_from_drafts(tokenizer, "gendered_pronouns", drafts, {"NAME": ("NAME", 0)})


TASK = Task(
    name="gendered_pronouns",
    title="Gendered pronouns",
    source="Mathwin & Corlouer 2023, "
    "https://www.apartresearch.com/project/identifying-a-preliminary-circuit-for-predicting-gendered-pronouns-in-gpt-2-small",
    make=make,
)
