"""Write the published reference circuits edge by edge, from their definitions by groups of heads.

    python data/circuits/write.py [FOLDER]

Edges are named as in `workbench.graph`. The groups and how they connect are those of the sources named at each circuit; where
a paper leaves open which edges stand for an arrow between groups, the choice of Conmy et al. 2023 (ACDC) is taken and told in
`convention`, because published areas under the curve were computed with it. Their counts include edges inside a head (from
its query, key and value inputs to the head), which are no edges of ours; the counts below are checked against theirs less
those.
"""

import json
import sys
from itertools import product
from pathlib import Path

from workbench.graph import Graph

SMALL = Graph(12, 12, 12)
FOUR_LAYERS = Graph(4, 8, 8, mlps=False)
ACDC = "Conmy et al. 2023, https://arxiv.org/abs/2304.14997, and its code, https://github.com/ArthurConmy/Automatic-Circuit-Discovery"
NO_POSITIONS = "The input is the token embedding; theirs is embedding plus position."


def heads(names: str) -> list[str]:
    """'9.9 10.0' as nodes."""
    return ["a{}.h{}".format(*name.split(".")) for name in names.split()]


def mlps(first: int, last: int) -> list[str]:
    return [f"m{layer}" for layer in range(first, last + 1)]


def joined(graph: Graph, sources: list[str], readers: list[str], slots: str = "qkv") -> set[str]:
    """Every edge of the graph from these sources to these nodes; heads read at `slots`."""
    inputs = [f"{node}<{slot}>" for node in readers if node[0] == "a" for slot in slots]
    inputs += [node for node in readers if node[0] != "a"]
    pairs = product(map(graph.source, sources), map(graph.destination, inputs))
    return {graph.name(src, dst) for src, dst in pairs if graph.edges[src, dst]}


def ioi() -> dict:
    groups = {
        "name movers": heads("9.9 10.0 9.6"),
        "backup name movers": heads("10.10 10.6 10.2 10.1 11.2 9.7 9.0 11.9"),
        "negative name movers": heads("10.7 11.10"),
        "S-inhibition": heads("7.3 7.9 8.6 8.10"),
        "induction": heads("5.5 5.8 5.9 6.9"),
        "duplicate token": heads("0.1 0.10 3.0"),
        "previous token": heads("2.2 4.11"),
    }
    every = [head for group in groups.values() for head in group]
    movers = groups["name movers"] + groups["backup name movers"] + groups["negative name movers"]
    early = groups["previous token"] + groups["duplicate token"]
    all_mlps = mlps(0, 11)
    edges = joined(SMALL, ["input", *all_mlps], [*all_mlps, "logits"])
    edges |= joined(SMALL, all_mlps, every) | joined(SMALL, every, all_mlps)
    edges |= joined(SMALL, ["input"], early)
    edges |= joined(SMALL, ["input"], groups["S-inhibition"], "q")
    edges |= joined(SMALL, ["input"], movers, "kv")
    edges |= joined(SMALL, groups["previous token"], groups["induction"], "kv")
    edges |= joined(SMALL, groups["induction"] + groups["duplicate token"], groups["S-inhibition"], "kv")
    edges |= joined(SMALL, groups["S-inhibition"], movers, "q")
    edges |= joined(SMALL, movers, ["logits"])
    # ACDC's 1,041 less one edge inside each head for each of its three inputs.
    assert len(edges) == 1041 - 3 * len(every)
    return {
        "title": "Indirect object identification",
        "model": "gpt2",
        "source": ["Wang et al. 2022, https://arxiv.org/abs/2211.00593, figure 2", ACDC],
        "convention": (
            "Arrows between groups are edges between all their heads, at the inputs that the paper's positions imply "
            "(S-inhibition to the queries of name movers, and so on). An arrow from the input is one from the embedding; "
            "every MLP reads the input, earlier MLPs and earlier heads of the circuit, and writes to all three inputs of "
            "later heads of the circuit, to later MLPs and to the logits, since the paper leaves MLPs in place. "
            "1,041 edges in ACDC are these 963 and 78 inside the 26 heads. " + NO_POSITIONS
        ),
        "groups": {**groups, "MLPs": all_mlps},
        "edges": edges,
    }


