"""Reference circuits: the published heads and counts, edges where the papers have arrows, files as the script writes them."""

import runpy
from pathlib import Path

import pytest

import workbench
from workbench.errors import BadInput
from workbench.references import reference, reference_names

FOLDER = Path(workbench.__file__).parents[1] / "data" / "circuits"

IOI = {
    "name movers": {(9, 9), (10, 0), (9, 6)},
    "backup name movers": {(10, 10), (10, 6), (10, 2), (10, 1), (11, 2), (9, 7), (9, 0), (11, 9)},
    "negative name movers": {(10, 7), (11, 10)},
    "S-inhibition": {(7, 3), (7, 9), (8, 6), (8, 10)},
    "induction": {(5, 5), (5, 8), (5, 9), (6, 9)},
    "duplicate token": {(0, 1), (0, 10), (3, 0)},
    "previous token": {(2, 2), (4, 11)},
}
GREATER_THAN = {(0, 1), (0, 3), (0, 5), (5, 5), (6, 1), (6, 9), (7, 10), (8, 11), (9, 1)}
DOCSTRING = {(0, 5), (1, 2), (1, 4), (2, 0), (3, 0), (3, 6)}


def placed(one, nodes):
    return {(layer, head) for layer, _, head in map(one.graph.place, nodes)}


def has(one, edge):
    return bool(one.mask[one.graph.edge(edge)])


@pytest.fixture(params=reference_names())
def one(request):
    return reference(request.param)


def test_the_three_are_here():
    assert reference_names() == ["docstring", "greater_than", "ioi"]


def test_the_heads_are_the_published_ones():
    ioi = reference("ioi")
    assert {group: placed(ioi, ioi.groups[group]) for group in IOI} == IOI
    assert len(ioi.heads) == 26
    for name, published in (("greater_than", GREATER_THAN), ("docstring", DOCSTRING)):
        assert placed(reference(name), reference(name).heads) == published


@pytest.mark.parametrize(("name", "published", "inside"), [("ioi", 1041, 3 * 26), ("docstring", 37, 13)])
def test_counts_are_acdcs_less_the_edges_inside_heads(name, published, inside):
    assert reference(name).mask.sum() == published - inside


def test_greater_than_by_hand():
    """Counted group by group, on paper: each sum is over the readers, of the sources that are computed before them."""
    middle = [5, 6, 6, 7, 8, 9]
    to_early = 4 + 4  # the input and 0.1, same layer included, to MLPs 0 to 3
    to_heads = 3 * 3  # the input to 0.1, 0.3 and 0.5 at q, k and v
    to_middle = sum(3 * (3 + 4) for _ in middle)  # three early heads and four early MLPs at q, k and v
    queries = sum(layer - 4 for layer in middle)  # MLPs from 4 on to the query alone
    to_late = sum(layer <= mlp for layer in middle for mlp in range(8, 12))
    among = 9 * 8 // 2 + 4 * 3 // 2  # MLPs 0 to 8, and 8 to 11
    assert reference("greater_than").mask.sum() == to_early + to_heads + to_middle + queries + to_late + among + 6 + 4


def test_every_edge_lies_on_a_path_of_the_circuit(one):
    assert (one.mask <= one.graph.edges).all()
    assert (one.graph.pruned(one.mask) == one.mask).all()


def test_every_node_of_a_group_and_no_other_is_in_the_circuit(one):
    grouped = {node for group in one.groups.values() for node in group} | {"input"}
    reached = {name for name, kept in zip(one.graph.sources, one.graph.nodes(one.mask), strict=True) if kept}
    between = {f"m{layer}" for layer in range(4, 8)} if one.name == "greater_than" else set()
    assert reached == grouped | between


def test_arrows_of_the_ioi_paper():
    ioi = reference("ioi")
    for edge in ("a4.h11->a5.h5<k>", "a5.h9->a8.h10<v>", "a3.h0->a7.h3<k>", "a7.h9->a9.h9<q>", "a9.h9->logits"):
        assert has(ioi, edge), edge
    for edge in ("a4.h11->a5.h5<q>", "a7.h9->a9.h9<k>", "a5.h5->logits", "input->a5.h5<k>", "a9.h9->a10.h7<q>"):
        assert not has(ioi, edge), edge


def test_arrows_of_the_docstring_circuit():
    docstring = reference("docstring")
    for edge in ("a0.h5->a1.h4<v>", "a1.h4->a3.h0<q>", "a2.h0->a3.h6<k>", "input->a3.h6<v>", "a3.h0->logits"):
        assert has(docstring, edge), edge
    for edge in ("a1.h4->a3.h0<k>", "input->a1.h4<k>", "a2.h0->logits"):
        assert not has(docstring, edge), edge


def test_the_files_are_what_the_script_writes(tmp_path):
    runpy.run_path(str(FOLDER / "write.py"))["write"](tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(file.name for file in FOLDER.glob("*.json"))
    for file in tmp_path.iterdir():
        assert file.read_text() == (FOLDER / file.name).read_text()


def test_sources_are_links(one):
    assert all("https://" in source for source in one.source)
    assert one.convention


def test_an_unknown_name_is_told():
    with pytest.raises(BadInput, match="reference circuit must be one of 'docstring', 'greater_than', 'ioi'; got 'io'"):
        reference("io")
