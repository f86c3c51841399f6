"""Relevance patching on edges: edge attribution with relevance in place of the gradient."""

from collections.abc import Sequence
from typing import Any

from workbench.edges.estimate import estimated
from workbench.edges.run import Ablation
from workbench.graph import Readers
from workbench.methods.method import Method
from workbench.metrics import MetricName
from workbench.pairs import Pairs
from workbench.result import Circuit
from workbench.rules import DEFAULT, Rule

TITLE = "Relevance patching of edges"


def run(
    model: Any,
    pairs: Pairs,
    *,
    metric: MetricName = "logit_diff",
    ablation: Ablation = "corrupt",
    rules: Sequence[Rule] = DEFAULT,
    readers: Readers = "query",
    by_position: bool = False,
) -> Circuit:
    """A score for every edge: (clean - ablated contribution of its source) · relevance at its destination.

    Convention: + helps: how much the metric falls when the edge is ablated. The relevance is propagated through the clean
    run. Source: Rezaei Jafari et al. 2025, https://arxiv.org/abs/2508.21258; on the edges of EAP.

    Args:
        model: The model.
        pairs: Clean and corrupt prompts.
        metric: As for `eap`.
        ablation: As for `eap`.
        rules: Which of ln, identity, half, ah apply. With ah nothing flows to queries and keys: those edges score 0.
        readers: As for `eap`.
        by_position: As for `eap`.
    Returns:
        Circuit over ([pos], edge) in the metric's unit, mean ± 1 s.e. over prompts.
    Raises:
        BadInput: When the metric has no gradient, a parameter is none of these, or the model's MLPs have no rules.
    """
    chosen = (rules,) if isinstance(rules, str) else tuple(rules)
    return estimated(
        model, pairs, lambda batch: [batch.gradients("clean")], title=TITLE, readers=readers, metric=metric,
        ablation=ablation, by_position=by_position, rules=chosen, notes={"rules": ", ".join(chosen)},
    )  # fmt: skip


METHOD = Method("eap_relp", TITLE, "Rezaei Jafari et al. 2025, arXiv:2508.21258", run, kind="circuit")
