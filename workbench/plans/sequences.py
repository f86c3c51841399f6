"""Plans of the methods that make sequences of their own: repeated tokens, stories, needles."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from workbench.batches import in_pass, kept
from workbench.detectors import loss, reading, sequences
from workbench.detectors import retrieval as needles
from workbench.errors import whole_numbers
from workbench.methods.heads import LONGEST, READERS
from workbench.methods.in_context import SENTENCES
from workbench.methods.masking import ASIDE
from workbench.methods.repeat_surprisal import CONDITIONS, MOST, texts_of
from workbench.pairs import Pairs
from workbench.plans.channels import Trials, composed
from workbench.plans.work import Work, parts_of, total
from workbench.tasks.prompts import tokenise
from workbench.tasks.words import tokenizer_of

Params = Mapping[str, Any]


def heads(model: Any, pairs: Pairs, params: Params) -> Work:
    cfg, n, seed = model.cfg, params["examples"], params["seed"]
    tokens = sequences.repeated(model, n, seed, params["length"], params["copies"])
    first = tokens[:, : tokens.shape[1] - params["length"] * (params["copies"] - 1)]
    few = sequences.few(model, n, seed, length=min(96, cfg.n_ctx or 96))
    texts = [params["text"]] if params["text"] else sequences.stories(n, seed)
    try:
        text, _ = sequences.text_tokens(model, texts, min(LONGEST, cfg.n_ctx or LONGEST))
    except sequences.Unread:
        text = tokens
    work = total([_measured(model, one) for one in (tokens, first, few, text)])
    # Eigenvalues of every head, and what each writes at every place along the tokens that it may copy.
    small = cfg.n_layers * cfg.n_heads * cfg.d_head**2 * (cfg.d_model + 40 * cfg.d_head) + cfg.d_vocab * cfg.d_model**2
    copied = first.numel() * cfg.n_layers * cfg.n_heads * cfg.d_model * (cfg.d_head + first.shape[1])
    work += Work(products=small + copied, held=4 * 2 * cfg.d_model * (cfg.d_vocab + cfg.d_model))
    bench = Trials(model, pairs)
    # Only where the prompts name both answers; which readers are watched, and how deep, is found on the way.
    moves = total([bench.variants(min(READERS, cfg.n_heads * cfg.n_layers)), bench.variants(1)])
    whole = total([bench.variants(cfg.n_heads, layer) for layer in range(cfg.n_layers - 1)])
    return work + bench.ready() + replace(moves + whole, at_most=True, at_once=None)


def induction(model: Any, pairs: Pairs | None, params: Params) -> Work:
    tokens = sequences.repeated(model, params["examples"], params["seed"], params["length"], params["copies"])
    return _measured(model, tokens) + _surprisals(model, tokens) + composed(model, ("k",))


def in_context(model: Any, pairs: Pairs | None, params: Params) -> Work:
    n, length, seed = params["examples"], params["length"], params["seed"]
    work = _surprisals(model, sequences.repeated(model, n, seed, length // 2, 2)[:, -length:])
    with suppress(sequences.Unread):
        work += _surprisals(model, sequences.text_tokens(model, sequences.stories(n, seed, SENTENCES), length)[0])
    return work


def repeat_surprisal(model: Any, pairs: Pairs | None, params: Params) -> Work:
    asked = params["sentences"], params["seed"]
    texts = [
        texts_of(condition, count, *asked, index)[0]
        for condition in CONDITIONS
        for count in whole_numbers("listed", params["listed"], 3, MOST)
        for index in range(params["examples"])
    ]
    return total(_surprisals(model, torch.tensor([tokenise(tokenizer_of(model), text)[0]])) for text in texts)


def retrieval(model: Any, pairs: Pairs | None, params: Params) -> Work:
    return total(_answers(model, params))


def masking(model: Any, pairs: Pairs | None, params: Params) -> Work:
    ranked, asked = total(_answers(model, params, ASIDE)), total(_answers(model, params))
    count = model.cfg.n_layers * model.cfg.n_heads
    numbers = whole_numbers("masked", params["masked"], 0, count)
    # With none masked one draw is enough.
    times = sum(1 + (params["draws"] if number else 1) for number in numbers)
    return ranked + replace(asked * times, cells=None)


def _measured(model: Any, tokens: Tensor) -> Work:
    """Every head's attention on some sequences, as many in a pass as fit."""
    n, length = tokens.shape
    most = min(n, reading.at_once(model, length))
    held = in_pass(model, most, length) + 5 * most * model.cfg.n_heads * length**2 * 4
    return Work(parts_of(n, most), tokens=tokens.numel(), held=held, at_once=most, of="sequences")


def _surprisals(model: Any, tokens: Tensor) -> Work:
    """The loss of every token of some sequences, as many in a pass as fit."""
    n, length = tokens.shape
    most = min(n, loss.at_once(model, length))
    products = tokens.numel() * model.cfg.d_model * model.cfg.d_vocab
    held = in_pass(model, most, length) + 12 * most * length * model.cfg.d_vocab
    return Work(parts_of(n, most), tokens=tokens.numel(), products=products, held=held, at_once=most, of="sequences")


def _answers(model: Any, params: Params, more: int = 0) -> list[Work]:
    """A prompt with a needle each, read, and answered token by token, until the model ends."""
    made = []
    for one in needles.planned(params["lengths"], params["depths"], params["needles"], params["seed"] + more):
        trial = needles.trial(model, *one)
        length, said = len(trial.tokens), min(needles.LONGEST_ANSWER, trial.needle[1] - trial.needle[0])
        held = in_pass(model, 1, length) + kept(model, ("k", "v"), 1, length)
        made.append(Work(1 + said, tokens=length - 1 + said, held=held, at_most=True))
    return made
