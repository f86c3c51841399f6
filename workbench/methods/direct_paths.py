"""What earlier heads, and single components of them, say to one head through its queries, keys or values alone."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float, Int
from torch import Tensor

from workbench import progress
from workbench.channels.composition import pair_block, robust, turned
from workbench.channels.evidence import Bench
from workbench.channels.find import on_task
from workbench.channels.paths import KINDS, Into, kinds, taken_apart, written
from workbench.channels.weights import Heads, Slot
from workbench.errors import BadInput, at_least, within
from workbench.hooks import read
from workbench.methods.method import Method
from workbench.pairs import Pairs
from workbench.result import Scores
from workbench.sites import Site

TITLE = "Direct paths into a head"


def run(
    model: Any,
    pairs: Pairs,
    *,
    reader: str = "",
    slot: Slot = "v",
    component: int | None = None,
    writers: int = 6,
    seed: int = 0,
) -> Scores:
    """What earlier heads say to a head's queries, keys or values alone, and through which of their components.

    Convention: what a head wrote is taken out of one slot of the reader, norms held as they were; all else stays. Through v
    the effect is the share of what the reader says along a component at END: the shares of all heads, MLPs and the input add
    up to 1, bias aside; + is the way it goes on that prompt. Through q and k it is the fall of the reader's leaning, its
    attention from END to the right answer less that to the wrong one, where that is named. Beside each writer stands where it
    looks from the place at which it is heard (v: most; k: where the right answer is named; q: END): at the token before, at
    earlier copies of the token, at what followed those, at itself. Source: Elhage et al. 2021,
    https://transformer-circuits.pub/2021/framework (paths); Merullo et al. 2024, https://arxiv.org/abs/2406.09519
    (components).

    Args:
        model: The model.
        pairs: Prompts that name the right answer, and for v without a reader the wrong one too.
        reader: The head that reads, '7.9'; empty for the strongest inhibitor (v), the head that adds most to the answer (q), or
            the head that leans most to the right answer (k).
        slot: What it reads through: 'q', 'k' or 'v'.
        component: For v, the reader's component; None for the one that inhibits, or, of a reader that was given, the one that
            says most at END.
        writers: How many writers are taken apart.
        seed: Of the random bases.
    Returns:
        Scores over channel, the best component of each of the strongest writers that help, with the whole head's effect, the
        component's share of it, the best share of a random basis, the robust deviation of its composition score, and the
        kinds of attention; the parts heads (layer, head), components (row, component), composition (row, component), and
        kinds (kind, layer, head).
        kinds (kind, layer, head).
    Raises:
        BadInput: When there is no such head or component, the reader is in the first layer, or the prompts do not name
            what is asked of them.
    """
    at_least("writers", writers, 1)
    heads = Heads(model)
    bench = Bench(heads, pairs)
    # Who inhibits is told by both answers; where a reader looks, by the right one alone.
    bench.check_names(wrong=slot == "v" and not reader)
    layer, head, chosen = _reader(bench, reader, slot, component, seed)
    if not layer:
        raise BadInput(f"reader must have heads before it; {heads.name(layer, head)} is in the first layer.")
    heard = _Heard(Into(bench, layer, head, slot), chosen)
    effects = np.full((heads.n_layers, heads.n_heads), np.nan)
    looks = np.full((len(KINDS), heads.n_layers, heads.n_heads), np.nan)
    _, patterns = read(model, bench.run.tokens, bench.end, [Site("pattern", below) for below in range(layer)])
    for below in progress.track(range(layer), "direct paths: heads"):
        wrote = written(bench, below)
        effects[below] = heard.effect(wrote).mean(-1).cpu().numpy()
        looks[:, below] = _kinds(heard, patterns[Site("pattern", below)].float(), wrote)
    # A share of what goes the other way would mean nothing.
    order = [index for index in np.argsort(-np.nan_to_num(effects, nan=-np.inf).ravel()) if effects.flat[index] > 0]
    places = [divmod(int(index), heads.n_heads) for index in order[:writers]]
    if not places:
        raise BadInput(
            f"direct paths must hold one that helps {heads.name(layer, head)}; none does. Use another reader or slot."
        )
    each = progress.track(places, "direct paths: components")
    rows = [_taken_apart(heard, *place, float(effects[place]), seed) for place in each]
    return _result(heads, heard, effects, looks, rows)


@dataclass(frozen=True, eq=False)
class _Heard:
    """A reader, and what is measured of it: for v, the component along which it says something."""

    into: Into
    component: int | None

    @property
    def direction(self) -> Tensor:
        """The component's direction, the way it goes on each prompt."""
        return self.into.bench.heads.components(self.into.layer).writes[self.into.head, self.component]

    @property
    def said(self) -> Float[Tensor, "batch"]:
        """What the reader says along it."""
        return self.into.bench.out[self.into.layer, self.into.head].float() @ self.direction

    def effect(self, wrote: Float[Tensor, "variant batch pos d_model"]) -> Float[Tensor, "variant batch"]:
        """The effect of each of these on every prompt."""
        bench = self.into.bench
        if self.component is not None:
            # Over the mean size, not each prompt's own: a prompt on which hardly anything is said would outweigh the others.
            return self.into.said(wrote, self.direction) * self.said.sign() / self.said.abs().mean()
        sides = bench.right.float() - bench.wrong.float()
        return ((self.into.attention - self.into.attention_without(wrote)) * sides).sum(-1)

    def where(self, wrote: Float[Tensor, "head batch pos d_model"]) -> Int[Tensor, "head batch"]:
        """The position at which each head is heard."""
        bench = self.into.bench
        if self.component is not None:
            return (wrote * self.into.hears(self.direction)).sum(-1).abs().argmax(-1)
        at = bench.end if self.into.slot == "q" else bench.right.int().argmax(1)
        return at.expand(len(wrote), -1)


