"""The page of maps without its layout: exact, attribution and relevance maps of the same cells, and how far they agree.

The two estimates are asked first; the cells of the exact map are shown as they are computed. As on every page nothing here
computes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import param

from workbench.jobs import Job
from workbench.result import Result, Scores
from workbench.views.asking import kept
from workbench.views.cells import Cell, group_of
from workbench.views.code import together
from workbench.views.fields import Field, method_fields
from workbench.views.maps_cells import cell_of, label_of, largest_heads, place_of, shown, size, values_at
from workbench.views.maps_kinds import KINDS
from workbench.views.panels import Panels
from workbench.views.question import Question
from workbench.views.several import Several
from workbench.views.working import stamped

# Estimates first: they are there in a moment.
METHODS = ("atp", "relp", "patch")
PAIRS = (("patch", "atp"), ("patch", "relp"), ("atp", "relp"))


class Maps(Panels):
    """State of the page of maps: a panel for each method."""

    panels = METHODS
    asked_by = ("kind", "params", "exact")
    button = "Compute"

    kind = param.Selector(default="heads", objects=list(KINDS), doc="Which cells.")
    params = param.Dict(default={}, doc="What the three methods share, by name.")
    exact = param.Boolean(default=True, doc="Whether the exact map is computed too: a run per cell.")
    prompt = param.Integer(default=None, allow_None=True, bounds=(0, None), doc="The pair shown; None for the mean of all.")
    pair = param.Integer(default=0, bounds=(0, len(PAIRS) - 1), doc="Which two maps are held against each other.")

    partial = param.Parameter(doc="The exact map as far as it is computed, or None.")
    agreements = param.Dict(default={}, doc="The agreement of two maps, by their methods.")
    cell = param.Parameter(default=None, doc="The Cell that is locked, or None.")

    def _ready(self) -> None:
        self.params = kept(self.params, self.method_fields)
        self._agreeing = Several(self.jobs)
        self._last_partial: Result | None = None

    @property
    def method_fields(self) -> dict[str, Field]:
        """The fields that the three methods share, less what the kind of cells says."""
        every = [method_fields(method) for method in METHODS]
        shared = [name for name in every[-1] if all(name in fields for fields in every) and name not in ("sites", "by")]
        return {name: every[-1][name] for name in shared}

    @property
    def live(self) -> bool:
        """Whether anything waits or runs, so that `refresh` has work."""
        return super().live or bool(self._agreeing)

    def questions(self) -> dict[str, Question]:
        """What each method is asked."""
        kind = KINDS[self.kind]
        values = {**self.params, "sites": kind.site, "by": kind.by}
        asked = METHODS if self.exact else METHODS[:-1]
        return {method: self.ask(method, method_fields(method), values, "Compute") for method in asked}

    def _follow(self, before: Question | None, asked: Question | None) -> None:
        """The cell goes with its kind, the prompt with its prompts."""
        super()._follow(before, asked)
        if before is None or asked is None or before.pairs_key != asked.pairs_key:
            self.prompt = None
        same = before is not None and asked is not None and before.placed == asked.placed
        if not same or any(before.params.get(name) != asked.params.get(name) for name in ("sites", "by")):
            self.release()

    def _forget(self, panels: Sequence[str]) -> None:
        self._agreeing.drop([_name(pair) for pair in PAIRS if set(pair) & set(panels)])
        self.agreements = {pair: one for pair, one in self.agreements.items() if not set(pair) & set(panels)}
        if "patch" in panels:
            self.partial = None

    def refresh(self) -> None:
        """Take over how far the jobs are; called from the page's own thread."""
        self._hear_agreements()
        super().refresh()

    def _hear(self, panel: str, state: Any) -> None:
        super()._hear(panel, state)
        if panel == "patch" and state.partial is not None and state.partial is not self._last_partial:
            self._last_partial = state.partial
            self.partial = stamped(state.partial, state.found.get("origin"))

    def _take(self, results: Mapping[str, Result]) -> None:
        """Show what is known whole, and ask how far it agrees."""
        super()._take(results)
        if "patch" in results:
            self.partial = None
        if self.cell is not None and results and place_of(self.any, self.top_heads, self.cell) is None:
            self.release()
        for pair in PAIRS:
            if set(pair) <= set(results) and pair not in self.agreements and _name(pair) not in self._agreeing:
                self._agree(_name(pair), *(results[method] for method in pair))

    def _agree(self, name: str, first: Scores, second: Scores) -> None:
        store = self.store

        def work(model: Any, job: Job) -> Scores:
            from workbench.methods import agreement

            job.say("Agreement")
            made = agreement(first, second)
            store.put(made)
            return made

        self._agreeing.ask(name, None, f"agreement {_key(first)} {_key(second)}", work)

    def _hear_agreements(self) -> None:
        states = self._agreeing.states() if self._agreeing else {}
        found = {tuple(name.split("-")): state.result for name, state in states.items() if state.status == "done"}
        if found:
            self.agreements = {**self.agreements, **found}
        for state in states.values():
            if state.status == "failed":
                self.tell("error", state.message)

    def scores(self, method: str) -> Scores | None:
        """The map of a method, whole or as far as it is computed; None where there is none."""
        return self.results.get(method) or (self.partial if method == "patch" else None)

    @property
    def agreement_code(self) -> str:
        """Python that computes the agreement shown again; '' where there is none."""
        first, second = (self.results.get(method) for method in PAIRS[self.pair])
        if first is None or second is None:
            return ""
        lines = "result = workbench.agreement(first, result)\n"
        return together([("first", first), ("result", second)], lines, self.rows)

    @property
    def any(self) -> Scores | None:
        """One of the maps, to know its cells by."""
        return next((found for method in METHODS if (found := self.scores(method)) is not None), None)

    @property
    def top_heads(self) -> list[tuple[int, int]]:
        """The heads that are rows of a map by position: the largest of the first map there is; none of other maps."""
        return largest_heads(self.any) if self.any is not None else []

    @property
    def heads(self) -> int:
        """How many heads a layer has; 0 where that is not known, or cells are key-value heads, which several may share."""
        made = self.any
        if made is None or "head" not in made.values.dims or group_of(made, Cell(0, 0, site=KINDS[self.kind].site)):
            return 0
        return int(made.values.sizes["head"])

    def map(self, method: str) -> Scores | None:
        """What is drawn of a method's map: the mean or one prompt, with heads as rows where it is by position."""
        found = self.scores(method)
        return None if found is None else shown(found, self.prompt, self.top_heads)

    @property
    def limit(self) -> float | None:
        """Where the colours of all maps end: at the largest number of any; None where there is none."""
        return max((size(made) for method in METHODS if (made := self.map(method)) is not None), default=0.0) or None

    def click(self, figure: Any, point: Mapping[str, Any]) -> None:
        """Lock the cell of a clicked point, in all maps."""
        cell = None if self.any is None else cell_of(self.any, self.top_heads, figure, point)
        if cell is not None:
            self.lock(cell)

    def lock(self, cell: Cell) -> None:
        """Lock a cell, and show where its head looks if it has one."""
        # Of keys and values heads share one, and the site tells so.
        self.cell = cell._replace(site=KINDS[self.kind].site)
        self.look()

    def look(self) -> None:
        """Show where the head of the locked cell looks, on the prompt shown."""
        cell = self.cell
        if cell is None or cell.head is None:
            self.attention.hide()
            return
        group = group_of(self.any, cell) if self.any is not None else None
        self.attention.prompt = self.prompt or 0
        self.attention.look(cell.layer, None if group else cell.head, group, load=self.placed in self.jobs.models)

    def show_prompt(self, prompt: int | None) -> None:
        """Show the maps of one prompt, or the mean over all."""
        self.prompt = prompt
        if self.cell is not None:
            self.look()

    def move(self, up: int, right: int) -> None:
        """Move the locked cell; it stays within the maps."""
        made = self.map(next((method for method in METHODS if self.scores(method) is not None), ""))
        place = None if self.cell is None or made is None else place_of(self.any, self.top_heads, self.cell)
        if place is None or made is None:
            return
        rows, columns = made.values.shape
        # Layers are drawn upwards, heads downwards.
        step = up if made.values.dims[0] == "layer" else -up
        row = min(max(place[0] + step, 0), rows - 1)
        column = min(max(place[1] + right, 0), columns - 1)
        self.lock(label_of(self.any, self.top_heads, row, column))

    def release(self) -> None:
        """Lock no cell."""
        self.cell = None
        self.attention.hide()

    @property
    def frame(self) -> dict[str, int]:
        """The locked cell by the indices of the figures' rows and columns; none where no cell is locked."""
        place = None if self.cell is None or self.any is None else place_of(self.any, self.top_heads, self.cell)
        made = None if place is None else shown(self.any, self.prompt, self.top_heads)
        return {} if made is None or place is None else dict(zip(map(str, made.values.dims), place, strict=True))

    def numbers(self) -> dict[str, tuple[float, float]]:
        """The number of each map at the locked cell and its standard error, NaN where it is not computed; by method."""
        if self.cell is None:
            return {}
        found = {method: self.scores(method) for method in METHODS}
        return {method: values_at(one, self.cell, self.prompt) for method, one in found.items() if one is not None}


def _name(pair: Sequence[str]) -> str:
    return "-".join(pair)


def _key(scores: Scores) -> str:
    return scores.origin.key if scores.origin is not None else str(id(scores))
