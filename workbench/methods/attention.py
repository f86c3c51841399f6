"""Where every head looks on one prompt."""

from typing import Any, Literal

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor

from workbench.detectors.looking import HERE, here, looking
from workbench.errors import BadInput, one_of, within
from workbench.methods.method import Method
from workbench.pairs import Pairs, encode, token_strings
from workbench.result import Scores
from workbench.tasks.words import tokenizer_of

TITLE = "Attention of all heads"
# Numbers of one result.
MOST = 30_000_000


def run(
    model: Any,
    pairs: Pairs | None = None,
    *,
    text: str = "",
    prompt: int = 0,
    of: Literal["clean", "corrupt"] = "clean",
    layer: int | None = None,
    head: int | None = None,
    weighted: bool = False,
) -> Scores:
    """Where every head looks on one prompt: a share of attention for each pair of tokens.

    Convention: a query's shares add up to 1 over the keys. Weighted by values it is alpha_ij times the norm of v_j W_O, the
    head's own part of W_O: the length of what the value of key j adds to the stream at query i. It is not normalised: heads
    and layers are told apart by how much they write, and a head that rests on a token writes little from there. Where a norm
    follows the attention (Gemma-2) it is the length after that norm. Source: Kobayashi et al. 2020,
    https://arxiv.org/abs/2004.10102, eq. 5.

    Args:
        model: The model.
        pairs: Prompts; None where `text` is given.
        text: A prompt of your own, in place of the pairs'.
        prompt: Which pair, from 0.
        of: Its 'clean' or its 'corrupt' prompt.
        layer: This layer only; all where None.
        head: This head of the layer only; all where None.
        weighted: Whether to weight by values.
    Returns:
        Scores over (layer, head, query, key), a layer or head that is given left out, in share of attention, or in the
        stream's own unit ('norm'). 0 where a head cannot look. The parts hold what each head does on this prompt (attention
        to the first, the previous and the same earlier tokens and to what followed those, entropy, distance; never
        weighted), NaN where the prompt has nothing of the kind.
    Raises:
        BadInput: When there is no such pair, layer or head, no text, or the prompt is too long.
    """
    tokens, words = chosen(model, pairs, text, prompt, of)
    if head is not None and layer is None:
        raise BadInput(f"layer must be given where a head is; got head {head} and no layer.")
    layers = range(model.cfg.n_layers) if layer is None else [layer]
    if head is not None:
        within("head", head, 0, model.cfg.n_heads)
    check_size(len(tokens), len(layers) * (1 if head is not None else model.cfg.n_heads))
    kept: list[np.ndarray] = []
    parts: list[dict[str, np.ndarray]] = []
    which = slice(None) if head is None else slice(head, head + 1)

    def see(layer: int, pattern: Float[Tensor, "head query key"], shown: Float[Tensor, "head query key"]) -> None:
        kept.append(shown[which].double().cpu().numpy())
        parts.append({name: found[which].double().cpu().numpy() for name, found in here(tokens, pattern).items()})

    looking(model, tokens, see, weighted, layers)
    heads = np.arange(model.cfg.n_heads)[which]
    at = {"layer": list(layers), "head": heads}
    alone = {name: 0 for name, given in (("layer", layer), ("head", head)) if given is not None}
    along = {"query": words, "key": words}
    along |= {f"{name} position": (name, np.arange(len(words))) for name in ("query", "key")}
    made = xr.DataArray(np.stack(kept), dims=("layer", "head", "query", "key"), coords=at | along)
    each = {name: np.stack([one[name] for one in parts]) for name in HERE}
    return Scores(
        title=titled(layer, head, "" if text else f"{of} prompt {prompt + 1}"),
        unit="norm" if weighted else "share of attention",
        values=made.isel(alone, drop=True),
        parts={name: xr.DataArray(one, dims=("layer", "head"), coords=at).isel(alone, drop=True) for name, one in each.items()},
        notes={"range": "positive", "sign": "a row is the token that looks, a column what it looks at"},
    )


def titled(layer: int | None, head: int | None, said: str) -> str:
    """What is shown, in a few words."""
    if layer is None:
        return TITLE
    return f"Attention in layer {layer}" if head is None else f"Attention in layer {layer}, head {head}: {said or 'your text'}"


def chosen(model: Any, pairs: Pairs | None, text: str, prompt: int, of: str) -> tuple[Tensor, list[str]]:
    """The tokens of a prompt of the pairs, or of a text, and what they stand for.

    Raises:
        BadInput: When there is no such prompt, or neither text nor pairs.
    """
    if text:
        tokenizer = tokenizer_of(model)
        ids = encode(tokenizer, text)
        if not ids:
            raise BadInput(f"the text must have at least 1 token; got none in {text[:40]!r}. Write a sentence.")
        return torch.tensor(ids), list(token_strings(tokenizer, ids))
    if pairs is None:
        raise BadInput("attention must have a prompt; got neither pairs nor text. Give text='The cat sat', or pairs.")
    one_of("of", of, ("clean", "corrupt"))
    within("prompt", prompt, 0, len(pairs))
    length = int(pairs.lengths[prompt])
    tokens, words = (pairs.clean, pairs.clean_strings) if of == "clean" else (pairs.corrupt, pairs.corrupt_strings)
    return tokens[prompt, :length], list(words[prompt])


def check_size(tokens: int, heads: int) -> None:
    """Raise BadInput where the attention of so many heads is too much to be kept whole."""
    if heads * tokens**2 > MOST:
        most = int((MOST / heads) ** 0.5)
        raise BadInput(
            f"the prompt must have at most {most} tokens for the whole attention of {heads} heads; got {tokens}. Ask for one "
            "layer or head, or use a shorter one."
        )


SOURCE = "Vaswani et al. 2017; weighted by values: Kobayashi et al. 2020"
METHOD = Method("attention", TITLE, SOURCE, run, needs_pairs=False)
