"""How the table of heads is sorted and narrowed, and which of its columns is mapped."""

from typing import Any

import numpy as np
import param

from workbench.errors import BadInput, one_of
from workbench.result import Scores
from workbench.views.asking import Asking
from workbench.views.fields import Field
from workbench.views.heads_filter import narrowed

NAME = "name"
FIRST = "induction"


class Arranged(Asking):
    """State of a table of heads, beside what every page is set to."""

    table = param.Parameter(doc="HeadsTable of the results, or None.")

    sort = param.String(default=FIRST, doc="The column that the table is sorted by, or 'name'.")
    descending = param.Boolean(default=True)
    detector = param.String(default=FIRST, doc="The column of the map, and of the threshold.")
    at_least = param.Number(default=None, allow_None=True, doc="Least number of the detector in a head that is shown.")
    only = param.String(default="", doc="The filter, as typed.")
    order = param.List(default=[], doc="The rows shown, from the top.")

    def __init__(self, **state: Any):
        super().__init__(**state)
        self.param.watch(lambda *_: self.arrange(), ["sort", "descending", "detector", "at_least", "only"])

    def arrange(self) -> None:
        """Which rows are shown, in which order; a filter of before the table that does not fit it is told."""
        if self.table is None:
            self.order = []
            return
        try:
            shown = narrowed(self.table, self.only)
        except BadInput as problem:
            self.tell("error", str(problem))
            shown = np.ones(len(self.table), dtype=bool)
        if self.at_least is not None and self.detector in self.table.columns:
            shown = shown & (self.table.columns[self.detector].values >= self.at_least)
        self.order = self.table.order(self.sort, self.descending, shown)

    def sort_by(self, column: str) -> None:
        """Sort by a column, the largest first, or the other way round where it is sorted so; it becomes the map's too."""
        descending = not self.descending if column == self.sort else column != NAME
        chosen = {} if column in (NAME, self.detector) else {"detector": column, "at_least": None}
        self.param.update(sort=column, descending=descending, **chosen)

    def choose(self, detector: str) -> None:
        """Map another column, and sort by it.

        Raises:
            BadInput: When there is no such column.
        """
        if self.table is not None:
            one_of("the detector", detector, self.table.columns)
        if detector != self.detector:
            self.param.update(detector=detector, at_least=None, sort=detector, descending=True)

    def bound(self, text: str) -> None:
        """Show only heads with this much of the detector or more; '' shows all.

        Raises:
            BadInput: When the text is no number.
        """
        self.at_least = Field("at least", "fraction", 0.0).read(text) if text.strip() else None

    def narrow(self, text: str) -> None:
        """Show only the heads that a filter lets through, see `narrowed`.

        Raises:
            BadInput: When it cannot be read; then what was shown stays.
        """
        if self.table is not None:
            narrowed(self.table, text)
        self.only = text.strip()

    @property
    def map(self) -> Scores | None:
        """The chosen detector over layer and head; None until it is known."""
        return None if self.table is None or self.detector not in self.table.columns else self.table.grid(self.detector)
