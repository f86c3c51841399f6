"""Models whose circuits are known because this project wired them: their tasks' pairs, and the edges that are true.

`load("known:NAME")` gives the model, `known_pairs` prompts on which its whole circuit is at work, `truth` the edges: those,
and only those, whose corruption changes the answer. What the models do and how is told in `data/known/wire.py`, which wrote
them; what published models do is in `references`.
"""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from workbench.errors import at_least, one_of
from workbench.graph import EdgeMask, Graph
from workbench.models.find import DATA
from workbench.pairs import Pairs, encode, pairs_from_ids
from workbench.tasks.prompts import draw_distinct
from workbench.tasks.words import enough, one_token, tokenizer_of

ANIMALS = tuple("bear bird deer dog fish frog goat horse".split())
PLANTS = tuple("apple corn fern grass leaf moss pear rose".split())
WORDS = ANIMALS + PLANTS


@dataclass(frozen=True, eq=False)
class Wired:
    """What is known of a wired model.

    Attributes:
        name: The model's id; its ref is 'known:NAME'.
        title: Its name for reading.
        graph: Its graph.
        mask: True at the circuit's edges.
        false_alarms: Edges outside the circuit that difference times gradient scores high.
        missed: Edges of the circuit that difference times gradient scores zero.
        why: How the circuit works, and what fools whom.
        source: Who made it.
    """

    name: str
    title: str
    graph: Graph
    mask: EdgeMask
    false_alarms: tuple[str, ...]
    missed: tuple[str, ...]
    why: str
    source: str


def known_names() -> list[str]:
    """Ids of the wired models."""
    return sorted(file.parent.name for file in (DATA / "known").glob("*/circuit.json"))


def wired(name: str) -> Wired:
    """What is known of a wired model, by its id.

    Raises:
        BadInput: When there is no such model.
    """
    one_of("known model", name, known_names())
    read = json.loads((DATA / "known" / name / "circuit.json").read_text(encoding="utf-8"))
    graph = Graph(**read["shape"])
    return Wired(
        name=name,
        title=read["title"],
        graph=graph,
        mask=graph.mask(read["edges"]),
        false_alarms=tuple(read["false_alarms"]),
        missed=tuple(read["missed"]),
        why=read["why"],
        source=read["source"],
    )


def truth(name: str) -> EdgeMask:
    """The edges of a wired model's circuit: True where corrupting the edge changes the answer.

    Convention: per-query-head readers, as `graph_of(model.cfg)`; a corrupted edge hands its reader what its source writes on
    the corrupt prompt. True by construction for the pairs of `known_pairs`, and held by a test that corrupts each edge.

    Raises:
        BadInput: When there is no such model.
    """
    return wired(name).mask


def known_pairs(model: Any, name: str, n: int = 8, seed: int = 0) -> Pairs:
    """Pairs on which the whole circuit of a wired model is at work: clean and corrupt share no word.

    Convention: both prompts have the same plan, filled with other words; the wrong answer is the corrupt prompt's right one.
    `copy` and `decoy`: seven words, the answer is the sixth (BEFORE); in `decoy` all, and so the first (CUE), are animals on
    clean and plants on corrupt. `induction`: six words and the beginning of their second saying, the answer is
    how it goes on (A1, B1 as in repeated_tokens). `two_hop`: four facts 'key value' in any order and a key, the answer is the
    value (ANSWER) of its value (VALUE).

    Args:
        model: A wired model, or any with a tokenizer to which the words are one token each.
        name: 'copy', 'decoy', 'induction' or 'two_hop'.
        n: Pairs.
        seed: Seed of the draw.
    Returns:
        Pairs.
    Raises:
        BadInput: When there is no such model, or the tokenizer lacks the words.
    """
    one_of("known model", name, PLANS)
    at_least(f"known {name}: n", n, 1)
    tokenizer = tokenizer_of(model)
    enough(f"known {name}", "the animals and plants", len(one_token(tokenizer, WORDS)), len(WORDS), len(WORDS))
    rng = random.Random(f"known:{name}:{seed}")
    drawn = draw_distinct(n, lambda index: PLANS[name](rng), key=lambda pair: (pair[0].words, pair[1].words))
    ids = [tuple(encode(tokenizer, " ".join(said.words)) for said in pair) for pair in drawn]
    answers = [tuple(encode(tokenizer, f"{WORDS[0]} {said.answer}")[-1] for said in pair) for pair in drawn]
    before = len(ids[0][0]) - len(drawn[0][0].words)
    return pairs_from_ids(
        tokenizer,
        f"known:{name}",
        clean=[clean for clean, _ in ids],
        corrupt=[corrupt for _, corrupt in ids],
        right=[(right,) for right, _ in answers],
        wrong=[(wrong,) for _, wrong in answers],
        positions={at: [before + clean.positions[at] for clean, _ in drawn] for at in drawn[0][0].positions},
        params={"n": n, "seed": seed},
    )


class Said(NamedTuple):
    """A prompt's words, its answer, and named positions among the words."""

    words: tuple[str, ...]
    answer: str
    positions: dict[str, int]


def _apart(rng: random.Random, size: int) -> tuple[list[str], list[str]]:
    """Two draws of words that share none."""
    drawn = rng.sample(WORDS, 2 * size)
    return drawn[:size], drawn[size:]


def _copy(rng: random.Random) -> tuple[Said, Said]:
    clean, corrupt = (Said(tuple(words), words[5], {"BEFORE": 5}) for words in _apart(rng, 7))
    return clean, corrupt


def _decoy(rng: random.Random) -> tuple[Said, Said]:
    drawn = (rng.sample(kind, 7) for kind in (ANIMALS, PLANTS))
    clean, corrupt = (Said(tuple(words), words[5], {"CUE": 0, "BEFORE": 5}) for words in drawn)
    return clean, corrupt


def _induction(rng: random.Random) -> tuple[Said, Said]:
    at = rng.randrange(5)
    clean, corrupt = (Said((*words, *words[: at + 1]), words[at + 1], {"A1": at, "B1": at + 1}) for words in _apart(rng, 6))
    return clean, corrupt


def _two_hop(rng: random.Random) -> tuple[Said, Said]:
    # Words 0 1 2 and 3 4 5 are chains; the question is about the first.
    facts = [(0, 1), (1, 2), (3, 4), (4, 5)]
    rng.shuffle(facts)
    where = {"VALUE": 2 * facts.index((0, 1)) + 1, "ANSWER": 2 * facts.index((1, 2)) + 1}
    clean, corrupt = (
        Said((*(words[i] for fact in facts for i in fact), words[0]), words[2], where) for words in _apart(rng, 6)
    )
    return clean, corrupt


PLANS: dict[str, Callable[[random.Random], tuple[Said, Said]]] = {
    "copy": _copy,
    "decoy": _decoy,
    "induction": _induction,
    "two_hop": _two_hop,
}
