"""Runs of circuits: every destination reads its circuit's edges as they are in this run, and all others ablated.

The input of a destination v is  base(v) + sum over kept edges u -> v of (what u writes in this run - what u writes ablated),
where base(v) is the stream with every source ablated. So no edge kept gives the ablated run, and all kept the clean one.
Many circuits run together, as rows beside the prompts. Where the ablation is the corrupt prompt, positions before the first
difference need no run: there the two are equal.

Source: the interventions of EAP-IG and MIB (Hanna et al. 2024, https://arxiv.org/abs/2403.17806).
"""

import copy
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from functools import cached_property, partial
from typing import Any, Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from workbench import progress
from workbench.batches import halving
from workbench.edges.blocks import blocks, bytes_kept
from workbench.edges.contributions import Contributions
from workbench.edges.wiring import Stream, Wiring, Writes
from workbench.effects import mean_of
from workbench.errors import BadInput, one_of
from workbench.graph import SLOTS
from workbench.hooks import end_logits, hooked, stepping_in
from workbench.metrics import answers_of, metric_named
from workbench.models.memory import free_memory, gigabytes
from workbench.pairs import Pairs
from workbench.sites import Site, hook_point
from workbench.sweep import Run, first_difference, prefix_cache

Ablation = Literal["corrupt", "mean", "zero"]


Masks = Bool[Tensor, "circuit src dst"] | Float[Tensor, "circuit src dst"] | Bool[Tensor, "circuit pos src dst"]


