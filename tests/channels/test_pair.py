"""A pair of heads: what is shown of it, against whole runs and sums written out."""

import numpy as np
import pytest
import torch

from tests.channels.test_evidence import naming_pairs
from tests.conftest import toy_pairs
from workbench.channels.act import changing, channel, scaled
from workbench.channels.composition import blocks, robust
from workbench.channels.evidence import Bench
from workbench.channels.pair import ALPHAS, component_effects, component_scores
from workbench.channels.pair import scaled as scaled_pair
from workbench.channels.weights import Heads
from workbench.errors import BadInput
from workbench.hooks import read
from workbench.metrics import answers_of, logit_diff
from workbench.plots import figure
from workbench.sites import Site

WRITER, READER = (0, 1), (2, 3)


def seen(model, heads, pairs, component, alpha):
    """Logits, and the reader's attention from END, of a whole run in which a component says α times as much at END."""
    site = Site("pattern", READER[0])
    with changing(heads, channel(heads, *WRITER, component), scaled(alpha), pairs.end):
        logits, kept = read(model, pairs.clean, pairs.end, [site])
    return logits, kept[site][torch.arange(len(pairs)), READER[1], pairs.end]


def on(pairs, row, pattern, token):
    return sum(float(pattern[row, at]) for at in range(int(pairs.end[row])) if int(pairs.clean[row, at]) == token)


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2"])
@pytest.mark.parametrize("slot", ["q", "k", "v"])
def test_scores_are_those_of_the_search(model_of, family, slot):
    heads = Heads(model_of(family))
    told = component_scores(heads, slot, WRITER, READER)
    block = next(block for block in blocks(heads, (slot,)) if (block.writer, block.reader) == (WRITER[0], READER[0]))
    at = (WRITER[1], slice(None), READER[1])
    np.testing.assert_allclose(told.values, block.scores[at], rtol=1e-6)
    np.testing.assert_allclose(told.values["robust deviation"], robust(block.scores)[at], rtol=1e-5)
    assert float(told.values["share of strength"].sum()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2"])
@pytest.mark.parametrize("ragged", [False, True])
def test_effects_are_the_fall_in_whole_runs(model_of, family, ragged):
    model = model_of(family)
    heads, pairs = Heads(model), naming_pairs(model, ragged)
    told = component_effects(Bench(heads, pairs), WRITER, READER).values
    assert told.sizes == {"component": heads.d_head, "prompt": len(pairs)}
    assert float(np.abs(told).max()) > 1e-4
    for component in range(heads.d_head):
        _, before = seen(model, heads, pairs, component, 1)
        _, after = seen(model, heads, pairs, component, 0)
        for row in range(len(pairs)):
            leaning = [on(pairs, row, pattern, 3) - on(pairs, row, pattern, 5) for pattern in (before, after)]
            assert float(told[component, row]) == pytest.approx(leaning[0] - leaning[1], abs=1e-5)


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2"])
def test_every_factor_is_a_whole_run(model_of, family):
    model = model_of(family)
    heads, pairs = Heads(model), naming_pairs(model, ragged=True)
    told = scaled_pair(Bench(heads, pairs), WRITER, READER, 2)
    assert (ALPHAS[0], ALPHAS[-1], len(ALPHAS), 1.0 in ALPHAS) == (-3, 8, 23, True)
    for alpha in (-3, 0, 1, 2.5, 8):
        logits, pattern = seen(model, heads, pairs, 2, alpha)
        answer = logit_diff(logits, answers_of(pairs))
        right, wrong = ([on(pairs, row, pattern, token) for row in range(len(pairs))] for token in (3, 5))
        said = told.said(alpha)
        assert said["logit difference"] == pytest.approx(float(answer.mean()), abs=1e-4)
        assert said["accuracy"] == pytest.approx(float((answer > 0).float().mean()))
        assert said["on right"] == pytest.approx(np.mean(right), abs=1e-5)
        assert said["on wrong"] == pytest.approx(np.mean(wrong), abs=1e-5)
        for row, length in enumerate(pairs.end + 1):
            looks = told.looks(alpha, row).values
            assert list(looks.token.values) == list(pairs.clean_strings[row][:length])
            np.testing.assert_allclose(looks[-1], pattern[row, :length], atol=1e-5)
            shown = told.logits(alpha, row).values
            names = [3, 5] if pairs.clean[row].tolist().index(3) < pairs.clean[row].tolist().index(5) else [5, 3]
            np.testing.assert_allclose(shown[-1], logits[row, names], atol=1e-4)
            right = [bool(str(name).endswith("(right)")) for name in shown.token.values]
            assert right == [name == 3 for name in names]
        at = ALPHAS.index(alpha)
        assert float(told.answers().values[0, at]) == pytest.approx(float(answer.mean()), abs=1e-4)
        assert float(told.leaning().values.sel(series="leaning")[at]) == pytest.approx(said["leaning"], abs=1e-6)


def test_a_factor_stands_beside_the_model_as_it_is(llama):
    told = scaled_pair(Bench(Heads(llama), naming_pairs(llama)), WRITER, READER, 0)
    assert list(told.looks(3, 0).values["α"].values) == ["1, as it is", "3"]
    assert list(told.looks(1, 0).values["α"].values) == ["1, as it is"]
    np.testing.assert_allclose(told.looks(3, 0).values[0], told.looks(1, 0).values[0])
    for result in (told.looks(3, 0), told.looks(1, 0), told.logits(1, 1), told.answers(), told.leaning()):
        figure(result)


def test_bad_input(llama):
    heads = Heads(llama)
    bench = Bench(heads, naming_pairs(llama))
    with pytest.raises(BadInput, match=r"the reader must be in a later layer than the writer 1\.0; got 1\.2"):
        component_scores(heads, "q", (1, 0), (1, 2))
    with pytest.raises(BadInput, match="layer must be from 0 to 2; got 9"):
        component_effects(bench, (0, 0), (9, 0))
    with pytest.raises(BadInput, match="component must be from 0 to 5; got 6"):
        scaled_pair(bench, WRITER, READER, 6)
    with pytest.raises(BadInput, match="alpha must be one of"):
        scaled_pair(bench, WRITER, READER, 0).said(0.3)
    for effect in (component_effects, lambda *asked: scaled_pair(*asked, 0)):
        with pytest.raises(BadInput, match="prompts must name both answers"):
            effect(Bench(heads, toy_pairs(llama)), WRITER, READER)
