"""What the page says in words: how far the work is, what the baseline found, what Run will do; safe as HTML."""

from html import escape

from workbench.result import Circuit, Scores
from workbench.views.circuit_size import CircuitSize
from workbench.views.circuits import Circuits
from workbench.views.working import Working

# Letters of a reason beside the buttons.
LONGEST = 300


def looks(view: Circuits) -> str:
    """What is said above the attention: what is going on, or what to do; '' for nothing."""
    looked = view.attention
    said = looked.status or looked.about
    if looked.layer is None:
        said = "Attention of a head appears here."
        if view.whole and isinstance(view.result, Circuit):
            said = "Click a head of the network, or an edge of it, to see where it looks."
        elif view.whole and "layer" in view.result.values.dims:
            said = "Click a cell of the map to see where its head looks."
    return f'<span style="font-size:13px;opacity:.8">{escape(said)}</span>' if said else ""


def status(view: Circuits) -> str:
    """How far the work is, as plain text."""
    if view.status in ("queued", "running"):
        share = "" if view.progress is None else f" · {view.progress:.0%}"
        return f"{view.label}{share}{left(view.seconds_left)}"
    return {
        "done": "Done.",
        "stopped": "Stopped. Run goes on from there.",
        "failed": failed(view),
    }.get(view.status, "Shown from the store." if view.result is not None else "Ready.")


def failed(view: Working) -> str:
    """Why the last job failed, as plain text: the notice goes after some seconds."""
    said = view.notice.text if view.notice is not None and view.notice.level == "error" else ""
    return f"Failed. {said[:LONGEST]}".strip()


def left(seconds: float | None) -> str:
    """The time left, or ''."""
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


def size(sizes: CircuitSize, asked: int) -> str:
    """One line on the size a circuit is looked at."""
    return f'<span style="font-size:13px">{escape(sizes.words(asked))}</span>'


def summary(sizes: CircuitSize) -> str:
    """What was measured of a circuit as it was found, as a small table; '' where nothing was."""
    rows = sizes.said()
    if not rows:
        return ""
    cells = "".join(
        f'<div style="opacity:.75">{escape(name)}</div><div style="font-variant-numeric:tabular-nums">{escape(value)}</div>'
        for name, value in rows
    )
    notes = sizes.circuit.notes
    said = [f"{name}: {notes[name]}" for name in ("selection", "hold-out", "stability", "verified") if name in notes]
    return (
        '<div style="font-size:13px;line-height:1.5"><b style="font-size:14px">The circuit found</b>'
        f'<div style="display:grid;grid-template-columns:max-content 1fr;gap:1px 16px;margin:4px 0">{cells}</div>'
        + "".join(f'<div style="font-size:12px;opacity:.75">{escape(line[0].upper() + line[1:])}</div>' for line in said)
        + "</div>"
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
