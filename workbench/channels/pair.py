"""One pair of heads: how the later reads each component of the earlier, what each does on a task, and what follows as one of
them says more or less. Effects are at END, and so of reads through queries; keys and values are read where others stand.
"""

from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from jaxtyping import Bool, Float, Int

from workbench.channels.act import channel
from workbench.channels.composition import pair_block, robust
from workbench.channels.evidence import Bench
from workbench.channels.weights import Heads
from workbench.errors import BadInput, one_of
from workbench.result import Curve, Origin, Scores

Head = tuple[int, int]
# Factors on what a component says; all are computed at once.
ALPHAS = tuple(step / 2 for step in range(-6, 17))
SAME = 1.0


def check_pair(heads: Heads, writer: Head, reader: Head) -> None:
    """Raise BadInput unless there are such heads, the reader in the later layer."""
    for head in (writer, reader):
        heads.check(*head)
    if reader[0] <= writer[0]:
        raise BadInput(
            f"the reader must be in a later layer than the writer {heads.name(*writer)}; got {heads.name(*reader)}. "
            "Choose another pair."
        )


def component_scores(heads: Heads, slot: str, writer: Head, reader: Head) -> Scores:
    """How far one head's components are read by another, from the weights.

    Args:
        heads: The heads of the model.
        slot: What the reader reads through: q, k or v.
        writer: Layer and head.
        reader: Layer and head.
    Returns:
        Scores over component, strongest first as the head writes them, with robust deviations and shares of strength beside.
    Raises:
        BadInput: When there are no such heads.
    """
    check_pair(heads, writer, reader)
    scores = pair_block(heads, slot, writer[0], reader[0]).scores
    at = (writer[1], slice(None), reader[1])
    beside = {"robust deviation": robust(scores)[at], "share of strength": heads.components(writer[0]).share[writer[1]]}
    coords = {"component": np.arange(heads.d_head)}
    coords |= {name: ("component", column.double().cpu().numpy()) for name, column in beside.items()}
    return Scores(
        f"Components of {heads.name(*writer)} as {heads.name(*reader)} reads them ({slot})",
        "composition score",
        xr.DataArray(scores[at].double().cpu().numpy(), dims=("component",), coords=coords),
        notes={"range": "positive", "sign": "0 is not read, 1 is all that the reader reads"},
    )


def component_effects(bench: Bench, writer: Head, reader: Head) -> Scores:
    """How much a reader's leaning falls as one component after the other of a writer is taken away at END.

    Args:
        bench: The model on a task.
        writer: Layer and head.
        reader: Layer and head.
    Returns:
        Scores over (component, prompt), in shares of attention.
    Raises:
        BadInput: When there are no such heads, or the prompts do not name both answers.
    """
    bench.check_names()
    check_pair(bench.heads, writer, reader)
    layer, head = writer
    out, directions = bench.out[layer][head], bench.heads.components(layer).writes[head]
    parts = (out.float() @ directions.mT).T.unsqueeze(-1) * directions.unsqueeze(1)
    leaning = bench.base([reader]).leaning[:, 0]
    falls = leaning - bench.outcome(layer, -parts.to(out.dtype), [reader], answers=False).leaning[:, 0]
    coords = {"component": np.arange(len(parts))}
    return effects(reader, xr.DataArray(falls.double().cpu().numpy(), dims=("component", "prompt"), coords=coords))


def effects(reader: Head, falls: xr.DataArray) -> Scores:
    """Falls of a reader's leaning, over component and perhaps prompt, as a Result."""
    title = f"Leaning of {reader[0]}.{reader[1]} lost without a component"
    return Scores(title, "attention", falls, notes={"sign": "+ pushes the reader from the wrong answer to the right one"})


