"""The network that comes with the workbench, at one step of its training: its measures, and where it looks then."""

from functools import cache

import param

from workbench.errors import one_of
from workbench.result import Curve, Scores

# Sequences to look at: a mean of so few that all steps are at hand at once, or the first alone.
SEQUENCES = {"mean": 128, "one": 1}
LOOKS, SEEN = "token that looks", "token looked at"
SIGN = (
    "x1, l1, …: items and labels of the context, x: the last item, whose label is asked for; "
    "last row: the second layer, of which x alone is read"
)


class Example(param.Parameterized):
    """Which of the steps whose parameters are there is looked at; what is shown follows from it."""

    step = param.Integer(default=None, allow_None=True, doc="A step of training; the last where None is given.")
    of = param.Selector(default="one", objects=list(SEQUENCES), doc="The attention on one sequence, or the mean over many.")

    def __init__(self, step: int | None = None):
        super().__init__()
        self.look(self.steps[-1] if step is None else step)

    @property
    def steps(self) -> list[int]:
        """Steps of training whose parameters are there."""
        return _looks("one").values.step.values.tolist()

    def look(self, step: int) -> None:
        """Look at another step.

        Raises:
            BadInput: When its parameters are not there.
        """
        one_of("step", step, self.steps)
        self.step = step

    @property
    def course(self) -> Curve:
        """The measures by step."""
        return _course()

    @property
    def transition(self) -> float:
        """The step at which in-context accuracy is half-way from its first value to its last."""
        return float(_course().parts["transition"][0])

    def attention(self, step: int) -> Scores:
        """Where both layers look after a step, over (token that looks, token looked at).

        The first layer's rows, then the second's only one.
        """
        found = _looks(self.of)
        said = "one sequence" if self.of == "one" else f"mean over {SEQUENCES[self.of]} sequences"
        framed = f"; framed: the label of x{self.item}, which is of the class of x" if self.of == "one" else ""
        values = found.values.sel(step=step, drop=True).rename(query=LOOKS, key=SEEN)
        notes = {"range": "positive", "sign": SIGN + framed}
        return found.replace(title=f"Attention after {step:,} steps, {said}", values=values, notes=notes)

    def code(self, of: str) -> str:
        """Python that gives the measures, 'course', or the 'attention' after the step looked at again."""
        shown = "course" if of == "course" else "attention(view.step)"
        return (
            f"from workbench.views.example import Example\n\nview = Example(step={self.step})\nview.of = {self.of!r}\n"
            f"result = view.{shown}\n"
        )

    @property
    def item(self) -> int:
        """Which item of the context, from 1, is of the last item's class, in the one sequence."""
        return _item()

    def told(self, step: int) -> dict[str, float]:
        """Every measure after a step, by name."""
        values = _course().values.sel(step=step)
        return dict(zip(values.series.values.tolist(), values.values.tolist(), strict=True))


@cache
def _course() -> Curve:
    from workbench.dynamics.example import course

    return course()


@cache
def _looks(of: str) -> Scores:
    from workbench.dynamics.example import attention, shipped

    return attention(shipped().steps, SEQUENCES[of])


@cache
def _item() -> int:
    from workbench.dynamics import Worlds
    from workbench.dynamics.example import shipped

    own = shipped()
    return int(Worlds([own.setting], [own.seed]).test("ic", SEQUENCES["one"]).same[0, 0].int().argmax()) + 1
