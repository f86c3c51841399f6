"""AtP*: attribution patching that sees through saturated attention, and through effects that cancel."""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from torch import Tensor

from workbench.batches import in_batches, prompts_at_once
from workbench.effects import Axis, Direction, Plan, Positions, all_sites, answers, as_scores, contract, on_grid, plan
from workbench.errors import BadInput
from workbench.hooks import check_finite, end_logits, hooked, probing, read
from workbench.methods.method import Method
from workbench.metrics import MetricName
from workbench.pairs import Pairs
from workbench.progress import track
from workbench.qk import CORRECTED, correction, rotated
from workbench.result import Scores
from workbench.sites import Site, SiteName, hook_point

TITLE = "AtP*"


def run(
    model: Any,
    pairs: Pairs,
    *,
    sites: SiteName | Sequence[SiteName] = ("q", "z"),
    by: Axis | Sequence[Axis] = ("layer", "head"),
    positions: Positions = "auto",
    metric: MetricName = "logit_diff",
    direction: Direction = "denoise",
    graddrop: bool = True,
    qk_correction: bool = True,
) -> Scores:
    """How much each place matters: |attribution|, corrected for saturated attention and for effects that cancel.

    Convention: magnitudes, at least 0: whether a place helps or hurts is in the part 'signed', the corrected attribution
    without GradDrop, whose sign is that of `atp`. With GradDrop a score is sum_l |I_l| / (L - 1) over the L layers, I_l the
    attribution when no gradient flows back through what layer l adds to the stream; of these the place's own layer gives 0
    (a place in the stream has no layer of its own: L terms, divided by L - 1 all the same).
    Source: Kramár et al. 2024, https://arxiv.org/abs/2403.00745, eqs 7 and 9 to 11. There the magnitudes are averaged over
    prompts; here each prompt keeps its own, and the mean over 'prompt' is theirs. MLPs count as whole layers, not neurons.

    Args:
        model: The model.
        pairs: Clean and corrupt prompts.
        sites: As for `patch`. In grouped-query models k and v have one score for each key-value head.
        by: As for `patch`. What is left out is summed with its sign, before the magnitude is taken.
        positions: As for `patch`.
        metric: As for `patch`.
        direction: As for `patch`.
        graddrop: One more backward pass for each layer, so that an effect shows whose paths cancel.
        qk_correction: As for `atp`; here it applies to q and k, and leaves other sites alone.
    Returns:
        Scores over (site, layer, head, pos, prompt), as far as asked for, in the metric's unit. 0 means no effect on any
        path; NaN where a site has no such head.
    Raises:
        BadInput: When a parameter is none of these, GradDrop meets a model of one layer, or the correction cannot be had for
            this model.
    """
    if graddrop and model.cfg.n_layers < 2:
        raise BadInput(f"graddrop must have a model of at least 2 layers; got {model.cfg.n_layers}. Use graddrop=False.")
    asked = plan(model, pairs, sites, by, positions, metric, direction, "other", False, 0)
    corrected = tuple(name for name in ("q", "k") if qk_correction and name in asked.sites)

    def of(rows: slice) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], Tensor, Tensor]:
        passes = _Passes(model, asked.part(rows), corrected)
        signed = passes.effects(None)
        if not graddrop:
            return signed, {site: np.abs(effect) for site, effect in signed.items()}, passes.clean, passes.corrupt
        layers = range(model.cfg.n_layers)
        dropped = [passes.effects(layer) for layer in track(layers, "AtP*: backward passes")]
        scores = {site: sum(np.abs(each[site]) for each in dropped) / (len(dropped) - 1) for site in asked.sites}
        return signed, scores, passes.clean, passes.corrupt

    most = prompts_at_once(model, pairs, (*asked.sites, *(CORRECTED if corrected else ())), gradient=True)
    parts = in_batches(of, len(pairs), most, "AtP*")
    signed, scores = ({site: np.concatenate([part[at][site] for part in parts], -1) for site in asked.sites} for at in (0, 1))
    clean, corrupt = (torch.cat([part[at] for part in parts]) for at in (2, 3))
    notes = {
        "correction": "query-key" if corrected else "none",
        "graddrop": f"mean over the {model.cfg.n_layers - 1} layers that are not the place's own" if graddrop else "none",
    }
    told = as_scores(model, asked, TITLE, scores, clean, corrupt, notes)
    sign = "magnitudes: 0 no effect, larger matters more; the part 'signed' says whether it helps or hurts"
    kept = as_scores(model, asked, TITLE, signed, clean, corrupt, notes).values
    return told.replace(parts={**told.parts, "signed": kept}, notes={**told.notes, "sign": sign})


