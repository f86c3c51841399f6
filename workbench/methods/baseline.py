"""Baseline: can the model do the task at all? Accuracy and the metric on clean and corrupt, per prompt."""

from typing import Any

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor

from workbench.batches import in_batches, prompts_at_once
from workbench.hooks import read
from workbench.methods.method import Method
from workbench.metrics import Answers, Logits, MetricName, PerPrompt, answers_of, is_right, log_prob, metric_named, rank
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

    def of(rows: slice) -> Float[Tensor, "measure run batch"]:
        part = pairs.part(rows)
        runs = [read(model, tokens.to(model.cfg.device), part.end, [])[0] for tokens in (part.clean, part.corrupt)]
        compared = answers_of(part, runs[0].device, runs[0])
        found = [[measure(logits, compared) for logits in runs] for measure in (measured.measure, is_right, rank, _probability)]
        return torch.stack([torch.stack(each) for each in found])

    parts = in_batches(of, len(pairs), prompts_at_once(model, pairs), TITLE)
    coords = {"run": ["clean", "corrupt"], "prompt": np.arange(len(pairs))}
    made, *found = (
        xr.DataArray(each, dims=("run", "prompt"), coords=coords) for each in torch.cat(parts, -1).double().cpu().numpy()
    )
    parts = dict(zip(("right", "rank", "probability"), found, strict=True))
    correct = parts["right"]
    notes = {
        "sign": "+ prefers the right answer",
        "accuracy": "clean {:.0%}, corrupt {:.0%}".format(*correct.mean("prompt").values),
    }
    warning = _warning(made.values, float(correct.sel(run="clean").mean()), metric)
    if warning:
        notes["warning"] = warning
    return Scores(title=TITLE, unit=measured.unit, values=made, parts=parts, notes=notes)


def _probability(logits: Logits, answers: Answers) -> PerPrompt:
    return log_prob(logits, answers).exp()


def _warning(values: np.ndarray, accuracy: float, metric: str) -> str | None:
    if accuracy < 0.75:
        return f"the model does not do this task: it is right on {accuracy:.0%} of the clean prompts, and chance is 50%"
    gap = values[0] - values[1]
    error = gap.std(ddof=1) / len(gap) ** 0.5 if len(gap) > 1 else 0.0
    if abs(gap.mean()) <= max(2 * error, 1e-6):
        return f"the corruption changes {metric} by {gap.mean():.3g} ± {error:.2g}: there is no effect to explain"
    return None


METHOD = Method("baseline", TITLE, "Wang et al. 2022, arXiv:2211.00593", run)
