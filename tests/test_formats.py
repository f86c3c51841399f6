"""Circuits in files: what goes out comes back, in the layout that EAP-IG's loader reads; what is no circuit is told."""

import json
import re

import networkx as nx
import numpy as np
import pytest
import torch
import xarray as xr

from workbench.edges.estimate import as_circuit, graph_from, kept_mask
from workbench.errors import BadInput
from workbench.formats import FORMATS, read_circuit, to_networkx, write_circuit
from workbench.graph import Graph
from workbench.plots import figure, table
from workbench.result import Origin

GRAPHS = {
    "serial": Graph(3, 4, 4),
    "parallel": Graph(3, 4, 4, parallel=True),
    "attention only": Graph(3, 4, 4, mlps=False),
    "grouped": Graph(3, 4, 2),
}


def made(graph, seed=0, kept=True, notes=None):
    """Random scores, one of them exactly zero, and a pruned random circuit."""
    draw = np.random.default_rng(seed)
    scores = draw.normal(size=graph.n_edges)
    scores[7] = 0.0
    circuit = as_circuit(graph, "EAP · ioi", "logits", scores, None, {}, {"sign": "+ helps", **(notes or {})})
    if not kept:
        return circuit
    mask = graph.pruned(graph.edges & (draw.random(graph.edges.shape) < 0.3))
    assert 0 < mask.sum() < graph.n_edges
    return circuit.replace(parts={**circuit.parts, "kept": xr.DataArray(mask[graph.edge_list], dims=("edge",))})


def with_gaps(circuit, even_kept=False):
    """Some edges without a score, as exact patching of a sample leaves them."""
    values = circuit.values.copy()
    gaps = np.random.default_rng(1).random(values.size) < 0.5
    if not even_kept:
        gaps &= ~circuit.parts["kept"].values
    assert gaps.any()
    values[gaps] = np.nan
    return circuit.replace(values=values, notes={**circuit.notes, "nan": "not in the sample"})


def same(one, other):
    assert graph_from(one) == graph_from(other)
    np.testing.assert_array_equal(one.values.values, other.values.values)
    np.testing.assert_array_equal(one.names(), other.names())
    assert ("kept" in one.parts) == ("kept" in other.parts)
    if "kept" in one.parts:
        np.testing.assert_array_equal(one.parts["kept"].values, other.parts["kept"].values)
    assert (one.title, one.unit) == (other.title, other.unit)


def pairs():
    return [(name, ending) for name in GRAPHS for ending in FORMATS if name != "grouped" or ending == ".graphml"]


@pytest.mark.parametrize(("name", "ending"), pairs())
@pytest.mark.parametrize("kind", ["kept", "scores alone", "gaps", "none kept"])
def test_what_is_written_is_read(tmp_path, name, ending, kind):
    circuit = made(GRAPHS[name], kept=kind != "scores alone")
    if kind == "gaps":
        circuit = with_gaps(circuit)
    if kind == "none kept":
        nothing = xr.zeros_like(circuit.parts["kept"])
        circuit = circuit.replace(parts={**circuit.parts, "kept": nothing})
    file = write_circuit(circuit, tmp_path / "new" / f"one{ending}")
    read = read_circuit(file)
    if kind == "none kept" and ending != ".graphml":
        # EAP-IG's formats cannot tell it from scores alone.
        circuit = circuit.replace(parts={name: part for name, part in circuit.parts.items() if name != "kept"})
    same(circuit, read)
    assert read.notes == {**circuit.notes, "source": f"one{ending}"}
    assert read.origin is None
    again = read_circuit(write_circuit(read, tmp_path / f"two{ending}"))
    same(read, again)
    if kind != "none kept":
        assert figure(read).data
    assert len(table(read)) == circuit.values.size


