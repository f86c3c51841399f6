"""Wired models: they do their task without an error, and each edge's corruption shows that the circuit is the true one."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

from tests import families, naive
from tests.conftest import toy_pairs
from workbench.errors import BadInput
from workbench.graph import graph_of
from workbench.hooks import end_logits, read, writing
from workbench.known import ANIMALS, PLANS, PLANTS, WORDS, known_names, known_pairs, truth, wired
from workbench.metrics import answers_of, logit_diff
from workbench.models import load
from workbench.models.find import DATA
from workbench.rules import relevance
from workbench.sites import Site

NAMES = ("copy", "decoy", "induction", "two_hop")


class Case:
    """A wired model with pairs, what its sources write on the corrupt prompts, and the gap between the two kinds of prompt."""

    def __init__(self, name: str):
        self.name, self.known, self.model = name, wired(name), load(f"known:{name}", device="cpu")
        self.graph, self.pairs = self.known.graph, known_pairs(self.model, name, n=6, seed=1)
        self.corrupt = naive.sources_of(self.model, self.pairs.corrupt, self.graph)
        self.clean = self.diff(np.zeros_like(self.graph.edges))
        self.gap = self.clean - self.diff(self.graph.edges)

    def diff(self, mask) -> float:
        return naive.patched_diff(self.model, self.pairs, self.graph, mask, self.corrupt).mean().item()

    def first_order(self, ways) -> dict[str, float]:
        """Difference times gradient of the edges that are told apart, as shares of the gap."""
        scores = naive.first_order(self.model, self.pairs, self.graph, self.corrupt, ways) / self.gap
        names = {*self.graph.names(self.known.mask), *self.known.false_alarms}
        return {name: scores[self.graph.edge(name)].item() for name in names}


@pytest.fixture(scope="module")
def case_of():
    made = {}
    return lambda name: made.setdefault(name, made.get(name) or Case(name))


@pytest.fixture(params=NAMES)
def case(case_of, request):
    return case_of(request.param)


def test_all_are_here():
    assert known_names() == sorted(NAMES) == sorted(PLANS)


@pytest.mark.parametrize("seed", range(4))
def test_every_answer_is_right(case, seed):
    pairs = known_pairs(case.model, case.name, n=24, seed=seed)
    for tokens, answers in ((pairs.clean, pairs.right), (pairs.corrupt, pairs.wrong)):
        with torch.no_grad():
            said = end_logits(case.model, tokens, pairs.end).argmax(-1)
        assert said.tolist() == [answer for (answer,) in answers]


def test_the_patcher_gives_the_models_own_numbers_where_it_patches_nothing_and_everything(case):
    rows = torch.arange(len(case.pairs))
    right, wrong = (torch.tensor(ids).flatten() for ids in (case.pairs.right, case.pairs.wrong))
    for tokens, diff in ((case.pairs.clean, case.clean), (case.pairs.corrupt, case.clean - case.gap)):
        with torch.no_grad():
            logits = end_logits(case.model, tokens, case.pairs.end)
        assert diff == pytest.approx((logits[rows, right] - logits[rows, wrong]).mean().item(), abs=1e-4)


def test_the_patcher_is_right_on_a_random_model_with_real_norms(model_of):
    """All edges out of a source are that source, patched; all edges at all are the corrupt run."""
    model = model_of("gpt2")
    graph, pairs = graph_of(model.cfg), toy_pairs(model)
    corrupt = naive.sources_of(model, pairs.corrupt, graph)

    def diff(tokens, writes=None):
        with torch.no_grad(), writing(model, writes or {}):
            return logit_diff(end_logits(model, tokens, pairs.end), answers_of(pairs))

    whole = naive.patched_diff(model, pairs, graph, graph.edges, corrupt)
    assert torch.allclose(whole, diff(pairs.corrupt), atol=1e-4)
    sites = [Site(name, layer) for layer in range(graph.n_layers) for name in ("z", "mlp_out")]
    _, written = read(model, pairs.corrupt, pairs.end, sites)
    for layer in range(graph.n_layers):
        head, mlp = (f"a{layer}.h2", Site("z", layer), (..., 2, slice(None))), (f"m{layer}", Site("mlp_out", layer), ...)
        for source, site, at in (head, mlp):
            mask = np.zeros_like(graph.edges)
            mask[graph.source(source)] = graph.edges[graph.source(source)]

            def put(act, site=site, at=at):
                act = act.clone()
                act[at] = written[site][at]
                return act

            expected = diff(pairs.clean, {site: put})
            assert torch.allclose(naive.patched_diff(model, pairs, graph, mask, corrupt), expected, atol=1e-4)
            assert (expected - diff(pairs.clean)).abs().max() > 1e-3


def test_the_true_edges_are_those_whose_corruption_shows(case):
    effects = naive.edge_effects(case.model, case.pairs, case.graph, case.corrupt).abs().numpy() / case.gap
    assert case.gap > 15
    assert (effects[case.known.mask] > 0.05).all()
    # Far below the thousandth of the gap that would count as an effect: nothing but rounding is left.
    assert effects[~case.known.mask].max() < 1e-6


def test_the_circuit_alone_does_the_task_and_without_it_nothing_does(case):
    outside = case.graph.edges & ~case.known.mask
    assert case.diff(outside) == pytest.approx(case.clean, abs=1e-4)
    assert case.diff(case.known.mask) == pytest.approx(case.clean - case.gap, abs=1e-4)


def test_what_is_outside_is_not_silent(case):
    """Every source differs between clean and corrupt, so that its edges could have had an effect."""
    clean = naive.sources_of(case.model, case.pairs.clean, case.graph)
    assert (case.corrupt - clean).norm(dim=-1).mean((0, 1)).min() > 0.1 * (case.corrupt - clean)[:, :, 0].norm(dim=-1).mean()


def test_norms_pass_the_stream_through(case):
    """Float64 would show what float32 rounds away."""
    stream = naive.sources_of(case.model, case.pairs.clean, case.graph).sum(2).double()
    # Places are in the stream too, and in no source.
    stream = stream + case.model.W_pos[: stream.shape[1]].double()
    assert stream.mean(-1).abs().max() < 1e-6
    assert (naive.normed(case.model, case.model.ln_final, stream) - stream).abs().max() < 1e-6 * stream.abs().max()


def test_the_graph_is_that_of_the_config_and_the_circuit_holds_no_dead_end(case):
    assert case.graph == graph_of(case.model.cfg)
    assert (case.graph.pruned(truth(case.name)) == truth(case.name)).all()
    edges = json.loads((DATA / "known" / case.name / "circuit.json").read_text())["edges"]
    assert set(case.graph.names(truth(case.name))) == set(edges)


@pytest.mark.parametrize("name", ["copy", "induction", "two_hop"])
def test_difference_times_gradient_is_not_fooled_elsewhere(case_of, name):
    """The gradient finds each true edge at the clean end, if not its size."""
    scores = case_of(name).first_order([0.0])
    assert max(scores.values()) < -0.02
    assert not wired(name).false_alarms
    assert not wired(name).missed


@pytest.mark.parametrize("end", [0.0, 1.0])
def test_the_decoy_fools_difference_times_gradient_at_either_end(case_of, end):
    case = case_of("decoy")
    scores = case.first_order([end])
    for name in case.known.false_alarms:
        assert abs(scores[name]) == pytest.approx(1, abs=1e-3)
        assert not case.known.mask[case.graph.edge(name)]
    for name in case.known.missed:
        assert abs(scores[name]) < 1e-6
        assert case.known.mask[case.graph.edge(name)]


def test_the_decoy_fools_relevance_as_much(case_of):
    case = case_of("decoy")
    plain = case.first_order([0.0])
    with relevance(case.model):
        assert case.first_order([0.0]) == pytest.approx(plain, abs=1e-5)


@pytest.mark.parametrize(("steps", "near"), [(5, 0.25), (50, 0.05)])
def test_gradients_on_the_way_see_through_the_decoy(case_of, steps, near):
    case = case_of("decoy")
    scores = case.first_order([step / steps for step in range(steps)])
    assert all(abs(scores[name]) < near for name in case.known.false_alarms)
    assert all(scores[name] == pytest.approx(-1, abs=near) for name in case.known.missed)


def test_zero_ablation_finds_the_decoy_to_matter(case_of):
    """A flag of zero is neither of the two that prompts have."""
    case = case_of("decoy")
    mask = case.graph.mask(["a0.h1->m1"])
    assert case.diff(mask) == pytest.approx(case.clean, abs=1e-4)
    zero = naive.patched_diff(case.model, case.pairs, case.graph, mask, torch.zeros_like(case.corrupt)).mean().item()
    assert case.clean - zero > 0.2 * case.gap


def test_the_files_are_what_the_script_writes(tmp_path):
    from safetensors.torch import load_file

    runpy.run_path(str(DATA / "known" / "wire.py"))["write"](tmp_path)
    assert sorted(folder.name for folder in tmp_path.iterdir()) == sorted(NAMES)
    for name in NAMES:
        shipped, written = (load_file(root / name / "model.safetensors") for root in (DATA / "known", tmp_path))
        assert shipped.keys() == written.keys()
        assert all(torch.equal(shipped[key], written[key]) for key in shipped)
        # What else is in a tokenizer's file is its library's.
        for file, part in (("circuit.json", lambda read: read), ("tokenizer.json", lambda read: read["model"]["vocab"])):
            one, other = (part(json.loads((root / name / file).read_text())) for root in (tmp_path, DATA / "known"))
            assert one == other


def test_they_are_small(case):
    assert sum(file.stat().st_size for file in Path(DATA / "known" / case.name).iterdir()) < 600_000


def test_clean_and_corrupt_share_no_word_and_no_pair_comes_twice(case):
    pairs = known_pairs(case.model, case.name, n=40, seed=3)
    assert len({*map(tuple, pairs.clean.tolist())}) == 40
    for clean, corrupt in zip(pairs.clean_strings, pairs.corrupt_strings, strict=True):
        assert set(clean) & set(corrupt) == {"<s>"}


def test_the_seed_alone_decides(case):
    one, again, other = (known_pairs(case.model, case.name, n=5, seed=seed).digest() for seed in (2, 2, 3))
    assert one == again != other
    assert known_pairs(case.model.tokenizer, case.name, n=5, seed=2).digest() == one


def test_positions_stand_where_they_say(case_of):
    def at(name, position):
        pairs = known_pairs(case_of(name).model, name, n=8)
        rows = list(enumerate(pairs.positions[position].tolist()))
        return (
            pairs,
            [pairs.clean_strings[row][column] for row, column in rows],
            [strings[-1] for strings in pairs.clean_strings],
        )

    for name, answer in (("copy", "BEFORE"), ("decoy", "BEFORE"), ("induction", "B1"), ("two_hop", "ANSWER")):
        pairs, found, _ = at(name, answer)
        assert found == [case_of(name).model.tokenizer.decode(list(ids)) for ids in pairs.right]
    _, found, last = at("induction", "A1")
    assert found == last
    assert set(at("decoy", "CUE")[1]) <= set(ANIMALS)
    pairs, values, _ = at("two_hop", "VALUE")
    for strings, value, column in zip(pairs.clean_strings, values, pairs.positions["ANSWER"].tolist(), strict=True):
        assert strings[column - 1] == value


def test_words_are_one_of_two_kinds():
    assert len(set(WORDS)) == len(ANIMALS) + len(PLANTS) == 16


def test_bad_input_is_told():
    tokenizer = families.tokenizer()
    for ask in (wired, truth, lambda name: known_pairs(tokenizer, name)):
        with pytest.raises(BadInput, match=r"known model must be one of .*; got 'decoi'\. Did you mean 'decoy'\?"):
            ask("decoi")
    with pytest.raises(BadInput, match="known copy: the animals and plants that are one token"):
        known_pairs(tokenizer, "copy")
    with pytest.raises(BadInput, match="known copy: n must be at least 1; got 0"):
        known_pairs(tokenizer, "copy", n=0)
