"""What a head writes on a prompt, in words: straight to the logits, as it looks and of each token alone that it looks at."""

from typing import Any

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor

from workbench.channels.weights import Heads
from workbench.errors import within
from workbench.hooks import read
from workbench.pairs import Pairs, token_strings
from workbench.result import Readout
from workbench.sites import Site
from workbench.unembed import scale_of, through_norm

TOP, MOST = 8, 5
# What gets a smaller share of attention hardly counts.
LEAST = 0.01


def writes(
    model: Any,
    pairs: Pairs,
    layer: int,
    head: int,
    prompt: int,
    of: str,
    *,
    top: int = TOP,
    most: int = MOST,
    least: int | float = LEAST,
) -> Readout:
    """The tokens whose logits a head raises and lowers most by itself at END.

    Convention: what the head writes at END goes through the final norm, whose divisor stays what it was, and the
    unembedding; of the logits their mean over the vocabulary is taken off. A head writes the mean, weighted by attention, of
    what each token gives it: the first lines are that mean, the others what a token would give if END looked at it alone.
    Source: Elhage et al. 2021, https://transformer-circuits.pub/2021/framework (OV circuits), with the values as they were
    on the prompt in place of embeddings.

    Args:
        model: The model.
        pairs: The prompts.
        layer: Of the head.
        head: Its number.
        prompt: Which pair, from 0.
        of: Its 'clean' or its 'corrupt' prompt.
        top: Tokens per line.
        most: How many of the tokens that are looked at are shown, those with most attention first.
        least: The least share of attention of a token that is shown.
    Returns:
        Readout over (line, rank) in logits, sizes without a sign. Lines come by two: what is raised and what is lowered, as
        the coordinate 'effect' says; 'token', 'pos' and 'attention' tell what is looked at, -1 and 1 for all together.
    Raises:
        BadInput: When there is no such head or pair.
    """
    within("prompt", prompt, 0, len(pairs))
    heads = Heads(model)
    heads.check(layer, head)
    length, end = int(pairs.lengths[prompt]), int(pairs.end[prompt])
    tokens = (pairs.clean if of == "clean" else pairs.corrupt)[prompt : prompt + 1, :length].to(model.cfg.device)
    last = Site("resid_post", model.cfg.n_layers - 1)
    sites = [Site(name, layer) for name in ("v", "pattern", "z")]
    _, kept = read(model, tokens, torch.tensor([end]), [*sites, last])
    value, pattern, z = (kept[site] for site in sites)
    looked = pattern[0, head, end]
    # One there always is.
    enough = max(1, min(most, int((looked[: end + 1] >= least).sum())))
    keys = looked.topk(enough).indices
    shared = heads.n_heads // value.shape[2]
    # In models with a norm after attention its divisor stays what it was.
    held = heads.wiring.scaled(layer, z)[0, end, head].norm() / z[0, end, head].norm().clamp(min=1e-30)
    given = torch.cat([z[0, end, head].unsqueeze(0), value[0, keys, head // shared]]).float() * held.float()
    written = given @ heads.wiring.out[layer][head].float()
    logits = _logits(model, written, kept[last][:, end : end + 1])
    logits = logits - logits.mean(-1, keepdim=True)
    best = torch.stack([logits, -logits], 1).flatten(0, 1).topk(min(top, logits.shape[-1]))
    words = pairs.clean_strings if of == "clean" else pairs.corrupt_strings
    places = [-1, *keys.tolist()]
    seen = ["all of them", *(words[prompt][place] for place in places[1:])]
    coords = {
        "line": np.arange(2 * len(places)),
        "token": ("line", np.repeat(seen, 2)),
        "pos": ("line", np.repeat(places, 2)),
        "attention": ("line", np.repeat([1.0, *looked[keys].double().tolist()], 2)),
        "effect": ("line", ["raises", "lowers"] * len(places)),
        "rank": np.arange(best.indices.shape[1]),
    }

    def labelled(array: np.ndarray) -> xr.DataArray:
        return xr.DataArray(array, dims=("line", "rank"), coords=coords)

    found = np.array([token_strings(model.tokenizer, row) for row in best.indices.tolist()])
    return Readout(
        f"What {heads.name(layer, head)} writes at END: {of} prompt {prompt + 1}",
        "logits",
        labelled(best.values.double().cpu().numpy()),
        parts={"token": labelled(found)},
        notes={"sign": "how far the head by itself moves a token's logit, its mean over the vocabulary taken off"},
    )


@torch.no_grad()
def _logits(
    model: Any, written: Float[Tensor, "line d_model"], final: Float[Tensor, "1 1 d_model"]
) -> Float[Tensor, "line vocab"]:
    """What each adds to the logits where the stream ends as `final`."""
    normed = through_norm(model.ln_final, written.unsqueeze(0), scale_of(model.ln_final, final))
    return normed[0] @ model.W_U.detach().float()
