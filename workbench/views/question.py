"""A question to a model: which task, which method, with what; how it is answered in a worker's thread, and its key."""

import hashlib
import os
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from workbench.errors import BadInput, whole_numbers
from workbench.forecasts import remember
from workbench.jobs import Job, Placed, limits
from workbench.jobs.placed import DTYPE
from workbench.result import Origin, Result, Scores, canonical
from workbench.store import Store
from workbench.store.asked import note, noted
from workbench.store.texts import keep_text, kept_text
from workbench.views.fields import task_fields
from workbench.views.opened import opened

CUSTOM = "custom"
MOST_ROWS_TEXT = 1_000_000


@dataclass(frozen=True)
class Question:
    """What is asked; the same question has the same Origin and so the same result.

    Attributes:
        model: Ref of the model.
        task: Id of the task, 'custom', or '' for what needs no prompts.
        method: Id of the method.
        options: The task's options that are not its defaults.
        params: The method's parameters that are not its defaults.
        rows: The user's own pairs as text, for 'custom'.
        dtype: Dtype of the weights, '' for the default.
        device: Where the model is, '' for the default.
        expected: Hash of the pairs, where it is known: the user's own of a stored result must be those in the form.
    """

    model: str
    task: str
    method: str
    options: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    rows: str = ""
    dtype: str = ""
    device: str = ""
    expected: str = field(default="", compare=False)

    @classmethod
    def of(cls, origin: Origin, rows: str = "") -> "Question":
        """The question that a stored result answers."""
        return cls(
            origin.model,
            origin.task,
            origin.method,
            dict(origin.task_params),
            dict(origin.params),
            rows,
            "" if origin.dtype == DTYPE else origin.dtype,
            expected=origin.pairs,
        )

    @property
    def placed(self) -> Placed:
        """The model with its dtype and device."""
        return Placed(self.model, self.dtype, self.device)

    @property
    def key(self) -> str:
        """Equal for equal questions."""
        return hashlib.sha256(canonical([self.pairs_key, self.method, dict(self.params)]).encode()).hexdigest()[:16]

    @property
    def pairs_key(self) -> str:
        """Equal for equal prompts of one model, whether or not defaults are said."""
        return canonical([self.model, self.task, _unusual(self.task, self.options), self.rows, self.dtype, self.device])

    def same_prompts(self, other: "Question | None") -> bool:
        """Whether another asks about the same prompts of the same model; of the user's own, those of the same stored result."""
        same = other is not None and self.pairs_key == other.pairs_key
        return same and (self.task != CUSTOM or self.expected == other.expected)

    def pairs(self, model: Any) -> Any:
        """The Pairs that are asked about.

        Raises:
            BadInput: When the task cannot be made for the model, the user's rows cannot be read, or the server allows less.
        """
        made = self._made(model)
        limits().check("pairs", len(made))
        limits().check("tokens", int(made.lengths.max()))
        if self.task == CUSTOM and self.expected and made.digest() != self.expected:
            raise BadInput(
                "your pairs must be those that the result shown was computed on; got others. Paste those, or press Run."
            )
        return made

    def _made(self, model: Any) -> Any:
        from workbench.tasks import TASKS, custom

        if self.task != CUSTOM:
            return TASKS[self.task](model, **self.options)
        if not self.rows.strip():
            raise BadInput("custom: your own pairs must be given; got none. Paste them under 'Your pairs', then press Run.")
        options = {name: value for name, value in self.options.items() if name in task_fields(CUSTOM)}
        # Rows are read from files, so that what is pasted meets the same checks as what the command line is given.
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, f"your pairs.{shape_of(self.rows)}")
            with open(path, "w", encoding="utf-8", newline="") as file:
                file.write(self.rows)
            return custom(model, path, **options)

    def answer(self, model: Any, job: Job, store: Store) -> Result:
        """The result, from the store or computed now; pairs and baseline are told as soon as they are known.

        With no task it is one of the model alone.
        """
        from workbench.methods import METHODS

        pairs = self.pairs(model) if self.task else None
        self.check(model)
        self.check_cells(model, pairs)
        if pairs is None:
            job.say(METHODS[self.method].title)
            return self._computed(model, None, store)
        job.tell(pairs=pairs, origin=METHODS[self.method].origin(model, pairs, **self.params))
        job.check()
        job.say("Reading the baseline")
        metric = {"metric": self.params["metric"]} if "metric" in self.params else {}
        job.tell(baseline=store.compute(METHODS["baseline"], model, pairs, **metric))
        job.check()
        job.say(METHODS[self.method].title)
        return self._computed(model, pairs, store)

    def check(self, model: Any) -> None:
        """Raise BadInput where the sequences that the method makes itself are longer, or more, than the server allows.

        Only those that are asked for: a method's own defaults are always allowed.
        """
        from workbench.methods import METHODS
        from workbench.pairs import encode
        from workbench.tasks.words import tokenizer_of

        asked = METHODS[self.method].bind(**self.params)
        for name in ("examples", "prompts", "needles"):
            if name in self.params:
                limits().check("pairs", int(asked[name]))
        if {"length", "copies"} & set(self.params):
            limits().check("tokens", int(asked["length"]) * int(asked.get("copies", 1)))
        if "lengths" in self.params:
            limits().check("tokens", max(whole_numbers("lengths", asked["lengths"], 0, 10**9)))
        if limits().tokens is not None and self.params.get("text"):
            limits().check("tokens", len(encode(tokenizer_of(model), str(asked["text"]))))

    def check_cells(self, model: Any, pairs: Any) -> None:
        """Raise BadInput where more is patched than the server allows."""
        from workbench.plans import planned

        if limits().cells is not None:
            limits().check("cells", planned(model, pairs, self.method, self.params).cells or 0)

    def _computed(self, model: Any, pairs: Any, store: Store) -> Result:
        """The result, and a note for later forecasts of how long it took."""
        from workbench.methods import METHODS

        origin = METHODS[self.method].origin(model, pairs, **self.params)
        new = origin.key not in store
        # Before it is computed: after a kill it tells, without the model, what was begun.
        note(store.folder, self.key, origin.key)
        start = time.monotonic()
        found = store.compute(METHODS[self.method], model, pairs, **self.params)
        if self.task == CUSTOM:
            keep_rows(store, origin, self.rows)
        if new:
            remember(store.folder, model, pairs, self.method, self.params, time.monotonic() - start)
        return found