@pytest.mark.parametrize("ending", FORMATS)
def test_the_same_circuit_is_the_same_file(tmp_path, ending):
    files = [write_circuit(made(GRAPHS["serial"]), tmp_path / f"{name}{ending}") for name in "ab"]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_kept_edge_without_a_score_survives_or_is_refused(tmp_path):
    circuit = with_gaps(made(GRAPHS["serial"]), even_kept=True)
    for ending in (".pt", ".graphml"):
        same(circuit, read_circuit(write_circuit(circuit, tmp_path / f"one{ending}")))
    with pytest.raises(BadInput, match=r"must have a score in EAP-IG's JSON; got none for '.*->.*'. Write .pt"):
        write_circuit(circuit, tmp_path / "one.json")
    assert not (tmp_path / "one.json").exists()


@pytest.mark.parametrize("ending", [".json", ".pt"])
def test_readers_per_key_value_head_are_refused(tmp_path, ending):
    with pytest.raises(BadInput, match=r"per query head in EAP-IG's formats; .* write .graphml"):
        write_circuit(made(GRAPHS["grouped"]), tmp_path / f"one{ending}")


@pytest.mark.parametrize("ending", FORMATS)
def test_positions_are_summed_and_a_gap_among_them_is_a_gap(tmp_path, ending):
    graph = GRAPHS["serial"]
    scores = np.random.default_rng(2).normal(size=(5, graph.n_edges))
    scores[2, 3] = scores[0, 11] = np.nan
    circuit = as_circuit(graph, "EAP", "logits", scores, None, {}, {"nan": "gaps"})
    read = read_circuit(write_circuit(circuit, tmp_path / f"one{ending}"))
    np.testing.assert_allclose(read.values.values, scores.sum(0), rtol=0, atol=1e-12)
    assert np.flatnonzero(np.isnan(read.values.values)).tolist() == [3, 11]


def hand_circuit(parallel=False):
    """Two layers of two heads; the edges kept are a path, and one that dangles."""
    graph = Graph(2, 2, 2, parallel=parallel)
    scores = np.arange(1.0, graph.n_edges + 1)
    circuit = as_circuit(graph, "hand", "nats", scores, None, {}, {})
    mask = graph.mask(["input->a0.h1<v>", "a0.h1->m1", "m1->logits", "a1.h0->logits"])
    return circuit.replace(parts={**circuit.parts, "kept": xr.DataArray(mask[graph.edge_list], dims=("edge",))})


SOURCES = ["input", "a0.h0", "a0.h1", "m0", "a1.h0", "a1.h1", "m1"]
DESTINATIONS = [
    "a0.h0<q>", "a0.h1<q>", "a0.h0<k>", "a0.h1<k>", "a0.h0<v>", "a0.h1<v>", "m0",
    "a1.h0<q>", "a1.h1<q>", "a1.h0<k>", "a1.h1<k>", "a1.h0<v>", "a1.h1<v>", "m1", "logits",
]  # fmt: skip
# Edges of the serial graph by hand, a row per source: everything, from layer 0's MLP on, ….
EDGES = [
    "111111111111111",
    "000000111111111",
    "000000111111111",
    "000000011111111",
    "000000000000011",
    "000000000000011",
    "000000000000001",
]


def test_the_pt_is_eap_igs_matrices(tmp_path):
    """Shapes 1 + L(H + 1) by L(3H + 1) + 1; queries, keys, values and MLP of a layer, and last the logits."""
    torch_file = torch.load(write_circuit(hand_circuit(), tmp_path / "hand.pt"), weights_only=True)
    assert torch_file["cfg"] == {"n_layers": 2, "n_heads": 2, "parallel_attn_mlp": False, "d_model": 0, "attn_only": False}
    assert torch_file["src_nodes"] == SOURCES
    assert torch_file["dst_nodes"] == DESTINATIONS
    scores, count = np.zeros((7, 15)), 0
    for src in range(7):
        for dst in range(15):
            if EDGES[src][dst] == "1":
                count += 1
                scores[src, dst] = count
    kept = np.zeros((7, 15), dtype=bool)
    kept[0, 5] = kept[2, 13] = kept[6, 14] = kept[4, 14] = True
    np.testing.assert_array_equal(torch_file["edges_scores"].numpy(), scores)
    np.testing.assert_array_equal(torch_file["edges_in_graph"].numpy(), kept)
    assert torch_file["edges_in_graph"].dtype == torch_file["nodes_in_graph"].dtype == torch.bool
    # a1.h0 has a kept edge out and none in: EAP-IG counts it out.
    assert torch_file["nodes_in_graph"].tolist() == [True, False, True, False, False, False, True]
    assert torch_file["edges_scored"].tolist() == [[mark == "1" for mark in row] for row in EDGES]


