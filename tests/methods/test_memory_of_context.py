"""What a model remembers of its context: loss by place, lists that come again, needles in haystacks."""

from contextlib import ExitStack

import numpy as np
import pytest
import torch
from transformers import DynamicCache

from tests.conftest import Memory
from workbench.channels.weights import Heads
from workbench.detectors import retrieval, sequences
from workbench.detectors.loss import surprisals
from workbench.errors import BadInput
from workbench.hooks import end_logits, hooked, writing
from workbench.methods import METHODS, masking, repeat_surprisal
from workbench.progress import keeping
from workbench.sites import Site, hook_point

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
    score, recalled, said = retrieval.answered(heads, one)
    assert recalled > retrieval.RECALLED
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
    lists = REPEATS(smollm, listed="5", examples=4).values
    assert float(lists.sel(series="repeated", listed=5)) < 20 < float(lists.sel(series="permuted", listed=5))
    assert float(lists.sel(series="permuted", listed=5)) < float(lists.sel(series="novel", listed=5))
    score = IN_CONTEXT(smollm, examples=4).parts["score"]
    assert (score.mean("sequence") < 0).all()


@pytest.fixture(scope="module")
def needles_kept():
    """A ledger: what ranks the heads is the same whatever masking does."""
    return Memory()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["zero", "uniform"])
def test_without_its_retrieval_heads_the_real_model_retrieves_less(smollm, how, needles_kept):
    """Against as many random ones; the heads were chosen on other needles."""
    with keeping(needles_kept):
        found = METHODS["masking"](smollm, masked="0,12", depths=2, needles=2, draws=2, how=how)
    share = {name: found.values.sel(series=name) for name in found.values.series.values}
    assert float(share["retrieval heads"].sel(masked=0)) > retrieval.RECALLED
    assert float(share["retrieval heads"].sel(masked=12)) < float(share["random heads"].sel(masked=12)) - 0.3
    assert found.notes["ranked"].count(".") >= 10


@pytest.mark.parametrize("how", ["zero", "uniform"])
def test_a_masked_head_does_what_is_said_and_no_other_is_touched(wordy_of, how):
    """Also while tokens are generated one by one, with the keys of earlier passes kept."""
    model = wordy_of("llama")
    heads, gone = Heads(model), [1]
    kept = [head for head in range(heads.n_heads) if head not in gone]
    tokens = torch.arange(3, 12)[None]

    def passes():
        seen = {"pattern": [], "z": []}
        cache = DynamicCache()
        with ExitStack() as stack:
            for name, found in seen.items():
                keep = found.append
                stack.enter_context(hooked(hook_point(model, Site(name, 0)), lambda one, keep=keep: keep(one[0].clone())))
            for some in (tokens[:, :-1], tokens[:, -1:]):
                end_logits(model, some, torch.tensor([some.shape[1] - 1]), past_key_values=cache, use_cache=True)
        return seen

    with torch.no_grad():
        plain = passes()
        with writing(model, masking._masks(heads, np.array(gone), how)):
            masked = passes()
    for turn, (queries, keys) in enumerate(((8, 8), (1, 9))):
        pattern, z = masked["pattern"][turn], masked["z"][turn]
        assert pattern.shape[1:] == (queries, keys)
        if how == "uniform":
            for row in range(queries):
                visible = keys - queries + row + 1
                assert torch.allclose(pattern[gone, row, :visible], torch.full((1, visible), 1 / visible))
                assert (pattern[gone, row, visible:] == 0).all()
        else:
            assert (z[:, gone] == 0).all()
        assert torch.equal(pattern[kept], plain["pattern"][turn][kept])
        assert torch.equal(z[:, kept], plain["z"][turn][:, kept])


def test_masking_takes_the_best_heads_and_never_draws_them(wordy_of, monkeypatch):
    """With scores that are known, and answers that tell how many heads are masked."""
    model = wordy_of("llama")
    heads = Heads(model)
    count = heads.n_layers * heads.n_heads
    scores = np.linspace(0, 1, count)[None].repeat(2, 0).reshape(2, heads.n_layers, heads.n_heads)
    monkeypatch.setattr(masking, "scored", lambda *_: (scores, np.array([True, True])))
    taken = []

    def recalled(heads, asked, off, how):
        taken.append(off.tolist())
        return np.full(len(asked), 1 - len(off) / 10)

    monkeypatch.setattr(masking, "_recalled", recalled)
    found = METHODS["masking"](model, masked="0,2", lengths="64", depths=1, needles=2, draws=2)
    assert taken[:3] == [[], [], [count - 1, count - 2]]
    assert len(taken) == 5
    for drawn in taken[3:]:
        assert len(set(drawn)) == 2
        assert max(drawn) < count - count // 2, "not of the better half"
    assert found.values.sel(masked=2).values.tolist() == [0.8, 0.8]
    assert found.parts["each"].shape == (2, 2, 2)
    with pytest.raises(BadInput, match=f"masked must be whole numbers from 0 to {count // 2}"):
        METHODS["masking"](model, masked=f"{count // 2 + 1}")


def test_where_no_needle_is_given_back_no_head_is_ranked(wordy_of):
    found = METHODS["masking"](wordy_of("llama"), masked="0,2", lengths="64", depths=1, needles=1, draws=1)
    assert np.isnan(found.values).all()
    assert "cannot be ranked" in found.notes["nan"]
    assert "ranked" not in found.notes
