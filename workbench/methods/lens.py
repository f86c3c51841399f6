"""Logit lens: what each layer would answer, were it the last. As tokens per cell, for one prompt."""

from typing import Any, Literal

import numpy as np
import torch
import xarray as xr

from workbench.errors import at_least, one_of, within
from workbench.hooks import read
from workbench.methods.method import Method
from workbench.pairs import Pairs, token_strings
from workbench.result import Readout
from workbench.sites import Site
from workbench.unembed import unembedded

TITLE = "Logit lens"


def run(model: Any, pairs: Pairs, *, prompt: int = 0, of: Literal["clean", "corrupt"] = "clean", top: int = 5) -> Readout:
    """The tokens that each layer's stream is nearest to, read through the final norm and the unembedding.

    Convention: row l is the stream that enters layer l; the last row is the model's own output. Source: nostalgebraist
    2020, https://www.lesswrong.com/posts/AcKRB8wDpdaN6v6ru.

    Args:
        model: The model.
        pairs: The prompts.
        prompt: Which pair, from 0.
        of: Its 'clean' or its 'corrupt' prompt.
        top: Tokens per cell, at least 1.
    Returns:
        Readout over (layer, pos, rank) of probabilities; parts: 'token'; 'answer_rank', how many tokens are more probable
        than the right answer (0 is best); 'kl', nats from the model's own output to the cell. 0 probability means never.
    Raises:
        BadInput: When there is no such pair, or `top` is not positive.
    """
    one_of("of", of, ("clean", "corrupt"))
    within("prompt", prompt, 0, len(pairs))
    at_least("top", top, 1)
    length = int(pairs.lengths[prompt])
    tokens = (pairs.clean if of == "clean" else pairs.corrupt)[prompt : prompt + 1, :length].to(model.cfg.device)
    layers = model.cfg.n_layers
    sites = [*(Site("resid_pre", layer) for layer in range(layers)), Site("resid_post", layers - 1)]
    _, kept = read(model, tokens, pairs.end[prompt : prompt + 1], sites)
    with torch.no_grad():
        log_probs = torch.stack([unembedded(model, kept[site][0]).float().log_softmax(-1) for site in sites])
    best = log_probs.topk(min(top, log_probs.shape[-1]), dim=-1)
    answer = log_probs[..., list(pairs.right[prompt])].amax(-1, keepdim=True)
    final = log_probs[-1]
    coords = {"layer": [*range(layers), layers], "pos": np.arange(length), "rank": np.arange(best.values.shape[-1])}
    strings = (pairs.clean_strings if of == "clean" else pairs.corrupt_strings)[prompt]
    along_pos = {"token": ("pos", list(strings))}
    texts = np.array(token_strings(model.tokenizer, best.indices.flatten().tolist())).reshape(best.indices.shape)

    def over_cells(values: torch.Tensor) -> xr.DataArray:
        cells = {name: coords[name] for name in ("layer", "pos")}
        return xr.DataArray(values.double().cpu().numpy(), dims=("layer", "pos"), coords={**cells, **along_pos})

    return Readout(
        title=TITLE,
        unit="probability",
        values=xr.DataArray(
            best.values.exp().double().cpu().numpy(), dims=("layer", "pos", "rank"), coords={**coords, **along_pos}
        ),
        parts={
            "token": xr.DataArray(texts, dims=("layer", "pos", "rank"), coords=coords),
            "answer_rank": over_cells((log_probs > answer).sum(-1)),
            "kl": over_cells((final.exp() * (final - log_probs)).sum(-1).clamp(min=0)),
        },
        notes={"sign": f"row l is what enters layer l; the last row is the output ({of} prompt {prompt + 1})"},
    )


METHOD = Method("lens", TITLE, "nostalgebraist 2020, interpreting GPT: the logit lens", run, kind="readout")