@pytest.mark.parametrize("parallel", [False, True])
def test_the_json_is_eap_igs_names(tmp_path, parallel):
    text = write_circuit(hand_circuit(parallel), tmp_path / "hand.json").read_text()
    document = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert {"cfg", "nodes", "edges"} <= set(document)
    assert (document["title"], document["unit"]) == ("hand", "nats")
    # Its loader asks for d_model, makes room for so many neurons, and drops it where no node has neurons.
    assert document["cfg"] == {"n_layers": 2, "n_heads": 2, "parallel_attn_mlp": parallel, "d_model": 0, "attn_only": False}
    assert list(document["nodes"]) == [*SOURCES, "logits"]
    assert [name for name, node in document["nodes"].items() if node["in_graph"]] == ["input", "a0.h1", "m1", "logits"]
    assert all(set(node) == {"in_graph"} for node in document["nodes"].values())
    # In parallel blocks the MLP does not read the heads of its layer.
    blocked = {("a0.h0", "m0"), ("a0.h1", "m0"), ("a1.h0", "m1"), ("a1.h1", "m1")} if parallel else set()
    expected = [
        f"{src}->{dst}"
        for src, row in zip(SOURCES, EDGES, strict=True)
        for dst, mark in zip(DESTINATIONS, row, strict=True)
        if mark == "1" and (src, dst) not in blocked
    ]
    assert list(document["edges"]) == expected
    assert [edge["score"] for edge in document["edges"].values()] == list(range(1, len(expected) + 1))
    kept = {"input->a0.h1<v>", "a0.h1->m1", "m1->logits", "a1.h0->logits"}
    assert {name for name, edge in document["edges"].items() if edge["in_graph"] is True} == kept
    assert all(set(edge) == {"score", "in_graph"} for edge in document["edges"].values())


def test_an_attention_only_circuit_has_their_matrices_with_empty_mlps(tmp_path):
    graph = GRAPHS["attention only"]
    document = torch.load(write_circuit(made(graph), tmp_path / "one.pt"), weights_only=True)
    scores = document["edges_scores"].numpy()
    assert scores.shape == (1 + 3 * 5, 3 * 13 + 1)
    of_mlps = [5, 10, 15]
    assert not scores[of_mlps].any()
    assert not scores[:, [12, 25, 38]].any()
    assert np.count_nonzero(scores) == graph.n_edges - 1
    nodes = json.loads(write_circuit(made(graph), tmp_path / "one.json").read_text())["nodes"]
    assert [name for name in nodes if name.startswith("m")] == ["m0", "m1", "m2"]
    assert not any(node["in_graph"] for name, node in nodes.items() if name.startswith("m"))


def test_edges_without_a_score_are_no_number_of_theirs(tmp_path):
    """Their loader has 0 for an edge that the JSON lacks; a NaN in the .pt would rank first in its top n."""
    circuit = with_gaps(made(GRAPHS["serial"]))
    gaps = {name for name, gap in zip(circuit.names(), np.isnan(circuit.values.values), strict=True) if gap}
    document = json.loads(write_circuit(circuit, tmp_path / "one.json").read_text())
    assert set(circuit.names()) - set(document["edges"]) == gaps
    document = torch.load(write_circuit(circuit, tmp_path / "one.pt"), weights_only=True)
    assert document["edges_scores"].isfinite().all()


def test_d_model_is_told_where_the_catalogue_knows_the_model(tmp_path):
    circuit = made(GRAPHS["serial"]).replace(origin=Origin("eap", "gpt2", "f", "ioi", "p"))
    assert json.loads(write_circuit(circuit, tmp_path / "one.json").read_text())["cfg"]["d_model"] == 768


