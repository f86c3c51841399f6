"""What a model remembers of its context: loss by place, lists that come again, needles in haystacks."""

import numpy as np
import pytest
import torch

from workbench.channels.weights import Heads
from workbench.detectors import retrieval, sequences
from workbench.detectors.loss import surprisals
from workbench.errors import BadInput
from workbench.hooks import end_logits
from workbench.methods import METHODS, repeat_surprisal

IN_CONTEXT, REPEATS, NEEDLES = (METHODS[name] for name in ("in_context", "repeat_surprisal", "retrieval"))
SHORT = {"examples": 2, "length": 20, "early": 3, "late": 15, "window": 2}


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2"])
def test_surprisals_are_those_of_prefixes(model_of, family):
    model = model_of(family)
    tokens = torch.randint(3, 20, (3, 6), generator=torch.Generator().manual_seed(0))
    counted = torch.ones_like(tokens, dtype=torch.bool)
    counted[1, 4:] = False
    found = surprisals(model, tokens, counted, "test")
    assert found[:, 0].isnan().all()
    assert found[1, 4:].isnan().all()
    for row, place in ((0, 5), (1, 3), (2, 1)):
        with torch.no_grad():
            logits = end_logits(model, tokens[row : row + 1, :place], torch.tensor([place - 1]))
        expected = -float(logits.log_softmax(-1)[0, tokens[row, place]])
        assert float(found[row, place]) == pytest.approx(expected, abs=1e-3)


def test_loss_by_place_and_its_score(wordy_of):
    model = wordy_of("llama")
    found = IN_CONTEXT(model, **SHORT)
    assert found.values.sizes == {"series": 2, "place": 19}
    stories, _ = sequences.text_tokens(model, sequences.stories(2, 0, 60), 20)
    each = surprisals(model, stories, torch.ones_like(stories, dtype=torch.bool), "test")
    assert np.allclose(found.values.sel(series="stories"), each[:, 1:].mean(0), atol=1e-5)
    score = each[:, 14:16].mean(1) - each[:, 2:4].mean(1)
    assert np.allclose(found.parts["score"].sel(series="stories"), score, atol=1e-5)
    assert f"{float(score.mean()):+.2f}" in found.notes["in-context score"]


def test_the_second_half_repeats_the_first(wordy_of):
    tokens = sequences.repeated(wordy_of("llama"), 3, 0, 7, 2)[:, -14:]
    assert torch.equal(tokens[:, :7], tokens[:, 7:])


@pytest.mark.parametrize("condition", repeat_surprisal.CONDITIONS)
def test_lists_are_what_their_condition_says(condition):
    for index in range(5):
        text, first, second = repeat_surprisal.texts_of(condition, 5, 2, 0, index)
        one, other = ([text[start:end] for start, end in spans] for spans in (first, second))
        assert len(set(one)) == len(set(other)) == 5
        same = [word == again for word, again in zip(one, other, strict=True)]
        assert {
            "repeated": all(same),
            "permuted": not any(same) and set(one) == set(other),
            "novel": not set(one) & set(other),
        }[condition]
        # Conditions of one index share the list and what stands between.
        base = repeat_surprisal.texts_of("repeated", 5, 2, 0, index)[0]
        assert text[: second[0][0]] == base[: second[0][0]]


def test_repeat_surprisal_is_the_share_of_the_words_own_surprisals(wordy_of):
    model = wordy_of("llama")
    found = REPEATS(model, listed="3", examples=2, sentences=1)
    text, first, second = repeat_surprisal.texts_of("novel", 3, 1, 0, 1)
    ids = torch.tensor([model.tokenizer(text)["input_ids"]])
    encoded = model.tokenizer(text)
    nats = surprisals(model, ids, torch.ones_like(ids, dtype=torch.bool), "test")[0]

    def mean(spans):
        sums = []
        for start, end in spans[1:]:
            inside = {encoded.char_to_token(at) for at in range(start, end)} - {None}
            sums.append(sum(float(nats[token]) for token in inside))
        return np.mean(sums)

    expected = 100 * mean(second) / mean(first)
    assert float(found.parts["each"].sel(series="novel", listed=3, text=1)) == pytest.approx(expected, rel=1e-4)
    assert float(found.lower.min()) <= float(found.values.min())


def test_a_needle_stands_where_it_should(wordy_of):
    model = wordy_of("llama")
    at = []
    for depth in (0.0, 0.5, 1.0):
        one = retrieval.trial(model, 120, depth, 3)
        start, end = one.needle
        said = model.tokenizer.decode(one.tokens[start:end].tolist())
        # The tests' tokenizer lacks some of the words.
        assert "bridge by the" in said
        assert any(word in said.lower() for word in one.words)
        at.append(start)
    assert at[0] == 0
    assert at[0] < at[1] < at[2]
    assert one.needle[1] < len(one.tokens)


