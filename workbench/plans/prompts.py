"""Plans of the methods that read or patch activations on prompts."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from workbench.batches import in_gradient, in_pass, kept, prompts_at_once
from workbench.effects import OF_SEVERAL, plan
from workbench.methods.cdt import heads_at_once
from workbench.pairs import Pairs
from workbench.plans.work import Work, parts_of
from workbench.qk import CORRECTED
from workbench.sweep import bytes_of, cells_of, first_difference, planned

Params = Mapping[str, Any]


def baseline(model: Any, pairs: Pairs, params: Params) -> Work:
    return _read(model, pairs, 2)


def patch(model: Any, pairs: Pairs, params: Params) -> Work:
    names = ("sites", "by", "positions", "metric", "direction", "replacement", "normalise", "seed")
    asked = plan(model, pairs, **{name: params[name] for name in names})
    same_before = first_difference(pairs) if asked.replacement == "other" else first_difference(pairs) * 0
    layers, tokens, cells, passes = model.cfg.n_layers, 2.0 * pairs.clean.numel(), 0, 2
    most, at_once = pairs.clean.numel(), 0
    for site in asked.sites:
        wanted = cells_of(model, site, asked.by, asked.slots)
        cells += len(wanted)
        for layer, size, together in planned(model, asked.base, asked.end, site, wanted, asked.slots, same_before):
            passes += 1
            tokens += size * (layers - layer) / layers
            most, at_once = max(most, size), max(at_once, together)
    held = bytes_of(model, asked.base, most)
    return Work(passes, tokens=tokens, cells=cells, held=held, at_once=at_once or None, of="cells")


def attributed(model: Any, pairs: Pairs, params: Params) -> Work:
    """Of `atp` and `relp`."""
    work = _attributed(model, pairs, _names(params["sites"]), together=params["replacement"] in OF_SEVERAL)
    return work + _attributed(model, pairs, CORRECTED) if params.get("qk_correction") else work


def atp_star(model: Any, pairs: Pairs, params: Params) -> Work:
    names = _names(params["sites"])
    corrected = params["qk_correction"] and {"q", "k"} & {*names}
    work = _attributed(model, pairs, (*names, *(CORRECTED if corrected else ())))
    passes = 1 + (model.cfg.n_layers if params["graddrop"] else 0)
    return replace(work, backwards=passes * work.backwards, back=passes * work.back)


def dla(model: Any, pairs: Pairs, params: Params) -> Work:
    return _read(model, pairs, 2 if params["of"] == "difference" else 1, ("z", "attn_out", "mlp_out"))


def lens(model: Any, pairs: Pairs, params: Params) -> Work:
    length, cfg = _length(pairs, params), model.cfg
    rows = (cfg.n_layers + 1) * length
    # Every cell's logits, their logarithms, and what is made of these.
    held = kept(model, ("resid_pre",), 1, length) + 16 * rows * cfg.d_vocab
    return Work(1, tokens=length, products=rows * cfg.d_model * cfg.d_vocab, held=held)


def lens_by_layer(model: Any, pairs: Pairs, params: Params) -> Work:
    cfg = model.cfg
    products = 2.0 * (cfg.n_layers + 1) * len(pairs) * cfg.d_model * cfg.d_vocab
    return _read(model, pairs, 2, ("resid_pre",)) + Work(products=products)


def stream(model: Any, pairs: Pairs, params: Params) -> Work:
    rows, length = 1 + (params["of"] == "difference"), _length(pairs, params)
    held = kept(model, ("resid_pre",) * 8, rows, length) + in_pass(model, rows, length)
    return Work(1, tokens=rows * length, held=held)


def trajectories(model: Any, pairs: Pairs, params: Params) -> Work:
    if params["points"] == "tokens":
        rows = length = _length(pairs, params)
        reading = Work(1, tokens=length, held=kept(model, ("resid_pre",), 1, length) + in_pass(model, 1, length))
    else:
        rows, reading = len(pairs), _read(model, pairs, 1, ("resid_pre",))
    points = (model.cfg.n_layers + 1) * rows
    products = 8.0 * points * model.cfg.d_model * min(points, model.cfg.d_model)
    return reading + Work(products=products, held=reading.held + 6 * points * model.cfg.d_model * 8)


def cdt(model: Any, pairs: Pairs, params: Params) -> Work:
    layers, heads, tokens = model.cfg.n_layers, model.cfg.n_heads, pairs.clean.numel()
    most = min(heads, heads_at_once(model, pairs))
    # The clean run, the check that all that enters comes out, and the reference's.
    once = 3 if params["reference"] == "mean" else 2
    split = sum(heads * tokens * (layers - layer) / layers for layer in range(layers))
    names = ("resid_pre",) * 8 + ("z",) * 7
    mlp = 3 * tokens * layers * (model.cfg.d_mlp or 0) * 4
    held = kept(model, names, *pairs.clean.shape) + mlp + 2 * in_pass(model, most * len(pairs), pairs.clean.shape[1])
    passes = once + layers * parts_of(heads, most)
    return Work(passes, tokens=once * tokens + split, cells=layers * heads, held=held, at_once=most, of="heads")


def codes(model: Any, pairs: Pairs, params: Params) -> Work:
    cfg, features = model.cfg, params["n_features"]
    examples = 2 * len(pairs) * cfg.n_layers * cfg.n_heads
    # Forward and backward, each of a product there and one back.
    products = 6.0 * params["epochs"] * examples * features * cfg.d_head
    held = 4 * examples * (6 * features + 8 * cfg.d_head)
    return _read(model, pairs, 2, ("z",)) + Work(products=products, held=held)


def attention(model: Any, pairs: Pairs | None, params: Params) -> Work:
    from workbench.methods.attention import chosen

    tokens, _ = chosen(model, pairs, params["text"], params["prompt"], params["of"])
    cfg, layer = model.cfg, params["layer"]
    layers = cfg.n_layers if layer is None else layer + 1
    shown = (cfg.n_layers if layer is None else 1) * (cfg.n_heads if params["head"] is None else 1)
    held = in_pass(model, 1, len(tokens)) + (2 * shown + 6 * cfg.n_heads) * len(tokens) ** 2 * 8
    return Work(1, tokens=len(tokens) * layers / cfg.n_layers, held=held)


def _read(model: Any, pairs: Pairs, passes: int, sites: tuple[str, ...] = ()) -> Work:
    """Passes over all prompts, with these sites kept of those that go together."""
    tokens = passes * pairs.clean.numel()
    most, length = prompts_at_once(model, pairs, sites), pairs.clean.shape[1]
    held = kept(model, sites, most, length) + in_pass(model, most, length)
    passes = passes * parts_of(len(pairs), most)
    return Work(passes, tokens=tokens, held=held, at_once=most, of="prompts")


def _attributed(model: Any, pairs: Pairs, sites: tuple[str, ...], together: bool = False) -> Work:
    """The other run, and the base run with its gradient; or the other runs of all prompts before, kept `together`."""
    most, tokens = prompts_at_once(model, pairs, sites, gradient=True), pairs.clean.numel()
    parts = parts_of(len(pairs), most)
    held = in_gradient(model, most, pairs.clean.shape[1]) + 5 * kept(model, sites, most, pairs.clean.shape[1])
    others = parts
    if together:
        others = parts_of(len(pairs), prompts_at_once(model, pairs, sites))
        held += 2 * kept(model, sites, *pairs.clean.shape)
    return Work(parts + others, parts, 2 * tokens, tokens, held=held, at_once=most, of="prompts")


def _names(sites: str | tuple[str, ...]) -> tuple[str, ...]:
    return (sites,) if isinstance(sites, str) else tuple(sites)


def _length(pairs: Pairs, params: Params) -> int:
    from workbench.errors import within

    within("prompt", params["prompt"], 0, len(pairs))
    return int(pairs.lengths[params["prompt"]])