def _between(site: Site) -> bool:
    return site.name == "resid_mid"


class _Passes:
    """One forward pass whose graph is kept, and as many backward passes through it as are asked for."""

    def __init__(self, model: Any, asked: Plan, corrected: tuple[str, ...]):
        self.model, self.asked, self.corrected = model, asked, corrected
        # A list of its own, which the gates hold: holding self they would make a cycle, and the graph outlive its use.
        self.closed: list[int | None] = [None]
        wanted = all_sites(model, [name for name in asked.sites if name not in corrected])
        with rotated(model) as self.other_qk:
            other_logits, self.other = read(model, asked.other, asked.end, wanted)
        # Scores are read and not differentiated: a probe there would only cost memory.
        read_only = all_sites(model, ["scores"]) if corrected else []
        self.probed = wanted + [site for site in all_sites(model, ["pattern"]) if corrected and site not in wanted]
        denoise = asked.direction == "denoise"
        with torch.enable_grad(), ExitStack() as stack:
            # What a layer adds is probed before its gate, so that a closed gate hides it; the stream between, after.
            self.base, probes = stack.enter_context(probing(model, [site for site in self.probed if not _between(site)]))
            self._gate(stack)
            between, more = stack.enter_context(probing(model, [site for site in self.probed if _between(site)]))
            for site in read_only:
                stack.enter_context(hooked(hook_point(model, site), self._keeper(site)))
            self.base_qk = stack.enter_context(rotated(model))
            logits = end_logits(model, asked.base, asked.end)
            values = asked.metric.measure(logits, answers(asked, other_logits if denoise else logits.detach()))
        self.base |= between
        self.total, self.probes = values.sum(), [(probes | more)[site] for site in self.probed]
        check_finite(self.base, values)
        other_values = asked.metric.measure(other_logits, answers(asked, other_logits if denoise else logits.detach()))
        ends = other_values, values.detach()
        self.clean, self.corrupt = ends if denoise else ends[::-1]

    def _keeper(self, site: Site):
        def keep(activation: Tensor) -> None:
            self.base[site] = activation.detach().clone()

        return keep

    def _gate(self, stack: ExitStack) -> None:
        """Hang a gate for gradients on whatever a layer adds to the stream."""
        closed = self.closed

        def gate(layer: int):
            def write(activation: Tensor) -> Tensor:
                # A tensor of its own: what the hook is given may be a view that the forward pass never consumes.
                passed = activation + torch.zeros_like(activation, requires_grad=True)
                passed.register_hook(lambda gradient: torch.zeros_like(gradient) if closed == [layer] else None)
                return passed

            return write

        for site in all_sites(self.model, ("attn_out", "mlp_out")):
            stack.enter_context(hooked(hook_point(self.model, site), gate(site.layer)))

    def effects(self, closed: int | None) -> dict[str, np.ndarray]:
        """Signed effects by site on the grid asked for, with no gradient through what layer `closed` adds."""
        self.closed[:] = [closed]
        found = torch.autograd.grad(self.total, self.probes, retain_graph=True, allow_unused=True)
        gradients = {
            site: torch.zeros_like(self.base[site]) if gradient is None else gradient
            for site, gradient in zip(self.probed, found, strict=True)
        }
        arrays: dict[str, np.ndarray] = {}
        if self.corrected:
            arrays = correction(self.model, self.corrected, self.base, gradients, self.base_qk, self.other_qk)
        for name in self.asked.sites:
            if name not in self.corrected:
                arrays[name] = self._linear(name, gradients)
        return {name: on_grid(self.asked, arrays[name]) for name in self.asked.sites}

    def _linear(self, name: str, gradients: dict[Site, Tensor]) -> np.ndarray:
        places = all_sites(self.model, [name])
        effects = [contract(name, self.other[place] - self.base[place], gradients[place]) for place in places]
        return torch.stack(effects).double().cpu().numpy()


METHOD = Method("atp_star", TITLE, "Kramár et al. 2024, arXiv:2403.00745", run)
