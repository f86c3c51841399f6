"""Baseline: accuracy and gap on paper, and the warnings before anybody explains what is not there."""

import numpy as np
import pytest

from tests.methods.conftest import logit, prompts
from workbench.methods import METHODS
from workbench.pairs import pairs_from_ids

baseline = METHODS["baseline"]


def test_on_paper(byhand):
    told = baseline(byhand, prompts(byhand, n=4, lengths=(5, 7)))
    each = np.array([logit(5), logit(7)] * 2)
    assert np.allclose(told.values.sel(run="clean"), each, atol=1e-5)
    assert np.allclose(told.values.sel(run="corrupt"), -each, atol=1e-5)
    assert told.parts["right"].sel(run="clean").values.tolist() == [1, 1, 1, 1]
    assert told.parts["right"].sel(run="corrupt").values.tolist() == [0, 0, 0, 0]
    assert told.notes["accuracy"] == "clean 100%, corrupt 0%"
    assert "warning" not in told.notes


@pytest.mark.parametrize("metric", ["prob_diff", "log_prob", "kl"])
def test_every_metric(byhand, easy, metric):
    p = np.exp([4.0, 3.0] + 21 * [0.0])
    p /= p.sum()
    clean, corrupt = {
        "prob_diff": (p[1] - p[2], p[2] - p[1]),
        "log_prob": (np.log(p[1]), np.log(p[2])),
        "kl": (0, 3 * (p[1] - p[2])),
    }[metric]
    told = baseline(byhand, easy, metric=metric)
    assert np.allclose(told.values.sel(run="clean"), clean, atol=1e-5)
    assert np.allclose(told.values.sel(run="corrupt"), corrupt, atol=1e-5)
    assert "warning" not in told.notes


def turned(model, pairs, n):
    """The pairs with right and wrong answers exchanged in the first `n`."""
    right = [*pairs.wrong[:n], *pairs.right[n:]]
    wrong = [*pairs.right[:n], *pairs.wrong[n:]]
    return pairs_from_ids(model.tokenizer, "byhand", pairs.clean.tolist(), pairs.corrupt.tolist(), right, wrong)


@pytest.mark.parametrize(("n", "share"), [(4, "0%"), (2, "50%")])
def test_a_task_that_the_model_does_not_do(byhand, n, share):
    told = baseline(byhand, turned(byhand, prompts(byhand, n=4), n))
    assert told.notes["warning"] == (
        f"the model does not do this task: it is right on {share} of the clean prompts, and chance is 50%"
    )


def test_three_of_four_is_enough(byhand):
    told = baseline(byhand, turned(byhand, prompts(byhand, n=4), 1))
    assert not told.notes.get("warning", "").startswith("the model does not do this task")


def test_a_corruption_that_changes_nothing(byhand, easy):
    rows = easy.clean.tolist()
    for n in (1, 3):
        told = baseline(byhand, pairs_from_ids(byhand.tokenizer, "byhand", rows[:n], rows[:n], easy.right[:n], easy.wrong[:n]))
        assert told.notes["warning"] == "the corruption changes logit_diff by 0 ± 0: there is no effect to explain"


def test_a_corruption_lost_in_the_spread(byhand):
    """Right in three of four, but the gaps are 6, 6, 6 and -6: 3 ± 3."""
    told = baseline(byhand, turned(byhand, prompts(byhand, n=4), 1))
    assert told.notes["warning"] == "the corruption changes logit_diff by 3 ± 3: there is no effect to explain"