def theirs(graph, **changes):
    """A file as EAP-IG writes it: every edge, float32 scores, scores of nodes, bare NaN among them."""
    src, dst = graph.edge_list
    scores = np.random.default_rng(3).normal(size=graph.n_edges).astype(np.float32)
    document = {
        "cfg": {"n_layers": graph.n_layers, "n_heads": graph.n_heads, "parallel_attn_mlp": graph.parallel, "d_model": 20},
        "nodes": {name: {"in_graph": True, "score": float("nan")} for name in (*graph.sources, "logits")},
        "edges": {
            graph.name(one, other): {"score": float(score), "in_graph": bool(score > 1)}
            for one, other, score in zip(src, dst, scores, strict=True)
        },
    }
    return {**document, **changes}, scores


def test_a_json_of_theirs_is_read(tmp_path):
    graph = GRAPHS["parallel"]
    document, scores = theirs(graph)
    (tmp_path / "ioi.json").write_text(json.dumps(document))
    read = read_circuit(tmp_path / "ioi.json")
    assert graph_from(read) == graph
    np.testing.assert_array_equal(read.values.values, scores.astype(float))
    np.testing.assert_array_equal(read.parts["kept"].values, scores > 1)
    assert (read.title, read.unit, dict(read.notes)) == ("ioi", "unknown", {"source": "ioi.json"})
    # An edge that is not there is no edge of the circuit, and has no score; so has one whose score is NaN.
    del document["edges"]["input->m1"]
    document["edges"]["input->m2"]["score"] = float("nan")
    document["nodes"]["m1"]["neurons"] = [True, False]
    (tmp_path / "ioi.json").write_text(json.dumps(document))
    read = read_circuit(tmp_path / "ioi.json")
    assert [str(name) for name in read.names()[np.isnan(read.values.values)]] == ["input->m1", "input->m2"]
    assert "no score" in read.notes["nan"]
    assert "neurons" in read.notes
    assert not kept_mask(read)[graph.edge("input->m1")]


def test_a_pt_of_theirs_is_read(tmp_path):
    graph = GRAPHS["serial"]
    _, scores = theirs(graph)
    matrix = np.zeros(graph.edges.shape, dtype=np.float32)
    matrix[graph.edge_list] = scores
    document = {
        "cfg": {"n_layers": 3, "n_heads": 4, "parallel_attn_mlp": False, "d_model": 20},
        "src_nodes": list(graph.sources),
        "dst_nodes": list(graph.destinations),
        "edges_scores": torch.from_numpy(matrix).requires_grad_(),
        "edges_in_graph": torch.from_numpy(matrix > 1),
        "nodes_in_graph": torch.ones(graph.n_sources, dtype=torch.bool),
        "neurons_in_graph": torch.ones(graph.n_sources, 20),
    }
    torch.save(document, tmp_path / "ioi.pt")
    read = read_circuit(tmp_path / "ioi.pt")
    assert graph_from(read) == graph
    np.testing.assert_array_equal(read.values.values, scores.astype(float))
    np.testing.assert_array_equal(read.parts["kept"].values, scores > 1)
    assert read.unit == "unknown"
    assert "neurons" in read.notes


def test_networkx_has_the_boxes_and_the_edges():
    circuit = hand_circuit()
    graph = to_networkx(circuit)
    assert dict(graph.nodes(data=True)) == {
        "input": {"layer": -1, "kind": "input"},
        "a0.h1": {"layer": 0, "kind": "head", "head": 1},
        "a1.h0": {"layer": 1, "kind": "head", "head": 0},
        "m1": {"layer": 1, "kind": "mlp"},
        "logits": {"layer": 2, "kind": "logits"},
    }
    assert sorted((src, dst, slot) for src, dst, slot in graph.edges(keys=True)) == [
        ("a0.h1", "m1", "mlp"),
        ("a1.h0", "logits", "logits"),
        ("input", "a0.h1", "v"),
        ("m1", "logits", "logits"),
    ]
    assert graph.edges["input", "a0.h1", "v"] == {"slot": "v", "kept": True, "score": 6.0, "sign": 1}
    assert nx.shortest_path(graph, "input", "logits") == ["input", "a0.h1", "m1", "logits"]
    whole = to_networkx(circuit, kept_only=False)
    assert whole.number_of_edges() == circuit.values.size
    assert set(whole) == {*SOURCES, "logits"}
    assert sorted(whole["input"]["a1.h0"]) == ["k", "q", "v"]


