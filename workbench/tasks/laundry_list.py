"""The laundry list: several things are listed, all but one are mentioned again, and the one left is asked for.

"Today Mary put the cup, the pen and the key in a bag. Then Mary took out the key and the cup. The only thing left in the bag
is the" -> " pen". Indirect object identification is the case of two things. Sentences and words are this project's own.
"""

import random
from dataclasses import replace
from typing import Any, Literal

import torch
from jaxtyping import Int
from torch import Tensor

from workbench.errors import BadInput
from workbench.pairs import Pairs
from workbench.tasks.prompts import Draft, draw_distinct, pairs_from_drafts
from workbench.tasks.task import Task
from workbench.tasks.words import one_token_words, tokenizer_of

FEWEST, MOST = 2, 20
TEMPLATES = ("Today {{name}} put {listed} in a bag. Then {{name}} took out {again}. The only thing left in the bag is the",)


def make(
    model: Any,
    n: int = 8,
    seed: int = 0,
    *,
    objects: int = 3,
    place: int | None = None,
    order: Literal["same", "shuffled", "reversed"] = "shuffled",
    layout: Literal["one", "each"] = "one",
) -> Pairs:
    """Pairs whose right answer is the thing that is left and whose wrong answer is one that was taken.

    Convention: the corrupt prompt takes the right answer in the wrong one's place, so that the answers change places and one
    token differs. Positions: LEFT and TAKEN, where the two are listed; AGAIN, where the one taken is mentioned again; ITEM1 and
    on, where each thing is listed; END.
    Source: the Laundry List of Merullo et al. 2024, https://arxiv.org/abs/2406.09519, whose wording was not available here.

    Args:
        model: A model with a tokenizer, or a tokenizer.
        n: Pairs.
        seed: Seed of the draw.
        objects: Things in the list, from 2 to 20.
        place: Where in the list the one left stands, from 0; None for drawn.
        order: The others are mentioned in the 'same' order as listed, 'shuffled', or 'reversed'.
        layout: Places of what is left and what is taken: 'one' draw for all pairs, or one for 'each'.
    Returns:
        Pairs.
    Raises:
        BadInput: When there are too few or too many things, no such place, or too few words are one token.
    """
    if not FEWEST <= objects <= MOST:
        raise BadInput(f"laundry_list: objects must be from {FEWEST} to {MOST}; got {objects}.")
    if place is not None and not 0 <= place < objects:
        raise BadInput(f"laundry_list: place must be from 0 to {objects - 1}, a place in the list; got {place}.")
    tokenizer = tokenizer_of(model)
    rng = random.Random(f"laundry_list:{seed}")
    things = one_token_words(tokenizer, "laundry_list", ["objects"], least=objects)
    names = list(one_token_words(tokenizer, "laundry_list", ["women", "men"], least=1))

    def arranged() -> tuple[int, list[int], int]:
        """Places of the one left, of the others as they are mentioned, and of the one that the corrupt prompt leaves."""
        left = rng.randrange(objects) if place is None else place
        again = [at for at in range(objects) if at != left]
        if order == "shuffled":
            rng.shuffle(again)
        elif order == "reversed":
            again.reverse()
        return left, again, rng.choice(again)

    one = arranged()

    def draw(index: int) -> Draft:
        listed = rng.sample(list(things), objects)
        left, again, swapped = one if layout == "one" else arranged()
        slots = [f"ITEM{at + 1}" for at in range(objects)]
        mentions = {at: "AGAIN" if at == swapped else f"T{at}" for at in again}
        words = {"name": rng.choice(names)} | dict(zip(slots, listed, strict=True))
        clean = words | {mention: listed[at] for at, mention in mentions.items()}
        return Draft(
            template=TEMPLATES[0].format(listed=_series(slots), again=_series(list(mentions.values()))),
            clean=clean,
            corrupt=clean | {"AGAIN": listed[left]},
            right=(things[listed[left]],),
            wrong=(things[listed[swapped]],),
        )

    drafts = draw_distinct(n, draw, key=lambda draft: draft.texts)
    places = {name: (name, 0) for name in [f"ITEM{at + 1}" for at in range(objects)] + ["AGAIN"]}
    made = pairs_from_drafts(tokenizer, "laundry_list", drafts, places)
    two = {"LEFT": _listed(made, made.right, objects), "TAKEN": _listed(made, made.wrong, objects)}
    return replace(made, positions={**two, **made.positions})


def _listed(pairs: Pairs, answers: tuple[tuple[int, ...], ...], objects: int) -> Int[Tensor, "batch"]:
    """Where the things that are the answers are listed."""
    items = torch.stack([pairs.positions[f"ITEM{at + 1}"] for at in range(objects)], 1)
    found = pairs.clean.gather(1, items) == torch.tensor([one for (one,) in answers]).unsqueeze(1)
    return items.gather(1, found.int().argmax(1, keepdim=True))[:, 0]


def _series(slots: list[str]) -> str:
    """'the {L0}, the {L1} and the {L2}'."""
    named = [f"the {{{slot}}}" for slot in slots]
    return named[0] if len(named) == 1 else ", ".join(named[:-1]) + " and " + named[-1]


TASK = Task(
    name="laundry_list",
    title="Laundry list",
    source="Merullo et al. 2024, https://arxiv.org/abs/2406.09519",
    make=make,
)
