"""The channels page without its layout: the search for channels, the pair of heads that is chosen, and what is stored of both.

As on every page nothing here computes: jobs do, and `refresh` takes over how far they are.
"""

from collections.abc import Mapping
from typing import Any

import param

from workbench.errors import BadInput
from workbench.jobs import JOBS, LIVE, Job, Jobs
from workbench.result import Scores, canonical
from workbench.store import Store
from workbench.views.asking import ASKED
from workbench.views.code import code_of
from workbench.views.composed import Head, by_layer, cell_at, check, heads_of
from workbench.views.composed import between as between_heads
from workbench.views.expected import Expecting
from workbench.views.fields import method_fields
from workbench.views.pair import Known, Pair
from workbench.views.question import Question
from workbench.views.search import FROM_WEIGHTS, channel_of, effects_of, found, named, stored
from workbench.views.working import IDLE

SLOTS = ("q", "k", "v")


class Channels(Expecting):
    """State of the channels page."""

    slot = param.Selector(default="q", objects=list(SLOTS), doc="What later heads read through.")
    composed = param.Parameter(doc="Scores of all pairs of heads through the slot, or None.")
    layers = param.Parameter(doc="The largest of them by pair of layers, or None.")
    between = param.Parameter(default=None, doc="The writing and the reading layer that are looked at, or None.")
    channels = param.Parameter(doc="Scores over channel, or None.")
    reason = param.String(default="", doc="Why the channels are those of the weights alone, or ''.")

    def __init__(self, jobs: Jobs = JOBS, store: Store | None = None, **state: Any):
        super().__init__(**state)
        self.jobs, self.store = jobs, store or Store()
        self.pair = Pair(jobs, self.tell)
        self._was: tuple[str, ...] = ()
        self._set()
        self.param.watch(lambda *events: self._set(), [*ASKED, "slot"])
        self._expect(self.jobs, self.store, "slot", "channels")

    def unanswered(self) -> list[Question]:
        """What 'Find channels' would compute."""
        return [self.question()] if self.channels is None else []

    def question(self) -> Question:
        """What 'Find channels' would ask.

        Raises:
            BadInput: When a setting is out of its range.
        """
        return self.ask("channels", method_fields("channels"), {"slots": (self.slot,)}, "Find channels")

    @property
    def heads(self) -> int:
        """How many heads a layer has; 0 where that is not known."""
        if self.composed is not None:
            return heads_of(self.composed)
        if self.channels is not None and "direct" in self.channels.parts:
            return int(self.channels.parts["direct"].sizes["head"])
        return self.pair.known.heads

    @property
    def block(self) -> Scores | None:
        """The scores between the heads of the two layers that are looked at, or None."""
        if self.composed is None or self.between is None:
            return None
        return between_heads(self.composed, *self.between)

    def code(self, result: Scores) -> str:
        """Python that computes the layers' or the heads' scores again."""
        name, given = "by_layer", ""
        if result is not self.layers:
            name, given = "between", "".join(f", {at}" for at in self.between or ())
        return code_of(result, self.rows, f"from workbench.views.composed import {name}\n\nresult = {name}(result{given})\n")

    @property
    def live(self) -> bool:
        """Whether anything waits or runs, so that `refresh` has work."""
        return self._job is not None or self.pair.live or self.expected.live

    def _set(self) -> None:
        """Something else is asked about: show what is stored of it, and nothing of what was asked before."""
        try:
            asked = self.question()
        except BadInput:
            asked = None
        before, self._was = self._was, (canonical(self.placed), self.slot, asked.pairs_key if asked else "")
        if before == self._was:
            return
        same_model, same_heads = before[:1] == self._was[:1], before[:2] == self._was[:2]
        searched = self.composed is not None
        self._end()
        if not same_model:
            self.pair.choose(None, None)
            self.between = None
        self.pair.ask_about(asked, self.slot)
        composed = self.composed if same_heads else stored(self.store, asked, "composition", by="head", of="component")
        self._show(composed, stored(self.store, asked, "channels"), FROM_WEIGHTS if self.slot != "q" else "")
        if asked and same_model and asked.placed in self.jobs.models:
            self.pair.show()
            # Only another slot: prompts may be set in many steps.
            if searched and not same_heads and self.channels is None:
                self.find()

    def _end(self) -> None:
        if self._job is not None:
            self._job.leave()
        self._job = None
        self.param.update(status=IDLE, label="", progress=None, seconds_left=None)

    def _show(self, composed: Scores | None, channels: Scores | None, reason: str) -> None:
        layers = self.layers if composed is self.composed else composed and by_layer(composed)
        if composed is not None and composed is not self.composed:
            self._drop_missing(composed)
        self.param.update(composed=composed, layers=layers, channels=channels, reason=reason)

    def _drop_missing(self, composed: Scores) -> None:
        """Forget a pair, named before anything was known of the model, that it does not have."""
        if self.pair.writer is None or self.pair.reader is None:
            return
        try:
            check(composed, self.pair.writer, self.pair.reader)
        except BadInput as problem:
            self.between = None
            self.pair.choose(None, None)
            self.tell("error", str(problem))

    def find(self) -> None:
        """Search for channels; a BadInput becomes a notice."""
        try:
            asked = self.question()
        except BadInput as problem:
            self.tell("error", str(problem))
            return
        store = self.store

        def work(model: Any, job: Job) -> Any:
            return found(asked, model, job, store)

        self._begin(self.jobs, asked.placed, f"find {asked.key}", work, "Waiting for the model")
        self.pair.ask_about(asked, self.slot)
        self.status = "queued"
        self.refresh()

    def rejoin(self) -> None:
        """Go on with what is being computed already of just this question: its page was closed, or another asked for it."""
        try:
            asked = self.question()
        except BadInput:
            return
        if self.channels is None and self.jobs.running(f"find {asked.key}") is not None:
            self.find()

    def refresh(self) -> None:
        """Take over how far the jobs are; called from the page's own thread."""
        self.pair.refresh()
        self.expected.refresh()
        if self._job is None or self._job.version == self._seen:
            return
        job = self._job.state()
        self._seen = job.version
        self.param.update(status=job.status, label=job.label, progress=job.progress, seconds_left=job.seconds_left)
        channels = job.result if job.status == "done" else self.channels
        self._show(job.found.get("composed", self.composed), channels, job.found.get("reason", self.reason))
        if job.status not in LIVE:
            self._ended(job)

    def _ended(self, job: Any) -> None:
        self._job = None
        if job.status == "failed":
            self.tell("error", job.message)
        if job.status == "stopped":
            self.tell("info", "Stopped. What was finished is kept.")
        if job.status == "done":
            if self.reason and self.slot == "q":
                self.tell("warning", f"The task cannot be used, so channels are those of the weights alone. {self.reason}")
            if self.pair.writer is None:
                self.choose_row(0)
            else:
                self.pair.show()

    def click_layers(self, figure: Any, point: Mapping[str, Any]) -> None:
        """Look at the pair of layers of a clicked cell."""
        cell = cell_at(figure, point)
        if cell is not None:
            self.between = cell

    def click_heads(self, figure: Any, point: Mapping[str, Any]) -> None:
        """Choose the pair of heads of a clicked cell."""
        cell = cell_at(figure, point)
        if cell is not None and self.between is not None:
            self.choose((self.between[0], cell[0]), (self.between[1], cell[1]))

    def choose_row(self, index: int) -> None:
        """Choose the pair and the component of a row of the table."""
        if self.channels is not None and index < self.channels.values.size:
            writer, component, reader = channel_of(str(self.channels.values.channel.values[index]))
            self.choose(writer, reader, component)

    def choose_named(self, writer: str, reader: str) -> None:
        """Choose a pair by the names of its heads; a bad name becomes a notice."""
        if not writer.strip() or not reader.strip():
            return
        try:
            self.choose(*named(writer, reader))
        except BadInput as problem:
            self.tell("error", str(problem))

    def choose(self, writer: Head, reader: Head, component: int | None = None, show: bool = True) -> None:
        """Choose a pair of heads, and show what is known of it; not if that must not load the model.

        Raises:
            BadInput: When there is no such pair.
        """
        if reader[0] <= writer[0]:
            raise BadInput(
                f"the reader must be in a later layer than the writer; got {writer[0]}.{writer[1]} and {reader[0]}.{reader[1]}."
            )
        if self.composed is not None:
            check(self.composed, writer, reader)
        self.between = (writer[0], reader[0])
        self.pair.choose(writer, reader, component)
        known = effects_of(self.channels, writer, reader)
        if known is not None and self.pair.known.effects is None:
            self.pair.known = Known(effects=known)
        if show:
            self.pair.show()

    def choose_component(self, component: int) -> None:
        """Look at another component of the pair."""
        if component != self.pair.component:
            self.pair.component = component
            self.pair.show()
