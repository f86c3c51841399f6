"""Plans: what every method of the catalogue will do with a model, counted before it is done.

They ask what the methods ask: the same tables of batches, the same free memory, the same sequences. No pass of the model is
run for them, but for the probes of the memory that edges take, made once per model.
"""

from collections.abc import Callable, Mapping
from typing import Any

from workbench.pairs import Pairs
from workbench.plans import channels, edges, prompts, sequences
from workbench.plans.work import Work

Plan = Callable[[Any, Any, Mapping[str, Any]], Work]

PLANS: dict[str, Plan] = {
    "baseline": prompts.baseline,
    "patch": prompts.patch,
    "atp": prompts.attributed,
    "atp_star": prompts.atp_star,
    "relp": prompts.attributed,
    "dla": prompts.dla,
    "lens": prompts.lens,
    "lens_by_layer": prompts.lens_by_layer,
    "stream": prompts.stream,
    "trajectories": prompts.trajectories,
    "cdt": prompts.cdt,
    "codes": prompts.codes,
    **edges.SCORED,
    "discover": edges.discover,
    "composition": channels.composition,
    "channels": channels.channels,
    "channel_graph": channels.channel_graph,
    "channel_scale": channels.channel_scale,
    "channel_map": channels.channel_map,
    "direct_paths": channels.direct_paths,
    "component_pairs": channels.component_pairs,
    "component_tokens": channels.component_tokens,
    "component_text": channels.component_text,
    "list_recall": channels.list_recall,
    "heads": sequences.heads,
    "attention": prompts.attention,
    "induction": sequences.induction,
    "in_context": sequences.in_context,
    "repeat_surprisal": sequences.repeat_surprisal,
    "retrieval": sequences.retrieval,
    "masking": sequences.masking,
}


def planned(model: Any, pairs: Pairs | None, method: str, params: Mapping[str, Any]) -> Work:
    """What a method will do.

    Args:
        model: The model, loaded.
        pairs: The prompts; None for methods that need none.
        method: Id of the method.
        params: Its parameters that are not its defaults.
    Raises:
        BadInput: When the method would raise it for these parameters or prompts; not all that it would raise is found before.
    """
    from workbench.methods import METHODS

    return PLANS[method](model, pairs, METHODS[method].bind(**params))


__all__ = ["PLANS", "Work", "planned"]
