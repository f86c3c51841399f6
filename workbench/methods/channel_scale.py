"""What a reader and the answer do as a channel between two heads says α times as much."""

from typing import Any, Literal

import numpy as np
import torch
import xarray as xr

from workbench.channels.act import channel as channel_of
from workbench.channels.evidence import Bench
from workbench.channels.find import on_task
from workbench.channels.weights import Heads, parsed
from workbench.errors import BadInput, at_least
from workbench.methods.method import Method
from workbench.pairs import Pairs
from workbench.result import Curve

TITLE = "A channel scaled"
UNITS = {"logit_diff": "logits", "leaning": "attention", "accuracy": "share of prompts"}


def run(
    model: Any,
    pairs: Pairs,
    *,
    channel: str = "",
    reader: str = "",
    of: Literal["logit_diff", "leaning", "accuracy"] = "logit_diff",
    low: int | float = -3,
    high: int | float = 8,
    steps: int = 12,
    seed: int = 0,
) -> Curve:
    """The answer, or where a reader looks, by the factor α put on what a component of a head writes at END.

    Convention: α 1 changes nothing, 0 takes the component away, below 0 says the opposite. Leaning is the reader's attention
    from END to the right answer less that to the wrong one. Source: Merullo et al. 2024, https://arxiv.org/abs/2406.09519.

    Args:
        model: The model.
        pairs: Prompts that name both answers.
        channel: The component, '7.9.6' for layer 7, head 9, component 6; empty for the one that does most on these prompts.
        reader: The head that is watched, '9.9'; empty for the one it is found with, or that adds most to the answer.
        of: The 'logit_diff', the reader's 'leaning', or the 'accuracy'.
        low: Least α.
        high: Largest α.
        steps: Points between them, both counted, at least 2.
        seed: Of the search's random bases, and of which other component stands beside it.
    Returns:
        Curve over alpha of the component and of another one of the same head, drawn at random, mean ± 1 s.e. over prompts.
    Raises:
        BadInput: When there is no such head or component, α is not finite, or the reader is not later than the writer.
    """
    at_least("steps", steps, 2)
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise BadInput(f"low and high must be finite and low the smaller; got {low} and {high}.")
    heads = Heads(model)
    bench = Bench(heads, pairs)
    bench.check_names()
    place, watched = _chosen(bench, channel, reader, seed)
    layer, head, component = place
    others = [other for other in range(heads.d_head) if other != component]
    other = int(np.random.default_rng(seed).choice(others)) if others else component
    alphas = np.linspace(low, high, steps)
    each = np.stack([_scaled(bench, layer, head, one, alphas, watched, of) for one in (component, other)])
    values = each.mean(-1)
    error = each.std(-1, ddof=1) / np.sqrt(each.shape[-1]) if each.shape[-1] > 1 else np.zeros_like(values)
    names = [f"component {component}", f"component {other}, drawn at random"]

    def labelled(numbers: np.ndarray) -> xr.DataArray:
        return xr.DataArray(numbers, dims=("series", "alpha"), coords={"series": names, "alpha": alphas})

    return Curve(
        f"{TITLE}: {layer}.{head}.{component}",
        UNITS[of],
        labelled(values),
        lower=labelled(values - error),
        upper=labelled(values + error),
        notes={
            "sign": "α 1 is the model as it is, 0 without the component",
            "x": "α, the factor on what the component writes at END",
            "interval": "mean ± 1 s.e. over prompts",
            "channel": f"{layer}.{head}.{component}, read by {heads.name(*watched)}",
        },
    )


def _chosen(bench: Bench, channel: str, reader: str, seed: int) -> tuple[tuple[int, int, int], tuple[int, int]]:
    """The component and the head that is watched; searched for where not given."""
    if not channel:
        found = on_task(bench, readers=3, writers=5, seed=seed).rows[0]
        place, watched = (*found.writer, found.component), found.reader
        return place, bench.reader_after(place[0], reader) if reader else watched
    place = parsed(channel)
    if len(place) != 3:
        raise BadInput(f"channel must name a component, LAYER.HEAD.COMPONENT; got {channel!r}.")
    channel_of(bench.heads, *place)
    return place, bench.reader_after(place[0], reader)


def _scaled(
    bench: Bench, layer: int, head: int, component: int, alphas: np.ndarray, watched: tuple[int, int], of: str
) -> np.ndarray:
    """What is measured, by α and prompt."""
    out = bench.out[layer][head]
    direction = bench.heads.components(layer).writes[head, component].to(out.dtype)
    along = (out @ direction).unsqueeze(-1) * direction
    moved = torch.from_numpy(alphas - 1).to(out).view(-1, 1, 1) * along
    # Norms add up squares in float32: what overflows there would come out as 0, not as an infinity.
    size = float(abs(alphas - 1).max()) * float(along.abs().max())
    most = min(torch.finfo(out.dtype).max, (torch.finfo(torch.float32).max / out.shape[-1]) ** 0.5)
    if size >= most:
        raise BadInput(
            f"low and high must not overflow the stream; at α {alphas[abs(alphas - 1).argmax()]:g} it would hold {size:.2g}, "
            f"and {most:.2g} is the most in {out.dtype}. Use a smaller range."
        )
    there = bench.outcome(layer, moved, [watched])
    found = {"logit_diff": there.answer, "leaning": there.leaning[:, 0], "accuracy": (there.answer > 0).float()}[of]
    return found.double().cpu().numpy()


METHOD = Method("channel_scale", TITLE, "Merullo et al. 2024, arXiv:2406.09519", run, kind="curve")
