"""One run in which sources and edges are replaced, each by its own value, from the first layer that is touched.

Everything is an ordinary pass of the model but for the places touched: a source that is replaced writes its value to the
stream, and the input of a destination whose edge is replaced is moved by the value less what the source wrote in this run.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from workbench.edges.wiring import Stream, Wiring, Writes
from workbench.graph import SLOTS
from workbench.hooks import check_finite, end_logits, hooked, stepping_in
from workbench.metrics import Answers
from workbench.pairs import Pairs
from workbench.sites import Site, hook_point


@dataclass(frozen=True, eq=False)
class Recorded:
    """The clean and the corrupt run of some pairs, kept for any number of interventions; holds nothing of the model.

    Attributes:
        pairs: The prompts.
        metric, readers: As they were asked for.
        stream: What enters each layer on clean.
        clean, corrupt: What every source writes.
        logits: Of the clean run.
        answers: What the metric compares.
    """

    pairs: Pairs
    metric: str
    readers: str
    stream: list[Stream]
    clean: Writes
    corrupt: Writes
    logits: Float[Tensor, "batch vocab"]
    answers: Answers


class ReplacedRun:
    """A pass over the clean prompts of what was recorded.

    Args:
        wiring: The model.
        base: The runs it starts from.
        nodes: By source, what it writes instead.
        edges: By source and destination, what the destination reads of the source instead.
    """

    def __init__(
        self,
        wiring: Wiring,
        base: Recorded,
        nodes: Mapping[int, Stream],
        edges: Mapping[tuple[int, int], Stream],
    ):
        self.wiring, self.base, self.nodes = wiring, base, nodes
        graph = wiring.graph
        self.into: dict[tuple[int, str], dict[int, list[tuple[int, Stream]]]] = defaultdict(lambda: defaultdict(list))
        for (src, dst), value in edges.items():
            layer, slot, reader = graph.place(graph.destinations[dst])
            self.into[layer, slot][reader].append((src, value))
        # What is written in this run by sources that are replaced somewhere.
        self.wrote = {src: wiring.written(base.clean, src) for src in {*nodes, *(src for src, _ in edges)}}
        touched = [max(0, graph.place(graph.sources[src])[0]) for src in nodes] + [layer for layer, _ in self.into]
        self.first = min(*touched, graph.n_layers - 1)
        self.entering: dict[int, Stream] = {}
        self.added: dict[int, Stream] = {}

    def logits(self) -> Float[Tensor, "batch vocab"]:
        """The logits where the metric reads."""
        wiring, base, model = self.wiring, self.base, self.wiring.model
        graph, device = wiring.graph, model.cfg.device
        stream = base.stream[self.first]
        if 0 in self.nodes:
            stream = stream + self.nodes[0] - self.wrote[0]
            self.wrote[0] = self.nodes[0]
        with wiring.reading(), ExitStack() as stack:
            stack.enter_context(stepping_in(model, self.first, stream))
            for layer in range(self.first, graph.n_layers):
                for name, write in self._writes(layer):
                    stack.enter_context(hooked(hook_point(model, Site(name, layer)), write))
            tokens, end = base.pairs.clean.to(device), base.pairs.end.to(device)
            logits = end_logits(model, tokens, end)
        check_finite({}, logits)
        return logits

    def _writes(self, layer: int) -> list[tuple[str, Callable[[Tensor], Tensor | None]]]:
        """The hooks of a layer, in the order they are to be set."""
        graph, heads = self.wiring.graph, self.wiring.graph.heads(layer)
        made: list[tuple[str, Callable[[Tensor], Tensor | None]]] = []
        mlp = graph.mlp(layer) if graph.mlps else -1
        if any((layer, slot) in self.into for slot in (*SLOTS, "mlp")):
            made.append(("resid_pre", lambda stream: self.entering.__setitem__(layer, stream)))
        made += [(slot, self._reading(layer, slot)) for slot in SLOTS if (layer, slot) in self.into or slot != "q"]
        written = [src for src in self.wrote if heads.start <= src < heads.stop]
        if written:
            made.append(("z", lambda z: self._keep_heads(layer, z, written)))
            made.append(("attn_out", lambda added: self._replace_heads(added, written)))
        if (layer, "mlp") in self.into:
            made.append(("attn_out", lambda added: self.added.__setitem__(layer, added)))
            made.append(("mlp_in", lambda _: self._mlp_in(layer)))
        if mlp in self.wrote:
            made.append(("mlp_out", lambda added: self._replace_mlp(added, mlp)))
        if layer == graph.n_layers - 1 and (graph.n_layers, "logits") in self.into:
            made.append(("resid_post", lambda stream: stream + self._moved(graph.n_layers, "logits", 0)))
        return made

    def _moved(self, layer: int, slot: str, reader: int) -> Stream:
        """How far the input of a destination is moved by the edges replaced."""
        return sum(value - self.wrote[src] for src, value in self.into[layer, slot][reader])

    def _reading(self, layer: int, slot: str) -> Callable[[Tensor], Tensor]:
        """Queries, keys or values, one per reader, those of moved inputs computed anew."""
        wiring = self.wiring
        wanted = wiring.graph.n_heads if slot == "q" else wiring.graph.n_readers
        readers = self.into.get((layer, slot), {})

        def read(activation: Tensor) -> Tensor:
            given = activation.repeat_interleave(wanted // activation.shape[2], 2)
            weight, bias = wiring.projections[layer][slot]
            for reader in readers:
                normed = wiring.norm(layer, slot).original_component(self.entering[layer] + self._moved(layer, slot, reader))
                head = reader // (wanted // len(weight))
                projected = normed @ weight[head]
                given[:, :, reader] = projected if bias is None else projected + bias[head]
            return wiring.given(slot, given)

        return read

    def _mlp_in(self, layer: int) -> Tensor:
        stream = self.entering[layer] if self.wiring.graph.parallel else self.entering[layer] + self.added[layer]
        return self.wiring.norm(layer, "mlp").original_component(stream + self._moved(layer, "mlp", 0))

    def _keep_heads(self, layer: int, z: Float[Tensor, "batch pos head d_head"], written: Sequence[int]) -> None:
        scaled, first = self.wiring.scaled(layer, z), self.wiring.graph.heads(layer).start
        for src in written:
            self.wrote[src] = scaled[:, :, src - first] @ self.wiring.out[layer][src - first]

    def _replace_heads(self, added: Stream, written: Sequence[int]) -> Stream:
        for src in written:
            if src in self.nodes:
                added = added + self.nodes[src] - self.wrote[src]
                self.wrote[src] = self.nodes[src]
        return added

    def _replace_mlp(self, added: Stream, mlp: int) -> Stream:
        self.wrote[mlp] = self.nodes.get(mlp, added)
        return self.wrote[mlp]
