"""The whole model, pairs and metric of edge tests, and the definitions written out naively."""

import pytest
import torch

from tests.conftest import toy_pairs
from workbench.edges.gradients import read_gradients
from workbench.edges.run import Circuits
from workbench.edges.scores import contract
from workbench.edges.wiring import Wiring


@pytest.fixture
def circuits_of(model_of):
    def make(family: str, readers: str = "query", ablation: str = "corrupt", **pairs):
        model = model_of(family)
        return Circuits(Wiring(model, readers), toy_pairs(model, **pairs), "logit_diff", ablation)

    return make


def scores_of(circuits: Circuits, rules=None, by_position: bool = False) -> torch.Tensor:
    """First-order scores of all edges, per prompt, [batch (pos) src dst]."""
    wiring, pairs = circuits.wiring, circuits.pairs
    gradients = read_gradients(
        wiring, pairs.clean, pairs.end, lambda logits: circuits.metric.measure(logits, circuits.answers), rules
    )
    return torch.cat(list(contract(wiring, circuits.clean_writes - circuits.ablated, [gradients], by_position)))