def test_networkx_without_selection_and_without_scores():
    circuit = made(GRAPHS["grouped"], kept=False)
    values = -abs(circuit.values)
    values[3] = np.nan
    whole = to_networkx(circuit.replace(values=values, notes={"nan": "one"}))
    assert whole.number_of_edges() == circuit.values.size
    about = [edge for _, _, edge in whole.edges(data=True)]
    assert not any("kept" in edge for edge in about)
    assert [set(edge) for edge in about].count({"slot"}) == 1
    assert sorted({edge["sign"] for edge in about if "sign" in edge}) == [-1, 0]
    assert whole.nodes["a1.kv1"] == {"layer": 1, "kind": "kv", "head": 1}


def test_graphml_opens_elsewhere(tmp_path):
    read = nx.read_graphml(write_circuit(with_gaps(made(GRAPHS["serial"])), tmp_path / "one.graphml"))
    assert read.number_of_edges() == GRAPHS["serial"].n_edges
    assert read.nodes["a1.h2"] == {"layer": 1, "kind": "head", "head": 2}
    ids = re.findall(r'<edge [^>]*id="([^"]*)"', (tmp_path / "one.graphml").read_text())
    assert len(set(ids)) == len(ids) == GRAPHS["serial"].n_edges
    assert "nan" not in {str(edge.get("score")) for *_, edge in read.edges(data=True)}


@pytest.mark.parametrize("ending", FORMATS)
def test_any_text_survives(tmp_path, ending):
    circuit = made(GRAPHS["serial"]).replace(title="a <b> & \x00 \ud800 é", notes={"ü": "\x01\n"})
    read = read_circuit(write_circuit(circuit, tmp_path / f"one{ending}"))
    assert (read.title, read.notes["ü"]) == (circuit.title, "\x01\n")


