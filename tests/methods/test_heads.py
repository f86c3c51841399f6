"""The table of heads: its numbers by definition, and on the real model by removing the heads that it names."""

import numpy as np
import pytest
import torch

from tests.channels.test_evidence import naming_pairs
from tests.conftest import toy_pairs
from workbench.channels.evidence import Bench
from workbench.channels.weights import Heads
from workbench.detectors import attention, outputs, sequences
from workbench.errors import BadInput
from workbench.hooks import end_logits, read, writing
from workbench.methods import METHODS
from workbench.plots import heads_table
from workbench.sites import Site
from workbench.tasks import TASKS
from workbench.unembed import folded

HEADS = METHODS["heads"]
SMALL = {"examples": 3, "length": 4, "copies": 3}


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2"])
def test_the_numbers_are_those_of_the_measures(model_of, family):
    model = model_of(family)
    found = HEADS(model, naming_pairs(model), **SMALL)
    tokens = sequences.repeated(model, 3, 0, 4, 3)
    for layer in range(model.cfg.n_layers):
        _, kept = read(model, tokens, torch.full((3,), tokens.shape[1] - 1), [Site("pattern", layer)])
        pattern = kept[Site("pattern", layer)]
        for name, wanted in (("duplicate token", attention.duplicates), ("induction", attention.followers)):
            each = attention.share_on(pattern, wanted(tokens))
            assert np.allclose(found.parts[f"each {name}"].values[:, layer], each, atol=1e-5)
            assert np.allclose(found.values.sel(detector=name, layer=layer), each.mean(0), atol=1e-5)
            error = each.std(0) / 3**0.5
            assert np.allclose(found.upper.sel(detector=name, layer=layer) - each.mean(0).numpy(), error, atol=1e-5)


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2"])
def test_eigenvalues_are_those_of_the_whole_matrix(model_of, family):
    model = model_of(family)
    heads = Heads(model)
    found = outputs.eigenvalue_copying(heads)
    for layer, head in ((0, 1), (2, 3)):
        whole = model.W_E @ heads.reading(layer, "v")[head] @ heads.writing(layer)[head] @ folded(model)
        values = torch.linalg.eigvals(whole.detach().double())
        assert float(found[layer, head]) == pytest.approx(float(values.real.sum() / values.abs().sum()), abs=1e-3)


def test_a_head_that_copies_and_one_that_copies_another(llama):
    """By hand: what a head writes is the unembedding of the token it looks at, or of the next."""
    tokens = torch.tensor([[1, 2, 3, 4]])
    unembed = torch.eye(8)[:, :8]
    pattern = torch.zeros(1, 2, 4, 4)
    pattern[0, :, range(4), [0, 0, 1, 2]] = 1.0
    out = torch.eye(8).expand(2, 8, 8)
    z = torch.zeros(1, 4, 2, 8)
    for query, key in enumerate([0, 0, 1, 2]):
        z[0, query, 0, tokens[0, key]] = 1.0
        z[0, query, 1, tokens[0, key] % 4 + 1] = 1.0
    assert outputs.copying(tokens, pattern, z, out, unembed)[0].tolist() == pytest.approx([1.0, 0.0])


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2"])
def test_what_is_moved_from_everywhere_is_the_direct_effect(model_of, family):
    """Of all places together a head moves what it adds directly; the values' bias is part of what it reads."""
    model = model_of(family)
    bench = Bench(Heads(model), naming_pairs(model, ragged=True))
    bench.right[:] = torch.arange(bench.right.shape[1]) <= bench.end.unsqueeze(1)
    assert torch.allclose(outputs.moved(bench), bench.direct, atol=1e-4)


