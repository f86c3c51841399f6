"""Where the heads of a layer look on one prompt: the job that reads it, and the state of the panel that shows it."""

from dataclasses import replace
from typing import Any

import param

from workbench.errors import BadInput, within
from workbench.jobs import LIVE, Job, Jobs
from workbench.plots.hues import counted
from workbench.plots.text import visible
from workbench.result import Scores, canonical
from workbench.store import Store
from workbench.views.latest import Latest
from workbench.views.question import Question


class Attention(param.Parameterized):
    """The panel beside the map: which head of which layer, on which prompt."""

    layer = param.Integer(default=None, allow_None=True, bounds=(0, None))
    head = param.Integer(default=0, bounds=(0, None))
    prompt = param.Integer(default=0, bounds=(0, None))
    of = param.Selector(default="clean", objects=["clean", "corrupt"])
    scores = param.Parameter(doc="Attention of the chosen head over (query, key), or None.")
    heads = param.Integer(default=0, doc="How many heads the layer has; 0 where unknown.")
    prompts = param.List(default=[], doc="A label per prompt.")
    status = param.String(default="", doc="What is going on, or why there is nothing to see.")
    about = param.String(default="", doc="What else is to be said of the chosen head.")

    def __init__(self, jobs: Jobs, store: Store):
        super().__init__()
        self._latest = Latest(jobs, store=store)
        self._question: Question | None = None
        self._group: tuple[int, int] | None = None

    @property
    def live(self) -> bool:
        """Whether a job of this panel waits or runs."""
        return self._latest.live

    @property
    def missing(self) -> bool:
        """Whether nothing is shown, nothing is on its way, and nothing was said against it."""
        return self.scores is None and not self.live and not self.status

    @property
    def index(self) -> int | None:
        """The head that `scores` are of, counted layer after layer; None where there are none."""
        asked = self.scores.origin.params if self.scores is not None and self.scores.origin is not None else {}
        return counted((asked["layer"], asked["head"]), self.heads) if {"layer", "head"} <= asked.keys() else None

    def hide(self) -> None:
        """Show no head, and wait for none."""
        self._latest.drop()
        self._group = None
        self.param.update(layer=None, head=0, scores=None, status="", about="")

    def ask_about(self, question: Question | None, prompts: int) -> None:
        """Take up the prompts of a result; what was shown goes if the prompts are others."""
        if question is None or not question.same_prompts(self._question):
            self._latest.drop()
            self._group = None
            self.param.update(scores=None, prompts=[f"prompt {i + 1}" for i in range(prompts)], status="", about="")
            self.prompt = min(self.prompt, max(0, prompts - 1))
        self._question = question

    def name_prompts(self, pairs: Any) -> None:
        """Label the prompts by their text."""
        labels = [f"{i + 1}: {visible(''.join(words))}" for i, words in enumerate(pairs.clean_strings)]
        if labels != self.prompts:
            self.prompts = labels

    def look(self, layer: int, head: int | None, group: tuple[int, int] | None = None, load: bool = True) -> None:
        """Show a head of a layer.

        Args:
            layer: Its layer.
            head: Its number there; that shown where None.
            group: In place of a head, a key-value head and how many there are.
            load: Whether the model may be asked; if not, nothing is shown where it was not read before.
        """
        self._group = group
        self.param.update(layer=layer, head=self.head if head is None else head, about="")
        self.show(load)

    def show(self, load: bool = True) -> None:
        """Show what is chosen now: at once if it was read before, else by a job, unless the model must not be asked."""
        if self.layer is None or self._question is None:
            return
        asked, layer, prompt, of = self._question, self.layer, self.prompt, self.of
        key = f"attention {canonical([asked.pairs_key, layer, prompt, of])}"
        if not load and self._latest.known(asked, key) is None:
            self.hide()
            return

        def work(model: Any, job: Job) -> Scores:
            from workbench.methods import METHODS

            pairs = asked.pairs(model)
            job.tell(pairs=pairs)
            return METHODS["attention"](model, pairs, layer=layer, prompt=prompt, of=of)

        known = self._latest.ask(asked, key, work)
        if known is not None:
            self._take(known)
        else:
            self.refresh()

    def refresh(self) -> None:
        """Take over how far the job is."""
        job = self._latest.refresh()
        if job is None:
            return
        if "pairs" in job.found:
            self.name_prompts(job.found["pairs"])
        if job.status in LIVE:
            self.status = f"{job.label} …"
        elif job.status == "done":
            self._take(job.result)
        else:
            self.param.update(scores=None, status=job.message or "Stopped.")

    def _take(self, scores: Scores) -> None:
        heads = scores.values.sizes["head"]
        head, about = self.head, ""
        if self._group is not None:
            shared, groups = self._group
            size = heads // groups
            head, self._group = shared * size, None
            if size > 1:
                about = f"Key-value head {shared} is shared by heads {head} to {head + size - 1}."
        head = min(head, heads - 1)
        self.param.update(heads=heads, head=head, scores=of_head(scores, head), status="", about=about)


def of_head(scores: Scores, head: int) -> Scores:
    """The attention of one head, from that of its layer.

    Raises:
        BadInput: When there is no such head.
    """
    within("head", head, 0, scores.values.sizes["head"])
    if scores.origin is None:
        raise BadInput("attention must have an origin; got none.")
    params = scores.origin.params
    return scores.replace(
        title=f"{scores.title}, head {head}: {params['of']} prompt {params['prompt'] + 1}",
        values=scores.values.isel(head=head, drop=True),
        origin=replace(scores.origin, params={**params, "head": head}),
    )
