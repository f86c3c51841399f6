"""Nodes and edges of the circuit shown, replaced by hand: which and by what, the job that measures it, what it changed."""

from typing import Any

import param

from workbench.errors import BadInput, one_of, within
from workbench.graph import Graph, graph_from
from workbench.jobs import LIVE, Job, Jobs
from workbench.result import Circuit, Scores, canonical
from workbench.store import Store
from workbench.views.answering import BYS, Answer, Replaced, answered, recorded_runs
from workbench.views.code import code_of
from workbench.views.latest import Latest
from workbench.views.question import CUSTOM, Question

MOST = 40


class Live(param.Parameterized):
    """The interventions on the circuit shown. Nothing here computes."""

    place = param.String(default="", doc="The node or edge looked at, '' for none.")
    replaced = param.List(default=[], doc="What is Replaced, in the order it was asked.")
    answer = param.Parameter(doc="The Answer to what is replaced, or None.")
    status = param.String(default="", doc="What is going on, or why there is no answer.")
    unavailable = param.String(default="", doc="Why nothing can be replaced; '' where it can.")
    undoable = param.Boolean(default=False)

    def __init__(self, jobs: Jobs, store: Store):
        super().__init__()
        self._latest, self._ready, self._models = Latest(jobs, store=store), Latest(jobs, kept=0), jobs.models
        self._question: Question | None = None
        self._circuit: Circuit | None = None
        self.graph: Graph | None = None
        self._before: list[list[Replaced]] = []

    @property
    def live(self) -> bool:
        """Whether a job of this panel waits or runs."""
        return self._latest.live

    def ask_about(self, question: Question | None, circuit: Circuit | None) -> None:
        """Take up another circuit, or none; what was replaced in the one before is dropped."""
        self._latest.drop()
        self._ready.drop()
        self._question, self._circuit = question, circuit
        self.graph = None if circuit is None else graph_from(circuit)
        self._before = []
        self.param.update(
            place="", replaced=[], answer=None, status="", undoable=False, unavailable=_unavailable(question, circuit)
        )

    def take_prompts(self, question: Question) -> None:
        """The same question, its prompts now known."""
        self._question = question

    def look(self, place: str) -> None:
        """Look at a node or edge, or at none.

        Raises:
            BadInput: When the graph of the circuit has no such node or edge.
        """
        if place:
            self.check(place)
        self.place = place

    def prepare(self, loading: bool = False) -> None:
        """Have the runs that answers start from recorded while a person still thinks, where the model is loaded anyway.

        Args:
            loading: The model is being loaded, for something that was asked just before.
        """
        asked, circuit = self._question, self._circuit
        if self.unavailable or asked is None or circuit is None or (asked.task == CUSTOM and not asked.rows):
            return
        if not (loading or asked.placed in self._models):
            return
        metric, graph = _metric(circuit), graph_from(circuit)

        def work(model: Any, job: Job) -> bool:
            recorded_runs(model, job, asked, graph, metric)
            return True

        self._ready.refresh()
        self._ready.ask(asked.placed, f"record {canonical([asked.pairs_key, graph.readers, metric])}", work)

    def check(self, place: str) -> None:
        """Raise BadInput where the graph has no such node or edge."""
        if self.graph is None:
            raise BadInput(f"a node or edge must be of a finished circuit; got {place[:60]!r} and none. Run or open one first.")
        if "->" in place:
            self.graph.edge(place)
        elif place != "logits" and not any(place == name.partition("<")[0] for name in self.graph.destinations):
            self.graph.source(place)

    def why_not(self, place: str) -> str:
        """Why a place cannot be replaced; '' where it can."""
        if self.unavailable or self.graph is None or not place or "->" in place or place in self.graph.sources:
            return self.unavailable
        if place == "logits":
            return "The logits write nothing to the stream. Choose one of the edges into them."
        return "A key-value head serves several heads and writes nothing itself. Choose one of the edges into it, or a head."

    def replace(self, place: str, by: str) -> None:
        """Replace a node or edge by something, in place of what it was replaced by before.

        Raises:
            BadInput: When there is no such node or edge, it cannot be replaced, or too many are.
        """
        replaced = [*(each for each in self.replaced if each.place != place), Replaced(place, by)]
        self._check_all(replaced)
        self._set(replaced)

    def remove(self, place: str) -> None:
        """Replace a node or edge no longer."""
        self._set([each for each in self.replaced if each.place != place])

    def clear(self) -> None:
        """Replace nothing."""
        self._set([])

    def undo(self) -> None:
        """Take the last change of what is replaced back."""
        if self._before:
            self._take_up(self._before.pop())

    @property
    def written(self) -> str:
        """What is replaced, for an address: 'a5.h1:zero,m0:mean'."""
        return ",".join(f"{each.place}:{each.by}" for each in self.replaced)

    def restore(self, written: str, load: bool) -> None:
        """Take up what an address says; where its model must not be loaded, measured only if it was measured before.

        Raises:
            BadInput: When one of them cannot be replaced.
        """
        replaced = [Replaced(*part.rpartition(":")[::2]) for part in written.split(",") if part]
        self._check_all(replaced)
        self.replaced = replaced
        self.measure(load)

    def _check_all(self, replaced: list[Replaced]) -> None:
        within("the number of interventions", len(replaced), 0, MOST + 1)
        for each in replaced:
            self.check(each.place)
            one_of("by", each.by, BYS)
            why = self.why_not(each.place)
            if why:
                raise BadInput(f"what is replaced must write to the stream of a run; got {each.place!r}. {why}")

    def _set(self, replaced: list[Replaced]) -> None:
        if replaced != self.replaced:
            self._before.append(self.replaced)
            self._take_up(replaced)

    def _take_up(self, replaced: list[Replaced]) -> None:
        self.param.update(replaced=replaced, undoable=bool(self._before))
        self.measure()

    def measure(self, load: bool = True) -> None:
        """Measure what is replaced now: at once if it was measured before, else by a job; the one before it is left.

        Args:
            load: Whether the model may be asked for what is not known.
        """
        if not self.replaced or self._question is None or self._circuit is None or self.unavailable:
            self._latest.drop()
            self.param.update(answer=None, status="")
            return
        asked, circuit, replaced = self._question, self._circuit, tuple(self.replaced)
        metric, graph = _metric(circuit), graph_from(circuit)

        said = [[each.place, each.by] for each in replaced]
        key = f"intervene {canonical([asked.pairs_key, graph.readers, metric, said])}"
        if not load and self._latest.known(asked, key) is None:
            self._latest.drop()
            self.param.update(answer=None, status="Not measured yet: press Measure.")
            return

        def work(model: Any, job: Job) -> Scores:
            return answered(model, job, asked, graph, metric, replaced)

        known = self._latest.ask(asked, key, work)
        if known is not None:
            self.param.update(answer=Answer(known), status="")
        else:
            self.refresh()

    @property
    def code(self) -> str:
        """Python that measures the answer again, as pasted into a notebook; '' where there is none."""
        if self.answer is None or self._question is None:
            return ""
        return code_of(self.answer.scores, self._question.rows)

    def refresh(self) -> None:
        """Take over how far the job is."""
        job = self._latest.refresh()
        if job is None:
            return
        if job.status in LIVE:
            share = "" if job.progress is None else f" {job.progress:.0%}"
            self.status = f"{job.label}{share} …"
        elif job.status == "done":
            self.param.update(answer=Answer(job.result), status="")
        else:
            self.param.update(answer=None, status=job.message or "Stopped. Press Measure to go on.")


def _metric(circuit: Circuit | None) -> str:
    """The metric that the circuit was scored by."""
    params = circuit.origin.params if circuit is not None and circuit.origin is not None else {}
    return str(params.get("metric") or "logit_diff")


def _unavailable(question: Question | None, circuit: Circuit | None) -> str:
    """Why nothing of a circuit can be replaced; '' where it can."""
    if circuit is None:
        return ""
    if "counts" in circuit.parts or (question is not None and not question.task):
        return "Unavailable here: these channels come from the weights alone, so that there is no run to change."
    if question is None:
        return "Unavailable here: this result is of several checkpoints. Open that of one to change its run."
    return ""
