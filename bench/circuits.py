"""Circuits: edge scores against the library's, against exact patching, and against circuits that are known."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.timing import beyond_bytes, timed
from workbench.edges.measure import auroc, framed, measured
from workbench.edges.run import Circuits
from workbench.edges.wiring import Wiring
from workbench.known import known_names, known_pairs, wired
from workbench.methods import METHODS
from workbench.metrics import METRICS, answers_of
from workbench.models import load
from workbench.pairs import Pairs, pairs_from_ids
from workbench.select import SHARES, top

ESTIMATES = ("eap", "eap_ig", "eap_relp")
# A fixed sample of edges of the real model, patched exactly.
SAMPLE = 400


def gpt2_shape(folder: Path) -> Path:
    """A model of GPT-2 small's shape with random weights, in the hub's format."""
    from transformers import GPT2Config, GPT2LMHeadModel

    from tests.families import tokenizer

    torch.manual_seed(0)
    GPT2LMHeadModel(GPT2Config()).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def random_pairs(model: Any, n: int = 2, length: int = 15) -> Pairs:
    """Random tokens, clean and corrupt differing at one position."""
    made = torch.Generator().manual_seed(0)
    clean = torch.randint(2, 23, (n, length), generator=made).tolist()
    corrupt = [[*row[:3], (row[3] - 1) % 21 + 2, *row[4:]] for row in clean]
    return pairs_from_ids(model.tokenizer, "random", clean, corrupt, [[3]] * n, [[4]] * n)


def their_edges(model: Any, pairs: Pairs) -> dict[str, float]:
    """The library's edge attribution, summed over positions and averaged over prompts, by our names."""
    from transformer_lens.tools.analysis.attribution_patching import EdgeAttributionConfig, attribution_patch

    found: dict[str, float] = {}
    # It starts its backward pass at the weights, which `load` froze: one of them has to ask for a gradient.
    weight = model.original_model.get_input_embeddings().weight
    weight.requires_grad_(True)
    try:
        for prompt in range(len(pairs)):
            one = pairs.select([prompt])
            answers = answers_of(one)

            def metric(logits, answers=answers, end=int(one.end)):
                return METRICS["logit_diff"].measure(logits[:, end], answers).sum()

            scored = attribution_patch(model, one.clean, one.corrupt, metric, EdgeAttributionConfig(granularity="edge"))
            for (source, destination), score in scored.edge_scores.items():
                name = f"{_name(source)}->{_name(destination)}"
                found[name] = found.get(name, 0.0) + float(score) / len(pairs)
    finally:
        weight.requires_grad_(False)
    return found


def _name(node: Any) -> str:
    if node.kind in ("embed", "logits"):
        return "input" if node.kind == "embed" else "logits"
    if node.kind.startswith("mlp"):
        return f"m{node.layer}"
    return f"a{node.layer}.h{node.head}" + (f"<{node.kind[0]}>" if node.kind.endswith("_input") else "")


def against_the_library(repeats: int) -> dict[str, Any]:
    """EAP by both on GPT-2 small's shape: time, peak memory beyond the model, largest difference."""
    with tempfile.TemporaryDirectory() as made:
        folder = gpt2_shape(Path(made) / "gpt2-shape")
        model = load(str(folder), device="cpu")
        pairs = random_pairs(model)
        us = timed(lambda: METHODS["eap"](model, pairs, gradient_at="corrupt"), repeats, "cpu")
        them = timed(lambda: their_edges(model, pairs), 1, "cpu", warm_up=False)
        theirs = np.array([them.value[name] for name in us.value.names()])
        start = (
            "from bench.circuits import *\nimport warnings; warnings.simplefilter('ignore')\n"
            f"model = load({str(folder)!r}, device='cpu'); pairs = random_pairs(model)\n"
            "with torch.no_grad(): model(pairs.clean)\n"
        )
        ours, library = (
            beyond_bytes(start, work)
            for work in ("METHODS['eap'](model, pairs, gradient_at='corrupt')", "their_edges(model, pairs)")
        )
    return {
        "edges": len(theirs),
        "ours_s": us.seconds,
        "theirs_s": them.seconds,
        "ratio": them.median / us.median,
        "relative_error": float(np.abs(us.value.values.values - theirs).max() / np.abs(theirs).max()),
        "ours_bytes": ours,
        "theirs_bytes": library,
    }


def costs(model: Any, pairs: Pairs, repeats: int, device: str) -> dict[str, list[float]]:
    """Seconds of each estimate on the real model."""
    return {name: timed(lambda name=name: METHODS[name](model, pairs), repeats, device).seconds for name in ESTIMATES}


def curve_seconds(model: Any, pairs: Pairs, device: str) -> dict[str, Any]:
    """Seconds of a faithfulness curve at the ten sizes of MIB, scores given."""
    scores = METHODS["eap"](model, pairs).values.values
    graph = Wiring(model).graph

    def work() -> list[float]:
        circuits = Circuits(Wiring(model), pairs)
        masks = [graph.pruned(top(graph, scores, int(share * graph.n_edges))) for share in SHARES]
        return framed(circuits).faithfulness(measured(circuits, masks)).tolist()

    done = timed(work, 1, device, warm_up=False)
    return {"pairs": len(pairs), "seconds": done.median, "shares": list(SHARES), "faithfulness": done.value}


def known(seeds: list[int], n: int = 16) -> list[dict[str, Any]]:
    """AUROC of edges, by size of score, on every model whose circuit is known."""
    rows = []
    for name in known_names():
        model, truth = load(f"known:{name}", device="cpu"), wired(name)
        for method in ("edge_patch", *ESTIMATES):
            for seed in seeds:
                found = METHODS[method](model, known_pairs(model, name, n=n, seed=seed))
                value = auroc(np.abs(found.values.values), truth.mask[truth.graph.edge_list])
                rows.append({"model": name, "method": method, "seed": seed, "auroc": value})
    return rows


def edge_correlations(tasks: dict[str, tuple[Any, Pairs]]) -> list[dict[str, Any]]:
    """Pearson of estimates with exact edge patching: all edges of a small model, a fixed sample of a large one."""
    rows = []
    for name, (model, pairs) in tasks.items():
        sample = None if model.cfg.n_layers < 8 else SAMPLE
        exact = METHODS["edge_patch"](model, pairs, sample=sample).values.values
        at = np.isfinite(exact)
        for method in ESTIMATES:
            found = METHODS[method](model, pairs).values.values[at]
            rows.append(
                {
                    "task": name, "method": method, "edges": int(at.sum()),
                    "pearson": float(np.corrcoef(exact[at], found)[0, 1]),
                    "sign": float((np.sign(found) == np.sign(exact[at])).mean()),
                }
            )  # fmt: skip
    return rows
