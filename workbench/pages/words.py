"""What the page says in words: how far the work is, what the baseline found, what Run will do; safe as HTML."""

from html import escape

from workbench.result import Scores
from workbench.views.circuits import Circuits


def looks(view: Circuits) -> str:
    """What is said above the attention: what is going on, or what to do; '' for nothing."""
    looked = view.attention
    said = looked.status or looked.about
    if looked.layer is None:
        said = "Attention of a head appears here."
        if view.whole and "layer" in view.result.values.dims:
            said = "Click a cell of the map to see where its head looks."
    return f'<span style="font-size:13px;opacity:.8">{escape(said)}</span>' if said else ""


def status(view: Circuits) -> str:
    """How far the work is, as plain text."""
    if view.status in ("queued", "running"):
        share = "" if view.progress is None else f" · {view.progress:.0%}"
        return f"{view.label}{share}{_left(view.seconds_left)}"
    return {
        "done": "Done.",
        "stopped": "Stopped. Run goes on from there.",
        "failed": "Failed: see the notice.",
    }.get(view.status, "Shown from the store." if view.result is not None else "Ready.")


def _left(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 60:
        return f" · about {max(1, round(seconds))} s left"
    return f" · about {round(seconds / 60)} min left"


def _round(number: float) -> float:
    """Two digits, and no -0.00."""
    return round(number, 2) + 0.0


def baseline(found: Scores) -> str:
    """Whether the model can do the task, with the warning where it cannot."""
    means = found.values.mean("prompt")
    clean, corrupt = float(means.sel(run="clean")), float(means.sel(run="corrupt"))
    name = str(found.origin.params.get("metric", "metric")).replace("_", " ") if found.origin else "metric"
    said = (
        f"<b>Baseline</b> right on {escape(found.notes.get('accuracy', '?'))} · "
        f"{escape(name)} {_round(clean):+.2f} on clean, {_round(corrupt):+.2f} on corrupt ({escape(found.unit)})"
    )
    warning = found.notes.get("warning")
    if not warning:
        return f'<div style="font-size:13px;padding:4px 0">{said}</div>'
    return (
        f'<div role="alert" style="font-size:13px;padding:6px 10px;border-left:4px solid #e69f00;'
        f'background:rgba(230,159,0,.12)">{said}<br><b>Warning:</b> {escape(warning)}.</div>'
    )


def hint(view: Circuits) -> str:
    """What Run will do, in place of the map."""
    from workbench.methods import METHODS
    from workbench.tasks import TASKS

    method = METHODS[view.method]
    about = (method.run.__doc__ or "").split("\n\n")[0]
    task = "your own pairs" if view.task not in TASKS else TASKS[view.task].title
    return (
        '<div style="padding:28px 12px;max-width:640px">'
        f'<div style="font-size:20px;font-weight:600;margin-bottom:8px">{escape(method.title)}</div>'
        f'<div style="font-size:14px;line-height:1.5">{escape(about)}</div>'
        f'<div style="font-size:13px;line-height:1.5;opacity:.75;margin-top:8px">On {escape(task)}. '
        f"Source: {escape(method.source)}</div>"
        '<div style="font-size:14px;margin-top:16px">Press <b>Run</b>. The map fills in as cells are finished; click a cell '
        "to see where its head looks.</div></div>"
    )
