"""Direct logit attribution: what each component writes straight into the answer, past all later layers."""

from typing import Any, Literal

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor

from workbench.batches import in_batches, prompts_at_once
from workbench.errors import one_of
from workbench.hooks import hooked, read
from workbench.methods.method import Method
from workbench.pairs import Pairs
from workbench.result import Scores
from workbench.sites import Site
from workbench.unembed import answer_direction, scale_of, soft_cap, through_norm

TITLE = "Direct logit attribution"


def run(
    model: Any,
    pairs: Pairs,
    *,
    by: Literal["head", "layer", "component"] = "head",
    of: Literal["clean", "corrupt", "difference"] = "clean",
) -> Scores:
    """The share of each head, MLP or embedding in the logit difference, with the final norm's divisor held.

    Convention: + writes towards the right answer and away from the wrong one. With `by='component'` the shares add up to
    the logit difference exactly, before a soft cap; several right or wrong answers count by the mean of their logits.
    Source: Elhage et al. 2021, https://transformer-circuits.pub/2021/framework; nostalgebraist 2020.

    Args:
        model: The model.
        pairs: The prompts.
        by: 'head' (layer × head), 'layer' (layer × attention or MLP), or 'component' (every term of the sum).
        of: Which prompts: 'clean' or 'corrupt', or the 'difference' of their shares, clean minus corrupt.
    Returns:
        Scores over (layer, head, prompt), (layer, part, prompt) or (component, prompt), in logits. 0 writes nothing in the
        direction of the answer.
    Raises:
        BadInput: When a parameter is none of these.
    """
    one_of("by", by, ("head", "layer", "component"))
    one_of("of", of, ("clean", "corrupt", "difference"))
    if of == "difference":
        (values, dims, coords), (other, _, _) = (_shares(model, pairs, tokens, by) for tokens in (pairs.clean, pairs.corrupt))
        values = values - other
    else:
        values, dims, coords = _shares(model, pairs, pairs.clean if of == "clean" else pairs.corrupt, by)
    said = "clean minus corrupt prompts" if of == "difference" else f"{of} prompts"
    notes = {"sign": f"+ writes towards the right answer ({said})"}
    if soft_cap(model):
        notes["cap"] = "before the soft cap of the logits"
    return Scores(
        title=TITLE,
        unit="logits",
        values=xr.DataArray(values.double().cpu().numpy(), dims=dims, coords={**coords, "prompt": np.arange(len(pairs))}),
        notes=notes,
    )


def _shares(model: Any, pairs: Pairs, tokens: Tensor, by: str) -> tuple[Tensor, tuple[str, ...], dict[str, Any]]:
    """The shares on these prompts, the dims and what is along them."""
    layers, heads = range(model.cfg.n_layers), np.arange(model.cfg.n_heads)

    def of(rows: slice) -> Float[Tensor, "*any batch"]:
        written = _Written(model, pairs.part(rows), tokens[rows].to(model.cfg.device))
        heads, bias, mlps = written.heads(), written.attention_bias(), written.mlps()
        if by == "head":
            return heads
        return torch.stack([heads.sum(1) + bias, mlps], 1) if by == "layer" else written.components(heads, bias, mlps)

    most = prompts_at_once(model, pairs, ("z", "attn_out", "mlp_out"))
    values = torch.cat(in_batches(of, len(pairs), most, TITLE), -1)
    if by == "head":
        return values, ("layer", "head", "prompt"), {"layer": np.array(layers), "head": heads}
    if by == "layer":
        return values, ("layer", "part", "prompt"), {"layer": np.array(layers), "part": ["attention", "MLP"]}
    last = ("bias", "MLP")
    names = [name for layer in layers for name in (*(f"L{layer}H{head}" for head in heads), *(f"L{layer} {of}" for of in last))]
    return values, ("component", "prompt"), {"component": ["embedding", *names, "constant"]}


