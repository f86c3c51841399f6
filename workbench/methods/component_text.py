"""What the components of a head say over a text: their coordinates at every token."""

from typing import Any, Literal

import numpy as np
import torch
import xarray as xr

from workbench.channels.act import channel as channel_of
from workbench.channels.weights import Heads, parsed
from workbench.errors import BadInput, at_least, one_of, within
from workbench.hooks import read
from workbench.methods.method import Method
from workbench.pairs import Pairs, encode, token_strings
from workbench.result import Scores
from workbench.sites import Site

TITLE = "Components over a text"


def run(
    model: Any,
    pairs: Pairs,
    *,
    channel: str = "0.0",
    components: int = 4,
    prompt: int = 0,
    of: Literal["clean", "corrupt"] = "clean",
    text: str = "",
) -> Scores:
    """How much a head writes along its components at every token of a prompt, or of a text of one's own.

    Convention: the coordinate is the head's output at a position times the component's unit writing direction, in the
    stream's own units; its sign is that of the writing direction, as in `component_tokens`. Source: Merullo et al. 2024,
    https://arxiv.org/abs/2406.09519.

    Args:
        model: The model.
        pairs: The prompts.
        channel: A head, '7.9', for its strongest components, or one component, '7.9.6'.
        components: How many components of a head, at least 1.
        prompt: Which pair, from 0.
        of: Its 'clean' or its 'corrupt' prompt.
        text: A text in place of the prompts; empty for these.
    Returns:
        Scores over (component, pos).
    Raises:
        BadInput: When there is no such head, component or pair, or the text is longer than the model's context.
    """
    one_of("of", of, ("clean", "corrupt"))
    at_least("components", components, 1)
    within("prompt", prompt, 0, len(pairs))
    heads = Heads(model)
    layer, head, *one = parsed(channel)
    chosen = tuple(one) or tuple(range(min(components, heads.d_head)))
    what = channel_of(heads, layer, head, chosen)
    if text:
        ids = encode(model.tokenizer, text)
    else:
        ids = (pairs.clean if of == "clean" else pairs.corrupt)[prompt, : int(pairs.lengths[prompt])].tolist()
    if not ids:
        raise BadInput("text must be at least 1 token; got none.")
    tokens = torch.tensor([ids], device=model.cfg.device)
    site = Site("z", layer)
    _, kept = read(model, tokens, torch.tensor([len(ids) - 1]), [site])
    said = what.coordinates(heads, kept[site])[0].T.double().cpu().numpy()
    coords = {
        "component": list(chosen),
        "pos": np.arange(len(ids)),
        "token": ("pos", list(token_strings(model.tokenizer, ids))),
    }
    where = "a text" if text else f"{of} prompt {prompt + 1}"
    return Scores(
        f"{TITLE}: {heads.name(layer, head, *one)}, {where}",
        "coordinate",
        xr.DataArray(said, dims=("component", "pos"), coords=coords),
        notes={"sign": "+ is along the component's writing direction"},
    )


METHOD = Method("component_text", TITLE, "Merullo et al. 2024, arXiv:2406.09519", run)
