"""The network: what is drawn is what is kept, where it is, and by how much."""

import numpy as np
import pytest

from tests.plots import samples
from workbench.errors import BadInput
from workbench.plots import figure, rows, table


def drawn(fig):
    """Names of the edges drawn, from the markers that tell their numbers."""
    told = [trace for trace in fig.data if trace.hovertext is not None and "→" in str(trace.hovertext)]
    return {text.partition("</b>")[0].removeprefix("<b>").replace(" → ", "->").replace("&lt;", "<").replace("&gt;", ">")
            for trace in told for text in trace.hovertext}  # fmt: skip


def test_kept_edges_are_drawn_and_no_others():
    made = samples.circuit()
    assert drawn(figure(made, top=200)) == set(made.names()[made.parts["kept"].values])


def test_without_a_selection_the_largest_are_drawn():
    made = samples.circuit(kept=False)
    order = np.argsort(-np.abs(made.values.values))[:7]
    assert drawn(figure(made, top=7)) == set(made.names()[order])
    assert f"7 of {made.values.size:,} edges" in str(figure(made, top=7).layout.annotations)


def test_later_layers_stand_higher():
    fig = figure(samples.circuit(), top=200)
    boxes = next(trace for trace in fig.data if trace.text is not None)
    height = dict(zip(boxes.text, boxes.y, strict=True))
    assert height["in"] == min(height.values())
    assert height["out"] == max(height.values())
    assert all(height[name] < height[f"m{name[0]}"] for name in height if "." in name and f"m{name[0]}" in height)


def test_wider_lines_are_larger_scores():
    fig = figure(samples.circuit(), top=200)
    made = samples.circuit()
    lines = [trace for trace in fig.data if trace.mode == "lines"]
    assert sum(len(trace.x) // 3 for trace in lines) == made.parts["kept"].values.sum()
    assert len({trace.line.width for trace in lines}) > 1
    assert len({trace.line.color for trace in lines}) == 2


def test_an_empty_circuit_is_told():
    made = samples.circuit()
    parts = {**made.parts, "kept": made.parts["kept"] & False}
    with pytest.raises(BadInput, match="must keep an edge to be drawn"):
        figure(made.replace(parts=parts))


def test_tables_name_edges():
    made = samples.circuit()
    assert list(table(made)["edge"]) == list(made.names())
    assert list(table(made)["kept"]) == list(made.parts["kept"].values)
    first = rows(made, 1)[0]
    assert first["edge"] == made.names()[np.argmax(np.abs(made.values.values))]
