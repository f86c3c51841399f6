"""Recall of a list: against whole forward passes, and that what is reported has no say in what is chosen."""

from contextlib import ExitStack
from itertools import product

import numpy as np
import pytest
import torch

from tests.conftest import Memory
from workbench.channels import recall
from workbench.channels.act import changing, channel, put, scaled
from workbench.channels.evidence import Bench
from workbench.channels.find import on_task
from workbench.channels.weights import Heads
from workbench.errors import BadInput
from workbench.hooks import end_logits, read
from workbench.methods import METHODS, list_recall
from workbench.progress import Stopped, keeping, listening
from workbench.sites import Site

RECALL = METHODS["list_recall"]
ASKED = {"channel": "0.1.2", "objects": "3", "prompts": 12}


@pytest.fixture(autouse=True)
def few_moves(monkeypatch, lenient):
    """Fewer factors and coordinates than are tried in earnest."""
    for room in (list_recall, recall):
        monkeypatch.setattr(room, "TRIED", {1: 5, 2: 3, 3: 2})
        monkeypatch.setattr(room, "ALPHAS", np.array([-3.0, 0.0, 1.0, 4.0]))


def naive_margins(model, pairs, move):
    """By prompt: the logit of the answer less the highest of the other listed things, of a whole forward pass."""
    heads = Heads(model)
    with ExitStack() as stack, torch.no_grad():
        for one, change in move:
            stack.enter_context(changing(heads, one, change, pairs.end))
        logits = end_logits(model, pairs.clean, pairs.end)
    margins = []
    for row in range(len(pairs)):
        listed = [int(pairs.clean[row, where[row]]) for name, where in pairs.positions.items() if name.startswith("ITEM")]
        (right,) = pairs.right[row]
        assert right in listed
        margins.append(float(logits[row, right]) - max(float(logits[row, other]) for other in listed if other != right))
    return np.array(margins)


def naive_best(moves, margins):
    """The first of the moves that has the most prompts right, and of these the largest mean margin."""
    return max(zip(moves, margins, strict=True), key=lambda one: (np.mean(one[1] > 0), np.mean(one[1])))[0]


def naive_said(model, pairs, what):
    heads, site = Heads(model), Site("z", what.layer)
    _, kept = read(model, pairs.clean, pairs.end, [site])
    return what.coordinates(heads, kept[site])[torch.arange(len(pairs)), pairs.end, 0].double().numpy()


@pytest.mark.parametrize(("family", "names"), [("llama", "0.1.2"), ("gpt2", "1.2.0,0.3.1"), ("gemma2", "1.0.3")])
@pytest.mark.parametrize("by", ["objects", "place"])
def test_the_numbers_are_those_of_whole_forward_passes(wordy_of, family, names, by):
    model = wordy_of(family)
    heads = Heads(model)
    # So far from what is said that the coordinate of another place would be seen.
    found = RECALL(model, objects="3", prompts=12, by=by, channel=names, reach=30)
    what = [channel(heads, *map(int, name.split("."))) for name in names.split(",")]
    points = [[0, 0, 1, 1, 2, 2]] if by == "objects" else [[place] * 6 for place in range(3)]
    halves = [list_recall.prompts_of(model, 3, places, "shuffled", 0) for places in points]
    other = list_recall._others(heads, what, 0)

    def scaling(some, alpha):
        return [(one, scaled(alpha)) for one in some]

    def putting(some, values):
        return [(one, put(torch.tensor([value]))) for one, value in zip(some, values, strict=True)]

    factors = {}
    for name, some in (("scaled", what), ("random, scaled", other)):
        alphas = recall.ALPHAS.tolist()
        margins = [np.concatenate([naive_margins(model, one, scaling(some, alpha)) for one, _ in halves]) for alpha in alphas]
        factors[name] = naive_best(alphas, margins)
        assert float(found.parts["factor"].sel(series=name, objects=3)) == factors[name]
    count = recall.TRIED[len(what)]
    for point, (places, (choosing, reporting)) in enumerate(zip(points, halves, strict=True)):
        expected = {"as it is": naive_margins(model, reporting, [])}
        for kind, some in (("", what), ("random, ", other)):
            ends = [(one.min(), one.max()) for one in (naive_said(model, choosing, one) for one in some)]
            grid = list(product(*[np.linspace(low - 30 * (high - low), high + 30 * (high - low), count) for low, high in ends]))
            tried = np.array([naive_margins(model, choosing, putting(some, values)) for values in grid])
            told = np.empty(6)
            for place in sorted(set(places)):
                here = np.array(places) == place
                best = naive_best(grid, tried[:, here])
                chosen = found.parts["coordinate"].sel(series=f"{kind}by place", objects=3, place=place)
                assert chosen.values == pytest.approx(best, abs=1e-4)
                told[here] = naive_margins(model, reporting, putting(some, best))[here]
            expected[f"{kind}by place"] = told
            expected[f"{kind}scaled"] = naive_margins(model, reporting, scaling(some, factors[f"{kind}scaled"]))
        for name, margins in expected.items():
            share, at = np.mean(margins > 0), {"series": name, by: point if by == "place" else 3}
            assert float(found.values.sel(at)) == pytest.approx(share)
            error = np.sqrt(share * (1 - share) / 6)
            assert float(found.upper.sel(at) - found.values.sel(at)) == pytest.approx(error)
            assert float(found.values.sel(at) - found.lower.sel(at)) == pytest.approx(error)
    assert found.values.sel(series="chance").values == pytest.approx(1 / 3)
    assert found.upper.sel(series="chance").identical(found.lower.sel(series="chance"))


