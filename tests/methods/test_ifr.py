"""Information-flow routes against the formula written out for single edges."""

import numpy as np
import pytest
import torch

from tests.conftest import toy_pairs
from workbench.edges.wiring import Wiring
from workbench.methods import METHODS


@pytest.mark.parametrize("family", ["llama", "gpt2", "neox", "gemma2"])
def test_shares_are_the_formula_and_sum_to_one(model_of, family):
    model = model_of(family)
    pairs = toy_pairs(model, n=2, ragged=True)
    found = METHODS["ifr"](model, pairs)
    wiring = Wiring(model)
    graph = wiring.graph
    run, wrote = wiring.record(pairs.clean, pairs.end)
    vectors = wiring.vectors(wrote)
    scores = np.zeros(graph.edges.shape)
    scores[graph.edge_list] = found.values.values
    assert np.allclose(scores.sum(0), 1, atol=1e-5)
    for name in ("a0.h1->a2.h3<k>", "m0->a1.h0<q>", "input->a2.h0<v>"):
        src, dst = graph.edge(name)
        layer = graph.place(name.partition("->")[2])[0]
        prompts = []
        for prompt, length in enumerate(pairs.lengths.tolist()):
            shares = []
            for at in range(length):
                stream = run.stream[layer][prompt, at]
                near = [
                    max(0.0, float(stream.abs().sum() - (stream - vectors[prompt, one, at]).abs().sum()))
                    for one in range(graph.seen_by_heads(layer))
                ]
                shares.append(near[src] / sum(near))
            prompts.append(np.mean(shares))
        assert scores[src, dst] == pytest.approx(np.mean(prompts), abs=1e-5)


def test_it_knows_nothing_of_the_corrupt_prompt(llama):
    pairs = toy_pairs(llama)
    other = type(pairs)(**{**vars(pairs), "corrupt": pairs.clean})
    assert np.array_equal(METHODS["ifr"](llama, pairs).values, METHODS["ifr"](llama, other).values)
    assert torch.equal(pairs.clean, other.clean)