class _Written:
    """What every component writes at the position that is read, dotted with the answer's direction."""

    def __init__(self, model: Any, pairs: Pairs, tokens: Tensor):
        self.model, self.end = model, pairs.end.to(tokens.device)
        self.rows = torch.arange(len(pairs), device=tokens.device)
        layers = range(model.cfg.n_layers)
        names = ("z", "attn_out", "mlp_out")
        sites = [Site(name, layer) for layer in layers for name in names]
        edges = [Site("resid_pre", 0), Site("resid_post", model.cfg.n_layers - 1)]
        self.post_scales: dict[int, Tensor] = {}
        with _keeping_post_norms(model, self.post_scales):
            _, self.kept = read(model, tokens, pairs.end, [*sites, *edges])
        final = self._at_end(edges[1]).unsqueeze(1)
        self.scale = scale_of(model.ln_final, final)[:, 0]
        direction, self.bias = answer_direction(model, pairs.right, pairs.wrong)
        self.direction = direction

    def _at_end(self, site: Site) -> Tensor:
        return self.kept[site][self.rows, self.end]

    def _share(self, piece: Float[Tensor, "batch *any d_model"]) -> Float[Tensor, "*any batch"]:
        extra = piece.ndim - 2
        scale = self.scale.reshape(-1, *[1] * (extra + 1))
        direction = self.direction.reshape(self.direction.shape[0], *[1] * extra, -1)
        share = (through_norm(self.model.ln_final, piece, scale) * direction).sum(-1)
        return share.movedim(0, -1)

    def _through_post_norm(self, layer: int, piece: Tensor) -> Tensor:
        """In models with a norm after attention a head's write passes that norm, its divisor held too."""
        block = self.model.blocks[layer]
        if not hasattr(block, "ln1_post"):
            return piece
        scale = self.post_scales[layer][self.rows, self.end]
        return through_norm(block.ln1_post, piece, scale.reshape(-1, *[1] * (piece.ndim - 1)))

    def heads(self) -> Float[Tensor, "layer head batch"]:
        shares = []
        for layer, block in enumerate(self.model.blocks):
            write = torch.einsum("bhd,hdm->bhm", self._at_end(Site("z", layer)), block.attn.W_O.detach())
            shares.append(self._share(self._through_post_norm(layer, write)))
        return torch.stack(shares)

    def attention_bias(self) -> Float[Tensor, "layer batch"]:
        """What attention writes whatever its heads do."""
        shares = []
        for layer, block in enumerate(self.model.blocks):
            bias = getattr(block.attn, "b_O", None)
            bias = torch.zeros(self.model.cfg.d_model, device=self.direction.device) if bias is None else bias.detach()
            shares.append(self._share(self._through_post_norm(layer, bias.expand(len(self.rows), -1))))
        return torch.stack(shares)

    def mlps(self) -> Float[Tensor, "layer batch"]:
        return torch.stack([self._share(self._at_end(Site("mlp_out", layer))) for layer in range(self.model.cfg.n_layers)])

    def components(self, heads: Tensor, bias: Tensor, mlps: Tensor) -> Float[Tensor, "component batch"]:
        """Every term of the sum: the embedding; heads, bias and MLP of each layer; the constant."""
        norm = self.model.ln_final
        constant = self.bias.clone()
        if not norm.uses_rms_norm and norm.bias is not None:
            constant = constant + self.direction @ norm.bias.detach()
        terms = [self._share(self._at_end(Site("resid_pre", 0)))]
        for layer in range(heads.shape[0]):
            terms += [*heads[layer], bias[layer], mlps[layer]]
        return torch.stack([*terms, constant])


class _keeping_post_norms:
    """Context that keeps the divisors of the norms after attention, where a model has them."""

    def __init__(self, model: Any, kept: dict[int, Tensor]):
        self._contexts = [
            hooked(block.ln1_post.hook_scale, self._keeper(kept, layer))
            for layer, block in enumerate(model.blocks)
            if hasattr(block, "ln1_post")
        ]

    @staticmethod
    def _keeper(kept: dict[int, Tensor], layer: int):
        def keep(scale: Tensor) -> None:
            kept[layer] = scale.detach().clone()

        return keep

    def __enter__(self) -> None:
        for context in self._contexts:
            context.__enter__()

    def __exit__(self, *problem) -> None:
        for context in reversed(self._contexts):
            context.__exit__(None, None, None)


METHOD = Method("dla", TITLE, "Elhage et al. 2021, A Mathematical Framework for Transformer Circuits", run)
