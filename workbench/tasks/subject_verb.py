"""Subject-verb agreement: the verb agrees with the subject and not with the noun that stands nearer to it.

"The keys near the cabinet" -> " are". Nouns and sentences are this project's own.
"""

import random
from typing import Any, Literal

from workbench.pairs import Pairs
from workbench.tasks.prompts import Draft, choose_templates, draw_distinct, pairs_from_drafts
from workbench.tasks.task import Task
from workbench.tasks.words import enough, one_token, tokenizer_of, word_pairs

TEMPLATES = (
    "The {SUBJECT} near the {DISTRACTOR}",
    "I hope that the {SUBJECT} behind the {DISTRACTOR}",
    "They say that the {SUBJECT} beside the {DISTRACTOR}",
    "We all know that the {SUBJECT} next to the {DISTRACTOR}",
    "As far as I can tell, the {SUBJECT} across from the {DISTRACTOR}",
    "It is clear by now that the {SUBJECT} close to the {DISTRACTOR}",
)
VERBS = (("is", "are"), ("was", "were"), ("has", "have"))


def make(
    model: Any,
    n: int = 8,
    seed: int = 0,
    *,
    number: Literal["singular", "plural", "mixed"] = "mixed",
    distractor: Literal["opposite", "same"] = "opposite",
    template: int | Literal["all"] | None = None,
) -> Pairs:
    """Pairs whose right answers are the verb forms of the subject's number, and whose wrong ones are the other forms.

    Convention: positions are SUBJECT, DISTRACTOR and END; the forms are is/was/has against are/were/have, as far as
    both of a pair are one token. The corrupt prompt has the same subject in the other number, so the answers change
    places; the distractor is the same in both. Source: Linzen et al. 2016, https://arxiv.org/abs/1611.01368, section 2;
    as templates, Finlayson et al. 2021, https://arxiv.org/abs/2106.06087. Nouns and sentences are our own.

    Args:
        model: A model with a tokenizer, or a tokenizer.
        n: Pairs.
        seed: Seed of the draw.
        number: Number of the clean subject; 'mixed' is one after the other.
        distractor: Number of the noun before the verb: 'opposite' or 'same' as the clean subject's.
        template: Index of a sentence, None for one drawn by the seed, 'all' for one drawn for each pair.
    Returns:
        Pairs.
    Raises:
        BadInput: When too few nouns, or no pair of verb forms, are one token in this tokenizer.
    """
    tokenizer = tokenizer_of(model)
    rng = random.Random(f"subject_verb:{seed}")
    nouns, verbs = _one_token_pairs(tokenizer, "nouns", word_pairs("nouns"), 2), _verbs(tokenizer)
    templates = choose_templates("subject_verb", rng, TEMPLATES, template, n)

    def draw(index: int) -> Draft:
        plural = bool(index % 2) if number == "mixed" else number == "plural"
        subject, other = rng.sample(nouns, 2)
        shown = other[plural if distractor == "same" else not plural]
        return Draft(
            template=templates[index],
            clean={"SUBJECT": subject[plural], "DISTRACTOR": shown},
            corrupt={"SUBJECT": subject[not plural], "DISTRACTOR": shown},
            right=verbs[plural],
            wrong=verbs[not plural],
        )

    drafts = draw_distinct(n, draw, key=lambda draft: draft.texts)
    positions = {"SUBJECT": ("SUBJECT", 0), "DISTRACTOR": ("DISTRACTOR", 0)}
    return pairs_from_drafts(tokenizer, "subject_verb", drafts, positions)


def _verbs(tokenizer: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    forms = _one_token_pairs(tokenizer, "verb forms", VERBS, 1)
    ids = one_token(tokenizer, [form for pair in forms for form in pair])
    return tuple(ids[singular] for singular, _ in forms), tuple(ids[plural] for _, plural in forms)


def _one_token_pairs(tokenizer: Any, what: str, pairs: Any, least: int) -> list[tuple[str, str]]:
    ids = one_token(tokenizer, [word for pair in pairs for word in pair])
    found = [pair for pair in pairs if pair[0] in ids and pair[1] in ids]
    enough("subject_verb", f"the {what} in both numbers", len(found), len(pairs), least)
    return found


TASK = Task(
    name="subject_verb",
    title="Subject-verb agreement",
    source="Linzen et al. 2016, https://arxiv.org/abs/1611.01368",
    make=make,
)
