"""The page of the residual stream without its layout: what is read of it on one prompt, and the cell that is chosen.

Every panel has a question of its own and fills when its job ends. As on every page nothing here computes.
"""

from collections.abc import Mapping
from typing import Any

import param

from workbench.result import Result, Scores
from workbench.views.fields import method_fields
from workbench.views.panels import Panels
from workbench.views.question import Question
from workbench.views.residual_cells import component_of, heads_of, labels_of, place_at, sizes_of, text_of

# The panels in the order in which they are asked.
PANELS = ("norms", "cosines", "lens", "components", "layers", "paths")
# What is looked at together: panels over layers and tokens, what writes the answer, the paths.
PARTS = {"stream": ("norms", "cosines", "lens"), "answer": ("layers", "components"), "paths": ("paths",)}
NORMS = ["stream", "attention", "MLP"]
COSINES = ["layer before", "last layer", "attention", "MLP"]
LENSES = {"tokens": None, "rank of answer": "answer_rank", "KL to output": "kl"}
# What each panel shows, by the parameter that says it.
SHARES = ("components", "layers")
WHICH = {"norms": "norm", "cosines": "cosine"}


class Residual(Panels):
    """State of the page of the residual stream."""

    panels = PANELS
    asked_by = ("prompt", "of", "points")

    prompt = param.Integer(default=0, bounds=(0, None), doc="Which pair, from 0.")
    of = param.Selector(default="clean", objects=["clean", "corrupt", "difference"])
    points = param.Selector(default="tokens", objects=["tokens", "ends"], doc="Whose paths are drawn.")
    part = param.Selector(default="stream", objects=list(PARTS), doc="Which panels are looked at.")
    norm = param.Selector(default="stream", objects=NORMS)
    cosine = param.Selector(default="layer before", objects=COSINES)
    lens = param.Selector(default="tokens", objects=list(LENSES))
    shares = param.Selector(default="prompt", objects=["prompt", "mean"], doc="Direct logits of this prompt, or the mean.")

    layer = param.Integer(default=None, allow_None=True, bounds=(0, None), doc="The layer chosen.")
    pos = param.Integer(default=None, allow_None=True, bounds=(0, None), doc="The position chosen.")
    head = param.Parameter(default=None, doc="Layer and head whose attention is shown, or None.")

    def questions(self) -> dict[str, Question]:
        """What each panel asks."""
        here = {"prompt": self.prompt, "of": self.of}
        paths = {"points": self.points, "of": self.of} | ({"prompt": self.prompt} if self.points == "tokens" else {})
        asked = {
            "norms": ("stream", {"measure": "norm"} | here), "cosines": ("stream", {"measure": "cosine"} | here),
            "lens": ("lens", here), "components": ("dla", {"by": "component", "of": self.of}),
            "layers": ("dla", {"by": "layer", "of": self.of}), "paths": ("trajectories", paths),
        }  # fmt: skip
        applying = {panel: one for panel, one in asked.items() if panel not in self.unasked}
        return {panel: self.ask(one, method_fields(one), values, "Show") for panel, (one, values) in applying.items()}

    @property
    def unasked(self) -> dict[str, str]:
        """Why some panels do not apply to what is set."""
        if self.of != "difference":
            return {}
        return {
            "lens": "The lens reads the stream of one prompt, not a difference of two: choose clean or corrupt.",
            "paths": "Paths are those of one prompt's stream, not of a difference of two: choose clean or corrupt.",
        }

    def _follow(self, before: Question | None, asked: Question | None) -> None:
        # A head that waits for its model was asked for; it is asked for anew.
        waits = self.attention.live
        super()._follow(before, asked)
        if before is None or asked is None or before.placed != asked.placed:
            self.head = None
        if self.head is not None:
            self.look(load=waits or self.placed in self.jobs.models)

    def _take(self, results: Mapping[str, Result]) -> None:
        """Show what is known; a cell that it does not have is let go."""
        rows, columns = sizes_of(results)
        if rows and self.layer is not None and self.layer >= rows:
            self.param.update(layer=None, pos=None)
        if columns and self.pos is not None and self.pos >= columns:
            self.pos = None
        super()._take(results)
        if self.head is not None and self.attention.missing and self.placed in self.jobs.models:
            # The head of a link, whose model was not there.
            self.look()

    def panel(self, name: str) -> Result | None:
        """What a panel shows: its result, or that part of it which is chosen."""
        found = self.results.get(name)
        if name in SHARES and self.shares == "prompt" and found is not None:
            prompt = min(self.prompt, found.values.sizes["prompt"] - 1)
            return found.replace(
                title=f"{found.title}, prompt {prompt + 1}", values=found.values.isel(prompt=prompt, drop=True)
            )
        if found is None or name not in WHICH:
            return found
        part = getattr(self, WHICH[name])
        values = found.values.sel(part=part, drop=True)
        return found.replace(title=f"{found.title}, {part}", values=values)

    @property
    def tokens(self) -> list[str]:
        """The tokens of the prompt, as far as known."""
        return labels_of(self.results)

    @property
    def heads(self) -> int:
        """How many heads a layer has; 0 where that is not known."""
        return heads_of(self.results) or self.attention.heads

    @property
    def labels(self) -> list[str]:
        """A label per prompt; where only stored results are shown, their own prompt is the only one that is known."""
        labels = list(super().labels)
        labels += [f"prompt {index + 1}" for index in range(len(labels), self.prompt + 1)]
        words = "" if self.prompts or self.of == "difference" else text_of(self.results)
        return [f"{index + 1}: {words}" if words and index == self.prompt else one for index, one in enumerate(labels)]

    @property
    def total(self) -> float | None:
        """The sum of all shares of the logit difference, of what is shown; None where unknown."""
        found = self.results.get("components")
        if not isinstance(found, Scores):
            return None
        each = found.values.sum("component")
        return float(each.mean() if self.shares == "mean" else each.isel(prompt=min(self.prompt, each.size - 1)))

    def click(self, panel: str, figure: Any, point: Mapping[str, Any]) -> None:
        """Choose what was clicked in the figure of a panel: a cell, a layer, another prompt's path, or a head."""
        if panel == "components":
            place = component_of(figure, point, self.results.get("components"))
            if place is not None and place.head is not None:
                self.open((place.layer, place.head))
        else:
            place = place_at(figure, point)
        if place is None:
            return
        if place.prompt is not None:
            self.prompt = place.prompt
        self.choose(place.layer, place.pos if place.pos is not None else self.pos)

    def choose(self, layer: int, pos: int | None) -> None:
        """Choose a layer, and a position where one is given."""
        self.param.update(layer=layer, pos=pos)

    def move(self, up: int, right: int) -> None:
        """Move the chosen cell; it stays within what is shown."""
        rows, columns = sizes_of(self.results)
        if self.layer is None or not rows:
            return
        pos = self.pos
        if columns and (pos is not None or right):
            pos = min(max((pos if pos is not None else columns - 1) + right, 0), columns - 1)
        self.choose(min(max(self.layer + up, 0), rows - 1), pos)

    def release(self) -> None:
        """Choose no cell, and no head."""
        self.param.update(layer=None, pos=None, head=None)

    def open(self, head: tuple[int, int], load: bool = True) -> None:
        """Show where a head looks on the prompt; of a link, only if that was read before or its model is at hand."""
        self.head = head
        self.look(load)

    def look(self, load: bool = True) -> None:
        """Show where the head chosen looks; of a difference, on the clean prompt."""
        if self.head is not None:
            self.attention.param.update(prompt=self.prompt, of="clean" if self.of == "difference" else self.of)
            self.attention.look(*self.head, load=load)
