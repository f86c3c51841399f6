"""Plans of the methods on channels: of weights alone, or of trials at END."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from workbench.batches import in_pass, kept
from workbench.channels.paths import variants_at_once as through_attention
from workbench.channels.recall import ALPHAS, TRIED
from workbench.channels.trials import variants_at_once
from workbench.channels.weights import checked, parsed
from workbench.errors import BadInput, whole_numbers
from workbench.methods.channel_map import AT_ONCE, AXES
from workbench.methods.list_recall import prompts_of, shortest, spread
from workbench.pairs import Pairs, encode
from workbench.plans.work import Work, parts_of, total
from workbench.tasks.laundry_list import FEWEST, MOST

Params = Mapping[str, Any]

# Products that a singular value decomposition takes, per number cubed; and that a median takes, per number.
DECOMPOSED, SORTED = 40, 100


def composition(model: Any, pairs: Pairs | None, params: Params) -> Work:
    return composed(model, checked(params["slots"]))


def channels(model: Any, pairs: Pairs | None, params: Params) -> Work:
    work = _from_weights(model, params)
    if pairs is not None:
        work += _on_task(Trials(model, pairs), params["readers"], params["writers"])
    return work


def channel_graph(model: Any, pairs: Pairs | None, params: Params) -> Work:
    return _from_weights(model, params) + composed(model, checked(params["slots"]), 0, 1)


def component_pairs(model: Any, pairs: Pairs | None, params: Params) -> Work:
    return _decomposed(model, 1)


def component_tokens(model: Any, pairs: Pairs | None, params: Params) -> Work:
    cfg = model.cfg
    # Tokens nearest to some directions, and to the random ones that tell what chance is, twice each.
    lines = 4 * params["components"] + 128
    numbers = cfg.d_vocab * cfg.d_model
    return _decomposed(model, 1) + Work(products=numbers * (lines + 20), held=4 * (5 * numbers + lines * cfg.d_vocab))


def component_text(model: Any, pairs: Pairs, params: Params) -> Work:
    length = len(encode(model.tokenizer, params["text"])) if params["text"] else int(pairs.lengths[params["prompt"]])
    held = in_pass(model, 1, length)
    return _decomposed(model, 1) + Work(1, tokens=length, held=held)


def channel_scale(model: Any, pairs: Pairs, params: Params) -> Work:
    bench = Trials(model, pairs)
    if params["channel"]:
        work, layer = bench.ready(), parsed(params["channel"])[0]
    else:
        work, layer = _on_task(bench, 3, 5), 0
    # The component, and another one beside it.
    return work + _decomposed(model, 1) + total([bench.variants(params["steps"], layer)] * 2)


def channel_map(model: Any, pairs: Pairs, params: Params) -> Work:
    bench, text, reader = Trials(model, pairs), params["channel"], params["reader"]
    if text:
        places = [parsed(name) for name in text.split("+")]
        work, layer, axes = bench.ready() + _decomposed(model, len(places)), min(place[0] for place in places), len(places)
    else:
        work, layer, axes = _on_task(bench, 3, params["axes"]), 0, params["axes"]
    if not 1 <= axes <= len(AXES):
        raise BadInput(f"axes must be from 1 to {len(AXES)}; got {axes}.")
    whole, left = divmod(params["steps"] ** axes, AT_ONCE)
    # Where no reader is named it may stand in the last layer, which is then the last that is run.
    end = parsed(reader)[0] if reader else None
    grid = [bench.variants(AT_ONCE, layer, end)] * whole + [bench.variants(left, layer, end)] * bool(left)
    return replace(work + total(grid), at_most=work.at_most or end is None, at_once=min(AT_ONCE, bench.most))


def direct_paths(model: Any, pairs: Pairs, params: Params) -> Work:
    bench, cfg, slot = Trials(model, pairs), model.cfg, params["slot"]
    layers, heads, tokens = cfg.n_layers, cfg.n_heads, pairs.clean.numel()
    work = bench.ready()
    if params["reader"]:
        layer = parsed(params["reader"])[0]
    else:
        layer = layers - 1
        work = _on_task(bench, 1, 1) if slot == "v" else work + (bench.variants(1) if slot == "k" else Work())
    # The reader's attention, and where those below it look.
    length = pairs.clean.shape[1]
    seen = kept(model, ("pattern",), len(pairs), length) + heads * tokens * cfg.d_model * 12
    work += Work(2, tokens=tokens / layers + tokens, held=seen + in_pass(model, *pairs.clean.shape), at_most=True)
    work += _decomposed(model, layer + 1)
    if slot == "v":
        variants = layer * heads + params["writers"] * 2 * cfg.d_head
        return work + Work(products=variants * tokens * cfg.d_model)
    most = through_attention(model, len(pairs), length)
    rows = min(most, max(heads, cfg.d_head)) * len(pairs)
    passes = layer * parts_of(heads, most) + 2 * params["writers"] * parts_of(cfg.d_head, most)
    variants = layer * heads + 2 * params["writers"] * cfg.d_head
    held = seen + in_pass(model, rows, length) + cfg.d_head * tokens * cfg.d_model * 8
    through = Work(passes, tokens=variants * tokens / layers, held=held, at_once=min(most, heads), of="heads", cells=variants)
    return replace(work + through, at_once=through.at_once, of="heads")


def list_recall(model: Any, pairs: Pairs | None, params: Params) -> Work:
    numbers, half, order, seed = (
        whole_numbers("objects", params["objects"], FEWEST, MOST), params["prompts"] // 2, params["order"], params["seed"],
    )  # fmt: skip
    if params["channel"]:
        places = [parsed(name) for name in params["channel"].split(",")]
        work, layer, channels = _decomposed(model, len(places)), min(place[0] for place in places), len(places)
    else:
        objects = shortest(numbers)
        choosing, _ = prompts_of(model, objects, spread(objects, half, seed), order, seed)
        work, layer, channels = _on_task(Trials(model, choosing), 3, 5), 0, params["channels"]
    tried = len(ALPHAS) + TRIED[channels] ** channels
    if params["by"] == "objects":
        lists = [(count, spread(count, half, seed)) for count in numbers]
    else:
        lists = [(numbers[-1], [place] * half) for place in range(numbers[-1])]
    for count, where in lists:
        choosing, reporting = (Trials(model, some) for some in prompts_of(model, count, where, order, seed))
        # Chosen for the channels and for random components; reported as it is, scaled and by place.
        work += total([choosing.ready(), choosing.variants(1, layer) * tried] * 2)
        work += total([reporting.ready(), reporting.variants(1), reporting.variants(1, layer) * (2 + 2 * len(set(where)))])
    return work


class Trials:
    """What trials at END take, as a bench makes them."""

    def __init__(self, model: Any, pairs: Pairs):
        self.model, self.pairs = model, pairs
        self.most = variants_at_once(model, *pairs.clean.shape)
        # Prompts whose END is at one place run together.
        self.ends = int(pairs.end.unique().numel())
        cfg, size = model.cfg, pairs.clean.shape
        self.kept = kept(model, ("resid_pre", "z", "q", "q"), *size) + 4 * cfg.n_layers * cfg.n_heads * len(pairs) * cfg.d_model

    def ready(self) -> Work:
        """The clean run, recorded."""
        return Work(1, tokens=self.pairs.clean.numel(), held=self.kept + in_pass(self.model, *self.pairs.clean.shape))

    def variants(self, count: int, layer: int = 0, end: int | None = None) -> Work:
        """So many variants of END on all prompts, from a layer to another, the last where None."""
        layers, batch, cfg = self.model.cfg.n_layers, len(self.pairs), self.model.cfg
        deep = layers if end is None else end + 1
        rows = min(count, self.most) * batch
        before = 8 * rows * self.pairs.clean.shape[1] * (cfg.n_heads * cfg.d_head + 4 * cfg.n_heads)
        return Work(
            parts_of(count, self.most) * self.ends, tokens=count * batch * (deep - layer) / layers, cells=count,
            held=self.kept + before + in_pass(self.model, rows, 1), at_once=min(count, self.most), of="trials",
        )  # fmt: skip


def _on_task(bench: Trials, readers: int, writers: int) -> Work:
    """Readers watched and writers taken apart, at most: which these are, and in which layers, is found on the way."""
    cfg = bench.model.cfg
    watched = min(readers, (cfg.n_layers - 1) * cfg.n_heads)
    whole = [bench.variants(cfg.n_heads, layer) for layer in range(cfg.n_layers - 1)]
    apart = [bench.variants(2 * cfg.d_head), bench.variants(2)] * watched * writers
    found = total([bench.ready(), bench.variants(1), *whole, *apart]) + _decomposed(bench.model, cfg.n_layers)
    return replace(found, at_most=True, at_once=min(bench.most, cfg.n_heads))


def _from_weights(model: Any, params: Params) -> Work:
    """All components against all later readers, with a null of random bases."""
    slots = checked(params["slots"])
    return composed(model, slots, params["rotations"], 1) + composed(model, slots, 0, 2)


def composed(model: Any, slots: tuple[str, ...], rotations: int = 0, sorts: int = 0) -> Work:
    """Every component of every head against every later head through these slots."""
    cfg = model.cfg
    wide, turns = cfg.n_heads * cfg.d_head, max(1, rotations)
    blocks = cfg.n_layers * (cfg.n_layers - 1) // 2 * len(slots) * turns
    scores = wide * cfg.n_heads
    turning = cfg.n_heads * cfg.d_head**2 * (cfg.d_model + 4 * cfg.d_head) if rotations else 0
    products = blocks * (wide * cfg.d_model * wide + turning + sorts * SORTED * scores)
    held = 4 * (3 * wide**2 + 12 * scores * (1 + sorts)) + 8 * len(slots) * (cfg.n_layers * cfg.n_heads) ** 2
    return _decomposed(model, cfg.n_layers) + Work(products=products, held=held)


def _decomposed(model: Any, layers: int) -> Work:
    """The singular components of all heads of some layers."""
    cfg = model.cfg
    each = cfg.d_head**2 * (8 * cfg.d_model + DECOMPOSED * cfg.d_head)
    return Work(products=layers * cfg.n_heads * each, held=4 * (2 * layers + 6) * cfg.n_heads * cfg.d_head * cfg.d_model)
