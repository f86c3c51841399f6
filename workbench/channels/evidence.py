"""What a channel does on a task: the attention of its reader and the answer, with it removed, alone, and against random ones.

All interventions are at the position that is read, END. What changes there changes nothing before it, so only END is run
again, from the writer's layer on, with the kept keys and values of all positions before: one token per trial.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from workbench.channels.act import Channel, changing, put
from workbench.channels.trials import Outcome, Trials
from workbench.channels.weights import Heads
from workbench.errors import BadInput
from workbench.hooks import writing
from workbench.metrics import answers_of, logit_diff
from workbench.pairs import Pairs
from workbench.sites import Site
from workbench.sweep import record
from workbench.unembed import answer_direction, scale_of, through_norm


@dataclass(frozen=True, eq=False)
class Items:
    """The things a prompt chooses among, in the order they are named: ITEM1, ITEM2, … of the task, else the two answers.

    Attributes:
        tokens: Their token ids.
        first: Where each is named first.
        where: All positions before END that hold it.
        right: Which one is the right answer, from 0.
    """

    tokens: Int[Tensor, "batch item"]
    first: Int[Tensor, "batch item"]
    where: Bool[Tensor, "batch item pos"]
    right: Int[Tensor, "batch"]

    @property
    def count(self) -> int:
        """How many a prompt has."""
        return self.tokens.shape[1]


class Bench:
    """A model on a task, ready for trials at END.

    Attributes:
        heads, pairs: What it was made of.
        out: What every head writes at END.
        direct: What every head adds to the logit difference by itself, [layer head batch].
        right, wrong: Where before END the answers are named.
        answer: The logit difference.
        items: What the prompts choose among; None where they do not name their answers.
    """

    def __init__(self, heads: Heads, pairs: Pairs):
        self.heads, self.pairs, self.model = heads, pairs, heads.model
        self.device = torch.device(self.model.cfg.device)
        layers = range(heads.n_layers)
        sites = [Site("z", layer) for layer in layers]
        last = Site("resid_post", heads.n_layers - 1)
        tokens, self.end = pairs.clean.to(self.device), pairs.end.to(self.device)
        self.run = record(self.model, tokens, self.end, [*sites, last])
        rows = torch.arange(len(pairs), device=self.device)
        self.out = torch.stack(
            [
                torch.einsum(
                    "bhe,hed->hbd", heads.wiring.scaled(layer, self.run.kept[Site("z", layer)])[rows, self.end],
                    heads.wiring.out[layer],
                )
                for layer in layers
            ]
        )  # fmt: skip
        self.answers = answers_of(pairs, self.device)
        direction, _ = answer_direction(self.model, pairs.right, pairs.wrong)
        final = self.run.kept[last][rows, self.end].unsqueeze(1)
        scale = scale_of(self.model.ln_final, final)[:, 0]
        self._direction, self._scale = direction.unsqueeze(1), scale.unsqueeze(1)
        self.direct = torch.stack([self.along_answer(out) for out in self.out])
        self.right, self.wrong = self._where(pairs.right), self._where(pairs.wrong)
        self.answer = logit_diff(self.run.logits, self.answers)
        self.items = self._items() if bool((self.right.any(1) & self.wrong.any(1)).all()) else None
        named, chosen = self.right.float() - self.wrong.float(), self.items.tokens if self.items else None
        self._trials = Trials(self.model, self.run, self.answers, named, chosen)

    def along_answer(self, wrote: Float[Tensor, "some batch d_model"]) -> Float[Tensor, "some batch"]:
        """What something written at END adds to the logit difference by itself, the final norm's divisor as it was."""
        through = through_norm(self.model.ln_final, wrote.transpose(0, 1), self._scale)
        return (through * self._direction).sum(-1).T

    def _where(self, answers: tuple[tuple[int, ...], ...]) -> Bool[Tensor, "batch pos"]:
        """The positions before END that hold a token of the answer."""
        tokens = self.pairs.clean
        found = torch.stack([torch.isin(row, torch.tensor(ids)) for row, ids in zip(tokens, answers, strict=True)])
        before = torch.arange(tokens.shape[1]) < self.pairs.end.unsqueeze(1)
        return (found & before).to(self.device)

    def _items(self) -> Items:
        """The things that the prompts choose among."""
        tokens = self.run.tokens
        named = self.pairs.positions
        if self.pairs.task == "laundry_list":
            places = [named[f"ITEM{place + 1}"] for place in range(len([one for one in named if one.startswith("ITEM")]))]
            first = torch.stack(places, 1).to(self.device)
        else:
            first = torch.stack([self.right.int().argmax(1), self.wrong.int().argmax(1)], 1).sort(1).values
        ids = tokens.gather(1, first)
        before = torch.arange(tokens.shape[1], device=self.device) < self.end.view(-1, 1, 1)
        where = (tokens.unsqueeze(1) == ids.unsqueeze(-1)) & before
        return Items(ids, first, where, self.right.gather(1, first).int().argmax(1))

    @property
    def right_first(self) -> Bool[Tensor, "batch"]:
        """Whether the right answer is named before the wrong one."""
        return self.right.int().argmax(1) < self.wrong.int().argmax(1)

    def check_names(self, wrong: bool = True) -> None:
        """Raise BadInput unless every prompt names its right answer before END, and its wrong one too where asked."""
        lacking = ~(self.right.any(1) & (self.wrong.any(1) | (not wrong)))
        if lacking.any():
            which = "both answers" if wrong else "the right answer"
            raise BadInput(
                f"prompts must name {which}, for a reader to look at; {int(lacking.sum())} of "
                f"{len(self.pairs)} do not. Use a task like ioi or laundry_list."
            )

    def reader_after(self, layer: int, text: str = "") -> tuple[int, int]:
        """The head that is watched when one of a layer writes: the one named, or the later one that adds most to the answer.

        Raises:
            BadInput: When there is no such head, or it is not later.
        """
        heads = self.heads
        if text:
            reader = heads.named("reader", text)
            if reader[0] <= layer:
                raise BadInput(f"reader must be in a later layer than the writer's, {layer}; got {text}.")
            return reader
        if layer == heads.n_layers - 1:
            raise BadInput(f"channel must be of a head that a later one reads; got one of layer {layer}, the last.")
        best = int(self.direct[layer + 1 :].mean(-1).argmax())
        return layer + 1 + best // heads.n_heads, best % heads.n_heads

    def base(self, readers: Sequence[tuple[int, int]]) -> Outcome:
        """Nothing changed."""
        width = self.out.shape[-1]
        return self.outcome(0, torch.zeros(1, len(self.pairs), width, device=self.device, dtype=self.out.dtype), readers)

    def outcome(
        self,
        layer: int,
        moved: Float[Tensor, "variant batch d_model"],
        readers: Sequence[tuple[int, int]],
        answers: bool = True,
    ) -> Outcome:
        """What follows when attention of a layer adds something more at END.

        Args:
            layer: The writers' layer.
            moved: What is added.
            readers: (layer, head) of the heads that are watched.
            answers: Whether the answer is asked for too; else it and the items are NaN, and the last reader's layer is the last
                that is run.
        """

        def adding(some: slice, rows: Int[Tensor, "row"]) -> AbstractContextManager:
            added = moved[some][:, rows].flatten(0, 1).unsqueeze(1)
            return writing(self.model, {Site("attn_out", layer): lambda out: out + added})

        return self._trials.told(layer, len(moved), adding, readers, answers)

    def put(
        self,
        channels: Sequence[Channel],
        values: Float[Tensor, "variant batch channel"],
        readers: Sequence[tuple[int, int]],
        answers: bool = True,
    ) -> Outcome:
        """What follows when channels of one component each say these coordinates at END, whatever they would have said.

        Args:
            channels: The channels, of any layers.
            values: What each says.
            readers: (layer, head) of the heads that are watched.
            answers: As in `outcome`.
        """

        def saying(some: slice, rows: Int[Tensor, "row"]) -> AbstractContextManager:
            stack = ExitStack()
            for place, what in enumerate(channels):
                said = values[some][:, rows, place].flatten(0, 1).unsqueeze(-1)
                stack.enter_context(changing(self.heads, what, put(said.to(self.device))))
            return stack

        return self._trials.told(min(what.layer for what in channels), len(values), saying, readers, answers)
