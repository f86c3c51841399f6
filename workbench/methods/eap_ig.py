"""Edge attribution with integrated gradients: the gradient averaged on the way from corrupt to clean."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from workbench.edges.estimate import Batch, estimated
from workbench.edges.gradients import Gradients
from workbench.edges.run import Ablation
from workbench.errors import at_least
from workbench.graph import Readers, graph_of
from workbench.methods.method import Method
from workbench.metrics import MetricName
from workbench.pairs import Pairs
from workbench.result import Circuit
from workbench.sites import Site

TITLE = "Edge attribution with integrated gradients"
Path = Literal["inputs", "activations"]
StepRange = Literal["0..m-1", "1..m"]


def run(
    model: Any,
    pairs: Pairs,
    *,
    path: Path = "inputs",
    steps: int = 5,
    step_range: StepRange = "0..m-1",
    metric: MetricName = "logit_diff",
    ablation: Ablation = "corrupt",
    readers: Readers = "query",
    by_position: bool = False,
) -> Circuit:
    """A score for every edge: (clean - ablated contribution of its source) · gradient averaged from corrupt to clean.

    Convention: + helps: how much the metric falls when the edge is ablated. Source: Hanna et al. 2024,
    https://arxiv.org/abs/2403.17806; 'activations' after Marks et al. 2024, https://arxiv.org/abs/2403.19647.

    Args:
        model: The model.
        pairs: Clean and corrupt prompts.
        path: What goes from corrupt to clean: the embedded 'inputs', all else following; or the 'activations' of one
            attention, MLP or input at a time in the clean run, (2 · layers + 1) · steps passes; attention and MLPs then start
            from their ablated value, the input always from the corrupt prompt's.
        steps: Points on the way, m, at least 1.
        step_range: The points k/m: '0..m-1' from corrupt on, as EAP-IG's main branch and MIB; '1..m', ending at clean,
            as its release 0.2.
        metric: As for `eap`.
        ablation: As for `eap`.
        readers: As for `eap`.
        by_position: As for `eap`.
    Returns:
        Circuit over ([pos], edge) in the metric's unit, mean ± 1 s.e. over prompts.
    Raises:
        BadInput: When the metric has no gradient, or a parameter is none of these.
    """
    at_least("steps", steps, 1)
    first = 0 if step_range == "0..m-1" else 1
    shares = [(first + step) / steps for step in range(steps)]
    sites = [Site("resid_pre", 0)]
    if path == "activations":
        kinds = ("attn_out", "mlp_out")[: 1 + graph_of(model.cfg).mlps]
        sites += [Site(kind, layer) for layer in range(model.cfg.n_layers) for kind in kinds]
    return estimated(
        model, pairs, lambda batch: _along(batch, sites, shares), title=TITLE, readers=readers, metric=metric,
        ablation=ablation, by_position=by_position, n_passes=len(sites) * steps,
        notes={"path": f"{path}, {steps} steps, {step_range}"},
    )  # fmt: skip


def _along(batch: Batch, sites: Sequence[Site], shares: Sequence[float]) -> Iterator[Gradients]:
    """A pass per site and share of the way, that site alone on its way."""
    run = batch.run["clean"]
    for site in sites:
        clean, ablated = run.stream[0] if site.name == "resid_pre" else run.kept[site], batch.ablated(site)
        for share in shares:
            value = ablated + share * (clean - ablated)
            yield batch.gradients(writes={site: lambda _, value=value: value})


METHOD = Method("eap_ig", TITLE, "Hanna et al. 2024, arXiv:2403.17806", run, kind="circuit")
