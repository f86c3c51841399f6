"""What the dynamics page says in words; safe as HTML."""

from collections.abc import Mapping
from html import escape

import numpy as np

from workbench.jobs import LIVE
from workbench.pages.swatch import swatched
from workbench.pages.words import failed, left
from workbench.plots.theme import SERIES
from workbench.result import Result, Scores
from workbench.views.descent import Nested, first
from workbench.views.dynamics import Dynamics
from workbench.views.example import Example
from workbench.views.forming import Forming
from workbench.views.study import TITLES

EXAMPLE = (
    "Items, each followed by its label, and then one item more: what is its label? Its class is new, so that only the context "
    "can tell. A network of two attention layers was trained on this; drag the slider through its training."
)
LANGUAGE = (
    "The same in a language model: a small transformer reads words that follow each other by fixed habits, which weights can "
    "learn, and phrases that each text makes up and tells again, which only the context can tell. Olsson et al. 2022 follow "
    "such measures in large models; these two were trained here, three seeds each. What stands beside the slider is of seed 0."
)
NESTED = (
    "The network reduced to three numbers that follow the slope of their loss. β1: how much a label attends to its item (q1). "
    "α: given that, how much the last item attends to its label (q2). ξ: given both, how well the label is read off (P). "
    "Each has a slope only where the one before has risen, so that for long nothing seems to happen."
)
ABOUT = {
    "reddy": "The measures by step, mean over networks of several seeds: how far in-context learning comes, and how suddenly.",
    "reddy_events": "Which measure moves first: the step at which each is half-way from its first value to its last.",
    "reddy_phases": "Where networks learn in context and where in their weights, over two properties of the task.",
    "reddy_saddle": "Whether networks learn in context where there are as many labels as items (L = N), and where more.",
    "language": "How the two heads of an induction circuit form in a small language model that reads phrases told again.",
}


def train(view: Dynamics) -> str:
    """What to do, or to wait for, where there is no result yet."""
    said = "Press <b>Train</b>. What was trained before with the same settings is shown at once."
    if view.status in LIVE:
        said = "The figure appears as soon as there is something to see; of a diagram, when all are trained."
    style = "padding:16px 4px;max-width:640px;font-size:14px;line-height:1.5"
    return f'<div style="{style}">{escape(ready_for(view))} {said}</div>'


def measures(told: Mapping[str, float], when: str, about: Mapping[str, str]) -> str:
    """Every measure in its colour of the figure: its name, what it is, its value."""
    rows = "".join(
        f'<div style="color:{SERIES[at % len(SERIES)]}">{"━" if at < len(SERIES) else "╍"}</div><b>{escape(name)}</b>'
        f'<div style="opacity:.8">{escape(about[name])}</div>'
        f'<div style="text-align:right;font-variant-numeric:tabular-nums">{value:.2f}</div>'
        for at, (name, value) in enumerate(told.items())
    )
    style = (
        "max-width:760px;display:grid;grid-template-columns:max-content max-content 1fr max-content;gap:2px 12px;font-size:13px"
    )
    head = f'<div></div><div></div><div></div><div style="text-align:right;opacity:.75">{escape(when)}</div>'
    return f'<div style="{style}">{head}{rows}</div>'


def example(of: Example) -> str:
    """What is to be seen at the step, in numbers."""
    step, told = of.step or 0, of.told(of.step or 0)
    side = "before" if step < of.transition else "after"
    return (
        f"<b>Step {step:,}</b>, {side} the transition at step {of.transition:.0f}: right on new classes "
        f"<b>{told['ic']:.0%}</b>, one of the labels shown {told['cla']:.0%}; attention from a label to its item "
        f"<b>{told['ila1']:.0%}</b>, from the last item to its label <b>{told['tila2']:.0%}</b>."
    )


def forming(of: Forming, theme: str) -> str:
    """What is to be seen of a language model at the step, in numbers, its heads in their colours."""
    told, losses = of.told(of.step), of.losses_at(of.step)
    side = "before" if of.step < of.transition else "after"
    one, other = (swatched(name, of.per_layer, theme, plain=True) for name in of.heads)
    return (
        f"<b>Step {of.step:,}</b>, {side} the transition of seed 0 at step {of.transition:.0f}: head {one} looks "
        f"at the token before with <b>{told['previous token']:.0%}</b> of its attention, head {other} at what followed "
        f"with <b>{told['prefix matching']:.0%}</b>; in-context score <b>{losses['in-context score']:+.2f} nats</b>. "
        f"{escape(of.curve.notes['transition'])}."
    )


