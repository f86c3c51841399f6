"""What heads write: whether they copy what they look at, whether they move the answer, and whether they turn those that do."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from workbench.channels.evidence import Bench
from workbench.channels.weights import Heads
from workbench.sites import Site
from workbench.unembed import folded


def eigenvalue_copying(heads: Heads) -> Float[Tensor, "layer head"]:
    """The sum of the eigenvalues of every head's token-to-token circuit W_E W_V W_O W_U over the sum of their sizes: 1 copies.

    From d_head × d_head matrices of the same eigenvalues; gains of the norms folded in.
    Source: Elhage et al. 2021, https://transformer-circuits.pub/2021/framework (copying matrices).
    """
    model = heads.model
    through = folded(model) @ model.W_E.detach().float()
    rows = []
    for layer in range(heads.n_layers):
        small = heads.writing(layer) @ through @ heads.reading(layer, "v")
        values = torch.linalg.eigvals(small.cpu())
        rows.append(values.real.sum(-1) / values.abs().sum(-1).clamp(min=1e-30))
    return torch.stack(rows)


def copying(
    tokens: Int[Tensor, "batch pos"],
    pattern: Float[Tensor, "batch head pos pos"],
    z: Float[Tensor, "batch pos head d_head"],
    out: Float[Tensor, "head d_head d_model"],
    unembed: Float[Tensor, "d_model vocab"],
) -> Float[Tensor, "batch head"]:
    """Of what a head raises among the sequence's own tokens, the share that it raises of those it looks at.

    What it writes goes straight to the logits; of the sequence's tokens the mean is taken off, and what is left above 0 is
    raised. The share is weighted by attention; 1 copies what it looks at, 1 / tokens by chance. Queries after the first count.
    Source: after Olsson et al. 2022, https://arxiv.org/abs/2209.11895 (copying evaluator), whose scale is another.
    """
    shares = []
    for row in range(len(tokens)):
        ids, place = tokens[row].unique(return_inverse=True)
        logits = torch.einsum("phe,hed,dv->hpv", z[row].float(), out.float(), unembed[:, ids])
        raised = (logits - logits.mean(-1, keepdim=True)).clamp(min=0)
        # How much each key's own token is raised.
        of_key = raised[:, :, place]
        share = (pattern[row] * of_key).sum(-1) / raised.sum(-1).clamp(min=1e-30)
        shares.append(share[:, 1:].mean(-1))
    return torch.stack(shares)


def moved(bench: Bench) -> Float[Tensor, "layer head batch"]:
    """What every head writes at END of the right answer's own places along the answer's direction, in logits.

    + is a name mover, - a negative one. Values at the places that hold the right answer, times attention from END to them;
    the final norm's divisor as it was. Source: Wang et al. 2022, https://arxiv.org/abs/2211.00593 (by direct attribution).
    """
    heads = bench.heads
    rows = torch.arange(len(bench.pairs), device=bench.device)
    every = [(layer, head) for layer in range(heads.n_layers) for head in range(heads.n_heads)]
    attention = bench.base(every).attention[0].unflatten(0, (heads.n_layers, heads.n_heads))
    found = []
    for layer in range(heads.n_layers):
        _, values = bench.run.cache[layer]
        values = values.repeat_interleave(heads.n_heads // values.shape[1], 1).float()
        looked = attention[layer] * bench.right.float()
        part = torch.einsum("hbp,bhpe->bhe", looked, values)
        # In models with a norm after attention its divisor stays what it was.
        whole = bench.run.kept[Site("z", layer)]
        sizes = [one[rows, bench.end].float().flatten(1).norm(dim=1) for one in (heads.wiring.scaled(layer, whole), whole)]
        part = part * (sizes[0] / sizes[1]).view(-1, 1, 1)
        wrote = torch.einsum("bhe,hed->hbd", part, heads.wiring.out[layer].float())
        found.append(bench.along_answer(wrote))
    return torch.stack(found)
