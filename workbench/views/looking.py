"""What the page of attention shows of one prompt: all heads in a byte per cell, made in a worker's thread."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from workbench.errors import BadInput
from workbench.jobs import Job, limits
from workbench.result import Origin, Scores
from workbench.store import Store
from workbench.views.code import by_parts
from workbench.views.files import Unkept
from workbench.views.question import Question
from workbench.widgets.attention_grid import here_columns, packed
from workbench.widgets.thumbnails import Packing, Thumbnails

# Longer prompts are refused: a layer's attention is kept whole while it is read.
LONGEST = 2048
# Numbers of a result that is kept, and stored, whole.
KEPT = 4_000_000
TOO_MANY = "unavailable: too many numbers to keep whole: lock a head and save that"


@dataclass(frozen=True, eq=False)
class Grid:
    """All heads on one prompt.

    Attributes:
        thumbnails: Their numbers.
        words: The prompt's tokens as text.
        unit: Of the numbers.
        columns: Where each looks on this prompt, as the grid's script takes it.
        origin: Of the result of `attention` that holds the same in full precision.
        whole: That result, where the prompt is short enough to keep it; else None.
    """

    thumbnails: Thumbnails
    words: list[str]
    unit: str
    columns: list[dict[str, Any]]
    origin: Origin
    whole: Scores | None = None

    @cached_property
    def shown(self) -> Scores | Unkept:
        """What its menu is of: the whole result, or what is known of it where it is not kept."""
        from workbench.methods.attention import titled

        if self.whole is not None:
            return self.whole
        made = self.thumbnails
        sizes = {"layer": made.layers, "head": made.heads, "query": made.tokens, "key": made.tokens}
        return Unkept(titled(None, None, ""), self.unit, sizes, self.origin, TOO_MANY)

    def code(self, rows: str = "") -> str:
        """Its code where one call would refuse so many numbers: by layer, or by head; '' where its origin says all.

        Args:
            rows: The user's own pairs as text.
        """
        from workbench.methods.attention import MOST

        made = self.thumbnails
        layer = made.heads * made.tokens**2
        if made.layers * layer <= MOST:
            return ""
        parts = {"layer": made.layers} | ({} if layer <= MOST else {"head": made.heads})
        return by_parts(self.origin, parts, rows)


def grid_of(whole: Scores) -> Grid:
    """The grid of a result of `attention`."""
    from workbench.detectors.looking import HERE

    assert whole.origin is not None
    columns = here_columns({name: part.values for name, part in whole.parts.items()}, HERE)
    return Grid(packed(whole), whole.values["query"].values.tolist(), whole.unit, columns, whole.origin, whole)


def grid(model: Any, asked: Question, job: Job, store: Store) -> Grid:
    """All heads on the prompt that is asked about; the pairs are told as soon as they are made.

    Of a short prompt the whole result is computed, or found in the store, and kept.

    Raises:
        BadInput: When the prompt is too long, or the model's attention cannot be read.
    """
    from workbench.detectors.looking import HERE, here, looking
    from workbench.methods import METHODS
    from workbench.methods.attention import chosen

    pairs = asked.pairs(model) if asked.task else None
    job.tell(pairs=pairs)
    params = METHODS["attention"].bind(**asked.params)
    tokens, words = chosen(model, pairs, *(params[name] for name in ("text", "prompt", "of")))
    if len(tokens) > LONGEST:
        raise BadInput(f"the prompt must have at most {LONGEST} tokens to be shown; got {len(tokens)}. Use a piece of it.")
    limits().check("tokens", len(tokens))
    if model.cfg.n_layers * model.cfg.n_heads * len(tokens) ** 2 <= KEPT:
        return grid_of(store.compute(METHODS["attention"], model, pairs, **asked.params))
    packing = Packing(model.cfg.n_layers, model.cfg.n_heads, len(tokens))
    parts: dict[str, list[np.ndarray]] = {name: [] for name in HERE}

    def see(layer: int, pattern: Any, shown: Any) -> None:
        packing.add(shown.cpu().numpy())
        for name, numbers in here(tokens, pattern).items():
            parts[name].append(numbers.double().cpu().numpy())

    looking(model, tokens, see, params["weighted"])
    columns = here_columns({name: np.stack(numbers) for name, numbers in parts.items()}, HERE)
    unit = "norm" if params["weighted"] else "share of attention"
    return Grid(packing.done(), words, unit, columns, METHODS["attention"].origin(model, pairs, **asked.params))


def one_head(model: Any, asked: Question, head: tuple[int, int]) -> Scores:
    """The Scores of one head on the prompt that is asked about, over (query, key)."""
    from workbench.methods import METHODS

    pairs = asked.pairs(model) if asked.task else None
    return METHODS["attention"](model, pairs, **asked.params, layer=head[0], head=head[1])


def head_of(whole: Scores, head: tuple[int, int]) -> Scores:
    """The same of one head, from the result of all of them."""
    from workbench.methods.attention import titled

    assert whole.origin is not None
    asked = whole.origin.params
    at = {"layer": head[0], "head": head[1]}
    return whole.replace(
        title=titled(*head, "" if asked["text"] else f"{asked['of']} prompt {asked['prompt'] + 1}"),
        values=whole.values.isel(at, drop=True),
        parts={name: part.isel(at, drop=True) for name, part in whole.parts.items()},
        origin=replace(whole.origin, params={**asked, **at}),
    )


def largest(values: np.ndarray, top: int) -> list[tuple[int, int, float]]:
    """The largest numbers of a head, the largest first, as query, key and number; none that is 0."""
    order = np.argsort(-values, axis=None, kind="stable")[:top]
    found = [(*divmod(int(place), values.shape[1]), float(values.flat[place])) for place in order]
    return [one for one in found if one[2] > 0]


def stored_columns(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The columns of a stored table of heads, with what is stored beside it; none where no table is."""
    from workbench.views.heads_table import HeadsTable
    from workbench.widgets.attention_grid import column

    if "heads" not in results:
        return []
    table = HeadsTable(results["heads"], {method: one for method, one in results.items() if method != "heads"})
    return [column(one.name, one.label, one.unit, one.values) for one in table.columns.values()]