def test_only_what_is_looked_at_in_the_needle_and_given_back_counts(wordy_of, monkeypatch):
    """The answer is the needle itself; head 1.2 looks at each token as it comes, head 0.1 one token further on."""
    model = wordy_of("llama")
    heads, one = Heads(model), retrieval.trial(wordy_of("llama"), 120, 0.5, 0)
    start, end = one.needle
    given = iter(range(start, end))
    now = {"at": None}

    def answer(model, tokens, at, **kwargs):
        if tokens.shape[1] > 1:
            return None
        now["at"] = next(given)
        for layer in range(heads.n_layers):
            pattern = torch.zeros(1, heads.n_heads, 1, end + 5)
            pattern[..., 0] = 1.0
            if layer == 1:
                pattern[0, 2, 0] = torch.nn.functional.one_hot(torch.tensor(now["at"]), end + 5)
            if layer == 0:
                pattern[0, 1, 0] = torch.nn.functional.one_hot(torch.tensor(now["at"] + 1), end + 5)
            for hook in hooks[layer]:
                hook(pattern)
        logits = torch.zeros(1, model.cfg.d_vocab)
        logits[0, one.tokens[now["at"]]] = 1.0
        return logits

    hooks = {layer: [] for layer in range(heads.n_layers)}

    class hooked:
        def __init__(self, point, write):
            hooks[order.index(point)].append(write)

        def __enter__(self):
            return None

        def __exit__(self, *problem):
            return None

    order = [model.hook_dict[f"blocks.{layer}.attn.hook_pattern"] for layer in range(heads.n_layers)]
    monkeypatch.setattr(retrieval, "end_logits", answer)
    monkeypatch.setattr(retrieval, "hooked", hooked)
    score, counts, said = retrieval.answered(heads, one)
    assert counts
    assert "bridge" in said
    length = min(retrieval.LONGEST_ANSWER, end - start)
    assert float(score[1, 2]) == pytest.approx(length / (end - start))
    assert float(score.sum() - score[1, 2]) < 0.2


@pytest.mark.parametrize(
    ("method", "asked", "said"),
    [
        ("in_context", {"length": 21}, "length must be even"),
        ("in_context", {"early": 15, "late": 3}, "early and late must be places in order"),
        ("in_context", {"window": 4}, "window must be from 1 to early, 3; got 4"),
        ("in_context", {"length": 4000, "late": 300}, "sequences must have at most"),
        ("repeat_surprisal", {"listed": "2"}, "listed must be whole numbers from 3 to 12"),
        ("repeat_surprisal", {"examples": 1}, "examples must be at least 2"),
        ("retrieval", {"lengths": "10"}, "lengths must be whole numbers from 64"),
        ("retrieval", {"lengths": "9000"}, "sequences must have at most"),
        ("retrieval", {"depths": 0}, "depths must be at least 1"),
    ],
)
def test_bad_input(wordy_of, method, asked, said):
    given = {**SHORT, **asked} if method == "in_context" else asked
    with pytest.raises(BadInput, match=said):
        METHODS[method](wordy_of("llama"), None, **given)


@pytest.mark.slow
def test_the_real_model_remembers(smollm):
    lists = REPEATS(smollm, listed="5", examples=6).values
    assert float(lists.sel(series="repeated", listed=5)) < 20 < float(lists.sel(series="permuted", listed=5))
    assert float(lists.sel(series="permuted", listed=5)) < float(lists.sel(series="novel", listed=5))
    score = IN_CONTEXT(smollm).parts["score"]
    assert (score.mean("sequence") < 0).all()


@pytest.mark.slow
def test_without_its_retrieval_heads_the_real_model_retrieves_less(smollm):
    """Against as many other heads of the same layers."""
    from workbench.hooks import writing
    from workbench.sites import Site

    found = NEEDLES(smollm, lengths="200", depths=2, needles=2)
    heads = Heads(smollm)
    named = [divmod(int(index), heads.n_heads) for index in np.argsort(-found.values.values.ravel())[:12]]
    rng, others = np.random.default_rng(0), []
    for layer, _ in named:
        left = [head for head in range(heads.n_heads) if (layer, head) not in (*named, *others)]
        others.append((layer, int(rng.choice(left))))

    def recalled(removed):
        writes = {}
        for layer in {layer for layer, _ in removed}:
            gone = [head for at, head in removed if at == layer]

            def zero(z, gone=gone):
                changed = z.clone()
                changed[:, :, gone] = 0
                return changed

            writes[Site("z", layer)] = zero
        with writing(smollm, writes):
            return sum(retrieval.answered(heads, retrieval.trial(smollm, 200, 0.5, 50 + at))[1] for at in range(5))

    assert recalled([]) >= 4
    assert recalled(named) <= recalled(others) - 2
