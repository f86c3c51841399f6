"""The grid of all heads' attention beside the table of heads: model, prompt, head and order are the table's.

It is empty, and nothing is computed for it, until it is asked for.
"""

from typing import TYPE_CHECKING, Any

import param

from workbench.jobs import Jobs
from workbench.store import Store
from workbench.views.asking import ASKED
from workbench.views.looks import GRID, HEAD, Looks
from workbench.views.question import Question
from workbench.widgets.attention_grid import GIVEN, column

if TYPE_CHECKING:
    from workbench.views.heads import Heads


class TableGrid(Looks):
    """State of the grid of a page of heads.

    Args:
        jobs: The queues.
        store: Where results are kept.
    """

    sort = param.String(default=GIVEN, doc="'given' for the order of the table; else as on the page of attention.")

    def __init__(self, jobs: Jobs, store: Store):
        self._moving = False
        super().__init__(jobs, store)

    def tie(self, page: "Heads") -> None:
        """Keep in step with a table of heads, and the table with this, from now on."""
        self._page = page
        page.param.watch(lambda *_: self._move(), list(ASKED))
        page.param.watch(lambda *_: self._arrange(), ["table", "order", "sort"])
        page.param.watch(lambda *_: self.param.update(sort=GIVEN), ["sort", "descending"])
        page.head.param.watch(lambda event: self.lock(event.new), "head")
        page.head.attention.param.watch(lambda *_: self._take_prompt(), ["prompt", "of"])
        self.param.watch(lambda *_: self._tell_head(), "head")
        self.param.watch(lambda *_: self._tell_prompt(), ["prompt", "of"])
        self.param.watch(lambda event: page.param.update(notice=event.new), "notice")
        self._move()
        self._arrange()

    def unanswered(self) -> list[Question]:
        """Nothing is said beforehand of what stands beside a table."""
        return []

    def hide(self) -> None:
        """Show nothing; what is pinned and how it is sorted stays."""
        self._several.drop((GRID, HEAD))
        self._question = None
        self.param.update(grid=None, columns=[], exact=None, **self._several.progress())

    def _move(self) -> None:
        """The table is of another model or task: so is this, and empty until it is asked for again."""
        self._moving = True
        self.param.update(**{name: getattr(self._page, name) for name in ASKED})
        self._moving = False
        self._take_prompt()
        self.lock(self._page.head.head)

    def _take_prompt(self) -> None:
        looked = self._page.head.attention
        self.param.update(prompt=looked.prompt, of=looked.of)

    def _tell_prompt(self) -> None:
        looked = self._page.head.attention
        if not self._moving and (looked.prompt, looked.of) != (self.prompt, self.of):
            self._page.head.look(prompt=self.prompt, of=self.of)

    def _tell_head(self) -> None:
        if self._moving or self.head == self._page.head.head:
            return
        if self.head is None:
            self._page.close()
        else:
            self._page.open(self.head)

    def _arrange(self) -> None:
        """Heads stand as the rows of the table do; those that it leaves out are faded."""
        table = self._page.table
        if table is None:
            self.given = {}
            return
        by = table.columns.get(self._page.sort)
        self.given = {
            "label": f"as in the table ({'head' if by is None else by.label})", "heads": list(self._page.order),
            "column": None if by is None else column(by.name, by.label, by.unit, by.values),
        }  # fmt: skip

    def _stored(self) -> dict[str, Any]:
        """None: what the table has is sorted by in the table."""
        return {}