def reference(of: Forming) -> str:
    """How to open the checkpoint that is looked at."""
    ref = f"trained:{of.model}@step{of.step}"
    return (
        f'<div style="font-size:13px;opacity:.85">This checkpoint is a model like any other: '
        f"<code>{escape(ref)}</code> on every page and in <code>workbench.load</code>.</div>"
    )


def nested(of: Nested) -> str:
    """What the path does, in numbers; or why there is none."""
    if of.path is None:
        return f'<span role="alert">{escape(of.problem[:1].upper() + of.problem[1:])}</span>'
    path, drop = of.path, of.drop
    right = np.exp(-path.loss)
    if drop.half is None:
        said = [f"P does not reach one half in {of.steps:,} steps: it goes from {right[0]:.2f} to <b>{right[-1]:.2f}</b>"]
    elif drop.half == 0:
        said = [f"P is <b>{right[0]:.2f}</b> at the start, above one half already"]
    else:
        said = [f"P passes one half at step <b>{drop.half:,}</b>"]
    if drop.begins and drop.ends:
        said.append(f"it takes {drop.ends - drop.begins:,} steps from .2 to .8, after {drop.begins:,} steps below .2")
    elif drop.half and drop.ends:
        said.append(f"it is .8 by step {drop.ends:,}")
    lines = [_sentence(said), _shown(of)]
    return " ".join(line for line in lines if line)


def _shown(of: Nested) -> str:
    """What the labels shown have to do with it."""
    path = of.path
    if of.labels == of.items:
        even = np.log(of.items)
        leaves = first(np.abs(path.loss - even) > 0.05)
        stays = "to the end" if leaves is None else f"until step <b>{leaves:,}</b>"
        near = (
            ""
            if leaves == 0
            else f" The start lies beside a saddle: the loss stays within .05 of log N = {even:.2f} nats {stays}."
        )
        return f"L = N: all labels are shown, so that there is nothing to learn about which ones are.{near}"
    half = first(path.cla >= 0.5)
    when = f"passes one half at step {half:,}" if half else "is above one half from the start" if half == 0 else None
    return f"The probability of the labels shown {when or f'ends at {path.cla[-1]:.2f}'}."


def _sentence(parts: list[str]) -> str:
    return "; ".join(parts) + "."


def status(view: Dynamics) -> str:
    """How far the training is, as plain text."""
    if view.status in LIVE:
        share = "" if view.progress is None else f" · {view.progress:.0%}"
        part = " of this part" if view.seconds_left is not None and view.label != "Training" else ""
        return f"{view.label}{share}{left(view.seconds_left)}{part}"
    ready = "Shown from the store." if view.result is not None else "Ready."
    return {"done": "Done.", "stopped": "Stopped.", "failed": failed(view)}.get(view.status, ready)


def ready_for(view: Dynamics) -> str:
    """What Train would do, as plain text."""
    count, steps = view.networks, view.params["steps"]
    said = f"Trains {count} network{'s' * (count != 1)} for {steps:,} steps."
    return f"{said} {view.expected}" if view.expected and view.status not in LIVE else said


def found(result: Result | None) -> str:
    """What a result says in its notes: when it came, in which order, how many learnt."""
    if result is None:
        return ""
    names = {"transition": "", "learned": "Learnt: ", "order": "Half-way, by median step: ", "warning": "Warning: "}
    told = [f"<b>{escape(title + result.notes[name])}</b>" for name, title in names.items() if name in result.notes]
    return "<br>".join(told)


def titled(scores: Scores) -> Scores:
    """Scores whose axes are called as in the form."""
    names = {dim: TITLES[dim] for dim in scores.values.dims if dim in TITLES}
    bands = (None if band is None else band.rename(names) for band in (scores.lower, scores.upper))
    return scores.replace(values=scores.values.rename(names), **dict(zip(("lower", "upper"), bands, strict=True)))


def brief(course: Result) -> Result:
    """The measures by step without what stands in the table beside them."""
    kept = {
        name: note for name, note in course.notes.items() if name in ("sign", "x", "interval", "training", "warning", "nan")
    }
    return course.replace(notes=kept)
