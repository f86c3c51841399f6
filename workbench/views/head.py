"""The head that is open: where it looks and what it writes on a prompt."""

from typing import Any

import param

from workbench.jobs import Jobs
from workbench.store import Store
from workbench.views.attention import Attention
from workbench.views.composed import Head
from workbench.views.question import Question
from workbench.views.writes import Writes


class OpenHead(param.Parameterized):
    """Which head is open, and the two panels of it; prompt and side are those of `attention`."""

    head = param.Parameter(default=None, doc="Layer and head, or None.")

    def __init__(self, jobs: Jobs, store: Store):
        super().__init__()
        self.attention, self.writes = Attention(jobs, store), Writes(jobs, store)
        self._question: Question | None = None

    @property
    def live(self) -> bool:
        """Whether a job of the panels waits or runs."""
        return self.attention.live or self.writes.live

    def ask_about(self, question: Question | None, prompts: int) -> None:
        """Take up a model and its prompts; what was shown of others goes."""
        if question is None or not question.same_prompts(self._question):
            self.writes.hide()
        self._question = question
        self.attention.ask_about(question, prompts)

    def open(self, head: Head | None) -> None:
        """Choose a head, or none, without asking the model for anything."""
        if head != self.head:
            self.writes.hide()
            layer, number = (None, 0) if head is None else head
            self.attention.hide()
            self.attention.param.update(layer=layer, head=number)
            self.head = head

    def look(self, load: bool = True, **chosen: Any) -> None:
        """Show the open head, on another prompt or side of it if one is given.

        Args:
            load: Whether the model may be asked for what is not known.
            chosen: Parameters of the attention: prompt, of.
        """
        self.attention.param.update(**chosen)
        if self.head is None or self._question is None:
            return
        self.attention.look(*self.head, load=load)
        self.writes.show(self._question, *self.head, self.attention.prompt, self.attention.of, load)

    def refresh(self) -> None:
        """Take over how far the jobs are."""
        self.attention.refresh()
        self.writes.refresh()