class Circuits:
    """A model, its pairs and an ablation, recorded once; then any number of circuits can be run.

    Attributes:
        wiring, pairs: What it was made of.
        clean, corrupt: The metric per prompt of the two runs.
        ablated: What every source writes when ablated.
    """

    def __init__(self, wiring: Wiring, pairs: Pairs, metric: str = "logit_diff", ablation: str = "corrupt"):
        one_of("ablation", ablation, get_args(Ablation))
        if ablation == "mean" and len(pairs) < 2:
            raise BadInput(
                "ablation 'mean' must have at least 2 pairs, of those that are run together; got 1. Make more pairs, or use "
                "'corrupt'."
            )
        self.wiring, self.pairs, self.metric, self.ablation = wiring, pairs, metric_named(metric), ablation
        model = wiring.model
        self.device = torch.device(model.cfg.device)
        self._check_fits()
        self.end = pairs.end.to(self.device)
        clean_run, clean = wiring.record(pairs.clean.to(self.device), self.end)
        corrupt_run, corrupt = wiring.record(pairs.corrupt.to(self.device), self.end)
        self.answers = answers_of(pairs, self.device, clean_run.logits)
        self.clean = self.metric.measure(clean_run.logits, self.answers)
        self.corrupt = self.metric.measure(corrupt_run.logits, self.answers)
        self.clean_run, self.clean_writes, self.corrupt_writes = clean_run, clean, corrupt
        kinds = {"corrupt": lambda value: value, "mean": lambda value: mean_of(pairs, value), "zero": torch.zeros_like}
        self.ablated = corrupt.each(kinds[ablation])
        self.base = self._base(corrupt_run, corrupt)
        self.below = clean
        self.last = wiring.last(clean_run)
        self.start = int(first_difference(pairs).min()) if ablation == "corrupt" else 0

    def _check_fits(self) -> None:
        """Raise BadInput where the two recorded runs alone would not fit."""
        needed = bytes_kept(self.wiring, self.pairs.clean.numel())
        free = free_memory(str(self.device))
        if needed > free:
            raise BadInput(
                f"runs of circuits must fit into free memory; got {gigabytes(needed)} to keep of {len(self.pairs)} pairs, and "
                f"{gigabytes(free)} is free on {self.device}. Use fewer pairs, or dtype='bfloat16'."
            )

    def _base(self, run: Run, wrote: Writes) -> dict[Any, Tensor]:
        """The stream with every source ablated, as it enters ('attn', layer), ('mlp', layer) and 'logits'."""
        wiring, layers = self.wiring, range(self.wiring.graph.n_layers)
        shift = torch.zeros_like(run.stream[0])
        if self.ablation != "corrupt":
            shift = self.ablated.embed - wrote.embed
        base: dict[Any, Tensor] = {}
        for layer in layers:
            base["attn", layer] = run.stream[layer] + shift
            entering = shift
            if self.ablation != "corrupt":
                shift = shift + wiring.heads(layer, self.ablated.z[layer] - wrote.z[layer]).sum(1)
            if wiring.graph.mlps:
                base["mlp", layer] = wiring.mid(run, layer) + (entering if wiring.graph.parallel else shift)
                if self.ablation != "corrupt":
                    shift = shift + self.ablated.mlp[layer] - wrote.mlp[layer]
        base["logits"] = wiring.last(run) + shift
        return base

    @cached_property
    def empty(self) -> Float[Tensor, "batch"]:
        """The metric per prompt with every edge ablated."""
        if self.ablation == "corrupt":
            return self.corrupt
        return self.measure(torch.zeros(1, *self.wiring.graph.edges.shape, dtype=torch.bool))[0]

    def mid(self, layer: int) -> Stream:
        """The stream that the MLP of a layer reads in the clean run."""
        return self.wiring.mid(self.clean_run, layer)

    def resting_on(self, mask: Bool[np.ndarray, "src dst"]) -> "Circuits":
        """The same, for circuits that all are `mask` below the layer they are measured from; as it stands, the whole."""
        made = copy.copy(self)
        made.below = self.clean_writes.each(torch.clone)
        with torch.no_grad():
            for _, rows in self.blocks(1):
                self.run(stacked([mask]), rows, keep=made.below)
        return made

    def measure(self, masks: Tensor, from_layer: int = 0, label: str | None = None) -> Float[Tensor, "circuit batch"]:
        """The metric of every circuit on every prompt.

        Args:
            masks: Which edges each circuit keeps: [circuit src dst], or [circuit pos src dst] by the position of reading.
                Floats between 0 and 1 keep that share of an edge.
            from_layer: Below this layer every circuit is known to be whole, or what these rest on, and is not run there.
            label: Name of the work for its progress bar; None for none.
        """
        if masks.shape[-2:] != self.wiring.graph.edges.shape:
            raise BadInput(
                f"a circuit must be of this model's graph, {self.wiring.graph.edges.shape}; got one of "
                f"{tuple(masks.shape[-2:])}. Circuits of another model, or with other readers, do not fit."
            )
        batch = len(self.pairs)
        values = torch.empty(len(masks), batch, device=self.device)
        with nullcontext() if label is None else progress.bar(label, len(masks) * batch, unit="run") as bar, torch.no_grad():
            for circuits, rows in self.blocks(len(masks)):
                work = partial(self._measured, masks[circuits], rows, from_layer)
                found = work() if label is None else progress.remembered(f"{label}/{_named(masks[circuits], rows)}", work)
                values[circuits, rows] = torch.as_tensor(found, device=self.device, dtype=values.dtype)
                if bar is not None:
                    bar.advance((circuits.stop - circuits.start) * (rows.stop - rows.start))
        return values

    def _measured(self, masks: Tensor, rows: slice, from_layer: int) -> Float[np.ndarray, "circuit batch"]:
        """A block; where memory runs out, of half its prompts, and of half its circuits where there is one prompt."""

        def on(part: range) -> Tensor:
            here = slice(part.start, part.stop)
            if len(part) > 1:
                return self.run(masks, here, from_layer)
            return halving(lambda some: self.run(masks[some.start : some.stop], here, from_layer), range(len(masks)))

        return halving(on, range(rows.start, rows.stop), dim=1).double().cpu().numpy()

    def blocks(self, n_circuits: int) -> Iterator[tuple[slice, slice]]:
        """Circuits and prompts that run together within the budget."""
        yield from blocks(self.wiring, len(self.pairs), self.pairs.clean.shape[1] - self.start, n_circuits)

    def run(
        self, masks: Tensor, rows: slice, from_layer: int = 0, keep: Writes | None = None
    ) -> Float[Tensor, "circuit batch"]:
        """One pass; differentiable in float masks where gradients are enabled. `keep` takes what a circuit's sources wrote."""
        wiring, here = self.wiring, slice(self.start, None)
        graph, model = wiring.graph, self.wiring.model
        masks = masks.to(self.device, self.base["logits"].dtype)
        circuits, batch = len(masks), rows.stop - rows.start
        ablated = self.ablated.each(lambda value: value[rows, here])
        if masks.ndim == 4:
            masks = masks[:, here]
        current = Contributions(masks.requires_grad)

        def gathered(seen: int, slots: slice, base: Tensor) -> Float[Tensor, "row pos dst d_model"]:
            moved = current.gathered(masks[..., :seen, slots])
            return (base[rows, here].unsqueeze(2) + moved).flatten(0, 1)

        def wrote(layer: int, z: Tensor) -> None:
            scaled = wiring.scaled(layer, z).unflatten(0, (circuits, batch))
            if keep is not None:
                keep.z[layer][rows, here] = scaled[0]
            moved = (scaled - ablated.z[layer]).flatten(0, 1)
            current.append(wiring.heads(layer, moved).unflatten(0, (circuits, batch)))

        def mlp_wrote(layer: int, added: Tensor) -> None:
            if keep is not None:
                keep.mlp[layer][rows, here] = added
            current.append((added.unflatten(0, (circuits, batch)) - ablated.mlp[layer]).unsqueeze(2))

        below = self.below.each(lambda value: value[rows, here])
        moved = (below.embed - ablated.embed).unsqueeze(1)
        current.append(moved.expand(circuits, *moved.shape))
        for layer in range(from_layer):
            moved = wiring.heads(layer, below.z[layer] - ablated.z[layer])
            current.append(moved.expand(circuits, *moved.shape))
            if graph.mlps:
                moved = (below.mlp[layer] - ablated.mlp[layer]).unsqueeze(1)
                current.append(moved.expand(circuits, *moved.shape))

        # Of the layer that is run: queries, keys and values are gathered together.
        inputs: dict[str, Tensor] = {}

        def reader(layer: int, slot: str) -> Callable[[Tensor], Tensor]:
            def read(_: Tensor) -> Tensor:
                if slot == "mlp":
                    stream = gathered(graph.seen_by_mlp(layer), graph.slots(layer, slot), self.base["mlp", layer])
                    return wiring.norm(layer, slot).original_component(stream.squeeze(2))
                if slot == "q":
                    slots = [graph.slots(layer, name) for name in SLOTS]
                    streams = gathered(
                        graph.seen_by_heads(layer), slice(slots[0].start, slots[-1].stop), self.base["attn", layer]
                    )
                    sizes = [each.stop - each.start for each in slots]
                    inputs.update(zip(SLOTS, streams.split(sizes, 2), strict=True))
                return wiring.given(slot, wiring.project(layer, slot, inputs.pop(slot)))

            return read

        def final(_: Tensor) -> Tensor:
            return gathered(graph.n_sources, slice(graph.logits, graph.logits + 1), self.base["logits"]).squeeze(2)

        tokens, end = self.pairs.clean.to(self.device)[rows, here], self.end[rows] - self.start
        cache = None
        if self.start:
            kept = [(k[rows, :, : self.start], v[rows, :, : self.start]) for k, v in self.clean_run.cache]
            cache = prefix_cache(wiring.repeated(kept), circuits)
        stream = self.clean_run.stream[from_layer][rows, here].repeat(circuits, 1, 1)
        with wiring.reading(), ExitStack() as stack:
            stack.enter_context(stepping_in(model, from_layer, stream))
            for layer in range(from_layer, graph.n_layers):
                for slot in SLOTS:
                    stack.enter_context(hooked(hook_point(model, Site(slot, layer)), reader(layer, slot)))
                stack.enter_context(_seen(model, Site("z", layer), lambda z, layer=layer: wrote(layer, z)))
                if graph.mlps:
                    stack.enter_context(hooked(hook_point(model, Site("mlp_in", layer)), reader(layer, "mlp")))
                    stack.enter_context(_seen(model, Site("mlp_out", layer), lambda out, layer=layer: mlp_wrote(layer, out)))
            stack.enter_context(hooked(hook_point(model, Site("resid_post", graph.n_layers - 1)), final))
            logits = end_logits(
                model, tokens.repeat(circuits, 1), end.repeat(circuits), past_key_values=cache, use_cache=cache is not None
            )
        prompts = torch.arange(rows.start, rows.stop, device=self.device).repeat(circuits)
        return self.metric.measure(logits, self.answers.rows(prompts)).view(circuits, batch)


def _named(masks: Tensor, rows: slice) -> str:
    """A name of what is run, for the ledger."""
    return progress.digest(masks.cpu().numpy().tobytes(), rows.start, rows.stop)


def _seen(model: Any, site: Site, see: Callable[[Tensor], None]) -> Any:
    return hooked(hook_point(model, site), see)


def stacked(masks: Any) -> Bool[Tensor, "circuit *pos src dst"]:
    """Circuits, each a numpy mask, as one tensor."""
    return torch.from_numpy(np.stack(list(masks)))