def greater_than() -> dict:
    groups = {
        "0.1": heads("0.1"),
        "0.3 and 0.5": heads("0.3 0.5"),
        "early MLPs": mlps(0, 3),
        "middle heads": heads("5.5 6.1 6.9 7.10 8.11 9.1"),
        "late MLPs": mlps(8, 11),
    }
    middle = groups["middle heads"]
    edges = joined(SMALL, ["input"], groups["0.1"] + groups["0.3 and 0.5"] + groups["early MLPs"])
    edges |= joined(SMALL, groups["0.1"], groups["early MLPs"])
    edges |= joined(SMALL, groups["0.1"] + groups["0.3 and 0.5"] + groups["early MLPs"], middle)
    edges |= joined(SMALL, middle, groups["late MLPs"])
    edges |= joined(SMALL, groups["late MLPs"], groups["late MLPs"])
    edges |= joined(SMALL, middle + groups["late MLPs"], ["logits"])
    edges |= joined(SMALL, mlps(0, 8), mlps(0, 8)) | joined(SMALL, mlps(0, 8), middle, "q")
    return {
        "title": "Greater-than",
        "model": "gpt2",
        "source": ["Hanna et al. 2023, https://arxiv.org/abs/2305.00586", ACDC],
        "convention": (
            "Heads as in ACDC's code: the paper's text names 5.1 and 8.8 too, and not 6.1. The paper leaves the queries of the "
            "middle heads clean; so every MLP below a middle head writes to its query, and the MLPs of layers 0 to 8 to one "
            "another. " + NO_POSITIONS
        ),
        "groups": groups,
        "edges": edges,
    }


def docstring() -> dict:
    graph = FOUR_LAYERS
    movers, embedded = heads("3.0 3.6"), ["input", "a0.h5"]
    edges = joined(graph, ["input"], ["a0.h5"], "v")
    edges |= joined(graph, embedded, ["a1.h4"], "v")
    edges |= joined(graph, embedded, heads("1.2 2.0"), "qk")
    edges |= joined(graph, ["a1.h4"], ["a2.h0"], "v")
    edges |= joined(graph, ["a1.h4"], movers, "q")
    edges |= joined(graph, heads("1.2 2.0"), movers, "k")
    edges |= joined(graph, embedded, movers, "v")
    edges |= joined(graph, movers, ["logits"])
    # ACDC's 37 less the 13 inside heads.
    assert len(edges) == 37 - 13
    return {
        "title": "Docstring",
        "model": "attn-only-4l",
        "source": [
            "Heimersheim & Janiak 2023, https://www.alignmentforum.org/posts/u6KXXmKFbXfWzoAXn",
            ACDC,
        ],
        "convention": (
            "The 37 edges that one of the circuit's authors gave for ACDC, less 13 inside heads. Heads 0.2 and 0.4, in "
            "the list of Hsu et al. 2024 (https://arxiv.org/abs/2407.00886), are in none of them. " + NO_POSITIONS
        ),
        "groups": {
            "writing the answer": movers,
            "into their queries": heads("1.4"),
            "into their keys": heads("1.2 2.0"),
            "beside the embedding": heads("0.5"),
        },
        "edges": edges,
    }


CIRCUITS = {"ioi": (SMALL, ioi), "greater_than": (SMALL, greater_than), "docstring": (FOUR_LAYERS, docstring)}


def write(folder: Path) -> None:
    for name, (graph, define) in CIRCUITS.items():
        circuit = define()
        shape = {"n_layers": graph.n_layers, "n_heads": graph.n_heads, "n_readers": graph.n_readers, "mlps": graph.mlps}
        circuit = {"shape": shape, **circuit, "edges": sorted(circuit["edges"], key=graph.edge)}
        (folder / f"{name}.json").write_text(json.dumps(circuit, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
