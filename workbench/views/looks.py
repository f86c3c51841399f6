"""The page of attention without its layout: which prompt of which model, all heads on it, and the head that is locked.

As on every page nothing here computes: jobs do, and `refresh` takes over how far they are.
"""

from typing import Any

import param

from workbench.errors import BadInput, within
from workbench.jobs import JOBS, LIVE, Jobs, limits
from workbench.plots.text import visible
from workbench.store import Store
from workbench.views.asking import check_placed
from workbench.views.composed import Head
from workbench.views.expected import Expecting
from workbench.views.fields import given, method_fields
from workbench.views.heads_columns import JOINED
from workbench.views.looking import Grid, grid, grid_of, head_of, largest, one_head, stored_columns
from workbench.views.question import Question
from workbench.views.several import Several, StopsSeveral
from workbench.views.stored import answers

EXAMPLE = "When Mary and John went to the store, John gave a drink to Mary. When Mary and John left the store, John gave"
MOST_TEXT = 100_000
GRID, HEAD = "grid", "head"
TOP = 24


class Looks(StopsSeveral, Expecting):
    """State of the page of attention."""

    source = param.Selector(default="task", objects=["task", "text"], doc="The task's prompts, or a text of one's own.")
    text = param.String(default=EXAMPLE, doc="The text of one's own.")
    prompt = param.Integer(default=0, bounds=(0, None))
    of = param.Selector(default="clean", objects=["clean", "corrupt"])
    weighted = param.Boolean(default=False, doc="Whether attention is weighted by values.")
    prompts = param.List(default=[], doc="A label per prompt of the task.")

    grid = param.Parameter(doc="The Grid shown, or None.")
    columns = param.List(default=[], doc="What heads can be sorted by, as the grid's script takes it.")
    head = param.Parameter(default=None, doc="Layer and head that is locked, or None.")
    exact = param.Parameter(doc="Scores of the locked head over (query, key), or None.")
    window = param.List(default=[0, 0], doc="From which query and key on a long prompt is looked at.")
    pinned = param.List(default=[-1, -1], doc="The pinned token that looks and the one looked at; -1 for none.")
    sort = param.String(default="", doc="The column sorted by, 'pinned', 'given', or '' for layer and head.")
    given = param.Dict(default={}, doc="An order of heads from elsewhere, as the grid's script takes it.")
    own = param.Boolean(default=True, doc="Whether the colours of a head end at its own largest number.")
    least = param.Number(default=0.0, bounds=(0, 1), doc="Heads with less than this share at the pinned tokens are faded.")

    def __init__(self, jobs: Jobs = JOBS, store: Store | None = None, **state: Any):
        super().__init__(**state)
        self.jobs, self.store = jobs, store or Store()
        self._several = Several(jobs)
        self._question: Question | None = None
        self._label_prompts()
        self.param.watch(lambda *_: self._elsewhere(), ["model", "dtype", "device", "task", "options", "rows"])
        self.param.watch(lambda *_: self._again(), ["source", "prompt", "of", "weighted"])
        self._expect(self.jobs, self.store, "source", "text", "prompt", "of", "weighted", "grid")

    @property
    def live(self) -> bool:
        """Whether anything waits or runs, so that `refresh` has work."""
        return bool(self._several) or self.expected.live

    def unanswered(self) -> list[Question]:
        """What Show would compute."""
        asked = self.question()
        there = self.grid is not None and self._question is not None and self._question.key == asked.key
        return [] if there or answers(self.store, {GRID: asked}) else [asked]

    @property
    def asked(self) -> Question | None:
        """What the grid shown, or the one on its way, answers."""
        return self._question

    def question(self) -> Question:
        """What Show would ask.

        Raises:
            BadInput: When a setting is out of its range.
        """
        own = self.source == "text"
        if own and not self.text.strip():
            raise BadInput("your text must have at least one word; got none. Type a sentence, then press Show.")
        if own and len(self.text) > MOST_TEXT:
            raise BadInput(f"your text must have at most {MOST_TEXT} characters; got {len(self.text)}. Use a piece of it.")
        if not own:
            asked = {"prompt": self.prompt, "of": self.of, "weighted": self.weighted}
            return self.ask("attention", method_fields("attention"), asked, "Show")
        if not self.model.strip():
            raise BadInput("the model must be a name, a hub name or a folder; got nothing. Choose one.")
        limits().check_model(self.model.strip())
        check_placed(self.dtype, self.device)
        params = given(method_fields("attention"), {"text": self.text, "weighted": self.weighted})
        return Question(self.model.strip(), "", "attention", {}, params, "", self.dtype, self.device)

    def show(self, load: bool = True) -> None:
        """Show all heads on the prompt: at once where that is stored, else ask for them, unless that must not load the model.

        What is being computed of just this goes on here too. A BadInput becomes a notice.
        """
        try:
            asked = self.question()
        except BadInput as problem:
            self.tell("error", str(problem))
            return
        found = answers(self.store, {GRID: asked}).get(GRID)
        if found is None and not load and self.jobs.running(_grid_key(asked)) is None:
            return
        if self._question is None or asked.placed != self._question.placed:
            self.grid = None
        self._question = asked
        self._several.drop((GRID, HEAD))
        if found is not None:
            self._take(grid_of(found))
            self.status = "done"
            return
        store = self.store
        self._several.ask(GRID, asked.placed, _grid_key(asked), lambda model, job: grid(model, asked, job, store))
        self.refresh()

    def _again(self) -> None:
        """Another prompt of what is shown is shown at once."""
        if self._question is not None:
            self.show()

    def _elsewhere(self) -> None:
        """Something else is asked about: nothing that is shown is of it."""
        self._several.drop((GRID, HEAD))
        self._question = None
        self.param.update(
            grid=None, columns=[], head=None, exact=None, pinned=[-1, -1], prompt=0, **self._several.progress()
        )  # fmt: skip
        self._label_prompts()

    def _label_prompts(self) -> None:
        self.prompts = [f"prompt {number + 1}" for number in range(max(self.n_asked, self.prompt + 1))]

    def lock(self, head: Head | None) -> None:
        """Lock a head, or none.

        Raises:
            BadInput: When the grid shown has no such head.
        """
        if head is not None and self.grid is not None:
            made = self.grid.thumbnails
            within("the head's layer", head[0], 0, made.layers)
            within("the head", head[1], 0, made.heads)
        if head == self.head:
            return
        self._several.drop((HEAD,))
        self.param.update(head=head, exact=None)
        self._ask_head()

    def _ask_head(self) -> None:
        """Show the locked head of the grid: at once where all are kept whole, else by a job."""
        asked, head, made = self._question, self.head, self.grid
        if asked is None or head is None or made is None or GRID in self._several:
            return
        if made.whole is not None:
            self.exact = head_of(made.whole, head)
        else:
            key = f"attention {asked.key} {head[0]}.{head[1]}"
            self._several.ask(HEAD, asked.placed, key, lambda model, job: one_head(model, asked, head))
            self.refresh()

    def refresh(self) -> None:
        """Take over how far the jobs are; called from the page's own thread."""
        self.expected.refresh()
        if not self._several:
            return
        states = self._several.states()
        for state in states.values():
            if state.found.get("pairs") is not None:
                self._name_prompts(state.found["pairs"])
        ended = {name: state for name, state in states.items() if state.status not in LIVE}
        if GRID in ended and ended[GRID].status == "done":
            self._take(ended[GRID].result)
        if HEAD in ended and GRID not in ended:
            self.exact = ended[HEAD].result if ended[HEAD].status == "done" else None
        self.param.update(**self._several.progress(next((state.status for state in ended.values()), self.status)))
        for message in dict.fromkeys(state.message for state in ended.values() if state.status == "failed"):
            self.tell("error", message)

    def _take(self, made: Grid) -> None:
        """Show a grid; what is pinned or locked and not in it goes."""
        thumbnails, columns = made.thumbnails, made.columns + stored_columns(self._stored())
        pins = [at if at < thumbnails.tokens else -1 for at in self.pinned]
        there = self.head is not None and self.head[0] < thumbnails.layers and self.head[1] < thumbnails.heads
        known = self.sort in ("", "pinned", self.param["sort"].default, *(one["name"] for one in columns))
        if self.head is not None and not there:
            last = f"{thumbnails.layers - 1}.{thumbnails.heads - 1}"
            self.tell("warning", f"the head must be from 0.0 to {last}; got {self.head[0]}.{self.head[1]}. Click one.")
        self.param.update(
            grid=made, columns=columns, pinned=pins, window=[0, 0], head=self.head if there else None,
            exact=None, sort=self.sort if known else "",
        )  # fmt: skip
        self._ask_head()

    def _stored(self) -> dict[str, Any]:
        """The table of heads of this model and task, and what is joined to it, where they are stored."""
        try:
            asked = {method: self.ask(method, method_fields(method), {}, "Show") for method in ("heads", *JOINED)}
        except BadInput:
            return {}
        return answers(self.store, asked)

    def _name_prompts(self, pairs: Any) -> None:
        labels = [f"{number + 1}: {visible(''.join(words))}" for number, words in enumerate(pairs.clean_strings)]
        if labels != self.prompts:
            self.prompts = labels

    @property
    def largest(self) -> list[tuple[int, int, float]]:
        """The largest numbers of the locked head, as query, key and number."""
        return [] if self.exact is None else largest(self.exact.values.values, TOP)


def _grid_key(asked: Question) -> str:
    return f"grid {asked.key}"
