"""Where a reader looks by coordinate, against whole runs in which the channels say them."""

import numpy as np
import pytest
import torch

from tests.channels.test_evidence import naming_pairs
from workbench.channels.act import changing, channel, put
from workbench.channels.weights import Heads
from workbench.errors import BadInput
from workbench.hooks import read
from workbench.methods import METHODS
from workbench.plots import figure
from workbench.sites import Site

MAP = METHODS["channel_map"]


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2"])
def test_every_point_is_a_whole_run(model_of, family):
    model = model_of(family)
    pairs, heads = naming_pairs(model, ragged=True), Heads(model)
    found = MAP(model, pairs, channel="0.1.2+1.0.3", reader="2.1", steps=3)
    assert found.values.dims == ("second", "first", "item")
    first, second = channel(heads, 0, 1, 2), channel(heads, 1, 0, 3)
    rows = torch.arange(len(pairs))
    # The things are tokens 3 and 5, in the order in which a prompt names them.
    order = [(3, 5) if prompt.index(3) < prompt.index(5) else (5, 3) for prompt in pairs.clean.tolist()]
    assert found.parts["right"].values.tolist() == [1 + pair.index(3) for pair in order]
    for up, across in ((0, 2), (2, 1)):
        values = (torch.tensor([float(found.values[name][at])]) for name, at in (("first", across), ("second", up)))
        one, other = values
        with changing(heads, first, put(one), pairs.end), changing(heads, second, put(other), pairs.end):
            _, kept = read(model, pairs.clean, pairs.end, [Site("pattern", 2)])
        looks = kept[Site("pattern", 2)][rows, 1, pairs.end]
        for item in range(2):
            named = pairs.clean == torch.tensor(order)[:, item : item + 1]
            before = torch.arange(looks.shape[1]) < pairs.end.unsqueeze(1)
            seen = (looks * (named & before)).sum(1)
            assert float(found.values[up, across, item]) == pytest.approx(float(seen.mean()), abs=1e-4)
    assert np.ptp(found.values.values[..., 0]) > 1e-4


def test_the_grid_holds_what_is_said(llama):
    found = MAP(llama, naming_pairs(llama), channel="0.1.2", reader="2.1", steps=4)
    said = found.parts["said"].values[:, 0]
    assert found.values.dims == ("first", "item")
    assert found.values["first"].values.min() < said.min() <= said.max() < found.values["first"].values.max()


@pytest.mark.usefixtures("lenient")
def test_channels_and_reader_are_found(llama):
    found = MAP(llama, naming_pairs(llama), axes=3, steps=2)
    named = [found.notes[name] for name in ("first", "second", "third") if name in found.notes]
    assert 1 <= len(named) == len(set(named)) == found.parts["said"].sizes["channel"]
    assert int(found.notes["reader"].split(".")[0]) > max(int(name.split(".")[0]) for name in named)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"channel": "0.1"}, "one to three different components"),
        ({"channel": "0.1.2+0.1.2"}, "one to three different components"),
        ({"channel": "0.1.0+0.1.1+0.1.2+0.1.3"}, "one to three different components"),
        ({"channel": "2.1.0"}, "got one of layer 2, the last"),
        ({"channel": "1.1.0", "reader": "1.2"}, "reader must be in a later layer"),
        ({"axes": 4}, "axes must be from 1 to 3"),
        ({"steps": 1}, "steps must be at least 2"),
    ],
)
def test_bad_input(llama, asked, said):
    with pytest.raises(BadInput, match=said):
        MAP(llama, naming_pairs(llama), **asked)


def test_the_figure_colours_the_thing_looked_at_most_and_puts_prompts_where_they_speak(llama):
    found = MAP(llama, naming_pairs(llama), channel="0.1.2+1.0.3", reader="2.1", steps=3)
    drawn = figure(found)
    heat = next(trace for trace in drawn.data if trace.type == "heatmap")
    assert np.array_equal(np.asarray(heat.z) // 3, found.values.values.argmax(-1))
    points = next(trace for trace in drawn.data if trace.type == "scatter" and trace.hovertext is not None)
    assert np.allclose(np.stack([points.x, points.y], -1), found.parts["said"].values)
    three = figure(MAP(llama, naming_pairs(llama), channel="0.1.2+1.0.3+1.1.1", reader="2.1", steps=3), theme="dark")
    assert sum(trace.type == "heatmap" for trace in three.data) == 3
    drawn_prompts = sum(len(trace.x) for trace in three.data if trace.type == "scatter" and trace.hovertext is not None)
    assert drawn_prompts == len(naming_pairs(llama))
    assert sum(trace.type == "heatmap" for trace in figure(found, facet="item").data) == 2
