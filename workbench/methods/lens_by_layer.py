"""Logit lens, by layer: the metric read off the stream at the last position as it grows, clean and corrupt."""

from typing import Any

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor

from workbench.batches import in_batches, prompts_at_once
from workbench.hooks import read
from workbench.methods.method import Method
from workbench.metrics import MetricName, answers_of, metric_named
from workbench.pairs import Pairs
from workbench.result import Curve
from workbench.sites import Site
from workbench.unembed import unembedded

TITLE = "Logit lens by layer"


def run(model: Any, pairs: Pairs, *, metric: MetricName = "logit_diff") -> Curve:
    """The metric that each layer's stream would give, were it the last, at the position that is read.

    Convention: point l is the stream that enters layer l; the last point is the model's output. The band is the mean over
    prompts ± 1 standard error. Source: nostalgebraist 2020; Wang et al. 2022, https://arxiv.org/abs/2211.00593.

    Args:
        model: The model.
        pairs: The prompts.
        metric: logit_diff, prob_diff, log_prob or kl (to the clean run's output).
    Returns:
        Curve over (series, layer), series 'clean' and 'corrupt', in the metric's unit. 0 means undecided.
    Raises:
        BadInput: When there is no such metric.
    """
    measured = metric_named(metric)
    layers = model.cfg.n_layers
    sites = [*(Site("resid_pre", layer) for layer in range(layers)), Site("resid_post", layers - 1)]

    def of(rows: slice) -> Float[Tensor, "series layer batch"]:
        part = pairs.part(rows)
        compared, series = None, []
        for tokens in (part.clean, part.corrupt):
            logits, kept = read(model, tokens.to(model.cfg.device), part.end, sites)
            compared = compared or answers_of(part, logits.device, logits)
            with torch.no_grad():
                streams = [kept[site][torch.arange(len(part)), part.end] for site in sites]
                series.append(torch.stack([measured.measure(unembedded(model, stream), compared) for stream in streams]))
        return torch.stack(series)

    most = prompts_at_once(model, pairs, ("resid_pre",))
    per_prompt = torch.cat(in_batches(of, len(pairs), most, TITLE), -1).double().cpu().numpy()
    error = per_prompt.std(-1, ddof=1) / np.sqrt(len(pairs)) if len(pairs) > 1 else np.zeros(per_prompt.shape[:-1])
    mean = per_prompt.mean(-1)

    def labelled(values: np.ndarray) -> xr.DataArray:
        return xr.DataArray(
            values, dims=("series", "layer"), coords={"series": ["clean", "corrupt"], "layer": np.arange(layers + 1)}
        )

    return Curve(
        title=TITLE,
        unit=measured.unit,
        values=labelled(mean),
        lower=labelled(mean - error),
        upper=labelled(mean + error),
        notes={"sign": f"mean over {len(pairs)} prompts ± 1 s.e.; the last point is the output", "x": "layer"},
    )


METHOD = Method("lens_by_layer", TITLE, "nostalgebraist 2020; Wang et al. 2022, arXiv:2211.00593", run, kind="curve")
