"""Baseline: can the model do the task at all? Accuracy and the metric on clean and corrupt, per prompt."""

from typing import Any

import numpy as np
import torch
import xarray as xr

from workbench.hooks import read
from workbench.methods.method import Method
from workbench.metrics import MetricName, answers_of, is_right, log_prob, metric_named, rank
from workbench.pairs import Pairs
from workbench.result import Scores

TITLE = "Baseline"


def run(model: Any, pairs: Pairs, *, metric: MetricName = "logit_diff") -> Scores:
    """The metric on the clean and the corrupt prompts, with the model's accuracy and a warning where it cannot do the task.

    Convention: + prefers the right answer. Accuracy is the share of prompts whose right answers are more probable than the
    wrong ones; chance is one half. Source: Wang et al. 2022, https://arxiv.org/abs/2211.00593, section 2.

    Args:
        model: The model.
        pairs: The prompts.
        metric: logit_diff, prob_diff, log_prob or kl (to the clean run).
    Returns:
        Scores over (run, prompt), runs 'clean' and 'corrupt', in the metric's unit; parts['right'] holds 1 where the right
        answer wins and 0 where not, parts['rank'] the rank of the best right answer among all tokens (1 is the likeliest),
        parts['probability'] that of the right answers together, from 0 to 1. notes['warning'] is there when accuracy on
        clean is below 0.75, or when the corruption changes nothing.
    Raises:
        BadInput: When there is no such metric.
    """
    measured = metric_named(metric)
    reference, values, right, ranks, probabilities = None, [], [], [], []
    for tokens in (pairs.clean, pairs.corrupt):
        logits, _ = read(model, tokens.to(model.cfg.device), pairs.end, [])
        reference = logits if reference is None else reference
        compared = answers_of(pairs, logits.device, reference)
        values.append(measured.measure(logits, compared))
        right.append(is_right(logits, compared))
        ranks.append(rank(logits, compared))
        probabilities.append(log_prob(logits, compared).exp())
    coords = {"run": ["clean", "corrupt"], "prompt": np.arange(len(pairs))}
    made = xr.DataArray(torch.stack(values).double().cpu().numpy(), dims=("run", "prompt"), coords=coords)
    found = {"right": right, "rank": ranks, "probability": probabilities}
    parts = {
        name: xr.DataArray(torch.stack(each).double().cpu().numpy(), dims=("run", "prompt"), coords=coords)
        for name, each in found.items()
    }
    correct = parts["right"]
    notes = {
        "sign": "+ prefers the right answer",
        "accuracy": "clean {:.0%}, corrupt {:.0%}".format(*correct.mean("prompt").values),
    }
    warning = _warning(made.values, float(correct.sel(run="clean").mean()), metric)
    if warning:
        notes["warning"] = warning
    return Scores(title=TITLE, unit=measured.unit, values=made, parts=parts, notes=notes)


def _warning(values: np.ndarray, accuracy: float, metric: str) -> str | None:
    if accuracy < 0.75:
        return f"the model does not do this task: it is right on {accuracy:.0%} of the clean prompts, and chance is 50%"
    gap = values[0] - values[1]
    error = gap.std(ddof=1) / len(gap) ** 0.5 if len(gap) > 1 else 0.0
    if abs(gap.mean()) <= max(2 * error, 1e-6):
        return f"the corruption changes {metric} by {gap.mean():.3g} ± {error:.2g}: there is no effect to explain"
    return None


METHOD = Method("baseline", TITLE, "Wang et al. 2022, arXiv:2211.00593", run)