def change(path, value):
    """Set a place in a document; '…' deletes it."""

    def apply(document):
        *outer, last = path
        for key in outer:
            document = document[key]
        if value is ...:
            del document[last]
        else:
            document[last] = value

    return apply


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (change(["cfg"], ...), "must hold a circuit, with cfg, nodes, edges; got no cfg among"),
        (change(["edges"], []), "got no edges among"),
        (change(["nodes"], ...), "got no nodes among"),
        (change(["cfg", "n_heads"], ...), "got no n_heads among n_layers"),
        (change(["cfg", "parallel_attn_mlp"], ...), "got no parallel_attn_mlp"),
        (change(["cfg", "n_layers"], 0), "n_layers must be a whole number from 1; got 0"),
        (change(["cfg", "n_layers"], True), "n_layers must be a whole number from 1; got True"),
        (change(["cfg", "n_heads"], "4"), "n_heads must be a whole number from 1; got '4'"),
        (change(["cfg", "n_layers"], 10**9), "n_layers and n_heads must be those of a model; got 1000000000 and 4"),
        (change(["cfg", "parallel_attn_mlp"], "no"), "parallel must be true or false; got 'no'"),
        (change(["cfg", "attn_only"], True), "only edges of its graph must have a score or be kept; got 'input->m0'"),
        (change(["cfg", "n_layers"], 2), "nodes must be those of its graph; got 'a2.h0'"),
        (change(["nodes", "m3"], {"in_graph": False}), "nodes must be those of its graph; got 'm3'"),
        (change(["edges", "m2->m0"], {"score": 1, "in_graph": True}), "computed after its source; got 'm2->m0'"),
        (change(["edges", "m0->a9.h0<q>"], {"score": 1, "in_graph": True}), "layer of 'a9.h0<q>' must be from 0 to 2"),
        (change(["edges", "m0"], {"score": 1, "in_graph": True}), "must be written SOURCE->DESTINATION; got 'm0'"),
        (change(["edges", "m0->m1"], {"score": 1}), "edges must have score and in_graph; got 'm0->m1'"),
        (change(["edges", "m0->m1"], 1.0), "edges must have score and in_graph; got 'm0->m1' with 1.0"),
        (change(["edges", "m0->m1", "score"], "1"), "score of 'm0->m1' must be a number; got '1'"),
        (change(["edges", "m0->m1", "score"], None), "score of 'm0->m1' must be a number; got None"),
        (change(["edges", "m0->m1", "score"], float("inf")), "scores must be finite; got an infinity at 'm0->m1'"),
        (change(["edges", "m0->m1", "score"], 10**400), "scores must be finite; got an infinity at 'm0->m1'"),
        (change(["edges", "m0->m1", "in_graph"], "yes"), "in_graph of 'm0->m1' must be true or false; got 'yes'"),
    ],
)
def test_a_damaged_json_is_told(tmp_path, harm, message):
    document, _ = theirs(GRAPHS["serial"])
    harm(document)
    file = tmp_path / "one.json"
    file.write_text(json.dumps(document))
    with pytest.raises(BadInput, match=re.escape(message)) as told:
        read_circuit(file)
    assert str(told.value).startswith(str(file))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (change(["nodes_in_graph"], ...), "got no nodes_in_graph among cfg"),
        (change(["cfg", "n_layers"], 2), "src_nodes must be the 11 names of its cfg's graph, in order"),
        (change(["src_nodes", 0], "inputs"), "src_nodes must be the 16 names"),
        (change(["dst_nodes"], 5), "dst_nodes must be the 40 names of its cfg's graph, in order; got 5"),
        (change(["edges_scores"], torch.zeros(40, 16)), "edges_scores must be a tensor of 16×40; got 40×16"),
        (change(["edges_scores"], [0.0]), "edges_scores must be a tensor of 16×40; got list"),
        (change(["edges_scores"], torch.zeros(16, 40, dtype=torch.complex64)), "tensor of plain numbers; got torch.complex64"),
        (change(["edges_scores"], torch.ones(16, 40)), "have a score or be kept; got 'a0.h0->a0.h0<q>'"),
        (change(["edges_in_graph"], torch.ones(16, 40)), "have a score or be kept; got 'a0.h0->a0.h0<q>'"),
        (change(["edges_in_graph"], torch.full((16, 40), 0.5)), "edges_in_graph must be true or false"),
        (change(["edges_in_graph"], torch.zeros(16)), "edges_in_graph must be a tensor of 16×40; got 16."),
        (change(["nodes_in_graph"], torch.zeros(17)), "nodes_in_graph must be a tensor of 16; got 17"),
        (change(["edges_scored"], torch.zeros(1)), "edges_scored must be a tensor of 16×40; got 1"),
        (change(["edges_scores"], torch.full((16, 40), torch.inf)), "finite; got an infinity at 'input->a0.h0<q>'"),
    ],
)  # fmt: skip
def test_a_damaged_pt_is_told(tmp_path, harm, message):
    file = write_circuit(made(GRAPHS["serial"]), tmp_path / "one.pt")
    document = torch.load(file, weights_only=True)
    harm(document)
    torch.save(document, file)
    with pytest.raises(BadInput, match=re.escape(message)) as told:
        read_circuit(file)
    assert str(told.value).startswith(str(file))


class Harmful:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was obeyed",))


@pytest.mark.parametrize("content", [Harmful(), {"cfg": Harmful()}, Graph(1, 1, 1)])
def test_a_pickle_is_not_obeyed(tmp_path, content):
    torch.save(content, tmp_path / "one.pt")
    with pytest.raises(BadInput, match="must hold tensors and plain values; got something else"):
        read_circuit(tmp_path / "one.pt")