def _reader(bench: Bench, reader: str, slot: str, component: int | None, seed: int) -> tuple[int, int, int | None]:
    """Layer, head, and for v the component."""
    heads = bench.heads
    if component is not None:
        within("component", component, 0, heads.d_head)
    if reader:
        place = heads.named("reader", reader)
        if slot == "v" and component is None:
            said = bench.out[place].float() @ heads.components(place[0]).writes[place[1]].mT
            component = int(said.abs().mean(0).argmax())
    elif slot == "v":
        found = on_task(bench, 1, 1, seed).rows[0]
        place, component = found.writer, found.component if component is None else component
    else:
        numbers = bench.direct.mean(-1) if slot == "q" else _leanings(bench)
        layer, head = divmod(int(numbers[1:].argmax()), heads.n_heads)
        place = layer + 1, head
    return place[0], place[1], component if slot == "v" else None


def _leanings(bench: Bench) -> Float[Tensor, "layer head"]:
    """The leaning of every head, mean over prompts."""
    heads = bench.heads
    every = [(layer, head) for layer in range(heads.n_layers) for head in range(heads.n_heads)]
    return bench.base(every).leaning[0].mean(-1).view(heads.n_layers, heads.n_heads)


def _kinds(heard: _Heard, pattern: Tensor, wrote: Tensor) -> np.ndarray:
    """Where the heads of a layer look from where they are heard."""
    bench, where = heard.into.bench, heard.where(wrote)
    each = [kinds(bench.run.tokens, pattern[:, head : head + 1], where[head])[:, 0] for head in range(len(wrote))]
    return torch.stack(each, 1).double().cpu().numpy()


@dataclass(frozen=True, eq=False)
class _Row:
    """A writer, and what its components say to the reader.

    Attributes:
        layer, head: The writer.
        whole: Its effect.
        effects: By component.
        random: The largest of a randomly turned basis.
        scores: Composition scores of its components.
        deviations: Their robust deviations.
    """

    layer: int
    head: int
    whole: float
    effects: Float[np.ndarray, "component"]
    random: float
    scores: Float[np.ndarray, "component"]
    deviations: Float[np.ndarray, "component"]

    @property
    def best(self) -> int:
        """The component that does most."""
        return int(self.effects.argmax())


def _taken_apart(heard: _Heard, layer: int, head: int, whole: float, seed: int) -> _Row:
    """What each component of a writer does, and what the weights say of it."""
    into, heads = heard.into, heard.into.bench.heads
    wrote, directions = written(into.bench, layer)[head], heads.components(layer).writes[head]
    drawn = turned(directions.unsqueeze(0), seed)[0]
    mine, random = (heard.effect(taken_apart(wrote, basis)).mean(-1).double().cpu().numpy() for basis in (directions, drawn))
    scores = pair_block(heads, into.slot, layer, into.layer).scores
    known, deviations = (one[head, :, into.head].double().cpu().numpy() for one in (scores, robust(scores)))
    return _Row(layer, head, whole, mine, float(random.max()), known, deviations)


def _result(heads: Heads, heard: _Heard, effects: np.ndarray, looks: np.ndarray, rows: list[_Row]) -> Scores:
    into, component = heard.into, heard.component
    told = heads.name(into.layer, into.head)
    names = [f"{heads.name(row.layer, row.head, row.best)} -> {told} {into.slot}" for row in rows]
    beside = {
        "head": [row.whole for row in rows],
        "share": [float(row.effects[row.best]) / row.whole for row in rows],
        "random share": [row.random / row.whole for row in rows],
        "deviation": [float(row.deviations[row.best]) for row in rows],
    } | {kind: [float(looks[index, row.layer, row.head]) for row in rows] for index, kind in enumerate(KINDS)}
    coords: dict[str, Any] = {"channel": names} | {name: ("channel", column) for name, column in beside.items()}
    grid = {"layer": np.arange(heads.n_layers), "head": np.arange(heads.n_heads)}
    each = {"row": names, "component": np.arange(heads.d_head)}
    parts = {
        "heads": xr.DataArray(effects, dims=("layer", "head"), coords=grid),
        "components": xr.DataArray(np.stack([row.effects for row in rows]), dims=("row", "component"), coords=each),
        "composition": xr.DataArray(np.stack([row.scores for row in rows]), dims=("row", "component"), coords=each),
        "kinds": xr.DataArray(looks, dims=("kind", "layer", "head"), coords={"kind": list(KINDS), **grid}),
    }
    sign = "+ turns the reader to the right answer"
    unit, effect, reader = "attention", "fall of leaning", f"{told} through {into.slot}"
    if component is not None:
        sign = "+ is the way the reader goes on that prompt; all that is written adds up to 1"
        unit = effect = "share of the coordinate"
        reader += f", along its component {component}"
    values = xr.DataArray([row.effects[row.best] for row in rows], dims=("channel",), coords=coords)
    notes = {"sign": sign, "reader": reader, "effect": effect}
    return Scores(f"{TITLE}: {told} {into.slot}", unit, values, parts=parts, notes=notes)


METHOD = Method("direct_paths", TITLE, "Elhage et al. 2021; Merullo et al. 2024, arXiv:2406.09519", run)
