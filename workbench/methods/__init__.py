"""Methods: `run(model, pairs, *, …) -> Result`, one file each. METHODS is the catalogue.

`agreement` compares two Results and so takes these, and stands beside the catalogue.
"""

from workbench.methods import atp, baseline, discover, dla, eap, eap_ig, eap_relp, edge_patch, lens, lens_by_layer, patch, relp
from workbench.methods.agreement import agreement
from workbench.methods.method import Method

METHODS: dict[str, Method] = {
    module.METHOD.name: module.METHOD
    for module in (baseline, patch, atp, relp, dla, lens, lens_by_layer, eap, eap_ig, eap_relp, edge_patch, discover)
}

__all__ = ["METHODS", "Method", "agreement"]
