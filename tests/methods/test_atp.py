"""Attribution patching: its first-order estimate on paper, and TransformerLens's own attribution."""

import numpy as np
import pytest
import torch

from tests import families
from tests.conftest import toy_pairs
from tests.methods.conftest import HEAD, prompts
from workbench.errors import BadInput
from workbench.methods import METHODS
from workbench.metrics import METRICS, Answers, answers_of
from workbench.models import load

atp = METHODS["atp"]


def test_the_estimate_on_paper(byhand, easy):
    """In halves, as the unembedding reads them: gradient 0.8 at the right token, -0.8 + 3.75²/25/1.25³ at the wrong one."""
    effects = atp(byhand, easy).values
    assert np.allclose(effects.sel(layer=0, head=HEAD), 3.75 * 0.8 + 3.75 * 0.512, atol=1e-4)
    assert not effects.where((effects.layer != 0) | (effects["head"] != HEAD), 0).values.any()


def test_the_norm_before_attention_hides_half_of_the_token(byhand, easy):
    """The norm hides how long the stream is where it reads the wrong token: only the right one's coming is seen."""
    effects = atp(byhand, easy, sites="resid_pre", by=("layer", "pos")).values.mean("prompt").values
    expected = np.zeros((2, 5))
    expected[0, 1] = 3.75 * 0.8
    expected[1, 4] = 3.75 * (0.8 + 0.512)
    assert np.allclose(effects, expected, atol=1e-4)


def test_values_belong_to_the_shared_head(byhand, easy):
    effects = atp(byhand, easy, sites="v", by=("layer", "head", "pos")).values
    assert np.allclose(effects.sel(layer=0, head=0, pos=1), 4.92, atol=1e-4)
    assert np.abs(effects.values).sum() == pytest.approx(3 * 4.92, abs=1e-3)


def test_noising_takes_the_gradient_at_the_clean_run(byhand, easy):
    effects = atp(byhand, easy, direction="noise").values
    assert np.allclose(effects.sel(layer=0, head=HEAD), -4.92, atol=1e-4)


def test_normalise_and_padding_are_those_of_patching(byhand, easy):
    share = atp(byhand, easy, normalise=True)
    assert np.allclose(share.values.sel(layer=0, head=HEAD), 4.92 / 6, atol=1e-5)
    both = atp(byhand, easy, sites=("q", "v"))
    assert both.values.sel(site="v").isel(head=slice(2, None)).isnull().all()
    assert both.notes["nan"]


def test_positions_are_gathered_prompt_by_prompt(byhand):
    pairs = prompts(byhand, n=4, lengths=(5, 7))
    effects = atp(byhand, pairs, sites="v", by=("layer", "head", "pos"))
    assert effects.values.token.values.tolist() == ["TOKEN", "AFTER", "END"]
    assert (np.abs(effects.values.sel(layer=0, head=0, pos=0)) > 3).all()
    assert not effects.values.sel(pos=[1, 2]).values.any()


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_numbers_are_those_of_transformer_lens(family, tmp_path):
    from transformer_lens.tools.analysis.attribution_patching import attribution_patch

    model = load(str(families.save(family, tmp_path)), device="cpu")
    # Theirs takes gradients through the weights; hence a model of its own, that no other test sees.
    model.requires_grad_(True)
    pairs = toy_pairs(model, length=5)
    known = answers_of(pairs)
    row = Answers(known.right[:1], known.wrong[:1])
    # Their metric sees one prompt at a time, so that all prompts have the first one's answers here.
    pairs = type(pairs)(**{**vars(pairs), "right": (pairs.right[0],) * 3, "wrong": (pairs.wrong[0],) * 3})

    def metric(logits):
        return METRICS["logit_diff"].measure(logits[:, -1], row).sum()

    with torch.enable_grad():
        told = attribution_patch(model, pairs.clean, pairs.corrupt, metric).node_scores
    heads = atp(model, pairs, sites="z", by=("layer", "head", "pos"), positions="each").mean().values
    mlps = atp(model, pairs, sites="mlp_out", by=("layer", "pos"), positions="each").mean().values
    seen = 0
    for node, score in told.items():
        if node.kind == "attn_head_out":
            assert heads.sel(layer=node.layer, head=node.head, pos=node.position).item() == pytest.approx(score, abs=2e-5)
        elif node.kind == "mlp_out":
            assert mlps.sel(layer=node.layer, pos=node.position).item() == pytest.approx(score, abs=2e-5)
        seen += node.kind != "embed"
    assert seen == heads.size + mlps.size
    assert np.abs(heads.values).max() > 1e-3


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (dict(sites="z"), "qk_correction must have q or k among the sites; got z"),
        (dict(sites=("q", "k"), replacement="zero"), "qk_correction must have replacement='other'; got 'zero'"),
    ],
)
def test_the_correction_refuses_what_it_cannot_do(byhand, easy, asked, said):
    with pytest.raises(BadInput, match=said):
        atp(byhand, easy, qk_correction=True, **asked)


def test_the_correction_leaves_other_sites_alone_and_is_noted(llama):
    pairs = toy_pairs(llama)
    plain, corrected = (atp(llama, pairs, sites=("q", "k", "z"), qk_correction=on) for on in (False, True))
    assert corrected.notes["correction"] == "query-key"
    assert plain.notes["correction"] == "none"
    assert np.array_equal(plain.values.sel(site="z").values, corrected.values.sel(site="z").values)
    for site in ("q", "k"):
        assert np.nanmax(np.abs(plain.values.sel(site=site).values - corrected.values.sel(site=site).values)) > 1e-5


def test_the_correction_refuses_scores_it_cannot_make_itself(llama, monkeypatch):
    attention = llama.blocks[1].attn.original_component
    monkeypatch.setattr(attention, "scaling", 3 * attention.scaling)
    from workbench import qk as module

    real = module.scorer

    def other(model, layer, scores, qk):
        return real(model, layer, scores * 1.5, qk)

    monkeypatch.setattr(module, "scorer", other)
    with pytest.raises(BadInput, match="scores that are products of queries and keys"):
        atp(llama, toy_pairs(llama), sites="q", qk_correction=True)


@pytest.mark.parametrize("method", ["atp", "relp"])
def test_a_distance_is_to_the_clean_run_whichever_run_is_patched(llama, method):
    pairs = toy_pairs(llama, n=3)
    told = METHODS["baseline"](llama, pairs, metric="kl").values
    for direction in ("noise", "denoise"):
        found = METHODS[method](llama, pairs, metric="kl", direction=direction)
        for run in ("clean", "corrupt"):
            np.testing.assert_allclose(found.parts[run].values, told.sel(run=run).values, atol=1e-5)
    assert float(told.sel(run="corrupt").min()) > 1e-3


def test_corrected_queries_and_keys_are_those_of_atp_star_in_every_metric(llama):
    pairs = toy_pairs(llama, n=3)
    asked = {"sites": ("q", "k"), "by": ("layer", "head", "pos"), "metric": "kl"}
    corrected = METHODS["atp"](llama, pairs, qk_correction=True, **asked).values
    star = METHODS["atp_star"](llama, pairs, graddrop=False, **asked).parts["signed"]
    assert float(np.nanmax(np.abs(star.values))) > 1e-5
    np.testing.assert_allclose(corrected.values, star.values, atol=1e-6)
