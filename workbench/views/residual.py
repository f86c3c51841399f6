"""The page of the residual stream without its layout: what is read of it on one prompt, and the cell that is chosen.

Every panel has a question of its own and fills when its job ends. As on every page nothing here computes.
"""

from collections.abc import Mapping
from typing import Any

import param

from workbench.errors import BadInput
from workbench.jobs import JOBS, LIVE, Jobs
from workbench.result import Result, Scores
from workbench.store import Store
from workbench.views.asking import Asking
from workbench.views.attention import Attention
from workbench.views.fields import method_fields
from workbench.views.question import CUSTOM, Question, baseline_of
from workbench.views.residual_cells import Place, component_of, labels_of, place_at, sizes_of, text_of
from workbench.views.several import Several
from workbench.views.stored import answers
from workbench.views.working import SHARED

# The panels in the order in which they are asked.
PANELS = ("norms", "cosines", "lens", "components", "layers", "paths")
NORMS = ["stream", "attention", "MLP"]
COSINES = ["layer before", "last layer", "attention", "MLP"]
LENSES = {"tokens": None, "rank of answer": "answer_rank", "KL to output": "kl"}
# What each panel shows, by the parameter that says it.
SHARES = ("components", "layers")
WHICH = {"norms": "norm", "cosines": "cosine"}


