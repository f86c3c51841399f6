"""The engine: thousands of patched runs, sharing everything they have in common.

A sweep asks one question of many cells: what would the metric be, had this place in the base run held another value? The
naive answer is a whole forward pass per cell. This one does the least work that gives the same numbers:

1. The base run is kept: the residual stream entering every layer, and every layer's keys and values.
2. A patched run starts at its cell's layer, with the kept stream; the layers below are not run.
3. It starts at its cell's first position, with the kept keys and values of the positions before, which causal attention
   cannot change. Where the replacement comes from the other prompt, prompts are equal up to their first differing token,
   so cells before it need no run at all: their effect is zero by causality.
4. The final norm and unembedding see one position per prompt.
5. Cells of one layer run together, as many as `TOKENS` and the free memory allow. When memory runs out all the same, the
   batch is halved and the work goes on.

Finished batches are yielded as they come, and written to the ledger of the run, if it has one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from workbench import progress
from workbench.batches import halving
from workbench.errors import BadInput, NotFinite, one_of
from workbench.hooks import end_logits, stepping_in, writing
from workbench.metrics import Answers, Metric
from workbench.models.memory import as_many
from workbench.sites import HEADS, Site, hook_point, n_heads
from workbench.sweep.prefix import prefix_cache
from workbench.sweep.recorded import Run
from workbench.sweep.slots import Slots

# Tokens in one pass. On a CPU larger batches gain nothing once the matrices are this tall; a GPU needs more to be busy.
TOKENS = {"cpu": 1024, "cuda": 65536, "mps": 8192}
# What a pass costs beside its tokens (reading the weights, Python), in tokens: how much waste a shared pass is worth.
PASS_OVERHEAD = {"cpu": 48, "cuda": 4096, "mps": 512}


@dataclass(frozen=True)
class Cell:
    """One patched run: `None` means all layers, all positions, or all heads at once."""

    layer: int | None
    slot: int | None
    head: int | None


def cells_of(model: Any, site: str, by: Sequence[str], slots: Slots) -> list[Cell]:
    """Every cell of a grid, the last axis of (layer, head, pos) fastest.

    Raises:
        BadInput: When an axis is unknown, or the site has no heads.
    """
    for axis in by:
        one_of("by", axis, ("layer", "head", "pos"))
    if "head" in by and site not in HEADS:
        raise BadInput(f"site must have heads when by includes 'head'; got {site!r}. Use one of {', '.join(HEADS)}.")
    layers: Sequence[int | None] = range(model.cfg.n_layers) if "layer" in by else [None]
    heads: Sequence[int | None] = range(n_heads(model, site)) if "head" in by else [None]
    positions: Sequence[int | None] = range(len(slots.labels)) if "pos" in by else [None]
    return [Cell(layer, slot, head) for layer in layers for head in heads for slot in positions]


def sweep(
    model: Any,
    base: Run,
    site: str,
    cells: Sequence[Cell],
    slots: Slots,
    replacement: dict[int, Tensor],
    same_before: Int[Tensor, "batch"],
    metric: Metric,
    answers: Answers,
    label: str,
) -> Iterator[tuple[list[int], Float[np.ndarray, "cell batch"]]]:
    """Yield the metric of every patched run, batch by batch: the cells' indices, and a number per cell and prompt.

    Args:
        model: The model.
        base: The run to patch, as `record` keeps it.
        site: Where to patch.
        cells: What to patch, one run each.
        slots: Where the cells' slots lie.
        replacement: By layer, what to put in, shaped as the site's activation in the base run.
        same_before: Per prompt, the first position at which the replacement may differ from the base run.
        metric: What to measure.
        answers: What the metric compares, per prompt of the base run.
        label: Name of the work, for the progress bar and the ledger.
    Raises:
        NotFinite: When a patched run gives a NaN or an infinity, naming the cell and the prompt.
        Stopped: Within one batch of being asked to.
    """
    engine = _Engine(model, base, site, slots, replacement, same_before, metric, answers)
    idle = [index for index, cell in enumerate(cells) if engine.is_idle(cell)]
    if idle:
        yield idle, engine.base_values().expand(len(idle), -1).cpu().double().numpy()
    skip = set(idle)
    batches = engine.plan([(index, cell) for index, cell in enumerate(cells) if index not in skip])
    with progress.bar(label, sum(map(len, batches)), unit="cell") as bar:
        for batch in batches:
            name = f"{label}/{site}/{batch[0][0]}-{batch[-1][0]}-{len(batch)}"
            values = progress.remembered(
                name, lambda batch=batch: engine.run([cell for _, cell in batch]).cpu().double().numpy()
            )
            yield [index for index, _ in batch], values
            bar.advance(len(batch))


def planned(
    model: Any,
    tokens: Int[Tensor, "batch pos"],
    end: Int[Tensor, "batch"],
    site: str,
    cells: Sequence[Cell],
    slots: Slots,
    same_before: Int[Tensor, "batch"],
) -> list[tuple[int, int, int]]:
    """The passes that `sweep` will take, without running any: the layer at which each starts, its tokens, and its cells."""
    batch, length = tokens.shape
    weight = next(model.parameters())
    bare = Run(tokens, end, weight.new_empty((batch, 0)), [weight.new_empty((batch, length, 0))], {}, [])
    engine = _Engine(model, bare, site, slots, {}, same_before, None, None)
    wanted = [(index, cell) for index, cell in enumerate(cells) if not engine.is_idle(cell)]
    passes = []
    for part in engine.plan(wanted):
        start = min(engine.first_position(cell) for _, cell in part)
        passes.append((part[0][1].layer or 0, len(part) * batch * (length - start), len(part)))
    return passes


def bytes_of(model: Any, tokens: Int[Tensor, "batch pos"], most: int) -> int:
    """Bytes that a sweep holds beyond the model: what it keeps of two runs, and its largest pass, of `most` tokens."""
    batch, length = tokens.shape
    cfg, size = model.cfg, next(model.parameters()).element_size()
    kept = 2 * cfg.n_layers * batch * length * 4 * cfg.d_model * size
    return int(kept + most * bytes_per_token(model, length))


def bytes_per_token(model: Any, length: int) -> int:
    """Bytes that a token takes at most in a pass without gradients, over prompts of so many tokens."""
    cfg = model.cfg
    width = 4 * (cfg.d_mlp or 0) + 12 * cfg.d_model + 4 * cfg.n_heads * length
    return width * next(model.parameters()).element_size() + 8 * cfg.d_vocab // length


def tokens_at_once(model: Any, length: int, most: Mapping[str, int]) -> int:
    """How many tokens to take in one pass: by device at most so many, and as many as free memory allows."""
    device = torch.device(model.cfg.device)
    return as_many(most.get(device.type, most["cpu"]), bytes_per_token(model, length), str(device))


class _Engine:
    """One sweep's shared state: the base run and how to start anywhere in it."""

    def __init__(self, model, base, site, slots, replacement, same_before, metric, answers):
        self.model, self.base, self.site, self.metric, self.answers = model, base, site, metric, answers
        self.replacement = replacement
        self.batch, self.length = base.tokens.shape
        self.device = base.tokens.device
        self.slots = slots.index.to(self.device)
        self.same_before = same_before.to(self.device)
        # On the host, since the plan asks for them cell by cell.
        self._slot_starts = slots.index.min(1).values.tolist()
        self._start = int(same_before.min())
        self._idle_slots = (slots.index < same_before.cpu()).all(1).tolist()

    def base_values(self) -> Float[Tensor, "batch"]:
        return self.metric.measure(self.base.logits, self.answers)

    def is_idle(self, cell: Cell) -> bool:
        """Whether causality alone says that the cell changes nothing, in any prompt."""
        return cell.slot is not None and self._idle_slots[cell.slot]

    def first_position(self, cell: Cell) -> int:
        """The first position at which the patched run may differ from the base run, in any prompt."""
        return self._start if cell.slot is None else max(self._start, self._slot_starts[cell.slot])

    def plan(self, numbered: list[tuple[int, Cell]]) -> list[list[tuple[int, Cell]]]:
        """Batches of cells that start together; a later start joins an earlier one where that costs less than a pass."""
        kind = self.device.type
        overhead, most = PASS_OVERHEAD.get(kind, 48), self.most_tokens()
        by_start = sorted(numbered, key=lambda item: (item[1].layer or 0, self.first_position(item[1]), item[0]))
        batches: list[list[tuple[int, Cell]]] = []
        opened: tuple[int, int] | None = None
        for index, cell in by_start:
            layer, start = cell.layer or 0, self.first_position(cell)
            if opened and batches and opened[0] == layer:
                waste = (start - opened[1]) * self.batch
                tokens = (len(batches[-1]) + 1) * self.batch * (self.length - opened[1])
                if tokens <= most and waste <= overhead:
                    batches[-1].append((index, cell))
                    continue
            opened = (layer, start)
            batches.append([(index, cell)])
        return batches

    def most_tokens(self) -> int:
        """Tokens that one pass may hold."""
        return max(tokens_at_once(self.model, self.length, TOKENS), self.batch * self.length)

    def run(self, cells: list[Cell]) -> Float[Tensor, "cell batch"]:
        """The metric of each cell; halves the batch when memory runs out."""
        return halving(self._run, cells)

    def _run(self, cells: list[Cell]) -> Float[Tensor, "cell batch"]:
        layer, start = cells[0].layer or 0, min(map(self.first_position, cells))
        prompts = torch.arange(self.batch, device=self.device).repeat(len(cells))
        stream = self.base.stream[layer][:, start:].repeat(len(cells), 1, 1)
        layers = range(self.model.cfg.n_layers) if cells[0].layer is None else [layer]
        writes = {Site(self.site, each): self._writer(cells, each, start) for each in layers}
        cache = self._prefix(start, len(cells))
        # The stream goes in first, so that a patch of the residual stream at this very layer comes on top of it.
        with torch.no_grad(), stepping_in(self.model, layer, stream), writing(self.model, writes):
            logits = end_logits(
                self.model, self.base.tokens[prompts, start:], self.base.end[prompts] - start,
                past_key_values=cache, use_cache=cache is not None,
            )  # fmt: skip
        values = self.metric.measure(logits, self.answers.rows(prompts)).view(len(cells), self.batch)
        self._check(values, cells)
        return values

    def _prefix(self, start: int, cells: int) -> Any:
        """The keys and values of the positions before `start`, of every layer, as transformers' own cache object."""
        if start == 0:
            return None
        return prefix_cache([(keys[:, :, :start], values[:, :, :start]) for keys, values in self.base.cache], cells)

    def _writer(self, cells: list[Cell], layer: int, start: int) -> Callable[[Tensor], Tensor]:
        """Put the replacement in at each cell's rows, positions and heads, leaving all else as the run has it."""
        rows = torch.arange(len(cells) * self.batch, device=self.device).view(len(cells), self.batch)
        prompts = torch.arange(self.batch, device=self.device).expand(len(cells), self.batch)
        with_slots, with_heads = cells[0].slot is not None, cells[0].head is not None
        there: Any = slice(start, None)
        here: Any = slice(None)
        if with_slots:
            there = self.slots[[cell.slot for cell in cells]]
            here = there - start
        head: Any = slice(None)
        if with_heads:
            head = torch.tensor([cell.head for cell in cells], device=self.device).unsqueeze(1)
        head_last = self.site in HEADS
        source = self.replacement[layer]
        if self.site == "pattern":
            source = source.transpose(1, 2)

        def write(activation: Tensor) -> Tensor:
            patched = activation.transpose(1, 2).clone() if self.site == "pattern" else activation.clone()
            if head_last:
                patched[rows, here, head] = source[prompts, there, head].to(patched.dtype)
            else:
                patched[rows, here] = source[prompts, there].to(patched.dtype)
            return patched.transpose(1, 2) if self.site == "pattern" else patched

        return write

    def _check(self, values: Float[Tensor, "cell batch"], cells: list[Cell]) -> None:
        finite = torch.isfinite(values)
        if not finite.all():
            at, prompt = (~finite).nonzero()[0].tolist()
            cell = cells[at]
            place = f"{self.site} of layer {'0 and up' if cell.layer is None else cell.layer}"
            place += "" if cell.head is None else f", head {cell.head}"
            raise NotFinite(
                f"activations must be finite; got a NaN or an infinity after patching {place}, prompt {prompt + 1}. Load "
                "the model with a wider dtype (dtype='float32')."
            )


def available(model: Any, site: str) -> None:
    """Raise BadInput when the model has no such site."""
    hook_point(model, Site(site, 0))