def test_a_factor_of_one_changes_nothing(wordy_of, monkeypatch):
    for room in (list_recall, recall):
        monkeypatch.setattr(room, "ALPHAS", np.array([1.0]))
    values = RECALL(wordy_of("llama"), objects="2,3,5", prompts=20, channel="0.1.2").values
    assert values.sel(series="scaled").values.tolist() == values.sel(series="as it is").values.tolist()
    assert values.sel(series="random, scaled").values.tolist() == values.sel(series="as it is").values.tolist()


@pytest.mark.parametrize("by", ["objects", "place"])
def test_what_is_reported_has_no_say_in_what_is_chosen(wordy_of, monkeypatch, by):
    model, real = wordy_of("gpt2"), list_recall.prompts_of
    asked = {"objects": "3,4" if by == "objects" else "3", "prompts": 16, "by": by}
    ours = RECALL(model, **asked)

    def mixed(reported, seed):
        """The choosing half of one seed and the reporting half of another."""
        return lambda *args: (real(*args[:-1], seed)[0], real(*args[:-1], reported)[1])

    monkeypatch.setattr(list_recall, "prompts_of", mixed(1, 0))
    others = RECALL(model, **asked)
    assert others.notes["channel"] == ours.notes["channel"]
    assert all(others.parts[name].identical(ours.parts[name]) for name in ("factor", "coordinate"))
    assert not others.values.identical(ours.values)
    monkeypatch.setattr(list_recall, "prompts_of", mixed(0, 1))
    chosen_elsewhere = RECALL(model, channel=ours.notes["channel"].split(",")[0], **asked)
    assert chosen_elsewhere.values.sel(series="as it is").identical(ours.values.sel(series="as it is"))
    assert not chosen_elsewhere.parts["coordinate"].identical(ours.parts["coordinate"])


@pytest.mark.parametrize(("objects", "half"), [(2, 5), (3, 12), (8, 20), (20, 6)])
def test_places_are_spread_evenly_and_alike_over_both_halves(wordy_of, objects, half):
    places = list_recall.spread(objects, half, 0)
    counts = np.bincount(places, minlength=objects)
    assert counts.sum() == half
    assert counts.max() - counts.min() <= 1
    texts = []
    for pairs in list_recall.prompts_of(wordy_of("llama"), objects, places, "shuffled", 0):
        items = torch.stack([pairs.positions[f"ITEM{at + 1}"] for at in range(objects)], 1)
        assert (items == pairs.positions["LEFT"].unsqueeze(1)).int().argmax(1).tolist() == places
        texts += ["".join(tokens) for tokens in pairs.clean_strings]
    assert len(set(texts)) == 2 * half


