"""Circuits: edge scores against the library's, against exact patching, and against circuits that are known."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.compare import sampled
from bench.timing import beyond_bytes, timed
from workbench.edges.exact import patched
from workbench.edges.measure import framed, measured
from workbench.edges.run import Circuits
from workbench.edges.wiring import Wiring
from workbench.methods import METHODS
from workbench.metrics import METRICS, answers_of
from workbench.models import load
from workbench.pairs import Pairs, pairs_from_ids
from workbench.select import SHARES, top

ESTIMATES = ("eap", "eap_ig", "eap_relp")
# Edges of the real model that are patched exactly, of each kind of sample.
SAMPLE = 200


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
        them = timed(lambda: their_edges(model, pairs), 1, "cpu")
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


def edge_correlations(tasks: dict[str, tuple[Any, Pairs]], say: Any) -> list[dict[str, Any]]:
    """Pearson of estimates with exact edge patching: all edges of a small model, samples of a large one's."""
    rows = []
    for name, (model, pairs) in tasks.items():
        estimates = {method: METHODS[method](model, pairs).values.values for method in ESTIMATES}
        circuits = Circuits(Wiring(model), pairs)
        graph = circuits.wiring.graph
        small = graph.n_edges <= 2 * SAMPLE
        samples = {"all": np.arange(graph.n_edges)} if small else sampled(graph, estimates, SAMPLE, seed=0)
        for drawn, edges in samples.items():
            exact = patched(circuits, edges.tolist(), f"{name}, {drawn}").mean(0)
            for method, scores in estimates.items():
                found = scores[edges]
                row = {"task": name, "drawn": drawn, "method": method, "edges": len(edges)}
                row["pearson"] = float(np.corrcoef(exact, found)[0, 1])
                row["sign"] = float((np.sign(found) == np.sign(exact)).mean())
                rows.append(row)
                say(f"{row}")
    return rows


# A shape of 8B parameters with fewer of its layers: as wide as the real one, so that what grows with width is there.
SHAPE = {"hidden_size": 4096, "intermediate_size": 14336, "num_attention_heads": 32, "num_key_value_heads": 8}
DEPTHS = (2, 4)


def forecasts() -> list[dict[str, Any]]:
    """What EAP is forecast to take at an 8B model's width, 8 prompts × 32 tokens in bfloat16, and what it then takes."""
    rows = []
    for layers in DEPTHS:
        with tempfile.TemporaryDirectory() as made:
            folder = wide_shape(Path(made) / "wide", layers)
            start = (
                "from bench.circuits import *\nfrom workbench.edges.forecast import forecast\n"
                f"model = load({str(folder)!r}, device='cpu', dtype='bfloat16'); pairs = random_pairs(model, 8, 32)\n"
                "expected = forecast(Wiring(model), 8, 32)\nprint('FORECAST', expected.peak)\n"
            )
            told: dict[str, int] = {}
            measured_bytes = beyond_bytes(start, "METHODS['eap'](model, pairs)", told)
        rows.append({"layers": layers, "forecast": told["FORECAST"], "measured": measured_bytes})
    return rows


def wide_shape(folder: Path, layers: int) -> Path:
    """A Llama as wide as one of 8B parameters, with few layers and random weights."""
    from transformers import LlamaConfig, LlamaForCausalLM

    from tests.families import tokenizer

    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        model = LlamaForCausalLM(LlamaConfig(num_hidden_layers=layers, vocab_size=32000, **SHAPE))
    finally:
        torch.set_default_dtype(before)
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder
