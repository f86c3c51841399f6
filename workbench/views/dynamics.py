"""The dynamics page without its layout: a network that has learnt, why it learnt at once, and training of one's own."""

from typing import Any

import param

from workbench.jobs import JOBS, Jobs
from workbench.store import Store
from workbench.views.descent import Nested
from workbench.views.example import Example
from workbench.views.forming import Forming
from workbench.views.training import Training

PARTS = ("example", "nested", "language", "train")


class Dynamics(Training):
    """State of the dynamics page: that of the training, and beside it what needs no job."""

    part = param.Selector(default="example", objects=list(PARTS), doc="Which part of the page is open.")

    def __init__(self, jobs: Jobs = JOBS, store: Store | None = None, **state: Any):
        super().__init__(jobs, store, **state)
        self.example, self.nested, self.forming = Example(), Nested(), Forming()
        self.param.watch(lambda *_: self._foresee_open(), ["part", "study", "params", "status"])
        self._foresee_open()

    def _foresee_open(self) -> None:
        """Who does not look at the training needs no forecast of it."""
        if self.part == "train":
            self.foresee()
