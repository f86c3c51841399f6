"""Greater-than: an event that began in one year ends in a later one.

"The war lasted from the year 1732 to the year 17" -> "33" to "99". Which token answers depends on how the tokenizer
cuts a year, so the prompt stops before the token that holds the tens digit of the second year:

    cut        first year       prompt ends   right            wrong             corrupt
    17|32      17|32            17            33 … 99          00 … 32           17|01
    1|7|3|2    1|7|3|2          1|7           4 … 9            0 … 2             1|7|0|2
    173|2      173|2            the year      174 … 179        170 … 172         170|2

Where that token holds the units too, the wrong answers are the years up to the first one, that one included, as in the
source. Where it does not, an equal tens digit is neither right nor wrong, since the units decide. The list of events is
this project's own.
"""

import random
from collections import Counter
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from workbench.errors import BadInput, within
from workbench.pairs import Pairs, encode, pairs_from_ids, token_strings
from workbench.tasks.prompts import draw_distinct
from workbench.tasks.task import Task
from workbench.tasks.words import one_token_words, split, tokenizer_of

_BEFORE = "the year"


@dataclass(frozen=True)
class Cut:
    """How a tokenizer cuts one year after 'the year': the pieces' ids, and the digits that each holds."""

    ids: tuple[int, ...]
    digits: tuple[str, ...]

    @property
    def layout(self) -> tuple[int, ...]:
        """Digits of each piece; 0 for a piece that is only the space."""
        return tuple(map(len, self.digits))


def make(model: Any, n: int = 8, seed: int = 0, *, century: int = 17) -> Pairs:
    """Pairs whose right answers are the later years of the century, and whose wrong ones are the earlier.

    Convention: positions are YY (the token with the first year's last two digits or more) or, where the tokenizer has
    the units in a token of their own, TENS; and END. In the corrupt prompt that one token is 01, or its tens digit is
    0. Source: Hanna et al. 2023, https://arxiv.org/abs/2305.00586, section 2; cuts other than two and two digits are
    our own.

    Args:
        model: A model with a tokenizer, or a tokenizer.
        n: Pairs.
        seed: Seed of the draw.
        century: First two digits of both years, from 10 to 20.
    Returns:
        Pairs.
    Raises:
        BadInput: When too few events are one token, or the tokenizer cuts the years of the century into no common
            pieces.
    """
    within("greater_than: century", century, 10, 21)
    tokenizer = tokenizer_of(model)
    rng = random.Random(f"greater_than:{seed}")
    events = list(one_token_words(tokenizer, "greater_than", ["events"], least=1))
    cuts = _century(tokenizer, century)
    piece, units = _tens_piece(next(iter(cuts.values())).layout)
    values = _values(tokenizer, century, cuts, piece)
    years = {year: corrupt for year in cuts if (corrupt := _corrupt(year, units)) in cuts and _has_both(year, units)}
    if not years:
        raise _uncut(tokenizer, century)

    def draw(index: int) -> tuple[str, int]:
        return rng.choice(events), rng.choice(list(years))

    drawn = draw_distinct(n, draw, key=lambda pair: pair)
    clean = [_prompt(tokenizer, event, cuts[year], century * 100 + year, piece) for event, year in drawn]
    corrupt = [_prompt(tokenizer, event, cuts[years[year]], century * 100 + years[year], piece) for event, year in drawn]
    at = [int(cuts[year].digits[piece]) for _, year in drawn]
    return pairs_from_ids(
        tokenizer,
        "greater_than",
        clean=[ids for ids, _ in clean],
        corrupt=[ids for ids, _ in corrupt],
        right=[tuple(token for value, token in values.items() if value > shown) for shown in at],
        wrong=[tuple(token for value, token in values.items() if value < shown + units) for shown in at],
        positions={"YY" if units else "TENS": [where for _, where in clean]},
    )


def _prompt(tokenizer: Any, event: str, cut: Cut, year: int, piece: int) -> tuple[list[int], int]:
    """The prompt up to the piece that is asked for, and the position of that piece in the first year."""
    start = encode(tokenizer, f"The {event} lasted from {_BEFORE}")
    ids = encode(tokenizer, f"The {event} lasted from {_BEFORE} {year} to {_BEFORE} {year}")
    size = len(cut.ids)
    if tuple(ids[len(start) : len(start) + size]) != cut.ids or tuple(ids[-size:]) != cut.ids:
        raise BadInput(
            f"greater_than: both years must be cut into the same pieces; got {split(tokenizer, ids)}. Take another model."
        )
    return ids[: len(ids) - size + piece], len(start) + piece


def _cut(tokenizer: Any, year: int, before: list[int]) -> Cut | None:
    ids = encode(tokenizer, f"{_BEFORE} {year}")
    pieces = ids[len(before) :]
    digits = tuple(text.strip() for text in token_strings(tokenizer, pieces))
    if ids[: len(before)] != before or "".join(digits) != str(year):
        return None
    return Cut(tuple(pieces), digits)


def _century(tokenizer: Any, century: int) -> dict[int, Cut]:
    """The years of a century that are cut as most of them are: last two digits -> cut."""
    before = encode(tokenizer, _BEFORE)
    cuts = {year: _cut(tokenizer, century * 100 + year, before) for year in range(100)}
    layouts = Counter(cut.layout for cut in cuts.values() if cut)
    if not layouts:
        raise _uncut(tokenizer, century)
    usual = layouts.most_common(1)[0][0]
    return {year: cut for year, cut in cuts.items() if cut and cut.layout == usual}


def _tens_piece(layout: tuple[int, ...]) -> tuple[int, bool]:
    """The piece that holds a year's third digit, and whether it holds the fourth too."""
    ends = list(accumulate(layout))
    piece = next(index for index, end in enumerate(ends) if end >= 3)
    return piece, ends[piece] == 4


def _values(tokenizer: Any, century: int, cuts: dict[int, Cut], piece: int) -> dict[int, int]:
    """What the asked piece can be: its number -> its token."""
    values = {int(cut.digits[piece]): cut.ids[piece] for cut in cuts.values()}
    layout = next(iter(cuts.values())).layout
    # A well-known year can be a token of its own (" 1776"); its two digits are an answer like the others, and some
    # other century has them.
    if len(cuts) < 100 and layout[piece] <= 2:
        before = encode(tokenizer, _BEFORE)
        others = (_cut(tokenizer, year, before) for year in range(1000, 2100))
        values = {int(cut.digits[piece]): cut.ids[piece] for cut in others if cut and cut.layout == layout} | values
    return dict(sorted(values.items()))


def _corrupt(year: int, units: bool) -> int:
    return 1 if units else year % 10


def _has_both(year: int, units: bool) -> bool:
    """Whether there is a later and an earlier answer, and the year is not its own corruption."""
    return 2 <= year <= 98 if units else 10 <= year <= 89


def _uncut(tokenizer: Any, century: int) -> BadInput:
    example = split(tokenizer, encode(tokenizer, f"{_BEFORE} {century}32"))
    return BadInput(
        f"greater_than: the years of a century must be cut into the same pieces of digits; got {example}. "
        "Take another century or another model."
    )


TASK = Task(
    name="greater_than",
    title="Greater-than",
    source="Hanna et al. 2023, https://arxiv.org/abs/2305.00586",
    make=make,
)
