"""Trials at END of a recorded run: only END is run again, from a layer on, with the kept keys and values before it."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from workbench.batches import halving
from workbench.errors import BadInput
from workbench.hooks import Enough, end_logits, hooked, stepping_in
from workbench.metrics import Answers, logit_diff
from workbench.models.memory import as_many
from workbench.sites import Site, hook_point
from workbench.sweep import Run, bytes_per_token, prefix_cache

# Which variants, which prompts -> the context in which END says what they say, a row per variant and prompt.
Change = Callable[[slice, Int[Tensor, "row"]], AbstractContextManager]
# Trials (a variant on a prompt) in one pass: each is one token.
TRIALS = {"cpu": 2048, "cuda": 65536, "mps": 8192}


def variants_at_once(model: Any, prompts: int, length: int) -> int:
    """How many variants of END go through one pass together, on all prompts.

    Args:
        model: The model.
        prompts: How many there are.
        length: Their tokens.
    """
    device, cfg = torch.device(model.cfg.device), model.cfg
    # Beside the pass of one token, the keys and values of all positions before it.
    each = bytes_per_token(model, 1) + 4 * length * (cfg.n_heads * cfg.d_head + 4 * cfg.n_heads)
    return max(1, as_many(TRIALS.get(device.type, 2048), 2 * each, str(device)) // prompts)


@dataclass(frozen=True, eq=False)
class Outcome:
    """Of some variants of END: the answer, and where chosen heads then look.

    Attributes:
        answer: Logit difference.
        leaning: Attention of each reader to the right answer's tokens minus that to the wrong one's.
        attention: Attention of each reader from END; 0 behind END.
        items: Logits of the bench's items.
    """

    answer: Float[Tensor, "variant batch"]
    leaning: Float[Tensor, "variant reader batch"]
    attention: Float[Tensor, "variant reader batch pos"]
    items: Float[Tensor, "variant batch item"]


@dataclass(frozen=True, eq=False)
class Trials:
    """A recorded run, of which END can be run again.

    Attributes:
        model: The model.
        run: Its clean run.
        answers: What the logit difference compares.
        named: +1 where before END the right answer is named, -1 where the wrong one is.
        items: Tokens whose logits are told too; None for none.
    """

    model: Any
    run: Run
    answers: Answers
    named: Float[Tensor, "batch pos"]
    items: Int[Tensor, "batch item"] | None

    def told(self, layer: int, variants: int, change: Change, readers: Sequence[tuple[int, int]], answers: bool) -> Outcome:
        """The outcome of variants from a layer on, as many in a pass as memory takes.

        Args:
            layer: The first that is run.
            variants: How many.
            change: Says what END says in them.
            readers: (layer, head) of the heads that are watched.
            answers: Whether the answer is asked for too; else it and the items are NaN.
        Raises:
            BadInput: When a reader stands before the layer.
        """
        for at, head in readers:
            if at < layer:
                raise BadInput(f"a reader must stand at or after the writer's layer {layer}; got {at}.{head}.")
        most = variants_at_once(self.model, *self.run.tokens.shape)
        found = []
        for first in range(0, variants, most):
            # All numbers as one tensor, so that a trial that finds no memory can be halved.
            found.append(
                halving(
                    lambda some: self._outcome(layer, slice(some.start, some.stop), change, readers, answers),
                    range(first, min(variants, first + most)),
                )
            )
        whole = torch.cat(found)
        count, length = self._n_items, self.run.tokens.shape[1]
        answer, items, looks = whole.split([1, count, len(readers) * length], -1)
        attention = looks.unflatten(-1, (len(readers), length)).transpose(1, 2)
        leaning = (attention * self.named).sum(-1)
        return Outcome(answer[..., 0], leaning, attention, items)

    @property
    def _n_items(self) -> int:
        return 0 if self.items is None else self.items.shape[1]

    def _outcome(
        self, layer: int, some: slice, change: Change, readers: Sequence[tuple[int, int]], answers: bool
    ) -> Float[Tensor, "variant batch number"]:
        """The logit difference, the items' logits, and every reader's attention, one after the other."""
        numbers = 1 + self._n_items + len(readers) * self.run.tokens.shape[1]
        made = torch.zeros(some.stop - some.start, len(self.run.tokens), numbers, device=self.run.tokens.device)
        # Prompts whose END is at one place share their prefix's length.
        for end in self.run.end.unique().tolist():
            rows = torch.nonzero(self.run.end == end).flatten()
            with change(some, rows):
                made[:, rows] = self._at(layer, len(made), readers, rows, end, answers)
        return made

    def _at(
        self, layer: int, variants: int, readers: Sequence[tuple[int, int]], rows: Int[Tensor, "row"], end: int, answers: bool
    ) -> Float[Tensor, "variant batch number"]:
        prompts = rows.repeat(variants)
        cache = None
        if end:
            cache = prefix_cache([(keys[rows, :, :end], values[rows, :, :end]) for keys, values in self.run.cache], variants)
        stream = self.run.stream[layer][rows, end : end + 1].repeat(variants, 1, 1)
        tokens = self.run.tokens[prompts, end : end + 1]
        here = torch.zeros(len(tokens), dtype=torch.long, device=self.run.tokens.device)
        watched = {at for at, _ in readers}
        seen: dict[int, Tensor] = {}

        def keeper(at: int):
            def keep(pattern: Tensor) -> None:
                seen[at] = pattern[:, :, -1].detach().float()
                if not answers and at == max(watched):
                    raise Enough

            return keep

        logits = None
        with torch.no_grad(), suppress(Enough), ExitStack() as stack:
            stack.enter_context(stepping_in(self.model, layer, stream))
            for at in watched:
                stack.enter_context(hooked(hook_point(self.model, Site("pattern", at)), keeper(at)))
            logits = end_logits(self.model, tokens, here, past_key_values=cache, use_cache=cache is not None)
        looks = torch.zeros(len(prompts), len(readers), self.run.tokens.shape[1], device=self.run.tokens.device)
        for place, (at, head) in enumerate(readers):
            looks[:, place, : end + 1] = seen[at][:, head]
        told = torch.full((len(prompts), 1 + self._n_items), torch.nan, device=self.run.tokens.device)
        if logits is not None:
            told[:, 0] = logit_diff(logits, self.answers.rows(prompts))
            if self.items is not None:
                told[:, 1:] = logits.float().gather(-1, self.items[prompts])
        return torch.cat([told, looks.flatten(1)], 1).view(variants, len(rows), -1)
