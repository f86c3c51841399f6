"""Information-flow routes: how much of what each destination reads comes from each source. One clean run, no gradient."""

from typing import Any

import torch

from workbench import progress
from workbench.batches import counted_from
from workbench.edges.estimate import as_circuit, batches
from workbench.edges.scores import Tally, on_edges
from workbench.edges.wiring import Wiring
from workbench.graph import Readers
from workbench.methods.method import Method
from workbench.pairs import Pairs
from workbench.result import Circuit

TITLE = "Information-flow routes"


def run(model: Any, pairs: Pairs, *, readers: Readers = "query") -> Circuit:
    """A score for every edge: its source's share of the stream its destination reads, on clean prompts.

    Convention: proximity max(0, |X|₁ - |X - x|₁) of a contribution x to the stream X, over the sum of all sources'; the mean
    over positions. Between 0 and 1, and blind to the answer: it knows neither the metric nor the corrupt prompt. The
    queries, keys and values of a layer read one stream and score alike. Source: Ferrando & Voita 2024,
    https://arxiv.org/abs/2403.00824, eq. 2, on the edges of EAP-IG.

    Args:
        model: The model.
        pairs: Prompts; only the clean ones are run.
        readers: Keys and values read per 'query' head, or per 'key_value' head where several share one.
    Returns:
        Circuit over edge, in shares of the stream, mean ± 1 s.e. over prompts.
    Raises:
        BadInput: When the parameter is none of these.
    """
    wiring = Wiring(model, readers)
    graph, device = wiring.graph, model.cfg.device
    tally = Tally(graph.n_edges, len(pairs))
    with progress.bar(TITLE, len(pairs), unit="prompt") as bar:
        for some in batches(wiring, pairs):
            with counted_from(tally.count):
                run_, wrote = wiring.record(some.clean.to(device), some.end.to(device))
            for prompt in range(len(some)):
                rows, here = slice(prompt, prompt + 1), slice(0, int(some.lengths[prompt]))
                sources = wiring.vectors(wrote, rows, here)[0].float()
                scores = torch.zeros(1, *graph.edges.shape, device=sources.device)
                for layer in range(graph.n_layers):
                    heads, mlp = graph.seen_by_heads(layer), graph.seen_by_mlp(layer)
                    share = _shares(sources[:heads], run_.stream[layer][prompt, here].float())
                    for slot in ("q", "k", "v"):
                        scores[0, :heads, graph.slots(layer, slot)] = share.unsqueeze(1)
                    if graph.mlps:
                        read = wiring.mid(run_, layer)[prompt, here].float()
                        scores[0, :mlp, graph.slots(layer, "mlp")] = _shares(sources[:mlp], read).unsqueeze(1)
                scores[0, :, graph.logits] = _shares(sources, wiring.last(run_)[prompt, here].float())
                tally.add(on_edges(wiring, scores))
            bar.advance(len(some))
    notes = {"sign": "from 0 to 1: the source's share of the stream that the destination reads, whatever the answer"}
    return as_circuit(graph, TITLE, "share of the stream", tally.mean, tally.error, {}, notes, tally.each)


def _shares(sources: torch.Tensor, stream: torch.Tensor) -> torch.Tensor:
    """Each source's share of a stream, [src pos d_model] and [pos d_model] -> [src], the mean over positions."""
    near = (stream.abs().sum(-1) - (stream - sources).abs().sum(-1)).clamp(min=0)
    total = near.sum(0)
    # Where no source lies near the stream none has a share.
    return torch.where(total > 0, near / total.clamp(min=1e-30), 0.0).mean(-1)


METHOD = Method("ifr", TITLE, "Ferrando & Voita 2024, arXiv:2403.00824", run, kind="circuit")
