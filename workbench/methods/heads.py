"""What every head of a model does: a table of detectors."""

from functools import partial
from typing import Any

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor

from workbench.channels.evidence import Bench
from workbench.channels.find import moving, whole_heads
from workbench.channels.weights import Heads
from workbench.detectors import attention, outputs, sequences
from workbench.detectors.reading import Measure, measured, share
from workbench.errors import BadInput, at_least
from workbench.methods.method import Method
from workbench.pairs import Pairs
from workbench.result import Scores
from workbench.unembed import folded

TITLE = "Heads by what they do"
LONGEST = 192
READERS = 3
UNITS = {
    "previous token": "share of attention",
    "duplicate token": "share of attention",
    "induction": "share of attention",
    "copying": "share of what is raised",
    "copying, weights": "share of eigenvalues",
    "1-gram": "share of attention",
    "2-gram": "share of attention",
    "3-gram": "share of attention",
    "2-gram beyond 1-gram": "share of attention",
    "first token": "share of attention",
    "later sink": "share of attention",
    "entropy": "nats",
    "distance": "tokens",
    "name mover": "logits",
    "S-inhibition": "attention",
}


def run(
    model: Any,
    pairs: Pairs,
    *,
    examples: int = 10,
    length: int = 25,
    copies: int = 4,
    text: str = "",
    seed: int = 0,
) -> Scores:
    """A number for every head and detector: where it looks, what it copies, and what it does for the answer.

    Convention: 'previous token', 'first token', 'later sink', 'entropy' and 'distance' are of running text, 'duplicate
    token', 'induction' (prefix matching: attention to what followed earlier copies of the token) and 'copying' of random
    tokens that repeat, '1-gram' to '3-gram' (attention to what followed earlier copies of the last so many tokens) of a few
    tokens in random order; '2-gram beyond 1-gram' is what the matches of two tokens get beyond their number among those of
    one, 0 for a head that tells them not apart. 'copying, weights' is the sum of the eigenvalues of W_E W_V W_O W_U over
    that of their sizes.
    'name mover' is what a head takes straight from the right answer's own places into the logit difference: + a mover, - a
    negative one; 'S-inhibition' how far the heads that add most to the answer turn back to the wrong one without it. Source:
    Olsson et al. 2022, https://arxiv.org/abs/2209.11895; Elhage et al. 2021; Akyürek et al. 2024,
    https://arxiv.org/abs/2401.12973; Wang et al. 2022, https://arxiv.org/abs/2211.00593; Xiao et al. 2023 (sinks),
    https://arxiv.org/abs/2309.17453.

    Args:
        model: The model.
        pairs: Prompts that name both answers, for the last two; with others these are NaN.
        examples: Sequences of each kind, at least 2.
        length: Random tokens that repeat.
        copies: How often they come.
        text: Running text in place of this project's own stories; empty for these.
        seed: Of the sequences.
    Returns:
        Scores over (detector, layer, head), each in its own unit (the coordinate 'unit'), mean ± 1 s.e. over sequences or
        prompts; the parts hold every detector's numbers by sequence, (sequence, layer, head).
    Raises:
        BadInput: When a sequence is longer than the model's context, or the tokenizer has too few ordinary tokens.
    """
    at_least("examples", examples, 2)
    heads = Heads(model)
    each = _on_repeats(heads, examples, length, copies, seed) | _on_few(heads, examples, seed)
    on_text, unread = _on_text(heads, examples, length, copies, text, seed)
    each |= on_text
    each["copying, weights"] = outputs.eigenvalue_copying(heads).cpu().unsqueeze(0)
    moves, reason = _on_pairs(heads, pairs)
    each |= moves
    detectors = list(UNITS)
    missing = torch.full((1, heads.n_layers, heads.n_heads), torch.nan)
    numbers = [each.get(name, missing).double().numpy() for name in detectors]
    values = np.stack([one.mean(0) for one in numbers])
    errors = np.stack([one.std(0, ddof=1) / np.sqrt(len(one)) if len(one) > 1 else np.zeros_like(one[0]) for one in numbers])
    coords = {
        "detector": detectors, "unit": ("detector", list(UNITS.values())), "layer": np.arange(heads.n_layers),
        "head": np.arange(heads.n_heads),
    }  # fmt: skip

    def labelled(array: np.ndarray) -> xr.DataArray:
        return xr.DataArray(array, dims=("detector", "layer", "head"), coords=coords)

    notes = {"sign": "each detector in its own unit; more is more of what it is named for", "range": "positive"}
    notes["interval"] = "mean ± 1 s.e. over sequences or prompts"
    if reason:
        notes["nan"] = reason
    if unread:
        notes["text"] = f"what is of running text elsewhere is of the random tokens that repeat here: {unread}"
    place = {"layer": coords["layer"], "head": coords["head"]}
    parts = {
        f"each {name}": xr.DataArray(one, dims=("sequence", "layer", "head"), coords={"sequence": np.arange(len(one)), **place})
        for name, one in zip(detectors, numbers, strict=True)
    }
    band = {"lower": labelled(values - errors), "upper": labelled(values + errors)}
    return Scores(TITLE, "each its own", labelled(values), **band, parts=parts, notes=notes)