def test_prompts_that_name_no_answers_leave_two_detectors_out_and_say_why(llama):
    found = HEADS(llama, toy_pairs(llama), **SMALL)
    assert "prompts must name both answers" in found.notes["nan"]
    missing = {str(name) for name in found.values.detector.values if np.isnan(found.values.sel(detector=name)).any()}
    assert missing == {"name mover", "S-inhibition"}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"examples": 1}, "examples must be at least 2"),
        ({"length": 500, "copies": 4}, "sequences must have at most|ordinary tokens of this tokenizer must be at least"),
        ({"copies": 1}, "copies must be at least 2"),
    ],
)
def test_bad_input(llama, asked, said):
    with pytest.raises(BadInput, match=said):
        HEADS(llama, toy_pairs(llama), **{**SMALL, **asked})


@pytest.mark.slow
def test_removing_the_heads_that_are_named_hurts_more_than_removing_others(smollm):
    """Induction heads are needed for what repeats: against as many others of the same layers, twenty draws."""
    pairs = toy_pairs(smollm)
    found = HEADS(smollm, pairs, examples=2)
    scores = found.values.sel(detector="induction").values
    named = [divmod(int(index), scores.shape[1]) for index in np.argsort(-scores.ravel())[:6]]
    tokens = sequences.repeated(smollm, 6, 1, 25, 2)

    def loss_without(removed):
        writes = {}
        for layer in {layer for layer, _ in removed}:
            heads = [head for at, head in removed if at == layer]

            def zero(z, heads=heads):
                changed = z.clone()
                changed[:, :, heads] = 0
                return changed

            writes[Site("z", layer)] = zero
        with torch.no_grad(), writing(smollm, writes):
            end = torch.full((len(tokens),), tokens.shape[1] - 2)
            logits = end_logits(smollm, tokens[:, :-1], end)
        return -float(logits.log_softmax(-1)[range(len(tokens)), tokens[:, -1]].mean())

    rng, others = np.random.default_rng(0), []
    for _ in range(20):
        drawn = []
        for layer in [layer for layer, _ in named]:
            left = [head for head in range(scores.shape[1]) if (layer, head) not in (*named, *drawn)]
            drawn.append((layer, int(rng.choice(left))))
        others.append(loss_without(drawn))
    assert loss_without(named) > max(others) + 0.5
    assert loss_without([]) < min(others) + 0.5


def test_the_table_joins_other_scores_of_heads(llama):
    pairs = naming_pairs(llama)
    found, dla = HEADS(llama, pairs, **SMALL), METHODS["dla"](llama, pairs)
    patched = METHODS["patch"](llama, pairs, sites=("z", "q"), by=("layer", "head"))
    made = heads_table(found, dla, patched)
    assert len(made) == llama.cfg.n_layers * llama.cfg.n_heads
    row = made[(made.layer == 1) & (made["head"] == 2)].iloc[0]
    assert row["name"] == "1.2"
    assert row["induction"] == pytest.approx(float(found.values.sel(detector="induction", layer=1, head=2)))
    assert row["dla"] == pytest.approx(float(dla.values.mean("prompt").sel(layer=1, head=2)))
    assert row["patch z"] == pytest.approx(float(patched.values.mean("prompt").sel(site="z", layer=1, head=2)))
    with pytest.raises(BadInput, match="tables of heads must be of results over layer and head"):
        heads_table(METHODS["lens"](llama, pairs))


def test_where_the_tokenizer_knows_no_story_random_tokens_stand_for_text():
    """A model that was trained here knows a hundred words: its previous-token head is found all the same."""
    from workbench.models import load

    model = load("trained:attention@step1500", device="cpu")
    pairs = TASKS["repeated_tokens"](model, n=2, seed=0)
    found = METHODS["heads"](model, pairs, examples=3)
    assert "texts must be of words that the tokenizer knows" in found.notes["text"]
    back = found.values.sel(detector="previous token")
    assert float(back.sel(layer=0, head=3)) > 0.8
    with pytest.raises(BadInput, match="texts must be of words that the tokenizer knows"):
        METHODS["heads"](model, pairs, examples=3, text="Nobody here knows any of these words.")
    curve = METHODS["in_context"](model, examples=2, length=128, late=120)
    assert curve.values.series.values.tolist() == ["random tokens, repeated"]
    assert "not read" in curve.notes["stories"]
