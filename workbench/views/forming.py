"""A language model that comes with the workbench, at one checkpoint: its induction circuit, and where the two heads look."""

from functools import cache

import param

from workbench.errors import one_of
from workbench.result import Curve, Scores
from workbench.views.example import LOOKS, SEEN


class Forming(param.Parameterized):
    """Which model and which of its checkpoints is looked at; what is shown follows from it."""

    model = param.String(default="attention", doc="A model that comes with the workbench.")
    step = param.Integer(default=None, allow_None=True, doc="A step whose checkpoint is there; the last where None is given.")

    def __init__(self, model: str = "attention", step: int | None = None):
        super().__init__()
        self.choose(model)
        if step is not None:
            self.look(step)

    @property
    def models(self) -> list[str]:
        """The models there are."""
        from workbench.dynamics.trained import names

        return names()

    @property
    def steps(self) -> list[int]:
        """Steps of training whose checkpoints are there."""
        return _looked(self.model).values.step.values.tolist()

    def choose(self, model: str) -> None:
        """Look at another model, at the same step if it has that, else at its last.

        Raises:
            BadInput: When there is none of this name.
        """
        one_of("the model", model, self.models)
        steps = _looked(model).values.step.values.tolist()
        self.param.update(model=model, step=self.step if self.step in steps else steps[-1])

    def look(self, step: int) -> None:
        """Look at another step.

        Raises:
            BadInput: When its checkpoint is not there.
        """
        one_of("step", step, self.steps)
        self.step = step

    @property
    def curve(self) -> Curve:
        """The measures by step, over seeds."""
        return _formed(self.model)

    @property
    def losses(self) -> Curve:
        """The losses and the in-context score by step, over seeds."""
        from workbench.dynamics.formation import losses_of

        return losses_of(self.curve)

    @property
    def heads(self) -> tuple[str, str]:
        """The previous-token head and the induction head of the model whose checkpoints are there."""
        one, other = _looked(self.model).values.coords["head"].values.tolist()
        return one, other

    @property
    def per_layer(self) -> int:
        """How many heads a layer of the model has."""
        return int(self.curve.origin.params["heads"])

    @property
    def transition(self) -> float:
        """The step at which the prefix matching of that model is half-way from its first value to its last."""
        return float(self.curve.parts["transition"][0])

    def attention(self, step: int) -> list[Scores]:
        """Where each of the two heads looks after a step, over (token that looks, token looked at)."""
        found = _looked(self.model)
        now = found.values.sel(step=step, drop=True).rename(query=LOOKS, key=SEEN)
        titles = [f"{name}: {what}" for name, what in zip(self.heads, ("the token before", "what followed"), strict=True)]
        return [
            found.replace(title=title, values=now.isel(head=at, drop=True), notes={"range": "positive"})
            for at, title in enumerate(titles)
        ]

    def code(self, of: str) -> str:
        """Python that gives what comes with the workbench again: 'curve', 'losses', 'attention 0' or 'attention 1'."""
        what, _, head = of.partition(" ")
        shown = f"{what}(view.step)[{head}]" if head else what
        made = f"view = Forming({self.model!r}, {self.step})\nresult = view.{shown}\n"
        return f"from workbench.views.forming import Forming\n\n{made}"

    def told(self, step: int) -> dict[str, float]:
        """Every measure of that model after a step, by name."""
        values = self.curve.parts["seeds"].isel(seed=0).sel(step=step)
        return dict(zip(values.series.values.tolist(), values.values.tolist(), strict=True))

    def losses_at(self, step: int) -> dict[str, float]:
        """Every loss of that model after a step, in nats, by name."""
        values = self.curve.parts["losses"].isel(seed=0).sel(step=step)
        return dict(zip(values.loss.values.tolist(), values.values.tolist(), strict=True))


@cache
def _formed(model: str) -> Curve:
    from workbench.dynamics.trained import formed

    return formed(model)


@cache
def _looked(model: str) -> Scores:
    from workbench.dynamics.trained import looked

    return looked(model)