@dataclass(frozen=True, eq=False)
class Scaled:
    """What follows as a component says α times as much at END, for all α of `ALPHAS`.

    Attributes:
        channel: The component's name, '7.9.6'.
        reader: The reader's name, '9.1'.
        answer: Logit difference.
        attention: Of the reader from END, by position.
        items: Logits of the things the prompt chooses among.
        names: Those things as text, by prompt.
        right: Which of them is the right answer.
        on_right, on_wrong: Where the prompts hold the right and the wrong answer.
        tokens: The prompts' tokens up to END.
        origin: Where it comes from.
    """

    channel: str
    reader: str
    answer: Float[np.ndarray, "alpha prompt"]
    attention: Float[np.ndarray, "alpha prompt pos"]
    items: Float[np.ndarray, "alpha prompt item"]
    names: list[list[str]]
    right: Int[np.ndarray, "prompt"]
    on_right: Bool[np.ndarray, "prompt pos"]
    on_wrong: Bool[np.ndarray, "prompt pos"]
    tokens: list[list[str]]
    origin: Origin | None = None

    def looks(self, alpha: int | float, prompt: int) -> Scores:
        """Where the reader looks from END on one prompt, as the model is and at an α."""
        words = self.tokens[prompt]
        values = self.attention[self._rows(alpha), prompt, : len(words)]
        coords = {"α": _named(alpha), "token": ("looked at", words), "looked at": np.arange(len(words))}
        return Scores(
            f"Where {self.reader} looks from END: prompt {prompt + 1}",
            "share of attention",
            xr.DataArray(values, dims=("α", "looked at"), coords=coords),
            notes={"range": "positive"},
            origin=self.origin,
        )

    def logits(self, alpha: int | float, prompt: int) -> Scores:
        """The answers' logits on one prompt, as the model is and at an α."""
        names = [f"{name} (right)" if at == self.right[prompt] else name for at, name in enumerate(self.names[prompt])]
        coords = {"α": _named(alpha), "token": ("answer", names)}
        return Scores(
            f"Logits: prompt {prompt + 1}",
            "logits",
            xr.DataArray(self.items[self._rows(alpha), prompt], dims=("α", "answer"), coords=coords),
            origin=self.origin,
        )

    def answers(self) -> Curve:
        """The logit difference over α."""
        return self._curve(f"The answer by α of {self.channel}", "logits", {"logit difference": self.answer}, "+ is right")

    def leaning(self) -> Curve:
        """The reader's attention on the answers, and how far it leans, over α."""
        right, wrong = self._on(self.on_right), self._on(self.on_wrong)
        series = {"leaning": right - wrong, "on right": right, "on wrong": wrong}
        return self._curve(
            f"Attention of {self.reader} by α of {self.channel}", "attention", series, "leaning is right less wrong"
        )

    def said(self, alpha: int | float) -> dict[str, float]:
        """Means over prompts at an α."""
        at = _place(alpha)
        right, wrong = (float(self._on(where)[at].mean()) for where in (self.on_right, self.on_wrong))
        answer = self.answer[at]
        return {
            "logit difference": float(answer.mean()), "accuracy": float((answer > 0).mean()), "on right": right,
            "on wrong": wrong, "leaning": right - wrong,
        }  # fmt: skip

    def _on(self, where: Bool[np.ndarray, "prompt pos"]) -> Float[np.ndarray, "alpha prompt"]:
        return (self.attention * where).sum(-1)

    def _curve(self, title: str, unit: str, series: dict[str, Float[np.ndarray, "alpha prompt"]], sign: str) -> Curve:
        each = np.stack(list(series.values()))
        values = each.mean(-1)
        error = each.std(-1, ddof=1) / np.sqrt(each.shape[-1]) if each.shape[-1] > 1 else np.zeros_like(values)

        def labelled(numbers: np.ndarray) -> xr.DataArray:
            return xr.DataArray(numbers, dims=("series", "alpha"), coords={"series": list(series), "alpha": list(ALPHAS)})

        notes = {"sign": f"{sign}; α 1 is the model as it is, 0 without the component", "x": "α, the factor on the component"}
        notes["interval"] = "mean ± 1 s.e. over prompts"
        band = {"lower": labelled(values - error), "upper": labelled(values + error)}
        return Curve(title, unit, labelled(values), **band, notes=notes, origin=self.origin)

    def _rows(self, alpha: int | float) -> list[int]:
        """The places of the model as it is, and of an α that is another."""
        return [_place(one) for one in dict.fromkeys((SAME, float(alpha)))]


def scaled(bench: Bench, writer: Head, reader: Head, component: int) -> Scaled:
    """What follows for all α, of one component of a writer.

    Raises:
        BadInput: When there is no such head or component, or the prompts do not name both answers.
    """
    bench.check_names()
    check_pair(bench.heads, writer, reader)
    what = channel(bench.heads, *writer, component)
    out = bench.out[writer[0]][writer[1]]
    direction = what.directions[0].to(out.dtype)
    along = (out @ direction).unsqueeze(-1) * direction
    factors = torch.tensor(ALPHAS, device=out.device, dtype=out.dtype) - 1
    there = bench.outcome(writer[0], factors.view(-1, 1, 1) * along, [reader])
    items, strings, ends = bench.items, bench.pairs.clean_strings, bench.pairs.end.tolist()
    first = items.first.tolist()
    return Scaled(
        channel=what.label,
        reader=bench.heads.name(*reader),
        answer=there.answer.double().cpu().numpy(),
        attention=there.attention[:, 0].double().cpu().numpy(),
        items=there.items.double().cpu().numpy(),
        names=[[words[at] for at in places] for words, places in zip(strings, first, strict=True)],
        right=items.right.cpu().numpy(),
        on_right=bench.right.cpu().numpy(),
        on_wrong=bench.wrong.cpu().numpy(),
        tokens=[list(words[: end + 1]) for words, end in zip(strings, ends, strict=True)],
    )


def _place(alpha: int | float) -> int:
    one_of("alpha", float(alpha), ALPHAS)
    return ALPHAS.index(float(alpha))


def _named(alpha: int | float) -> list[str]:
    return ["1, as it is", *([] if alpha == SAME else [f"{alpha:g}"])]
