"""What the page of pairs asks a model and its tokenizer for, in a worker's thread."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.jobs import Job, limits
from workbench.result import Scores
from workbench.store import Store
from workbench.views.question import Question


@dataclass(frozen=True, eq=False)
class Reader:
    """A model's tokenizer, one of its own, and how many tokens the model, or this server, reads at most."""

    tokenizer: Any
    longest: int | None


def reader_of(model: Any) -> Reader:
    """The reader of a model."""
    from workbench.tasks.words import tokenizer_of

    most = [size for size in (getattr(model.cfg, "n_ctx", None), limits().tokens) if size]
    # A copy: tokenising must not wait for the model's queue, and one tokenizer in two threads at once is not safe.
    return Reader(copy.deepcopy(tokenizer_of(model)), int(min(most)) if most else None)


def laid(reader: Reader, rows: Sequence[Mapping[str, str]], options: Mapping[str, Any], job: Job) -> list[Any]:
    """The Alignment of each row."""
    from workbench.progress import track
    from workbench.tasks.alignment import align

    many = track(rows, "Reading pairs") if len(rows) > 20 else rows
    return [align(reader.tokenizer, dict(row), longest=reader.longest, **options) for row in many]


def made(model: Any, asked: Question) -> tuple[list[Mapping[str, Any]], list[Any], int]:
    """The rows of a task's pairs, the Alignment of each, and how many would read otherwise when typed."""
    from workbench.tasks.alignment import alignment_of
    from workbench.tasks.custom import rows_of
    from workbench.tasks.words import tokenizer_of

    tokenizer = tokenizer_of(model)
    pairs = asked.pairs(model)
    rows = rows_of(tokenizer, pairs)
    layouts = [alignment_of(tokenizer, pairs, index) for index in range(len(pairs))]
    return rows, layouts, sum(not _same(tokenizer, pairs, index, row) for index, row in enumerate(rows))


def _same(tokenizer: Any, pairs: Any, index: int, row: Mapping[str, Any]) -> bool:
    from workbench.pairs import encode

    length = int(pairs.lengths[index])
    return all(
        encode(tokenizer, row[side]) == ids[index, :length].tolist()
        for side, ids in (("clean", pairs.clean), ("corrupt", pairs.corrupt))
    )


def measured(model: Any, asked: Question, store: Store, job: Job) -> Scores:
    """The baseline of what is asked, with ranks and probabilities."""
    from workbench.methods import METHODS

    pairs = asked.pairs(model)
    job.say("Reading the baseline")
    found = store.compute(METHODS["baseline"], model, pairs)
    # Results of earlier versions hold neither.
    return found if "rank" in found.parts else store.compute(METHODS["baseline"], model, pairs, again=True)
