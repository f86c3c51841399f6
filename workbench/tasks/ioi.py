"""Indirect object identification: which of two names, the one named once or the one named twice, comes next.

"When Mary and John arrived at the market, John gave the book to" -> " Mary". The name that occurs once is IO, the other
is S, at S1 and S2. Templates, names, places and objects are this project's own; the layouts follow the source.
"""

import random
from typing import Any, Literal

from workbench.pairs import Pairs
from workbench.tasks.prompts import Draft, choose_templates, draw_distinct, pairs_from_drafts
from workbench.tasks.task import Task
from workbench.tasks.words import one_token_words, tokenizer_of

TEMPLATES = (
    "Then, {first} and {second} walked to the {place}, and {S2} handed the {object} to",
    "When {first} and {second} arrived at the {place}, {S2} gave the {object} to",
    "After {first} and {second} had left the {place}, {S2} offered the {object} to",
    "While {first} and {second} were resting near the {place}, {S2} passed the {object} to",
    "Afterwards, {first} and {second} met outside the {place}. {S2} showed the {object} to",
    "Old friends {first} and {second} found the {object} at the {place}. {S2} decided to give it to",
    "The {place} that {first} and {second} visited had the {object} for sale. {S2} bought it and gave it to",
    "The day that {first} and {second} spent at the {place} was long. Before sunset {S2} lent the {object} to",
    "Because {first} and {second} both worked at the {place}, {S2} could bring the {object} to",
    "Once {first} and {second} had reached the {place}, {S2} threw the {object} to",
    "Last Sunday {first} and {second} cleaned the {place} together. When it was done, {S2} gave the {object} to",
    "As soon as {first} and {second} got back from the {place}, {S2} showed the {object} to",
    "At the {place}, {first} and {second} shared a table. After lunch {S2} delivered the {object} to",
    "Then {first} and {second} had a bitter quarrel, and in the end {S2} apologized to",
    "After a heated debate between {first} and {second}, {S2} finally apologized to",
)


def make(
    model: Any,
    n: int = 8,
    seed: int = 0,
    *,
    order: Literal["ABBA", "BABA", "mixed"] = "ABBA",
    corruption: Literal["abc", "s2", "s2_io"] = "abc",
    template: int | Literal["all"] | None = None,
) -> Pairs:
    """Pairs whose right answer is the indirect object and whose wrong answer is the subject.

    Convention: positions are IO, S1, S1+1 (the token after S1), S2 and END; names are one token, so that all prompts of
    one template and one order share a layout. Source: Wang et al. 2022, https://arxiv.org/abs/2211.00593, section 2;
    the corruption 's2' is the default of Hanna et al. 2024, https://arxiv.org/abs/2403.17806. Sentences and words are
    our own.

    Args:
        model: A model with a tokenizer, or a tokenizer.
        n: Pairs.
        seed: Seed of the draw.
        order: Names in the order IO S S ('ABBA'), S IO S ('BABA'), or one after the other ('mixed').
        corruption: 'abc' puts three further names in the places of IO, S1 and S2; 's2' a further name in that of S2;
            's2_io' the indirect object in that of S2, so that the answers change places.
        template: Index of a sentence, None for one drawn by the seed, 'all' for one drawn for each pair.
    Returns:
        Pairs.
    Raises:
        BadInput: When too few names, places or objects are one token in this tokenizer.
    """
    tokenizer = tokenizer_of(model)
    rng = random.Random(f"ioi:{seed}")
    names = one_token_words(tokenizer, "ioi", ["men", "women"], least=5)
    places = list(one_token_words(tokenizer, "ioi", ["places"], least=1))
    objects = list(one_token_words(tokenizer, "ioi", ["objects"], least=1))
    templates = choose_templates("ioi", rng, TEMPLATES, template, n)

    def draw(index: int) -> Draft:
        io, s, a, b, c = rng.sample(list(names), 5)
        rest = {"place": rng.choice(places), "object": rng.choice(objects)}
        corrupt = {"abc": (a, b, c), "s2": (io, s, a), "s2_io": (io, s, io)}[corruption]
        return Draft(
            template=_ordered(templates[index], {"mixed": ("ABBA", "BABA")[index % 2]}.get(order, order)),
            clean=rest | {"IO": io, "S1": s, "S2": s},
            corrupt=rest | dict(zip(("IO", "S1", "S2"), corrupt, strict=True)),
            right=(names[io],),
            wrong=(names[s],),
        )

    drafts = draw_distinct(n, draw, key=lambda draft: draft.texts)
    positions = {"IO": ("IO", 0), "S1": ("S1", 0), "S1+1": ("S1", 1), "S2": ("S2", 0)}
    return pairs_from_drafts(tokenizer, "ioi", drafts, positions)


def _ordered(template: str, order: str) -> str:
    first, second = {"ABBA": ("{IO}", "{S1}"), "BABA": ("{S1}", "{IO}")}[order]
    return template.replace("{first}", first).replace("{second}", second)


TASK = Task(
    name="ioi",
    title="Indirect object identification",
    source="Wang et al. 2022, https://arxiv.org/abs/2211.00593",
    make=make,
)