def keep_rows(store: Store, origin: Origin, rows: str) -> None:
    """Keep the user's own pairs, of which a result has only a hash, so that it reopens with them."""
    with suppress(BadInput):
        note(store.folder, _rows_of(origin), keep_text(store.folder, rows))


def kept_rows(store: Store, origin: Origin) -> str:
    """The user's own pairs that a result was computed on; '' where they are not kept."""
    key = noted(store.folder, _rows_of(origin)) if origin.task == CUSTOM else ""
    with suppress(BadInput):
        return kept_text(store.folder, key) if key else ""
    return ""


def _rows_of(origin: Origin) -> str:
    given = {name: origin.task_params.get(name) for name in ("first_token", "add_space")}
    return hashlib.sha256(canonical(["rows", origin.model, origin.pairs, given]).encode()).hexdigest()[:16]


def _unusual(task: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a task that are not its defaults: a stored result names them all."""
    from workbench.tasks import TASKS

    if task == CUSTOM:
        # A stored result also counts the rows.
        usual = {name: field.default for name, field in task_fields(CUSTOM).items()}
        return {name: value for name, value in options.items() if name in usual and value != usual[name]}
    usual = {name: option.default for name, option in TASKS[task].options.items()} if task in TASKS else {}
    return {name: value for name, value in options.items() if name not in usual or value != usual[name]}


def shape_of(rows: str) -> str:
    """Which of 'json', 'jsonl' and 'csv' the text looks like.

    Raises:
        BadInput: When it is too long.
    """
    if len(rows) > MOST_ROWS_TEXT:
        raise BadInput(f"custom: your pairs must have at most {MOST_ROWS_TEXT} characters; got {len(rows)}. Give fewer rows.")
    start = rows.lstrip()[:1]
    return {"[": "json", "{": "jsonl"}.get(start, "csv")


def baseline_of(result: Result, store: Store) -> Scores | None:
    """The stored baseline on the prompts of a stored result, if there is one."""
    if result.origin is None:
        return None
    metric = result.origin.params.get("metric", "logit_diff")
    key = replace(result.origin, method="baseline", params={"metric": metric}).key
    return opened(store, key) if key in store else None
