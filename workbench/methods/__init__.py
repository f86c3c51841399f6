"""Methods: `run(model, pairs, *, …) -> Result`, one file each. METHODS is the catalogue.

`agreement` compares two Results and `faithfulness` measures one: they take Results, and so stand beside the catalogue.
"""

from workbench.methods import (
    acdc,
    atp,
    atp_star,
    baseline,
    cdt,
    channel_graph,
    channel_map,
    channel_scale,
    channels,
    codes,
    component_pairs,
    component_text,
    component_tokens,
    composition,
    direct_paths,
    discover,
    dla,
    eap,
    eap_ig,
    eap_relp,
    edge_patch,
    edge_pruning,
    heads,
    ifr,
    in_context,
    induction,
    lens,
    lens_by_layer,
    list_recall,
    masking,
    patch,
    relp,
    repeat_surprisal,
    retrieval,
)
from workbench.methods.agreement import agreement
from workbench.methods.faithfulness import faithfulness
from workbench.methods.method import Method

_LISTED = (
    baseline,
    patch,
    atp,
    atp_star,
    relp,
    dla,
    lens,
    lens_by_layer,
    cdt,
    codes,
    eap,
    eap_ig,
    eap_relp,
    edge_patch,
    ifr,
    acdc,
    edge_pruning,
    discover,
    composition,
    channels,
    channel_graph,
    channel_scale,
    channel_map,
    direct_paths,
    component_pairs,
    component_tokens,
    component_text,
    list_recall,
    heads,
    induction,
    in_context,
    repeat_surprisal,
    retrieval,
    masking,
)
METHODS: dict[str, Method] = {module.METHOD.name: module.METHOD for module in _LISTED}

__all__ = ["METHODS", "Method", "agreement", "faithfulness"]
