"""Where a head looks, as numbers: pure functions of attention patterns and, for some, of the tokens that are looked at.

Each takes patterns [batch head query key] whose rows add up to 1 over the keys up to the query, and gives one number per
sequence and head. `counted` says which queries count: padding does not, nor what a measure says nothing of.
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

Pattern = Float[Tensor, "batch head query key"]
Tokens = Int[Tensor, "batch pos"]
Mask = Bool[Tensor, "batch query key"]
Rows = Bool[Tensor, "batch query"]
PerHead = Float[Tensor, "batch head"]


def share_on(pattern: Pattern, wanted: Mask, counted: Rows | None = None) -> PerHead:
    """Mean share of attention on the wanted keys, over the queries that have one; NaN for a sequence in which none has."""
    rows = wanted.any(-1) if counted is None else wanted.any(-1) & counted
    shares = (pattern * wanted.unsqueeze(1)).sum(-1)
    return _mean(shares, rows)


def _mean(numbers: Float[Tensor, "batch head query"], rows: Rows) -> PerHead:
    return (numbers * rows.unsqueeze(1)).sum(-1) / rows.sum(-1, keepdim=True)


def before(length: int, device: torch.device) -> Bool[Tensor, "query key"]:
    """Keys before the query."""
    return torch.ones(length, length, dtype=torch.bool, device=device).tril(-1)


def previous(tokens: Tokens) -> Mask:
    """The token before the query."""
    length = tokens.shape[1]
    return torch.eye(length, dtype=torch.bool, device=tokens.device).roll(-1, 1).tril().expand(len(tokens), length, length)


def duplicates(tokens: Tokens) -> Mask:
    """Earlier copies of the query's token."""
    return (tokens.unsqueeze(2) == tokens.unsqueeze(1)) & before(tokens.shape[1], tokens.device)


def followers(tokens: Tokens, n: int = 1) -> Mask:
    """What followed earlier copies of the n tokens that end at the query: 1 is the mark of induction heads.

    Source: Olsson et al. 2022 (prefix matching); Akyürek et al. 2024, https://arxiv.org/abs/2401.12973 (n-gram heads): keys j
    with x[j-n .. j-1] = x[i-n+1 .. i].
    """
    same = tokens.unsqueeze(2) == tokens.unsqueeze(1)
    found = torch.ones_like(same)
    for back in range(n):
        # At (i, j): whether token i - back equals token j - 1 - back.
        moved = torch.zeros_like(same)
        moved[:, back:, back + 1 :] = same[:, : same.shape[1] - back, : same.shape[2] - back - 1]
        found &= moved
    # A token may have followed itself: the key at the query's own place counts.
    return found & torch.ones_like(found).tril()


def beyond(pattern: Pattern, longer: Mask, shorter: Mask) -> PerHead:
    """How much more of its attention a head has on the longer matches than their number among the shorter ones would give it.

    The mean over queries that have a longer match and a shorter one that is none: 0 for a head that tells them not apart, or
    matches nothing.
    """
    rows = longer.any(-1) & (shorter & ~longer).any(-1)
    due = (longer & shorter).sum(-1) / shorter.sum(-1).clamp(min=1)
    on_longer, on_shorter = ((pattern * wanted.unsqueeze(1)).sum(-1) for wanted in (longer, shorter))
    return _mean(on_longer - on_shorter * due.unsqueeze(1), rows)


def first_token(tokens: Tokens) -> Mask:
    """The first key, of all queries after it."""
    length = tokens.shape[1]
    mask = torch.zeros(length, length, dtype=torch.bool, device=tokens.device)
    mask[1:, 0] = True
    return mask.expand(len(tokens), length, length)


def later_sink(pattern: Pattern, counted: Rows) -> PerHead:
    """The largest mean share that one key after the first is given by the queries after it; at least 4 of them."""
    rows = counted.unsqueeze(1).unsqueeze(-1) & before(pattern.shape[-1], pattern.device)
    given = (pattern * rows).sum(2) / rows.sum(2).clamp(min=1)
    enough = rows.sum(2) >= 4
    enough[..., 0] = False
    return given.masked_fill(~enough, 0).amax(-1)


def entropy(pattern: Pattern, counted: Rows) -> PerHead:
    """Mean entropy of attention in nats, over queries that have a choice."""
    logs = pattern.clamp(min=1e-30).log()
    return _mean(-(pattern * logs).sum(-1), counted & (torch.arange(pattern.shape[2], device=pattern.device) > 0))


def distance(pattern: Pattern, counted: Rows) -> PerHead:
    """Mean number of tokens looked back, the first key left out: heads that rest there look nowhere."""
    length = pattern.shape[-1]
    places = torch.arange(length, device=pattern.device)
    back = (places.unsqueeze(1) - places).clamp(min=0).float()
    left = pattern.clone()
    left[..., 0] = 0
    total = left.sum(-1)
    looked = (left * back).sum(-1) / total.clamp(min=1e-9)
    # A query that looks nowhere else has no distance; each counts by what it has.
    weight = total * (counted & (places > 1)).unsqueeze(1)
    return (looked * weight).sum(-1) / weight.sum(-1).clamp(min=1e-9)


Wanted = Callable[[Tokens], Mask]