def test_the_channel_is_the_strongest_on_the_choosing_prompts(wordy_of):
    model = wordy_of("gpt2")
    heads = Heads(model)
    choosing, _ = list_recall.prompts_of(model, 3, list_recall.spread(3, 6, 0), "shuffled", 0)
    rows = on_task(Bench(heads, choosing), readers=3, writers=5, seed=0).rows
    first = rows[0]
    second = next(row for row in rows if row.writer != first.writer)
    names = [".".join(map(str, (*row.writer, row.component))) for row in (first, second)]
    for count in (1, 2):
        found = RECALL(model, objects="3", prompts=12, channels=count)
        assert found.notes["channel"] == f"{' and '.join(names[:count])}, found on the choosing prompts of 3 things"
        assert found.parts["coordinate"].writer.values.tolist() == [name.rpartition(".")[0] for name in names[:count]]


@pytest.mark.parametrize("by", ["objects", "place"])
def test_a_killed_run_goes_on(wordy_of, monkeypatch, by):
    model, asked = wordy_of("gpt2"), {"objects": "2,3,4" if by == "objects" else "3", "prompts": 12, "by": by}
    made, real = [], list_recall.Bench
    for room in (list_recall, recall):
        monkeypatch.setattr(room, "Bench", lambda heads, pairs: made.append(1) or real(heads, pairs))
    steps, memory = [], Memory()
    with listening(steps.append):
        whole = RECALL(model, **asked)
    benches, last = len(made), steps[-1]
    assert last.label == list_recall.TITLE
    assert last.done == last.total
    made.clear()

    def stop(step):
        if step.label == list_recall.TITLE and step.done > 0.6 * last.total:
            raise Stopped

    with keeping(memory), listening(stop), pytest.raises(Stopped):
        RECALL(model, **asked)
    before = len(made)
    assert 2 < before < benches
    with keeping(memory), listening(steps.append):
        again = RECALL(model, **asked)
    # Only the one that was stopped is made twice.
    assert len(made) == benches + 1
    assert steps[-1].done == steps[-1].total
    assert again.values.identical(whole.values)
    assert all(again.parts[name].identical(part) for name, part in whole.parts.items())


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"prompts": 2}, "prompts must be at least 4; got 2"),
        ({"prompts": 7}, "prompts must be even, one half to choose and one to report; got 7"),
        ({"objects": "1,3"}, "objects must be whole numbers from 2 to 20, as in '2,20'; got '1,3'"),
        ({"objects": "21"}, "objects must be whole numbers from 2 to 20"),
        ({"objects": "three"}, "objects must be whole numbers from 2 to 20"),
        ({"objects": ""}, "objects must be whole numbers from 2 to 20"),
        ({"channel": "", "channels": 0}, "channels must be from 1 to 3; got 0"),
        ({"channel": "", "channels": 4}, "channels must be from 1 to 3; got 4"),
        ({"channel": "0.1"}, "channel must name a component, LAYER.HEAD.COMPONENT"),
        ({"channel": "0.1.2,0.1.3"}, "channel must name at most 3 components, of different heads"),
        ({"channel": "0.1.99"}, "component must be from 0 to 5; got 99"),
        ({"reach": -1}, "reach must be finite and at least 0; got -1"),
        ({"reach": float("inf")}, "reach must be finite and at least 0; got inf"),
    ],
)
def test_bad_input(wordy_of, asked, said):
    with pytest.raises(BadInput, match=said):
        RECALL(wordy_of("llama"), **{**ASKED, **asked})


def test_a_tokenizer_without_the_words_is_told(llama):
    with pytest.raises(BadInput, match="laundry_list: the objects that are one token"):
        RECALL(llama, **ASKED)


@pytest.mark.slow
def test_the_real_model_recalls_short_lists(smollm):
    values = RECALL(smollm, objects="2,4", prompts=24, channel="21.5.11").values
    assert (values.sel(series="as it is") > values.sel(series="chance") + 0.1).all()
