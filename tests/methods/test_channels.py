"""Channels: a planted one is found from the weights, and what is found on a task is what interventions do."""

import numpy as np
import pytest
import torch

from tests import families
from tests.channels.test_evidence import naming_pairs
from tests.conftest import toy_pairs
from workbench.channels import find, trials
from workbench.channels.composition import pair_block, turned
from workbench.channels.evidence import Bench
from workbench.channels.weights import Heads
from workbench.errors import BadInput
from workbench.methods import METHODS
from workbench.models import load
from workbench.plots import figure
from workbench.views.circuit_size import CircuitSize

CHANNELS, COMPOSITION = METHODS["channels"], METHODS["composition"]


@pytest.fixture(scope="module", params=["gpt2", "llama"])
def planted(request, tmp_path_factory):
    """A random model in which head 0.1 says along one direction what 2.3 reads as its query, and little else."""
    from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    shape = {"hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "vocab_size": families.VOCAB}
    made = {
        "gpt2": lambda: GPT2LMHeadModel(GPT2Config(n_embd=64, n_layer=3, n_head=4, vocab_size=families.VOCAB, n_positions=32)),
        "llama": lambda: LlamaForCausalLM(LlamaConfig(intermediate_size=96, num_key_value_heads=2, **shape)),
    }[request.param]()
    folder = tmp_path_factory.mktemp("planted")
    made.save_pretrained(folder)
    families.tokenizer().save_pretrained(folder)
    model = load(str(folder), device="cpu")
    heads = Heads(model)
    direction = heads.components(0).writes[1, 2]
    with torch.no_grad():
        query = model.blocks[2].attn.W_Q[3]
        gain = model.blocks[2].ln1.weight
        along = torch.nn.functional.normalize(torch.ones(query.shape[1]), dim=0)
        query += 3 * query.norm() * torch.outer(direction / gain, along)
    return model


def test_a_planted_channel_is_found_from_the_weights(planted):
    found = CHANNELS(planted)
    assert str(found.values.channel.values[0]) == "0.1.2 -> 2.3 q"
    assert float(found.values.q[0]) <= 0.01
    assert float(found.values.composition[0]) > 0.7
    assert found.origin.task == ""


def test_the_communication_graph_has_the_planted_channel_as_its_strongest_edge(planted):
    found = METHODS["channel_graph"](planted, top=5)
    kept, names = found.parts["kept"].values, found.names()
    assert names[np.nanargmax(found.values.values)] == "a0.h1->a2.h3<q>"
    assert "a0.h1->a2.h3<q>" in names[kept]
    # It counts as the weights' own search says, and the number is the strongest component's.
    weights = CHANNELS(planted, slots="q")
    assert float(np.nanmax(found.values.values)) == pytest.approx(float(weights.values[0]))
    between_heads = np.array([name.startswith("a") and "<" in name for name in names])
    assert np.array_equal(np.isfinite(found.values.values), between_heads)
    assert "strongest component" in found.notes["sign"]
    sizes = CircuitSize(found)
    assert int(sizes.kept(sizes.sizes[0]).sum()) == sizes.sizes[0], "no pruning: a channel need lie on no path"
    assert sizes.sizes[-1] == int(found.parts["counts"].values.sum()), "what counts by chance is never shown"
    assert "no faithfulness" in sizes.words(sizes.sizes[0])


@pytest.mark.usefixtures("lenient")
def test_the_figures_of_components_and_of_marked_pairs(model_of):
    model = model_of("llama")
    found = CHANNELS(model, naming_pairs(model), readers=4, writers=8)
    drawn = figure(found, row=1)
    score, effect = drawn.data
    assert np.allclose(effect.y, found.parts["components"].values[1])
    assert np.allclose(score.y, found.parts["composition"].values[1])
    writer = str(found.values.channel.values[1]).split(" ")[0]
    layer, head, component = map(int, writer.split("."))
    reader = tuple(map(int, str(found.values.channel.values[1]).split(" ")[2].split(".")))
    block = pair_block(Heads(model), "q", layer, reader[0])
    assert np.allclose(score.y, block.scores[head, :, reader[1]])
    assert effect.marker.color[component] != effect.marker.color[component - 1]
    with pytest.raises(BadInput, match="row must be from 0"):
        figure(found, row=99)
    told = COMPOSITION(model, by="head", slots="q")
    with pytest.raises(BadInput, match="row must be None for a result without components"):
        figure(told, row=0)
    rings = figure(told, mark=[("0.1", "2.3")]).data[-1]
    names = told.values.writer.values.tolist()
    assert (list(rings.x), list(rings.y)) == ([names.index("2.3")], [names.index("0.1")])
    with pytest.raises(BadInput, match="mark, a label of reader"):
        figure(told, mark=[("0.1", "9.3")])


def test_composition_is_largest_where_it_was_planted(planted):
    told = COMPOSITION(planted, by="head", of="component", slots="q").values
    assert np.isnan(told.values[0][8:, :8]).all()
    best = np.unravel_index(np.nanargmax(told.values), told.shape)
    assert (str(told.writer.values[best[1]]), str(told.reader.values[best[2]])) == ("0.1", "2.3")
    layers = COMPOSITION(planted, of="component", slots="q").values
    assert float(layers.sel(slot="q", writer="0", reader="2")) == pytest.approx(float(np.nanmax(told.values)))


@pytest.mark.usefixtures("lenient")
@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2"])
def test_on_a_task_the_numbers_are_those_of_trials(model_of, family, monkeypatch):
    # So few at once that every search takes several passes.
    monkeypatch.setitem(trials.TRIALS, "cpu", 12)
    model = model_of(family)
    pairs = naming_pairs(model)
    found = CHANNELS(model, pairs, readers=4, writers=8)
    heads = Heads(model)
    bench = Bench(heads, pairs)
    for place, name in enumerate(found.values.channel.values):
        writer, reader = str(name).removesuffix(" q").split(" -> ")
        layer, head, component = map(int, writer.split("."))
        at = tuple(map(int, reader.split(".")))
        base = bench.base([at]).leaning[0, 0]
        out = bench.out[layer][head]
        along = heads.components(layer).writes[head, component]
        gone = base - bench.outcome(layer, -(out @ along).unsqueeze(-1) * along.unsqueeze(0).unsqueeze(0), [at]).leaning[0, 0]
        whole = base - bench.outcome(layer, -out.unsqueeze(0), [at]).leaning[0, 0]
        row = found.values.isel(channel=place)
        assert float(row.inhibition) == pytest.approx(float(gone.mean()), abs=1e-5)
        assert float(row["head"]) == pytest.approx(float(whole.mean()), abs=1e-5)
        assert float(row["share"]) == pytest.approx(float(gone.mean() / whole.mean()), rel=1e-3)
        single = bench.outcome(layer, ((out @ along).unsqueeze(-1) * along - out).unsqueeze(0), [at]).leaning[0, 0]
        assert float(row["alone"]) == pytest.approx(1 - float((base - single).mean() / whole.mean()), rel=1e-3, abs=1e-3)
        each = [
            float((base - bench.outcome(layer, -((out @ one).unsqueeze(-1) * one).unsqueeze(0), [at]).leaning[0, 0]).mean())
            for basis in (heads.components(layer).writes[head], turned(heads.components(layer).writes[head].unsqueeze(0), 0)[0])
            for one in basis
        ]
        mine, random = each[: heads.d_head], each[heads.d_head :]
        assert float(row["next share"]) == pytest.approx(sorted(mine)[-2] / float(whole.mean()), rel=1e-3, abs=1e-3)
        assert float(row["random share"]) == pytest.approx(max(random) / float(whole.mean()), rel=1e-3, abs=1e-3)
        said, first = (out @ along), bench.right_first
        for name, rows in (("said, right first", first), ("said, wrong first", ~first)):
            expected = float(said[rows].mean()) if rows.any() else np.nan
            assert float(row[name]) == pytest.approx(expected, abs=1e-4, nan_ok=True)
        part = found.parts["inhibition"].sel(reader=reader, layer=layer, head=head)
        assert float(part) == pytest.approx(float(whole.mean()), abs=1e-5)
    assert (np.diff(found.values.inhibition.values) <= 1e-9).all()


def test_heads_count_by_more_than_chance():
    """Of heads without any effect hardly ever one counts, however many are tried; one with an effect does."""
    rng = np.random.default_rng(0)
    found = [find._counting(rng.normal(size=(3, 10, 9, 12))) for _ in range(40)]
    assert sum(one.any() for one in found) <= 6
    whole = rng.normal(size=(3, 10, 9, 12))
    whole[1, 4, 2] += 6
    assert find._counting(whole)[1, 4, 2]
    whole[0, 5:] = np.nan
    assert not find._counting(whole)[0, 5:].any()
    assert find._counting(whole[..., :1])[0, :5].all()


def test_on_a_random_model_nothing_inhibits(llama):
    with pytest.raises(BadInput, match="channels must find a head that pushes a reader to the right answer"):
        CHANNELS(llama, naming_pairs(llama))


def test_bad_input(llama):
    with pytest.raises(BadInput, match="slots must hold q where there are prompts"):
        CHANNELS(llama, naming_pairs(llama), slots="k")
    for method in ("channels", "channel_graph", "composition"):
        with pytest.raises(BadInput, match="slots must be at least one of q, k, v; got none"):
            METHODS[method](llama, None, slots=())
    with pytest.raises(BadInput, match="prompts must name both answers"):
        CHANNELS(llama, toy_pairs(llama))
    with pytest.raises(BadInput, match="rate must be between 0 and 1; got 2"):
        CHANNELS(llama, rate=2)
    with pytest.raises(BadInput, match="rotations must be at least 1; got 0"):
        CHANNELS(llama, rotations=0)
    with pytest.raises(BadInput, match=r"low and high must not overflow the stream; at α 1e\+38"):
        METHODS["channel_scale"](llama, naming_pairs(llama), channel="0.1.2", high=1e38)
    with pytest.raises(BadInput, match="patch must have pairs"):
        METHODS["patch"](llama)


@pytest.mark.slow
def test_on_the_real_model_an_inhibition_channel_is_found(smollm):
    from workbench.tasks import TASKS

    # Inhibition is through queries; what is read as keys and values takes twice as long.
    found = CHANNELS(smollm, TASKS["ioi"](smollm, n=8, seed=0), slots="q")
    assert float(found.values.inhibition[0]) > 0.02
    assert found.notes["low rank"]
    assert found.parts["inhibition"].sizes == {"reader": 3, "layer": 30, "head": 9}