Each = dict[str, Float[Tensor, "sequence layer head"]]


def _on_repeats(heads: Heads, n: int, length: int, copies: int, seed: int) -> Each:
    """Detectors on random tokens that repeat; copying on their first copy, where each stands once."""
    tokens = sequences.repeated(heads.model, n, seed, length, copies)
    wanted = {"duplicate token": attention.duplicates, "induction": attention.followers}
    found = measured(heads, tokens, torch.ones_like(tokens, dtype=torch.bool), _all(wanted), "heads: repeated tokens")
    unembed = folded(heads.model)

    def copies_it(tokens: Tensor, counted: Tensor, pattern: Tensor, z: Tensor, layer: int) -> Tensor:
        return outputs.copying(tokens, pattern, heads.wiring.scaled(layer, z), heads.wiring.out[layer], unembed)

    first = tokens[:, : tokens.shape[1] - length * (copies - 1)]
    whole = torch.ones_like(first, dtype=torch.bool)
    return found | measured(heads, first, whole, {"copying": copies_it}, "heads: copying")


def _on_few(heads: Heads, n: int, seed: int) -> Each:
    tokens = sequences.few(heads.model, n, seed, length=min(96, heads.model.cfg.n_ctx or 96))
    wanted = {f"{order}-gram": partial(attention.followers, n=order) for order in (1, 2, 3)}

    def beyond(tokens: Tensor, counted: Tensor, pattern: Tensor, z: Tensor, layer: int) -> Tensor:
        return attention.beyond(pattern, attention.followers(tokens, n=2), attention.followers(tokens))

    measures = {**_all(wanted), "2-gram beyond 1-gram": beyond}
    return measured(heads, tokens, torch.ones_like(tokens, dtype=torch.bool), measures, "heads: n-grams")


def _on_text(heads: Heads, n: int, length: int, copies: int, text: str, seed: int) -> tuple[Each, str]:
    """Detectors on running text; where the tokenizer does not know its words, on random tokens, and why."""
    longest, unread = min(LONGEST, heads.model.cfg.n_ctx or LONGEST), ""
    try:
        tokens, counted = sequences.text_tokens(heads.model, [text] if text else sequences.stories(n, seed), longest)
    except sequences.Unread as problem:
        if text:
            raise
        tokens, unread = sequences.repeated(heads.model, n, seed, length, copies), str(problem)
        counted = torch.ones_like(tokens, dtype=torch.bool)
    measures = _all({"previous token": attention.previous, "first token": attention.first_token})
    for name, one in (("later sink", attention.later_sink), ("entropy", attention.entropy), ("distance", attention.distance)):
        measures[name] = lambda tokens, counted, pattern, z, layer, one=one: one(pattern, counted)
    return measured(heads, tokens, counted, measures, "heads: text"), unread


def _all(wanted: dict[str, attention.Wanted]) -> dict[str, Measure]:
    return {name: share(one) for name, one in wanted.items()}


def _on_pairs(heads: Heads, pairs: Pairs) -> tuple[Each, str]:
    """What heads do for the answer, or why that cannot be said."""
    bench = Bench(heads, pairs)
    try:
        bench.check_names()
    except BadInput as problem:
        return {}, str(problem)
    watched = moving(bench, READERS)
    leaning = bench.base(watched).leaning[0].double().cpu().numpy()
    whole = whole_heads(bench, watched, leaning)
    # A head that stands before none of them inhibits none.
    counts = np.isfinite(whole)
    inhibition = np.where(counts, whole, 0).sum(0) / np.maximum(counts.sum(0), 1)
    moves = {"name mover": outputs.moved(bench).cpu(), "S-inhibition": torch.from_numpy(inhibition)}
    return {name: one.permute(2, 0, 1) for name, one in moves.items()}, ""


SOURCE = "Olsson et al. 2022; Elhage et al. 2021; Akyürek et al. 2024; Wang et al. 2022"
METHOD = Method("heads", TITLE, SOURCE, run)
