"""The few channels that matter on a task, with no head named by hand: readers that move the answer, heads that push them, and
the component through which they do."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.stats import false_discovery_control, ttest_1samp

from workbench import progress
from workbench.channels.composition import turned
from workbench.channels.evidence import Bench
from workbench.errors import BadInput

# A writer counts at this rate of chance findings among all that were tried.
RATE = 0.05


@dataclass(frozen=True, eq=False)
class Row:
    """A writer, a reader, and what the writer's best component does to where the reader looks from END.

    Attributes:
        writer, reader: Layer and head.
        component: The component whose removal makes the reader's leaning fall most.
        whole: The fall when all that the writer writes at END is taken away.
        falls: The fall by component, [component].
        alone: The share of the whole that is left when all but the best component is gone.
        by_chance: The largest share of a direction of a randomly turned basis.
        answer: How much the logit difference falls without the best component.
        said_right_first, said_wrong_first: Its coordinate where the right, or the wrong, answer is named first; NaN for none.
    """

    writer: tuple[int, int]
    reader: tuple[int, int]
    component: int
    whole: float
    falls: Float[np.ndarray, "component"]
    alone: float
    by_chance: float
    answer: float
    said_right_first: float
    said_wrong_first: float

    @property
    def name(self) -> str:
        """'7.9.6 -> 9.9 q'."""
        return f"{self.writer[0]}.{self.writer[1]}.{self.component} -> {self.reader[0]}.{self.reader[1]} q"

    @property
    def inhibition(self) -> float:
        """The fall without the best component."""
        return float(self.falls[self.component])

    @property
    def share(self) -> float:
        """Of the whole head's."""
        return self.inhibition / self.whole

    @property
    def next_share(self) -> float:
        """That of the next best component."""
        return float(np.sort(self.falls)[-2]) / self.whole if len(self.falls) > 1 else 0.0


@dataclass(frozen=True, eq=False)
class Told:
    """What a task tells of a model's heads.

    Attributes:
        rows: The channels, strongest first.
        readers: The heads that were watched.
        inhibition: By reader and earlier head, the fall of the reader's leaning without that head at END; NaN if not earlier.
    """

    rows: list[Row]
    readers: list[tuple[int, int]]
    inhibition: Float[np.ndarray, "reader layer head batch"]


def on_task(bench: Bench, readers: int, writers: int, seed: int) -> Told:
    """Watch the heads that add most to the answer by themselves, and take apart the heads that push them to it.

    Raises:
        BadInput: When the prompts do not name both answers, or nothing pushes.
    """
    bench.check_names()
    heads = bench.heads
    watched = moving(bench, readers)
    leaning = bench.base(watched).leaning[0].double().cpu().numpy()
    whole = whole_heads(bench, watched, leaning)
    counts = _counting(whole)
    rows: list[Row] = []
    for at in progress.track(range(len(watched)), "channels: readers"):
        mean = whole[at].mean(-1)
        clear = np.where(counts[at] & (mean > 0), mean, -np.inf).ravel()
        for index in np.argsort(-clear, kind="stable")[:writers]:
            if np.isfinite(clear[index]):
                writer = divmod(int(index), heads.n_heads)
                rows.append(_taken_apart(bench, watched[at], writer, float(mean[writer]), leaning[at], seed))
    if not rows:
        raise BadInput(
            f"channels must find a head that pushes a reader to the right answer; on {bench.pairs.task} nothing does, at "
            f"{', '.join(heads.name(*reader) for reader in watched)}. Use another task, or no pairs for the weights alone."
        )
    return Told(sorted(rows, key=lambda row: -row.inhibition), watched, whole)


def _counting(whole: Float[np.ndarray, "reader layer head prompt"]) -> Bool[np.ndarray, "reader layer head"]:
    """The heads whose effect is above 0 by more than chance, corrected for all heads and readers tried; all of one prompt.

    Source: Student's t over prompts; Benjamini and Hochberg 1995.
    """
    tried = np.isfinite(whole[..., 0])
    if whole.shape[-1] == 1:
        return tried
    made = np.zeros(tried.shape, bool)
    p = ttest_1samp(whole[tried], 0, axis=-1, alternative="greater").pvalue
    # A head that changes nothing on any prompt has no t.
    made[tried] = false_discovery_control(np.where(np.isfinite(p), p, 1.0)) <= RATE
    return made


def moving(bench: Bench, readers: int) -> list[tuple[int, int]]:
    """The heads, after the first layer, that add most to the logit difference by themselves."""
    direct = bench.direct[1:].mean(-1).double().cpu().numpy().ravel()
    order = np.argsort(-direct, kind="stable")[:readers] + bench.heads.n_heads
    return sorted(divmod(int(index), bench.heads.n_heads) for index in order)


def whole_heads(bench: Bench, watched: list[tuple[int, int]], leaning: np.ndarray) -> np.ndarray:
    """Inhibition of every head on every reader."""
    heads = bench.heads
    made = np.full((len(watched), heads.n_layers, heads.n_heads, len(bench.pairs)), np.nan)
    for layer in progress.track(range(max(at for at, _ in watched)), "channels: heads"):
        later = [place for place, reader in enumerate(watched) if reader[0] > layer]
        there = bench.outcome(layer, -bench.out[layer], [watched[place] for place in later], answers=False)
        for row, place in enumerate(later):
            made[place, layer] = leaning[place] - there.leaning[:, row].double().cpu().numpy()
    return made


def _taken_apart(
    bench: Bench, reader: tuple[int, int], writer: tuple[int, int], whole: float, leaning: np.ndarray, seed: int
) -> Row:
    """What each component of a writer does to a reader: removed, alone, and against components drawn at random."""
    layer, head = writer
    out = bench.out[layer][head]
    directions = bench.heads.components(layer).writes[head]
    said = out.float() @ directions.mT
    parts = said.T.unsqueeze(-1) * directions.unsqueeze(1)
    random = turned(directions.unsqueeze(0), seed)[0]
    drawn = (out.float() @ random.mT).T.unsqueeze(-1) * random.unsqueeze(1)
    there = bench.outcome(layer, torch.cat([-parts, -drawn]).to(out.dtype), [reader], answers=False)
    falls = (leaning - there.leaning[:, 0].double().cpu().numpy()).mean(-1)
    count = len(directions)
    best = int(falls[:count].argmax())
    first = bench.right_first
    one = parts[best]
    there = bench.outcome(layer, torch.stack([-one, one - out]).to(out.dtype), [reader])
    alone = float((leaning - there.leaning[1, 0].double().cpu().numpy()).mean())
    return Row(
        writer=writer,
        reader=reader,
        component=best,
        whole=whole,
        falls=falls[:count],
        alone=1 - alone / whole,
        by_chance=float(falls[count:].max()) / whole,
        answer=float((bench.answer - there.answer[0]).mean()),
        said_right_first=float(said[first, best].mean()),
        said_wrong_first=float(said[~first, best].mean()),
    )
