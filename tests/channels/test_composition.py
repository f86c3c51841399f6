"""Heads as readers and writers, and their composition, against the definitions in full d_model × d_model matrices."""

import numpy as np
import pytest
import torch

from tests import families
from workbench.channels.composition import blocks, crossed, pair_block, robust, turned
from workbench.channels.significance import Null, adjusted
from workbench.channels.weights import Heads, parsed
from workbench.errors import BadInput
from workbench.methods import METHODS


def naive(model):
    """Per layer and head: W_Q, W_K, W_V with the norm folded in, W_O, by loops over heads."""
    found = {}
    for layer, block in enumerate(model.blocks):
        norm = block.ln1
        weight = norm.weight.detach()
        weight = 1 + weight if norm.uses_weight_offset else weight
        for head in range(model.cfg.n_heads):
            own = {}
            for slot in "QKV":
                matrices = getattr(block.attn, f"W_{slot}").detach()
                matrix = torch.diag(weight) @ matrices[head // (model.cfg.n_heads // len(matrices))]
                own[slot] = matrix if norm.uses_rms_norm else matrix - matrix.mean(0)
            own["O"] = block.attn.W_O.detach()[head]
            if hasattr(block, "ln1_post"):
                after = block.ln1_post
                own["O"] = own["O"] @ torch.diag(
                    1 + after.weight.detach() if after.uses_weight_offset else after.weight.detach()
                )
            own["O"] = own["O"] if norm.uses_rms_norm else own["O"] - own["O"].mean(-1, keepdim=True)
            found[layer, head] = own
    return found


def reader_of(own, slot, rotary):
    alone = {"q": own["Q"], "k": own["K"]}
    if slot == "v":
        return own["V"] @ own["O"]
    return alone[slot] if rotary else {"q": own["Q"] @ own["K"].T, "k": own["K"] @ own["Q"].T}[slot]


@pytest.mark.parametrize("family", families.FAMILIES)
def test_scores_are_the_definition(model_of, family):
    model = model_of(family)
    heads, matrices = Heads(model), naive(model)
    assert heads.rotary == (family != "gpt2")
    seen = 0
    for block in blocks(heads):
        made = heads.components(block.writer)
        for writer in range(heads.n_heads):
            own = matrices[block.writer, writer]
            whole = own["V"] @ own["O"]
            of = zip(made.strength[writer], made.reads[writer], made.writes[writer], strict=True)
            parts = [s * torch.outer(a, b) for s, a, b in of]
            assert torch.allclose(sum(parts), whole, atol=1e-5)
            for reader in range(heads.n_heads):
                read = reader_of(matrices[block.reader, reader], block.slot, heads.rotary)
                full = (whole @ read).norm() / (whole.norm() * read.norm())
                assert float(block.full[writer, reader]) == pytest.approx(float(full), rel=1e-5)
                each = [(part @ read).norm() / (part.norm() * read.norm()) for part in parts]
                assert torch.allclose(block.scores[writer, :, reader], torch.stack(each), atol=1e-5)
                seen += 1
    assert seen == 3 * heads.n_heads**2 * heads.n_layers * (heads.n_layers - 1) / 2


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_squared_scores_of_components_weighted_by_strength_sum_to_the_full_one(model_of, family):
    heads = Heads(model_of(family))
    for block in blocks(heads):
        share = heads.components(block.writer).share
        assert torch.allclose(share.sum(-1), torch.ones(heads.n_heads))
        again = (block.scores.square() * share.unsqueeze(-1)).sum(1)
        assert torch.allclose(again, block.full.square(), rtol=1e-5)


def test_a_direction_drawn_at_random_scores_one_over_the_root_of_d_model(llama):
    heads = Heads(llama)
    read = heads.reader(2, "k")
    drawn = torch.nn.functional.normalize(
        torch.randn(20_000, llama.cfg.d_model, generator=torch.Generator().manual_seed(0)), dim=-1
    )
    square = torch.einsum("nd,hde->nhe", drawn, read).square().sum(-1)
    assert float(square.mean()) == pytest.approx(1 / llama.cfg.d_model, rel=0.05)


def test_turned_directions_are_another_basis_of_the_same_space(llama):
    writes = Heads(llama).components(0).writes
    other = turned(writes, 3)
    assert torch.allclose(other @ other.mT, torch.eye(writes.shape[1]).expand(len(writes), -1, -1), atol=1e-5)
    assert torch.allclose(other.mT @ other, writes.mT @ writes, atol=1e-5)
    assert not torch.allclose(other, writes, atol=0.1)
    assert torch.equal(turned(writes, 3), other)


def test_deviations_are_robust():
    scores = torch.tensor([1.0, 2.0, 3.0, 4.0, 100.0]).view(1, 5, 1)
    assert robust(scores).flatten().tolist() == pytest.approx([(x - 3) / 1.4826 for x in (1, 2, 3, 4, 100)])
    assert robust(torch.zeros(1, 5, 1)).abs().max() == 0


def test_p_is_the_share_of_random_ones_that_stand_out_as_much():
    null, drawn = Null(), torch.randn(100_000, generator=torch.Generator().manual_seed(1))
    null.add(drawn)
    for at in (0.5, 1.0, 2.0, 3.0):
        expected = float((drawn >= at).float().mean())
        assert float(null.p(torch.tensor([at]))[0]) == pytest.approx(expected, rel=0.05, abs=1e-4)
    assert 0 < float(null.p(torch.tensor([50.0]))[0]) < 2e-5


@pytest.mark.parametrize("drawn", ["normal", "exponential", "pareto"])
def test_far_out_a_fitted_tail_stands_for_what_was_not_drawn(drawn):
    from scipy import stats

    of = {"normal": stats.norm(), "exponential": stats.expon(), "pareto": stats.genpareto(0.25)}[drawn]
    null = Null()
    null.add(torch.from_numpy(of.rvs(200_000, random_state=0)))
    for rare in (1e-4, 1e-6, 1e-8):
        at = float(of.isf(rare))
        found = float(null.p(torch.tensor([at]))[0])
        # Never much too small; too large where the tail is lighter than exponential.
        assert found > rare / 5
        assert found < rare * (1e5 if drawn == "normal" else 30)
    reach = torch.linspace(0, 30, 400)
    p = null.p(reach)
    assert (np.diff(p) <= 0).all()
    assert p[-1] > 0


def test_rates_of_chance_findings_are_benjamini_hochberg():
    from scipy.stats import false_discovery_control

    p = np.random.default_rng(0).random(200) ** 3
    assert np.allclose(adjusted(p, 200), false_discovery_control(p))
    low = np.sort(p[p < 0.3])
    exact = np.sort(false_discovery_control(p))[: len(low)]
    assert np.allclose(adjusted(low, 200)[: len(low) // 2], exact[: len(low) // 2])
    assert (adjusted(low, 200) >= exact - 1e-12).all()


def test_of_turned_bases_few_count_by_chance(model_of):
    """The null holds: components of a random model are no channels, at the rate that is asked for."""
    from workbench.channels.search import from_weights

    found = from_weights(Heads(model_of("llama")), ("q", "k", "v"), 20, 0)
    assert (found.q <= 0.01).sum() <= 2


@pytest.mark.parametrize(("name", "made"), [("7.9", (7, 9)), (" 7.9.6 ", (7, 9, 6))])
def test_names_are_read(name, made):
    assert parsed(name) == made


@pytest.mark.parametrize("name", ["7", "a.b", "7.9.6.1", "-1.2", "7.²"])
def test_what_is_no_name_is_told(name):
    with pytest.raises(BadInput, match=r"a head must be written LAYER.HEAD"):
        parsed(name)


def test_a_head_that_is_not_there_is_told(llama):
    with pytest.raises(BadInput, match="layer must be from 0 to 2; got 3"):
        Heads(llama).check(3, 0)
    with pytest.raises(BadInput, match="head must be from 0 to 3; got 4"):
        Heads(llama).check(0, 4)
    with pytest.raises(BadInput, match="slot must be one of 'q', 'k', 'v'; got 'z'"):
        Heads(llama).reader(1, "z")


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2"])
@pytest.mark.parametrize("slot", ["q", "k", "v"])
def test_scores_against_a_readers_components_add_up_to_those_against_all_of_it(model_of, family, slot):
    model = model_of(family)
    heads = Heads(model)
    scores, share = crossed(heads, slot, (0, 1), (2, 3))
    assert float(share.sum()) == pytest.approx(1, abs=1e-5)
    whole = pair_block(heads, slot, 0, 2).scores[1, :, 3]
    assert torch.allclose((scores.square() * share).sum(1).sqrt(), whole, rtol=1e-4, atol=1e-6)
    # By the definition: two matrices of one component each.
    own = naive(model)
    reads = torch.linalg.svd(reader_of(own[2, 3], slot, heads.rotary))
    writes = torch.linalg.svd(own[0, 1]["V"] @ own[0, 1]["O"])
    one = writes.S[0] * torch.outer(writes.U[:, 0], writes.Vh[0])
    other = reads.S[1] * torch.outer(reads.U[:, 1], reads.Vh[1])
    assert float(scores[0, 1]) == pytest.approx(float((one @ other).norm() / one.norm() / other.norm()), rel=1e-3)


def test_bad_heads_of_component_pairs(llama):
    pairs = METHODS["component_pairs"]
    for asked, said in (
        ({"writer": "1.0", "reader": "1.2"}, "reader must be in a later layer than the writer 1.0; got 1.2"),
        ({"writer": "1.0.3", "reader": "2.2"}, "writer must be a head, LAYER.HEAD"),
        ({"components": 0}, "components must be at least 1"),
    ):
        with pytest.raises(BadInput, match=said):
            pairs(llama, None, **asked)


@pytest.mark.parametrize("lacking", ["attention", "a head"])
def test_heads_of_several_sizes_are_told(model_of, lacking, monkeypatch):
    from types import SimpleNamespace

    model = model_of("llama")
    attention = None if lacking == "attention" else SimpleNamespace(W_O=torch.zeros(3, 5, 20))
    blocks = [SimpleNamespace(attn=block.attn) for block in model.blocks]
    blocks[1].attn = attention
    with pytest.raises(BadInput, match=r"layer 1 has (no attention|3 of 5)"):
        Heads(SimpleNamespace(cfg=model.cfg, blocks=blocks))
