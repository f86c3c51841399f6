"""What is chosen of the result that the circuits page shows: a cell, a node, an edge; and what is replaced."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import param

from workbench.errors import BadInput
from workbench.store import Store
from workbench.views.asking import Asking
from workbench.views.attention import Attention
from workbench.views.cells import KEY_VALUE, Cell, cell_at, cell_of_place, group_of
from workbench.views.links import carried
from workbench.views.live import Live
from workbench.views.onward import on_prompt
from workbench.views.question import CUSTOM, Question


class Picking(Asking):
    """A result, and what of it is looked at."""

    result = param.Parameter(doc="The Result shown, whole or partial, or None.")
    picked = param.Parameter(doc="The Cell that was chosen, or None; of keys and values its head is a key-value head.")

    attention: Attention
    store: Store
    ablation: Live
    _question: Question | None

    def click(self, figure: Any, point: Mapping[str, Any]) -> None:
        """Choose the cell of a clicked point of the shown figure, and show where its head looks."""
        cell = cell_at(self.result, figure, point) if self.result is not None else None
        if cell is not None:
            self.choose(cell)

    def pick(self, place: str) -> None:
        """Look at a node or edge of the Circuit shown, '' for none, and show where its head looks."""
        try:
            self.ablation.look(place)
        except BadInput as problem:
            self.tell("error", str(problem))
            return
        cell = cell_of_place(self.ablation.graph, place) if place else None
        if cell is not None:
            self.choose(cell)
        # After the attention, which is seen at once.
        if place:
            self.ablation.prepare(loading=self.attention.live)

    def replace(self, place: str, by: str) -> None:
        """Replace a node or edge of the Circuit shown; a BadInput becomes a notice."""
        if self._question is not None and not self._has_prompts("replace something"):
            return
        try:
            self.ablation.replace(place, by)
        except BadInput as problem:
            self.tell("error", str(problem))

    def choose(self, cell: Cell, load: bool = True) -> None:
        """Choose a cell, and show where its head looks; only if that was read before, where it must not load the model."""
        # What is found in the weights alone has no prompts.
        if cell.layer is None or self._question is None or not self._question.task:
            return
        self.picked = cell
        if not self._has_prompts("see attention"):
            return
        group = group_of(self.result, cell) if self.result is not None else None
        self.attention.look(cell.layer, None if group else cell.head, group, load)

    def attend(self, **chosen: Any) -> None:
        """Look at another head of the layer, another prompt or the other run.

        Args:
            chosen: Parameters of the attention: head, prompt, of.
        """
        if "head" in chosen and self.picked is not None:
            self.picked = self.picked._replace(head=chosen["head"], site=None)
        self.attention.param.update(**chosen)
        self.attention.show()

    @property
    def framed(self) -> Cell | None:
        """The cell that has a frame: the head looked at, in maps of keys and values the one that it shares."""
        looked, picked = self.attention, self.picked
        if looked.layer is None:
            return None
        if picked is not None and picked.site in KEY_VALUE and picked.layer == looked.layer:
            return picked
        return Cell(looked.layer, looked.head, picked.pos if picked is not None else None)

    @property
    def along(self) -> dict[str, str]:
        """What links from the result shown carry along: its model and prompts, whatever the form says by now."""
        asked = self._question
        if asked is None or not asked.task:
            return carried(self)
        placed = {"model": asked.model, "dtype": asked.dtype, "device": asked.device or self.device}
        shown: Any = Asking(**placed, task=asked.task, options=dict(asked.options), rows=asked.rows)
        # Own pairs are kept beside the results.
        shown.store = self.store
        return carried(shown) | on_prompt(self.attention.prompt, self.attention.of)

    def _has_prompts(self, why: str) -> bool:
        """Whether the prompts of the result are known; the user's own are as long as they stand in the form."""
        asked = self._question
        if asked is None or asked.task != CUSTOM or asked.rows:
            return asked is not None
        if not self.rows.strip():
            self.tell("warning", f"The prompts of this result are not kept here. Paste your pairs again to {why}.")
            return False
        self._question = replace(asked, rows=self.rows)
        self.attention.ask_about(self._question, len(self.attention.prompts))
        self.ablation.take_prompts(self._question)
        return True
