"""How far a model has an induction circuit: two heads, what joins them, and what they save."""

from typing import Any

import numpy as np
import xarray as xr

from workbench.channels.weights import Heads
from workbench.detectors.induction import circuits, strongest
from workbench.errors import BadInput, at_least
from workbench.methods.method import Method
from workbench.pairs import Pairs
from workbench.result import Scores

TITLE = "Induction circuit"


def run(
    model: Any,
    pairs: Pairs | None = None,
    *,
    examples: int = 10,
    length: int = 25,
    copies: int = 4,
    previous: str = "",
    reader: str = "",
    seed: int = 0,
) -> Scores:
    """Four shares that tell an induction circuit, on random tokens that repeat.

    Convention: 'previous token' is the attention of the one head to the token before, 'prefix matching' that of the other to
    what followed earlier copies of its token, 'K-composition' |W_OV W_K| / (|W_OV| |W_K|) of the two, and 'loss on copies'
    the loss on tokens that come again over that on them when they come first: 1 learns nothing from the copy; the
    least is a little above 0, as nothing tells the first token of the second copy.
    To follow a circuit over the checkpoints of a run, name its heads. Source: Olsson et al. 2022,
    https://arxiv.org/abs/2209.11895; Elhage et al. 2021, https://transformer-circuits.pub/2021/framework.

    Args:
        model: The model.
        pairs: Not used: the sequences are made here.
        examples: Sequences, at least 2.
        length: Random tokens that repeat.
        copies: How often they come, at least 2.
        previous: The head that looks at the token before, '0.3'; empty for the one before the reader that does it most.
        reader: The induction head, '1.2'; empty for the one with the most prefix matching after the first layer.
        seed: Of the sequences.
    Returns:
        Scores over measure, mean ± 1 s.e. over sequences (of the composition none); the parts hold every head's numbers:
        'previous token' and 'prefix matching' (sequence, layer, head), 'K-composition' (writer, reader), 'loss' (copy,
        sequence) in nats.
    Raises:
        BadInput: When the reader is in the first layer or not after the other head, or a sequence longer than the context.
    """
    at_least("examples", examples, 2)
    heads = Heads(model)
    found = circuits(heads, examples, length, copies, seed)
    back, prefix = (part.double().numpy() for part in (found.previous, found.prefix))
    one, other = strongest(back.mean(0), prefix.mean(0))
    if reader:
        other = heads.named("reader", reader)
        if other[0] == 0:
            raise BadInput(f"the reader must be after the first layer; got {reader!r}.")
        one = divmod(int(back.mean(0)[: other[0]].argmax()), heads.n_heads)
    if previous:
        one = heads.named("previous", previous)
    if one[0] >= other[0]:
        raise BadInput(f"the reader must be in a later layer than the other head; got {heads.name(*other)} and {previous!r}.")
    composed = found.composition.double().numpy()
    losses = np.stack([found.first.double().numpy(), found.again.double().numpy()])
    numbers = [back[:, *one], prefix[:, *other], composed[*one, *other].reshape(1), losses[1] / losses[0]]
    values = np.array([part.mean() for part in numbers])
    errors = np.array([part.std(ddof=1) / np.sqrt(len(part)) if len(part) > 1 else 0.0 for part in numbers])
    pair = f"{heads.name(*one)} > {heads.name(*other)}"
    coords = {
        "measure": ["previous token", "prefix matching", "K-composition", "loss on copies"],
        "of": ("measure", [heads.name(*one), heads.name(*other), pair, "the model"]),
    }

    def labelled(array: np.ndarray) -> xr.DataArray:
        return xr.DataArray(array, dims=("measure",), coords=coords)

    grid = {"layer": np.arange(heads.n_layers), "head": np.arange(heads.n_heads)}
    places = {"sequence": np.arange(examples), **grid}
    names = [heads.name(*divmod(index, heads.n_heads)) for index in range(heads.n_layers * heads.n_heads)]
    return Scores(
        TITLE,
        "share",
        labelled(values),
        lower=labelled(values - errors),
        upper=labelled(values + errors),
        parts={
            "previous token": xr.DataArray(back, dims=tuple(places), coords=places),
            "prefix matching": xr.DataArray(prefix, dims=tuple(places), coords=places),
            "K-composition": xr.DataArray(
                composed.reshape(len(names), len(names)), dims=("writer", "reader"), coords={"writer": names, "reader": names}
            ),
            "loss": xr.DataArray(losses, dims=("copy", "sequence"), coords={"copy": ["first", "again"]}),
        },
        notes={
            "sign": "shares: of attention, of what can be composed, and of the loss that is left",
            "range": "positive",
            "heads": f"{heads.name(*one)} looks at the token before, {heads.name(*other)} at what followed",
            "random": f"K-composition of a random pair: about 1 / sqrt(d_model) = {model.cfg.d_model**-0.5:.3f}",
            "interval": "mean ± 1 s.e. over sequences",
        },
    )


SOURCE = "Olsson et al. 2022, In-context Learning and Induction Heads, arXiv:2209.11895"
METHOD = Method("induction", TITLE, SOURCE, run, needs_pairs=False)
