"""What the page of the residual stream says in words; safe as HTML."""

from html import escape

import numpy as np

from workbench.pages.swatch import swatch
from workbench.pages.words import failed, left
from workbench.plots.hues import counted
from workbench.plots.text import visible
from workbench.result import Readout, Scores
from workbench.views.onward import link, looking, on_prompt
from workbench.views.residual import Residual

HINT = (
    '<div style="padding:20px 12px;max-width:720px">'
    '<div style="font-size:20px;font-weight:600;margin-bottom:8px">The residual stream of one prompt</div>'
    '<div style="font-size:14px;line-height:1.5">How long the stream is at every layer and token, what attention and MLPs add '
    "to it and in which direction; what the model would answer if it ended there (logit lens), how far the right answer is "
    "from the top, the paths of the tokens through the layers, and which heads and MLPs write the answer. Click a cell: it is "
    "framed in every panel.</div>"
    '<div style="font-size:14px;margin-top:14px">Press <b>Show</b>.</div></div>'
)
SMALL = '<span style="font-size:13px;{}">{}</span>'


def status(view: Residual) -> str:
    """How far the work is, as plain text."""
    if view.status in ("queued", "running"):
        share = "" if view.progress is None else f" · {view.progress:.0%}"
        return f"{view.label}{share}{left(view.seconds_left)}"
    ready = "Shown from the store." if view.results else "Ready."
    return {"done": "Done.", "stopped": "Stopped. Show goes on from there.", "failed": failed(view)}.get(view.status, ready)


def reason(view: Residual, panel: str) -> str:
    """Why there is nothing in a panel, or that it waits; '' where it shows something."""
    if view.waits(panel):
        return SMALL.format("opacity:.8", "Reading …" if view.status == "running" else "Waiting …")
    if panel in view.results:
        return ""
    why = view.reasons.get(panel, "")
    return SMALL.format("", f"<b>Unavailable.</b> {escape(why)}") if why else SMALL.format("opacity:.8", "Press Show.")


def chosen(view: Residual) -> str:
    """All that is known of the cell chosen, or what to do."""
    if view.layer is None:
        said = "Point at a cell to see the same one in every panel. Click frames it, arrow keys move the frame, Esc lets it go."
        return SMALL.format("opacity:.8", said)
    lines = [line for line in (_length(view), _direction(view), _lens(view)) if line]
    tokens, pos = view.tokens, view.pos
    where = f"Layer {view.layer}" if view.layer < _rows(view) - 1 else "Output"
    if pos is not None:
        where += f", position {pos}" + (f" “{tokens[pos]}”" if pos < len(tokens) else "")
    said = "".join(f'<div style="font-size:13px;opacity:.9">{line}</div>' for line in lines)
    return f'<div style="font-size:15px;font-weight:600">{escape(where)}</div>{said}'


def _rows(view: Residual) -> int:
    return next((found.values.sizes["layer"] for name, found in view.results.items() if name in ("norms", "lens")), 10**6)


def _number(scores: Scores, part: str, view: Residual) -> str:
    value = float(scores.values.sel(part=part).isel(layer=view.layer, pos=view.pos))
    return "none" if np.isnan(value) else f"{value:.4g}"


def _length(view: Residual) -> str:
    norms = view.results.get("norms")
    if norms is None or view.pos is None:
        return ""
    stream, attention, mlp = (_number(norms, part, view) for part in ("stream", "attention", "MLP"))
    return escape(f"Length of the stream {stream}; attention adds {attention}, the MLP adds {mlp}.")


def _direction(view: Residual) -> str:
    cosines = view.results.get("cosines")
    if cosines is None or view.pos is None:
        return ""
    before, last, attention, mlp = (_number(cosines, str(part), view) for part in cosines.values.part.values)
    said = f"Cosine with the layer before {before}, with the last layer {last}; of attention with the stream {attention}"
    return escape(f"{said}, of the MLP {mlp}.")


def _lens(view: Residual) -> str:
    found = view.results.get("lens")
    if not isinstance(found, Readout) or view.pos is None:
        return ""
    at = {"layer": view.layer, "pos": view.pos}
    tops = zip(found.parts["token"].isel(at).values, found.values.isel(at).values, strict=True)
    said = ", ".join(f"“{visible(str(token))}” {share:.3f}" for token, share in tops)
    rank, kl = (float(found.parts[name].isel(at)) for name in ("answer_rank", "kl"))
    answer = "the right answer is on top" if rank == 0 else f"{rank:,.0f} tokens are before the right answer"
    return escape(f"Lens: {said}; {answer}; KL to the output {kl:.4g} nats.")


def shares(view: Residual) -> str:
    """What all shares of the logit difference add up to."""
    total = view.total
    if total is None:
        return ""
    found = view.results["components"]
    of = "mean over prompts" if view.shares == "mean" else f"prompt {view.prompt + 1}"
    between = ", clean minus corrupt" if view.of == "difference" else ""
    cap = " before the soft cap" if "cap" in found.notes else ""
    said = f"All {found.values.sizes['component']} shares add up to {total:+.3f}, the logit difference{cap} ({of}{between})."
    return SMALL.format("", escape(said))


def head(view: Residual, theme: str) -> str:
    """The head whose attention is shown, with a link to all that is known of it."""
    if view.head is None:
        return SMALL.format("opacity:.8", "Click the bar of a head to see where it looks.")
    name = ".".join(map(str, view.head))
    on = on_prompt(view.prompt, view.of)
    to, seen = link("heads", view, {"head": name} | on), looking(view, view.head, on, view.pos)
    waits = f" · {escape(view.attention.status)}" if view.attention.status else ""
    title = f"{swatch(counted(view.head, view.heads), theme)}<b>Head {escape(name)}</b>"
    about = (
        f'{title} · <a href="{escape(seen)}">See its attention</a> beside that of all heads · '
        f'<a href="{escape(to)}">All about head {escape(name)}</a> on the page of heads{waits}'
    )
    return SMALL.format("", about)