class Residual(Asking):
    """State of the page of the residual stream."""

    prompt = param.Integer(default=0, bounds=(0, None), doc="Which pair, from 0.")
    of = param.Selector(default="clean", objects=["clean", "corrupt", "difference"])
    points = param.Selector(default="tokens", objects=["tokens", "ends"], doc="Whose paths are drawn.")
    norm = param.Selector(default="stream", objects=NORMS)
    cosine = param.Selector(default="layer before", objects=COSINES)
    lens = param.Selector(default="tokens", objects=list(LENSES))
    shares = param.Selector(default="prompt", objects=["prompt", "mean"], doc="Direct logits of this prompt, or the mean.")

    results = param.Dict(default={}, doc="What is known, by panel.")
    reasons = param.Dict(default={}, doc="Why there is nothing in a panel, by panel.")
    baseline = param.Parameter(doc="Scores of the baseline on the same prompts, or None.")
    prompts = param.List(default=[], doc="A label per prompt, as far as known.")
    layer = param.Integer(default=None, allow_None=True, bounds=(0, None), doc="The layer chosen.")
    pos = param.Integer(default=None, allow_None=True, bounds=(0, None), doc="The position chosen.")
    head = param.Parameter(default=None, doc="Layer and head whose attention is shown, or None.")

    def __init__(self, jobs: Jobs = JOBS, store: Store | None = None, **state: Any):
        super().__init__(**state)
        self.jobs, self.store = jobs, store or Store()
        self.attention = Attention(jobs)
        self._several = Several(jobs)
        self._asked: dict[str, Question] = {}
        # Once shown, another prompt of the same model is shown too.
        self._shown = False
        # How the jobs since Show have ended.
        self._ends: set[str] = set()
        self._set()
        self.param.watch(
            lambda *_: self._set(), ["model", "dtype", "device", "task", "options", "rows", "prompt", "of", "points"]
        )

    @property
    def live(self) -> bool:
        """Whether anything waits or runs, so that `refresh` has work."""
        return bool(self._several) or self.attention.live

    def waits(self, panel: str) -> bool:
        """Whether the job of a panel waits or runs."""
        return panel in self._several

    def questions(self) -> dict[str, Question]:
        """What each panel asks; panels that do not apply are left out, see `unasked`.

        Raises:
            BadInput: When a setting is out of its range.
        """
        here = {"prompt": self.prompt, "of": self.of}
        paths = {"points": self.points, "of": self.of} | ({"prompt": self.prompt} if self.points == "tokens" else {})
        asked = {
            "norms": ("stream", {"measure": "norm"} | here), "cosines": ("stream", {"measure": "cosine"} | here),
            "lens": ("lens", here), "components": ("dla", {"by": "component", "of": self.of}),
            "layers": ("dla", {"by": "layer", "of": self.of}), "paths": ("trajectories", paths),
        }  # fmt: skip
        applying = {panel: one for panel, one in asked.items() if panel not in self.unasked}
        return {panel: self.ask(one, method_fields(one), values, "Show") for panel, (one, values) in applying.items()}

    @property
    def unasked(self) -> dict[str, str]:
        """Why some panels do not apply to what is set."""
        if self.of != "difference":
            return {}
        return {
            "lens": "The lens reads the stream of one prompt, not a difference of two: choose clean or corrupt.",
            "paths": "Paths are those of one prompt's stream, not of a difference of two: choose clean or corrupt.",
        }

    def _set(self) -> None:
        """Something else is asked about: show what is stored of it, and nothing of what was asked before."""
        try:
            asked = self.questions()
        except BadInput:
            asked = {}
        before, self._asked = self._asked, asked
        new = {panel: one for panel, one in asked.items() if panel not in before or before[panel].key != one.key}
        gone = [panel for panel in PANELS if panel not in asked or panel in new]
        self._several.drop(gone)
        self._follow_prompts(before, asked)
        kept = {panel: one for panel, one in self.results.items() if panel not in gone}
        reasons = {panel: why for panel, why in self.reasons.items() if panel not in gone} | self.unasked
        self.param.update(**self._several.progress(), reasons=reasons)
        self._take(kept | answers(self.store, new))
        if self._shown and self.placed in self.jobs.models:
            self.show()

    def _follow_prompts(self, before: Mapping[str, Question], asked: Mapping[str, Question]) -> None:
        """What belongs to prompts that are others now goes."""
        one, other = next(iter(before.values()), None), next(iter(asked.values()), None)
        if one is None or other is None or one.placed != other.placed:
            self._shown = False
            self.head = None
        if one is None or other is None or one.pairs_key != other.pairs_key:
            self.param.update(prompts=[], baseline=None)
        self.attention.ask_about(other, self.count)
        if self.head is not None and self.placed in self.jobs.models:
            self.look()

    @property
    def count(self) -> int:
        """How many prompts there are, as far as known."""
        # Of the user's own rows only the job knows how many can be read.
        return len(self.prompts) or (self.prompt + 1 if self.task == CUSTOM else int(self.options.get("n", 1)))

    def show(self) -> None:
        """Ask for all panels that are not known; a BadInput becomes a notice."""
        try:
            asked = self.questions()
        except BadInput as problem:
            self.tell("error", str(problem))
            return
        self._shown = True
        self._ends = set() if not self._several else self._ends
        store = self.store
        missing = {panel: one for panel, one in asked.items() if panel not in self.results and panel not in self._several}
        self.reasons = {panel: why for panel, why in self.reasons.items() if panel not in missing}
        for panel, one in missing.items():
            self._several.ask(panel, one.placed, f"run {one.key}", lambda model, job, one=one: one.answer(model, job, store))
        if not self._several:
            self.status = "done"
        self.refresh()

    def stop(self) -> None:
        """Stop the jobs; what they finished is kept. Those that others wait for go on, without this page."""
        if self._several.stop():
            self.label = "Stopping …"
            return
        self.param.update(**self._several.progress("stopped"))
        self.tell("info", SHARED)

    def refresh(self) -> None:
        """Take over how far the jobs are; called from the page's own thread."""
        self.attention.refresh()
        if not self._several:
            return
        states = self._several.states()
        for state in states.values():
            self._hear(state.found)
        ended = {panel: state for panel, state in states.items() if state.status not in LIVE}
        done = {panel: state.result for panel, state in ended.items() if state.status == "done"}
        failed = {panel: state.message for panel, state in ended.items() if state.status == "failed"}
        stopped = [panel for panel, state in ended.items() if state.status == "stopped"]
        if ended:
            self.reasons = {**self.reasons, **failed, **dict.fromkeys(stopped, "Stopped. Show goes on from there.")}
            self._take(self.results | done)
        self._ends |= {state.status for state in ended.values()}
        last = next((status for status in ("failed", "stopped", "done") if status in self._ends), self.status)
        self.param.update(**self._several.progress(last))
        for message in dict.fromkeys(failed.values()):
            self.tell("error", message)

    def _hear(self, found: Mapping[str, Any]) -> None:
        """Take over what a job told on its way."""
        if "pairs" in found:
            self.attention.name_prompts(found["pairs"])
            if self.attention.prompts != self.prompts:
                self.prompts = list(self.attention.prompts)
        if "baseline" in found and self.baseline is None:
            self.baseline = found["baseline"]

    def _take(self, results: Mapping[str, Result]) -> None:
        """Show what is known; a cell that it does not have is let go."""
        rows, columns = sizes_of(results)
        if rows and self.layer is not None and self.layer >= rows:
            self.param.update(layer=None, pos=None)
        if columns and self.pos is not None and self.pos >= columns:
            self.pos = None
        if self.baseline is None and results:
            self.baseline = baseline_of(next(iter(results.values())), self.store)
        self.results = dict(results)

    def panel(self, name: str) -> Result | None:
        """What a panel shows: its result, or that part of it which is chosen."""
        found = self.results.get(name)
        if name in SHARES and self.shares == "prompt" and found is not None:
            prompt = min(self.prompt, found.values.sizes["prompt"] - 1)
            return found.replace(
                title=f"{found.title}, prompt {prompt + 1}", values=found.values.isel(prompt=prompt, drop=True)
            )
        if found is None or name not in WHICH:
            return found
        part = getattr(self, WHICH[name])
        values = found.values.sel(part=part, drop=True)
        return found.replace(title=f"{found.title}, {part}", values=values)

    @property
    def tokens(self) -> list[str]:
        """The tokens of the prompt, as far as known."""
        return labels_of(self.results)

    @property
    def labels(self) -> list[str]:
        """A label per prompt; where only stored results are shown, their own prompt is the only one that is known."""
        labels = self.prompts or [f"prompt {index + 1}" for index in range(max(self.count, self.prompt + 1))]
        words = "" if self.prompts or self.of == "difference" else text_of(self.results)
        return [f"{index + 1}: {words}" if words and index == self.prompt else one for index, one in enumerate(labels)]

    @property
    def total(self) -> float | None:
        """The sum of all shares of the logit difference, of what is shown; None where unknown."""
        found = self.results.get("components")
        if not isinstance(found, Scores):
            return None
        each = found.values.sum("component")
        return float(each.mean() if self.shares == "mean" else each.isel(prompt=min(self.prompt, each.size - 1)))

    def click(self, panel: str, figure: Any, point: Mapping[str, Any]) -> None:
        """Choose what was clicked in the figure of a panel: a cell, a layer, another prompt's path, or a head."""
        if panel == "components":
            place = component_of(figure, point, self.results.get("components"))
            if place is not None and place.head is not None:
                self.open((place.layer, place.head))
        else:
            place = place_at(figure, point)
        if place is None:
            return
        if place.prompt is not None:
            self.prompt = place.prompt
        self.choose(place.layer, place.pos if place.pos is not None else self.pos)

    def choose(self, layer: int, pos: int | None) -> None:
        """Choose a layer, and a position where one is given."""
        self.param.update(layer=layer, pos=pos)

    def move(self, up: int, right: int) -> None:
        """Move the chosen cell; it stays within what is shown."""
        rows, columns = sizes_of(self.results)
        if self.layer is None or not rows:
            return
        pos = self.pos
        if columns and (pos is not None or right):
            pos = min(max((pos if pos is not None else columns - 1) + right, 0), columns - 1)
        self.choose(min(max(self.layer + up, 0), rows - 1), pos)

    def release(self) -> None:
        """Choose no cell, and no head."""
        self.param.update(layer=None, pos=None, head=None)

    @property
    def cell(self) -> Place | None:
        """The cell chosen."""
        return None if self.layer is None else Place(self.layer, self.pos)

    def open(self, head: tuple[int, int]) -> None:
        """Show where a head looks on the prompt."""
        self.head = head
        self.look()

    def look(self) -> None:
        """Show where the head chosen looks; of a difference, on the clean prompt."""
        if self.head is not None:
            self.attention.param.update(prompt=self.prompt, of="clean" if self.of == "difference" else self.of)
            self.attention.look(*self.head)
