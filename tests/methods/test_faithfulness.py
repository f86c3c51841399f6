"""Faithfulness of a circuit that is there already."""

import numpy as np
import pytest
import xarray as xr

from workbench import faithfulness, read_circuit, write_circuit
from workbench.edges.estimate import as_circuit
from workbench.edges.measure import framed, measured, minimality
from workbench.edges.run import Circuits
from workbench.edges.wiring import Wiring
from workbench.errors import BadInput
from workbench.known import known_pairs, wired
from workbench.methods import METHODS
from workbench.models import load
from workbench.references import reference
from workbench.store import Store


@pytest.fixture(scope="module")
def two_hop():
    model = load("known:two_hop", device="cpu")
    return model, known_pairs(model, "two_hop", n=8, seed=4), wired("two_hop")


def made(graph, mask, scores=None):
    scores = np.arange(graph.n_edges, dtype=float) if scores is None else scores
    circuit = as_circuit(graph, "By hand", "logits", scores, None, {}, {"sign": "+"})
    return circuit.replace(parts={**circuit.parts, "kept": xr.DataArray(mask[graph.edge_list], dims=("edge",))})


def numbers(result):
    part = result.parts["summary"]
    return dict(zip(part.coords["measure"].values.tolist(), part.values.tolist(), strict=True))


@pytest.mark.parametrize("ablation", ["corrupt", "mean"])
def test_numbers_are_those_of_runs(two_hop, ablation):
    model, pairs, known = two_hop
    circuit = made(known.graph, known.mask)
    told = faithfulness(model, pairs, circuit, ablation=ablation, nodes=True)
    circuits = Circuits(Wiring(model), pairs, "logit_diff", ablation)
    frame = framed(circuits)
    expected = float(frame.faithfulness(measured(circuits, [known.mask]))[0])
    assert numbers(told)["faithfulness"] == pytest.approx(expected)
    assert (ablation == "mean") or expected == pytest.approx(1, abs=1e-3)
    part = told.parts["minimality"]
    assert dict(zip(part.node.values, part.values, strict=True)) == pytest.approx(minimality(circuits, frame, known.mask))
    assert Store().get(Store().put(told)).origin == told.origin
    assert told.origin.key != faithfulness(model, pairs, circuit, metric="log_prob").origin.key


def test_a_circuit_from_a_file_is_measured_too(two_hop, tmp_path):
    model, pairs, known = two_hop
    file = write_circuit(made(known.graph, known.mask), tmp_path / "circuit.json")
    assert numbers(faithfulness(model, pairs, read_circuit(file)))["faithfulness"] == pytest.approx(1, abs=1e-3)


def test_bad_input(two_hop):
    model, pairs, known = two_hop
    other = wired("copy")
    with pytest.raises(
        BadInput, match="the circuit must be of this model's graph, 3 layers of 4 heads and 262 edges; got one of"
    ):
        faithfulness(model, pairs, made(other.graph, other.mask))
    with pytest.raises(BadInput, match="must say which edges it keeps"):
        faithfulness(model, pairs, METHODS["eap"](model, pairs))
    with pytest.raises(BadInput, match="reference must be a circuit of the same graph; got 'ioi', of gpt2"):
        faithfulness(model, pairs, made(known.graph, known.mask), reference="ioi")


def test_compared_with_a_published_circuit():
    """The comparison alone: no GPT-2 is here to run it on."""
    from workbench.methods.faithfulness import _compared

    known = reference("greater_than")
    whole = made(known.graph, known.mask, known.mask[known.graph.edge_list].astype(float))
    assert _compared(whole, known.mask, known.graph, "greater_than") == {"precision": 1.0, "recall": 1.0, "auroc": 1.0}
    half = known.graph.mask(known.graph.names(known.mask)[::2])
    told = _compared(whole, half, known.graph, "greater_than")
    assert told["precision"] == 1
    assert told["recall"] == pytest.approx(0.5, abs=0.01)