@pytest.mark.parametrize(
    ("ending", "content", "message"),
    [
        (".json", b"", "must hold JSON"),
        (".json", b"{", "must hold JSON"),
        (".json", b"\xff\xfe\xff", "must hold JSON"),
        (".json", b"[" * 100_000, "must hold JSON"),
        (".json", b"[]", "must hold a circuit, with cfg, nodes, edges; got a list"),
        (".json", b"{}", "got no cfg, nodes, edges among nothing"),
        (".pt", b"", "must hold tensors"),
        (".pt", b"PK\x03\x04", "must hold tensors"),
        (".graphml", b"", "must hold GraphML"),
        (".graphml", b"<html></html>", "must hold GraphML"),
        (".graphml", b"<graphml", "must hold GraphML"),
    ],
)
def test_something_else_is_told(tmp_path, ending, content, message):
    (tmp_path / f"one{ending}").write_bytes(content)
    with pytest.raises(BadInput, match=re.escape(message)):
        read_circuit(tmp_path / f"one{ending}")


@pytest.mark.parametrize("ending", FORMATS)
def test_a_file_cut_short_is_told(tmp_path, ending):
    file = write_circuit(made(GRAPHS["serial"]), tmp_path / f"one{ending}")
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(BadInput, match=r"one.* must hold"):
        read_circuit(file)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (r'source="input" target="m1"', 'source="m2" target="m1"', "computed after its source; got 'm2->m1'"),
        (r'source="input" target="m1"', 'source="input" target="zz"', "got 'zz'"),
        (r'(target="m0"[^/]*)>mlp<', r"\1>q<", "got 'm0<q>'"),
        (r"\{&quot;|\{\"", "[", "about must hold JSON"),
        (r'attr.name="n_heads"', 'attr.name="heads"', "got no n_heads among"),
        (r'attr.name="score" attr.type="double"', 'attr.name="score" attr.type="string"', "must be a number; got '"),
        (r'attr.name="kept" attr.type="boolean"', 'attr.name="kept" attr.type="string"', "must be true or false; got '"),
    ],
)
def test_a_damaged_graphml_is_told(tmp_path, old, new, message):
    file = write_circuit(made(GRAPHS["serial"]), tmp_path / "one.graphml")
    text = file.read_text()
    harmed = re.sub(old, new, text, count=1)
    assert harmed != text
    file.write_text(harmed)
    with pytest.raises(BadInput, match=re.escape(message)) as told:
        read_circuit(file)
    assert str(told.value).startswith(str(file))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"n_readers": 2}, "n_readers must divide the 3 heads; got 2"),
        ({"n_readers": 0}, "n_readers must be a whole number from 1; got 0"),
        ({"n_layers": 1.5}, "n_layers must be a whole number from 1; got 1.5"),
        ({"mlps": 2}, "mlps must be true or false; got 2"),
    ],
)
def test_a_graphml_of_no_model_is_told(tmp_path, shape, message):
    right = {"n_layers": 1, "n_heads": 3, "n_readers": 3, "mlps": True, "parallel": False}
    nx.write_graphml(nx.MultiDiGraph(**{**right, **shape}), tmp_path / "one.graphml")
    with pytest.raises(BadInput, match=message) as told:
        read_circuit(tmp_path / "one.graphml")
    assert str(told.value).startswith(str(tmp_path / "one.graphml"))


def test_places_that_are_no_files_are_told(tmp_path):
    circuit = made(GRAPHS["serial"])
    (tmp_path / "file").write_text("")
    for ending in FORMATS:
        with pytest.raises(BadInput, match="must be a file that exists"):
            read_circuit(tmp_path / f"none{ending}")
        (tmp_path / f"folder{ending}").mkdir()
        with pytest.raises(BadInput, match="must be a file that can be read"):
            read_circuit(tmp_path / f"folder{ending}")
        for place in (tmp_path / f"folder{ending}", tmp_path / "file" / f"one{ending}"):
            with pytest.raises(BadInput, match="must be a file that can be written"):
                write_circuit(circuit, place)
    for act in (lambda path: write_circuit(circuit, path), read_circuit):
        with pytest.raises(BadInput, match=r"file must be one of '.json', '.pt', '.graphml'; got '.grphml'"):
            act(tmp_path / "one.grphml")
