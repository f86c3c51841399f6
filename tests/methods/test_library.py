"""The library beneath us as an oracle: the same cells, by its own code, one forward pass each."""

import numpy as np
import pytest
import torch
from transformer_lens import patching

from tests.conftest import toy_pairs
from workbench.hooks import end_logits
from workbench.methods import METHODS
from workbench.metrics import METRICS, answers_of

THEIRS = {
    ("z", ("layer", "head")): patching.get_act_patch_attn_head_out_all_pos,
    ("q", ("layer", "head")): patching.get_act_patch_attn_head_q_all_pos,
    ("v", ("layer", "head")): patching.get_act_patch_attn_head_v_all_pos,
    ("pattern", ("layer", "head")): patching.get_act_patch_attn_head_pattern_all_pos,
    ("z", ("layer", "head", "pos")): patching.get_act_patch_attn_head_out_by_pos,
    ("resid_pre", ("layer", "pos")): patching.get_act_patch_resid_pre,
    ("attn_out", ("layer", "pos")): patching.get_act_patch_attn_out,
    ("mlp_out", ("layer", "pos")): patching.get_act_patch_mlp_out,
}


# The library loops over query heads also at v, and so cannot patch the key-value heads of grouped-query models.
CASES = [
    (family, *cells)
    for family in ("gpt2", "neox", "llama", "gemma2")
    for cells in THEIRS
    if cells[0] != "v" or family in ("gpt2", "neox")
]


@pytest.mark.parametrize(("family", "site", "by"), CASES)
def test_patching_equals_the_librarys(model_of, family, site, by):
    model = model_of(family)
    pairs = toy_pairs(model)
    answers, rows = answers_of(pairs), torch.arange(len(pairs))

    def metric(logits):
        return METRICS["logit_diff"].measure(logits[rows, pairs.end], answers).mean()

    with torch.no_grad():
        _, cache = model.run_with_cache(pairs.clean)
        theirs = THEIRS[site, by](model, pairs.corrupt, cache, metric).numpy()
        base = METRICS["logit_diff"].measure(end_logits(model, pairs.corrupt, pairs.end), answers).mean().item()
    ours = METHODS["patch"](model, pairs, sites=site, by=by, positions="each").mean().values
    if "pos" in by and "head" in by:
        ours = ours.transpose("layer", "pos", "head")
    assert np.abs(ours.values - (theirs - base)).max() < 1e-4


def test_attribution_equals_the_librarys(model_of):
    """Their node scores, at the corrupt run, denoising, as ours; summed over positions."""
    from transformer_lens.tools.analysis import attribution_patching as theirs

    model = model_of("gpt2")
    pairs = toy_pairs(model, n=1)
    answers = answers_of(pairs)

    def metric(logits):
        return METRICS["logit_diff"].measure(logits[:, -1], answers).sum()

    # Their gradients start at the weights; ours need none of these, and `load` turns them off.
    model.requires_grad_(True)
    try:
        config = theirs.EdgeAttributionConfig(granularity="node")
        told = theirs.attribution_patch(model, pairs.clean, pairs.corrupt, metric, config)
    finally:
        model.requires_grad_(False)
    ours = METHODS["atp"](model, pairs, sites="z", by=("layer", "head")).mean().values.values
    summed = np.zeros_like(ours)
    for node, score in told.node_scores.items():
        if node.head is not None:
            summed[node.layer, node.head] += float(score)
    assert np.abs(summed).max() > 1e-3
    assert np.abs(summed - ours).max() < 1e-4
