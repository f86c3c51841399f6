"""Edge attribution patching: the effect of ablating every edge, to first order, in 3 passes."""

from typing import Any

from workbench.edges.estimate import GradientAt, estimated
from workbench.edges.run import Ablation
from workbench.graph import Readers
from workbench.methods.method import Method
from workbench.metrics import MetricName
from workbench.pairs import Pairs
from workbench.result import Circuit

TITLE = "Edge attribution patching"


def run(
    model: Any,
    pairs: Pairs,
    *,
    metric: MetricName = "logit_diff",
    ablation: Ablation = "corrupt",
    gradient_at: GradientAt = "clean",
    readers: Readers = "query",
    by_position: bool = False,
) -> Circuit:
    """A score for every edge: (clean - ablated contribution of its source) · gradient at its destination.

    Convention: + helps: how much the metric falls when the edge is ablated; of EAP-IG and MIB. Source: Syed et al. 2023,
    https://arxiv.org/abs/2310.10348; the graph and 'both' (clean-corrupted): Hanna et al. 2024,
    https://arxiv.org/abs/2403.17806.

    Args:
        model: The model.
        pairs: Clean and corrupt prompts.
        metric: logit_diff, prob_diff, log_prob or kl. kl has no gradient at the clean run.
        ablation: What an ablated edge carries: the 'corrupt' prompt's value, its 'mean' over corrupt prompts, or 'zero'.
        gradient_at: The run whose gradient is taken: 'clean', 'corrupt' (as TransformerLens does), or the mean of 'both'.
        readers: Keys and values read per 'query' head, or per 'key_value' head where several share one.
        by_position: Keep the position at which the edge is read as an axis; prompts of one length.
    Returns:
        Circuit over ([pos], edge) in the metric's unit, mean ± 1 s.e. over prompts; 0 means no effect to first order.
    Raises:
        BadInput: When the metric has no gradient there, a parameter is none of these, or lengths differ with by_position.
    """

    runs = ("clean", "corrupt") if gradient_at == "both" else (gradient_at,)
    return estimated(
        model, pairs, lambda batch: [batch.gradients(name) for name in runs], title=TITLE, readers=readers, metric=metric,
        ablation=ablation, by_position=by_position, n_passes=len(runs), notes={"gradient": f"at {gradient_at}"},
    )  # fmt: skip


METHOD = Method("eap", TITLE, "Syed et al. 2023, arXiv:2310.10348", run, kind="circuit")
